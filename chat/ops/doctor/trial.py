"""Runs the doctor's child and takes down what it found, also when it dies on the way."""

from __future__ import annotations

import signal
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import chat
from chat.engine.config import EngineConfig
from chat.engine.wire import LoadModel, pack
from chat.ops.doctor.findings import Finding, findings_in

TIMEOUT_S = 600.0  # a large model from a slow disk
CONTEXT_TOKENS = 1024

Kind = TypeVar("Kind", bound=Finding)


@dataclass(frozen=True, slots=True)
class Trial:
    """What the child found; `death` tells how it ended when it did not end well."""

    findings: tuple[Finding, ...]
    death: str = ""

    def first(self, kind: type[Kind]) -> Kind | None:
        """The finding of this kind, None when the child did not get that far."""
        return next((finding for finding in self.findings if isinstance(finding, kind)), None)


def try_model(path: Path, config: EngineConfig) -> Trial:
    """Load and measure a model in a child, with one slot and a short context. Blocks for as long as that takes."""
    small = replace(config, num_slots=1, context_tokens=CONTEXT_TOKENS, prefix_cache_bytes=0)
    try:
        child = subprocess.run(
            [sys.executable, "-m", "chat.ops.doctor.child"],
            input=pack(LoadModel(path, small)),
            capture_output=True,
            cwd=Path(chat.__file__).resolve().parent.parent,
            timeout=TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as exc:
        return Trial(_findings(exc.stdout or b""), f"said nothing for {TIMEOUT_S:.0f} s")
    return Trial(_findings(child.stdout), _death(child.returncode, child.stderr))


def _findings(output: bytes) -> tuple[Finding, ...]:
    return tuple(findings_in(output.decode(errors="replace").splitlines()))


def _death(status: int, errors: bytes) -> str:
    if status < 0:
        return f"was ended by {signal.Signals(-status).name}"
    if status:
        words = errors.decode(errors="replace").strip().splitlines()
        return f"ended with status {status}: {words[-1] if words else 'no reason given'}"
    return ""
