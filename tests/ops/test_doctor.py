"""`manage.py engine doctor`: what it prints, what it measures, and that it says plainly what is wrong."""

from __future__ import annotations

import re
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from chat.conf import ChatConf
from chat.engine.config import EngineConfig
from chat.ops.doctor import build, trial
from chat.ops.doctor.build import build_section
from chat.ops.doctor.checkup import chosen_file, examine, speed_section
from chat.ops.doctor.findings import BandwidthFound, LibraryFound, ModelFound, SpeedFound, line_of
from chat.ops.doctor.machine import Processor, processor_section, quota_hint
from chat.ops.doctor.report import Section
from scripts.native import native_key
from scripts.state import NativeState, save
from tests.engine.tiny_gguf import write_tiny_gguf

XEON = Processor("Xeon", "x86_64", 4, None, 0.1, frozenset("avx avx2 fma f16c amx_tile amx_int8".split()))
LIBRARY = LibraryFound(
    "0.3.36", "/lib", "CPU : AVX2 = 1 | AMX_INT8 = 1 | OPENMP = 1 | REPACK = 1 | ", can_use_gpu=False
)


@pytest.fixture
def conf(settings: Any, tmp_path: Path) -> ChatConf:
    """A folder of its own with a tiny model."""
    settings.PARLEY_MODELS_DIR = tmp_path / "models"
    settings.PARLEY_MODEL = ""
    settings.PARLEY_DATA_DIR = tmp_path
    settings.PARLEY_MODELS_DIR.mkdir()
    write_tiny_gguf(settings.PARLEY_MODELS_DIR / "tiny.gguf")
    return ChatConf.from_settings()


@pytest.fixture
def set_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> NativeState:
    """A .venv in which set-up has left its word on a build for this machine."""
    state = NativeState(native_key("0.3.36"), use_extra_bufts=True, tested_with="model")
    save(tmp_path, state)
    monkeypatch.setattr(build.sys, "prefix", str(tmp_path))
    return state


def test_it_tests_measures_and_prints_everything(conf: ChatConf) -> None:
    out = StringIO()

    call_command("engine", "doctor", stdout=out)

    text = out.getvalue()
    titles = [line for line in text.splitlines() if line and not line.startswith(" ")]
    assert titles == ["Processor", "Memory", "Self-test", "llama.cpp", "Model tiny", "Speed"]
    assert re.search(r"now +passed with tiny\.gguf in", text)
    assert re.search(r"back ends +CPU; no graphics processor", text)
    assert re.search(r"slots +4 with [\d,]+ tokens", text)
    assert float(re.search(r"memory +([\d.]+) GB/s", text)[1]) > 0  # type: ignore[index]
    assert float(re.search(r"writing +([\d.,]+) tokens/s", text)[1].replace(",", "")) > 0  # type: ignore[index]


def test_a_model_that_cannot_be_loaded_fails_every_test_of_it(conf: ChatConf) -> None:
    file = chosen_file(conf, "")
    file.path.write_bytes(file.path.read_bytes()[:200])

    sections = {section.title: section for section in examine(conf, file)}

    assert "models check" in sections["Self-test"].problems[0]
    assert "tiny.gguf" in sections["Speed"].problems[0]
    assert not sections["llama.cpp"].problems


def test_a_test_that_fails_is_the_commands_status(conf: ChatConf, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = Section("Self-test", problems=["It crashes."])
    monkeypatch.setattr("chat.management.commands.engine.examine", lambda *_: iter([failed]))
    out = StringIO()

    with pytest.raises(CommandError, match="A test failed"):
        call_command("engine", "doctor", stdout=out)

    assert "PROBLEM: It crashes." in out.getvalue()


@pytest.mark.parametrize(("model", "message"), [("other", "other"), ("", "no model to chat with")])
def test_a_missing_model_is_one_line(conf: ChatConf, model: str, message: str) -> None:
    if not model:
        (conf.models_dir / "tiny.gguf").unlink()

    with pytest.raises(CommandError, match=message):
        call_command("engine", "doctor", *filter(None, [model]))


def test_what_a_child_found_before_it_died_still_counts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\ncat > /dev/null\necho noise\necho '{line_of(LIBRARY)}'\nkill -SEGV $$\n")
    python.chmod(0o755)
    monkeypatch.setattr(trial.sys, "executable", str(python))

    found = trial.try_model(tmp_path / "model.gguf", EngineConfig())

    assert found.first(LibraryFound) == LIBRARY
    assert found.first(SpeedFound) is None
    assert "SIGSEGV" in found.death


@pytest.mark.parametrize(
    ("processor", "hint"),
    [
        (replace(XEON, flags=frozenset(["avx"])), "No AVX2"),
        (replace(XEON, load=3.9), "Others compute here"),
    ],
)
def test_a_slow_processor_is_told(processor: Processor, hint: str) -> None:
    assert processor_section(XEON).hints == []
    (told,) = processor_section(processor).hints
    assert told.startswith(hint)


def test_a_quota_below_the_threads_is_told() -> None:
    assert quota_hint(XEON, 4) == ""
    assert quota_hint(replace(XEON, quota_cores=1.5), 2) == ""
    assert "PARLEY_THREADS=2" in quota_hint(replace(XEON, quota_cores=1.5), 4)


@pytest.mark.parametrize(
    ("system_info", "hint"),
    [
        ("CPU : AVX2 = 1 | AMX_INT8 = 1 | ", "Compiled without OpenMP"),
        ("CPU : AMX_INT8 = 1 | OPENMP = 1 | ", "has AVX2 and the build does not"),
        ("CPU : AVX2 = 1 | OPENMP = 1 | ", "has AMX and the build does not"),
    ],
)
def test_a_build_that_leaves_speed_behind_is_told(set_up: NativeState, system_info: str, hint: str) -> None:
    assert build_section(XEON, LIBRARY).hints == []
    (told,) = build_section(XEON, replace(LIBRARY, system_info=system_info)).hints
    assert hint in told


def test_it_says_for_what_llama_cpp_is_compiled(
    set_up: NativeState, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARLEY_ACCEL", "cuda")
    assert "PARLEY_ACCEL=cuda is set, but this build is for cpu" in build_section(XEON, LIBRARY).hints[0]

    save(tmp_path, replace(set_up, key=native_key("0.3.36")))
    found = replace(LIBRARY, system_info=f"CUDA : ARCHS = 900 | {LIBRARY.system_info}", can_use_gpu=True)

    section = build_section(XEON, found)

    assert section.hints == []
    assert ("compiled for", "CUDA") in section.facts
    assert ("back ends", "CUDA, CPU") in section.facts
    assert "no such device" in build_section(XEON, LIBRARY).hints[0]


def test_without_a_word_of_set_up_it_says_how_to_test(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(build.sys, "prefix", str(tmp_path))

    assert "make install" in build_section(XEON, LIBRARY).hints[0]
    assert build_section(XEON, None).problems


def test_the_limit_of_memory_stands_beside_a_large_models_speed(conf: ChatConf) -> None:
    metadata = replace(chosen_file(conf, "").metadata, size_bytes=500_000_000)
    loaded = ModelFound(1.0, "flash attention off", is_on_gpu=False, num_threads=2)

    def section_at(written_per_s: float) -> Section:
        findings = (BandwidthFound(25e9), loaded, SpeedFound(500, written_per_s, 256))
        return speed_section(metadata, trial.Trial(findings))

    assert ("limit of memory", "50.0 tokens/s; writing reaches 80% of it") in section_at(40).facts
    assert section_at(40).hints == []
    assert "Q4_K_M" in section_at(10).hints[0]
