"""`manage.py apikey`: makes, lists and revokes API keys."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from chat.management.keys import all_keys, issued_secret, key_as_json, key_of_id
from chat.models import ApiKey


class Command(BaseCommand):
    """See the module."""

    help = "Make, list and revoke API keys."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """A verb and its options."""
        verbs = parser.add_subparsers(dest="verb", required=True)
        create = verbs.add_parser("create", help="make a key and print it, this one time")
        create.add_argument("name", metavar="NAME", help="what it is for")
        create.add_argument("--user", default="", help="whose it is; default: the only administrator")
        create.add_argument(
            "--flow", action="append", default=[], help="id of a flow; repeatable; default: all"
        )
        verb = verbs.add_parser("list", help="print everybody's keys, without their secrets")
        verb.add_argument("--json", action="store_true", help="print JSON")
        verbs.add_parser("revoke", help="end a key").add_argument("id", metavar="ID")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Do what the verb says."""
        match options["verb"]:
            case "create":
                self.stdout.write(issued_secret(options["name"], options["user"], options["flow"]))
            case "list":
                keys = all_keys()
                as_json = json.dumps([key_as_json(key) for key in keys], ensure_ascii=False, indent=2)
                self.stdout.write(as_json if options["json"] else "\n".join(_line(key) for key in keys))
            case "revoke":
                key_of_id(options["id"]).revoke()


def _line(key: ApiKey) -> str:
    end = "  (revoked)" if key.revoked_at else ""
    return f"{key.pk}  {key.shown}…  {key.user.get_username()}  {key.name}{end}"
