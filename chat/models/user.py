"""People with an account; guests have none (see `access.Actor`)."""

from __future__ import annotations

from django.contrib.auth.models import AbstractUser


class User(AbstractUser):
    """An account. Ours from the first migration, because Django cannot change the user model later."""
