"""The calculator: simpleeval, bounded in length, depth and digits, on decimals, in which 0.1 + 0.2 is 0.3."""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable
from decimal import ROUND_FLOOR, ROUND_HALF_UP, Context, Decimal, localcontext
from typing import Any

from simpleeval import InvalidExpression, SimpleEval

from chat.domain.errors import ToolFailed

MAX_CHARS = 500
MAX_DEPTH = 60
MAX_DIGITS = 400
GUARD_DIGITS = 20
SIGNIFICANT_DIGITS = 12

_SPELLINGS = str.maketrans({"×": "*", "·": "*", "÷": "/", "−": "-", "–": "-", "^": "**", "\u00a0": " "})
# A percent sign with no number behind it: "15% of 80", "200 * 10%".
_PERCENT = re.compile(r"(\d+\.?\d*|\.\d+)\s*%(?=\s*(?:of\b|[)*/,]|$))")
_OF = re.compile(r"\)\s*of\b")


def calculator(expression: str) -> str:
    """Work out an arithmetic expression. Operators + - * / // % ** and brackets; functions sqrt, abs, round, min,
    max.
    """
    if len(expression) > MAX_CHARS:
        raise ToolFailed(f"The expression has {len(expression)} characters; at most {MAX_CHARS} are allowed.")
    text = _OF.sub(")*", _PERCENT.sub(r"(\1/100)", expression.translate(_SPELLINGS).strip()))
    try:
        tree = ast.parse(text, mode="eval")
        with localcontext(Context(MAX_DIGITS, ROUND_HALF_UP, Emin=-MAX_DIGITS, Emax=MAX_DIGITS)):
            return _format(_Arithmetic().eval(text, previously_parsed=tree.body))
    except InvalidExpression as exc:
        raise ToolFailed(
            "Only numbers, + - * / // % **, brackets, sqrt, abs, round, min and max are understood."
        ) from exc
    except (SyntaxError, ValueError, MemoryError, RecursionError) as exc:
        raise ToolFailed(f"Not an arithmetic expression: {expression[:80]}") from exc
    except ZeroDivisionError as exc:
        raise ToolFailed("Division by zero.") from exc
    except (ArithmeticError, TypeError) as exc:
        raise ToolFailed("The result is too large or not a real number.") from exc


class _Arithmetic(SimpleEval):
    """simpleeval with nothing but numbers, signs and a few functions."""

    def __init__(self) -> None:
        super().__init__(dict(_OPERATORS), dict(_FUNCTIONS), dict(_NAMES))
        self._depth = 0
        self.nodes: dict[type[ast.expr], Callable[[Any], Any]] = {
            ast.BinOp: self._eval_binop,
            ast.UnaryOp: self._eval_unaryop,
            ast.Call: self._eval_call,
            ast.Name: self._eval_name,
            ast.Constant: _number,
        }

    def _eval(self, node: ast.expr) -> object:
        if self._depth == MAX_DEPTH:
            raise ToolFailed("The expression is nested too deep.")
        self._depth += 1
        try:
            return super()._eval(node)
        finally:
            self._depth -= 1


def _number(node: ast.Constant) -> Decimal:
    if isinstance(node.value, bool) or not isinstance(node.value, (int, float)):
        raise InvalidExpression(node.value)
    if math.isinf(node.value):
        raise OverflowError
    return Decimal(repr(node.value))  # the shortest text of a float is what was written


def _floor_divide(a: Decimal, b: Decimal) -> Decimal:
    return (a / b).to_integral_value(ROUND_FLOOR)


def _modulo(a: Decimal, b: Decimal) -> Decimal:
    """With the sign of `b`; Decimal's own has that of `a`."""
    return a - b * _floor_divide(a, b)


def _power(base: Decimal, exponent: Decimal) -> Decimal:
    """As in Python: 0**0 is 1, and 0**-1 no number."""
    if base == 0 and exponent < 0:
        raise ZeroDivisionError
    return base**exponent if exponent else Decimal(1)


def _round(number: Decimal, digits: Decimal = Decimal(0)) -> Decimal:
    return number.quantize(Decimal(1).scaleb(-int(digits)))


def _format(number: object) -> str:
    """Whole numbers in full, others with 12 significant digits and no trailing zeros."""
    if not isinstance(number, Decimal) or not math.isfinite(shown := float(number)):
        raise TypeError
    number = Context(MAX_DIGITS - GUARD_DIGITS).plus(number)  # (1/7)**-1 is 7
    if number == number.to_integral_value() and abs(number) < Decimal(10) ** 40:
        return str(int(number))
    return f"{shown:.{SIGNIFICANT_DIGITS}g}"


_OPERATORS = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: _floor_divide,
    ast.Mod: _modulo,
    ast.Pow: _power,
    ast.UAdd: operator.pos,
    ast.USub: operator.neg,
}
_FUNCTIONS = {"sqrt": Decimal.sqrt, "abs": abs, "round": _round, "min": min, "max": max}
_NAMES = {"pi": Decimal(repr(math.pi)), "e": Decimal(repr(math.e))}
