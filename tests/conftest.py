"""What every test may use: three people, the runtime on a small real model, and waiting for a run to end."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.core.cache import cache
from django.test import Client

from chat.models import Actor, Conversation, Run, User
from chat.runtime import Runtime, close_runtime, get_runtime
from tests.engine.tiny_gguf import write_tiny_gguf

REPO = Path(__file__).resolve().parent.parent
STARTER = REPO / "models" / "starter.gguf"


@pytest.fixture(autouse=True)
def fresh_rate_limits() -> None:
    """Sign-ups of other tests within the same minute do not count."""
    cache.clear()


@pytest.fixture
def still_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """All requests of a test are within the same minute for the rate limits, however slow the machine."""
    monkeypatch.setattr("chat.http.rate_limits.now_s", lambda: 1_800_000_000.0)


def pytest_configure() -> None:
    """The real password hash takes 0.2 s of processor for each person that a test makes."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(scope="session")
def tiny_models_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A models folder with one tiny model of random weights: it writes nonsense for ever, which is what tests of
    long answers need."""
    folder = tmp_path_factory.mktemp("models")
    write_tiny_gguf(folder / "tiny.gguf", context_tokens=2048)
    return folder


@pytest.fixture
def max_tokens() -> int:
    """How much the tiny model writes, which never ends by itself; `long_answers` marks tests that interrupt it."""
    return 48


long_answers = pytest.mark.parametrize("max_tokens", [1500])


@pytest.fixture
def runtime(
    transactional_db: None, settings: object, tiny_models_dir: Path, tmp_path: Path, max_tokens: int
) -> Iterator[Runtime]:
    """The whole program behind the views, on the tiny model."""
    settings.PARLEY_MODELS_DIR = tiny_models_dir
    settings.PARLEY_MODEL = ""
    settings.PARLEY_MAX_TOKENS = max_tokens
    settings.PARLEY_DATA_DIR = tmp_path
    close_runtime()
    yield get_runtime()
    close_runtime()


@pytest.fixture
def starter_runtime(transactional_db: None, settings: object, tmp_path: Path) -> Iterator[Runtime]:
    """The whole program on the starter model, at temperature 0."""
    folder = tmp_path / "models"
    folder.mkdir()
    shutil.copy(STARTER, folder)
    settings.PARLEY_MODELS_DIR = folder
    settings.PARLEY_TEMPERATURE = 0.0
    settings.PARLEY_DATA_DIR = tmp_path
    close_runtime()
    yield get_runtime()
    close_runtime()


@pytest.fixture
def alice(transactional_db: None) -> User:
    """She owns the conversation that a test is about."""
    return User.objects.create_user("alice", password="a-long-password-1")


@pytest.fixture
def bob(transactional_db: None) -> User:
    """Another member."""
    return User.objects.create_user("bob", password="a-long-password-2")


@pytest.fixture
def charlie(transactional_db: None) -> User:
    """An outsider: must see nothing."""
    return User.objects.create_user("charlie", password="a-long-password-3")


@pytest.fixture
def client_of() -> Callable[[User], Client]:
    """A browser in which the given person is signed in."""

    def sign_in(user: User) -> Client:
        client = Client()
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        return client

    return sign_in


@pytest.fixture
def alices_actor(alice: User) -> Actor:
    """Alice as the services know her."""
    return Actor(user=alice)


def wait_until(is_true: Callable[[], object], timeout_s: float = 40.0) -> None:
    """Raises: AssertionError when it does not become true in time."""
    deadline = time.monotonic() + timeout_s
    while not is_true():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def wait_for_end(run: Run, timeout_s: float = 60.0) -> Run:
    """The run with its end stored."""

    def has_ended() -> bool:
        run.refresh_from_db()
        return not run.is_live

    wait_until(has_ended, timeout_s)
    return run


def conversation_of(run: Run) -> Conversation:
    """The run's conversation as it is now in the database."""
    return Conversation.objects.get(pk=run.conversation_id)
