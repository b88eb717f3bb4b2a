"""What happened on the server in the last days, counted: by day, and by who answered (flow and model)."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any, NamedTuple, TypeVar

from django.db.models import OuterRef, Subquery
from django.utils import timezone

from chat.models import Feedback, Flow, Run
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

    def add_run(self, status: str, usage: dict[str, Any] | None, person: Hashable) -> None:
        """Count a run."""
        self.num_messages += 1
        self.people.add(person)
        self.num_errors += status in FAILED
        if usage:
            self.prompt_tokens += usage["prompt_tokens"]
            self.completion_tokens += usage["completion_tokens"]
            self.completion_ms += usage["completion_ms"]
            self.first_token_ms.append(usage["queued_ms"] + usage["prompt_ms"])

    def add_rating(self, rating: str) -> None:
        """Count a thumb."""
        self.num_good += rating == Feedback.Rating.UP
        self.num_bad += rating == Feedback.Rating.DOWN

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
        self._flows: dict[uuid.UUID | None, str] = dict(Flow.objects.values_list("pk", "name"))
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
        """One query; the sums are made here, because SQLite has no percentiles."""
        rows = Run.objects.filter(created_at__gte=since).values_list(
            "created_at",
            "model",
            "status",
            "usage",
            "conversation__flow",
            "conversation__owner",
            "conversation__guest_key",
        )
        for created_at, model, status, usage, flow_id, owner_id, guest_key in rows.iterator(chunk_size=5_000):
            self._at(created_at, flow_id, model).add_run(status, usage, owner_id or guest_key)

    def _count_ratings(self, since: datetime) -> None:
        last_run = Run.objects.filter(reply=OuterRef("message")).order_by("-pk").values("model")[:1]
        rows = Feedback.objects.filter(created_at__gte=since).annotate(model=Subquery(last_run))
        for created_at, model, rating, flow_id in rows.values_list(
            "created_at", "model", "rating", "message__conversation__flow"
        ):
            self._at(created_at, flow_id, model).add_rating(rating)

    def _at(self, moment: datetime, flow_id: uuid.UUID | None, model: str | None) -> Tally:
        return self.tallies[Place(timezone.localdate(moment), self._flows.get(flow_id, ""), model or "")]


def _merged(tallies: Iterable[Tally]) -> Tally:
    total = Tally()
    for tally in tallies:
        total.add(tally)
    return total
