"""`render`: what a complete answer looks like as HTML."""

from __future__ import annotations

import pytest

from chat.web.markdown import render
from tests.web.markup import Markup


def test_commonmark_is_rendered() -> None:
    assert render("# Title\n\nSome *soft* and **loud** `code`.") == (
        "<h1>Title</h1>\n<p>Some <em>soft</em> and <strong>loud</strong> <code>code</code>.</p>\n"
    )


def test_raw_html_is_shown_as_text() -> None:
    assert render("<b>x</b>") == "<p>&lt;b&gt;x&lt;/b&gt;</p>\n"


def test_a_table_scrolls_inside_itself_and_keeps_its_alignment() -> None:
    page = Markup(render("| a | b |\n|---|--:|\n| 1 | 2 |"))

    assert page.elements[0].attributes == {
        "class": "table-scroll", "role": "group", "aria-label": "Table", "tabindex": "0",
    }  # fmt: skip
    assert [element.attributes for element in page.elements if element.tag == "td"] == [
        {},
        {"class": "align-right"},
    ]


def test_strikethrough_is_rendered() -> None:
    assert render("~~gone~~") == "<p><s>gone</s></p>\n"


def test_a_task_list_names_the_state_of_each_task() -> None:
    page = Markup(render("- [ ] one\n- [x] two"))

    boxes = [element.attributes for element in page.elements if element.tag == "input"]
    assert [box["aria-label"] for box in boxes] == ["To do", "Done"]
    assert ["checked" in box for box in boxes] == [False, True]
    assert all("disabled" in box and box["type"] == "checkbox" for box in boxes)


@pytest.mark.parametrize("source", ["https://example.org/a_b_c", "<https://example.org/a_b_c>"])
def test_a_bare_address_becomes_a_link(source: str) -> None:
    page = Markup(render(f"see {source}."))

    assert page.first("a").attributes["href"] == "https://example.org/a_b_c"
    assert page.words.strip() == "see https://example.org/a_b_c."


def test_a_link_opens_apart_tells_nothing_and_shows_its_host() -> None:
    assert Markup(render('[my bank](https://evil.example/login "my bank")')).first("a").attributes == {
        "href": "https://evil.example/login",
        "title": "evil.example",
        "target": "_blank",
        "rel": "noopener noreferrer nofollow",
    }


def test_an_image_becomes_a_link_with_its_description() -> None:
    page = Markup(render("![a cat](http://example.org/cat.png)"))

    assert page.tags() == {"p", "a"}
    assert page.words.strip() == "a cat"


def test_an_image_inside_a_link_leaves_the_link() -> None:
    page = Markup(render("[![a cat](http://example.org/cat.png)](http://example.org/)"))

    assert [element.attributes["href"] for element in page.elements if element.tag == "a"] == [
        "http://example.org/"
    ]
    assert page.words.strip() == "a cat"


def test_code_has_its_language_its_colours_and_a_copy_button() -> None:
    html = render("```py\ndef f(): pass\n```")
    page = Markup(html)

    assert page.elements[0].attributes == {"class": "code"}
    assert "<figcaption><span>Python</span>" in html
    assert page.first("button").attributes == {
        "type": "button", "data-copy-code": "", "aria-label": "Copy code",
    }  # fmt: skip
    assert '<span class="k">def</span>' in html


@pytest.mark.parametrize(
    ("source", "label"),
    [
        ("```\nx\n```", "Code"),
        ("    x", "Code"),
        ("```brainfog\nx\n```", "brainfog"),
        ("~~~JS\nx\n~~~", "JavaScript"),
    ],
)
def test_every_code_block_has_a_label(source: str, label: str) -> None:
    assert f"<figcaption><span>{label}</span>" in render(source)


def test_code_keeps_every_character() -> None:
    code = "\n\n  if a < b && c:\n\treturn '</code>'\n\n"

    page = render(f"```python\n{code}```")

    shown = Markup(page.partition("<code>")[2].partition("</code>")[0]).words
    assert shown == code


def test_long_code_is_shown_without_colours() -> None:
    page = Markup(render("```py\n" + "x = 1\n" * 5_000 + "```"))

    assert not [element for element in page.elements if element.attributes.get("class") == "n"]


@pytest.mark.parametrize("source", ["$x^2$", r"\(x^2\)", "so $x^2$, then", "($x^2$)"])
def test_a_formula_in_a_line_becomes_mathml(source: str) -> None:
    assert '<math display="inline"><mrow><msup><mi>x</mi><mn>2</mn></msup></mrow></math>' in render(source)


@pytest.mark.parametrize("source", ["$$\nx\n$$", r"\[ x \]", "text:\n$$\nx\n$$\nmore", "- item\n  $$x$$"])
def test_a_formula_of_its_own_becomes_a_block(source: str) -> None:
    assert '<div class="math"><math display="block"><mrow><mi>x</mi></mrow></math></div>' in render(source)


@pytest.mark.parametrize(
    "source",
    [
        "It costs $5 and then $10.",
        "between $5-$10",
        "US$5 and US$6",
        "$20 now and 30$ later",
        "a $ b $ c",
        "echo $HOME/$USER",
        r"\$5 and \$6",
        "$5,000 to $6,000 for $3",
    ],
)
def test_prices_and_shell_variables_are_not_formulas(source: str) -> None:
    page = Markup(render(source))

    assert page.tags() == {"p"}
    assert page.words.strip() == source.replace("\\", "")


@pytest.mark.parametrize(
    "latex",
    [
        r"\frac{1}",
        r"\mathclap~\mathring\textit",
        r"\left( x",
        "{" * 900,
        r"\begin{pmatrix} 1",
        "x^",
        "_",
        "&",
        r"\newcommand{\a}{\a\a}\a",
        "x" * 3_000,
    ],
)
def test_a_formula_that_cannot_be_converted_is_shown_as_its_source(latex: str) -> None:
    page = Markup(render(f"$${latex}$$"))

    assert page.tags() == {"div", "code"} or "math" in page.tags()


def test_a_formula_that_is_never_closed_is_text() -> None:
    assert Markup(render("$$\nx\n\nnext")).words == "$$\nx\nnext\n"


def test_a_footnote_stays_readable() -> None:
    assert "Somewhere" in Markup(render("Word[^1].\n\n[^1]: Somewhere")).words


@pytest.mark.parametrize("source", ["", " ", "\n\n", "[a]: http://example.org/"])
def test_nothing_to_show_is_nothing(source: str) -> None:
    assert render(source) == ""


def test_deep_nesting_neither_fails_nor_takes_long() -> None:
    assert "deep" in render(">" * 30 + " deep")
    render("- " * 2_000 + "deep")
    render("[" * 5_000)
    render("**a *b " * 2_000)
