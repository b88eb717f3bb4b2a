"""Brings the database to this program's schema: never downwards, and never without a backup."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from pathlib import Path

from django.conf import settings
from django.core.management import call_command
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

from chat.ops.startup import CannotStart

logger = logging.getLogger(__name__)

NUM_BACKUPS_KEPT = 5


def prepare_database() -> None:
    """Apply what is missing. Raises: CannotStart when the file is damaged or of a newer program."""
    try:
        executor = MigrationExecutor(connection)
        _refuse_newer(executor)
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            if executor.loader.applied_migrations:
                logger.warning("the database is brought up to date; backup: %s", back_up())
            call_command("migrate", interactive=False, verbosity=0)
        call_command("clearsessions")  # Django never does it by itself
    except DatabaseError as exc:
        raise CannotStart(
            f"The database cannot be used: {exc}.",
            hint=f"Put back a file from {_backup_dir()}, or move the database away to begin anew.",
        ) from exc
    finally:
        connection.close()


def back_up() -> Path:
    """A consistent copy of the database, also while it is written to; the oldest copies go."""
    folder = _backup_dir()
    folder.mkdir(mode=0o700, exist_ok=True)
    target = folder / f"parley-{datetime.now(UTC):%Y%m%d-%H%M%S-%f}.sqlite3"
    with connection.cursor() as cursor:
        cursor.execute("VACUUM INTO %s", [str(target)])
    for old in sorted(folder.glob("parley-*.sqlite3"))[:-NUM_BACKUPS_KEPT]:
        old.unlink()
    return target


def _refuse_newer(executor: MigrationExecutor) -> None:
    loader = executor.loader
    known = set(loader.disk_migrations)
    ours = {app for app, _ in known}
    newer = sorted(
        f"{app}.{name}" for app, name in loader.applied_migrations if app in ours and (app, name) not in known
    )
    if newer:
        raise CannotStart(
            f"The database was written by a newer Parley ({newer[-1]}).",
            hint=f"Install that version, or put back a file from {_backup_dir()}.",
        )


def _backup_dir() -> Path:
    return Path(settings.PARLEY_DATA_DIR) / "backups"
