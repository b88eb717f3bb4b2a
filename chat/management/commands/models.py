"""`manage.py models`: lists, pulls, checks and removes the GGUF files of the models folder."""

from __future__ import annotations

import json
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from chat.domain.sizes import size_text
from chat.hub.known import KNOWN_MODELS
from chat.management.models import folder_as_json, model_line, problems_of, pull, remove


class Command(BaseCommand):
    """See the module."""

    help = "List, pull, check and remove models."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """A verb and its options."""
        verbs = parser.add_subparsers(dest="verb", required=True)
        verb = verbs.add_parser("list", help="print the models of the folder and what they need")
        verb.add_argument("--json", action="store_true", help="print JSON")
        verb = verbs.add_parser(
            "pull",
            help="download a model from the Hugging Face hub",
            epilog=_known(),
            formatter_class=RawDescriptionHelpFormatter,
        )
        verb.add_argument(
            "name", metavar="NAME", help="OWNER/REPO, OWNER/REPO:Q4_K_M, a link, or a short name"
        )
        verb.add_argument("--file", default="", help="the file of the repository, as it is called there")
        verb = verbs.add_parser("check", help="load models in a process of their own and let them say a word")
        verb.add_argument("names", metavar="NAME", nargs="*", help="default: all of the folder")
        verbs.add_parser("remove", help="delete a model's files").add_argument("name", metavar="NAME")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Do what the verb says."""
        match options["verb"]:
            case "list":
                found = folder_as_json()
                as_json = json.dumps(found, ensure_ascii=False, indent=2)
                self.stdout.write(as_json if options["json"] else "\n".join(map(model_line, found)))
            case "pull":
                pull("/".join(filter(None, [options["name"], options["file"]])), self.stdout)
            case "check":
                self._check(options["names"])
            case "remove":
                remove(options["name"])

    def _check(self, names: list[str]) -> None:
        num_bad = 0
        for name, error in problems_of(names):
            num_bad += error is not None
            self.stdout.write(f"{name}: {f'{error.message} {error.hint}'.strip() if error else 'ok'}")
            self.stdout.flush()
        if num_bad:
            raise CommandError(f"{num_bad} of them cannot be used.")


def _known() -> str:
    lines = [
        f"  {model.name:24}{size_text(model.size_bytes):>7}  {model.license:11} {model.note}"
        for model in KNOWN_MODELS.values()
    ]
    return "\n".join(["short names:", *lines])
