"""The template sandbox: common templates run, hostile ones end soon with words."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest

from chat.domain.errors import TemplateFailed
from chat.engine.template_sandbox import MAX_SOURCE_CHARS, TemplateSandbox
from tests.engine.tiny_gguf import BROKEN_TEMPLATE, ENDLESS_TEMPLATE, HOSTILE_TEMPLATE, RAISING_TEMPLATE

GROW = "{% set ns = namespace(x=['ha'], s='ha') %}{% for i in range(60) %}STEP{% endfor %}"
LAUGHS = GROW.replace("STEP", "{% set ns.x = [ns.x, ns.x] %}")
BIG = "{% set x = 'a' * 3900000 %}"


def render(source: str, **variables: object) -> str:
    return TemplateSandbox(source).render(variables)


def failure_of(source: str) -> str:
    with pytest.raises(TemplateFailed) as caught:
        render(source, messages=[{"role": "user", "content": "Hi"}])
    assert caught.value.hint
    return caught.value.message


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("{{ 'a' ~ 1 ~ none }}", "a1None"),
        ("{{ [1, {'a': '<é'}] | tojson }}", '[1, {"a": "<é"}]'),
        ("{{ {'a': [1]} | tojson(indent=2) }}", '{\n  "a": [\n    1\n  ]\n}'),
        ("{{ 'é' | tojson(ensure_ascii=True) }}", '"\\u00e9"'),
        ("{{ ['a', 'b'] | map('upper') | join(', ') }}", "A, B"),
        ("{{ range(3) | join('-') }}", "0-1-2"),
        ("{{ '{} of {}'.format(1, 'two') }}", "1 of two"),
        ("{{ 'a-b'.split('-')[-1] }}{{ 'abc'[1:] }}{{ 'ab' * 2 }}{{ 7 % 4 }}{{ 2 ** 5 }}", "bbcabab332"),
        ("{{ 'aXbX' | replace('X', '--') }}{{ 'aX'.replace('X', '.') }}", "a--b--a."),
        ("{{ 'a\nb' | indent(2) }}", "a\n  b"),
        ("{{ ','.join(['a', 'b']) }}", "a,b"),
        (
            "{% for n in range(9) %}{% if n == 2 %}{% break %}{% endif %}{{ n }}{{ loop.last }}{% endfor %}",
            "0False1False",
        ),
        ("{% for n in range(6) if n % 2 %}{{ n }}{% endfor %}", "135"),
        ("{% macro m(a) %}[{{ a }}]{{ caller() }}{% endmacro %}{% call m(1) %}x{% endcall %}", "[1]x"),
        ("{% generation %}words{% endgeneration %}", "words"),
        ("  {% if true %}\na\n  {% endif %}\nb", "a\nb"),
        ("{{ nothing }}{{ nothing is defined }}", "False"),
        ("{{ [{'r': 'u'}, {'r': 'a'}] | selectattr('r', 'equalto', 'u') | list | length }}", "1"),
    ],
)
def test_renders_what_templates_use(source: str, text: str) -> None:
    assert render(source) == text


def test_knows_the_date() -> None:
    assert render("{{ strftime_now('%Y') }}") == str(datetime.now(UTC).astimezone().year)


def test_a_template_speaks_for_itself() -> None:
    assert (
        failure_of(RAISING_TEMPLATE) == "The model's chat template refused: Only texts about gardens, please"
    )


def test_a_broken_template_names_the_line() -> None:
    assert failure_of("\n" + BROKEN_TEMPLATE).startswith("The model's chat template cannot be read: line 2:")


def test_a_long_template_is_not_even_read() -> None:
    assert "too long" in failure_of("x" * (MAX_SOURCE_CHARS + 1))


def test_each_render_has_its_own_budget() -> None:
    sandbox = TemplateSandbox("{% for i in range(n) %}{{ x }}{% endfor %}")
    with pytest.raises(TemplateFailed):
        sandbox.render({"n": 99_999, "x": "a" * 4000})

    assert sandbox.render({"n": 2, "x": "b"}) == "bb"


ESCAPES = {
    "globals of a Jinja helper": HOSTILE_TEMPLATE,
    "classes": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "classes by subscript": "{{ ''['__class__']['__mro__'] }}",
    "globals of a filter": "{{ raise_exception.__globals__.os }}",
    "classes by format_map": "{{ '{a.__class__.__mro__}'.format_map({'a': 1}).x.y }}",
    "the environment": "{{ self.__init__.__globals__ }}",
    "include": "{% include '/etc/passwd' %}",
    "import": "{% import 'os' as os %}",
    "change a list": "{{ messages.append(1) }}",
    "change a dict": "{{ messages[0].update({'role': 'system'}) }}",
    "bytes": "{{ 'a'.encode() }}",
}


@pytest.mark.parametrize("case", ESCAPES)
def test_no_way_leads_out(case: str) -> None:
    assert failure_of(ESCAPES[case])


BOMBS = {
    "endless loop": ENDLESS_TEMPLATE,
    "loop with a test": ENDLESS_TEMPLATE.replace("(99999) %}{% endfor", "(99999) if false %}{% endfor"),
    "loop in itself": "{% for x in [1, 2] recursive %}{% if loop.depth < 60 %}{{ loop('ab') }}{% endif %}{% endfor %}",
    "macro in itself": "{% macro m() %}{{ m() }}{{ m() }}{% endmacro %}{{ m() }}",
    "macro that doubles": "{% macro m(n) %}{% if n %}{{ m(n-1) }}{{ m(n-1) }}{% endif %}{% endmacro %}{{ m(60) }}",
    "block in itself": "{% block b %}{{ self.b() }}{% endblock %}",
    "long filter chain": "{{ range(99999) | map('upper') | map('lower') | list | length }}" * 40,
    "sorting": "{{ range(99999) | map('string') | sort | list | length }}" * 99,
    "comparing long texts": BIG + "{% set y = 'a' * 1900000 ~ 'b' %}" + "{{ y in x }}" * 900,
    "giant range": "{{ range(10 ** 9) | list }}",
    "giant repetition": "{{ 'a' * 10 ** 10 }}",
    "list repetition": "{{ [0] * 10 ** 9 }}",
    "giant number": "{{ 10 ** 10 ** 10 }}",
    "growing number": "{% set ns = namespace(x=9) %}{% for i in range(99) %}{% set ns.x = ns.x * ns.x %}{% endfor %}",
    "doubling by +": GROW.replace("STEP", "{% set ns.s = ns.s + ns.s %}"),
    "doubling by ~": GROW.replace("STEP", "{% set ns.s = ns.s ~ ns.s %}"),
    "doubling by replace": GROW.replace("STEP", "{% set ns.s = ns.s | replace('a', ns.s) %}"),
    "doubling by str.replace": GROW.replace("STEP", "{% set ns.s = ns.s.replace('a', ns.s) %}"),
    "doubling by join": GROW.replace("STEP", "{% set ns.s = [ns.s, ns.s] | join(ns.s) %}"),
    "doubling by str.join": GROW.replace("STEP", "{% set ns.s = ns.s.join([ns.s, ns.s]) %}"),
    "doubling by format": GROW.replace("STEP", "{% set ns.s = '{0}{0}'.format(ns.s) %}"),
    "billion laughs": LAUGHS + "{{ ns.x }}",
    "billion laughs in JSON": LAUGHS + "{{ ns.x | tojson }}",
    "billion laughs joined": LAUGHS + "{{ ns.x | join }}",
    "billion laughs compared": LAUGHS + "{{ ns.x == [ns.x] }}",
    "billion laughs selected": LAUGHS + "{{ [ns.x] | select('eq', [ns.x]) | list }}",
    "billion laughs in a namespace": LAUGHS + "{{ ns }}",
    "many copies kept": BIG + GROW.replace("60", "99999").replace("STEP", "{% set ns.x = ns.x + [x[1:]] %}"),
    "much output": BIG + "{% for i in range(99999) %}{{ x }}{% endfor %}",
    "much fixed output": "{% for i in range(99999) %}" + "x" * 30_000 + "{% endfor %}",
    "width in a format": "{{ '{:>9999999999}'.format(1) }}",
    "width after %": "{{ '%9999999999d' % 1 }}",
    "center": "{{ 'a'.center(10 ** 10) }}",
    "center filter": "{{ 'a' | center(10 ** 10) }}",
    "indented JSON": "{{ [[[1]]] | tojson(indent=10 ** 9) }}",
    "deeply indented JSON": LAUGHS.replace("60", "900").replace(", ns.x", "") + "{{ ns.x | tojson(indent=32) }}" * 9,
    "indent": "{{ 'a\nb' | indent(10 ** 9) }}",
    "bytes of a number": "{{ (1).to_bytes(10 ** 9, 'big') }}",
    "parentheses": "{{ " + "(" * 9000 + "1" + ")" * 9000 + " }}",
    "additions": "{{ 1" + " + 1" * 9000 + " }}",
    "attributes": "{{ a" + ".b" * 9000 + " }}",
    "loops in loops": "{% for a in range(9) %}" * 18 + "{% endfor %}" * 18,
    "branches": "{% if a %}" + "{% elif b %}" * 3000 + "{% endif %}",
    "open comment": "{#" * 19_000,
}  # fmt: skip


@pytest.mark.parametrize("case", BOMBS)
def test_every_bomb_is_defused_in_time(case: str) -> None:
    start = time.process_time()

    assert failure_of(BOMBS[case])

    assert time.process_time() - start < 2.0
