"""POST /v1/chat/completions."""

from __future__ import annotations

import time

from django.http import HttpRequest, HttpResponseBase

from chat.api.openai.answering import Question, answer, answer_id, for_choices
from chat.api.openai.chat_encode import ChatEncoder, ChatStyle
from chat.api.openai.errors import error_body
from chat.api.openai.fold import client_tools
from chat.api.openai.formats import reply_grammar, response_format
from chat.api.openai.messages import chat_messages
from chat.api.openai.operations import CHAT
from chat.api.openai.sampling import MAX_CHOICES, MAX_TOP_LOGPROBS, sampling_of, with_length
from chat.api.openai.target import Target, target_for
from chat.api.openai.tools import Offer, wrapped_offer
from chat.domain.params import GenerationRequest
from chat.http.api import api_view
from chat.http.body import Fields, json_object
from chat.http.detached import Idempotency
from chat.http.openapi import documented
from chat.http.origins import for_pages_of_flows
from chat.runs.direct import search_in
from chat.runs.task import Task


@documented(CHAT)
@for_pages_of_flows
@api_view("POST", error_body=error_body)
async def chat_completions(request: HttpRequest) -> HttpResponseBase:
    """The answer to a list of messages."""
    return await answer(request, parse)


def parse(request: HttpRequest) -> Question:
    """Raises: ChatError that names the field."""
    fields = Fields(json_object(request))
    target = target_for(request, fields)
    idempotency = Idempotency.of(request, target.caller)
    num_choices = fields.integer("n", 1, MAX_CHOICES, 1) or 1
    is_stream = fields.boolean("stream")
    options = fields.object("stream_options")
    offer = wrapped_offer(fields)
    task = _task(fields, target, offer)
    style = ChatStyle(
        id=answer_id("chatcmpl-", idempotency),
        created=int(time.time()),
        model=target.name,
        num_choices=num_choices,
        tools=client_tools(fields, offer, task.request.grammar),
        has_logprobs=task.request.top_logprobs is not None,
        has_usage_chunk=is_stream and options is not None and options.boolean("include_usage"),
    )
    return Question(for_choices(task, num_choices), idempotency, ChatEncoder(style), is_stream)


def _task(fields: Fields, target: Target, offer: Offer) -> Task:
    params = sampling_of(fields, target.params)
    params = with_length(fields, params, target.longest, "max_completion_tokens", "max_tokens")
    grammar = reply_grammar(response_format(fields), offer, fields)
    request = GenerationRequest(
        target.with_prompt(chat_messages(fields)),
        params,
        tools=offer.beside(target.tools, grammar),
        scope=target.caller.actor.scope,
        grammar=grammar,
        top_logprobs=_top_logprobs(fields),
        is_alone=fields.boolean("deterministic"),
    )
    return Task(
        request,
        target.model,
        client_tools=offer.names,
        is_trimmed=False,
        search=search_in(target.flow, request.messages),
    )


def _top_logprobs(fields: Fields) -> int | None:
    """How many alternatives; None when no logarithms were asked for."""
    count = fields.integer("top_logprobs", 0, MAX_TOP_LOGPROBS, 0)
    if fields.boolean("logprobs"):
        return count
    if count:
        fields.refuse("top_logprobs", "needs logprobs to be true")
    return None
