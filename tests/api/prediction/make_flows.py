"""Makes people with keys, and flows, in the database of a server that runs; prints them: `Site` in conftest.py."""

from __future__ import annotations

import json
import os

import django


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatsite.settings")
    django.setup()
    from chat.models import ApiKey, Flow, Right, User

    def flow(name: str, **fields: object) -> str:
        return str(Flow.objects.create(name=name, **fields).pk)

    alice, bob = User.objects.create(username="alice"), User.objects.create(username="bob")
    narrow = ApiKey.objects.issue(alice, "narrow", rights=[Right.FLOWS])
    narrow[0].flows.set([Flow.objects.default()])
    made = {
        "closed_flow": flow("Closed", requires_key=True),
        "shop_flow": flow("Shop", allowed_origins=["https://shop.example"]),
        "world_flow": flow("World", allowed_origins=["*"]),
        "busy_flow": flow("Busy", rate_limit_requests=2, rate_limit_window_s=3600),
        "gone_flow": flow("Gone", model="gone"),
        "key": ApiKey.objects.issue(alice, "test")[1],
        "bobs_key": ApiKey.objects.issue(bob, "test")[1],
        "narrow_key": narrow[1],
    }
    print(json.dumps(made))


if __name__ == "__main__":
    main()
