"""Runs of stored conversations: their task comes from rows, and what they came to goes back into them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from django.utils import timezone

from chat.conf import ChatConf
from chat.domain.errors import Interrupted
from chat.domain.events import RunFailed, RunFinished, SourcesFound, Terminal
from chat.domain.reply import ReplyBuilder
from chat.models import Collection, Conversation, LoggedEvent, Message, Run, RunStatus
from chat.models.flow import changed_params
from chat.models.run import LIVE
from chat.runs.message_words import index_messages
from chat.runs.pictures import with_pictures
from chat.runs.prompt import build_request, history_of
from chat.runs.recipe import RecipeWriter, with_seed
from chat.runs.sources import Search, search_for
from chat.runs.task import Task
from chat.tools.host import ToolHost


@dataclass(frozen=True, slots=True)
class StoredRun:
    """One row of `Run` as the runner sees it."""

    run_id: int
    conf: ChatConf
    tools: ToolHost
    recipes: RecipeWriter

    def load(self) -> Task:
        """Gather the task: the server's settings, then the flow's, the conversation's, and the run's own."""
        run = Run.objects.select_related("conversation__flow", "reply").get(pk=self.run_id)
        flow, history = run.conversation.flow, history_of(run)
        params = flow.sampling(self.conf.params) if flow else self.conf.params
        params = changed_params(params, run.conversation.params)
        flow_prompt = run.conversation.system_prompt or (flow.system_prompt if flow else "")
        request = build_request(
            history,
            system_prompt=run.params.get("system_prompt") or flow_prompt or self.conf.system_prompt,
            params=with_seed(changed_params(params, run.params.get("sampling", {}))),
            tools=self.tools.specs(flow.tools if flow else None),
            scope=run.conversation.scope,
        )
        return Task(
            with_pictures(request, run.conversation),
            run.model,
            written=run.reply.content,
            search=_search_for(run, history),
            can_ask=not run.conversation.chat_id,
        )

    def begin(self, task: Task) -> Callable[[], None]:
        """What marks the run as begun and writes down what it is made with.

        To be called in the transaction that stores its first event: a commit costs milliseconds.
        """
        recipe = self.recipes.recipe_of(task).to_dict()

        def mark() -> None:
            Run.objects.filter(pk=self.run_id, status=RunStatus.QUEUED).update(
                status=RunStatus.RUNNING, started_at=timezone.now(), recipe=recipe
            )

        return mark

    def save(self, reply: ReplyBuilder, end: Terminal) -> None:
        """See `save_end`."""
        save_end(self.run_id, reply, end)


def _search_for(run: Run, history: Sequence[Message]) -> Search | None:
    """In the conversation's own documents and its flow's; None when there are none."""
    conversation, questions = run.conversation, [message.text for message in history if message.is_question]
    own = Collection.objects.filter(conversation=conversation, placements__isnull=False)
    collection_ids = list(own.values_list("pk", flat=True).distinct())
    if conversation.flow and conversation.flow.collection_id:
        collection_ids.append(conversation.flow.collection_id)
    return search_for(collection_ids, questions, _known_sources(run) if run.reply.parts else None)


def _known_sources(run: Run) -> SourcesFound | None:
    """What the last run of the same reply found: an answer that goes on keeps its numbers."""
    logged = LoggedEvent.objects.filter(run__reply=run.reply_id, kind="sources_found").order_by("-pk").first()
    event = logged.numbered.event if logged else None
    return event if isinstance(event, SourcesFound) else None


def save_end(run_id: int, reply: ReplyBuilder, end: Terminal) -> None:
    """Write what the run came to into its rows. Called in the transaction that stores the last event."""
    run = Run.objects.select_related("reply__conversation").filter(pk=run_id, status__in=LIVE).first()
    if run is None:  # deleted, or ended by another process
        return
    run.status = status_after(end)
    run.model = reply.model or run.model
    run.finished_at = timezone.now()
    run.usage = asdict(reply.usage) if reply.usage else None
    if isinstance(end, RunFinished):
        run.finish_reason = end.reason
    else:
        run.error_code, run.error_message, run.error_hint = end.code, end.message, end.hint
    run.save()
    if reply.parts:  # a Continue that failed before it wrote anything leaves the text of the earlier runs
        run.reply.set_content(reply.parts)
        run.reply.save(update_fields=["parts"])
        index_messages([run.reply])
    Conversation.objects.filter(pk=run.conversation_id).update(updated_at=run.finished_at, is_unread=True)


def status_after(end: Terminal) -> RunStatus:
    """Which of the four ends this is."""
    match end:
        case RunFinished(reason="stopped"):
            return RunStatus.STOPPED
        case RunFinished():
            return RunStatus.DONE
        case RunFailed(code=Interrupted.code):
            return RunStatus.INTERRUPTED
        case RunFailed():
            return RunStatus.ERROR
