"""A page small enough to test on: elements in a tree, and the swaps that htmx would do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape
from html.parser import HTMLParser
from typing import Self

_VOID = {"br", "hr", "img", "input", "meta", "link", "path", "circle", "rect"}


@dataclass(eq=False, slots=True)
class Node:
    tag: str
    attributes: dict[str, str | None] = field(default_factory=dict)
    children: list[Node | str] = field(default_factory=list)

    def __str__(self) -> str:
        names = "".join(f' {name}="{value}"' for name, value in sorted(self.attributes.items()))
        inner = "".join(escape(child) if isinstance(child, str) else str(child) for child in self.children)
        return f"<{self.tag}{names}>{inner}</{self.tag}>"

    def walk(self) -> Iterator[tuple[Node, Node]]:
        """Every element below with its parent."""
        for child in self.children:
            if isinstance(child, Node):
                yield child, self
                yield from child.walk()

    def add_text(self, text: str) -> None:
        """Neighbouring texts are one."""
        if self.children and isinstance(self.children[-1], str):
            self.children[-1] += text
        else:
            self.children.append(text)


class _Parser(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Node("page")
        self._open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        node = Node(tag, dict(attrs))
        self._open[-1].children.append(node)
        if tag not in _VOID:
            self._open.append(node)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._open[-1].children.append(Node(tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in _VOID:
            closed = self._open.pop()
            assert closed.tag == tag, f"</{tag}> closes <{closed.tag}>"

    def handle_data(self, data: str) -> None:
        self._open[-1].add_text(data)


def parse(html: str) -> Node:
    parser = _Parser()
    parser.feed(re.sub("\r\n?", "\n", html))  # as browsers do
    parser.close()
    assert len(parser._open) == 1, f"<{parser._open[-1].tag}> is not closed"
    return parser.root


class Page:
    """HTML that takes in event streams as htmx does."""

    def __init__(self, html: str) -> None:
        self.root = parse(html)

    def receive(self, stream: str) -> Self:
        for block in stream.split("\n\n"):
            lines = [
                line.removeprefix("data:").removeprefix(" ")
                for line in block.split("\n")
                if line.startswith("data:")
            ]
            if not any(line.startswith("event:") for line in block.split("\n")):
                self.swap("\n".join(lines))
        return self

    def swap(self, html: str) -> None:
        tasks = [node for node in parse(html).children if isinstance(node, Node)]
        targets = [
            self.find(str(task.attributes["hx-target"])) for task in tasks
        ]  # all before the first swap
        for task, target in zip(tasks, targets, strict=True):
            assert task.tag == "hx-partial"
            self._insert(str(task.attributes["hx-swap"]), target, task.children)

    def without(self, attribute: str) -> str:
        """The page's HTML, leaving out elements with this attribute."""
        for node, parent in list(self.root.walk()):
            if attribute in node.attributes:
                parent.children.remove(node)
        return str(self.root)

    def find(self, selector: str) -> Node:
        """The one element of this id."""
        found = [node for node, _ in self.root.walk() if selector == f"#{node.attributes.get('id')}"]
        assert len(found) == 1, f"{selector} is there {len(found)} times"
        return found[0]

    def _insert(self, style: str, target: Node, children: list[Node | str]) -> None:
        if style == "innerHTML":
            target.children = list(children)
        elif style == "beforeend":
            target.children += children
        else:
            parent = next(parent for node, parent in self.root.walk() if node is target)
            at = parent.children.index(target)
            end = {"beforebegin": at, "outerHTML": at + 1}[style]
            parent.children[at:end] = children
