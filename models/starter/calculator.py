"""The calculator that training and evaluation ask: the arithmetic of Parley's own tool, by Python's syntax tree."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable

_BINARY: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
_FUNCTIONS: dict[str, Callable[..., float]] = {
    "sqrt": math.sqrt,
    "abs": abs,
    "round": round,
    "min": min,
    "max": max,
}
MAX_EXPONENT = 64
MAX_WHOLE = 1e15


def calculate(expression: str) -> str:
    """The value as text, whole numbers without a decimal point.

    Raises: ValueError, SyntaxError, ZeroDivisionError or OverflowError when the expression has no value.
    """
    value = _value(ast.parse(expression.strip(), mode="eval").body)
    if isinstance(value, float) and (abs(value) < MAX_WHOLE and value.is_integer()):
        value = int(value)
    return str(value) if isinstance(value, int) else f"{value:.12g}"


def _value(node: ast.expr) -> float:
    match node:
        case ast.Constant(value=int() | float() as value):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand)
        case ast.BinOp(left=left, op=ast.Pow(), right=right) if abs(_value(right)) > MAX_EXPONENT:
            raise ValueError("the exponent is too large")
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            return _BINARY[type(op)](_value(left), _value(right))
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if name in _FUNCTIONS:
            return _FUNCTIONS[name](*map(_value, arguments))
    raise ValueError("not an arithmetic expression")
