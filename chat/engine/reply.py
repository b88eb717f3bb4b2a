"""One reply from its first state to its end: turns what the engine does into pieces. Knows no library."""

from __future__ import annotations

import time
from collections.abc import Iterable

from chat.domain.errors import ChatError
from chat.domain.events import RunState
from chat.engine.backend import Logits, Sampler
from chat.engine.call_guard import CallGuard
from chat.engine.detokenizer import Detokenizer
from chat.engine.generation import Job, Update
from chat.engine.logprobs import LogprobTrail
from chat.engine.pieces import (
    CallPiece,
    EndPiece,
    EndReason,
    GenerationUsage,
    Piece,
    ReasoningPiece,
    StatePiece,
    TextPiece,
)
from chat.engine.plain_parser import PlainParser
from chat.engine.sequence import Sequence, SequenceStatus
from chat.engine.tool_calls import ToolCallParser


class Reply:
    """The pieces of one sequence; `take_update` hands over those since the last call."""

    def __init__(
        self,
        sequence: Sequence,
        detokenizer: Detokenizer,
        parser: ToolCallParser | PlainParser,
        sampler: Sampler,
        logprobs: LogprobTrail | None = None,
        guard: CallGuard | None = None,
    ) -> None:
        self.sequence = sequence
        self._detokenizer = detokenizer
        self._parser = parser
        self._sampler = sampler
        self._logprobs = logprobs
        self._guard = guard
        self._tokens: list[int] = []
        self._pieces: list[Piece] = []
        self._error: ChatError | None = None
        self._state: StatePiece | None = None
        self._has_calls = False
        self._resumed_ms = 0
        self._submitted_at = self._admitted_at = self._first_token_at = time.monotonic()

    def replay(self, prefix: str, job: Job) -> None:
        """Bring the parser to where the reply already is; its pieces were yielded before."""
        self._parser.skip(prefix)
        self._follow_call()
        self._resumed_ms = job.resumed_ms
        for token in job.resumed:
            self._sampler.accept(token)
            for piece in self._read(token):
                self._has_calls |= isinstance(piece, CallPiece)
                if self._logprobs is not None:
                    self._logprobs.annotate(piece)

    def queue(self, position: int, estimated_s: int | None) -> None:
        """Report the place in the queue, and how long it may take."""
        self._enter(StatePiece("queued", position=position, estimated_s=estimated_s))

    def start_reading(self) -> None:
        """A slot is there."""
        self._admitted_at = self._first_token_at = time.monotonic()
        self.report_progress()

    def report_progress(self) -> None:
        """Report how much of the prompt is computed."""
        sequence = self.sequence
        self._enter(StatePiece("reading", progress=sequence.num_computed / len(sequence.token_ids)))

    def start_looking(self) -> None:
        """A picture is being computed."""
        self._enter(StatePiece("looking"))

    def choose(self, logits: Logits) -> int:
        """The next token, by the reply's own sampler. Raises: InvalidInput when its grammar leaves none."""
        token = self._sampler.sample(logits)
        if self._logprobs is not None:
            self._logprobs.measure(logits, token)
        return token

    def write(self, token: int) -> bool:
        """Add a token to the reply. True when a stop string or the grammar is now complete."""
        if not self.sequence.is_writing:
            self._start_writing()
        self.sequence.token_ids.append(token)
        self._tokens.append(token)
        self._add(self._read(token))
        return self._detokenizer.is_stopped or self._sampler.is_finished

    def end(self, reason: EndReason) -> None:
        """Release what was held back and say how it ended."""
        if self._logprobs is not None:
            self._logprobs.end()
        self._add(self._parser.feed(self._detokenizer.flush()))
        self._add(self._parser.finish())
        if reason == "stop" and self._has_calls:
            reason = "tool_calls"
        self._pieces.append(EndPiece(reason, self._usage()))

    def fail(self, error: ChatError) -> None:
        """End with an error."""
        self._error = error

    @property
    def has_news(self) -> bool:
        """True when more than text has come: a state or a call."""
        return any(not isinstance(piece, (TextPiece, ReasoningPiece)) for piece in self._pieces)

    def take_update(self) -> Update | None:
        """What is new, None when nothing is."""
        if not (self._tokens or self._pieces or self._error):
            return None
        update = Update(self.sequence.id, tuple(self._tokens), tuple(self._pieces), self._error)
        self._tokens, self._pieces = [], []
        return update

    def close(self) -> None:
        """Free the sampler."""
        self._sampler.close()

    def _start_writing(self) -> None:
        self._first_token_at = time.monotonic()
        self.sequence.status = SequenceStatus.WRITING
        self._enter(StatePiece("thinking" if self._parser.is_thinking else "writing"))

    def _read(self, token: int) -> list[Piece]:
        if self._logprobs is not None:
            self._logprobs.push(token)
        pieces = self._parser.feed(self._detokenizer.push(token))
        self._follow_call()
        return pieces

    def _follow_call(self) -> None:
        if self._guard is not None:
            call = self._parser.open_call
            self._guard.follow(call, self._detokenizer.pending if call else b"")

    def _add(self, pieces: Iterable[Piece]) -> None:
        for piece in pieces:
            if (state := _STATE_OF.get(type(piece))) is not None:
                self._enter(StatePiece(state))
            self._has_calls |= isinstance(piece, CallPiece)
            self._append(piece if self._logprobs is None else self._logprobs.annotate(piece))

    def _append(self, piece: Piece) -> None:
        """Text that waits beside text becomes one piece."""
        last = self._pieces[-1] if self._pieces else None
        if isinstance(piece, TextPiece) and isinstance(last, TextPiece):
            self._pieces[-1] = TextPiece(last.text + piece.text, last.logprobs + piece.logprobs)
        elif isinstance(piece, ReasoningPiece) and isinstance(last, ReasoningPiece):
            self._pieces[-1] = ReasoningPiece(last.text + piece.text)
        else:
            self._pieces.append(piece)

    def _enter(self, state: StatePiece) -> None:
        if state != self._state:
            self._state = state
            self._pieces.append(state)

    def _usage(self) -> GenerationUsage:
        now = time.monotonic()
        return GenerationUsage(
            prompt_tokens=self.sequence.num_prompt,
            cached_tokens=min(self.sequence.num_cached, self.sequence.num_prompt),
            completion_tokens=self.sequence.num_generated,
            queued_ms=_to_ms(self._admitted_at - self._submitted_at),
            prompt_ms=_to_ms(self._first_token_at - self._admitted_at),
            completion_ms=self._resumed_ms + _to_ms(now - self._first_token_at),
        )


_STATE_OF: dict[type[Piece], RunState] = {TextPiece: "writing", ReasoningPiece: "thinking"}


def _to_ms(seconds: float) -> int:
    return round(seconds * 1000)
