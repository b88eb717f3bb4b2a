"""How much memory a model needs, and how much there is."""

from __future__ import annotations

from pathlib import Path

import pytest

from chat.engine import memory
from chat.engine.config import MIB, EngineConfig
from chat.engine.gguf import read_metadata
from chat.engine.memory import MachineMemory, machine_memory, memory_need
from tests.conftest import wait_until
from tests.engine.conftest import StartProcess
from tests.engine.tiny_gguf import write_tiny_bert, write_tiny_gguf

PLENTY = 32_000 * MIB


@pytest.fixture
def groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A control group /service/parley in a machine of 64 GB."""
    folder = tmp_path / "cgroup"
    (folder / "service" / "parley").mkdir(parents=True)
    (tmp_path / "own").write_text("1:name=old:/x\n0::/service/parley\n")
    (tmp_path / "meminfo").write_text("MemTotal: 64000000 kB\nMemFree: 1 kB\nMemAvailable: 32000000 kB\n")
    monkeypatch.setattr(memory, "_CGROUPS", folder)
    monkeypatch.setattr(memory, "_CGROUP", tmp_path / "own")
    monkeypatch.setattr(memory, "_MEMINFO", tmp_path / "meminfo")
    return folder


def limit(group: Path, limit_text: str, used_bytes: int, file_bytes: int = 0) -> None:
    (group / "memory.max").write_text(f"{limit_text}\n")
    (group / "memory.current").write_text(f"{used_bytes}\n")
    (group / "memory.stat").write_text(f"anon {used_bytes - file_bytes}\nfile {file_bytes}\n")


def test_more_slots_and_longer_contexts_need_more(tmp_path: Path) -> None:
    metadata = read_metadata(write_tiny_gguf(tmp_path / "tiny.gguf", context_tokens=4096))

    needs = [
        memory_need(metadata, EngineConfig(num_slots=slots, context_tokens=tokens), PLENTY)
        for slots, tokens in ((1, 1024), (4, 1024), (4, 2048), (4, None))
    ]

    one = 1024 * metadata.kv_bytes_per_token
    assert [need.context_bytes for need in needs] == [one, 4 * one, 8 * one, 16 * one]
    assert [need.context_tokens for need in needs] == [1024, 1024, 2048, 4096]


def test_on_a_full_machine_the_context_is_shorter(tmp_path: Path) -> None:
    metadata = read_metadata(write_tiny_gguf(tmp_path / "tiny.gguf", context_tokens=100_000))

    need = memory_need(metadata, EngineConfig(context_tokens=100_000), 10 * MIB)

    assert 0 < need.context_bytes <= 4 * MIB


def test_an_embedding_model_keeps_no_context(tmp_path: Path) -> None:
    metadata = read_metadata(write_tiny_bert(tmp_path / "bert.gguf"))

    assert memory_need(metadata, EngineConfig(), PLENTY).context_bytes == 0


def test_a_machine_without_limits(groups: Path) -> None:
    assert machine_memory() == MachineMemory(64_000_000 * 1024, 32_000_000 * 1024)


def test_the_tightest_limit_around_the_process_counts(groups: Path) -> None:
    limit(groups / "service" / "parley", "max", 9 * MIB)
    limit(groups / "service", str(4000 * MIB), 1500 * MIB, file_bytes=500 * MIB)

    assert machine_memory() == MachineMemory(4000 * MIB, 3000 * MIB)


def test_this_machine_has_memory() -> None:
    found = machine_memory()

    assert 0 < found.free_bytes <= found.total_bytes


def test_the_estimate_covers_what_a_real_engine_takes(start_process: StartProcess, tiny: Path) -> None:
    engine = start_process()
    wait_until(lambda: engine.status().state == "ready")

    lines = Path(f"/proc/{engine.pid}/status").read_text().splitlines()
    resident = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS"))
    assert resident < memory_need(read_metadata(tiny), EngineConfig(), PLENTY).total_bytes * 1.2
