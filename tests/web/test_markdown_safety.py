"""Hostile Markdown comes out harmless: whole, and at every point of a stream."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chat.web.markdown import MarkdownStream, render
from tests.web.markup import Element, Markup
from tests.web.xss_payloads import PAYLOADS

_SCRIPTABLE = re.compile(r"on|hx-|data-hx-|sse-|id$|style$|src|xlink|formaction|action$|srcset|ping$|name$")
_FORBIDDEN_TAGS = {
    "script", "img", "svg", "iframe", "object", "embed", "style", "link", "meta", "base", "form", "body", "template",
    "video", "audio", "details", "noscript", "hx-partial", "mglyph", "annotation-xml", "foreignobject", "picture",
}  # fmt: skip


def assert_harmless(html: str) -> None:
    for element in Markup(html).elements:
        assert element.tag not in _FORBIDDEN_TAGS
        for name in element.attributes:
            assert _SCRIPTABLE.match(name) is None, (element, html)
        assert_is_ours(element)


def assert_is_ours(element: Element) -> None:
    """The elements with a meaning for the page's scripts look exactly as we write them."""
    if element.tag == "button":
        assert element.attributes == {"type": "button", "data-copy-code": "", "aria-label": "Copy code"}
    if element.tag == "input":
        assert element.attributes["type"] == "checkbox"
        assert "disabled" in element.attributes
    if element.tag == "a" and "href" in element.attributes:
        assert re.match(r"https?://|mailto:", element.attributes["href"])
        assert element.attributes["rel"] == "noopener noreferrer nofollow"
        assert element.attributes["target"] == "_blank"


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS.keys())
def test_a_hostile_answer_is_harmless(payload: str) -> None:
    assert_harmless(render(payload))


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS.keys())
def test_a_hostile_answer_is_harmless_at_every_point_of_the_stream(payload: str) -> None:
    stream = MarkdownStream()

    for character in payload[-200:]:
        delta = stream.feed(character)
        assert_harmless(delta.open)
    stream.finish()

    assert_harmless(stream.html)


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS.keys())
@pytest.mark.parametrize(
    "place", ["- {}", "> {}", "| a |\n|---|\n| {} |", "# {}", "**{}**", "[{}](http://e.org)", "${}$"]
)
def test_a_hostile_text_is_harmless_wherever_it_stands(payload: str, place: str) -> None:
    assert_harmless(render(place.replace("{}", payload)))


@given(
    st.lists(
        st.sampled_from(
            [*PAYLOADS.values(), "\n", "\n\n", "`", "```\n", "$", "$$", "|", "[", "](", ")", "<", '"']
        ),
        max_size=8,
    )
)
@settings(max_examples=150, deadline=None)
def test_hostile_texts_in_any_mixture_are_harmless(pieces: list[str]) -> None:
    assert_harmless(render("".join(pieces)))
    assert_harmless(MarkdownStream.of("".join(pieces)).open)
