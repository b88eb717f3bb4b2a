"""`manage.py import_chats`: conversations of a file, for somebody with an account."""

from __future__ import annotations

from argparse import ArgumentParser
from collections import Counter
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from chat.models import Actor, User
from chat.runs.keeping.importing import Outcome, import_chats


class Command(BaseCommand):
    """See the module."""

    help = "Import conversations from an export of Parley, ChatGPT or Open WebUI."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The file and whose they shall be."""
        parser.add_argument("file", type=Path, metavar="FILE", help=".json, or the .zip of ChatGPT")
        parser.add_argument("--user", required=True, help="the name of an account")

    def handle(self, *_args: Any, **options: Any) -> None:
        """A line for each that did not come in, and the counts. Raises: CommandError when there was one."""
        user = User.objects.filter(username=options["user"]).first()
        if user is None:
            raise CommandError(f"There is no account {options['user']!r}.")
        counts: Counter[Outcome] = Counter()
        try:
            with options["file"].open("rb") as file:
                for report in import_chats(file, Actor(user=user)):
                    counts[report.outcome] += 1
                    if report.outcome is Outcome.FAILED:
                        self.stderr.write(f"{report.title}: {report.reason}")
        except OSError as exc:
            raise CommandError(f"{options['file']}: {exc.strerror or exc}") from exc
        self.stdout.write(", ".join(f"{counts[outcome]} {outcome.value}" for outcome in Outcome))
        if counts[Outcome.FAILED]:
            raise CommandError(f"{counts[Outcome.FAILED]} could not be imported.")
