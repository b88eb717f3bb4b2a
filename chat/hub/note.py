"""What stands beside a download on the disk, so that another process can take it up: `.NAME.pull`.

Whoever holds the lock on a note is the one who downloads; the lock ends with its process, however that ends.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from chat.domain.errors import Conflict
from chat.hub.choice import HubFile, Variant
from chat.hub.names import is_file_name
from chat.hub.plan import Plan, part_of

SUFFIX = ".pull"


@dataclass(frozen=True, slots=True)
class Note:
    """`is_wanted`: a server that starts goes on with it. `message` and `hint` tell why it stands still."""

    plan: Plan
    is_wanted: bool
    message: str = ""
    hint: str = ""


class NoteFile:
    """The note of one model, and the right to download it."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._path = folder / f".{name}{SUFFIX}"
        self._name = name
        self._lock: int | None = None

    def claim(self) -> None:
        """Raises: Conflict when another process downloads this model; OSError."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise Conflict(
                f"{self._name} is being downloaded already.",
                hint="Wait for it, or cancel it where it was started.",
            ) from None
        except BaseException:
            os.close(descriptor)
            raise
        self._lock = descriptor

    @property
    def is_claimed(self) -> bool:
        """Whether anybody downloads it now."""
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    def read(self) -> Note | None:
        """None when there is none that can be read: its parts are then taken up by whoever pulls the same again."""
        try:
            return _from_json(json.loads(self._path.read_text(encoding="utf-8")))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write(self, note: Note) -> None:
        """Only for who has claimed it."""
        assert self._lock is not None, "whoever writes a note has claimed it"
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, json.dumps(_as_json(note), indent=1).encode(), 0)

    def release(self) -> None:
        """Others may claim it."""
        lock, self._lock = self._lock, None
        if lock is not None:
            os.close(lock)

    def discard(self, plan: Plan) -> None:
        """Delete what was downloaded, and the note."""
        for file in plan.files:
            part_of(self._folder, file).unlink(missing_ok=True)
        self.forget()

    def forget(self) -> None:
        """Delete the note."""
        self._path.unlink(missing_ok=True)
        self.release()


def notes_in(folder: Path) -> Iterator[tuple[NoteFile, Note]]:
    """Every note that can be read, by the model's name."""
    for path in sorted(folder.glob(f".*{SUFFIX}")):
        file = NoteFile(folder, path.name[1 : -len(SUFFIX)])
        if note := file.read():
            yield file, note


def _as_json(note: Note) -> dict[str, object]:
    plan = note.plan
    return {
        "repo": plan.repo,
        "commit": plan.commit,
        "license": plan.license,
        "files": [asdict(file) for file in plan.files],
        "is_wanted": note.is_wanted,
        "message": note.message,
        "hint": note.hint,
    }


def _from_json(found: dict[str, object]) -> Note:
    files = found["files"]
    if not isinstance(files, list) or not files:
        raise ValueError("no files")
    variant = Variant(tuple(_file_of(file) for file in files))
    plan = Plan(str(found["repo"]), str(found["commit"]), str(found["license"]), variant)
    return Note(plan, found["is_wanted"] is True, str(found["message"]), str(found["hint"]))


def _file_of(found: dict[str, object]) -> HubFile:
    path = str(found["path"])
    if not is_file_name(path):
        raise ValueError(f"no file of ours: {path}")
    return HubFile(path, int(str(found["size_bytes"])), str(found["sha256"]))
