"""What happened on the server in the last days, counted: by day, and by who answered (flow and model)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import NamedTuple, TypeVar

from django.db.models import (
    Aggregate,
    CharField,
    Count,
    Func,
    IntegerField,
    JSONField,
    OuterRef,
    Q,
    Subquery,
    Sum,
    Value,
)
from django.db.models.functions import Cast, Coalesce
from django.utils import timezone

from chat.models import Feedback, Run
from chat.runs.review_queue import FAILED

Key = TypeVar("Key", bound=Hashable)


class Place(NamedTuple):
    """What is counted apart."""

    day: date
    flow: str
    model: str


@dataclass(slots=True)
class Tally:
    """Sums over some runs. `first_token_ms`: waiting and reading the prompt, of each run that got that far."""

    num_messages: int = 0
    people: set[Hashable] = field(default_factory=set)
    prompt_tokens: int = 0
    completion_tokens: int = 0
    completion_ms: int = 0
    first_token_ms: list[int] = field(default_factory=list)
    num_errors: int = 0
    num_good: int = 0
    num_bad: int = 0

    @property
    def num_people(self) -> int:
        """Accounts and guests, each once."""
        return len(self.people)

    @property
    def num_tokens(self) -> int:
        """Read and written."""
        return self.prompt_tokens + self.completion_tokens

    @property
    def tokens_per_s(self) -> float:
        """Speed of writing."""
        return self.completion_tokens * 1000 / self.completion_ms if self.completion_ms else 0.0

    @property
    def p50_ms(self) -> int:
        """Half of the first tokens came sooner."""
        return self._first_token_quantile(0.50)

    @property
    def p95_ms(self) -> int:
        """19 of 20 first tokens came sooner."""
        return self._first_token_quantile(0.95)

    def add(self, other: Tally) -> None:
        """Count all that another one has counted."""
        self.num_messages += other.num_messages
        self.people |= other.people
        self.prompt_tokens += other.prompt_tokens
        self.completion_tokens += other.completion_tokens
        self.completion_ms += other.completion_ms
        self.first_token_ms += other.first_token_ms
        self.num_errors += other.num_errors
        self.num_good += other.num_good
        self.num_bad += other.num_bad

    def _first_token_quantile(self, share: float) -> int:
        times = sorted(self.first_token_ms)
        return times[min(len(times) - 1, int(len(times) * share))] if times else 0


class Numbers:
    """The tallies of the last `days` days, today included."""

    def __init__(self, days: int) -> None:
        self.days = [timezone.localdate() - timedelta(days=ago) for ago in reversed(range(days))]
        self.tallies: defaultdict[Place, Tally] = defaultdict(Tally)
        since = timezone.make_aware(datetime.combine(self.days[0], time.min))
        self._count_runs(since)
        self._count_ratings(since)

    def total(self) -> Tally:
        """Everything."""
        return _merged(self.tallies.values())

    def by_day(self) -> list[tuple[date, Tally]]:
        """Every day, also those on which nothing happened, oldest first."""
        found = self._grouped(lambda place: place.day)
        return [(day, found.get(day) or Tally()) for day in self.days]

    def by_source(self) -> list[tuple[tuple[str, str], Tally]]:
        """By (flow, model), the busiest first."""
        found = self._grouped(lambda place: (place.flow, place.model))
        return sorted(found.items(), key=lambda pair: (-pair[1].num_messages, pair[0]))

    def _grouped(self, key_of: Callable[[Place], Key]) -> dict[Key, Tally]:
        groups: defaultdict[Key, Tally] = defaultdict(Tally)
        for place, tally in self.tallies.items():
            groups[key_of(place)].add(tally)
        return groups

    def _count_runs(self, since: datetime) -> None:
        """The database sums; it has no percentiles, so it hands over the times to the first token as lists."""
        person = Coalesce(_text("owner"), _text("guest_key"))
        rows = (
            Run.objects.filter(created_at__gte=since)
            .values_list(_local_day(), "conversation__flow__name", "model")
            .annotate(
                num_messages=Count("pk"),
                people=_JsonArray(person, distinct=True),
                prompt_tokens=Coalesce(Sum(_usage("prompt_tokens")), 0),
                completion_tokens=Coalesce(Sum(_usage("completion_tokens")), 0),
                completion_ms=Coalesce(Sum(_usage("completion_ms")), 0),
                first_token_ms=_JsonArray(
                    _usage("queued_ms") + _usage("prompt_ms"), filter=Q(usage__isnull=False)
                ),
                num_errors=Count("pk", filter=Q(status__in=FAILED)),
            )
        )
        for day, flow, model, num_messages, people, *sums in rows:
            self._at(day, flow, model).add(Tally(num_messages, set(people), *sums))

    def _count_ratings(self, since: datetime) -> None:
        last_run = Run.objects.filter(reply=OuterRef("message")).order_by("-pk").values("model")[:1]
        rows = (
            Feedback.objects.filter(created_at__gte=since)
            .values_list(_local_day(), "message__conversation__flow__name", Subquery(last_run))
            .annotate(
                num_good=Count("pk", filter=Q(rating=Feedback.Rating.UP)),
                num_bad=Count("pk", filter=Q(rating=Feedback.Rating.DOWN)),
            )
        )
        for day, flow, model, num_good, num_bad in rows:
            self._at(day, flow, model).add(Tally(num_good=num_good, num_bad=num_bad))

    def _at(self, day: str, flow: str | None, model: str | None) -> Tally:
        return self.tallies[Place(date.fromisoformat(day), flow or "", model or "")]


class _JsonArray(Aggregate):
    """All values of a group, as a list."""

    function = "json_group_array"
    allow_distinct = True
    output_field = JSONField()


def _local_day() -> Func:
    """As SQLite reckons it, in C, from the process's time zone, which Django sets; its own functions call Python
    for each row: for 100,000 runs they took 3.5 s instead of 0.7.
    """
    return Func("created_at", Value("localtime"), function="date", output_field=CharField())


def _usage(name: str) -> Func:
    return Func("usage", Value(f"$.{name}"), function="json_extract", output_field=IntegerField())


def _text(owner: str) -> Cast:
    """An account and a guest never look the same."""
    return Cast(f"conversation__{owner}", CharField())


def _merged(tallies: Iterable[Tally]) -> Tally:
    total = Tally()
    for tally in tallies:
        total.add(tally)
    return total
