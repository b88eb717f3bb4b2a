"""Makes a person and an API key in the database of a server that runs: `python -m tests.api.make_key < name`."""

from __future__ import annotations

import os
import sys

import django


def main() -> None:
    """Print the secret of a new key."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatsite.settings")
    django.setup()
    from chat.models import ApiKey, User

    name = sys.stdin.read().strip()
    print(ApiKey.objects.issue(User.objects.get_or_create(username=name)[0], "test")[1])


if __name__ == "__main__":
    main()
