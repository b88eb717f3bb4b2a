"""How llama.cpp was compiled, what its self-test found at set-up, and whether it still works."""

from __future__ import annotations

import os
import re
import sys
import time
from pathlib import Path

from chat.ops.doctor.findings import LibraryFound
from chat.ops.doctor.machine import Processor
from chat.ops.doctor.report import Section
from scripts.commands import SetupError
from scripts.native import native_key
from scripts.self_test import Failure, check
from scripts.state import NativeState, installed_native

TEST_AGAIN = (
    "Delete .venv/parley-native.json and run make install: it compiles anew if need be and tests again."
)
ACCEL_WORDS = {"cpu": "the processor", "cuda": "CUDA", "metal": "Metal"}
# Names of back ends in llama.cpp's description of itself: "CPU : AVX = 1 | ... CUDA : ARCHS = 900 | ..."
BACKEND = re.compile(r"(\w+) : ")
FLAG = re.compile(r"(\w+) = (\w+)")


def build_section(processor: Processor, library: LibraryFound | None) -> Section:
    """Of the library that the child has loaded."""
    section = Section("llama.cpp")
    state = installed_native(Path(sys.prefix))
    if state is None:
        section.hints.append(f"Set-up has left no word on its build. {TEST_AGAIN}")
    else:
        section.facts += [
            ("compiled for", ACCEL_WORDS.get(state.key.accel, state.key.accel)),
            ("compiler", state.key.compiler or "not known"),
            (
                "AMX header",
                "in use" if processor.has_amx else "compiled in, without effect: the processor has no AMX",
            ),
        ]
        section.hints += _hints_about_key(state)
    if library is None:
        section.problems.append("The library cannot be loaded. Run make install.")
        return section
    flags = [name for name, value in FLAG.findall(library.system_info) if value != "0"]
    backends = BACKEND.findall(library.system_info)
    section.facts = [
        ("version", f"llama-cpp-python {library.version}"),
        ("back ends", ", ".join(backends) + ("" if library.can_use_gpu else "; no graphics processor")),
        *section.facts,
        ("flags", " ".join(flags)),
        ("libraries", library.folder),
    ]
    section.hints += _hints_about_library(library, state, flags, processor)
    return section


def self_test_section(model: Path) -> Section:
    """What set-up found, and a decode in a child process now."""
    section = Section("Self-test")
    state = installed_native(Path(sys.prefix))
    if state is not None:
        weights = "repacked weights" if state.use_extra_bufts else "plain weights: repacked ones crash here"
        section.facts.append(("at set-up", f"passed with {state.tested_with}, {weights}"))
        if not state.use_extra_bufts:
            section.hints.append(
                f"Without repacked weights models are up to three times slower. {TEST_AGAIN}"
            )
    options = () if state is None or state.use_extra_bufts else ("--plain-buffers",)
    started_at = time.monotonic()
    failure = check(Path(sys.executable), model, *options)
    if failure is None:
        section.facts.append(("now", f"passed with {model.name} in {time.monotonic() - started_at:.1f} s"))
    else:
        section.facts.append(("now", f"FAILED with {model.name}"))
        section.problems.append(_explain(failure))
    return section


def _explain(failure: Failure) -> str:
    if failure.is_crash:
        return f"llama.cpp crashed ({failure.reason}). {TEST_AGAIN}"
    return f"The model cannot be used: {failure.reason}. Run: manage.py models check"


def _hints_about_key(state: NativeState) -> list[str]:
    """Why the next `make install` would make another build."""
    try:
        wanted = native_key(state.key.version)
    except SetupError as exc:
        return [str(exc)]
    if wanted.accel != state.key.accel:
        return [
            f"PARLEY_ACCEL={wanted.accel} is set, but this build is for {state.key.accel}: run make install."
        ]
    return (
        []
        if wanted.is_served_by(state.key)
        else ["Processor, compiler or recipe have changed: run make install."]
    )


def _hints_about_library(
    library: LibraryFound, state: NativeState | None, flags: list[str], processor: Processor
) -> list[str]:
    hints: list[str] = []
    if os.environ.get("LLAMA_CPP_LIB_PATH"):
        hints.append("LLAMA_CPP_LIB_PATH names other libraries than those that set-up compiled.")
    if state is not None and state.key.accel != "cpu" and not library.can_use_gpu:
        hints.append(
            f"Compiled for {ACCEL_WORDS[state.key.accel]}, but there is no such device: it computes on the processor."
        )
    if "OPENMP" not in flags and "CPU" in BACKEND.findall(library.system_info) and sys.platform == "linux":
        hints.append(
            "Compiled without OpenMP: threads wait for each other longer. Install libgomp, then make install."
        )
    if "avx2" in processor.flags and "AVX2" not in flags:
        hints.append(
            "The processor has AVX2 and the build does not use it: run make install on this machine."
        )
    if processor.has_amx and "AMX_INT8" not in flags:
        hints.append(
            "The processor has AMX and the build does not use it: gcc 12 or newer makes models twice as fast."
        )
    return hints
