"""Weaves pictures into prompts: a mark in the rendered text, then the tokens that stand for the picture.

Chat templates are given the marks as words, as llama.cpp does: the model's own words around a picture come with it.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from chat.domain.messages import ChatMessage, ImagePart, Part, TextPart
from chat.engine.backend import Backend, ImageStretch
from chat.engine.prompt_trace import PromptSpan


@dataclass(slots=True)
class WovenTokens:
    """`stretches` say which of `token_ids` are none but stand for a picture.

    `marks` has, by the place of each picture's first token, its mark and the number of its tokens. `num_cells` is what
    all of it takes of the context.
    """

    token_ids: list[int] = field(default_factory=list)
    stretches: list[ImageStretch] = field(default_factory=list)
    num_cells: int = 0
    marks: dict[int, tuple[bytes, int]] = field(default_factory=dict)

    @property
    def ends_with_image(self) -> bool:
        """No next token can be chosen after that: its rows have no logits."""
        return bool(self.token_ids) and self.token_ids[-1] < 0

    def pieces(self, backend: Backend) -> list[bytes]:
        """The bytes of each token; a picture's last one has those of its mark."""
        pieces: list[bytes] = []
        while len(pieces) < len(self.token_ids):
            if mark := self.marks.get(len(pieces)):
                piece, length = mark
                pieces += [b""] * (length - 1) + [piece]
            else:
                pieces.append(backend.token_bytes(self.token_ids[len(pieces)]))
        return pieces


class PromptImages:
    """The pictures of one prompt, by their marks, which nobody can guess."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._secret = secrets.token_hex(8)
        self._by_mark: dict[str, ImagePart] = {}

    def mark(self, messages: Sequence[ChatMessage]) -> Sequence[ChatMessage]:
        """The messages with marks in place of pictures; with words, where the model does not see."""
        if not any(message.images for message in messages):
            return messages
        return [replace(message, parts=tuple(map(self._marked, message.parts))) for message in messages]

    def tokens(self, text: str) -> WovenTokens:
        """The tokens of the rendered prompt. Raises: InvalidInput for a picture that cannot be read."""
        woven = WovenTokens()
        pattern = "|".join(map(re.escape, self._by_mark))
        for part in re.split(f"({pattern})", text) if pattern else [text]:
            if image := self._by_mark.get(part):
                self._add_image(woven, image, part)
            elif part:
                tokenize = self._backend.tokenize_rest if woven.token_ids else self._backend.tokenize
                new = tokenize(part)
                woven.token_ids += new
                woven.num_cells += len(new)
        return woven

    def unmark(self, spans: Sequence[PromptSpan]) -> tuple[PromptSpan, ...]:
        """With words for people in place of the marks."""
        return tuple(replace(span, text=self._in_words(span.text)) for span in spans)

    def _marked(self, part: Part) -> Part:
        if not isinstance(part, ImagePart):
            return part
        if self._backend.vision is None:
            return TextPart(_words_for(part))
        mark = f"<__media_{self._secret}_{len(self._by_mark)}__>"
        self._by_mark[mark] = part
        return TextPart(mark)

    def _add_image(self, woven: WovenTokens, image: ImagePart, mark: str) -> None:
        assert self._backend.vision is not None, "there are no marks without vision"
        layout = self._backend.vision.layout(image)
        start = len(woven.token_ids)
        woven.marks[start] = mark.encode(), len(layout.token_ids)
        woven.stretches += [replace(stretch, start=start + stretch.start) for stretch in layout.stretches]
        woven.token_ids += layout.token_ids
        woven.num_cells += layout.num_cells

    def _in_words(self, text: str) -> str:
        for mark, image in self._by_mark.items():
            text = text.replace(mark, _words_for(image))
        return text


def _words_for(image: ImagePart) -> str:
    return f"[picture: {image.name}]"
