"""Markdown on the page: of an answer that is being written, and of one that has ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import ClassVar

from django.utils.safestring import SafeString

from chat.web.markdown import NO_CITATIONS, Citations, MarkdownStream, cited_numbers, render


class Prose:
    """Markdown as HTML blocks: those that will not change any more, and the one that is still open.

    Rendered when looked at: a reader who comes late costs one rendering, not one for each event.
    """

    def __init__(self, citations: Citations = NO_CITATIONS) -> None:
        self.text = ""
        self.is_open = True
        self.num_recitings = 0
        self._citations = citations
        self._num_rendered = 0
        self._stream = MarkdownStream(citations)

    def feed(self, text: str) -> None:
        """Take in more text."""
        self.text += text

    def cite(self, citations: Citations) -> None:
        """There are other passages now. `num_recitings` counts how often that changed what is written already."""
        is_affected = not cited_numbers(self.text).isdisjoint(_changed_numbers(self._citations, citations))
        self._citations = self._stream.citations = citations
        if not is_affected:
            return
        self.num_recitings += 1
        self._num_rendered = 0
        self._stream = MarkdownStream(citations)
        if not self.is_open:
            self._finish()

    def close(self) -> None:
        """Nothing follows: what is open is finished as it stands."""
        if self.is_open:
            self._finish()
            self.is_open = False

    @property
    def blocks(self) -> list[SafeString]:
        """What will not change any more."""
        self._catch_up()
        return [_rendered(self.text, self._citations)] if self.is_rewritten else self._stream.finished

    @property
    def is_rewritten(self) -> bool:
        """Closed, and links in it came to life by what was defined only after them."""
        return not self.is_open and self._stream.has_late_links

    @property
    def open_block(self) -> SafeString:
        """What may still change; "" once closed."""
        self._catch_up()
        return self._stream.open

    def _finish(self) -> None:
        self._catch_up()
        self._stream.finish()

    def _catch_up(self) -> None:
        if self._num_rendered < len(self.text):
            self._stream.feed(self.text[self._num_rendered :])
            self._num_rendered = len(self.text)


@dataclass(slots=True)
class StoredProse:
    """The Markdown of a reply that has ended."""

    text: str
    citations: Citations = field(default_factory=dict)
    is_open: ClassVar[bool] = False
    is_rewritten: ClassVar[bool] = False
    num_recitings: ClassVar[int] = 0
    open_block: ClassVar[str] = ""

    def cite(self, citations: Citations) -> None:
        """There are other passages now."""
        self.citations = citations

    @property
    def blocks(self) -> list[SafeString]:
        """The whole in one piece."""
        return [_rendered(self.text, self.citations)]


def _changed_numbers(old: Citations, new: Citations) -> set[int]:
    return {number for number in old.keys() | new.keys() if old.get(number) != new.get(number)}


def _rendered(text: str, citations: Citations) -> SafeString:
    return _render_once(text, tuple(citations.items()))


# A page shows 50 messages: opening a conversation again costs no second rendering.
@lru_cache(maxsize=512)
def _render_once(text: str, citations: tuple[tuple[int, SafeString], ...]) -> SafeString:
    return render(text, dict(citations))
