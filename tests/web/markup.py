"""What a test may ask of rendered HTML: its elements, and the words that a person sees."""

from __future__ import annotations

from dataclasses import dataclass
from html.parser import HTMLParser


@dataclass(frozen=True, slots=True)
class Element:
    tag: str
    attributes: dict[str, str]


_HIDDEN = ("pre", "math", "button", "figcaption")


class Markup(HTMLParser):
    """Reads HTML into its `elements` and its `words`: all text but code blocks, formulas and buttons."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[Element] = []
        self.words = ""
        self._hidden: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(Element(tag, {name: value or "" for name, value in attrs}))
        if tag in _HIDDEN or dict(attrs).get("class") == "math":
            self._hidden.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._hidden and self._hidden[-1] == tag:
            self._hidden.pop()

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.words += data

    def tags(self) -> set[str]:
        return {element.tag for element in self.elements}

    def first(self, tag: str) -> Element:
        return next(element for element in self.elements if element.tag == tag)
