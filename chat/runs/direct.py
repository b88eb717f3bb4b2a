"""A program's own messages as a request: to a plain model, or to a flow with its prompt, sampling and tools."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from chat.conf import ChatConf
from chat.domain.messages import ChatMessage
from chat.domain.params import GenerationRequest, SamplingParams
from chat.models import Flow
from chat.models.flow import changed_params
from chat.runs.sources import Search, search_for
from chat.tools.host import ToolHost


def direct_request(
    messages: Sequence[ChatMessage],
    *,
    flow: Flow | None,
    changes: dict[str, Any],
    scope: str,
    conf: ChatConf,
    tools: ToolHost,
) -> GenerationRequest:
    """What the model is asked. `changes` are sampling parameters by name.

    A flow's prompt stands before all messages. A plain model is given the messages as they are, and no tools.

    Raises: InvalidInput for sampling parameters out of bounds.
    """
    if flow is None:
        return GenerationRequest(tuple(messages), _params(conf.params, conf, changes), scope=scope)
    prompt = flow.system_prompt or conf.system_prompt
    if prompt:
        messages = [ChatMessage.of("system", prompt), *messages]
    params = _params(flow.sampling(conf.params), conf, changes)
    return GenerationRequest(tuple(messages), params, tools.specs(flow.tools), scope)


def search_in(flow: Flow | None, messages: Sequence[ChatMessage]) -> Search | None:
    """In the flow's documents, for the last question."""
    if flow is None or flow.collection_id is None:
        return None
    return search_for([flow.collection_id], [message.text for message in messages if message.role == "user"])


def _params(start: SamplingParams, conf: ChatConf, changes: dict[str, Any]) -> SamplingParams:
    """`start` with the changes; no answer gets longer than the server allows."""
    params = changed_params(start, changes)
    limits = [limit for limit in (params.max_tokens, conf.params.max_tokens) if limit is not None]
    return replace(params, max_tokens=min(limits, default=None))
