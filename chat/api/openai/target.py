"""Who is to answer, and for whom: the field `model` names a GGUF file or a flow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.http import HttpRequest

from chat.domain.errors import InvalidInput, ModelUnsupported, Unauthorized
from chat.domain.messages import ChatMessage, ToolSpec
from chat.domain.params import SamplingParams
from chat.http.auth import Caller, caller_for, caller_with, key_with
from chat.http.body import Fields
from chat.http.model_names import FLOW_PREFIX, resolve
from chat.http.origins import check_origin
from chat.http.rate_limits import check_flow_rate
from chat.http.sight import check_sees
from chat.models import Flow, Right
from chat.runtime import get_runtime

MAX_NAME_CHARS = 300


@dataclass(frozen=True, slots=True)
class Target:
    """`name` is what the client calls it, `model` the file that answers. Without a flow there is no prompt, no tool."""

    name: str
    model: str
    caller: Caller
    params: SamplingParams
    flow: Flow | None = None
    system_prompt: str = ""
    tools: tuple[ToolSpec, ...] = ()

    @property
    def longest(self) -> int | None:
        """How many tokens an answer may have at most."""
        return get_runtime().conf.params.max_tokens

    def with_prompt(self, messages: Sequence[ChatMessage]) -> tuple[ChatMessage, ...]:
        """The messages after the flow's system prompt. Raises: InvalidInput for pictures that the model cannot see."""
        if any(message.images for message in messages):
            check_sees(self.model, "model")
        if not self.system_prompt:
            return tuple(messages)
        return (ChatMessage.of("system", self.system_prompt), *messages)


def target_for(request: HttpRequest, fields: Fields) -> Target:
    """Check the key and find what `model` names. Touches the database.

    Raises: Unauthorized, NotAllowed, RateLimited, ModelNotFound, InvalidInput.
    """
    has_key = "Authorization" in request.headers
    key = key_with(request, Right.GENERATE) if has_key else None
    name = _name_in(fields, has_key=has_key)
    try:
        flow, model = resolve(name)
    except ModelUnsupported as exc:
        raise InvalidInput(exc.message, hint=exc.hint, field="model") from exc
    if flow is None:
        if key is None:
            raise Unauthorized("Unauthorized")
        return Target(name, model, caller_with(key, None), get_runtime().conf.params)
    check_origin(request, flow)
    caller = caller_with(key, flow) if key else caller_for(request, flow)
    check_flow_rate(request, flow)
    return _flow_target(name, model, caller, flow)


def _name_in(fields: Fields, *, has_key: bool) -> str:
    """Who has no key may only name a flow."""
    if not has_key and not str(fields.raw("model")).startswith(FLOW_PREFIX):
        raise Unauthorized("Unauthorized")
    return fields.text("model", min_chars=1, max_chars=MAX_NAME_CHARS)


def _flow_target(name: str, model: str, caller: Caller, flow: Flow) -> Target:
    runtime = get_runtime()
    return Target(
        name,
        model,
        caller,
        params=flow.sampling(runtime.conf.params),
        flow=flow,
        system_prompt=flow.system_prompt or runtime.conf.system_prompt,
        tools=runtime.tools.specs(flow.tools),
    )
