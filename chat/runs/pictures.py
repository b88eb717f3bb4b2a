"""The pictures of conversations: taken in, sent along with a question, shown to the model, copied by a fork."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from django.db import transaction
from django.db.models import Sum

from chat.domain.errors import InvalidInput
from chat.domain.messages import ChatMessage, ImagePart, Part
from chat.domain.params import GenerationRequest
from chat.models import Actor, Collection, Conversation, Message, Picture
from chat.retrieval.admission import check_may_fill
from chat.retrieval.pictures import check_count, read_picture

# About a thousand: each is made small before it is kept.
BYTES_PER_PERSON = 256 * 2**20


def add_picture(collection: Collection, filename: str, content: bytes, actor: Actor) -> Picture:
    """Have a picture read and keep what came of it. Blocks for a fraction of a second.

    Raises: NotFound when the collection is not the actor's, InvalidInput for what is no picture and for too many.
    """
    check_may_fill(collection, actor)
    image = read_picture(content, filename)
    with transaction.atomic():
        waiting = list(collection.pictures.waiting().values_list("pk", flat=True))
        check_count([*waiting, image])
        mine = Picture.objects.visible_to(actor)
        used_bytes = mine.aggregate(sum=Sum("num_bytes"))["sum"] or 0
        if used_bytes + len(image.data) > BYTES_PER_PERSON:
            raise InvalidInput(
                f"You may keep {BYTES_PER_PERSON // 2**20} MB of pictures.", hint="Delete old chats first."
            )
        picture: Picture = Picture.objects.create(
            collection=collection,
            name=image.name,
            width=image.width,
            height=image.height,
            num_bytes=len(image.data),
            data=image.data,
        )
    return picture


def waiting_pictures(conversation: Conversation) -> list[ImagePart]:
    """What goes along with the next question."""
    rows = Picture.objects.waiting().filter(collection__conversation=conversation).defer("data")
    return [picture.part for picture in rows]


def mark_sent(question: Message) -> None:
    """The pictures of the question wait no longer."""
    if ids := [image.id for image in question.images]:
        Picture.objects.waiting().filter(pk__in=ids).update(message=question)


def with_pictures(request: GenerationRequest, conversation: Conversation) -> GenerationRequest:
    """The request with the bytes of its pictures, of which messages hold the ids alone.

    Those of another person are left out, and those that are gone: an imported chat may name any.
    """
    ids = {image.id for message in request.messages for image in message.images if image.id}
    if not ids:
        return request
    rows = Picture.objects.of_owner(conversation).filter(pk__in=ids).values_list("pk", "data")
    data = {str(pk): bytes(content) for pk, content in rows}
    return replace(request, messages=tuple(_filled(message, data) for message in request.messages))


def copy_pictures(source: Conversation, copy: Conversation) -> None:
    """Give the copy's messages pictures of their own, which stay when the source is deleted."""
    collection = Collection.objects.filter(conversation=copy).first()
    for message in copy.messages.all():
        originals = Picture.objects.of_owner(source).in_bulk([image.id for image in message.images])
        if not originals:
            continue
        collection = collection or Collection.objects.create(
            conversation=copy, owner_id=copy.owner_id, guest_key=copy.guest_key
        )
        new_ids: dict[str, str] = {}
        for pk, picture in originals.items():
            picture.pk, picture._state.adding = None, True
            picture.collection, picture.message = collection, message
            picture.save()
            new_ids[str(pk)] = str(picture.pk)
        message.set_content(_renamed(part, new_ids) for part in message.content)
        message.save(update_fields=["parts"])


def _filled(message: ChatMessage, data: Mapping[str, bytes]) -> ChatMessage:
    parts = tuple(
        replace(part, data=data.get(part.id, b"")) if isinstance(part, ImagePart) else part
        for part in message.parts
    )
    return replace(message, parts=parts)


def _renamed(part: Part, new_ids: Mapping[str, str]) -> Part:
    return replace(part, id=new_ids.get(part.id, "")) if isinstance(part, ImagePart) else part
