"""The passages that an answer draws on: found before it begins and by the search tool, numbered once for all of it.

Passages are data: on one line each, with no bracketed number but their own, so that none can pass for another or for
the question.
"""

from __future__ import annotations

import re
import threading
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from chat.domain.events import Event, Source, SourcesFound, StatusChanged
from chat.domain.messages import ChatMessage, TextPart
from chat.domain.params import GenerationRequest
from chat.retrieval.hits import Found, Hit
from chat.retrieval.words import has_content

MAX_PASSAGES = 5
MAX_INDEXING_S = 300.0
# Passages take at most about half of the context: a token is some three characters of prose.
CHARS_PER_CONTEXT_TOKEN = 1.5

_HEAD = "Passages:"
_NOTHING = "No passage of the documents is about this."
_NUMBER = re.compile(r"\[(\d+)\]")


@dataclass(frozen=True, slots=True)
class Search:
    """Which documents an answer may draw on, and what they are searched for.

    `earlier_question` helps where the question alone finds nothing ("And when was it built?"). `known` are the
    sources of an earlier run of the same answer, which goes on with their numbers.
    """

    collection_ids: tuple[uuid.UUID, ...]
    question: str
    earlier_question: str = ""
    known: SourcesFound | None = None


def search_for(
    collection_ids: Sequence[uuid.UUID], questions: Sequence[str], known: SourcesFound | None = None
) -> Search | None:
    """The search for the last of the questions; None where there is nothing to search, or to search for."""
    if not collection_ids or not questions:
        return None
    return Search(tuple(collection_ids), questions[-1], questions[-2] if len(questions) > 1 else "", known)


class Searching(Protocol):
    """See `chat.retrieval.search.Retriever`."""

    def search(self, collection_ids: Sequence[uuid.UUID], query: str, limit: int) -> Found:
        """The best passages first."""
        ...


class Indexing(Protocol):
    """See `chat.retrieval.ingest.Library`."""

    def wait(
        self, collection_ids: Sequence[uuid.UUID], timeout_s: float, is_cancelled: Callable[[], bool]
    ) -> bool:
        """Until all documents are ready or failed; False when that took too long or was cancelled."""
        ...


class SourceBook:
    """The sources of one answer under their numbers. Thread-safe: tools add to it side by side."""

    def __init__(self, known: SourcesFound | None = None) -> None:
        self._lock = threading.Lock()
        self._sources = list(known.sources) if known else []
        self._is_lexical = known.is_lexical if known else False

    @property
    def found(self) -> SourcesFound:
        """All so far, as the log tells it."""
        with self._lock:
            return SourcesFound(tuple(self._sources), self._is_lexical)

    def add(self, found: Found) -> list[Source]:
        """Number what is new; what is there already keeps its number."""
        with self._lock:
            self._is_lexical = self._is_lexical or found.is_lexical
            return [self._numbered(hit) for hit in found.hits]

    def _numbered(self, hit: Hit) -> Source:
        for source in self._sources:
            if (source.document_id, source.start, source.end) == (hit.document_id, hit.start, hit.end):
                return source
        source = Source(
            n=len(self._sources) + 1,
            title=hit.title,
            excerpt=hit.text,
            document_id=hit.document_id,
            page=hit.page,
            start=hit.start,
            end=hit.end,
            lexical_rank=hit.lexical_rank,
            vector_rank=hit.vector_rank,
            score=hit.score,
        )
        self._sources.append(source)
        return source


@dataclass(frozen=True, slots=True)
class PassageFinder:
    """Searches a run's documents, once those that were just attached have been read."""

    searching: Searching
    indexing: Indexing

    def find(
        self,
        search: Search,
        *,
        context_tokens: int,
        append: Callable[[Event], object],
        is_cancelled: Callable[[], bool],
    ) -> SourceBook:
        """The passages for the question. `append` takes the states on the way and what was found.

        What has no word to look for (a greeting, "go on") is not searched at all, and nothing is told of it.

        Raises: ChatError when the search fails.
        """
        book = SourceBook(search.known)
        if search.known is None and not has_content(search.question):
            return book
        if search.known is None:
            if not self.indexing.wait(search.collection_ids, 0.0, is_cancelled):
                append(StatusChanged("indexing"))
                self.indexing.wait(search.collection_ids, MAX_INDEXING_S, is_cancelled)
            append(StatusChanged("searching"))
            book.add(_fitting(self._search(search), context_tokens))
        append(book.found)
        return book

    def look_up(self, search: Search, book: SourceBook, query: str, context_tokens: int) -> str:
        """The same for the search tool: the passages as the model reads them, added to the book."""
        found = self.searching.search(search.collection_ids, query, MAX_PASSAGES)
        return passage_lines(book.add(_fitting(found, context_tokens))) or _NOTHING

    def _search(self, search: Search) -> Found:
        found = self.searching.search(search.collection_ids, search.question, MAX_PASSAGES)
        if found.hits or not search.earlier_question:
            return found
        both = f"{search.earlier_question}\n{search.question}"
        return self.searching.search(search.collection_ids, both, MAX_PASSAGES)


def passage_lines(sources: Sequence[Source]) -> str:
    """One line a passage, its number behind it: small models learn to copy a number from there, not from the front."""
    return "\n".join(f"{_on_one_line(source.excerpt)} [{source.n}]" for source in sources)


def with_passages(request: GenerationRequest, sources: Sequence[Source]) -> GenerationRequest:
    """The request with the passages in front of its last question."""
    block = f"{_HEAD}\n{passage_lines(sources) or _NOTHING}\n\n"
    messages = list(request.messages)
    last = max((n for n, message in enumerate(messages) if message.role == "user"), default=None)
    if last is None:
        return request
    question = messages[last]
    messages[last] = ChatMessage(question.role, (TextPart(block), *question.parts))
    return replace(request, messages=tuple(messages))


def _on_one_line(text: str) -> str:
    return _NUMBER.sub(r"(\1)", " ".join(text.split()))


def _fitting(found: Found, context_tokens: int) -> Found:
    """The best that fit together; a single one is cut at most by the context itself."""
    left = int(context_tokens * CHARS_PER_CONTEXT_TOKEN) if context_tokens else None
    hits: list[Hit] = []
    for hit in found.hits:
        if left is not None and hits and len(hit.text) > left:
            break
        hits.append(hit)
        left = None if left is None else left - len(hit.text)
    return Found(tuple(hits), found.is_lexical)
