"""What django-allauth asks of the program: who may sign up, and where to go afterwards."""

from __future__ import annotations

from allauth.account.adapter import DefaultAccountAdapter
from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse


class AccountAdapter(DefaultAccountAdapter):
    """allauth's questions, answered."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """PARLEY_SIGNUP."""
        return is_signup_open()

    def get_password_change_redirect_url(self, request: HttpRequest) -> str:
        """Back to the chats."""
        return reverse("home")

    def add_message(self, *args: object, **kwargs: object) -> None:
        """Nothing: the page after a login shows that one is logged in."""


def is_signup_open() -> bool:
    """Whether visitors may make an account by themselves."""
    return bool(settings.PARLEY_SIGNUP == "open")


def account_links(_request: HttpRequest) -> dict[str, bool]:
    """Context of every page: whether a link to the sign-up page leads somewhere."""
    return {"is_signup_open": is_signup_open()}
