"""Opens a llama.cpp context: split KV memory, all cores, and the attention settings that suit the processor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from chat.domain.errors import OutOfMemory
from chat.engine.config import EngineConfig
from chat.engine.llama_library import is_null, library, log, thread_count
from chat.engine.speculation import MAX_ROWS

MAX_BATCH_TOKENS = 512
# Prefill is no faster with larger ones on a CPU, and each doubling doubles the compute buffers.
CPU_UBATCH_TOKENS = 128

_FLASH_ATTENTION_AUTO, _FLASH_ATTENTION_OFF, _FLASH_ATTENTION_ON = -1, 0, 1
VALUE_TYPES = {"f16": 1, "q8_0": 8}
_Q8_BLOCK = 32


@dataclass(frozen=True, slots=True)
class ComputeSettings:
    """How attention is computed and kept, and whether the weights are copied into the processor's own layout.

    A quantized V needs flash attention.
    """

    has_flash_attention: bool
    key_type: str
    value_type: str
    is_repacked: bool = True


PLAIN_SETTINGS = ComputeSettings(has_flash_attention=False, key_type="f16", value_type="f16")


def default_settings(model: Any) -> ComputeSettings:
    """Flash attention off and 8-bit keys: 2.5 times the speed of llama.cpp's defaults at depth 1024 on a CPU.

    Keys stay at 16 bits where a head is no whole number of 8-bit blocks.
    """
    key_type = "q8_0" if head_size(model) % _Q8_BLOCK == 0 else "f16"
    return ComputeSettings(has_flash_attention=False, key_type=key_type, value_type="f16")


def head_size(model: Any) -> int:
    """Width of one attention head, the same for all layers of nearly all models."""
    return int(library.llama_model_n_embd(model)) // max(1, int(library.llama_model_n_head(model)))


def open_context(model: Any, config: EngineConfig, num_tokens: int, settings: ComputeSettings) -> Any:
    """A context of `num_tokens` for each of `num_slots` sequences.

    Raises: OutOfMemory.
    """
    params = library.llama_context_default_params()
    params.n_ctx = num_tokens * config.num_slots
    params.n_seq_max = config.num_slots
    params.kv_unified = False
    params.n_batch = MAX_BATCH_TOKENS
    # The rows of a picture that look at one another both ways have to be computed together.
    params.n_ubatch = MAX_BATCH_TOKENS if config.gpu_layers or config.projector else CPU_UBATCH_TOKENS
    params.n_outputs_max = max(config.num_slots, MAX_ROWS)
    params.n_threads = params.n_threads_batch = thread_count(config)
    params.no_perf = True
    _apply(params, settings, config)
    log.clear()
    context = library.llama_init_from_model(model, params)
    if is_null(context):
        raise OutOfMemory(
            f"A context of {num_tokens} tokens for {config.num_slots} replies does not fit. {log.text()}"
        )
    return context


def _apply(params: Any, settings: ComputeSettings, config: EngineConfig) -> None:
    if config.gpu_layers:
        params.flash_attn_type = _FLASH_ATTENTION_AUTO
        return
    params.flash_attn_type = _FLASH_ATTENTION_ON if settings.has_flash_attention else _FLASH_ATTENTION_OFF
    params.type_k = VALUE_TYPES[settings.key_type]
    params.type_v = VALUE_TYPES[settings.value_type]
