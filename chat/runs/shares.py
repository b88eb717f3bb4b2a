"""Sharing: links to a frozen copy of a conversation or to the conversation as it goes on, and copies for viewers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.contrib.auth.hashers import make_password
from django.db import transaction
from django.utils import timezone

from chat.domain.errors import Conflict
from chat.domain.messages import part_to_dict
from chat.models import Actor, Conversation, Message, Run, ShareLink
from chat.models.run import LIVE
from chat.runs.message_words import index_messages
from chat.runs.shared_chat import NO_EXTRAS, Extras, SharedChat, shown_branch


@dataclass(frozen=True, slots=True)
class LinkTerms:
    """What the owner wishes for a link; without `lifetime` it stays open until it is revoked."""

    is_live: bool = False
    extras: Extras = NO_EXTRAS
    lifetime: timedelta | None = None
    password: str = ""


def create_link(conversation: Conversation, terms: LinkTerms) -> ShareLink:
    """A new link to the branch on show.

    Raises: Conflict for a conversation in which nothing has been said.
    """
    if conversation.leaf is None:
        raise Conflict("There is nothing to share yet.", hint="Ask something first.")
    frozen = {} if terms.is_live else shown_branch(conversation, terms.extras).to_dict()
    return ShareLink.objects.create(
        conversation=conversation,
        leaf=conversation.leaf,
        is_live=terms.is_live,
        snapshot=frozen,
        shows_tools=terms.extras.tools,
        shows_sources=terms.extras.sources,
        password=make_password(terms.password) if terms.password else "",
        expires_at=timezone.now() + terms.lifetime if terms.lifetime else None,
    )


def revoke(link: ShareLink) -> None:
    """From now on it leads nowhere, also for those who have it open."""
    ShareLink.objects.filter(pk=link.pk, revoked_at=None).update(revoked_at=timezone.now())


def extras_of(link: ShareLink) -> Extras:
    """What the owner has ticked."""
    return Extras(link.shows_tools, link.shows_sources)


def shared_chat(link: ShareLink) -> SharedChat:
    """What stands behind an open link: the copy, or the branch that its owner has on show now."""
    if link.is_live:
        return shown_branch(link.conversation, extras_of(link))
    return SharedChat.from_dict(link.snapshot)


def live_run(link: ShareLink) -> Run | None:
    """The answer that the viewers of a live link can watch being written."""
    if not link.is_live:
        return None
    live = link.conversation.runs.filter(status__in=LIVE, reply=link.conversation.leaf_id)
    return live.select_related("reply").first()


def copy_for(actor: Actor, link: ShareLink) -> Conversation:
    """A conversation of the actor's with what the link shows, and nothing else of its owner's: to go on with."""
    chat = shared_chat(link)
    with transaction.atomic():
        copy = Conversation.objects.create(title=chat.title, updated_at=timezone.now(), **actor.ownership)
        for shared in chat.messages:
            copy.leaf = Message.objects.create(
                conversation=copy,
                parent=copy.leaf,
                role=shared.role,
                parts=[part_to_dict(part) for part in shared.parts],
            )
            index_messages([copy.leaf])
        copy.save(update_fields=["leaf"])
    return copy
