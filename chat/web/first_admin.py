"""The page behind the one-time link: a name and a password make the first administrator."""

from __future__ import annotations

from allauth.decorators import rate_limit
from django import forms
from django.contrib.auth import login, password_validation
from django.contrib.auth.validators import UnicodeUsernameValidator
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from chat.http.first_admin import check_setup_token, create_first_admin
from chat.models import User


class FirstAdminForm(forms.Form):
    """Nothing more is needed to begin."""

    username = forms.CharField(
        max_length=150,
        validators=[UnicodeUsernameValidator()],
        widget=forms.TextInput(attrs={"autocomplete": "username", "autofocus": True}),
    )
    password = forms.CharField(
        strip=False,
        max_length=1000,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text="At least 8 characters, and not one that everybody uses.",
    )

    def clean_username(self) -> str:
        """Raises: ValidationError when somebody has the name."""
        username = str(self.cleaned_data["username"])
        if User.objects.filter(username__iexact=username).exists():
            raise ValidationError("Somebody has this name already.")
        return username

    def clean_password(self) -> str:
        """Raises: ValidationError when the password is too easy."""
        password = str(self.cleaned_data["password"])
        password_validation.validate_password(password, User(username=self.cleaned_data.get("username", "")))
        return password


@rate_limit(action="first_admin")  # type: ignore[untyped-decorator]
@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
def first_admin(request: HttpRequest, token: str) -> HttpResponse:
    """Show the form, then make the account and log it in."""
    check_setup_token(token)
    form = FirstAdminForm(request.POST or None)
    if form.is_valid():
        user = create_first_admin(token, form.cleaned_data["username"], form.cleaned_data["password"])
        login(request, user, backend="django.contrib.auth.backends.ModelBackend")
        return redirect("home")
    # No stricter Referrer-Policy than elsewhere: with "no-referrer" browsers send `Origin: null`, which CSRF refuses.
    return render(request, "setup/first_admin.html", {"form": form})
