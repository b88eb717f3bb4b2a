"""What a reader sees of a block that is still being written: never its raw marks.

Lines whose meaning is not known yet are held back, a table shows from its header row on, and the last line of
words is completed by `half_open_inline`. All of it is a pure function of the text so far.
"""

from __future__ import annotations

import re

from markdown_it.token import Token

from chat.web.markdown.half_open_inline import complete_inline
from chat.web.markdown.render import References, parse_blocks

_LIST_MARK = r"(?:[-*+]|\d{1,9}[.)])"
_PREFIX = rf"[ \t>]*(?:{_LIST_MARK}[ \t]+)*"
# A line that may still become a heading, rule, list item, task, fence, table, formula, underline or definition.
_UNDECIDED = re.compile(
    rf"{_PREFIX}(?:[-*+_=~#`$<|:\\\s]*|\d{{1,9}}[.)]?|\[[^\]\n]{{0,60}}\]?:?[ \t]*"
    r"|\[[^\]\n]+\]:[ \t]*\S+[ \t]+[\"'(][^\"')]*[\"')]?[ \t]*)"
)
_OPENING_FENCE = re.compile(rf"({_PREFIX}(?:`{{3,}}|~{{3,}}))(?:(?<=`)[^`\n]*|(?<=~)[^\n]*)")
_PIPE_LINE = re.compile(rf"({_PREFIX})\|.*")
_PARTIAL_DELIMITER_ROW = re.compile(r"[ \t>]*[|:\-][|:\- \t]*")
_UNESCAPED_PIPE = re.compile(r"(?<!\\)\|")


def parse_half_open(source: str, references: References) -> list[Token]:
    """Blocks of a text that may break off anywhere, so completed that they show no raw marks."""
    tokens = parse_blocks(source, references)
    if (leaf := _last_leaf(tokens)) is not None and leaf.type == "fence" and _reaches_end(leaf, source):
        _drop_partial_closing_fence(leaf)
        return tokens
    if (shown := _without_undecided_lines(source, is_table=_ends_in_table(tokens))) != source:
        tokens = parse_blocks(shown, references)
    if not shown.endswith("\n\n"):
        _complete_last_leaf(tokens)
    return tokens


def _last_leaf(tokens: list[Token]) -> Token | None:
    """The last token that holds text; in a table, the last cell that has some."""
    leaves = (
        token
        for token in reversed(tokens)
        if token.nesting == 0 and (token.content or token.type != "inline")
    )
    return next(leaves, None)


def _ends_in_table(tokens: list[Token]) -> bool:
    return bool(tokens) and tokens[-1].type == "table_close"


def _reaches_end(leaf: Token, source: str) -> bool:
    """Whether the text breaks off inside this fence."""
    num_lines = source.count("\n") + (not source.endswith("\n"))
    if leaf.map is None or leaf.map[1] < num_lines or leaf.map[1] - leaf.map[0] < 2:
        return False
    num_inside = leaf.content.count("\n") + (not leaf.content.endswith("\n") and leaf.content != "")
    return leaf.map[1] - leaf.map[0] == num_inside + 1


def _drop_partial_closing_fence(leaf: Token) -> None:
    """Hide one or two backticks on the last line of code: most likely the fence is about to close."""
    complete, _, last = leaf.content.rpartition("\n")
    if last.strip() and leaf.markup.startswith(last.strip()):
        leaf.content = f"{complete}\n" if complete else ""


def _without_undecided_lines(source: str, *, is_table: bool) -> str:
    *complete, last = source.split("\n")
    if _OPENING_FENCE.fullmatch(last):
        complete.append(_OPENING_FENCE.sub(r"\1", last))
        return "\n".join(complete) + "\n"
    if is_table:
        return "\n".join([*complete, "" if not last.strip(" \t>|") else last])
    if (table := _started_table(complete, last)) is not None:
        return table
    if last and (_UNDECIDED.fullmatch(last) or _PIPE_LINE.fullmatch(last)):
        last = ""
    return "\n".join([*complete, last])


def _started_table(complete: list[str], last: str) -> str | None:
    """The text with the delimiter row that the header row before it asks for, if that is what is being written."""
    if last and not _PARTIAL_DELIMITER_ROW.fullmatch(last):
        return None
    header = complete[-1] if complete else ""
    match = _PIPE_LINE.fullmatch(header)
    if match is None or (len(complete) > 1 and _PIPE_LINE.fullmatch(complete[-2])):
        return None
    cells = _UNESCAPED_PIPE.split(header[match.end(1) :].strip())
    num_columns = len(cells) - 1 - (not cells[-1].strip())
    indent = re.sub(r"[^>\s]", " ", match[1])
    return "\n".join([*complete, f"{indent}{'|---' * num_columns}|"]) if num_columns else None


def _complete_last_leaf(tokens: list[Token]) -> None:
    leaf = _last_leaf(tokens)
    if leaf is None:
        return
    if leaf.type == "math_block" and leaf.meta["unclosed_mark"]:
        leaf.type = "math_open"
    if leaf.type == "inline":
        leaf.content = complete_inline(leaf.content)
