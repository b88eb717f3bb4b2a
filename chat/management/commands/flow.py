"""`manage.py flow`: lists, makes, shows and deletes flows."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from chat.management.flows import created_flow, delete_flow, flow_as_json, flow_as_text, flow_of_id
from chat.web.flow_choice import all_flows


class Command(BaseCommand):
    """See the module."""

    help = "List, make, show and delete flows: assistants with their model, prompt and tools."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """A verb and its options."""
        verbs = parser.add_subparsers(dest="verb", required=True)
        create = verbs.add_parser("create", help="make a flow and print its id")
        create.add_argument("--name", required=True)
        create.add_argument("--model", default="", help="default: the server's")
        create.add_argument("--system", default="", help="the system prompt; default: the server's")
        create.add_argument("--tool", action="append", default=[], help="repeatable; default: every tool")
        create.add_argument("--require-key", action="store_true", help="programs need an API key")
        create.add_argument(
            "--origin", action="append", default=[], help="web origin that may call it; repeatable"
        )
        create.add_argument(
            "--collection", default="", help="documents that it draws on: the collection's name"
        )
        show = verbs.add_parser("show", help="print a flow")
        for verb in (create, show, verbs.add_parser("list", help="print the id and name of each flow")):
            verb.add_argument("--json", action="store_true", help="print JSON")
        for verb in (show, verbs.add_parser("delete", help="delete a flow; its conversations stay")):
            verb.add_argument("id")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Do what the verb says."""
        match options["verb"]:
            case "create":
                flow = created_flow(options)
                self.stdout.write(_json(flow_as_json(flow)) if options["json"] else str(flow.pk))
            case "show":
                flow = flow_of_id(options["id"])
                self.stdout.write(_json(flow_as_json(flow)) if options["json"] else flow_as_text(flow))
            case "list":
                flows = all_flows()
                lines = "\n".join(f"{flow.pk}  {flow.name}" for flow in flows)
                self.stdout.write(_json([flow_as_json(flow) for flow in flows]) if options["json"] else lines)
            case "delete":
                delete_flow(options["id"])


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)
