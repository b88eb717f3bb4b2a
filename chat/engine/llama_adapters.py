"""LoRA adapters in a llama.cpp context: loaded when they are first used, then exchanged between two steps."""

from __future__ import annotations

import ctypes
import os
from typing import Any

from chat.domain.errors import EngineFailed, ModelUnreadable
from chat.domain.params import AdapterFile
from chat.engine.llama_library import is_null, library, log


class LlamaAdapters:
    """Those of one model. They stay loaded as long as the model: llama.cpp frees them with it."""

    def __init__(self, model: Any, context: Any) -> None:
        self._model = model
        self._context = context
        self._loaded: dict[AdapterFile, Any] = {}
        self._current: AdapterFile | None = None

    def use(self, adapter: AdapterFile | None) -> None:
        """Compute with it from now on. Raises: ModelUnreadable; EngineFailed; the one before stays then."""
        if adapter == self._current:
            return
        handles = [] if adapter is None else [self._handle(adapter)]
        num = len(handles)
        adapters = (library.llama_adapter_lora_p_ctypes * num)(*handles)
        scales = (ctypes.c_float * num)(*[1.0] * num)
        if library.llama_set_adapters_lora(self._context, adapters, num, scales) != 0:
            raise EngineFailed("llama.cpp refused an adapter.")
        self._current = adapter

    def _handle(self, adapter: AdapterFile) -> Any:
        if adapter not in self._loaded:
            log.clear()
            handle = library.llama_adapter_lora_init(self._model, os.fsencode(adapter.path))
            if is_null(handle):
                raise ModelUnreadable(
                    f"The adapter {adapter.path.name} cannot be used with this model: {_reason()}.",
                    hint="Choose the model without it, or get the file again.",
                )
            self._loaded[adapter] = handle
        return self._loaded[adapter]


def _reason() -> str:
    """What llama.cpp wrote: "function: failed to apply lora adapter: reason (hint: ...)"."""
    said = log.text().rpartition("failed to apply lora adapter: ")[2]
    return said.partition(" (hint")[0].strip() or "the file cannot be read"
