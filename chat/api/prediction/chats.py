"""Stored chats by the names that clients give them. Each loader carries the access rule."""

from __future__ import annotations

import threading
import uuid
from dataclasses import dataclass
from typing import Any

from django.db import connections
from django.db.models import Q
from django.http import HttpRequest
from django.utils.crypto import salted_hmac

from chat.api.prediction.parse import Prediction, prediction_of
from chat.domain.errors import Conflict, InvalidInput, NotFound
from chat.http.auth import Caller, caller_for
from chat.http.rate_limits import client_address
from chat.models import Actor, Conversation, Flow, Run
from chat.runs.service import Chat
from chat.runs.titles import title_from
from chat.runtime import get_runtime

MAX_KEY_CHARS = 255
_IDEMPOTENT = uuid.UUID("a51c3f0e-1f0e-4f0b-8a86-6f6f6f1b7d02")

# Finding a chat and beginning it are two steps: two first questions at once must not make two chats of one name.
_beginning = threading.Lock()


@dataclass(frozen=True, slots=True)
class Turn:
    """A question and its answer as clients know them. `message_id` names the answer, and the run that writes it."""

    run_id: int
    chat_id: str
    session_id: str
    message_id: str
    question: str
    form: dict[str, Any]

    @classmethod
    def of(cls, run: Run) -> Turn:
        """Touches the database unless conversation and reply are loaded."""
        conversation, parent = run.conversation, run.reply.parent
        chat_id = chat_id_of(conversation)
        question = run.params.get("question")
        if question is None:
            question = parent.text if parent else ""
        return cls(
            run_id=run.pk,
            chat_id=chat_id,
            session_id=conversation.session_id or chat_id,
            message_id=str(run.reply.key),
            question=question,
            form=run.params.get("form", {}),
        )


@dataclass(frozen=True, slots=True)
class _Asked:
    """A prediction with its chat and its asker; `key` finds a repeated request again."""

    prediction: Prediction
    flow: Flow
    caller: Caller
    chat_id: str
    key: uuid.UUID


def chat_id_of(conversation: Conversation) -> str:
    """The name under which clients go on with it; conversations of the page go by their id."""
    return conversation.chat_id or str(conversation.pk)


def chat_for(actor: Actor, flow: Flow, chat_id: str) -> Conversation | None:
    """The actor's chat of that name in the flow."""
    named = Q(chat_id=chat_id)
    if pk := uuid_in(chat_id):
        named |= Q(chat_id="", pk=pk)
    chats = Conversation.objects.kept().visible_to(actor).filter(named, flow=flow)
    found: Conversation | None = chats.order_by("-updated_at").first() if chat_id else None
    return found


def turn_for(request: HttpRequest, flow: Flow, run_id: str) -> Turn:
    """The run that writes the answer `run_id`: with a key one of its person's; without, where the flow is open, one of
    a guest, who alone was told this random id.

    Raises: NotFound, Unauthorized, NotAllowed, RateLimited.
    """
    caller = caller_for(request, flow, "")
    runs = Run.objects.select_related("conversation", "reply__parent").filter(
        conversation__flow=flow, conversation__deleted_at__isnull=True, reply__key=uuid_of(run_id)
    )
    owner = caller.actor.user
    mine = runs.filter(conversation__owner=owner) if owner else runs.filter(conversation__owner__isnull=True)
    run = mine.order_by("pk").first()
    if run is None:
        raise NotFound(f"Run {run_id[:100]} not found in the database!")
    return Turn.of(run)


def begin_turn(request: HttpRequest, flow: Flow) -> tuple[Prediction, Turn]:
    """Read the request, store its question and begin the answer. The same Idempotency-Key again finds the first run.

    Raises: ChatError of any kind; nothing is stored then.
    """
    caller = caller_for(request, flow, "")
    prediction = prediction_of(request)
    idempotency_key = _idempotency_key(request)
    chat_id = prediction.chat_id
    if caller.key is None:
        chat_id = chat_id or _chat_id_of_guest(request, prediction, idempotency_key)
        caller = caller_for(request, flow, chat_id)
    scope = f"{caller.name}:{flow.pk}:{idempotency_key}"
    key = uuid.uuid5(_IDEMPOTENT, scope) if idempotency_key else uuid.uuid4()
    asked = _Asked(prediction, flow, caller, chat_id, key)
    turn = _repeated(asked) or _begin(asked)
    connections.close_all()  # an answer may take minutes
    return prediction, turn


def uuid_in(text: str) -> uuid.UUID | None:
    """The UUID that is written there."""
    try:
        return uuid.UUID(text)
    except ValueError:
        return None


def uuid_of(text: str) -> uuid.UUID:
    """The UUID that is written there; for other text one that nothing has."""
    return uuid_in(text) or uuid.UUID(int=0)


def _idempotency_key(request: HttpRequest) -> str:
    key = request.headers.get("Idempotency-Key", "")
    if len(key) > MAX_KEY_CHARS:
        raise InvalidInput(f"Idempotency-Key must have at most {MAX_KEY_CHARS} characters.")
    return key


def _chat_id_of_guest(request: HttpRequest, prediction: Prediction, idempotency_key: str) -> str:
    """A new name, or with an Idempotency-Key the same for the same question from the same address: nobody else can
    guess it.
    """
    if not idempotency_key:
        return str(uuid.uuid4())
    address = client_address(request)
    secret = salted_hmac("chat.prediction", f"{address}\n{idempotency_key}\n{prediction.fingerprint}")
    return str(uuid.UUID(bytes=secret.digest()[:16]))


def _repeated(asked: _Asked) -> Turn | None:
    """The turn of a request that was made before. Raises: Conflict when its key was used for another question."""
    mine = Conversation.objects.visible_to(asked.caller.actor)
    runs = Run.objects.select_related("conversation", "reply__parent")
    run = runs.filter(reply__parent__key=asked.key, conversation__in=mine).order_by("pk").first()
    if run is None:
        return None
    if run.params.get("fingerprint") != asked.prediction.fingerprint:
        raise Conflict("This Idempotency-Key was used for another request.", hint="Use a new key.")
    return Turn.of(run)


def _begin(asked: _Asked) -> Turn:
    with _beginning:
        chat = chat_for(asked.caller.actor, asked.flow, asked.chat_id)
        try:
            run = _go_on(asked, chat) if chat else _start(asked)
        except Conflict as exc:
            raise Conflict(
                "An answer is still being written in this chat.", hint="Wait for it to finish, or abort it."
            ) from exc
    return Turn.of(run)


def _start(asked: _Asked) -> Run:
    """A new chat. Its title tells the question, not the files before it."""
    prediction = asked.prediction
    chat_id = asked.chat_id or str(uuid.uuid4())
    run = get_runtime().runs.start_conversation(
        asked.caller.actor,
        prediction.text,
        key=asked.key,
        flow=asked.flow,
        chat=Chat(chat_id, prediction.session_id or chat_id, prediction.history),
        params=_params(asked),
    )
    if prediction.files and prediction.question.strip():
        Conversation.objects.filter(pk=run.conversation_id).update(title=title_from(prediction.question))
    return run


def _go_on(asked: _Asked, chat: Conversation) -> Run:
    """The next question; what was said before is stored, so that a `history` sent again is left alone."""
    return get_runtime().runs.post_message(chat, asked.prediction.text, key=asked.key, params=_params(asked))


def _params(asked: _Asked) -> dict[str, Any]:
    conf = get_runtime().conf
    flow_prompt = asked.flow.system_prompt or conf.system_prompt
    params = asked.prediction.override.params(flow_prompt, conf.params.max_tokens)
    return params | asked.prediction.notes
