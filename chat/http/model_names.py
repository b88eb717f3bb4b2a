"""What programs name as a model: a GGUF file of the models folder, the same with an adapter as `MODEL+ADAPTER`, or a
flow as `flow:<id>` or `flow:<name>`.
"""

from __future__ import annotations

import uuid

from chat.domain.errors import ModelNotFound
from chat.models import Flow
from chat.runtime import get_runtime

FLOW_PREFIX = "flow:"


def name_of_flow(flow: Flow) -> str:
    """The flow's name as a model: what `resolve` takes."""
    return f"{FLOW_PREFIX}{flow.pk}"


def resolve(name: str) -> tuple[Flow | None, str]:
    """The flow that is named (None for a plain model), and the model that answers. Touches the database.

    Raises: ModelNotFound when there is no such model or flow; ModelError when the model's file cannot be used.
    """
    if not name.startswith(FLOW_PREFIX):
        return None, _usable(name)
    flow = _flow_called(name)
    return flow, _usable(flow.model) if flow.model else get_runtime().registry.default().name


def _flow_called(name: str) -> Flow:
    called = name.removeprefix(FLOW_PREFIX)
    flow = Flow.objects.filter(pk=pk).first() if (pk := _uuid_in(called)) else None
    flow = flow or Flow.objects.filter(name=called).first()
    if flow is None:
        raise ModelNotFound(f"There is no flow “{name}”.", hint="Choose one of the list of models.")
    return flow


def _uuid_in(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None


def _usable(name: str) -> str:
    return get_runtime().registry.file(name).name
