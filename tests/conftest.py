"""What every test may use: three people, the runtime on a small real model, and waiting for a run to end."""

from __future__ import annotations

import os
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
from tests.engine.tiny_projector import write_tiny_projector
from tests.kept_engines import KeptEngines

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
    """Spares the tests what takes long and is not what they are about."""
    # The real hash takes 0.2 s of processor for each person that a test makes.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    # Hundreds of servers and engines begin; each would compile the program anew.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


@pytest.fixture(autouse=True, scope="session")
def quick_flush() -> Iterator[None]:
    """Between tests the database is only emptied: to put permissions back took 40 ms, a thousand times."""
    from django.contrib.contenttypes.models import ContentType

    def forget(*_: object, **__: object) -> None:
        ContentType.objects.clear_cache()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("django.core.management.commands.flush.emit_post_migrate_signal", forget)
        yield


@pytest.fixture(scope="session")
def tiny_models_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A models folder with one tiny model of random weights: it writes nonsense for ever, which is what tests of
    long answers need."""
    folder = tmp_path_factory.mktemp("models")
    write_tiny_gguf(folder / "tiny.gguf", context_tokens=2048)
    return folder


@pytest.fixture(scope="session")
def kept_engines(tiny_models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KeptEngines]:
    """See `KeptEngines`."""
    engines = KeptEngines(tiny_models_dir, tmp_path_factory.mktemp("tuning"))
    yield engines
    engines.close()


@pytest.fixture
def engines(kept_engines: KeptEngines, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the runtime has its engines from."""
    monkeypatch.setattr("chat.runtime.EngineProcess", kept_engines.lend)


@pytest.fixture
def new_engines(kept_engines: KeptEngines) -> None:
    """For a test that looks at how an engine begins: those that others have used are ended."""
    kept_engines.close()


@pytest.fixture
def max_tokens() -> int:
    """How much the tiny model writes, which never ends by itself; `long_answers` marks tests that interrupt it."""
    return 48


long_answers = pytest.mark.parametrize("max_tokens", [1500])


@pytest.fixture
def runtime(
    transactional_db: None,
    engines: None,
    settings: object,
    tiny_models_dir: Path,
    tmp_path: Path,
    max_tokens: int,
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
def seeing_runtime(
    transactional_db: None, settings: object, tmp_path: Path, max_tokens: int
) -> Iterator[Runtime]:
    """The whole program on the tiny model with a projector, at temperature 0; “blind” is a model that does not see."""
    folder = tmp_path / "models"
    write_tiny_gguf(folder / "tiny.gguf", context_tokens=2048)
    write_tiny_projector(folder / "mmproj-tiny.gguf")
    write_tiny_gguf(folder / "blind.gguf", context_tokens=2048)
    settings.PARLEY_MODELS_DIR = folder
    settings.PARLEY_MODEL = "tiny"
    settings.PARLEY_MAX_TOKENS = max_tokens
    settings.PARLEY_TEMPERATURE = 0.0
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
