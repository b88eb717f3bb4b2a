"""The page of numbers for staff: charts by day, tables, and all of it as CSV."""

from __future__ import annotations

import csv

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from chat.runs.numbers import Numbers, Tally
from chat.web.csv_cells import safe_cell
from chat.web.day_charts import day_charts
from chat.web.flows import for_staff
from chat.web.requests import PageRequest

PERIODS = (7, 30, 90)
DEFAULT_DAYS = 30
_COLUMNS = (
    "messages",
    "people",
    "prompt_tokens",
    "completion_tokens",
    "first_token_p50_ms",
    "first_token_p95_ms",
    "tokens_per_s",
    "errors",
    "good",
    "bad",
)


@require_safe
@for_staff
def numbers(request: PageRequest) -> HttpResponse:
    """The last 7, 30 or 90 days."""
    days = _days(request)
    found = Numbers(days)
    by_day = found.by_day()
    context = {
        "here": "review",
        "part": "numbers",
        "days": days,
        "periods": PERIODS,
        "total": found.total(),
        "charts": day_charts(by_day),
        "by_day": [(day, tally) for day, tally in reversed(by_day) if tally.num_messages or tally.people],
        "by_source": found.by_source(),
    }
    return render(request, "review/numbers.html", context)


@require_safe
@for_staff
def numbers_csv(request: PageRequest) -> HttpResponse:
    """A line for each day, flow and model."""
    days = _days(request)
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="parley-{days}-days.csv"'
    writer = csv.writer(response)
    writer.writerow(("day", "flow", "model", *_COLUMNS))
    for place, tally in sorted(Numbers(days).tallies.items()):
        writer.writerow(map(safe_cell, (place.day.isoformat(), place.flow, place.model, *_values(tally))))
    return response


def _days(request: PageRequest) -> int:
    asked = request.GET.get("days", "")
    return int(asked) if asked in map(str, PERIODS) else DEFAULT_DAYS


def _values(tally: Tally) -> tuple[object, ...]:
    return (
        tally.num_messages,
        tally.num_people,
        tally.prompt_tokens,
        tally.completion_tokens,
        tally.p50_ms,
        tally.p95_ms,
        round(tally.tokens_per_s, 1),
        tally.num_errors,
        tally.num_good,
        tally.num_bad,
    )
