"""The links that lead from an answer's `[1]` to the passage of that number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.urls import reverse
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString, mark_safe

from chat.domain.events import Source
from chat.web.markdown import Citations
from chat.web.requests import parsed_uuid

_NEW_TAB = mark_safe(' target="_blank" rel="noopener"')


def citations_of(message_id: int, sources: Sequence[Source]) -> Citations:
    """A link for each source. Its description is the card of `chat/_sources.html`, which scripts show beside it."""
    return {source.n: _citation(message_id, source) for source in sources}


@dataclass(frozen=True, slots=True)
class SourceView:
    """A source in the list under an answer; without a `url` it is no document of ours."""

    source: Source
    url: str


def source_views(sources: Sequence[Source]) -> list[SourceView]:
    """The list, in order."""
    return [SourceView(source, passage_url(source)) for source in sources]


def passage_url(source: Source) -> str:
    """Where the document is shown with the passage marked; "" for a source that is no document of ours."""
    document_id = parsed_uuid(source.document_id)
    if document_id is None:
        return ""
    place = urlencode({"start": source.start, "end": source.end})
    return f"{reverse('document', args=[document_id])}?{place}#passage"


def _citation(message_id: int, source: Source) -> SafeString:
    card_id = f"message-{message_id}-source-{source.n}"
    url = passage_url(source)
    return format_html(
        '<a class="cite" href="{}"{} aria-label="Source {}" aria-describedby="{}" data-cite>{}</a>',
        url or f"#message-{message_id}-sources",
        _NEW_TAB if url else "",
        source.n,
        card_id,
        source.n,
    )
