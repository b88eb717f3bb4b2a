"""From a request to prompt tokens: template, begin token, and where the part ends that is the same for everyone."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from chat.domain.errors import ContextOverflow, InvalidInput, TemplateFailed
from chat.domain.messages import ChatMessage, ToolSpec
from chat.domain.params import GenerationRequest
from chat.engine.backend import Backend, ImageStretch
from chat.engine.chat_template import ChatTemplate
from chat.engine.families import family_of
from chat.engine.prefix import TokenArray, common_length
from chat.engine.prompt_trace import PromptSpan, counted, spans_of
from chat.engine.reply_prefix import fit_answer, fit_prefix
from chat.engine.special_words import SpecialWords
from chat.engine.vision_prompt import PromptImages

_MAX_REMEMBERED = 64
# Two user messages that differ from the first character on: what two prompts have in common before them is no user's.
_ANY_USER_MESSAGES = (ChatMessage.of("user", "0"), ChatMessage.of("user", "Z"))


@dataclass(frozen=True, slots=True)
class EncodedPrompt:
    """`text` is the rendered or raw prompt, `prefix` what its reply begins with; the first `num_shared` tokens hold no
    user's words. `stretches` are pictures among the tokens; `num_cells` is what all take of the context.
    """

    text: str
    prefix: str
    token_ids: list[int]
    num_cells: int
    num_shared: int = 0
    stretches: tuple[ImageStretch, ...] = ()


@dataclass(frozen=True, slots=True)
class _Rendered:
    """What the template was given, with marks for pictures, and what it wrote."""

    messages: Sequence[ChatMessage]
    tools: tuple[ToolSpec, ...]
    images: PromptImages
    text: str
    prefix: str


class PromptEncoder:
    """Renders and tokenizes. `encode` may be called from the compute thread only, the others from any."""

    def __init__(self, backend: Backend, template: ChatTemplate) -> None:
        self._backend = backend
        self._template = template
        self._family = family_of(template.source)
        self._special_words = SpecialWords(backend.control_words)
        self._shared_tokens: OrderedDict[str, TokenArray] = OrderedDict()

    def count(self, request: GenerationRequest) -> int:
        """Length of the prompt in tokens. Raises: TemplateFailed; InvalidInput for a picture that cannot be read."""
        return self._encode(request).num_cells

    def trace(self, request: GenerationRequest) -> tuple[PromptSpan, ...]:
        """The prompt of a conversation as the model reads it, in order, with where each stretch comes from.

        Raises: TemplateFailed.
        """
        rendered = self._render(request)
        woven = rendered.images.tokens(rendered.text + rendered.prefix)
        spans = spans_of(rendered.messages, rendered.tools, self._template.render)
        if rendered.prefix:
            spans.append(PromptSpan("prefix", rendered.prefix))
        return rendered.images.unmark(counted(spans, woven.pieces(self._backend)))

    def encode(self, request: GenerationRequest) -> EncodedPrompt:
        """Raises: TemplateFailed; InvalidInput for an empty raw prompt or a picture that cannot be read;
        ContextOverflow with both counts when no token of a reply would fit.
        """
        encoded = self._encode(request)
        num_tokens = encoded.num_cells
        limit = self._backend.context_tokens
        if num_tokens >= limit:
            raise ContextOverflow(
                f"The prompt has {num_tokens} tokens, but the model's context holds {limit}."
            )
        if request.prompt is not None:
            if not num_tokens:
                raise InvalidInput("The prompt is empty.")
            return encoded
        shared = self._shared_tokens_of(request)
        num_shared = common_length(shared, np.array(encoded.token_ids, dtype=np.int32))
        return replace(encoded, num_shared=num_shared)

    def _encode(self, request: GenerationRequest) -> EncodedPrompt:
        if request.prompt is not None:
            token_ids = self._backend.tokenize_plain(request.prompt + request.reply_prefix)
            return EncodedPrompt(request.prompt, request.reply_prefix, token_ids, len(token_ids))
        rendered = self._render(request)
        woven = rendered.images.tokens(rendered.text + rendered.prefix)
        if woven.ends_with_image:
            raise TemplateFailed("The model's chat template writes nothing after a picture.")
        stretches = tuple(woven.stretches)
        return EncodedPrompt(
            rendered.text, rendered.prefix, woven.token_ids, woven.num_cells, stretches=stretches
        )

    def _render(self, request: GenerationRequest) -> _Rendered:
        images = PromptImages(self._backend)
        tools = self._special_words.defuse_tools(request.tools)
        messages = images.mark(self._special_words.defuse(request.messages))
        text = self._template.render(messages, tools)
        return _Rendered(messages, tools, images, text, self._prefix_of(request, text))

    def _prefix_of(self, request: GenerationRequest, text: str) -> str:
        fit = fit_answer if request.grammar else fit_prefix
        return fit(self._family, text, request.reply_prefix)

    def _shared_tokens_of(self, request: GenerationRequest) -> TokenArray:
        first = self._special_words.defuse(request.messages[:1])
        system = tuple(message for message in first if message.role == "system")
        tools = self._special_words.defuse_tools(request.tools)
        key = repr((system, tools))
        if key in self._shared_tokens:
            self._shared_tokens.move_to_end(key)
            return self._shared_tokens[key]
        texts = [self._template.render((*system, message), tools) for message in _ANY_USER_MESSAGES]
        tokens = np.array(self._backend.tokenize(_common_start(*texts)), dtype=np.int32)
        self._shared_tokens[key] = tokens
        if len(self._shared_tokens) > _MAX_REMEMBERED:
            self._shared_tokens.popitem(last=False)
        return tokens


def _common_start(left: str, right: str) -> str:
    pairs = enumerate(zip(left, right, strict=False))
    end = next((place for place, (a, b) in pairs if a != b), min(len(left), len(right)))
    return left[:end]
