"""Runs a Jinja template that came with a model file: no way out, no endless loop, no giant text.

Jinja's sandbox keeps a template from Python's internals but lets it loop and allocate without end, and no signal
reaches the thread that renders. So the template itself is made to count: each loop, macro, call, filter and operator
pays into a `Budget`, which ends the render when it is used up. Knows nothing of chats.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from string import Formatter
from threading import Lock
from typing import Any

from jinja2 import nodes
from jinja2.exceptions import SecurityError, TemplateSyntaxError
from jinja2.ext import Extension, LoopControlExtension
from jinja2.parser import Parser
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import pass_context

from chat.domain.errors import TemplateFailed
from chat.engine.template_budget import Budget, check_number, check_power
from chat.engine.template_filters import FILTERS, GLOBALS, TESTS, RaisedByTemplate, budget_of

MAX_SOURCE_CHARS = (
    40_000  # compiled in under 0.8 s; the longest of the 70 templates that llama.cpp ships has 16,738
)
MAX_MESSAGE_CHARS = 500

_TEXT_METHODS = (
    "capitalize casefold count endswith find format index isalnum isalpha isdecimal isdigit islower isnumeric "
    "isspace isupper join lower lstrip partition removeprefix removesuffix replace rfind rindex rpartition rsplit "
    "rstrip split splitlines startswith strip swapcase title upper"
)


class TemplateSandbox:
    """One compiled template. Renders one at a time, from any thread."""

    def __init__(self, source: str) -> None:
        """Raises: TemplateFailed when the template is too long or not Jinja."""
        if len(source) > MAX_SOURCE_CHARS:
            raise TemplateFailed(f"The model's chat template is too long: {len(source):,} characters.")
        self._lock = Lock()
        self._environment = _Environment()
        with _explained():
            tree = self._environment.parse(source)
            _make_it_count(tree)
            tree.set_environment(self._environment)
            self._template = self._environment.from_string(tree)

    def render(self, variables: Mapping[str, object]) -> str:
        """Raises: TemplateFailed, with the template's own words when it used `raise_exception`."""
        with self._lock, _explained():
            self._environment.budget = Budget()
            return self._template.render(variables)


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except Exception as exc:  # a template is foreign code: it may raise anything
        raise TemplateFailed(_explain(exc)[:MAX_MESSAGE_CHARS]) from exc


def _explain(exc: Exception) -> str:
    match exc:
        case RaisedByTemplate():
            return f"The model's chat template refused: {exc}"
        case SecurityError():
            return f"The model's chat template was stopped: {exc}"
        case TemplateSyntaxError():
            return f"The model's chat template cannot be read: line {exc.lineno}: {exc.message}"
        case RecursionError() | MemoryError():
            return "The model's chat template is nested too deep."
        case _:
            return f"The model's chat template failed: {exc}"


class _GenerationBlock(Extension):
    """`{% generation %}` marks the assistant's words for training; here it changes nothing."""

    tags = {"generation"}

    def parse(self, parser: Parser) -> list[nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def _make_it_count(tree: nodes.Template) -> None:
    """Rewrite a template so that its loops, macros, comparisons, concatenations and slices pay."""
    for block in list(tree.find_all((nodes.For, nodes.Macro, nodes.CallBlock))):
        assert isinstance(block, (nodes.For, nodes.Macro, nodes.CallBlock))
        block.body.insert(0, nodes.ExprStmt(_call("tick", nodes.Const(_fixed_chars(block)))))
    for loop in list(tree.find_all(nodes.For)):
        if loop.test is not None:
            loop.test = nodes.And(_call("tick"), loop.test)
    for concat in list(tree.find_all(nodes.Concat)):
        concat.nodes = [_call("concatenated", *concat.nodes)]
    for side in list(tree.find_all((nodes.Compare, nodes.Operand))):
        assert isinstance(side, (nodes.Compare, nodes.Operand))
        side.expr = _call("weighed", side.expr)
    for item in list(tree.find_all(nodes.Getitem)):
        if isinstance(item.arg, nodes.Slice):
            item.node = _call("copied", item.node)


def _fixed_chars(node: nodes.Node) -> int:
    """What one round of a loop may write or build without calling anything."""
    num_expressions = sum(1 for _ in node.find_all(nodes.Expr))
    return num_expressions + sum(len(text.data) for text in node.find_all(nodes.TemplateData))


def _call(method: str, *arguments: nodes.Expr) -> nodes.Call:
    return nodes.Call(nodes.EnvironmentAttribute(method), list(arguments), [], None, None)


@pass_context
def _write(context: Context, value: object) -> object:
    """Pay for each `{{ value }}`. Asking for the context keeps Jinja from calling this while it compiles."""
    budget_of(context).weigh(value)
    return value


class _Environment(ImmutableSandboxedEnvironment):
    """The sandbox in which every operation pays into the budget of the render that runs."""

    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def __init__(self) -> None:
        super().__init__(
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=[LoopControlExtension, _GenerationBlock],
            finalize=_write,
            optimized=False,  # or constant expressions would run, unpaid, while the template is compiled
        )
        self.budget = Budget()
        self.filters = dict(FILTERS)
        self.tests = dict(TESTS)
        self.globals = dict(GLOBALS)

    def tick(self, num_chars: int = 0) -> bool:
        return self.budget.tick(num_chars)

    def concatenated(self, *values: object) -> str:
        self.budget.weigh(*values)
        return "".join(map(str, values))

    def weighed(self, value: object) -> object:
        if isinstance(value, (list, tuple, Mapping)):
            self.budget.weigh(value)
        return value

    def copied(self, value: object) -> object:
        self.budget.charge_copy(value)
        return value

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805
        __self.budget.tick()
        text = getattr(__obj, "__self__", None)
        if isinstance(text, str):
            args = __self._checked_method(text, __obj.__name__, args)
        return super().call(__context, __obj, *args, **kwargs)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        self.budget.tick()
        match operator:
            case "+":
                self.budget.charge_copy(left)
                self.budget.charge_copy(right)
            case "*":
                self._check_repetition(left, right)
                self._check_repetition(right, left)
            case "**":
                check_power(left, right)
            case _ if isinstance(left, str):
                raise SecurityError("it formats text with %")
        result = super().call_binop(context, operator, left, right)
        check_number(result)
        return result

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        if isinstance(obj, str):
            return attr in _TEXT_METHODS.split()
        if isinstance(obj, (int, float, list, tuple, range)):
            return False
        return super().is_safe_attribute(obj, attr, value)

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        format_text = super().wrap_str_format(value)
        if format_text is None:
            return None

        def bounded(*args: object, **kwargs: object) -> str:
            fields = list(Formatter().parse(value.__self__))
            if any(spec for _, _, spec, _ in fields):
                raise SecurityError("it formats text with a width")
            self.budget.charge(len(fields) * self.budget.weigh(args, kwargs))
            return format_text(*args, **kwargs)

        return bounded

    def _checked_method(self, text: str, method: str, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """Pay for what a method of `text` will make. Returns the arguments to call it with."""
        self.budget.charge(len(text))
        if method == "replace" and len(args) >= 2:
            self.budget.charge(text.count(args[0]) * len(args[1]))
        if method == "join" and args:
            words = list(args[0])
            self.budget.charge(len(text) * len(words) + self.budget.weigh(words))
            return (words,)
        return args

    def _check_repetition(self, value: object, times: object) -> None:
        if isinstance(times, int):
            if isinstance(value, str):
                self.budget.charge(len(value) * max(times, 0))
            elif isinstance(value, (list, tuple)):
                raise SecurityError("it repeats a list")
