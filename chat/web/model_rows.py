"""What the models page shows of each file and each download."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from chat.domain.sizes import size_text, time_text
from chat.engine.adapters import rank_of
from chat.engine.memory import MemoryNeed, machine_memory
from chat.engine.model_files import ModelFile, ModelInfo
from chat.engine.pieces import EngineState
from chat.hub.pull import PullStatus
from chat.models import Flow
from chat.runtime import Runtime

_STATES: dict[EngineState, str] = {
    "waiting": "Waiting for memory",
    "loading": "Loading",
    "restarting": "Restarting",
    "ready": "Loaded",
    "failed": "Failed to load",
}
_MOVING = ("waiting", "loading", "restarting")


@dataclass(frozen=True, slots=True)
class MemoryView:
    """What models may take together, what those that are loaded take, and what one more could have."""

    limit_bytes: int
    used_bytes: int
    available_bytes: int


@dataclass(frozen=True, slots=True)
class ModelRow:
    """One model. `state` is empty for one that is not in memory; `need` is None for one that cannot be used.

    A file's name may be any bytes: `can_be_named` tells whether an address can carry it.
    """

    name: str
    can_be_named: bool
    kind: str
    facts: tuple[tuple[str, str], ...]
    problem: str
    is_default: bool
    state: str
    is_moving: bool
    need: MemoryNeed | None
    memory: MemoryView

    @property
    def is_loaded(self) -> bool:
        """In memory, or on the way there."""
        return self.state in ("Loaded", "Waiting for memory", "Loading", "Restarting")

    @property
    def fits(self) -> bool:
        """Whether there is memory for it; others may have to go."""
        return self.need is None or self.is_loaded or self.need.total_bytes <= self.memory.available_bytes


@dataclass(frozen=True, slots=True)
class PullRow:
    """One download."""

    status: PullStatus

    @property
    def is_moving(self) -> bool:
        """Whether it changes by itself."""
        return self.status.state in ("downloading", "cancelling", "elsewhere")

    @property
    def can_go_on(self) -> bool:
        """Whether a person may take it up again."""
        return self.status.state in ("failed", "stopped")

    @property
    def percent(self) -> int:
        """Whole ones, for the bar."""
        return int(self.status.share * 100)

    @property
    def words(self) -> str:
        """What it does and how far it is."""
        status = self.status
        sizes = f"{size_text(status.done_bytes)} of {size_text(status.plan.size_bytes)}"
        match status.state:
            case "finished":
                return f"Downloaded, {size_text(status.plan.size_bytes)}"
            case "cancelling":
                return "Cancelling"
            case "failed" | "stopped":
                return f"Stopped at {sizes}"
            case "elsewhere":
                return f"{sizes}, by another process"
            case "downloading":
                return " · ".join([sizes, *self._speed()])

    def _speed(self) -> Iterator[str]:
        if self.status.bytes_per_s:
            yield f"{size_text(self.status.bytes_per_s)}/s"
        if self.status.seconds_left is not None:
            yield f"{time_text(self.status.seconds_left)} left"


def model_rows(runtime: Runtime) -> list[ModelRow]:
    """Everything in the models folder, by name."""
    memory, states, default = memory_view(runtime), runtime.registry.loaded(), default_name(runtime)
    models = runtime.registry.models()
    return [
        ModelRow(
            name=model.name.encode(errors="replace").decode(),
            can_be_named=model.name.isprintable(),
            kind=_kind(model),
            facts=tuple(_facts(model, models)),
            problem=_problem(model),
            is_default=model.name == default,
            state=_STATES.get(states.get(model.name, "stopped"), ""),
            is_moving=states.get(model.name) in _MOVING,
            need=_need(runtime, model),
            memory=memory,
        )
        for model in models
    ]


def memory_view(runtime: Runtime) -> MemoryView:
    """As it is now. Idle models make room: what they take counts as available."""
    registry = runtime.registry
    limit_bytes, used_bytes = registry.memory_limit_bytes, registry.memory_used_bytes
    return MemoryView(limit_bytes, used_bytes, min(limit_bytes, machine_memory().free_bytes + used_bytes))


def default_name(runtime: Runtime) -> str:
    """The model that answers when none is chosen; "" when there is none."""
    names = [file.name for file in runtime.registry.files()]
    return runtime.conf.default_model or next(iter(names), "")


def consequences_of_removal(runtime: Runtime, name: str) -> list[str]:
    """What to know before a model's files are deleted."""
    files = runtime.registry.files()
    chats = [file.name for file in files if file.adapter is None]
    lost = [file.name for file in files if name in (file.plain.name, file.adapter and file.adapter.path.stem)]
    found = []
    if chats == [name]:
        found.append("It is the only model to chat with: nobody can chat until there is another.")
    elif default_name(runtime) in lost:
        other = next((chat for chat in chats if chat != name), "")
        found.append(
            "PARLEY_MODEL names it: chats fail until you change that setting and start Parley again."
            if runtime.conf.default_model
            else f"It is the model that answers by default; {other} takes its place."
        )
    if [file.name for file in runtime.registry.embedders()] == [name]:
        found.append("It is the only model for search: documents are then found by their words alone.")
    if flows := list(Flow.objects.filter(model__in=lost).values_list("name", flat=True)):
        found.append(f"These flows use it and cannot answer without: {', '.join(flows)}.")
    if name in runtime.registry.loaded():
        found.append("It is in memory and will be unloaded.")
    return found


def _need(runtime: Runtime, model: ModelInfo) -> MemoryNeed | None:
    """None for what is not loaded by itself."""
    file = model.file or model.embedder
    return runtime.registry.need_of(file) if file else None


def _problem(model: ModelInfo) -> str:
    return "" if model.usable or model.error is None else f"{model.error.message} {model.error.hint}".strip()


def _kind(model: ModelInfo) -> str:
    if model.file:
        return "Chat"
    if model.projector:
        return "Sight"
    return "Search" if model.embedder else "Adapter" if model.adapter else ""


def _facts(model: ModelInfo, models: list[ModelInfo]) -> Iterator[tuple[str, str]]:
    yield "Size", size_text(model.size_bytes)
    if model.usable is None:
        return
    metadata = model.usable.metadata
    yield "Architecture", metadata.architecture
    yield "Parameters", parameters_text(metadata.num_parameters)
    if metadata.quantization:
        yield "Quantisation", metadata.quantization
    if metadata.context_tokens:
        yield "Context", f"{metadata.context_tokens:,} tokens"
    if metadata.purpose == "chat":
        yield "Chat template", "its own" if metadata.chat_template else "none, a common one stands in"
    if metadata.license:
        yield "Licence", metadata.license
    if model.adapter:
        yield "Rank", str(rank_of(metadata))
        yield "To be chosen as", ", ".join(_names_with(model.adapter, models))
    if model.projector:
        yield (
            "Sees for",
            ", ".join(each.name for each in models if each.file and each.file.projector == model.path),
        )
    if model.file and model.file.projector:
        yield "Sees with", model.file.projector.name


def _names_with(adapter: ModelFile, models: list[ModelInfo]) -> Iterator[str]:
    for model in models:
        yield from (file.name for file in model.adapted if file.adapter and file.adapter.path == adapter.path)


def parameters_text(count: int) -> str:
    """To two or three digits: "27 k", "494 M", "7.6 B"."""
    if count < 999_500:
        return f"{count / 1000:.0f} k"
    if count < 999_500_000:
        return f"{count / 1e6:.0f} M" if count >= 9_950_000 else f"{count / 1e6:.1f} M"
    return f"{count / 1e9:.1f} B"
