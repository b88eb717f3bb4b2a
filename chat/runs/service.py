"""RunService: the only door for views. Each verb is one short transaction; the run begins when it has committed."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from chat.conf import ChatConf
from chat.domain.errors import Conflict, InvalidInput
from chat.domain.messages import ChatMessage, ImagePart, TextPart
from chat.models import Actor, Collection, Conversation, Flow, Message, Run
from chat.models.conversation import MODEL_MAX_CHARS, TITLE_MAX_CHARS
from chat.models.run import LIVE
from chat.runs.approvals import Approvals
from chat.runs.message_words import index_messages
from chat.runs.pictures import mark_sent, waiting_pictures
from chat.runs.pool import RunPool
from chat.runs.titles import title_from

MAX_MESSAGE_CHARS = 100_000
UNDO_WINDOW = timedelta(days=7)

# Names the conversation that a repeated first post must find again.
_FIRST_POST = uuid.UUID("5b1c7a0e-6a55-4d0c-9f0e-2f2f3d6f5a10")


@dataclass(frozen=True, slots=True)
class Chat:
    """A conversation as a program names it, and what was said in it before Parley knew of it."""

    id: str = ""
    session_id: str = ""
    history: tuple[ChatMessage, ...] = ()


@dataclass(frozen=True, slots=True)
class RunService:
    """Posts, retries, continues, stops; every method raises ChatError with words for the user."""

    pool: RunPool
    conf: ChatConf
    approvals: Approvals

    def start_conversation(
        self,
        actor: Actor,
        text: str,
        *,
        key: uuid.UUID,
        model: str = "",
        flow: Flow | None = None,
        chat: Chat | None = None,
        documents: Collection | None = None,
        params: Mapping[str, Any] | None = None,
    ) -> Run:
        """A new conversation with its first message. The same actor and key again find the same run.

        `flow` answers from now on; `chat` is how a program calls the conversation; `documents` were attached before
        it began and become its own; `params` as in `post_message`.
        """
        text, model = _checked_text(text), _checked_model(model or (flow.model if flow else ""))
        chat = chat or Chat()
        pk = uuid.uuid5(_FIRST_POST, f"{actor.scope}:{key}")
        if existing := Conversation.objects.visible_to(actor).filter(pk=pk).first():
            return self.post_message(existing, text, key=key)
        self.pool.check_room()
        try:
            with _one_answer_at_a_time():
                conversation = Conversation.objects.create(
                    pk=pk,
                    title=title_from(text),
                    model=model,
                    flow=flow,
                    chat_id=chat.id,
                    session_id=chat.session_id,
                    updated_at=timezone.now(),
                    **actor.ownership,
                )
                self._add_history(conversation, chat.history)
                if documents:
                    Collection.objects.filter(pk=documents.pk, conversation=None).update(
                        conversation=conversation
                    )
                pictures = waiting_pictures(conversation) if documents else []
                return self._post(conversation, conversation.leaf_id, text, key, model, params, pictures)
        except Conflict:  # perhaps the same post twice at the same moment
            if run := self._run_of_key(pk, key):
                return run
            raise

    def post_message(
        self,
        conversation: Conversation,
        text: str,
        *,
        key: uuid.UUID,
        model: str = "",
        params: Mapping[str, Any] | None = None,
    ) -> Run:
        """A message at the end of the shown branch. The same key again finds the same run.

        `model` answers from now on; "" keeps the conversation's. `params` are changes for this answer alone:
        "sampling" (fields of `SamplingParams`) and "system_prompt".

        Raises: Conflict while an answer is being written, InvalidInput, Overloaded.
        """

        def newest() -> int | None:
            conversation.refresh_from_db(
                fields=["leaf"]
            )  # another tab may have posted since the page was made
            return conversation.leaf_id

        return self._posted(
            conversation,
            _checked_text(text),
            key,
            model,
            params,
            newest,
            lambda: waiting_pictures(conversation),
        )

    def edit_question(
        self,
        question: Message,
        text: str,
        *,
        key: uuid.UUID,
        model: str = "",
        params: Mapping[str, Any] | None = None,
    ) -> Run:
        """The question in other words, with its pictures, beside the old one, which stays with all that followed.

        See `post_message`.

        Raises: Conflict while an answer is being written, InvalidInput, also when it is no question, Overloaded.
        """
        if not question.is_question:
            raise InvalidInput("Only a question can be asked in other words.")
        conversation = question.conversation
        return self._posted(
            conversation,
            _checked_text(text),
            key,
            model,
            params,
            lambda: question.parent_id,
            lambda: question.images,
        )

    def regenerate(self, reply: Message, *, model: str = "", params: Mapping[str, Any] | None = None) -> Run:
        """Another answer to the same question, beside the old one, which stays. See `post_message`.

        Raises: Conflict while an answer is being written, InvalidInput when `reply` is no answer, Overloaded.
        """
        _check_is_reply(reply)
        self.pool.check_room()
        with _one_answer_at_a_time():
            sibling = Message.objects.create(
                conversation=reply.conversation, parent=reply.parent, role=Message.Role.ASSISTANT
            )
            return self._begin(sibling, _checked_model(model), params)

    def continue_message(self, reply: Message, *, model: str = "") -> Run:
        """Go on where the answer stopped; its text stays and grows. `model` as in `post_message`.

        Raises: Conflict while an answer is being written, InvalidInput when `reply` is no answer, Overloaded.
        """
        _check_is_reply(reply)
        self.pool.check_room()
        with _one_answer_at_a_time():
            return self._begin(reply, _checked_model(model))

    def cancel(self, run: Run) -> None:
        """Stop the run; its text stays. Does nothing for one that has ended."""
        self.pool.cancel(run.pk)

    def answer_approval(self, run: Run, call_id: str, *, is_allowed: bool) -> None:
        """A person's word on a call that waits for it.

        Raises: NotFound when the run does not ask this (any more), Conflict when it was answered before.
        """
        self.approvals.answer(run.pk, call_id, is_allowed=is_allowed)

    def rename(self, conversation: Conversation, title: str) -> None:
        """Raises: InvalidInput for an empty or too long title."""
        title = " ".join(title.split())
        if not title:
            raise InvalidInput("A title needs at least one character.")
        if len(title) > TITLE_MAX_CHARS:
            raise InvalidInput(
                f"A title has at most {TITLE_MAX_CHARS} characters; this one has {len(title)}."
            )
        conversation.title = title
        conversation.save(update_fields=["title"])

    def delete(self, conversation: Conversation) -> None:
        """Stop what runs and put the conversation aside; `restore` brings it back within `UNDO_WINDOW`."""
        for run in conversation.runs.filter(status__in=LIVE):
            self.cancel(run)
        conversation.deleted_at = timezone.now()
        conversation.save(update_fields=["deleted_at"])

    def restore(self, conversation: Conversation) -> None:
        """Undo a deletion."""
        conversation.deleted_at = None
        conversation.save(update_fields=["deleted_at"])

    def purge_deleted(self) -> int:
        """Remove for good what was deleted longer ago than `UNDO_WINDOW`; returns how many conversations."""
        old = Conversation.objects.filter(deleted_at__lt=timezone.now() - UNDO_WINDOW)
        num_conversations = old.count()
        old.exclude(runs__status__in=LIVE).delete()
        return num_conversations

    def _add_history(self, conversation: Conversation, history: Sequence[ChatMessage]) -> None:
        """Turns that took place elsewhere."""
        for turn in history:
            role = Message.Role.USER if turn.role == "user" else Message.Role.ASSISTANT
            message = Message(conversation=conversation, parent=conversation.leaf, role=role)
            message.set_content(turn.parts)
            message.save()
            index_messages([message])
            conversation.leaf = message
        if history:
            conversation.save(update_fields=["leaf"])

    def _posted(
        self,
        conversation: Conversation,
        text: str,
        key: uuid.UUID,
        model: str,
        params: Mapping[str, Any] | None,
        parent_id: Callable[[], int | None],
        pictures: Callable[[], Sequence[ImagePart]],
    ) -> Run:
        model = _checked_model(model)
        if run := self._run_of_key(conversation.pk, key):
            return run
        self.pool.check_room()
        try:
            with _one_answer_at_a_time():
                return self._post(conversation, parent_id(), text, key, model, params, pictures())
        except Conflict:  # perhaps the same post twice at the same moment
            if run := self._run_of_key(conversation.pk, key):
                return run
            raise

    def _post(
        self,
        conversation: Conversation,
        parent_id: int | None,
        text: str,
        key: uuid.UUID,
        model: str,
        params: Mapping[str, Any] | None,
        pictures: Sequence[ImagePart],
    ) -> Run:
        question = Message(conversation=conversation, parent_id=parent_id, role=Message.Role.USER, key=key)
        question.set_content([*pictures, TextPart(text)])
        question.save()
        mark_sent(question)
        index_messages([question])
        reply = Message.objects.create(
            conversation=conversation, parent=question, role=Message.Role.ASSISTANT
        )
        return self._begin(reply, model, params)

    def _begin(self, reply: Message, model: str, params: Mapping[str, Any] | None = None) -> Run:
        conversation = reply.conversation
        conversation.model = model or conversation.model
        run = Run.objects.create(
            conversation=conversation, reply=reply, model=conversation.model, params=dict(params or {})
        )
        conversation.leaf = reply
        conversation.updated_at = timezone.now()
        conversation.save(update_fields=["leaf", "model", "updated_at"])
        transaction.on_commit(lambda: self.pool.submit(run))
        return run

    def _run_of_key(self, conversation_id: uuid.UUID, key: uuid.UUID) -> Run | None:
        return Run.objects.filter(reply__parent__conversation=conversation_id, reply__parent__key=key).first()


def _checked_text(text: str) -> str:
    text = text.strip().replace("\x00", "")
    if not text:
        raise InvalidInput("The message is empty.", hint="Write something first.")
    if len(text) > MAX_MESSAGE_CHARS:
        raise InvalidInput(
            f"The message has {len(text):,} characters; at most {MAX_MESSAGE_CHARS:,} are allowed.",
            hint="Send it in several messages.",
        )
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidInput("The message holds a broken character.", hint="Type or paste it again.") from None
    return text


def _checked_model(name: str) -> str:
    """Whether there is such a model shows when the run begins: files come and go."""
    if len(name) > MODEL_MAX_CHARS:
        raise InvalidInput("There is no model with such a long name.", hint="Choose another model.")
    return name


def _check_is_reply(message: Message) -> None:
    if message.role != Message.Role.ASSISTANT or message.parent_id is None:
        raise InvalidInput("Only an answer can be written again or continued.")


@contextmanager
def _one_answer_at_a_time() -> Iterator[None]:
    """A transaction in which the database refuses a second live run. Raises: Conflict."""
    try:
        with transaction.atomic():
            yield
    except IntegrityError as exc:
        raise Conflict("An answer is still being written in this conversation.") from exc
