"""Runtime: the one process-wide object, and the only place that puts its parts together."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from django.db import connections

from chat.conf import ChatConf
from chat.domain.errors import ChatError
from chat.engine.config import EngineConfig
from chat.engine.digests import FileDigests
from chat.engine.embedder import EmbedderProcess
from chat.engine.memory import ModelMemory, machine_memory, models_share
from chat.engine.pieces import Engine
from chat.engine.process import EngineProcess
from chat.engine.registry import ModelFile, ModelRegistry
from chat.hub.table import PullTable
from chat.models import Flow
from chat.retrieval.admission import Quota
from chat.retrieval.embedding import Embeddings
from chat.retrieval.extract import Extractor
from chat.retrieval.files import FileStore
from chat.retrieval.indexing import Indexer
from chat.retrieval.ingest import Library
from chat.retrieval.lexical import WordIndex, index_words
from chat.retrieval.members import Members
from chat.retrieval.search import Retriever
from chat.retrieval.vectors import VectorIndex
from chat.retrieval.worker import IngestWorker
from chat.runs.approvals import Approvals
from chat.runs.detached import DetachedRuns
from chat.runs.log import EventLog
from chat.runs.meters import RunMeters
from chat.runs.pool import RunPool
from chat.runs.recipe import RecipeWriter
from chat.runs.runner import Runner
from chat.runs.samples import Sampler
from chat.runs.service import RunService
from chat.runs.sources import PassageFinder
from chat.runs.stored import StoredRun
from chat.runs.task import Job
from chat.tools.host import ToolHost
from chat.tools.mcp_servers import McpServers
from chat.tools.registry import built_in_tools

logger = logging.getLogger(__name__)

# A large picture takes a slow processor minutes, and nothing is told meanwhile.
SEEING_WATCHDOG_S = 600.0


@dataclass(frozen=True, slots=True)
class Runtime:
    """Everything that lives as long as the server."""

    conf: ChatConf
    registry: ModelRegistry
    pulls: PullTable
    library: Library
    retriever: Retriever
    tools: ToolHost
    log: EventLog
    pool: RunPool
    runs: RunService
    detached: DetachedRuns
    recipes: RecipeWriter
    meters: RunMeters
    sampler: Sampler

    def start(self) -> None:
        """Load the default model in the background, and bring order after a crash meanwhile."""
        threading.Thread(target=self._preload, name="preload", daemon=True).start()
        Flow.objects.default()
        self.pool.recover_interrupted()
        self.runs.purge_deleted()
        self.library.recover()
        connections.close_all()
        self.pulls.go_on_after_restart()
        self.sampler.start()

    def close(self) -> None:
        """End the runs with their text kept, store every event, end the engines."""
        self.sampler.close()
        self.pool.close()
        self.tools.close()
        self.library.close()
        self.log.close()
        self.pulls.close()
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


@contextmanager
def own_library() -> Iterator[Library]:
    """A library without the rest, for a command beside a running server."""
    conf = ChatConf.from_settings()
    registry = _registry(conf)
    library = _library(conf, Embeddings(registry), _vectors(conf))
    try:
        yield library
    finally:
        library.close()
        registry.close()


def _build(conf: ChatConf) -> Runtime:
    log = EventLog()
    tools = ToolHost(built_in_tools(conf.tools), [McpServers.from_file(conf.mcp_config)])
    registry = _registry(conf)
    recipes = RecipeWriter(registry, FileDigests())
    pulls = PullTable(conf.models_dir, conf.hub_url, conf.hub_token, is_server=True)
    embeddings = Embeddings(registry)
    vectors = _vectors(conf)
    library = _library(conf, embeddings, vectors)
    retriever = Retriever(WordIndex(Members()), vectors, embeddings)
    approvals = Approvals()
    meters = RunMeters()
    runner = Runner(log, registry, tools, approvals, PassageFinder(retriever, library), meters)

    def job_of(run_id: int) -> Job:
        stored = StoredRun(run_id, conf, tools, recipes)
        return Job(run_id, stored.load, stored.save, stored.begin)

    pool = RunPool(log, runner.execute, job_of, max_runs=conf.num_slots + conf.max_queue)
    return Runtime(
        conf,
        registry,
        pulls,
        library,
        retriever,
        tools,
        log,
        pool,
        RunService(pool, conf, approvals),
        DetachedRuns(log, pool),
        recipes,
        meters,
        Sampler(registry, meters, log),
    )


def _registry(conf: ChatConf) -> ModelRegistry:
    return ModelRegistry(
        conf.models_dir,
        lambda file, room: _start_engine(conf, file, room),
        model_memory(conf),
        default_name=conf.default_model,
        start_embedder=lambda file: EmbedderProcess(file.path, engine_config(conf)),
    )


def _vectors(conf: ChatConf) -> VectorIndex:
    return VectorIndex(conf.data_dir / "vectors")


def _library(conf: ChatConf, embeddings: Embeddings, vectors: VectorIndex) -> Library:
    files = FileStore(conf.data_dir / "files", conf.upload_max_bytes)
    indexer = Indexer(files, Extractor(), embeddings, index_words)
    return Library(files, IngestWorker(indexer, embeddings), Quota(conf.upload_quota_bytes), vectors)


def _start_engine(conf: ChatConf, file: ModelFile, room: threading.Event) -> Engine:
    """With the context of the estimate: however much is free then, it takes no more."""
    need = model_memory(conf).need_of(file.metadata)
    config = replace(engine_config(conf), context_tokens=need.context_tokens, projector=file.projector)
    if file.projector:
        config = replace(config, watchdog_s=SEEING_WATCHDOG_S)
    return EngineProcess(file.path, config, room)


def model_memory(conf: ChatConf) -> ModelMemory:
    """How much all loaded models may take by the settings."""
    return ModelMemory(conf.model_memory_bytes or models_share(machine_memory()), engine_config(conf))


def engine_config(conf: ChatConf) -> EngineConfig:
    """How engines are set up by the settings."""
    return EngineConfig(
        num_slots=conf.num_slots,
        context_tokens=conf.context_tokens or None,
        num_threads=conf.num_threads,
        max_queue=conf.max_queue,
        prefix_cache_bytes=conf.prefix_cache_bytes,
        gpu_layers=conf.gpu_layers,
        cache_dir=conf.data_dir / "tuning",
    )
