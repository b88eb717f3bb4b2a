"""The last word on rendered Markdown: an allow-list of elements, attributes, classes and link targets.

Nothing that a script library reads as an instruction (`hx-*`, `data-*`, `sse-*`, `id`, `style`, `on*`) passes.
The copy button of a code block is put in afterwards, so it can come from nowhere else.
"""

from __future__ import annotations

import nh3
from django.utils.safestring import SafeString, mark_safe
from pygments.token import STANDARD_TYPES

_PROSE_TAGS = set(
    "a blockquote br code dd del div dl dt em figcaption figure h1 h2 h3 h4 h5 h6 hr input li ol p pre s span"
    " strong sup table tbody td th thead tr ul".split()
)
_MATH_TAGS = set(
    "math menclose mfrac mi mmultiscripts mn mo mover mpadded mphantom mprescripts mroot mrow mspace msqrt"
    " mstyle msub msubsup msup mtable mtd mtext mtr munder munderover".split()
)
_MATH_ATTRIBUTES = set(
    "accent accentunder columnalign columnlines columnspacing depth displaystyle fence form height largeop"
    " linethickness lspace mathbackground mathcolor mathsize mathvariant maxsize minsize movablelimits notation"
    " rowlines rowspacing rspace scriptlevel separator stretchy symmetric voffset width".split()
)
_CLASSES = {
    "code": {"math"},
    "div": {"math", "table-scroll"},
    "figure": {"code"},
    "li": {"task"},
    "span": {name for name in STANDARD_TYPES.values() if name},
    "td": {"align-center", "align-left", "align-right"},
    "th": {"align-center", "align-left", "align-right"},
    "ul": {"tasks"},
    "ol": {"tasks"},
}
_CLEANER = nh3.Cleaner(
    tags=_PROSE_TAGS | _MATH_TAGS,
    attributes={
        "a": {"href", "title"},
        "input": {"checked", "disabled"},
        "ol": {"start"},
        **dict.fromkeys(_MATH_TAGS, _MATH_ATTRIBUTES),
    },
    tag_attribute_values={
        "div": {"role": {"group"}, "tabindex": {"0"}, "aria-label": {"Table"}},
        "input": {"type": {"checkbox"}, "aria-label": {"Done", "To do"}},
        "math": {"display": {"inline", "block"}},
        "pre": {"tabindex": {"0"}},
    },
    set_tag_attribute_values={"a": {"target": "_blank"}},
    allowed_classes=_CLASSES,
    link_rel="noopener noreferrer nofollow",
    url_schemes={"http", "https", "mailto"},
    url_relative="deny",
)
_COPY_BUTTON = '<button type="button" data-copy-code aria-label="Copy code">Copy</button>'


def sanitize(html: str) -> SafeString:
    """HTML with only what the allow-list names, marked as safe for a template."""
    clean = _CLEANER.clean(html)
    # Captions come from code blocks alone; text that spells a tag is escaped by now and cannot match.
    return mark_safe(clean.replace("</figcaption>", f"{_COPY_BUTTON}</figcaption>"))  # noqa: S308
