"""What the models page shows of each file and each download."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from chat.domain.sizes import size_text, time_text
from chat.engine.config import EngineConfig
from chat.engine.gguf import GgufMetadata
from chat.engine.memory import MachineMemory, MemoryNeed, machine_memory, memory_need
from chat.engine.model_folder import ModelInfo
from chat.engine.pieces import EngineState
from chat.hub.pull import PullStatus
from chat.models import Flow
from chat.runtime import Runtime, engine_config

_STATES: dict[EngineState, str] = {
    "loading": "Loading",
    "restarting": "Restarting",
    "ready": "Loaded",
    "failed": "Failed to load",
}
_MOVING = ("loading", "restarting")


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
    memory: MachineMemory

    @property
    def is_loaded(self) -> bool:
        """In memory, or on the way there."""
        return self.state in ("Loaded", "Loading", "Restarting")

    @property
    def fits(self) -> bool:
        """Whether it fits beside what is in memory now."""
        return self.need is None or self.is_loaded or self.need.total_bytes <= self.memory.free_bytes


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
    memory, config, states = machine_memory(), engine_config(runtime.conf), runtime.registry.loaded()
    models = runtime.registry.models()
    default = default_name(runtime)
    return [
        _row(model, config, memory, states.get(model.name), is_default=model.name == default)
        for model in models
    ]


def default_name(runtime: Runtime) -> str:
    """The model that answers when none is chosen; "" when there is none."""
    names = [file.name for file in runtime.registry.files()]
    return runtime.conf.default_model or next(iter(names), "")


def consequences_of_removal(runtime: Runtime, name: str) -> list[str]:
    """What to know before a model's files are deleted."""
    chats = [file.name for file in runtime.registry.files()]
    found = []
    if chats == [name]:
        found.append("It is the only model to chat with: nobody can chat until there is another.")
    elif default_name(runtime) == name:
        other = next(chat for chat in chats if chat != name)
        found.append(
            "PARLEY_MODEL names it: chats fail until you change that setting and start Parley again."
            if runtime.conf.default_model
            else f"It is the model that answers by default; {other} takes its place."
        )
    if [file.name for file in runtime.registry.embedders()] == [name]:
        found.append("It is the only model for search: documents are then found by their words alone.")
    if flows := list(Flow.objects.filter(model=name).values_list("name", flat=True)):
        found.append(f"These flows use it and cannot answer without: {', '.join(flows)}.")
    if name in runtime.registry.loaded():
        found.append("It is in memory and will be unloaded.")
    return found


def _row(
    model: ModelInfo,
    config: EngineConfig,
    memory: MachineMemory,
    state: EngineState | None,
    *,
    is_default: bool,
) -> ModelRow:
    usable = model.usable
    return ModelRow(
        name=model.name.encode(errors="replace").decode(),
        can_be_named=model.name.isprintable(),
        kind="Search" if model.embedder else "Chat" if model.file else "",
        facts=tuple(_facts(usable.metadata)) if usable else (("Size", size_text(model.size_bytes)),),
        problem="" if usable or model.error is None else f"{model.error.message} {model.error.hint}".strip(),
        is_default=is_default,
        state=_STATES.get(state, "") if state else "",
        is_moving=state in _MOVING,
        need=memory_need(usable.metadata, config, memory) if usable else None,
        memory=memory,
    )


def _facts(metadata: GgufMetadata) -> Iterator[tuple[str, str]]:
    yield "Size", size_text(metadata.size_bytes)
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


def parameters_text(count: int) -> str:
    """To two or three digits: "27 k", "494 M", "7.6 B"."""
    if count < 999_500:
        return f"{count / 1000:.0f} k"
    if count < 999_500_000:
        return f"{count / 1e6:.0f} M" if count >= 9_950_000 else f"{count / 1e6:.1f} M"
    return f"{count / 1e9:.1f} B"
