"""The filters, tests and functions that a chat template may use; each pays into the budget of the render.

What is not listed does not exist: `center` alone makes ten gigabytes of a word. The list holds what the 70 templates
of llama.cpp use, and close neighbours.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, NoReturn

from jinja2.exceptions import SecurityError
from jinja2.filters import FILTERS as JINJA_FILTERS
from jinja2.runtime import Context
from jinja2.tests import TESTS as JINJA_TESTS
from jinja2.utils import Namespace, pass_context

from chat.engine.template_budget import Budget

MAX_RANGE = 100_000
MAX_INDENT = 32
MAX_DATE_FORMAT_CHARS = 100

AnyFunction = Callable[..., Any]

_FLAT_FILTERS = (
    "abs capitalize count d default e escape first float int items last length list lower map reject rejectattr "
    "reverse round safe select selectattr title trim upper"
)
_DEEP_FILTERS = "dictsort max min sort string unique"
_DEEP_TESTS = "== != < <= > >= eq equalto ge greaterthan gt in le lessthan lt ne"


class RaisedByTemplate(Exception):
    """The template called `raise_exception`."""


def budget_of(context: Context) -> Budget:
    """The budget of the render that runs."""
    budget = getattr(context.environment, "budget", None)
    assert isinstance(budget, Budget)
    return budget


def _flat(function: AnyFunction) -> AnyFunction:
    """Make a filter pay that copies its input, or less."""

    @functools.wraps(function)
    def paying(context: Context, value: object, *args: Any, **kwargs: Any) -> Any:
        budget_of(context).tick()
        budget_of(context).charge_copy(value)
        return function(*_implied(function, context), value, *args, **kwargs)

    return pass_context(paying)


def _deep(function: AnyFunction) -> AnyFunction:
    """Make a filter or test pay whose work grows with all that its arguments hold."""

    @functools.wraps(function)
    def paying(context: Context, *args: Any, **kwargs: Any) -> Any:
        budget_of(context).tick()
        values = [_as_list(value) for value in args]
        budget_of(context).weigh(*values, *kwargs.values())
        return function(*_implied(function, context), *values, **kwargs)

    return pass_context(paying)


def _implied(function: AnyFunction, context: Context) -> tuple[object, ...]:
    """The first argument that Jinja's own decorators ask for."""
    asked = getattr(function, "jinja_pass_arg", None)
    if asked is None:
        return ()
    implied = {"context": context, "eval_context": context.eval_ctx, "environment": context.environment}
    return (implied[asked.name],)


def _as_list(value: object) -> object:
    """Generators come out of `map` and `select`; they can be weighed only once they are lists."""
    return list(value) if isinstance(value, (Iterator, range)) else value


@pass_context
def _replace(context: Context, value: object, old: object, new: object, count: int = -1) -> str:
    budget_of(context).tick()
    budget_of(context).weigh(value, old, new)
    text = str(value)
    budget_of(context).charge(text.count(str(old)) * len(str(new)))
    return text.replace(str(old), str(new), count)


@pass_context
def _join(context: Context, value: Any, separator: object = "", attribute: str | int | None = None) -> Any:
    budget_of(context).tick()
    items = list(value)
    budget_of(context).weigh(items, separator)
    budget_of(context).charge(len(str(separator)) * len(items))
    return JINJA_FILTERS["join"](context.eval_ctx, items, separator, attribute)


@pass_context
def _indent(
    context: Context, text: object, width: int | str = 4, *, first: bool = False, blank: bool = False
) -> Any:
    budget_of(context).tick()
    budget_of(context).weigh(text)
    num_columns = _checked_indent(width)
    budget_of(context).charge(str(text).count("\n") * num_columns)
    return JINJA_FILTERS["indent"](str(text), width, first, blank)


@pass_context
def _to_json(
    context: Context,
    value: object,
    *,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """JSON as the templates' authors had it: nothing is escaped for HTML.

    Source: transformers, utils/chat_template_utils.py.
    """
    budget_of(context).tick()
    value = _as_list(value)
    budget_of(context).weigh(value, separators or ())
    encoder = json.JSONEncoder(
        ensure_ascii=ensure_ascii,
        indent=None if indent is None else _checked_indent(indent),
        separators=separators,
        sort_keys=sort_keys,
    )
    if indent is None:
        return encoder.encode(value)
    # Each level of nesting is indented deeper: the text can be far longer than its weight.
    return "".join(chunk for chunk in encoder.iterencode(value) if budget_of(context).tick(len(chunk)))


def _checked_indent(width: int | str) -> int:
    num_columns = len(width) if isinstance(width, str) else width
    if not 0 <= num_columns <= MAX_INDENT:
        raise SecurityError("it indents too far")
    return num_columns


def _bounded_range(*bounds: int) -> range:
    numbers = range(*bounds)
    if len(numbers) > MAX_RANGE:
        raise SecurityError(f"it counts over {len(numbers):,} numbers")
    return numbers


def _raise_exception(message: object = "") -> NoReturn:
    raise RaisedByTemplate(message if isinstance(message, str) else "without a reason")


def _strftime_now(layout: str) -> str:
    return datetime.now().astimezone().strftime(layout[:MAX_DATE_FORMAT_CHARS])


FILTERS: dict[str, AnyFunction] = {
    **{name: _flat(JINJA_FILTERS[name]) for name in _FLAT_FILTERS.split()},
    **{name: _deep(JINJA_FILTERS[name]) for name in _DEEP_FILTERS.split()},
    "indent": _indent,
    "join": _join,
    "replace": _replace,
    "tojson": _to_json,
}
TESTS: dict[str, Any] = {**JINJA_TESTS}
TESTS.update({name: _deep(TESTS[name]) for name in _DEEP_TESTS.split()})
GLOBALS: dict[str, Any] = {
    "dict": dict,
    "namespace": Namespace,
    "range": _bounded_range,
    "raise_exception": _raise_exception,
    "strftime_now": _strftime_now,
}
