"""What the doctor's child finds out about the library and a model, as values that go over its pipe.

Each finding is a line of JSON of its own: when the child dies, those before it are known.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from chat.domain.errors import EngineFailed


@dataclass(frozen=True, slots=True)
class LibraryFound:
    """llama.cpp is loaded. `system_info` is its own description of what it was compiled with."""

    version: str
    folder: str
    system_info: str
    can_use_gpu: bool


@dataclass(frozen=True, slots=True)
class BandwidthFound:
    """How fast all threads together read memory."""

    bytes_per_s: float


@dataclass(frozen=True, slots=True)
class ModelFound:
    """The model is loaded. `attention` tells the settings in words, and where they come from."""

    load_s: float
    attention: str
    is_on_gpu: bool
    num_threads: int


@dataclass(frozen=True, slots=True)
class SpeedFound:
    """Measured behind `depth_tokens` of context, one answer alone."""

    read_per_s: float
    written_per_s: float
    depth_tokens: int


@dataclass(frozen=True, slots=True)
class FailureFound:
    """The model cannot be used."""

    message: str
    hint: str


Finding = LibraryFound | BandwidthFound | ModelFound | SpeedFound | FailureFound

_KINDS: dict[str, type[Finding]] = {
    kind.__name__: kind for kind in (LibraryFound, BandwidthFound, ModelFound, SpeedFound, FailureFound)
}


def line_of(finding: Finding) -> str:
    """For the pipe."""
    return json.dumps({"kind": type(finding).__name__, **asdict(finding)})


def findings_in(lines: Iterable[str]) -> list[Finding]:
    """What the child wrote; words of libraries in between are skipped. Raises: EngineFailed for an unknown kind."""
    found: list[Finding] = []
    for line in lines:
        if line.startswith('{"kind"'):
            fields = json.loads(line)
            kind = _KINDS.get(fields.pop("kind"))
            if kind is None:
                raise EngineFailed("The doctor's child speaks of something unknown.")
            found.append(kind(**fields))
    return found
