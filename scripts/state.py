"""What .venv holds already, written down in two small files so that a second set-up is instant.

`.venv/parley-packages.json` is read by set-up alone. `.venv/parley-native.json` is also read by the engine:

    {"use_extra_bufts": true, "tested_with": "model", "key": {"version": "0.3.36", "accel": "cpu", ...}}

`use_extra_bufts` is false where the compiled llama.cpp crashes with AMX or repacked weights; models must then
be loaded without them. `tested_with` is "model" after a real decode, "library" where there was no model to
decode with, "unreadable model" where there was a broken one.
"""

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from scripts.commands import SetupError
from scripts.native import NativeKey

PACKAGES_FILE = "parley-packages.json"
NATIVE_FILE = "parley-native.json"


TestedWith = Literal["model", "library", "unreadable model"]


@dataclass(frozen=True, slots=True)
class Packages:
    """Which lock files are installed, each by its digest; `dev` is empty without the development packages."""

    python: str
    runtime: str
    dev: str

    def covers(self, wanted: "Packages") -> bool:
        """Whether nothing is left to install."""
        return (self.python, self.runtime) == (wanted.python, wanted.runtime) and wanted.dev in ("", self.dev)


@dataclass(frozen=True, slots=True)
class NativeState:
    """The installed llama.cpp and what its self-test found."""

    key: NativeKey
    use_extra_bufts: bool
    tested_with: TestedWith


def installed_packages(venv: Path) -> Packages | None:
    """What the last set-up installed; None when there was none, or none that can be read."""
    try:
        return Packages(**json.loads((venv / PACKAGES_FILE).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def installed_native(venv: Path) -> NativeState | None:
    """The llama.cpp that .venv holds; None when there is none."""
    try:
        fields = json.loads((venv / NATIVE_FILE).read_text())
        return NativeState(**{**fields, "key": NativeKey(**fields["key"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None


def save(venv: Path, state: Packages | NativeState) -> None:
    """Writes the state down as the last step of what it describes."""
    name = PACKAGES_FILE if isinstance(state, Packages) else NATIVE_FILE
    (venv / name).write_text(json.dumps(asdict(state), indent=1) + "\n")


def digest(path: Path) -> str:
    """A short name for a file's content."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class LockFile:
    """A lock file in two parts: llama-cpp-python, which is compiled here, and all the rest."""

    text: str

    @property
    def native(self) -> str:
        """The lines of llama-cpp-python."""
        return "".join(block for block in self._blocks if block.startswith("llama-cpp-python=="))

    @property
    def others(self) -> str:
        """The lines of all other packages."""
        return "".join(block for block in self._blocks if not block.startswith("llama-cpp-python=="))

    @property
    def native_version(self) -> str:
        """The version of llama-cpp-python.

        Raises: SetupError when the lock file does not name it.
        """
        if (found := re.match(r"llama-cpp-python==(\S+)", self.native)) is None:
            raise SetupError("the lock file does not name llama-cpp-python; make it again: make lock")
        return found[1]

    @property
    def _blocks(self) -> list[str]:
        return re.split(r"^(?=\S)", self.text, flags=re.MULTILINE)
