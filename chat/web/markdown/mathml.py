"""LaTeX to MathML; a formula that cannot be converted is shown as its source."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal
from xml.etree.ElementTree import tostring

from latex2mathml import exceptions
from latex2mathml.converter import Converter
from markdown_it.common.utils import escapeHtml

Display = Literal["inline", "block"]

# A formula of a person fits; longer ones cost time that all readers of this server would pay.
MAX_LATEX_CHARS = 2_000
# Macros that expand to macros grow without bound ("billion laughs").
_MACRO_DEFINITION = re.compile(r"\\(?:(?:re)?newcommand|providecommand|DeclareMathOperator|[gex]?def|let)\b")
# The converter writes entities such as &#x0002B; as text, which a correct serialiser escapes once more.
_ESCAPED_ENTITY = re.compile(r"&amp;(#x?[0-9A-Fa-f]+;)")
# It raises its own errors, which share no base class, and plain ones for formulas that break off.
_CONVERSION_ERRORS: tuple[type[Exception], ...] = (
    *(error for error in vars(exceptions).values() if isinstance(error, type)),
    ArithmeticError,
    AttributeError,
    LookupError,
    RuntimeError,
    StopIteration,
    TypeError,
    ValueError,
)


@lru_cache(maxsize=512)
def formula(latex: str, display: Display) -> str:
    """HTML of a formula: a `<math>` element, or the source as code when it is no LaTeX that we know."""
    return _to_mathml(latex, display) or formula_source(latex)


def formula_source(latex: str) -> str:
    """The source of a formula, as code."""
    return f'<code class="math">{escapeHtml(latex.strip())}</code>'


def _to_mathml(latex: str, display: Display) -> str | None:
    if len(latex) > MAX_LATEX_CHARS or not latex.strip() or _MACRO_DEFINITION.search(latex):
        return None
    try:
        element = Converter(display=display).convert_to_element(latex.strip())
    except _CONVERSION_ERRORS:
        return None
    return _ESCAPED_ENTITY.sub(r"&\1", tostring(element, encoding="unicode"))
