"""How much memory a model takes, and how much there is: told from a file's header, before anything is loaded.

    needed  = weights + context + room
    weights = the size of the file; llama.cpp maps it, and what it repacks for the processor takes the place of that
    context = slots x tokens of a slot x bytes of a token at 16 bits; keys at 8 bits make it a quarter less
    room    = the process, its vocabulary and what a step computes with

Measured beside the real engine: see `docs/operations.md`. Knows no llama.cpp.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from chat.domain.errors import OutOfMemory
from chat.domain.sizes import size_text
from chat.engine.config import MIB, EngineConfig
from chat.engine.gguf import GgufMetadata

DEFAULT_CONTEXT_TOKENS = 8192
MIN_CONTEXT_TOKENS = 256
# Of the memory that is free now; the rest is for the computation, the prefix cache and everybody else.
KV_MEMORY_SHARE = 0.4

ROOM_BYTES = 120 * MIB
# Of the machine; the rest is for the prefix caches, the documents, the server itself and everybody else.
MODELS_SHARE = 0.75
# The buffers of a step grow with the model's width, as its weights do.
ROOM_SHARE_OF_WEIGHTS = 0.1

_MEMINFO = Path("/proc/meminfo")
_CGROUP = Path("/proc/self/cgroup")
_CGROUPS = Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True)
class MachineMemory:
    """What this process may use: the machine's memory, or the limit of the service or container around it."""

    total_bytes: int
    free_bytes: int


@dataclass(frozen=True, slots=True)
class MemoryNeed:
    """What a model takes when it is loaded. `context_tokens` is for each slot; 0 for what does not chat."""

    weights_bytes: int
    context_bytes: int
    room_bytes: int
    context_tokens: int

    @property
    def total_bytes(self) -> int:
        """All of it."""
        return self.weights_bytes + self.context_bytes + self.room_bytes


@dataclass(frozen=True, slots=True)
class ModelMemory:
    """How much all loaded models together may take, and how they are set up."""

    limit_bytes: int
    config: EngineConfig

    def need_of(self, metadata: GgufMetadata) -> MemoryNeed:
        """The estimate for a model: with the whole context, or as much of it as fits beside the weights."""
        room_for_context = self.limit_bytes - metadata.size_bytes - room_bytes(metadata.size_bytes)
        config = replace(
            self.config, kv_cache_bytes=max(0, min(self.config.kv_cache_bytes, room_for_context))
        )
        return memory_need(metadata, config, self.limit_bytes)

    def check(self, name: str, need: MemoryNeed) -> None:
        """Raises: OutOfMemory with the figures when the model would not fit even alone."""
        if need.total_bytes <= self.limit_bytes:
            return
        raise OutOfMemory(
            f"{name} needs about {size_text(need.total_bytes)} of memory ({size_text(need.weights_bytes)} for its"
            f" weights, {size_text(need.context_bytes)} for conversations, {size_text(need.room_bytes)} to compute"
            f" with); models may take {size_text(self.limit_bytes)}.",
            hint="Choose a smaller quantisation, lower PARLEY_CONTEXT_TOKENS or PARLEY_SLOTS, or raise"
            " PARLEY_MODEL_MEMORY.",
        )


def models_share(memory: MachineMemory) -> int:
    """What models may take where no setting says so."""
    return int(memory.total_bytes * MODELS_SHARE)


def memory_need(metadata: GgufMetadata, config: EngineConfig, free_bytes: int) -> MemoryNeed:
    """The estimate for a model that would be loaded when so much is free."""
    weights_bytes = metadata.size_bytes
    context_tokens = context_bytes = 0
    if metadata.purpose == "chat":
        context_tokens = tokens_per_slot(metadata, config, free_bytes)
        context_bytes = config.num_slots * context_tokens * metadata.kv_bytes_per_token
    # An adapter computes in the room of its model.
    room = 0 if metadata.purpose == "adapter" else room_bytes(weights_bytes)
    return MemoryNeed(weights_bytes, context_bytes, room, context_tokens)


def room_bytes(weights_bytes: int) -> int:
    """What a model of this size computes with."""
    return ROOM_BYTES + int(weights_bytes * ROOM_SHARE_OF_WEIGHTS)


def tokens_per_slot(metadata: GgufMetadata, config: EngineConfig, free_bytes: int) -> int:
    """The context that each slot gets: what was asked for, bounded by the model and by memory."""
    wanted = config.context_tokens or DEFAULT_CONTEXT_TOKENS
    wanted = min(wanted, metadata.context_tokens or wanted)
    budget_bytes = min(config.kv_cache_bytes, int(free_bytes * KV_MEMORY_SHARE))
    bytes_per_token = config.num_slots * metadata.kv_bytes_per_token
    affordable = budget_bytes // bytes_per_token if bytes_per_token else wanted
    return max(min(MIN_CONTEXT_TOKENS, wanted), min(wanted, affordable))


def machine_memory() -> MachineMemory:
    """As it is now: free is what can be had without swapping."""
    total_bytes, free_bytes = _whole_machine()
    for limit_bytes, used_bytes in _limits():
        total_bytes = min(total_bytes, limit_bytes)
        free_bytes = min(free_bytes, max(limit_bytes - used_bytes, 0))
    return MachineMemory(total_bytes, free_bytes)


def _whole_machine() -> tuple[int, int]:
    """What Linux says; elsewhere half of all memory is taken for free."""
    try:
        lines = _MEMINFO.read_text(encoding="ascii").splitlines()
    except OSError:
        total_bytes = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        return total_bytes, total_bytes // 2
    fields = {name: int(rest.split()[0]) * 1024 for name, _, rest in (line.partition(":") for line in lines)}
    return fields["MemTotal"], fields["MemAvailable"]


def _limits() -> Iterator[tuple[int, int]]:
    """Limit and use of each control group around this process that has a limit (cgroup v2; systemd's MemoryMax)."""
    try:
        lines = _CGROUP.read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    own = next((line.removeprefix("0::/") for line in lines if line.startswith("0::/")), None)
    if own is None:
        return
    group = _CGROUPS / own
    for folder in (group, *group.parents):
        if not folder.is_relative_to(_CGROUPS):
            return
        try:
            limit_bytes = int((folder / "memory.max").read_text())
            yield limit_bytes, _used_bytes(folder)
        except (OSError, ValueError):  # no limit: the root has no file, others say "max"
            continue


def _used_bytes(folder: Path) -> int:
    """Without the pages of files, which the kernel gives back when it needs them."""
    counts = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
    return int((folder / "memory.current").read_text()) - int(counts.get("file", 0))
