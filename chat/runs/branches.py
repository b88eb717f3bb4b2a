"""What shapes a conversation without asking the model: other versions of an answer, which branch is shown, forks."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from chat.domain.errors import Conflict, InvalidInput
from chat.domain.messages import TextPart
from chat.models import Actor, Collection, Conversation, LoggedEvent, Message, Placement
from chat.models.conversation import TITLE_MAX_CHARS
from chat.models.run import LIVE
from chat.runs.message_words import index_messages
from chat.runs.pictures import copy_pictures

# The events that a page shows of an ended run; a fork takes them along.
NOTES = ("history_trimmed", "sources_found")


def edit_answer(reply: Message, text: str) -> Message:
    """The answer in a person's words, beside the model's, which stays; the branch with it is shown.

    Raises: Conflict while an answer is being written, InvalidInput for an empty text or a message that is no answer.
    """
    if reply.is_question:
        raise InvalidInput("Only an answer can be changed this way.")
    text = text.strip().replace("\x00", "")
    if not text:
        raise InvalidInput("The answer is empty.", hint="Write something first.")
    with transaction.atomic():
        _check_is_quiet(reply.conversation)
        edited = Message(conversation=reply.conversation, parent_id=reply.parent_id, role=reply.role)
        edited.set_content([TextPart(text)])
        edited.save()
        index_messages([edited])
        _show(reply.conversation, edited.pk)
    return edited


def show_version(message: Message) -> None:
    """Show the branch through this message, as far as it was last followed.

    Raises: Conflict while an answer is being written.
    """
    conversation = message.conversation
    _check_is_quiet(conversation)
    _show(conversation, leaf_through(conversation, message.pk))


def leaf_through(conversation: Conversation, message_id: int) -> int:
    """Where the branch through this message ends, as far as it was last followed. One query."""
    rows = conversation.messages.order_by("pk").values_list("parent_id", "pk")
    newest_child: dict[int | None, int] = dict(rows)
    leaf_id = message_id
    while (child := newest_child.pop(leaf_id, None)) is not None:
        leaf_id = child
    return leaf_id


def fork(message: Message, actor: Actor) -> Conversation:
    """A new conversation of the actor's that begins with a copy of all up to this message, and its documents."""
    source = message.conversation
    with transaction.atomic():
        copy = Conversation.objects.create(
            title=f"{source.title[: TITLE_MAX_CHARS - 7]} (fork)",
            model=source.model,
            flow=source.flow,
            system_prompt=source.system_prompt,
            params=source.params,
            updated_at=timezone.now(),
            **actor.ownership,
        )
        copied: Message | None = None
        for original in source.messages_by_ids(source.path_ids(to=message.pk)):
            copied = Message.objects.create(
                conversation=copy, parent=copied, role=original.role, parts=original.parts
            )
            index_messages([copied])
            _copy_last_run(original, copied)
        copy.leaf = copied
        copy.save(update_fields=["leaf"])
        _copy_documents(source, copy, actor)
        copy_pictures(source, copy)
    return copy


def _check_is_quiet(conversation: Conversation) -> None:
    if conversation.runs.filter(status__in=LIVE).exists():
        raise Conflict("An answer is still being written in this conversation.", hint="Stop it, or wait.")


def _show(conversation: Conversation, leaf_id: int) -> None:
    conversation.leaf_id = leaf_id
    conversation.save(update_fields=["leaf"])


def _copy_last_run(original: Message, copied: Message) -> None:
    """So that the copy tells its model, its counts and its sources, too."""
    run = original.runs.exclude(status__in=LIVE).order_by("-pk").first()
    if run is None:
        return
    notes = list(LoggedEvent.objects.filter(run=run, kind__in=NOTES))
    run.pk, run._state.adding = None, True
    run.conversation, run.reply = copied.conversation, copied
    run.save()
    for note in notes:
        note.pk, note._state.adding, note.run = None, True, run
    LoggedEvent.objects.bulk_create(notes)


def _copy_documents(source: Conversation, copy: Conversation, actor: Actor) -> None:
    placed = list(
        Placement.objects.filter(collection__conversation=source).values_list("document", flat=True)
    )
    if placed:
        collection = Collection.objects.create(conversation=copy, **actor.ownership)
        Placement.objects.bulk_create(Placement(collection=collection, document_id=pk) for pk in placed)
