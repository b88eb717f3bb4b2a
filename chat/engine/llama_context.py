"""Opens a llama.cpp context: split KV memory, all cores, and the attention settings that suit the processor."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chat.domain.errors import OutOfMemory
from chat.engine.config import EngineConfig
from chat.engine.gguf import GgufMetadata
from chat.engine.llama_library import is_null, library, log, thread_count

DEFAULT_CONTEXT_TOKENS = 8192
MIN_CONTEXT_TOKENS = 256
MAX_BATCH_TOKENS = 512
# Prefill is no faster with larger ones on a CPU, and each doubling doubles the compute buffers.
CPU_UBATCH_TOKENS = 128
# Of the memory that is free now; the rest is for the computation, the prefix cache and everybody else.
KV_MEMORY_SHARE = 0.4

_FLASH_ATTENTION_AUTO, _FLASH_ATTENTION_OFF, _FLASH_ATTENTION_ON = -1, 0, 1
VALUE_TYPES = {"f16": 1, "q8_0": 8}
_Q8_BLOCK = 32


@dataclass(frozen=True, slots=True)
class AttentionSettings:
    """How attention is computed and kept. A quantized V needs flash attention."""

    has_flash_attention: bool
    key_type: str
    value_type: str


PLAIN_SETTINGS = AttentionSettings(has_flash_attention=False, key_type="f16", value_type="f16")


def default_settings(model: Any) -> AttentionSettings:
    """Flash attention off and 8-bit keys: 2.5 times the speed of llama.cpp's defaults at depth 1024 on a CPU.

    Keys stay at 16 bits where a head is no whole number of 8-bit blocks.
    """
    key_type = "q8_0" if head_size(model) % _Q8_BLOCK == 0 else "f16"
    return AttentionSettings(has_flash_attention=False, key_type=key_type, value_type="f16")


def head_size(model: Any) -> int:
    """Width of one attention head, the same for all layers of nearly all models."""
    return int(library.llama_model_n_embd(model)) // max(1, int(library.llama_model_n_head(model)))


def tokens_per_slot(metadata: GgufMetadata, config: EngineConfig) -> int:
    """The context that each slot gets: what was asked for, bounded by the model and by memory."""
    wanted = config.context_tokens or DEFAULT_CONTEXT_TOKENS
    wanted = min(wanted, metadata.context_tokens or wanted)
    budget_bytes = min(config.kv_cache_bytes, int(_free_memory_bytes() * KV_MEMORY_SHARE))
    bytes_per_token = config.num_slots * metadata.kv_bytes_per_token
    affordable = budget_bytes // bytes_per_token if bytes_per_token else wanted
    return max(min(MIN_CONTEXT_TOKENS, wanted), min(wanted, affordable))


def open_context(model: Any, config: EngineConfig, num_tokens: int, settings: AttentionSettings) -> Any:
    """A context of `num_tokens` for each of `num_slots` sequences.

    Raises: OutOfMemory.
    """
    params = library.llama_context_default_params()
    params.n_ctx = num_tokens * config.num_slots
    params.n_seq_max = config.num_slots
    params.kv_unified = False
    params.n_batch = MAX_BATCH_TOKENS
    params.n_ubatch = MAX_BATCH_TOKENS if config.gpu_layers else CPU_UBATCH_TOKENS
    params.n_outputs_max = config.num_slots
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


def _apply(params: Any, settings: AttentionSettings, config: EngineConfig) -> None:
    if config.gpu_layers:
        params.flash_attn_type = _FLASH_ATTENTION_AUTO
        return
    params.flash_attn_type = _FLASH_ATTENTION_ON if settings.has_flash_attention else _FLASH_ATTENTION_OFF
    params.type_k = VALUE_TYPES[settings.key_type]
    params.type_v = VALUE_TYPES[settings.value_type]


def _free_memory_bytes() -> int:
    """What Linux says can be had without swapping; half of all memory elsewhere."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    fields = dict(line.split(":") for line in lines)
    return int(fields["MemAvailable"].split()[0]) * 1024
