"""Which of django-allauth's pages there are, and the page of the one-time link for the first administrator."""

from __future__ import annotations

from allauth.account import views
from django.conf import settings
from django.urls import URLPattern, path, re_path


def _reset_urls() -> list[URLPattern]:
    """A forgotten password is reset by mail; without mail only an administrator can."""
    if not settings.EMAIL_HOST:
        return []
    return [
        path("password/reset/", views.password_reset, name="account_reset_password"),
        path("password/reset/done/", views.password_reset_done, name="account_reset_password_done"),
        re_path(
            r"^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$",
            views.password_reset_from_key,
            name="account_reset_password_from_key",
        ),
        path(
            "password/reset/key/done/",
            views.password_reset_from_key_done,
            name="account_reset_password_from_key_done",
        ),
    ]


urlpatterns = [
    path("login/", views.login, name="account_login"),
    path("logout/", views.logout, name="account_logout"),
    path("signup/", views.signup, name="account_signup"),
    path("inactive/", views.account_inactive, name="account_inactive"),
    path("password/change/", views.password_change, name="account_change_password"),
    *_reset_urls(),
]
