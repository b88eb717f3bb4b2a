"""Runtime: the one process-wide object, and the only place that puts its parts together."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass

from django.db import connections

from chat.conf import ChatConf
from chat.domain.errors import ChatError
from chat.engine.config import EngineConfig
from chat.engine.embedder import EmbedderProcess
from chat.engine.pieces import Engine
from chat.engine.process import EngineProcess
from chat.engine.registry import ModelFile, ModelRegistry
from chat.models import Flow
from chat.retrieval.hits import Found
from chat.runs.detached import DetachedRuns
from chat.runs.log import EventLog
from chat.runs.pool import RunPool
from chat.runs.runner import Runner
from chat.runs.service import RunService
from chat.runs.sources import PassageFinder
from chat.runs.stored import StoredRun
from chat.runs.task import Job
from chat.tools.registry import ToolRegistry

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Runtime:
    """Everything that lives as long as the server."""

    conf: ChatConf
    registry: ModelRegistry
    tools: ToolRegistry
    log: EventLog
    pool: RunPool
    runs: RunService
    detached: DetachedRuns

    def start(self) -> None:
        """Bring order after a crash and load the default model in the background."""
        Flow.objects.default()
        self.pool.recover_interrupted()
        self.runs.purge_deleted()
        connections.close_all()
        threading.Thread(target=self._preload, name="preload", daemon=True).start()

    def close(self) -> None:
        """End the runs with their text kept, store every event, end the engines."""
        self.pool.close()
        self.log.close()
        self.registry.close()

    def _preload(self) -> None:
        try:
            self.registry.get("")
        except ChatError as exc:
            logger.warning("no model is loaded: %s %s", exc.message, exc.hint)


_lock = threading.Lock()
_runtime: Runtime | None = None


def get_runtime() -> Runtime:
    """The runtime of this process, built on first use."""
    global _runtime
    with _lock:
        if _runtime is None:
            _runtime = _build(ChatConf.from_settings())
        return _runtime


def close_runtime() -> None:
    """End the runtime, if there is one; the next `get_runtime` builds another."""
    global _runtime
    with _lock:
        runtime, _runtime = _runtime, None
    if runtime is not None:
        runtime.close()


class _NoDocuments:
    """TODO(lead): goes as soon as Retriever (helper E) and Library (helper D) are wired into PassageFinder."""

    def search(self, collection_ids: object, query: str, limit: int) -> Found:
        return Found()

    def wait(self, collection_ids: object, timeout_s: float, is_cancelled: object) -> bool:
        return True


def _build(conf: ChatConf) -> Runtime:
    log = EventLog()
    tools = ToolRegistry(conf.tools)
    registry = ModelRegistry(
        conf.models_dir,
        lambda file: _start_engine(conf, file),
        default_name=conf.default_model,
        start_embedder=lambda file: EmbedderProcess(file.path, _engine_config(conf)),
    )
    runner = Runner(log, registry, tools, PassageFinder(_NoDocuments(), _NoDocuments()))

    def job_of(run_id: int) -> Job:
        stored = StoredRun(run_id, conf, tools)
        return Job(run_id, stored.load, stored.save)

    pool = RunPool(log, runner.execute, job_of, max_runs=conf.num_slots + conf.max_queue)
    return Runtime(conf, registry, tools, log, pool, RunService(pool, conf), DetachedRuns(log, pool))


def _start_engine(conf: ChatConf, file: ModelFile) -> Engine:
    return EngineProcess(file.path, _engine_config(conf))


def _engine_config(conf: ChatConf) -> EngineConfig:
    return EngineConfig(
        num_slots=conf.num_slots,
        context_tokens=conf.context_tokens or None,
        num_threads=conf.num_threads,
        max_queue=conf.max_queue,
        prefix_cache_bytes=conf.prefix_cache_bytes,
        gpu_layers=conf.gpu_layers,
        cache_dir=conf.data_dir / "tuning",
    )
