"""Which flow answers a new chat: the page calls it the assistant."""

from __future__ import annotations

from typing import Any

from chat.domain.errors import InvalidInput
from chat.models import Actor, Conversation, Flow
from chat.models.flow import DEFAULT_FLOW_ID

# They fit the starter model: it greets, knows some facts and calls the calculator.
STARTERS = (
    "What can you do?",
    "What is 12 * 34?",
    "What is the capital of France?",
    "Why is the sky blue?",
)


def all_flows() -> list[Flow]:
    """The default flow first."""
    flows = list(Flow.objects.select_related("collection"))
    if not any(flow.is_default for flow in flows):
        flows.append(Flow.objects.default())
    return sorted(flows, key=lambda flow: not flow.is_default)


def flows_for(actor: Actor) -> list[Flow]:
    """What the page offers: to guests no flow that asks programs for a key, except for the default."""
    return [flow for flow in all_flows() if actor.user or flow.is_default or not flow.requires_key]


def flow_for(actor: Actor, flow_id: str) -> Flow:
    """The chosen one of `flows_for`; "" is the default. Raises: InvalidInput for any other."""
    return _chosen(flows_for(actor), flow_id)


def new_chat_context(actor: Actor, flow_id: str) -> dict[str, Any]:
    """For the empty page: the choice, and the starter prompts of the chosen flow. Raises: InvalidInput."""
    flows = flows_for(actor)
    flow = _chosen(flows, flow_id)
    return {
        "flows": flows,
        "flow": flow,
        "starters": flow.starter_prompts or STARTERS,
        "has_own_model": any(other.model for other in flows),
    }


def flow_name_of(conversation: Conversation) -> str:
    """What to call the assistant; "" for the default, which needs no name."""
    is_named = conversation.flow_id not in (None, DEFAULT_FLOW_ID)
    return conversation.flow.name if is_named and conversation.flow else ""


def _chosen(flows: list[Flow], flow_id: str) -> Flow:
    for flow in flows:
        if str(flow.pk) == flow_id or (flow.is_default and not flow_id):
            return flow
    raise InvalidInput(
        "There is no such assistant.",
        hint="Load the page again and choose another: it may have been deleted.",
    )
