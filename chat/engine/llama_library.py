"""The one importer of llama.cpp: its functions, its log, and a model file opened with errors for people.

llama.cpp aborts the process on some files and on some misuse; nothing here can catch that. `process.py` can.
"""

from __future__ import annotations

import ctypes
import json
import math
import os
import sys
from collections import deque
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from llama_cpp import llama_cpp as library

from chat.domain.errors import EngineFailed, ModelError, ModelUnreadable, ModelUnsupported, OutOfMemory
from chat.engine.config import EngineConfig

__all__ = [
    "abort_flag",
    "is_null",
    "library",
    "load_weights",
    "log",
    "open_model",
    "pointer_to",
    "thread_count",
    "tokenize",
    "without_missing_gpu",
]

_LOG_LEVEL_ERROR = 4
_LOG_LINES = 20
_SELF_TEST_FILE = "parley-native.json"


class LibraryLog:
    """The last errors that llama.cpp wrote; all else that it writes, thousands of lines, is dropped."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque(maxlen=_LOG_LINES)
        # The library keeps a bare pointer: the callback lives as long as this object, which is a module global.
        self.callback = library.llama_log_callback(self._keep)
        library.llama_log_set(self.callback, ctypes.c_void_p(0))

    def text(self) -> str:
        """The kept lines, oldest first."""
        return " ".join(self._lines)

    def clear(self) -> None:
        """Forget them."""
        self._lines.clear()

    def _keep(self, level: int, text: bytes, _user_data: object) -> None:
        if level == _LOG_LEVEL_ERROR:
            self._lines.append(text.decode("utf-8", "replace").strip())


log = LibraryLog()
library.llama_backend_init()


def open_model(path: Path, config: EngineConfig) -> Any:
    """Load the weights of a model that writes and return llama.cpp's handle of it.

    Raises: ModelUnsupported, ModelUnreadable or OutOfMemory naming the file.
    """
    model = load_weights(path, config)
    if library.llama_model_has_encoder(model) or library.llama_model_is_diffusion(model):
        library.llama_model_free(model)
        raise ModelUnsupported(f"{path.name} does not write text word by word.")
    return model


def load_weights(path: Path, config: EngineConfig) -> Any:
    """The same for a model of any kind."""
    params = library.llama_model_default_params()
    params.n_gpu_layers = config.gpu_layers
    params.use_extra_bufts = may_repack(config)
    log.clear()
    model = library.llama_model_load_from_file(os.fsencode(path), params)
    if is_null(model):
        raise _load_error(path.name, log.text())
    return model


def may_repack(config: EngineConfig) -> bool:
    """Whether weights may be copied into the processor's own layout (AMX, repacking), which is faster but can crash.

    Set-up tried it in a child process and left its finding beside the interpreter.
    """
    if config.use_extra_bufts is not None:
        return config.use_extra_bufts
    try:
        finding = json.loads((Path(sys.prefix) / _SELF_TEST_FILE).read_text())
    except (OSError, ValueError):
        return True
    return bool(finding.get("use_extra_bufts", True))


def _load_error(name: str, reason: str) -> ModelError:
    if "unknown model architecture" in reason or "unknown pre-tokenizer" in reason:
        return ModelUnsupported(f"{name} is of a kind that this version of llama.cpp does not know.")
    if "unable to allocate" in reason or "failed to allocate" in reason:
        return OutOfMemory(f"{name} does not fit into memory.")
    return ModelUnreadable(f"{name} cannot be loaded: the file is damaged or incomplete.")


def is_null(handle: Any) -> bool:
    """True for a NULL result: ctypes wraps it into an object that is not None."""
    return not handle


def without_missing_gpu(config: EngineConfig) -> EngineConfig:
    """The same with no layers for a graphics processor where llama.cpp has none: what suits one is slow elsewhere."""
    return config if library.llama_supports_gpu_offload() else replace(config, gpu_layers=0)


def thread_count(config: EngineConfig) -> int:
    """All cores that this process may use, unless the configuration names a number."""
    return config.num_threads or min(_num_cores(), _core_quota())


def _num_cores() -> int:
    affinity = getattr(os, "sched_getaffinity", None)  # macOS has none
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def _core_quota() -> int:
    """What a container may use: more threads than that would spin away each other's time."""
    try:
        quota_us, period_us = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        return max(1, math.ceil(int(quota_us) / int(period_us)))
    except (OSError, ValueError):  # no such group, or "max": unlimited
        return sys.maxsize


def pointer_to(array: np.ndarray[Any, Any], kind: Any) -> Any:
    """A C pointer to the array's memory. The caller keeps the array alive: ctypes does not."""
    return array.ctypes.data_as(ctypes.POINTER(kind))


def tokenize(vocab: Any, text: str, *, add_special: bool, parse_special: bool) -> list[int]:
    """The tokens of `text`. `add_special` adds what the vocabulary puts around a text, `parse_special` takes the
    spellings of special tokens for the tokens.

    Raises: EngineFailed.
    """
    encoded = text.encode("utf-8", "replace")
    tokens = np.empty(len(encoded) + 8, dtype=np.int32)
    pointer = pointer_to(tokens, ctypes.c_int32)
    count = library.llama_tokenize(
        vocab, encoded, len(encoded), pointer, len(tokens), add_special, parse_special
    )
    if count < 0:
        raise EngineFailed("The prompt cannot be split into tokens.")
    return [int(token) for token in tokens[:count]]


def abort_flag() -> tuple[ctypes.Array[ctypes.c_char], Any]:
    """A flag that stops a running decode when its first byte is not 0, and the callback that reads it.

    llama.cpp asks the callback before each of several hundred graph nodes. A Python callback would take the GIL each
    time; C's strlen on the flag answers the same question: 0 for an empty string, 1 for a string of one byte.
    """
    flag = ctypes.create_string_buffer(2)
    strlen = ctypes.cast(ctypes.CDLL(None).strlen, ctypes.c_void_p).value
    return flag, library.ggml_abort_callback(strlen)
