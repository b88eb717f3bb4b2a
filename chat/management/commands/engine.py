"""`manage.py engine doctor`: what this machine, the compiled llama.cpp and a model are good for together."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from chat.conf import ChatConf
from chat.domain.errors import ChatError
from chat.ops.doctor.checkup import chosen_file, examine
from chat.ops.doctor.report import num_problems


class Command(BaseCommand):
    """See the module."""

    help = "Examine the engine."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """A verb and its options."""
        verbs = parser.add_subparsers(dest="verb", required=True)
        verb = verbs.add_parser(
            "doctor",
            help="print what processor, build, memory and model allow, test and measure; status 1 when a test fails",
        )
        verb.add_argument(
            "name", metavar="MODEL", nargs="?", default="", help="default: the one that answers"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        """Print the sections as they are known."""
        conf = ChatConf.from_settings()
        try:
            file = chosen_file(conf, options["name"])
        except ChatError as exc:
            raise CommandError(f"{exc.message} {exc.hint}".strip()) from exc
        sections = []
        for section in examine(conf, file):
            sections.append(section)
            self.stdout.write("\n".join([*section.lines(), ""]))
            self.stdout.flush()
        if num_bad := num_problems(sections):
            raise CommandError(f"{num_bad} of the tests failed." if num_bad > 1 else "A test failed.")
