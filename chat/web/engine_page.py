"""The page on which staff watch the engines: what they do now, and the last ten minutes in charts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from chat.domain.sizes import size_text
from chat.runs.samples import ModelSample, Sample
from chat.runtime import Runtime, get_runtime
from chat.web.engine_charts import NUM_COLUMNS, LiveChart, live_charts
from chat.web.flows import for_staff
from chat.web.requests import PageRequest, is_htmx

Facts = list[tuple[str, str]]

STATE_WORDS = {
    "stopped": "Stopped",
    "waiting": "Waiting for memory",
    "loading": "Loading",
    "ready": "Ready",
    "restarting": "Starting again",
    "failed": "Failed",
}


@dataclass(frozen=True, slots=True)
class EngineView:
    """One model as the page shows it."""

    name: str
    state: str
    is_ready: bool
    problem: str
    facts: Facts
    charts: list[LiveChart]


@require_safe
@for_staff
def engine(request: PageRequest) -> HttpResponse:
    """The page; for htmx, which asks every two seconds, only what changes."""
    if is_htmx(request):
        return render(request, "engine/_state.html", _state())
    return render(request, "engine/engine.html", {"here": "review", "part": "engine", **_state()})


def _state() -> dict[str, Any]:
    runtime = get_runtime()
    samples = runtime.sampler.samples()
    return {
        "server": _server_facts(runtime, samples[-1]),
        "engines": [_view(samples, name) for name in samples[-1].models],
        "num_columns": NUM_COLUMNS,
    }


def _server_facts(runtime: Runtime, sample: Sample) -> Facts:
    return [
        ("Answers under way", str(runtime.pool.num_live)),
        ("Open streams", str(sample.num_streams)),
        ("Memory of the web process", _size(sample.web_memory_bytes)),
    ]


def _view(samples: list[Sample], name: str) -> EngineView:
    model = samples[-1].models[name]
    return EngineView(
        name=name,
        state=STATE_WORDS[model.status.state],
        is_ready=model.status.state == "ready",
        problem=model.status.detail,
        facts=_facts(model),
        charts=live_charts(samples, name),
    )


def _facts(model: ModelSample) -> Facts:
    status, totals = model.status, model.totals
    share = (
        f" ({100 * totals.reused_tokens / totals.prompt_tokens:.0f} % reused)" if totals.prompt_tokens else ""
    )
    return [
        ("Slots in use", f"{status.num_running} of {status.num_slots}"),
        ("Waiting", str(status.num_queued)),
        ("Restarts", str(status.num_restarts)),
        ("Memory", _size(model.memory_bytes)),
        ("Context", f"{status.context_tokens:,} tokens"),
        ("Prompts", f"{totals.prompt_tokens:,.0f} tokens{share}"),
        ("Answers", f"{totals.generated_tokens:,.0f} tokens"),
    ]


def _size(num_bytes: int) -> str:
    return size_text(num_bytes) if num_bytes else "not known"
