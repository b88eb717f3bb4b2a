"""The form of the dialog "Share"."""

from __future__ import annotations

from datetime import timedelta

from django import forms

from chat.runs.shared_chat import Extras
from chat.runs.shares import LinkTerms

PASSWORD_MAX_CHARS = 128


class ShareForm(forms.Form):
    """What a link shows, to whom and for how long."""

    kind = forms.ChoiceField(
        label="What is shared",
        choices=[
            ("frozen", "A frozen copy: the chat as it is now"),
            ("live", "Live: also what comes, as it is written"),
        ],
        initial="frozen",
        widget=forms.RadioSelect,
    )
    tools = forms.BooleanField(label="Tool cards and thoughts", required=False)
    sources = forms.BooleanField(label="Source passages", required=False)
    days = forms.ChoiceField(
        label="Expires",
        choices=[("", "Never"), ("1", "In 1 day"), ("7", "In 7 days"), ("30", "In 30 days")],
        required=False,
    )
    password = forms.CharField(
        required=False,
        max_length=PASSWORD_MAX_CHARS,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        label="Password (optional)",
    )

    @property
    def boxes(self) -> tuple[forms.BoundField, forms.BoundField]:
        """What else may be ticked."""
        return self["tools"], self["sources"]

    def terms(self) -> LinkTerms:
        """The owner's wishes; the form must be valid."""
        given = self.cleaned_data
        return LinkTerms(
            is_live=given["kind"] == "live",
            extras=Extras(tools=given["tools"], sources=given["sources"]),
            lifetime=timedelta(days=int(given["days"])) if given["days"] else None,
            password=given["password"],
        )
