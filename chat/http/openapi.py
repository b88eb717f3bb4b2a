"""What a view tells the OpenAPI document of itself: written beside the view, collected from the routes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

V = TypeVar("V", bound=Callable[..., Any])
Schema = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path. `body` is the JSON schema of the request, `responses` map a status to the schema of its
    JSON answer (None: no JSON). `streams` names a second content type of the 200 answer. `parameters` are OpenAPI
    parameter objects beside those of the path.
    """

    method: str
    summary: str
    tag: str
    responses: Mapping[int, Schema | None]
    body: Schema | None = None
    description: str = ""
    streams: str = ""
    needs_key: bool = True
    parameters: tuple[Schema, ...] = ()
    multipart: Schema | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


def documented(*operations: Operation) -> Callable[[V], V]:
    """Attach the operations of a view, one for each method; none at all for what only says that nothing is there."""

    def attach(view: V) -> V:
        view.operations = operations  # type: ignore[attr-defined]
        return view

    return attach
