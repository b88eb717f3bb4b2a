"""The calculator: arithmetic by walking the syntax tree, with bounds on size; nothing is ever evaluated as code."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable
from fractions import Fraction

from chat.domain.errors import ToolFailed

MAX_CHARS = 500
MAX_DEPTH = 60
MAX_BITS = 4096
SIGNIFICANT_DIGITS = 12

Number = int | float | Fraction

_NAMES: dict[str, Number] = {"pi": math.pi, "e": math.e}
_SPELLINGS = str.maketrans({"×": "*", "·": "*", "÷": "/", "−": "-", "–": "-", "^": "**", "\u00a0": " "})


def calculator(expression: str) -> str:
    """Work out an arithmetic expression. Operators + - * / // % ** and brackets; functions sqrt, abs, round, min,
    max.
    """
    if len(expression) > MAX_CHARS:
        raise ToolFailed(f"The expression has {len(expression)} characters; at most {MAX_CHARS} are allowed.")
    try:
        tree = ast.parse(expression.translate(_SPELLINGS).strip(), mode="eval")
        return _format(_value(tree.body, MAX_DEPTH))
    except (SyntaxError, ValueError, MemoryError, RecursionError) as exc:
        raise ToolFailed(f"Not an arithmetic expression: {expression[:80]}") from exc
    except ZeroDivisionError as exc:
        raise ToolFailed("Division by zero.") from exc
    except (OverflowError, TypeError) as exc:
        raise ToolFailed("The result is too large or not a number.") from exc


def _value(node: ast.expr, depth: int) -> Number:
    if depth == 0:
        raise ToolFailed("The expression is nested too deep.")
    match node:
        case ast.Constant(value=bool()):
            raise ToolFailed("True and False are not numbers.")
        case ast.Constant(value=int() | float() as number):
            return _bounded(number if isinstance(number, int) else _exact(number))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            return _bounded(_BINARY[type(op)](_value(left, depth - 1), _value(right, depth - 1)))
        case ast.UnaryOp(op=sign, operand=operand) if type(sign) in _UNARY:
            return _UNARY[type(sign)](_value(operand, depth - 1))
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in _FUNCTIONS:
            return _bounded(_FUNCTIONS[name](*(_value(arg, depth - 1) for arg in args)))
        case ast.Name(id=name) if name in _NAMES:
            return _NAMES[name]
    raise ToolFailed("Only numbers, + - * / // % **, brackets, sqrt, abs, round, min and max are understood.")


def _exact(number: float) -> Number:
    """Decimals as fractions, so that 0.1 + 0.2 is 0.3; the shortest text of a float is what was written."""
    return Fraction(repr(number)) if math.isfinite(number) else number


def _bounded(number: Number) -> Number:
    """Raises: OverflowError for numbers that would take long to go on with."""
    if isinstance(number, float):
        if not math.isfinite(number):
            raise OverflowError
        return number
    size = max(number.numerator.bit_length(), number.denominator.bit_length())
    if size > MAX_BITS:
        return _bounded(float(number))
    return number


def _divide(a: Number, b: Number) -> Number:
    return a / b if isinstance(a, float) or isinstance(b, float) else Fraction(a) / Fraction(b)


def _power(base: Number, exponent: Number) -> Number:
    """Exact for whole exponents of small numbers; a float else, so that 9**9**9 overflows at once."""
    if not isinstance(base, float) and not isinstance(exponent, float) and exponent.denominator == 1:
        exact, times = Fraction(base), int(exponent)
        if max(exact.numerator.bit_length(), exact.denominator.bit_length()) * abs(times) <= MAX_BITS:
            return exact**times
    if base < 0 and exponent != int(exponent):
        raise ToolFailed("A negative number has no real root.")
    return math.pow(base, exponent)


def _square_root(number: Number) -> Number:
    if number < 0:
        raise ToolFailed("A negative number has no real square root.")
    if not isinstance(number, float):
        exact = Fraction(math.isqrt(number.numerator), math.isqrt(number.denominator))
        if exact * exact == number:
            return exact
    return math.sqrt(number)


def _round(number: Number, digits: Number = 0) -> Number:
    """Halves go up in size, as at school: Python's own rounds 2.5 to 2."""
    digits = int(digits)
    if abs(digits) > 100:
        raise OverflowError
    scaled = abs(Fraction(number)) * Fraction(10) ** digits
    rounded = Fraction(math.floor(scaled + Fraction(1, 2))) / Fraction(10) ** digits
    return rounded if number >= 0 else -rounded


def _format(number: Number) -> str:
    """Whole numbers in full, others with 12 significant digits and no trailing zeros."""
    whole = int(number)
    if (
        number == whole
        and -(10**40) < whole < 10**40
        and not (isinstance(number, float) and abs(whole) >= 2**53)
    ):
        return str(whole)
    return f"{float(number):.{SIGNIFICANT_DIGITS}g}"


_BINARY: dict[type[ast.operator], Callable[[Number, Number], Number]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: _divide,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: _power,
}
_UNARY: dict[type[ast.unaryop], Callable[[Number], Number]] = {
    ast.UAdd: lambda number: number,
    ast.USub: lambda number: -number,
}
_FUNCTIONS: dict[str, Callable[..., Number]] = {
    "sqrt": _square_root,
    "abs": abs,
    "round": _round,
    "min": min,
    "max": max,
}
