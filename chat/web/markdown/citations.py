"""Citations: `[1]` in an answer becomes a link to the passage of that number, where there is one.

The parser marks every such number, the allow-list passes the marks, and only then they become links or go back to
what was written: so a link's address comes from the page and never from the model's text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererProtocol
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

# The link, as HTML, for each number that has a passage.
Citations = Mapping[int, SafeString]
NO_CITATIONS: Citations = MappingProxyType({})

_CITATION = re.compile(r"\[([1-9]\d{0,2})\]")
# Raw HTML is off and text is escaped, so that nothing else writes this element.
_MARK = re.compile(r"<sup>([1-9]\d{0,2})</sup>")


def citation_plugin(md: MarkdownIt) -> None:
    """Teach a parser to mark numbers in brackets, where they are no link, no code and no formula."""
    md.inline.ruler.after("link", "citation", _citation)
    md.add_render_rule("citation", _mark)


def cited_numbers(text: str) -> set[int]:
    """The numbers that Markdown may cite; a few more where brackets stand in code."""
    return {int(number) for number in _CITATION.findall(text)}


def resolve(html: SafeString, citations: Citations) -> SafeString:
    """Sanitized HTML with links in place of its marks."""
    if "<sup>" not in html:
        return html
    return mark_safe(_MARK.sub(lambda mark: citations.get(int(mark[1]), f"[{mark[1]}]"), html))  # noqa: S308


def _citation(state: StateInline, silent: bool) -> bool:  # noqa: FBT001 (the parser's own signature)
    # Silent: somebody looks for the end of a link's text, for which brackets must stay brackets.
    found = None if silent or state.linkLevel else _CITATION.match(state.src, state.pos, state.posMax)
    if found is None:
        return False
    state.push("citation", "sup", 0).content = found[1]
    state.pos = found.end()
    return True


def _mark(
    _self: RendererProtocol, tokens: Sequence[Token], idx: int, _options: OptionsDict, _env: EnvType
) -> str:
    return f"<sup>{tokens[idx].content}</sup>"
