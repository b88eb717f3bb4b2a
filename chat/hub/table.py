"""The downloads of this process: begun, watched, cancelled, and taken up again after a restart."""

from __future__ import annotations

import logging
from pathlib import Path
from threading import Lock

from chat.domain.errors import ChatError, Conflict, NotFound, PullFailed
from chat.hub.hub import Hub
from chat.hub.names import parse_name
from chat.hub.note import Note, NoteFile, notes_in
from chat.hub.plan import Plan, bytes_there, check_place, is_there, make_plan, part_of
from chat.hub.pull import Pull, PullStatus, write_failure

logger = logging.getLogger(__name__)

CLOSE_TIMEOUT_S = 2.0


class PullTable:
    """Each model once at a time, also beside other processes. Any thread may call.

    An empty `hub_url` switches downloads off. `is_server`: what this process leaves unfinished is taken up by the next
    server that starts.
    """

    def __init__(self, folder: Path, hub_url: str, token: str = "", *, is_server: bool = False) -> None:
        self.folder = folder
        self._hub_url = hub_url
        self._token = token
        self._is_server = is_server
        self._pulls: dict[str, Pull] = {}
        self._lock = Lock()

    @property
    def is_on(self) -> bool:
        """Whether models can be pulled at all."""
        return bool(self._hub_url)

    def look_up(self, text: str) -> Plan:
        """Ask the hub what would be pulled. Blocks. Raises: InvalidInput, PullFailed."""
        name = parse_name(text, self._hub_url)
        return make_plan(self._open_hub(), name)

    def start(self, plan: Plan) -> Pull:
        """Begin, or go on from what is there. Raises: Conflict, PullFailed."""
        self._check_on()
        with self._lock:
            known = self._pulls.get(plan.name)
            if known is not None and not known.has_ended:
                raise Conflict(f"{plan.name} is being downloaded already.", hint="Wait for it, or cancel it.")
            check_place(self.folder, plan)
            note = self._claim(plan)
            pull = self._pulls[plan.name] = Pull(self.folder, plan, self._open_hub, note)
            pull.start()
        return pull

    def go_on(self, name: str) -> Pull:
        """Take up what failed or was stopped. Raises: NotFound, Conflict, PullFailed."""
        return self.start(self._status_of(name).plan)

    def cancel(self, name: str) -> None:
        """End a download and delete what is there; an ended one leaves the list. Raises: NotFound, Conflict."""
        plan = self._status_of(name).plan
        with self._lock:
            pull = self._pulls.get(name)
            if pull is not None and not pull.has_ended:
                pull.cancel()
                return
            self._pulls.pop(name, None)
        note = NoteFile(self.folder, name)
        if note.read() is not None:
            note.claim()
            note.discard(plan)

    def statuses(self) -> list[PullStatus]:
        """What is under way, has ended, or was left unfinished; by name."""
        with self._lock:
            self._pulls = {name: pull for name, pull in self._pulls.items() if self._is_news(pull)}
            own = {name: pull.status() for name, pull in self._pulls.items()}
        left = {note.plan.name: (file, note) for file, note in notes_in(self.folder)}
        others = {name: self._left(*found) for name, found in left.items() if name not in own}
        return [status for _, status in sorted((own | others).items())]

    def go_on_after_restart(self) -> None:
        """Take up what a server before us left behind. Returns at once."""
        if not self.is_on:
            return
        for file, note in notes_in(self.folder):
            if note.is_wanted and not file.is_claimed:
                try:
                    self.start(note.plan)
                except ChatError as exc:
                    logger.warning("%s is not taken up: %s", note.plan.name, exc.message)

    def close(self) -> None:
        """Stop all and keep what is there."""
        with self._lock:
            pulls = list(self._pulls.values())
        for pull in pulls:
            pull.stop()
        for pull in pulls:
            pull.wait(CLOSE_TIMEOUT_S)

    def _claim(self, plan: Plan) -> NoteFile:
        note = NoteFile(self.folder, plan.name)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            note.claim()
            before = note.read()
            if before is not None and before.plan.files != plan.files:  # other bytes under the same name
                for file in before.plan.files:
                    part_of(self.folder, file).unlink(missing_ok=True)
            note.write(Note(plan, is_wanted=self._is_server))
        except OSError as exc:
            note.release()
            raise write_failure(exc) from exc
        return note

    def _is_news(self, pull: Pull) -> bool:
        """Not when it was cancelled, or its model was removed since."""
        is_done = pull.status().state == "finished"
        return not pull.is_gone and (not is_done or is_there(self.folder, pull.plan))

    def _left(self, file: NoteFile, note: Note) -> PullStatus:
        done_bytes = bytes_there(self.folder, note.plan)
        if file.is_claimed:
            return PullStatus(note.plan, "elsewhere", done_bytes)
        error = PullFailed(note.message, hint=note.hint) if note.message else None
        return PullStatus(note.plan, "failed" if error else "stopped", done_bytes, error=error)

    def _status_of(self, name: str) -> PullStatus:
        for status in self.statuses():
            if status.plan.name == name:
                return status
        raise NotFound(f"{name} is not being downloaded.")

    def _open_hub(self) -> Hub:
        self._check_on()
        from chat.hub.client import HubClient  # 31 MB and most of a second, only for those who pull

        return HubClient(self._hub_url, self._token)

    def _check_on(self) -> None:
        if not self.is_on:
            raise PullFailed("Downloads are switched off.", hint="PARLEY_HUB_URL is empty.")
