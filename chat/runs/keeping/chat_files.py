"""The files of an export: their names, and many of them as one .zip that is made as it is read."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator

from django.utils.text import slugify

from chat.models import Actor, Conversation
from chat.runs.keeping.chat_markdown import markdown_of

NAME_MAX_CHARS = 60


def all_of(actor: Actor) -> Iterator[Conversation]:
    """The actor's conversations, newest first, each read when its turn comes."""
    mine = Conversation.objects.visible_to(actor).kept()
    for pk in list(mine.order_by("-updated_at").values_list("pk", flat=True)):
        if found := mine.select_related("flow").filter(pk=pk).first():
            yield found


def file_stem(conversation: Conversation) -> str:
    """A name without anything that a file system or a shell could take for more; unique by the conversation's id."""
    return f"{slugify(conversation.title)[:NAME_MAX_CHARS].strip('-_') or 'chat'}-{conversation.pk.hex[:8]}"


def markdown_zip(conversations: Iterable[Conversation]) -> Iterator[bytes]:
    """The bytes of a .zip with a Markdown file for each."""
    out = _Pipe()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:  # type: ignore[call-overload]
        for conversation in conversations:
            with archive.open(f"{file_stem(conversation)}.md", "w") as file:
                for piece in markdown_of(conversation):
                    file.write(piece.encode(errors="replace"))
                    yield out.taken()
    yield out.taken()


class _Pipe:
    """What is written comes out at `taken`; without `seek`, `zipfile` writes straight on."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, piece: bytes) -> int:
        self._pieces.append(bytes(piece))
        return len(piece)

    def flush(self) -> None:
        pass

    def taken(self) -> bytes:
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)
