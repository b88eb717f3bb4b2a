"""Each check of the settings finds what it is for, and nothing in settings that are right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chat.checks import check_settings

CASES: list[tuple[str, dict[str, Any]]] = [
    ("chat.E001", {"ALLOWED_HOSTS": ["*"]}),
    ("chat.E001", {"ALLOWED_HOSTS": ["localhost", "*.example.org"]}),
    ("chat.I001", {"PARLEY_HTTPS": True}),
    ("chat.E002", {"PARLEY_HTTPS": True, "PARLEY_DEBUG": True}),
    ("chat.E003", {"SECRET_KEY": "short"}),
    ("chat.E004", {"CSRF_TRUSTED_ORIGINS": ["chat.example.org"]}),
    ("chat.E005", {"PARLEY_DATA_DIR": Path("static/data").resolve()}),
    ("chat.E006", {"PARLEY_MODELS_DIR": Path("manage.py").resolve()}),
    ("chat.E007", {"MIDDLEWARE": ["django.middleware.gzip.GZipMiddleware"]}),
    ("chat.E008", {"DATABASES": {"default": {"ENGINE": "django.db.backends.sqlite3"}}}),
    ("chat.E009", {"PARLEY_HUB_URL": "huggingface.co"}),
    ("chat.E010", {"PARLEY_MCP_CONFIG": "/no/such/file.json"}),
    ("chat.E010", {"PARLEY_MCP_CONFIG": str(Path("manage.py").resolve())}),
    ("chat.E011", {"PARLEY_TOOLS": ["calculator", "oracle"]}),
    ("chat.E012", {"PARLEY_UPLOAD_MAX_MB": 50, "PARLEY_UPLOAD_QUOTA_MB": 10}),
    ("chat.E013", {"PARLEY_METRICS_TOKEN": "short"}),
]


@pytest.fixture(autouse=True)
def usual_settings(settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["localhost"]  # pytest-django adds names of its own
    settings.PARLEY_HTTPS = settings.PARLEY_DEBUG = False


def test_the_defaults_are_right() -> None:
    assert check_settings() == []


@pytest.mark.parametrize(("check_id", "changes"), CASES)
@pytest.mark.filterwarnings("ignore:Overriding setting DATABASES")
def test_a_wrong_setting_is_found(settings: Any, check_id: str, changes: dict[str, Any]) -> None:
    for name, value in changes.items():
        setattr(settings, name, value)

    assert check_id in {message.id for message in check_settings()}


def test_every_finding_says_what_to_do(settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["*"]
    settings.SECRET_KEY = "short"

    assert all(message.hint for message in check_settings())
