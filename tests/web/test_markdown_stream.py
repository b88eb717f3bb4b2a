"""`MarkdownStream`: what a reader sees while an answer is written."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from chat.web.markdown import MarkdownStream, render
from tests.web.markup import Markup

# Pieces that make and break blocks; random mixtures of them are the odd cases of CommonMark.
PIECES = [
    "word ", "two words", "\n", "\n\n", "  ", "    ", "\t", "- ", "* ", "1. ", "2) ", "# ", "> ", ">", "```", "```py\n",
    "~~~\n", "`", "``", "**", "*", "_", "~~", "[a]", "[b]: http://x.y\n", "[a]: /u\n", "'ti", "tle'\n", "](http://z.q)",
    "[", "]", "(", ")", "![", "$", "$$", "$$\n", "\\[", "\\]", "\\(", "\\)", "\\", "|", "| a | b |\n", "|---|---|\n",
    "---\n", "===\n", "***", "<", "&amp;", "&", "http://q.w", "x^2", "\r", "\r\n", "\0", "é", "[ ] ", "<div id=x>", "5",
    ".", "\u00a0", "\x0b", "\u2028",
]  # fmt: skip
texts = st.lists(st.sampled_from(PIECES), max_size=30).map("".join)

DOCUMENT = r"""# A heading here

Some **bold text** and *italic words* and `code here` and ~~gone~~ with [a link](https://example.org/a_b?x=1) done.

- first **item** here
- second `item` there
  - nested [link](http://example.org) one

1. one
2. two **strong *both* inside** end

> quoted **bold** text
> more `code` text

Text before code:
```python
def f(x):
    return x
```
After code.

| Name | Value |
|------|------:|
| one | **two** |
| three | `four` |

Formula $x^2 + y_1$ inline and \(a + b\) there.

$$
\frac{a}{b}
$$

\[
x = y
\]

- [ ] thing to do
- [x] thing done

![picture](https://example.org/p.png) and <https://auto.example/x> and https://bare.example/y end.

Underlined title
================

***very strong*** and __also bold__ and _under_ end &amp; more.

## Last ##

---

[r1]: https://ref.example "Title here"

Final words [ref][r1] here.

~~~
tilde
~~~
"""
RAW_MARKS = set("*_`[]()$|#~<>\\=;")


def words_of(html: str) -> str:
    """What a person reads, without the addresses of bare links."""
    words = Markup(html).words
    return words.replace("https://auto.example/x", "").replace("https://bare.example/y", "")


def stream_in_pieces(text: str, sizes: list[int]) -> MarkdownStream:
    stream = MarkdownStream()
    position = 0
    for size in sizes:
        stream.feed(text[position : position + size])
        position += size
    stream.feed(text[position:])
    return stream


@given(texts, st.lists(st.integers(1, 12), max_size=60))
@settings(max_examples=150, deadline=None)
def test_what_is_shown_depends_on_the_text_and_not_on_its_pieces(text: str, sizes: list[int]) -> None:
    stream, whole = stream_in_pieces(text, sizes), MarkdownStream.of(text)

    assert stream.finished == whole.finished
    assert stream.open == whole.open


@given(texts)
@settings(max_examples=150, deadline=None)
def test_the_end_of_a_stream_equals_the_whole_text_rendered(text: str) -> None:
    stream = stream_in_pieces(text, [1] * len(text))
    stream.finish()

    assume(not stream.has_late_links)
    assert stream.html == render(text)


@given(texts)
@settings(max_examples=150, deadline=None)
def test_finished_blocks_never_change(text: str) -> None:
    stream = MarkdownStream()
    for character in text:
        before = list(stream.finished)
        delta = stream.feed(character)

        assert stream.finished == before + delta.finished
        assert stream.html == "".join(stream.finished) + delta.open


def test_no_raw_mark_is_ever_seen() -> None:
    stream = MarkdownStream()

    for character in DOCUMENT:
        stream.feed(character)
        shown = words_of(stream.html)
        assert not RAW_MARKS & set(shown), shown[-60:]


def test_words_come_in_their_order_and_stay() -> None:
    stream = MarkdownStream()
    written = "".join(Markup(render(DOCUMENT)).words.split())

    for character in DOCUMENT:
        stream.feed(character)
        shown = "".join(Markup(stream.html).words.split())
        assert written.startswith(shown), shown[-60:]


def test_the_document_of_this_test_ends_as_it_is_rendered() -> None:
    stream = stream_in_pieces(DOCUMENT, [3] * 400)
    stream.finish()

    assert stream.html == render(DOCUMENT)


HALF_OPEN = {
    "**bold": "<p><strong>bold</strong></p>",
    "**bold*": "<p><strong>bold</strong></p>",
    "**": "",
    "a **": "<p>a</p>",
    "*it": "<p><em>it</em></p>",
    "__un": "<p><strong>un</strong></p>",
    "~~st": "<p><s>st</s></p>",
    "***both": "<p><em><strong>both</strong></em></p>",
    "**a *b": "<p><strong>a <em>b</em></strong></p>",
    "**a `b": "<p><strong>a <code>b</code></strong></p>",
    "`co": "<p><code>co</code></p>",
    "``co`d": "<p><code>co`d</code></p>",
    "``co`": "<p><code>co</code></p>",
    "a `": "<p>a</p>",
    "[text": "",
    "see [text": "<p>see text</p>",
    "see [text]": "<p>see text</p>",
    "see [text](": "<p>see text</p>",
    "see [text](http://exa": "<p>see text</p>",
    'see [text](http://example.org "ti': "<p>see text</p>",
    "see [**text](http": "<p>see <strong>text</strong></p>",
    "see ![pic": "<p>see pic</p>",
    "see ![pic](http://": "<p>see pic</p>",
    "see [text][re": "<p>see text</p>",
    "a !": "<p>a</p>",
    "Hello!": "<p>Hello!</p>",
    "x[i": "<p>x[i</p>",
    "x[1": "<p>x</p>",
    "x[1] = 2": "<p>x[1] = 2</p>",
    "see [1": "<p>see</p>",
    "see [1]": "<p>see</p>",
    "see [1][2": "<p>see</p>",
    "see [1](http://exa": "<p>see</p>",
    "see [1], and": "<p>see [1], and</p>",
    "Wow![1": "<p>Wow!</p>",
    "a ![1](http": "<p>a</p>",
    "note[^1": "<p>note[^1</p>",
    "a $x": "<p>a</p>",
    "a $": "<p>a</p>",
    "a $x^2 +": "<p>a</p>",
    "a \\(x": "<p>a</p>",
    "a \\": "<p>a</p>",
    "it costs $5 and": "<p>it costs $5 and</p>",
    "a <http://exa": "<p>a</p>",
    "a <tool": "<p>a</p>",
    "a &am": "<p>a</p>",
    "5*3": "<p>5*3</p>",
    "snake_case": "<p>snake_case</p>",
    "a\n#": "<p>a</p>",
    "a\n-": "<p>a</p>",
    "a\n--": "<p>a</p>",
    "a\n=": "<p>a</p>",
    "a\n1": "<p>a</p>",
    "a\n1.": "<p>a</p>",
    "a\n>": "<p>a</p>",
    "a\n``": "<p>a</p>",
    "a\n|": "<p>a</p>",
    "a\n\n| b | c": "<p>a</p>",
    "a\n\n[b]: http": "<p>a</p>",
    'a\n\n[b]: http://c "d': "<p>a</p>",
    "- a\n- ": "<ul><li>a</li></ul>",
    "- a\n- **": "<ul><li>a</li></ul>",
    "- [ ": "",
    "#": "",
    "# ": "",
    "# T": "<h1>T</h1>",
    "| a | b |\n": "<table><thead><tr><th>a</th><th>b</th></tr></thead></table>",
    "| a | b |\n|--": "<table><thead><tr><th>a</th><th>b</th></tr></thead></table>",
    "| a | b |\n|---|---|\n|": "<table><thead><tr><th>a</th><th>b</th></tr></thead></table>",
    "- x\n\n  | a | b |\n  |-": "<ul><li><p>x</p><table><thead><tr><th>a</th><th>b</th></tr></thead></table></li></ul>",
    "$$\nx": '<div class="math"><code class="math">x</code></div>',
}


@pytest.mark.parametrize(("text", "shown"), HALF_OPEN.items(), ids=[repr(text) for text in HALF_OPEN])
def test_half_open_marks_are_closed_or_hidden(text: str, shown: str) -> None:
    html = MarkdownStream.of(text).html.replace("\n", "")

    table = '<div class="table-scroll" role="group" aria-label="Table" tabindex="0"><table>'
    assert html.replace(table, "<table>").replace("</table></div>", "</table>").rstrip() == shown


@pytest.mark.parametrize(
    "text", ["```", "```py", "```python\n", "~~~\n", "text\n```js", "- x\n\n  ```", "> ```\n"]
)
def test_a_fence_shows_as_a_code_block_at_once(text: str) -> None:
    assert Markup(MarkdownStream.of(text).html).first("figure").attributes == {"class": "code"}


@pytest.mark.parametrize("fence", ["```", "- ```", "> ```"])
def test_a_closing_fence_is_not_shown_while_it_arrives(fence: str) -> None:
    inside = fence.replace("`", "").replace("-", " ")
    text = f"{fence}py\n{inside}code\n{inside}``"

    assert "``" not in MarkdownStream.of(text).html


def test_an_open_code_block_shows_every_character_so_far() -> None:
    text = "```py\ndef f():\n    retu"

    code = MarkdownStream.of(text).html.partition("<code>")[2].partition("</code>")[0]

    assert Markup(code).words == "def f():\n    retu"


def test_a_held_back_mark_is_shown_when_nothing_more_comes() -> None:
    stream = MarkdownStream.of("The answer is\n42")

    assert Markup(stream.open).words.strip() == "The answer is"
    assert Markup(stream.finish().finished[-1]).words.strip() == "The answer is\n42"


def test_a_link_definition_that_comes_late_leaves_finished_blocks_and_is_told() -> None:
    stream = MarkdownStream.of("See [here][1].\n\nMore.\n\n")
    finished = list(stream.finished)
    stream.feed("[1]: https://example.org/\n\nEnd.")
    stream.finish()

    assert stream.finished[: len(finished)] == finished
    assert stream.has_late_links
    assert Markup(render("See [here][1].\n\n[1]: https://example.org/")).first("a")


@pytest.mark.parametrize(
    "unit",
    [
        "word ",
        "- item with **bold** words\n",
        "> quoted words\n",
        "| a | b |\n|---|---|\n" + "| one cell of words | and another |\n" * 600,
        DOCUMENT,
    ],
)
def test_a_long_answer_costs_little_to_stream(unit: str) -> None:
    text, yardstick = (_repeated(each, 20_000) for each in (unit, DOCUMENT))
    pieces = [text[position : position + 20] for position in range(0, len(text), 20)]
    stream = MarkdownStream()

    streamed_s = _processor_time(lambda: [stream.feed(piece) for piece in pieces])
    rendered_s = min(_processor_time(lambda: render(yardstick)) for _ in range(3))

    # A piece costs far less than rendering a document of that length; `bench/markdown.py` prints the figures.
    assert streamed_s < len(pieces) * rendered_s / 8


def _repeated(unit: str, num_chars: int) -> str:
    return (unit * (num_chars // len(unit) + 1))[:num_chars]


def _processor_time(work: Callable[[], object]) -> float:
    """In seconds: two figures of one run can be compared on any machine."""
    started = time.process_time()
    work()
    return time.process_time() - started
