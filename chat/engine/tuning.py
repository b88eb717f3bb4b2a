"""Finds the settings that suit this processor and this model: measured once, then remembered in a file.

Which is faster, flash attention or the plain one, 8-bit or 16-bit keys, weights as they stand in the file or copied
into the processor's own layout, differs from processor to processor by a factor of two (llama.cpp #27086).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import platform
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from chat.domain.errors import OutOfMemory
from chat.engine.backend import BatchAborted, Chunk
from chat.engine.config import MIB, EngineConfig
from chat.engine.gguf import GgufMetadata
from chat.engine.llama_backend import LlamaBackend
from chat.engine.llama_context import VALUE_TYPES, ComputeSettings, default_settings, open_context
from chat.engine.llama_library import library, may_repack, open_model, thread_count
from chat.engine.memory import machine_memory
from chat.engine.threads import ThreadGovernor

logger = logging.getLogger(__name__)

# Smaller models are fast enough with any settings, and their start shall be instant.
MIN_MODEL_BYTES = 50 * MIB
MAX_TUNING_S = 12.0
MAX_ROUNDS = 2
DEPTH_TOKENS = 256
CHUNK_TOKENS = 64
NUM_WRITING_STEPS = 4
NUM_TOGETHER = 4
CONTEXT_TOKENS = DEPTH_TOKENS + 2 * NUM_WRITING_STEPS
# Another setting has to be clearly better than the default: measurements are noisy, and flash attention on a processor
# loses behind thousands of tokens what it wins behind a few.
CLEARLY_BETTER = 0.9
# Of the free memory, for the weights in both layouts at once.
MAX_MEMORY_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds for a prompt token, and for a step of one reply and of `NUM_TOGETHER`."""

    prompt_token_s: float
    alone_s: float
    together_s: float

    def best_of(self, other: Pace) -> Pace:
        """The faster of both in each respect."""
        return Pace(
            min(self.prompt_token_s, other.prompt_token_s),
            min(self.alone_s, other.alone_s),
            min(self.together_s, other.together_s),
        )

    def cost_beside(self, default: Pace) -> float:
        """1 for as fast as the default, less for faster."""
        return (
            0.3 * self.prompt_token_s / default.prompt_token_s
            + 0.4 * self.alone_s / default.alone_s
            + 0.3 * self.together_s / default.together_s
        )


def tuned_settings(path: Path, metadata: GgufMetadata, config: EngineConfig) -> ComputeSettings | None:
    """The remembered choice, else a new one, which loads the model and takes up to twelve seconds.

    None where that is not worth it, or did not come to an end: the defaults are good.
    Raises: ModelError when the model cannot be loaded.
    """
    if (kept_at := _path_of(metadata, config)) is None:
        return None
    if remembered := _read(kept_at):
        return remembered
    try:
        chosen = _choose(path, metadata, config)
    except BatchAborted:  # too slow to tell now: the next start tries again
        return None
    _write(kept_at, chosen)
    return chosen


def remembered_settings(metadata: GgufMetadata, config: EngineConfig) -> ComputeSettings | None:
    """The choice of an earlier start; None where there is none."""
    path = _path_of(metadata, config)
    return _read(path) if path else None


def _path_of(metadata: GgufMetadata, config: EngineConfig) -> Path | None:
    """Where the choice is kept; None where choosing is not worth it."""
    if config.cache_dir is None or config.gpu_layers or metadata.size_bytes < MIN_MODEL_BYTES:
        return None
    return config.cache_dir / f"settings-{_fingerprint(metadata, config)}.json"


def _choose(path: Path, metadata: GgufMetadata, config: EngineConfig) -> ComputeSettings:
    """The fastest of all candidates. Raises: BatchAborted when there was no time to measure each of them once."""
    with contextlib.ExitStack() as opened:
        paces = _measure_in_turns(_candidates(path, metadata, config, opened))
    default = next(iter(paces))
    costs = {settings: pace.cost_beside(paces[default]) for settings, pace in paces.items()}
    costs[default] = CLEARLY_BETTER
    chosen = min(costs, key=lambda settings: costs[settings])
    logger.info("Settings chosen: %s of %s.", chosen, costs)
    return chosen


def _candidates(
    path: Path, metadata: GgufMetadata, config: EngineConfig, opened: contextlib.ExitStack
) -> dict[ComputeSettings, LlamaBackend]:
    """A small context for each; the default comes first. Weights in both layouts only where there is room enough."""
    layouts = [may_repack(config)]
    if layouts[0] and 2 * metadata.size_bytes < MAX_MEMORY_SHARE * machine_memory().free_bytes:
        layouts.append(False)
    backends: dict[ComputeSettings, LlamaBackend] = {}
    for is_repacked in layouts:
        model = opened.enter_context(_weights(path, replace(config, use_extra_bufts=is_repacked)))
        plain = replace(default_settings(model), is_repacked=is_repacked)
        for settings in (plain, replace(plain, has_flash_attention=True, key_type="f16")):
            with contextlib.suppress(OutOfMemory):  # not every architecture takes every setting
                backends[settings] = opened.enter_context(_small_context(model, config, settings))
    if not backends:
        raise BatchAborted
    return backends


@contextlib.contextmanager
def _weights(path: Path, config: EngineConfig) -> Iterator[Any]:
    model = open_model(path, config)
    try:
        yield model
    finally:
        library.llama_model_free(model)


@contextlib.contextmanager
def _small_context(model: Any, config: EngineConfig, settings: ComputeSettings) -> Iterator[LlamaBackend]:
    context = open_context(model, replace(config, num_slots=NUM_TOGETHER), CONTEXT_TOKENS, settings)
    try:
        threads = ThreadGovernor(thread_count(config))
        yield LlamaBackend(model, context, threads, context_tokens=CONTEXT_TOKENS)
    finally:
        library.llama_free(context)


def _measure_in_turns(backends: dict[ComputeSettings, LlamaBackend]) -> dict[ComputeSettings, Pace]:
    """The best of each over some rounds: whatever else runs on the machine only ever makes it slower.

    Raises: BatchAborted when one takes more than its share of the time: the machine is busy, or too slow.
    """
    paces: dict[ComputeSettings, Pace] = {}
    started_at = time.monotonic()
    for number in range(1, MAX_ROUNDS + 1):
        for settings, backend in backends.items():
            pace = _measure(backend, MAX_TUNING_S / len(backends))
            paces[settings] = pace.best_of(paces.get(settings, pace))
        elapsed_s = time.monotonic() - started_at
        if elapsed_s + elapsed_s / number > MAX_TUNING_S:
            break
    return paces


def _measure(backend: LlamaBackend, limit_s: float) -> Pace:
    """One round. Raises: BatchAborted when the time is over."""
    timer = threading.Timer(limit_s, backend.interrupt)
    timer.start()
    try:
        for slot in range(NUM_TOGETHER):
            backend.drop_tail(slot, 0)
        prompt_s = [_read_chunk(backend, start) for start in range(0, DEPTH_TOKENS, CHUNK_TOKENS)]
        state = backend.copy_state(0)
        for slot in range(1, NUM_TOGETHER):
            backend.restore_state(slot, state)
        steps = range(DEPTH_TOKENS, DEPTH_TOKENS + NUM_WRITING_STEPS)
        together_s = [_write_tokens(backend, NUM_TOGETHER, position) for position in steps]
        alone_s = [_write_tokens(backend, 1, position + NUM_WRITING_STEPS) for position in steps]
    finally:
        timer.cancel()
    return Pace(min(prompt_s) / CHUNK_TOKENS, min(alone_s), min(together_s))


def _read_chunk(backend: LlamaBackend, start: int) -> float:
    return _time(backend, [Chunk(0, start, [0] * CHUNK_TOKENS, wants_logits=False)])


def _write_tokens(backend: LlamaBackend, num_replies: int, position: int) -> float:
    return _time(backend, [Chunk(slot, position, [0], wants_logits=True) for slot in range(num_replies)])


def _time(backend: LlamaBackend, chunks: list[Chunk]) -> float:
    started_at = time.perf_counter()
    backend.decode(chunks)
    return time.perf_counter() - started_at


def _fingerprint(metadata: GgufMetadata, config: EngineConfig) -> str:
    """The same for the same file on the same processor with the same library."""
    status = metadata.path.stat()
    system = bytes(library.llama_print_system_info()).decode()
    parts = (
        metadata.path.name,
        status.st_size,
        status.st_mtime_ns,
        _processor(),
        system,
        thread_count(config),
    )
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor()
    return next((line for line in lines if line.startswith("model name")), platform.processor())


def _read(path: Path) -> ComputeSettings | None:
    """What was remembered; None when nothing was, or it cannot be read: measuring again is cheap."""
    try:
        settings = ComputeSettings(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        return None
    return settings if {settings.key_type, settings.value_type} <= VALUE_TYPES.keys() else None


def _write(path: Path, settings: ComputeSettings) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(settings)))
    except OSError as error:
        logger.warning("The choice of settings cannot be kept: %s", error)
