"""A model as those see it who ask it: by its name, whatever engine runs it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from chat.domain.params import GenerationRequest
from chat.engine.pieces import EngineStatus, Generation
from chat.engine.prompt_trace import PromptSpan

if TYPE_CHECKING:
    from chat.engine.registry import ModelRegistry


class NamedEngine:
    """An `Engine` by the name of its model, whatever engine runs that model at the moment.

    A run holds it through minutes of tool calls; unloading the model meanwhile does it no harm.
    """

    def __init__(self, registry: ModelRegistry, name: str) -> None:
        self._registry = registry
        self._name = name

    def submit(self, request: GenerationRequest) -> Generation:
        """See `Engine.submit`."""
        return self._registry.submit(self._name, request)

    def count_tokens(self, request: GenerationRequest) -> int:
        """See `Engine.count_tokens`."""
        return self._registry.engine_now(self._name).count_tokens(request)

    def trace_prompt(self, request: GenerationRequest) -> tuple[PromptSpan, ...]:
        """See `Engine.trace_prompt`."""
        return self._registry.engine_now(self._name).trace_prompt(request)

    def status(self) -> EngineStatus:
        """See `Engine.status`; the model has the name that was asked for, with its adapter."""
        return replace(self._registry.engine_now(self._name).status(), model=self._name)

    def close(self) -> None:
        """The registry ends engines; who borrowed one does not."""
