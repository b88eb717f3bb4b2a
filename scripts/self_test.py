"""Finds out, in a child process, whether a compiled llama.cpp works on this machine."""

import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

from scripts.commands import SetupError
from scripts.native import NativeKey
from scripts.state import NativeState, TestedWith

CHECK = Path(__file__).with_name("native_check.py")
TIMEOUT_S = 120


@dataclass(frozen=True, slots=True)
class Failure:
    """A self-test that did not pass; a crash is the build's fault, anything else may be the model's."""

    reason: str
    is_crash: bool


def try_native(python: Path, key: NativeKey, model: Path | None) -> NativeState:
    """The state of the llama.cpp that this Python loads, after a decode with the model, if there is one.

    A crash (gcc's AMX fault ends in one) is tried again without extra buffers. A model that cannot be read
    is no reason against the build: the program itself says what is wrong with it.

    Raises: SetupError when the library does not work at all.
    """
    tested_with: TestedWith = "model" if model else "library"
    failure = check(python, model)
    if failure is None:
        return NativeState(key, use_extra_bufts=True, tested_with=tested_with)
    if failure.is_crash and check(python, model, "--plain-buffers") is None:
        return NativeState(key, use_extra_bufts=False, tested_with=tested_with)
    if not failure.is_crash and model and check(python, None) is None:
        return NativeState(key, use_extra_bufts=True, tested_with="unreadable model")
    raise SetupError(f"the compiled llama.cpp does not work on this machine: {failure.reason}.")


def check(python: Path, model: Path | None, *options: str) -> Failure | None:
    """Runs the check in a child process; None when it passed."""
    command: list[str | Path] = [python, CHECK, *options, *([model] if model else [])]
    try:
        child = subprocess.run(command, capture_output=True, timeout=TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        return Failure(f"no answer within {TIMEOUT_S} s", is_crash=True)
    if child.returncode < 0:
        return Failure(f"signal {signal.Signals(-child.returncode).name}", is_crash=True)
    if child.returncode:
        output = child.stderr.decode(errors="replace").strip().splitlines()
        return Failure(output[-1] if output else "no reason given", is_crash=False)
    return None
