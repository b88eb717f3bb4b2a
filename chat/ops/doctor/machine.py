"""The processor and the memory, as Linux tells of them; elsewhere what Python knows."""

from __future__ import annotations

import math
import os
import platform
import re
from dataclasses import dataclass
from pathlib import Path

from chat.domain.sizes import size_text
from chat.engine.memory import machine_memory
from chat.ops.doctor.report import Section

CPUINFO = Path("/proc/cpuinfo")
MEMINFO = Path("/proc/meminfo")
CGROUPS = Path("/sys/fs/cgroup")
OWN_CGROUP = Path("/proc/self/cgroup")

# What llama.cpp has kernels for, by the names of /proc/cpuinfo, in the order of age.
FEATURES = {
    "sse4_2": "SSE4.2",
    "avx": "AVX",
    "avx2": "AVX2",
    "fma": "FMA",
    "f16c": "F16C",
    "avx_vnni": "AVX-VNNI",
    "avx512f": "AVX-512",
    "avx512_vnni": "AVX-512 VNNI",
    "avx512_bf16": "AVX-512 BF16",
    "amx_tile": "AMX",
    "amx_int8": "AMX INT8",
    "amx_bf16": "AMX BF16",
    "asimd": "NEON",
    "asimddp": "dot product",
    "i8mm": "I8MM",
    "sve": "SVE",
}
SWAP_WORTH_A_HINT_BYTES = 256 * 2**20


@dataclass(frozen=True, slots=True)
class Processor:
    """`flags` as the kernel spells them; `quota_cores` is what a container or service may use, None without a limit."""

    model: str
    architecture: str
    num_cores: int
    quota_cores: float | None
    load: float
    flags: frozenset[str]

    @property
    def has_amx(self) -> bool:
        """Whether it multiplies matrices of bytes in hardware."""
        return {"amx_tile", "amx_int8"} <= self.flags

    @property
    def features(self) -> str:
        """In words, the newest last."""
        return " ".join(word for flag, word in FEATURES.items() if flag in self.flags)


def read_processor() -> Processor:
    """As it is now."""
    text = _read(CPUINFO)
    model = _field(text, "model name") or platform.processor() or platform.machine()
    flags = _field(text, "flags") or _field(text, "Features")
    affinity = getattr(os, "sched_getaffinity", None)
    return Processor(
        model=model,
        architecture=platform.machine(),
        num_cores=len(affinity(0)) if affinity else os.cpu_count() or 1,
        quota_cores=quota_cores(),
        load=os.getloadavg()[0],
        flags=frozenset(flags.split()),
    )


def quota_cores() -> float | None:
    """The smallest limit of the control groups around this process."""
    own = next((line[3:] for line in _read(OWN_CGROUP).splitlines() if line.startswith("0::")), "/")
    group = CGROUPS / own.lstrip("/")
    folders = [folder for folder in (group, *group.parents) if folder.is_relative_to(CGROUPS)]
    quotas = [quota for folder in folders if (quota := _quota(_read(folder / "cpu.max")))]
    return min(quotas, default=None)


def processor_section(processor: Processor) -> Section:
    """With hints for what makes it slow."""
    section = Section("Processor")
    section.facts = [
        ("model", processor.model),
        ("cores", f"{processor.num_cores} ({processor.architecture})"),
        ("quota", f"{processor.quota_cores:g} cores" if processor.quota_cores else "none"),
        ("features", processor.features or "not known"),
        ("load", f"{processor.load:.1f}"),
    ]
    if processor.architecture == "x86_64" and processor.flags and "avx2" not in processor.flags:
        section.hints.append(
            "No AVX2: expect a third of the usual speed, and choose models of 1 billion or less."
        )
    if processor.load > 0.5 * processor.num_cores:
        section.hints.append(
            f"Others compute here (load {processor.load:.1f} on {processor.num_cores} cores): the speeds below"
            " are lower than the machine's. One busy neighbour makes writing up to eight times slower,"
            " one at nice 19 does not."
        )
    return section


def quota_hint(processor: Processor, num_threads: int) -> str:
    """Empty where the threads have the processor time that they need."""
    quota = processor.quota_cores
    if quota is None or num_threads <= math.ceil(quota):
        return ""
    return (
        f"{num_threads} threads share a quota of {quota:g} cores and wait for each other:"
        f" set PARLEY_THREADS={math.ceil(quota)}."
    )


def memory_section() -> Section:
    """What there is; what a model needs of it stands with the model."""
    memory = machine_memory()
    fields = dict(re.findall(r"^(\w+):\s+(\d+) kB", _read(MEMINFO), re.MULTILINE))
    swap_bytes, swap_free_bytes = (1024 * int(fields.get(name, 0)) for name in ("SwapTotal", "SwapFree"))
    section = Section("Memory")
    section.facts = [
        ("total", size_text(memory.total_bytes)),
        ("free", size_text(memory.free_bytes)),
        (
            "swap",
            f"{size_text(swap_bytes - swap_free_bytes)} of {size_text(swap_bytes)} in use"
            if swap_bytes
            else "none",
        ),
    ]
    if swap_bytes - swap_free_bytes > SWAP_WORTH_A_HINT_BYTES:
        section.hints.append(
            "Memory is swapped out: a model that is partly on disk writes a word in seconds."
        )
    return section


def _quota(text: str) -> float | None:
    """Of the content of cpu.max: microseconds in a period of microseconds, or "max"."""
    words = text.split()
    return int(words[0]) / int(words[1]) if len(words) == 2 and words[0].isdigit() else None


def _field(text: str, name: str) -> str:
    found = re.search(rf"^{name}\s*:(.*)$", text, re.MULTILINE)
    return found[1].strip() if found else ""


def _read(path: Path) -> str:
    """Empty where the system has no such file."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
