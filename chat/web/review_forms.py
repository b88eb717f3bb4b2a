"""The filters of the review queue, read from an address and written into one."""

from __future__ import annotations

from typing import Any, Self

from django import forms
from django.utils.http import urlencode

from chat.models import Flow, Review
from chat.runs.review_queue import GUEST, QueueFilter

ANY = [("", "any")]
MAX_CHARS = 200


class QueueForm(forms.Form):
    """Empty fields ask for nothing; a field that cannot be understood is told and asks for nothing either."""

    q = forms.CharField(required=False, label="Text", max_length=MAX_CHARS)
    person = forms.CharField(
        required=False, max_length=MAX_CHARS, help_text=f"“{GUEST}” for those without an account."
    )
    status = forms.ChoiceField(required=False, choices=ANY + Review.Status.choices)
    feedback = forms.ChoiceField(
        required=False, choices=[*ANY, ("any", "rated"), ("up", "good answer"), ("down", "bad answer")]
    )
    flow = forms.ModelChoiceField(Flow.objects.order_by("name"), required=False, empty_label="any")
    model = forms.CharField(
        required=False, max_length=MAX_CHARS, widget=forms.TextInput({"list": "review-models"})
    )
    tool = forms.CharField(
        required=False,
        max_length=MAX_CHARS,
        label="Tool used",
        widget=forms.TextInput({"list": "review-tools"}),
    )
    since = forms.DateField(required=False, label="From", widget=forms.DateInput({"type": "date"}))
    until = forms.DateField(required=False, label="To", widget=forms.DateInput({"type": "date"}))
    failed = forms.BooleanField(required=False, label="With an error")

    @classmethod
    def of(cls, query: Any) -> Self:
        """The form with what an address asks for."""
        return cls(query, auto_id="filter-%s", label_suffix="")

    @property
    def filter(self) -> QueueFilter:
        """What to look for."""
        self.is_valid()
        fields = self.cleaned_data
        return QueueFilter(
            words=fields.get("q", "").replace("\x00", ""),
            person=fields.get("person", ""),
            flow_id=flow.pk if (flow := fields.get("flow")) else None,
            model=fields.get("model", ""),
            tool=fields.get("tool", ""),
            since=fields.get("since"),
            until=fields.get("until"),
            feedback=fields.get("feedback", ""),
            has_failed=fields.get("failed", False),
            status=fields.get("status", ""),
        )

    @property
    def query(self) -> str:
        """`?person=…` for links that stay in the same queue; "" for the queue of all."""
        asked = {name: self.data[name] for name in self.fields if self.data.get(name)}
        return f"?{urlencode(asked)}" if asked else ""

    @property
    def is_narrow(self) -> bool:
        """Whether more is asked for than a text."""
        return any(self.data.get(name) for name in self.fields if name != "q")
