"""`manage.py ingest`: files into a named collection, also beside a running server."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from chat.domain.errors import InvalidInput
from chat.management.documents import Ingestion, named_collection
from chat.runtime import own_library


class Command(BaseCommand):
    """See the module."""

    help = "Read files into a named collection of documents, for flows to draw on."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The collection and the files."""
        parser.add_argument("collection", help="its name; made when there is none")
        parser.add_argument(
            "files", nargs="+", type=Path, metavar="FILE", help="files, or folders with files"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        """A line for each file. Raises: CommandError when one failed."""
        try:
            collection = named_collection(options["collection"])
        except InvalidInput as exc:
            raise CommandError(exc.message) from exc
        with own_library() as library:
            num_failed = Ingestion(library, collection, self.stdout).take(options["files"])
        if num_failed:
            raise CommandError(f"{num_failed} of the files could not be read.")
