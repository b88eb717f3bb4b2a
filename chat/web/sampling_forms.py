"""The fields by which people set how the next word is chosen, in the forms of flows and of single chats."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms

from chat.domain.errors import InvalidInput
from chat.domain.params import USUAL_FIELDS, SamplingParams
from chat.models.flow import changed_params

RARE_FIELDS = (
    "repeat_last_n",
    "typical_p",
    "top_n_sigma",
    "dry_multiplier",
    "dry_base",
    "dry_allowed_length",
    "xtc_probability",
    "xtc_threshold",
    "dynatemp_range",
    "dynatemp_exponent",
    "mirostat",
    "mirostat_tau",
    "mirostat_eta",
    "adaptive_target",
    "adaptive_decay",
)
SAMPLING_FIELDS = USUAL_FIELDS + RARE_FIELDS


class LinesField(forms.CharField):
    """A list of strings, one in each line; empty lines do not count."""

    widget = forms.Textarea

    def __init__(self, **options: Any) -> None:
        super().__init__(required=False, strip=False, **options)

    def prepare_value(self, value: Any) -> Any:
        """A stored list as lines."""
        return "\n".join(value) if isinstance(value, list) else value

    def clean(self, value: Any) -> list[str]:
        """The lines as a list."""
        text = super().clean(value).replace("\r\n", "\n")
        return [line for line in text.split("\n") if line.strip()]


def _number(label: str, help_text: str) -> forms.FloatField:
    return forms.FloatField(
        label=label,
        required=False,
        help_text=help_text,
        widget=forms.NumberInput(attrs={"step": "any"}),
        error_messages={"invalid": f"{label} must be a number."},
    )


def _whole(label: str, help_text: str) -> forms.IntegerField:
    return forms.IntegerField(
        label=label,
        required=False,
        help_text=help_text,
        error_messages={"invalid": f"{label} must be a whole number."},
    )


class SamplingFields(forms.Form):
    """One field for each parameter; an empty one means what is set elsewhere."""

    temperature = _number("Temperature", "0 to 2. 0: always the likeliest word.")
    top_k = _whole("Top k", "0: all.")
    top_p = _number("Top p", "0 to 1.")
    min_p = _number("Min p", "0 to 1.")
    repeat_penalty = _number("Repeat penalty", "0.5 to 2. 1: none.")
    frequency_penalty = _number("Frequency penalty", "−2 to 2. 0: none.")
    presence_penalty = _number("Presence penalty", "−2 to 2. 0: none.")
    max_tokens = _whole("Max tokens", "Of one answer.")
    seed = _whole("Seed", "The same seed, the same answer.")
    repeat_last_n = _whole("Look back", "0 to 2048 tokens, for penalties and DRY.")
    typical_p = _number("Typical p", "0 to 1. 1: off.")
    top_n_sigma = _number("Top n sigma", "0 to 10. 0: off.")
    dry_multiplier = _number("DRY multiplier", "0 to 10. 0: off. Against repeated phrases.")
    dry_base = _number("DRY base", "1 to 10.")
    dry_allowed_length = _whole("DRY allowed length", "Tokens that may be repeated.")
    xtc_probability = _number("XTC probability", "0 to 1. 0: off. Leaves out the likeliest words.")
    xtc_threshold = _number("XTC threshold", "0 to 1. Above 0.5: off.")
    dynatemp_range = _number("Dynamic temperature range", "0 to 2. 0: off.")
    dynatemp_exponent = _number("Dynamic temperature exponent", "0 to 10.")
    mirostat = _whole("Mirostat", "0: off, or version 1 or 2, instead of top k to XTC.")
    mirostat_tau = _number("Mirostat tau", "0 to 20. The surprise aimed at.")
    mirostat_eta = _number("Mirostat eta", "0 to 1. How fast it learns.")
    adaptive_target = _number("Adaptive target", "−1 to 1. Below 0: off. The probability aimed at.")
    adaptive_decay = _number("Adaptive decay", "0 to 0.99.")
    stop = LinesField(
        label="Stop strings",
        help_text="One a line; the answer ends before them.",
        widget=forms.Textarea(attrs={"rows": 2}),
    )

    @property
    def sampling(self) -> list[forms.BoundField]:
        """The fields that most people know, for the page."""
        return [self[name] for name in USUAL_FIELDS]

    @property
    def rare_sampling(self) -> list[forms.BoundField]:
        """All the others."""
        return [self[name] for name in RARE_FIELDS]

    @property
    def has_sampling(self) -> bool:
        """Whether one of them is set or wrong, so that the page shows them."""
        return self.has_rare_sampling or any(map(_is_used, self.sampling))

    @property
    def has_rare_sampling(self) -> bool:
        """The same of the others."""
        return any(map(_is_used, self.rare_sampling))

    @property
    def changed_sampling(self) -> dict[str, Any]:
        """What was set, JSON-ready, once the form is valid."""
        return self._sampling_in(SAMPLING_FIELDS)

    def clean(self) -> dict[str, Any] | None:
        """Whether each value is in its bounds."""
        cleaned = super().clean()
        for name in SAMPLING_FIELDS:
            try:
                changed_params(SamplingParams(), self._sampling_in([name]))
            except InvalidInput as exc:
                self.add_error(name, exc.message)
        return cleaned

    def _sampling_in(self, names: Iterable[str]) -> dict[str, Any]:
        given = {name: self.cleaned_data.get(name) for name in names}
        return {name: value for name, value in given.items() if value not in (None, [])}


def _is_used(field: forms.BoundField) -> bool:
    return field.value() not in (None, "", []) or bool(field.errors)
