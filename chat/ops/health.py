"""Is the process alive, and can it serve: for people, load balancers and `bench/first_run`."""

from __future__ import annotations

import importlib.metadata
import platform
from dataclasses import asdict, dataclass

from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe

from chat.domain.errors import ModelError
from chat.http.limits import App, Receive, Scope, Send, answer
from chat.models import Actor
from chat.ops.startup import VERSION_FLOORS
from chat.runtime import Runtime, get_runtime

LIVE_PATH = "/health/live"
# The event log commits many times a second; a writer so far behind means that answers are not being saved.
MAX_WRITER_LAG_S = 5.0


@dataclass(frozen=True, slots=True)
class Readiness:
    """How the parts are; each is "ok" or "ready", or says in a word what it is instead."""

    database: str
    events: str
    model: str

    @property
    def is_ready(self) -> bool:
        """Whether a message posted now would be answered."""
        return (self.database, self.events, self.model) == ("ok", "ok", "ready")


class LiveProbe:
    """Answers /health/live on the event loop itself: no thread, no database, no Django."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] == "http" and scope["path"] == LIVE_PATH:
            await answer(send, 200, b"ok\n")
        else:
            await self._app(scope, receive, send)


@require_safe
def ready(request: HttpRequest) -> JsonResponse:
    """200 when a message would be answered, else 503; what stands in the way. Administrators see more."""
    runtime = get_runtime()
    readiness = Readiness(_database_state(), _events_state(runtime), _model_state(runtime))
    body: dict[str, object] = {"status": "ready" if readiness.is_ready else "not ready", **asdict(readiness)}
    if _is_admin(request):
        body["details"] = _details(runtime)
    return JsonResponse(body, status=200 if readiness.is_ready else 503)


def _database_state() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM chat_run LIMIT 1")
    except DatabaseError:
        return "unavailable"
    return "ok"


def _events_state(runtime: Runtime) -> str:
    return "ok" if runtime.log.behind_s <= MAX_WRITER_LAG_S else "behind"


def _model_state(runtime: Runtime) -> str:
    """That of the engine that is best off; without one, whether there is a model to start."""
    states = {engine.state for engine in runtime.registry.status()}
    for state in ("ready", "restarting", "loading", "waiting", "failed", "stopped"):
        if state in states:
            return state
    try:
        runtime.registry.default()
    except ModelError as exc:
        return exc.code
    return "loading"


def _is_admin(request: HttpRequest) -> bool:
    actor: Actor = request.actor  # type: ignore[attr-defined]
    return actor.user is not None and actor.user.is_superuser


def _details(runtime: Runtime) -> dict[str, object]:
    return {
        "engines": [asdict(engine) for engine in runtime.registry.status()],
        "models": runtime.registry.summary(),
        "live_runs": runtime.pool.num_live,
        "writer_lag_s": round(runtime.log.behind_s, 3),
        "data_dir": str(runtime.conf.data_dir),
        "models_dir": str(runtime.conf.models_dir),
        "python": platform.python_version(),
        "versions": {package: importlib.metadata.version(package) for package in VERSION_FLOORS},
    }
