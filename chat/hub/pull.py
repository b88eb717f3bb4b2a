"""One model on its way into the folder: fetched, checked, named."""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from typing import Literal

from chat.domain.errors import ChatError, PullFailed
from chat.engine.checksums import note_checksums, sha256_of
from chat.hub.download import Download, Stopped
from chat.hub.hub import Hub
from chat.hub.meter import Meter
from chat.hub.note import Note, NoteFile
from chat.hub.plan import Plan, check_place, part_of

logger = logging.getLogger(__name__)

PullState = Literal["downloading", "cancelling", "finished", "failed", "stopped", "elsewhere"]
_OS_REASONS = {
    errno.ENOSPC: ("The disk is full.", "Make room, then go on."),
    errno.EDQUOT: ("The disk is full.", "Make room, then go on."),
    errno.EACCES: ("The models folder may not be written to.", "Let the server's user write there."),
    errno.EPERM: ("The models folder may not be written to.", "Let the server's user write there."),
    errno.EROFS: ("The models folder may not be written to.", "Set PARLEY_MODELS_DIR to a folder that may."),
}


@dataclass(frozen=True, slots=True)
class PullStatus:
    """A snapshot. `error` tells why it failed; "elsewhere" is another process's."""

    plan: Plan
    state: PullState
    done_bytes: int
    bytes_per_s: float = 0.0
    seconds_left: float | None = None
    error: ChatError | None = None

    @property
    def share(self) -> float:
        """0 to 1."""
        return self.done_bytes / self.plan.size_bytes


class Pull:
    """Runs on a thread of its own. Goes on by itself after a broken connection, and from its note after a restart."""

    def __init__(self, folder: Path, plan: Plan, open_hub: Callable[[], Hub], note: NoteFile) -> None:
        self.plan = plan
        self._folder = folder
        self._open_hub = open_hub
        self._note = note
        self._meter = Meter(plan.size_bytes)
        self._stop = Event()
        self._is_unwanted = False
        self._state: PullState = "downloading"
        self._error: ChatError | None = None
        self._thread = Thread(target=self._run, name=f"pull {plan.name}", daemon=True)

    def start(self) -> None:
        """Begin; the note is claimed. Returns at once."""
        self._thread.start()

    def status(self) -> PullStatus:
        """A snapshot; never blocks."""
        meter = self._meter
        return PullStatus(
            self.plan, self._state, meter.done_bytes, meter.bytes_per_s, meter.seconds_left, self._error
        )

    @property
    def has_ended(self) -> bool:
        """Well or not."""
        return not self._thread.is_alive()

    @property
    def is_gone(self) -> bool:
        """Cancelled, and nothing of it is left."""
        return self.has_ended and self._is_unwanted

    def wait(self, timeout_s: float | None = None) -> bool:
        """Whether it has ended in time."""
        self._thread.join(timeout_s)
        return self.has_ended

    def stop(self) -> None:
        """Leave it as it is, to be taken up later."""
        self._stop.set()

    def cancel(self) -> None:
        """Stop, and delete what is there."""
        self._is_unwanted = True
        self._state = "cancelling"
        self._stop.set()

    def _run(self) -> None:
        try:
            self._state = self._outcome()
        except Exception as error:  # the border of the thread: a bar that stands still for ever helps nobody
            logger.exception("The download of %s failed.", self.plan.name)
            self._error = PullFailed(f"{self.plan.name} cannot be downloaded: {error}")
            self._state = "failed"
        finally:
            self._note.release()

    def _outcome(self) -> PullState:
        try:
            check_place(self._folder, self.plan)
            self._fetch()
            self._name_files()
        except Stopped:
            if self._is_unwanted:
                self._note.discard(self.plan)
            return "stopped"
        except ChatError as exc:
            return self._fail(exc)
        except OSError as exc:
            return self._fail(write_failure(exc))
        logger.info("%s was downloaded from %s.", self.plan.name, self.plan.repo)
        return "finished"

    def _fail(self, error: ChatError) -> PullState:
        self._error = error
        logger.warning("%s is not downloaded: %s", self.plan.name, error.message)
        self._note.write(Note(self.plan, is_wanted=False, message=error.message, hint=error.hint))
        return "failed"

    def _fetch(self) -> None:
        hub = self._open_hub()
        for file in self.plan.files:
            if (self._folder / file.name).exists():
                self._check_present(self._folder / file.name, file.sha256)
            else:
                part = part_of(self._folder, file)
                Download(hub, self.plan.repo, self.plan.commit, file, part).run(self._meter, self._stop)

    def _check_present(self, path: Path, sha256: str) -> None:
        if sha256_of(path, self._meter.found) != sha256:
            raise PullFailed(
                f"There is another file named {path.name} in the models folder.",
                hint="Remove that model first.",
            )

    def _name_files(self) -> None:
        """All at once, so that no half model is ever seen."""
        for file in self.plan.files:
            if not (self._folder / file.name).exists():
                part_of(self._folder, file).rename(self._folder / file.name)
        note_checksums(self._folder, {file.name: file.sha256 for file in self.plan.files})
        self._note.forget()


def write_failure(error: OSError) -> PullFailed:
    """The error in plain words."""
    message, hint = _OS_REASONS.get(error.errno or 0, (f"Writing failed: {error.strerror or error}.", ""))
    return PullFailed(message, hint=hint)
