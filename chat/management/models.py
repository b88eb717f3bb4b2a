"""Models for the command line: the folder as lines and JSON, a download with its bar, and what is wrong with one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.core.management.base import CommandError, OutputWrapper

from chat.conf import ChatConf
from chat.domain.errors import ChatError
from chat.domain.sizes import size_text, time_text
from chat.engine.model_folder import ModelFolder, ModelInfo
from chat.engine.trial import try_out
from chat.hub.plan import Plan, bytes_there
from chat.hub.pull import Pull, PullStatus
from chat.hub.table import PullTable
from chat.runtime import engine_config, model_memory

BAR_CHARS = 24
TERMINAL_S = 0.2
LINES_S = 5.0


def folder_as_json() -> list[dict[str, Any]]:
    """All models of the folder; null where a file does not say."""
    conf = ChatConf.from_settings()
    return [model_as_json(model, conf) for model in ModelFolder(conf.models_dir).scan()]


def model_as_json(model: ModelInfo, conf: ChatConf) -> dict[str, Any]:
    """One model with what it needs, or with what is wrong with it."""
    found: dict[str, Any] = {"name": model.name, "kind": kind_of(model), "size_bytes": model.size_bytes}
    if model.usable is None:
        assert model.error is not None, "what cannot be used says why"
        return {**found, "error": model.error.message}
    metadata = model.usable.metadata
    return {
        **found,
        "architecture": metadata.architecture,
        "num_parameters": metadata.num_parameters,
        "context_tokens": metadata.context_tokens,
        "quantization": metadata.quantization,
        "has_template": bool(metadata.chat_template),
        "license": metadata.license or None,
        "memory_bytes": model_memory(conf).need_of(metadata).total_bytes,
        "error": None,
    }


def kind_of(model: ModelInfo) -> str:
    """What it is for."""
    if model.usable is None:
        return "unusable"
    if model.adapter:
        return "adapter"
    if model.projector:
        return "projector"
    return "chat" if model.file else "embedding"


def model_line(found: dict[str, Any]) -> str:
    """One model on one line."""
    start = f"{found['name']}  {found['kind']}  {size_text(found['size_bytes'])}"
    if found["error"]:
        return f"{start}  {found['error']}"
    return (
        f"{start}  {found['architecture']}  {found['quantization']}  context {found['context_tokens']:,}"
        f"  needs {size_text(found['memory_bytes'])} of memory"
    )


def pull(name: str, out: OutputWrapper) -> None:
    """Download a model; what was interrupted goes on. Raises: CommandError."""
    conf = ChatConf.from_settings()
    table = PullTable(conf.models_dir, conf.hub_url, conf.hub_token)
    try:
        plan = table.look_up(name)
        out.write(f"{plan.name} from {plan.repo}: {size_text(plan.size_bytes)}{_more_about(plan, conf)}")
        status = _watch(table.start(plan), out)
    except ChatError as exc:
        raise CommandError(f"{exc.message} {exc.hint}".strip()) from exc
    except KeyboardInterrupt:
        raise CommandError("Stopped. The same command goes on from here.", returncode=130) from None
    finally:
        table.close()
    if status.error is not None:
        raise CommandError(f"{status.error.message} {status.error.hint}".strip())
    out.write(f"{plan.name} is in {conf.models_dir}.")


def problems_of(names: Iterable[str]) -> Iterable[tuple[str, ChatError | None]]:
    """Try models out, all of the folder when none is named. Raises: CommandError for a name that is not there."""
    conf = ChatConf.from_settings()
    folder = ModelFolder(conf.models_dir)
    models = [_found(folder, name) for name in names] or folder.scan()
    for model in models:
        yield model.name, try_out(model, engine_config(conf))


def remove(name: str) -> None:
    """Delete a model's files; a server that has it loaded keeps it until it unloads it. Raises: CommandError."""
    folder = ModelFolder(ChatConf.from_settings().models_dir)
    _found(folder, name)
    try:
        folder.remove(name)
    except ChatError as exc:
        raise CommandError(f"{exc.message} {exc.hint}".strip()) from exc


def _found(folder: ModelFolder, name: str) -> ModelInfo:
    try:
        return folder.find(name)
    except ChatError as exc:
        raise CommandError(f"{exc.message} manage.py models list shows what there is.") from exc


def _more_about(plan: Plan, conf: ChatConf) -> str:
    there = bytes_there(conf.models_dir, plan)
    terms = f", licence {plan.license}" if plan.license else ""
    return f"{terms}, {size_text(there)} of it are there" if there else terms


def _watch(pull: Pull, out: OutputWrapper) -> PullStatus:
    """A bar on a terminal, a line every few seconds elsewhere."""
    is_terminal = out.isatty()
    while not pull.wait(TERMINAL_S if is_terminal else LINES_S):
        line = progress_line(pull.status())
        out.write(f"\r\x1b[K{line}" if is_terminal else line, ending="" if is_terminal else "\n")
        out.flush()
    if is_terminal:
        out.write(f"\r\x1b[K{progress_line(pull.status())}")
    return pull.status()


def progress_line(status: PullStatus) -> str:
    """How far it is."""
    num_full = int(status.share * BAR_CHARS)
    bar = "█" * num_full + "░" * (BAR_CHARS - num_full)
    line = f"{bar} {status.share:4.0%}  {size_text(status.done_bytes)} of {size_text(status.plan.size_bytes)}"
    if status.bytes_per_s:
        line += f"  {size_text(status.bytes_per_s)}/s"
    if status.seconds_left is not None and status.state == "downloading":
        line += f"  {time_text(status.seconds_left)} left"
    return line
