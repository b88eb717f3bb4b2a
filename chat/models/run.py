"""Runs, each of which produces one reply, and the events that tell how."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from chat.domain.events import Numbered, UsageReported, event_from_dict
from chat.models.conversation import Conversation, Message


class RunStatus(models.TextChoices):
    """`queued -> running -> one of the four ends`, each end reached once."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    STOPPED = "stopped"
    INTERRUPTED = "interrupted"
    ERROR = "error"


LIVE = (RunStatus.QUEUED, RunStatus.RUNNING)


class Run(models.Model):
    """The making of one reply: which model, with what settings, how it went."""

    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="runs")
    reply = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="runs")
    status = models.CharField(max_length=12, choices=RunStatus.choices, default=RunStatus.QUEUED)
    model = models.CharField(max_length=200, blank=True)
    params = models.JSONField(default=dict)
    recipe = models.JSONField(
        default=dict, help_text="What the answer was made with: prompt, tools, sampling, seed, model file."
    )
    usage = models.JSONField(null=True, blank=True)
    finish_reason = models.CharField(max_length=12, blank=True)
    error_code = models.CharField(max_length=40, blank=True)
    error_message = models.TextField(blank=True)
    error_hint = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["conversation"], condition=Q(status__in=LIVE), name="one_live_run_per_conversation"
            )
        ]
        indexes = [
            models.Index(fields=["status"], condition=Q(status__in=LIVE), name="live_runs"),
            models.Index(fields=["created_at"], name="runs_by_time"),
        ]

    def __str__(self) -> str:
        return f"run {self.pk} ({self.status})"

    @property
    def is_live(self) -> bool:
        """Queued or running."""
        return self.status in LIVE

    @property
    def usage_report(self) -> UsageReported | None:
        """Token counts and times, once the run has ended."""
        return UsageReported(**self.usage) if self.usage else None


class LoggedEvent(models.Model):
    """One event of a run as it was sent: `seq` counts 1, 2, 3 without gaps."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="events")
    seq = models.PositiveIntegerField()
    kind = models.CharField(max_length=20)
    data = models.JSONField(default=dict)
    at_ms = models.PositiveIntegerField(help_text="Since the run was created.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "seq"], name="event_once")]

    def __str__(self) -> str:
        return f"{self.run_id}/{self.seq} {self.kind}"

    @property
    def numbered(self) -> Numbered:
        """The event as a value."""
        return Numbered(self.seq, event_from_dict(self.kind, self.data), self.at_ms)
