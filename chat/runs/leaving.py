"""Forgetting a person: the account or the guest, with everything that is theirs."""

from __future__ import annotations

import time

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.models import Session
from django.db import transaction

from chat.domain.errors import Conflict, NotAllowed
from chat.models import Actor, Run, User
from chat.models.access import Owned
from chat.models.run import LIVE
from chat.retrieval.ingest import Library
from chat.runs.service import RunService

STOP_TIMEOUT_S = 10.0
_POLL_S = 0.05


def check_may_leave(actor: Actor) -> None:
    """Raises: NotAllowed for the only administrator."""
    admins = User.objects.filter(is_superuser=True, is_active=True)
    is_admin = actor.user is not None and actor.user.is_superuser
    if is_admin and not admins.exclude(pk=actor.user.pk).exists():  # type: ignore[union-attr]
        raise NotAllowed(
            "You are the only administrator: nobody could look after the server any more.",
            hint="Make somebody else an administrator first.",
        )


def forget(actor: Actor, runs: RunService, library: Library) -> None:
    """Stop what is being written, then delete everything of theirs for good. Entries of the audit log stay, unlinked.

    Raises: NotAllowed for the only administrator, Conflict when an answer does not stop in time.
    """
    check_may_leave(actor)
    _stop_runs(actor, runs)
    with transaction.atomic():
        check_may_leave(actor)  # of two who leave at once one stays
        if _live_runs(actor):
            raise Conflict("An answer has just begun.", hint="Stop it, then try again.")
        for model in Owned.__subclasses__():
            model._default_manager.filter(**actor.ownership).delete()
        if actor.user:
            _end_sessions(actor.user)
            actor.user.delete()
    library.remove_orphans()


def _live_runs(actor: Actor) -> list[Run]:
    return list(
        Run.objects.filter(
            status__in=LIVE, **{f"conversation__{name}": value for name, value in actor.ownership.items()}
        )
    )


def _stop_runs(actor: Actor, runs: RunService) -> None:
    deadline = time.monotonic() + STOP_TIMEOUT_S
    for run in _live_runs(actor):
        runs.cancel(run)
    while _live_runs(actor):
        if time.monotonic() > deadline:
            raise Conflict("An answer is still being stopped.", hint="Try again in a moment.")
        time.sleep(_POLL_S)


def _end_sessions(user: User) -> None:
    """Sessions do not say whose they are without being read."""
    for session in Session.objects.iterator():
        if session.get_decoded().get(SESSION_KEY) == str(user.pk):
            session.delete()
