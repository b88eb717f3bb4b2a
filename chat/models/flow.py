"""Flows: configured assistants. A flow's id is what the prediction API calls a chatflow id."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any

from django.db import models

from chat.domain.params import SamplingParams
from chat.models.conversation import MODEL_MAX_CHARS

NAME_MAX_CHARS = 80
DEFAULT_FLOW_ID = uuid.UUID("7c6f4a52-0d0e-4b57-9a43-6d2f0b7f3c01")


class FlowManager(models.Manager["Flow"]):
    """Flows, and the one that a fresh install has."""

    def default(self) -> Flow:
        """The flow "Parley": the default model, the server's prompt and tools, no key. Made when it is missing."""
        return self.get_or_create(pk=DEFAULT_FLOW_ID, defaults={"name": "Parley"})[0]


class Flow(models.Model):
    """How one assistant answers, and who may ask it from where. Empty fields mean the server's own settings."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=NAME_MAX_CHARS, unique=True)
    model = models.CharField(max_length=MODEL_MAX_CHARS, blank=True, help_text="Empty: the default model.")
    system_prompt = models.TextField(blank=True, help_text="Empty: the server's own prompt.")
    params = models.JSONField(default=dict, blank=True, help_text="Sampling that differs from the server's.")
    tools = models.JSONField(null=True, blank=True, help_text="Names; none at all: every tool of the server.")
    collection = models.ForeignKey(
        "chat.Collection",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        limit_choices_to={"name__isnull": False},
        help_text="Documents that its answers draw on.",
    )
    starter_prompts = models.JSONField(default=list, blank=True)
    allowed_origins = models.JSONField(
        default=list, blank=True, help_text="Web origins whose pages may call it."
    )
    requires_key = models.BooleanField(default=False)
    rate_limit_requests = models.PositiveIntegerField(
        null=True, blank=True, help_text="Per address and window."
    )
    rate_limit_window_s = models.PositiveIntegerField(default=60)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = FlowManager()

    class Meta:
        ordering = ["created_at", "name"]

    def __str__(self) -> str:
        return self.name

    @property
    def is_default(self) -> bool:
        """Whether this is the flow of a fresh install."""
        return self.pk == DEFAULT_FLOW_ID

    def sampling(self, server: SamplingParams) -> SamplingParams:
        """The server's parameters with this flow's changes. Raises: InvalidInput for values out of bounds."""
        return changed_params(server, self.params)


def changed_params(params: SamplingParams, changes: dict[str, Any]) -> SamplingParams:
    """`params` with JSON-ready changes. Raises: InvalidInput for values out of bounds."""
    values = dict(changes)
    if "stop" in values:
        values["stop"] = tuple(values["stop"])
    if "logit_bias" in values:
        values["logit_bias"] = tuple((token, bias) for token, bias in values["logit_bias"])
    return replace(params, **values)
