"""One parser for all Markdown here: CommonMark, tables, strikethrough, task lists, bare links, mathematics.

A block pass and an inline pass stand apart, because streaming looks at blocks far more often than at words.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, cast
from urllib.parse import urlsplit

from django.utils.safestring import SafeString
from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.renderer import RendererHTML
from markdown_it.rules_block import StateBlock, reference
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict
from mdit_py_plugins.gfm_autolink import gfm_autolink_plugin

from chat.web.markdown.citations import NO_CITATIONS, Citations, citation_plugin, resolve
from chat.web.markdown.highlight import highlight, language_label
from chat.web.markdown.math_rules import math_plugin
from chat.web.markdown.mathml import formula, formula_source
from chat.web.markdown.sanitize import sanitize

References = dict[str, dict[str, Any]]

_LINE_ENDS = re.compile(r"\r\n?")
_ALLOWED_LINK = re.compile(r"(?:https?://|mailto:)[^\s]", re.IGNORECASE)


def render(text: str, citations: Citations = NO_CITATIONS) -> SafeString:
    """A complete text as safe HTML."""
    references: References = {}
    return render_blocks(parse_blocks(normalize(text), references), references, citations)


def normalize(text: str) -> str:
    """Text with the one line end and the one stand-in for NUL that the parser expects."""
    return _LINE_ENDS.sub("\n", text).replace("\0", "\ufffd")


def parse_blocks(source: str, references: References) -> list[Token]:
    """The block structure, words untouched; link definitions found on the way are added to `references`."""
    tokens: list[Token] = []
    _PARSER.block.parse(source, _PARSER, {"references": references}, tokens)
    return tokens


def render_blocks(
    tokens: list[Token], references: References, citations: Citations = NO_CITATIONS
) -> SafeString:
    """Safe HTML of parsed blocks, whose words are parsed now, with the link definitions known by now."""
    for token in tokens:
        if token.type == "inline":
            html = _words_html(token.content, references) if references else _cached_words_html(token.content)
            token.children = [Token("words", "", 0, content=html)]
        elif "style" in token.attrs or "class" in token.attrs:
            _shorten_class(token)
    return resolve(sanitize(_RENDERER.render(tokens, _PARSER.options, {})), citations)


@lru_cache(maxsize=1_024)
def _cached_words_html(source: str) -> str:
    """Most words of an open list or table are those of the moment before."""
    return _words_html(source, {})


def _words_html(source: str, references: References) -> str:
    block = Token("inline", "", 0, content=source, children=[])
    state = StateCore("", _PARSER, {"references": references})
    state.tokens = [block]
    for rule in _PARSER.core.ruler.getRules(""):
        rule(state)
    return _RENDERER.renderInline(_with_safe_links(block.children or []), _PARSER.options, {})


def code_figure(label: str, code_html: str) -> str:
    """The frame of a code block; `sanitize` adds the copy button to its caption."""
    return (
        f'<figure class="code"><figcaption><span>{escapeHtml(label)}</span></figcaption>'
        f'<pre tabindex="0"><code>{code_html}</code></pre></figure>\n'
    )


class _Renderer(RendererHTML):
    """Tokens to HTML, where it differs from plain CommonMark."""

    def fence(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        """A code block with its language and colours."""
        token = tokens[idx]
        return code_figure(language_label(token.info), highlight(token.content, token.info))

    def code_block(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        """An indented code block looks like a fenced one."""
        return code_figure("Code", escapeHtml(tokens[idx].content))

    def words(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        """Words that are HTML already."""
        return tokens[idx].content

    def math_inline(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        """A formula in a line."""
        return formula(tokens[idx].content, tokens[idx].meta["display"])

    def math_block(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        """A formula of its own; one that was never closed is shown as it was written."""
        token = tokens[idx]
        if token.meta["unclosed_mark"]:
            return f"<p>{escapeHtml(token.meta['unclosed_mark'] + token.content)}</p>\n"
        return f'<div class="math">{formula(token.content, "block")}</div>\n'

    def math_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        """A formula that is still being written."""
        return f'<div class="math">{formula_source(tokens[idx].content)}</div>\n'

    def table_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        """A wide table scrolls inside itself, also by the keyboard."""
        # No role=region: several landmarks of the same name would clutter a screen reader's list.
        return '<div class="table-scroll" role="group" aria-label="Table" tabindex="0"><table>\n'

    def table_close(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        """Close both."""
        return "</table></div>\n"

    def list_item_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        """A list item, or a task with a box that only shows its state."""
        token = tokens[idx]
        if "checked" not in token.meta:
            return self.renderToken(tokens, idx, options, env)
        state = 'aria-label="Done" checked' if token.meta["checked"] else 'aria-label="To do"'
        return f'{self.renderToken(tokens, idx, options, env)}<input type="checkbox" disabled {state}> '


def _build_parser() -> MarkdownIt:
    # Nesting beyond 40 is no text of a person; the parser recurses once per level.
    options = {"html": False, "tasklists": True, "maxNesting": 40}
    md = MarkdownIt("commonmark", options, renderer_cls=_Renderer).enable(["table", "strikethrough"])
    md.use(math_plugin).use(citation_plugin).use(gfm_autolink_plugin)
    md.block.ruler.at("reference", _reference)
    md.render("rules")  # compiles the rules, which several threads at once must not
    md.core.ruler.disable(["normalize", "block"])
    md.core.ruler.getRules("")
    return md


def _reference(state: StateBlock, start_line: int, end_line: int, silent: bool) -> bool:  # noqa: FBT001
    """A link definition, but not `[^1]: note`, which models write as a footnote: it must stay readable."""
    start = state.bMarks[start_line] + state.tShift[start_line]
    if state.src.startswith("[^", start):
        return False
    return reference(state, start_line, end_line, silent)


def _with_safe_links(children: list[Token]) -> list[Token]:
    """Links lead to the web or to mail, else they are text; an image becomes a link to it."""
    result: list[Token] = []
    is_hidden = is_linked = False
    for token in children:
        if token.type == "link_open":
            is_linked = _set_target(token)
            is_hidden = not is_linked
        if token.type == "image":
            result += _image_as_link(token, can_link=not is_linked)
        elif not (is_hidden and token.type in ("link_open", "link_close")):
            result.append(token)
        if token.type == "link_close":
            is_hidden = is_linked = False
    return result


def _set_target(token: Token) -> bool:
    """Reduce a link to its address and, as its tooltip, the host it really leads to; False if it leads nowhere."""
    href = str(token.attrs.get("href", ""))
    if not _ALLOWED_LINK.match(href):
        return False
    token.attrs = {"href": href}
    if host := _host(href):
        token.attrs["title"] = host
    return True


def _host(href: str) -> str:
    try:
        return urlsplit(href).hostname or ""
    except ValueError:
        return ""


def _image_as_link(image: Token, *, can_link: bool) -> list[Token]:
    text = Token("text", "", 0, content=image.content.strip() or "Image")
    opening = Token("link_open", "a", 1, attrs={"href": image.attrs.get("src", "")})
    if not can_link or not _set_target(opening):
        return [text]
    return [opening, text, Token("link_close", "a", -1)]


_CLASS_NAMES = {
    "text-align:left": "align-left",
    "text-align:center": "align-center",
    "text-align:right": "align-right",
    "task-list-item": "task",
    "contains-task-list": "tasks",
}


def _shorten_class(token: Token) -> None:
    """Our own class names in place of inline styles, which the page's policy forbids, and of long ones."""
    value = token.attrs.pop("style", None) or token.attrs.pop("class", None)
    if value in _CLASS_NAMES:
        token.attrs["class"] = _CLASS_NAMES[str(value)]


_PARSER = _build_parser()
_RENDERER = cast(_Renderer, _PARSER.renderer)
