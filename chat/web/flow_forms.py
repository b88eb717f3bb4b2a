"""What a flow's fields may hold: one form for the page and for `manage.py flow`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from chat.models import Collection, Flow
from chat.web.sampling_forms import LinesField, SamplingFields

SYSTEM_PROMPT_MAX_CHARS = 20_000
STARTER_MAX_CHARS = 200
MAX_STARTERS = 4
MAX_ORIGINS = 50
DEFAULT_WINDOW_S = 60
DAY_S = 86_400

# As browsers write it in the Origin header: no path, no slash at the end.
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::(?P<port>\d{1,5}))?", re.ASCII)
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}


class FlowForm(SamplingFields, forms.ModelForm):  # type: ignore[type-arg]
    """A new flow, or the changes of one. Its choices are the models and tools that the server has now."""

    model = forms.ChoiceField(
        required=False, error_messages={"invalid_choice": "There is no model “%(value)s”."}
    )
    system_prompt = forms.CharField(
        required=False,
        max_length=SYSTEM_PROMPT_MAX_CHARS,
        widget=forms.Textarea(attrs={"rows": 5}),
        help_text="Empty: the server’s own.",
    )
    starter_prompts = LinesField(
        help_text=f"Shown in a new chat: one a line, at most {MAX_STARTERS}.",
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    all_tools = forms.BooleanField(
        required=False, label="Every tool of the server", help_text="Also those that it will have later."
    )
    tools = forms.MultipleChoiceField(
        required=False,
        label="Or only these",
        widget=forms.CheckboxSelectMultiple,
        error_messages={"invalid_choice": "There is no tool “%(value)s” on this server."},
    )
    allowed_origins = LinesField(
        help_text="Web pages elsewhere that may call it: https://example.org, one a line; * is every page.",
        widget=forms.Textarea(attrs={"rows": 2}),
    )
    rate_limit_requests = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=1_000_000,
        label="Most requests",
        help_text="Of one address. Empty: no limit of its own.",
    )
    rate_limit_window_s = forms.IntegerField(
        required=False, min_value=1, max_value=DAY_S, label="In how many seconds", help_text="60 if empty."
    )

    class Meta:
        model = Flow
        fields = (
            "name",
            "model",
            "system_prompt",
            "starter_prompts",
            "collection",
            "tools",
            "requires_key",
            "allowed_origins",
            "rate_limit_requests",
            "rate_limit_window_s",
        )
        labels = {"requires_key": "Programs need an API key", "collection": "Documents"}
        error_messages = {"name": {"unique": "Another flow has this name already."}}

    def __init__(self, *args: Any, models: Sequence[str], tools: Sequence[str], **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["collection"].queryset = Collection.objects.named()  # type: ignore[attr-defined]
        self.fields["collection"].empty_label = "None"  # type: ignore[attr-defined]
        Flow.objects.default()  # it takes its name before another flow can
        self._offer_models(models)
        kept = self.instance.tools or []  # tools that are switched off for now stay chosen
        self.fields["tools"].choices = [(name, name) for name in dict.fromkeys([*tools, *kept])]  # type: ignore[attr-defined]
        self.initial["all_tools"] = self.instance.tools is None
        self.initial.update(self.instance.params)

    def clean_starter_prompts(self) -> list[str]:
        """Raises: ValidationError for too many, or a too long one."""
        prompts = [line.strip() for line in self.cleaned_data["starter_prompts"]]
        if len(prompts) > MAX_STARTERS:
            raise ValidationError(f"At most {MAX_STARTERS} starter prompts; these are {len(prompts)}.")
        if any(len(prompt) > STARTER_MAX_CHARS for prompt in prompts):
            raise ValidationError(f"A starter prompt has at most {STARTER_MAX_CHARS} characters.")
        return prompts

    def clean_allowed_origins(self) -> list[str]:
        """Raises: ValidationError naming the first that is no origin."""
        origins = [line.strip() for line in self.cleaned_data["allowed_origins"]]
        if len(origins) > MAX_ORIGINS:
            raise ValidationError(f"At most {MAX_ORIGINS} origins; these are {len(origins)}.")
        return list(dict.fromkeys(_checked_origin(origin) for origin in origins))

    def clean_rate_limit_window_s(self) -> int:
        """A minute when it is left empty."""
        return self.cleaned_data["rate_limit_window_s"] or DEFAULT_WINDOW_S

    def clean(self) -> dict[str, Any]:
        """`tools` becomes None for every tool."""
        super().clean()
        if self.cleaned_data.get("all_tools"):
            self.cleaned_data["tools"] = None
        return self.cleaned_data

    def save(self, commit: bool = True) -> Flow:  # noqa: FBT001, FBT002  (Django's signature)
        """Store the flow."""
        self.instance.params = self.changed_sampling
        flow: Flow = super().save(commit)
        return flow

    def _offer_models(self, models: Sequence[str]) -> None:
        choices = [("", "The default model"), *((name, name) for name in models)]
        if (now := self.instance.model) and now not in models:  # its file may come back
            choices.append((now, f"{now} (missing)"))
        self.fields["model"].choices = choices  # type: ignore[attr-defined]


def _checked_origin(text: str) -> str:
    """The origin as browsers send it. Raises: ValidationError."""
    if text == "*":
        return text
    origin = text.lower()
    found = _ORIGIN.fullmatch(origin)
    if found is None or int(found["port"] or 0) > 65_535:
        raise ValidationError(f"“{text[:80]}” is no origin: write scheme://host or scheme://host:port, or *.")
    return origin.removesuffix(_DEFAULT_PORTS.get(origin.partition("://")[0], "\n"))
