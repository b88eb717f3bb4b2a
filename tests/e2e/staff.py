"""Makes an administrator in the database of a server that runs, and prints the key of a session of theirs."""

from __future__ import annotations

import os

import django


def main() -> None:
    """Log them in past the login page, which is tested elsewhere."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatsite.settings")
    django.setup()
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.sessions.backends.db import SessionStore

    from chat.models import User

    boss, _ = User.objects.get_or_create(username="boss", is_staff=True, is_superuser=True)
    session = SessionStore()
    session[SESSION_KEY] = str(boss.pk)
    session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    session[HASH_SESSION_KEY] = boss.get_session_auth_hash()
    session.create()
    print(session.session_key)


if __name__ == "__main__":
    main()
