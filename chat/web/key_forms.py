"""The form for a new API key."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from chat.models import ApiKey, Flow, Right, User
from chat.models.api_key import NAME_MAX_CHARS, all_rights


class KeyForm(forms.Form):
    """What the key is called, and what it opens."""

    name = forms.CharField(max_length=NAME_MAX_CHARS, help_text="What it is for: “Shop”, “Notebook”.")
    rights = forms.MultipleChoiceField(
        choices=Right.choices,
        initial=all_rights,
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": "Choose at least one right."},
    )
    flows = forms.ModelMultipleChoiceField(
        queryset=Flow.objects.all(),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="None: all flows and all models.",
    )

    def __init__(self, user: User, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._user = user

    def clean_name(self) -> str:
        """A page with a new key that is loaded again asks for the same one: that must not make a second.

        Raises: ValidationError.
        """
        name = str(self.cleaned_data["name"])
        if ApiKey.objects.filter(user=self._user, name=name, revoked_at__isnull=True).exists():
            raise ValidationError("You have a key with this name already.")
        return name

    def issue(self) -> tuple[ApiKey, str]:
        """The key and its secret."""
        fields = self.cleaned_data
        key, secret = ApiKey.objects.issue(self._user, fields["name"], rights=fields["rights"])
        key.flows.set(fields["flows"])
        return key, secret
