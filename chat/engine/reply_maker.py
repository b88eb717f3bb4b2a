"""Puts a reply together: what reads its text, what chooses its tokens, and what holds these to a grammar."""

from __future__ import annotations

from chat.domain.errors import InvalidInput
from chat.domain.params import GenerationRequest
from chat.engine.call_guard import CallGrammars, CallGuard
from chat.engine.call_sampler import CallSampler
from chat.engine.channel_parser import ChannelStyle
from chat.engine.detokenizer import Detokenizer
from chat.engine.families import STYLES
from chat.engine.gbnf import parse_grammar
from chat.engine.generation import Job
from chat.engine.grammar_matcher import GrammarMatcher
from chat.engine.grammar_sampler import GrammarSampler, Vocabulary
from chat.engine.loading import LoadedModel
from chat.engine.logprobs import LogprobTrail
from chat.engine.plain_parser import PlainParser
from chat.engine.prompt_encoder import EncodedPrompt
from chat.engine.reply import Reply
from chat.engine.reply_prefix import opens_thinking
from chat.engine.sampling import draw_seed
from chat.engine.sequence import Sequence
from chat.engine.tool_calls import ToolCallParser


class ReplyMaker:
    """Makes the replies of one loaded model."""

    def __init__(self, model: LoadedModel) -> None:
        self._model = model
        self._backend = model.backend
        self._vocabulary = Vocabulary(model.backend)
        self._call_vocabulary = Vocabulary(model.backend, _marks(model.family))
        self._call_grammars = CallGrammars()

    def make(self, job: Job, prompt: EncodedPrompt, sequence: Sequence) -> Reply:
        """A reply that is where its job already is. Raises: InvalidInput when its grammar is none."""
        request = job.request
        is_raw = request.prompt is not None
        matcher = _matcher(request) if request.grammar else None
        # A resumed reply must not draw the numbers again that its first tokens were chosen by.
        sampler = self._backend.new_sampler(request.params, draw_seed(request.params) + len(job.resumed))
        guard = None
        if matcher is not None:
            sampler = GrammarSampler(sampler, matcher, self._vocabulary)
        elif request.tools and not is_raw:
            sampler = CallSampler(sampler, self._call_vocabulary)
            guard = CallGuard(request.tools, self._call_grammars, sampler)
        template_stop = () if is_raw else self._model.template.stop_strings
        reply = Reply(
            sequence,
            Detokenizer(self._backend.token_bytes, (*request.params.stop, *template_stop)),
            PlainParser() if is_raw or request.grammar else self._new_parser(request, prompt),
            sampler,
            self._new_logprobs(request),
            guard,
        )
        reply.replay(prompt.prefix, job)
        return reply

    def _new_parser(self, request: GenerationRequest, prompt: EncodedPrompt) -> ToolCallParser:
        is_thinking = opens_thinking(self._model.family, prompt.text)
        return ToolCallParser(self._model.family, is_thinking, request.tools)

    def _new_logprobs(self, request: GenerationRequest) -> LogprobTrail | None:
        if request.top_logprobs is None:
            return None
        return LogprobTrail(request.top_logprobs, self._backend.token_bytes)


def _matcher(request: GenerationRequest) -> GrammarMatcher:
    matcher = GrammarMatcher(parse_grammar(request.grammar))
    if not matcher.accept(request.reply_prefix.encode("utf-8", "replace")):
        raise InvalidInput("The beginning of the reply does not keep to the grammar.")
    return matcher


def _marks(family: str) -> tuple[str, ...]:
    """All that a family writes in calls."""
    style = STYLES[family]
    forms = (style.call,) if isinstance(style, ChannelStyle) else style.calls
    return tuple(mark for form in forms for mark in form.marks)
