"""POST /v1/responses: the Responses API, without what needs answers to be stored."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

from django.http import HttpRequest, HttpResponseBase

from chat.api.openai.answering import Question, answer, answer_id
from chat.api.openai.errors import error_body
from chat.api.openai.fold import client_tools
from chat.api.openai.formats import reply_grammar, text_format
from chat.api.openai.operations import RESPONSE
from chat.api.openai.responses_encode import ResponseEncoder, ResponseStyle
from chat.api.openai.responses_input import input_messages
from chat.api.openai.sampling import MAX_TOP_LOGPROBS, sampling_of, with_length
from chat.api.openai.target import Target, target_for
from chat.api.openai.tools import Offer, flat_offer
from chat.domain.params import GenerationRequest, SamplingParams
from chat.http.api import api_view
from chat.http.body import Fields, json_object
from chat.http.detached import Idempotency
from chat.http.openapi import documented
from chat.http.origins import for_pages_of_flows
from chat.runs.direct import search_in
from chat.runs.task import Task

LOGPROBS = "message.output_text.logprobs"
# Name, and what to do instead.
_NOT_STORED = {
    "previous_response_id": "cannot be used: this server stores no responses. Send the earlier items in input",
    "conversation": "cannot be used: this server stores no responses. Send the earlier items in input",
}


@documented(RESPONSE)
@for_pages_of_flows
@api_view("POST", error_body=partial(error_body, prompt_field="input"))
async def responses(request: HttpRequest) -> HttpResponseBase:
    """The answer to a text or a list of items."""
    return await answer(request, parse)


def parse(request: HttpRequest) -> Question:
    """Raises: ChatError that names the field."""
    fields = Fields(json_object(request))
    target = target_for(request, fields)
    _refuse_what_is_not_there(fields)
    idempotency = Idempotency.of(request, target.caller)
    offer = flat_offer(fields)
    params = with_length(fields, sampling_of(fields, target.params), target.longest, "max_output_tokens")
    task = _task(fields, target, offer, params)
    style = ResponseStyle(
        id=answer_id("resp_", idempotency),
        created=int(time.time()),
        tools=client_tools(fields, offer, task.request.grammar),
        echo=_echo(fields, target, offer, params),
    )
    return Question((task,), idempotency, ResponseEncoder(style), fields.boolean("stream"))


def _refuse_what_is_not_there(fields: Fields) -> None:
    for name, what in _NOT_STORED.items():
        if name in fields:
            fields.refuse(name, what)
    if fields.boolean("background"):
        fields.refuse("background", "cannot be used: this server stores no responses")


def _task(fields: Fields, target: Target, offer: Offer, params: SamplingParams) -> Task:
    top_logprobs = fields.integer("top_logprobs", 0, MAX_TOP_LOGPROBS, 0)
    grammar = reply_grammar(text_format(fields), offer, fields)
    request = GenerationRequest(
        target.with_prompt(input_messages(fields)),
        params,
        tools=offer.beside(target.tools, grammar),
        scope=target.caller.actor.scope,
        grammar=grammar,
        top_logprobs=top_logprobs if LOGPROBS in fields.array("include") else None,
        is_alone=fields.boolean("deterministic"),
    )
    is_trimmed = fields.choice("truncation", ["auto", "disabled"], "disabled") == "auto"
    return Task(
        request,
        target.model,
        client_tools=offer.names,
        is_trimmed=is_trimmed,
        search=search_in(target.flow, request.messages),
    )


def _echo(fields: Fields, target: Target, offer: Offer, params: SamplingParams) -> dict[str, Any]:
    tools = [
        {
            "type": "function",
            "name": spec.name,
            "description": spec.description,
            "parameters": spec.parameters,
            "strict": False,
        }
        for spec in offer.specs
    ]
    text = fields.object("text")
    form = text.mapping("format") if text else {}
    return {
        "model": target.name,
        "instructions": fields.text("instructions", "") or None,
        "max_output_tokens": fields.integer("max_output_tokens", 1, 10_000_000),
        "metadata": fields.mapping("metadata"),
        "parallel_tool_calls": fields.boolean("parallel_tool_calls", default=True),
        "previous_response_id": None,
        "reasoning": {"effort": None, "summary": None},
        "store": False,
        "temperature": params.temperature,
        "text": {"format": form or {"type": "text"}},
        "tool_choice": fields.raw("tool_choice") or "auto",
        "tools": tools,
        "top_p": params.top_p,
        "truncation": fields.raw("truncation") or "disabled",
        "user": None,
    }
