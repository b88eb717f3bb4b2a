"""Log-probabilities of the tokens of a reply, handed out with the text that they became.

Text is held back (half a character, the start of a stop string or a marker) and partly swallowed (markers, thinking):
each token waits here until its last character is shown.
"""

from __future__ import annotations

import codecs
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from chat.domain.errors import InvalidInput
from chat.domain.events import TokenLogprob
from chat.engine.backend import Logits
from chat.engine.pieces import CallPiece, Piece, ReasoningPiece, TextPiece

MAX_ALTERNATIVES = 20

_new_decoder = codecs.getincrementaldecoder("utf-8")


@dataclass(slots=True)
class _Waiting:
    """A token that is not shown yet; `text` is what is left of it. One from before a restart has no logprob."""

    text: str
    logprob: TokenLogprob | None


class LogprobTrail:
    """The tokens of one reply, from being chosen to being shown.

    Raises: InvalidInput when `num_alternatives` is not from 0 to 20.
    """

    def __init__(self, num_alternatives: int, token_bytes: Callable[[int], bytes]) -> None:
        if not 0 <= num_alternatives <= MAX_ALTERNATIVES:
            raise InvalidInput(f"top_logprobs must be a whole number from 0 to {MAX_ALTERNATIVES}.")
        self._num_alternatives = num_alternatives
        self._token_bytes = token_bytes
        self._decoder = _new_decoder(errors="replace")
        self._waiting: deque[_Waiting] = deque()
        self._measured: TokenLogprob | None = None

    def measure(self, logits: Logits, token: int) -> None:
        """Note how likely `token` and its alternatives were by one row of raw (vocab_size,) logits."""
        peak = logits.max()
        log_total = peak + np.log(np.exp(logits - peak).sum())
        ids = likeliest(logits, self._num_alternatives)
        data = self._token_bytes(token)
        self._measured = TokenLogprob(
            token=_text(data),
            logprob=float(logits[token] - log_total),
            token_bytes=tuple(data),
            top=tuple((_text(self._token_bytes(each)), float(logits[each] - log_total)) for each in ids),
        )

    def push(self, token: int) -> None:
        """The token is written: the last one measured, or one from before a restart."""
        text = self._decoder.decode(self._token_bytes(token))
        self._waiting.append(_Waiting(text, self._measured))
        self._measured = None

    def end(self) -> None:
        """No token follows: half a character is shown as it is."""
        text = self._decoder.decode(b"", final=True)
        if text and self._waiting:
            self._waiting[-1].text += text

    def annotate(self, piece: Piece) -> Piece:
        """The piece, with the logprobs of the tokens whose text it completes."""
        match piece:
            case TextPiece():
                return TextPiece(piece.text, self._take(piece.text))
            case ReasoningPiece():
                self._take(piece.text)
            case CallPiece():  # its tokens became no text; the last of them may have begun some
                while len(self._waiting) > 1:
                    self._waiting.popleft()
        return piece

    def _take(self, shown: str) -> tuple[TokenLogprob, ...]:
        """Tokens that do not fit to what is shown were swallowed before it."""
        taken = []
        while self._waiting and shown:
            first = self._waiting[0]
            num_common = _fit(first, shown)
            shown = shown[num_common:]
            first.text = first.text[num_common:]
            if first.text and num_common and not shown:
                break
            self._waiting.popleft()
            if not first.text and first.logprob:
                taken.append(first.logprob)
        return tuple(taken)


def likeliest(logits: Logits, num_wanted: int) -> list[int]:
    """The `num_wanted` largest of one row, largest first."""
    num_wanted = min(num_wanted, len(logits))
    if not num_wanted:
        return []
    ids = np.argpartition(logits, -num_wanted)[-num_wanted:]
    return [int(each) for each in ids[np.argsort(-logits[ids])]]


def _fit(waiting: _Waiting, shown: str) -> int:
    """How many characters of the token stand at the start of `shown`. Space that was swallowed is cut off it first."""
    for text in (waiting.text, waiting.text.lstrip()):
        if text and (shown.startswith(text) or text.startswith(shown)):
            waiting.text = text
            return min(len(text), len(shown))
    return 0


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")
