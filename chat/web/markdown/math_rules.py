r"""Where mathematics begins and ends in Markdown: `$..$`, `\(..\)`, and `$$..$$`, `\[..\]` also as blocks.

A block runs from its opening line to the line with the closing mark, or else to the next blank line, whatever
stands between. So its extent is known without looking ahead, which streaming relies on.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.rules_inline import StateInline

from chat.web.markdown.mathml import Display

_CLOSING_MARKS = {"$$": "$$", "\\[": "\\]", "\\(": "\\)"}
_INTERRUPTED_BY_MATH = ["paragraph", "reference", "blockquote", "list"]
# "20 and he has 30", "HOME and then": words between two dollar signs are prose about money or shell variables.
_PROSE = re.compile(r"\d[\d.,]*\s+[A-Za-z]{2,}|[^\\]*\b[A-Za-z]{2,}\s+[A-Za-z]{2,}")


@dataclass(frozen=True, slots=True)
class InlineMath:
    """A formula inside a line: its LaTeX, how it is set, and the offset just after its closing mark."""

    latex: str
    display: Display
    end: int


def math_plugin(md: MarkdownIt) -> None:
    """Teach a parser both kinds of formula."""
    md.block.ruler.before("fence", "math_block", _math_block, {"alt": _INTERRUPTED_BY_MATH})
    md.inline.ruler.before("escape", "math_inline", _math_inline)


def find_inline_math(source: str, start: int) -> InlineMath | None:
    """The formula that begins at `start`, if one does and it is closed."""
    mark = source[start : start + 2]
    if mark in _CLOSING_MARKS:
        return _find_marked(source, start, mark)
    if source[start] == "$" and can_open_dollar(source, start):
        return _find_dollar(source, start)
    return None


def can_open_dollar(source: str, start: int) -> bool:
    """Whether a single dollar sign stands where a formula may begin: not in `US$5`, `a$b` or `$ 5`."""
    before = source[start - 1] if start else " "
    after = source[start + 1 : start + 2]
    return not before.isalnum() and before != "$" and after != "$" and not after.isspace()


def is_prose(latex: str) -> bool:
    """Whether the text between two dollar signs is words rather than a formula."""
    return _PROSE.match(latex) is not None


def _find_marked(source: str, start: int, mark: str) -> InlineMath | None:
    end = source.find(_CLOSING_MARKS[mark], start + 2)
    latex = source[start + 2 : end]
    if end < 0 or not latex.strip():
        return None
    return InlineMath(latex, "inline" if mark == "\\(" else "block", end + 2)


def _find_dollar(source: str, start: int) -> InlineMath | None:
    end = _next_dollar(source, start + 1)
    latex = source[start + 1 : end]
    if end < 0 or not latex or latex[-1].isspace() or is_prose(latex):
        return None
    after = source[end + 1 : end + 2]
    return None if after.isalnum() or after == "$" else InlineMath(latex, "inline", end + 1)


def _next_dollar(source: str, start: int) -> int:
    end = source.find("$", start)
    while end > 0 and source[end - 1] == "\\":
        end = source.find("$", end + 1)
    return end


def _math_inline(state: StateInline, silent: bool) -> bool:  # noqa: FBT001 (the parser's own signature)
    if state.src[state.pos] not in "$\\":
        return False
    found = find_inline_math(state.src[: state.posMax], state.pos)
    if found is None:
        return False
    if not silent:
        token = state.push("math_inline", "math", 0)
        token.content = found.latex
        token.meta["display"] = found.display
    state.pos = found.end
    return True


def _math_block(state: StateBlock, start_line: int, end_line: int, silent: bool) -> bool:  # noqa: FBT001
    first = _line(state, start_line)
    mark = first[:2]
    if mark not in ("$$", "\\[") or first[2:3] == "$" or state.is_code_block(start_line):
        return False
    body, closing, rest = first[2:].partition(_CLOSING_MARKS[mark])
    if closing and rest.strip():
        return False  # "$$x$$ is a number": an ordinary paragraph with a formula in it
    if silent:
        return True
    lines, is_closed = [body], bool(closing)
    state.line = start_line + 1
    while not is_closed and _continues(state, state.line, end_line):
        body, closing, rest = _line(state, state.line).partition(_CLOSING_MARKS[mark])
        lines.append(body)
        is_closed = bool(closing)
        state.line += 1
    _push_math(state, start_line, "\n".join(lines), mark if not is_closed else "")
    _push_rest(state, rest.strip() if is_closed else "")
    return True


def _continues(state: StateBlock, line: int, end_line: int) -> bool:
    return line < end_line and not state.isEmpty(line) and state.sCount[line] >= state.blkIndent


def _line(state: StateBlock, line: int) -> str:
    return state.src[state.bMarks[line] + state.tShift[line] : state.eMarks[line]]


def _push_math(state: StateBlock, start_line: int, latex: str, unclosed_mark: str) -> None:
    token = state.push("math_block", "math", 0)
    token.content = latex
    token.block = True
    token.map = [start_line, state.line]
    token.meta["unclosed_mark"] = unclosed_mark


def _push_rest(state: StateBlock, text: str) -> None:
    """What follows the closing mark on its line, often a full stop."""
    if not text:
        return
    state.push("paragraph_open", "p", 1).map = [state.line - 1, state.line]
    token = state.push("inline", "", 0)
    token.content = text
    token.map = [state.line - 1, state.line]
    token.children = []
    state.push("paragraph_close", "p", -1)
