"""The doctor's child: loads llama.cpp and a model as an engine would, measures, and prints a finding after each step.

Run as `python -m chat.ops.doctor.child` with a packed `LoadModel` as standard input. A broken build or model ends it
with a signal; what it printed until then still counts.
"""

from __future__ import annotations

import importlib.metadata
import os
import statistics
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from chat.domain.errors import ChatError
from chat.engine.backend import Backend, BatchAborted, Chunk
from chat.engine.config import EngineConfig
from chat.engine.gguf import read_metadata
from chat.engine.llama_context import ComputeSettings
from chat.engine.llama_library import library, thread_count, without_missing_gpu
from chat.engine.loading import load_model
from chat.engine.tuning import MIN_MODEL_BYTES, remembered_settings
from chat.engine.wire import LoadModel, unpack
from chat.ops.doctor.findings import (
    BandwidthFound,
    FailureFound,
    Finding,
    LibraryFound,
    ModelFound,
    SpeedFound,
    line_of,
)

# More than the caches of most processors, and little enough for a small machine.
READ_BYTES = 256 * 2**20
NUM_READS = 5

DEPTH_TOKENS = 256
CHUNK_TOKENS = 128
# The number of threads is chosen by trying: the first steps are trials.
NUM_TRIAL_STEPS = 12
MAX_STEPS = 120
MAX_WRITING_S = 3.0


def main() -> None:
    """Print the findings; a model that cannot be used is one of them."""
    command = unpack(sys.stdin.buffer.read())
    if not isinstance(command, LoadModel):
        sys.exit("The doctor's child wants a LoadModel.")
    try:
        for finding in examine(command.path, without_missing_gpu(command.config)):
            print(line_of(finding), flush=True)  # noqa: T201 - the pipe to the parent
    except ChatError as error:
        print(line_of(FailureFound(error.message, error.hint)), flush=True)  # noqa: T201


def examine(path: Path, config: EngineConfig) -> Iterator[Finding]:
    """Step by step. Raises: ChatError when the model cannot be used."""
    yield LibraryFound(
        version=importlib.metadata.version("llama-cpp-python"),
        folder=os.environ.get("LLAMA_CPP_LIB_PATH") or str(Path(library.__file__).parent / "lib"),
        system_info=bytes(library.llama_print_system_info()).decode(),
        can_use_gpu=bool(library.llama_supports_gpu_offload()),
    )
    yield BandwidthFound(read_bandwidth(thread_count(config)))
    metadata = read_metadata(path)
    remembered = remembered_settings(metadata, config)
    started_at = time.monotonic()
    backend = load_model(path, config).backend
    load_s = time.monotonic() - started_at
    if remembered:
        attention = f"{words_of(remembered)} (remembered)"
    elif chosen := remembered_settings(metadata, config):
        attention = f"{words_of(chosen)} (measured now, and kept)"
    else:
        attention = default_words(config, metadata.size_bytes)
    yield ModelFound(load_s, attention, bool(config.gpu_layers), thread_count(config))
    yield measure_speed(backend)


def read_bandwidth(num_threads: int) -> float:
    """Bytes per second that so many threads read together: the best of some tries."""
    parts = np.array_split(np.ones(READ_BYTES // 4, dtype=np.float32), num_threads)
    best_s = float("inf")
    with ThreadPoolExecutor(num_threads) as threads:
        for _ in range(NUM_READS):
            started_at = time.perf_counter()
            list(threads.map(np.max, parts))  # numpy lets the other threads run meanwhile
            best_s = min(best_s, time.perf_counter() - started_at)
    return READ_BYTES / best_s


def measure_speed(backend: Backend) -> SpeedFound:
    """One answer alone: a prompt, then tokens behind it."""
    depth = min(DEPTH_TOKENS, backend.context_tokens // 2)
    prompt_s = [_read_prompt(backend, depth) for _ in range(2)]  # the first one reads the weights in, too
    step_s: list[float] = []
    started_at, position = time.monotonic(), depth
    while position < min(depth + MAX_STEPS, backend.context_tokens):
        if len(step_s) > NUM_TRIAL_STEPS and time.monotonic() - started_at > MAX_WRITING_S:
            break
        step_s.append(_decode(backend, position, num_tokens=1))
        position += 1
    settled = step_s[NUM_TRIAL_STEPS:] or step_s
    return SpeedFound(depth / min(prompt_s), 1 / statistics.median(settled), depth)


def _read_prompt(backend: Backend, num_tokens: int) -> float:
    """Seconds for a prompt in an empty slot."""
    backend.drop_tail(0, 0)
    return sum(
        _decode(backend, start, min(CHUNK_TOKENS, num_tokens - start))
        for start in range(0, num_tokens, CHUNK_TOKENS)
    )


def _decode(backend: Backend, start: int, num_tokens: int) -> float:
    """Seconds for a step; one that was broken off, a trial of another number of threads, is made again."""
    while True:
        started_at = time.perf_counter()
        try:
            backend.decode([Chunk(0, start, [0] * num_tokens, wants_logits=True)])
        except BatchAborted:
            backend.drop_tail(0, start)
            continue
        return time.perf_counter() - started_at


def words_of(settings: ComputeSettings) -> str:
    """The settings as a person says them."""
    flash = "on" if settings.has_flash_attention else "off"
    weights = "copied for this processor" if settings.is_repacked else "as in the file"
    return (
        f"flash attention {flash}, keys {settings.key_type}, values {settings.value_type}, weights {weights}"
    )


def default_words(config: EngineConfig, size_bytes: int) -> str:
    """Why nothing was chosen."""
    if config.gpu_layers:
        return "left to llama.cpp, as always with a graphics processor"
    if size_bytes < MIN_MODEL_BYTES:
        return f"flash attention off (the default; models under {MIN_MODEL_BYTES // 2**20} MiB are fast with any)"
    return "flash attention off (the default; measuring took too long, the next start tries again)"


if __name__ == "__main__":
    main()
