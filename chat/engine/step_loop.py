"""The loop body of the engine: schedule, decode, write, deliver. Lives on the compute thread; knows no processes."""

from __future__ import annotations

import time
from collections.abc import Iterable

from chat.domain.errors import ChatError, ContextOverflow, InvalidInput
from chat.domain.params import AdapterFile, GenerationRequest
from chat.engine.backend import BatchAborted, BatchTooLarge, Logits
from chat.engine.budget import TokenBudget
from chat.engine.config import EngineConfig
from chat.engine.generation import Job
from chat.engine.kv_cache import KvCache
from chat.engine.loading import LoadedModel
from chat.engine.pieces import EndReason
from chat.engine.prompt_encoder import EncodedPrompt, PromptEncoder
from chat.engine.prompt_trace import PromptSpan
from chat.engine.reply_maker import ReplyMaker
from chat.engine.reply_table import Deliver, ReplyTable
from chat.engine.scheduler import Batch, Scheduler, batch_of
from chat.engine.sequence import Sequence
from chat.engine.speculation import Speculator

Rows = list[tuple[Sequence, Logits]]


class StepLoop:
    """All replies of one loaded model.

    Only the two interrupts, `count_tokens`, `trace_prompt` and the counts may be asked from other threads.
    """

    def __init__(self, model: LoadedModel, config: EngineConfig, deliver: Deliver) -> None:
        self._backend = model.backend
        self._encoder = PromptEncoder(model.backend, model.template)
        self._maker = ReplyMaker(model)
        self._cache = KvCache(model.backend, config.prefix_cache_bytes)
        speculator = Speculator(model.backend.context_tokens) if model.backend.can_drop_tail else None
        self._scheduler = Scheduler(TokenBudget(), model.backend.max_batch_tokens, speculator)
        self._replies = ReplyTable(deliver)
        self._reading_ids: frozenset[int] = frozenset()
        self._adapters: set[AdapterFile | None] = {None}  # those that were tried

    @property
    def context_tokens(self) -> int:
        """Tokens that a prompt and its reply may have together."""
        return self._backend.context_tokens

    @property
    def num_running(self) -> int:
        """Replies with a slot."""
        return len(self._scheduler.running)

    @property
    def num_waiting(self) -> int:
        """Replies without one."""
        return self._scheduler.num_waiting

    def add(self, job: Job) -> None:
        """Render, tokenize and queue a job; its errors go to its own reader."""
        try:
            prompt = self._encoder.encode(job.request)
            sequence = _sequence_of(job, prompt)
            self._replies.add(self._maker.make(job, prompt, sequence))
        except ChatError as error:
            self._replies.refuse(job.id, error)
            return
        self._scheduler.add(sequence)

    def cancel(self, job_id: int) -> None:
        """End a reply now and free its slot; nothing happens when it has ended."""
        if reply := self._replies.find(job_id):
            self._end(reply.sequence, "stopped")

    def fail_all(self, error: ChatError) -> None:
        """End every reply with `error` and forget all computed state, which may be broken."""
        for reply in self._replies.all():
            reply.fail(error)
            self._forget(reply.sequence)
        self._cache.clear()

    def step(self) -> None:
        """Give every running reply its next token, and prompts their next part."""
        batch = self._schedule()
        for sequence, logits in self._decode(batch):
            self._write(sequence, logits)
        self._reading_ids = frozenset()
        self.flush()
        self._look()

    def check_integrity(self) -> None:
        """Raises: RuntimeError when slots and sequences do not agree."""
        self._cache.check_integrity(self._scheduler.running)

    def interrupt_reading(self, job_id: int) -> None:
        """Break off the step in flight when it computes the prompt of `job_id`: that may take a second."""
        if job_id in self._reading_ids:
            self._backend.interrupt()

    def interrupt(self) -> None:
        """Break off the step in flight."""
        self._backend.interrupt()

    def count_tokens(self, request: GenerationRequest) -> int:
        """Raises: TemplateFailed."""
        return self._encoder.count(request)

    def trace_prompt(self, request: GenerationRequest) -> tuple[PromptSpan, ...]:
        """Raises: TemplateFailed."""
        return self._encoder.trace(request)

    def flush(self) -> None:
        """See `ReplyTable.flush`."""
        self._replies.flush()

    def close(self) -> None:
        """Free the samplers and the model."""
        self._replies.close()
        self._backend.close()

    def _schedule(self) -> Batch:
        self._admit()
        self._cache.close_hole()
        batch = self._scheduler.next_batch()
        self._reading_ids = frozenset(sequence.id for sequence in batch.sequences if not sequence.is_writing)
        return batch

    def _admit(self) -> None:
        while self._cache.has_free_slot() and (sequence := self._scheduler.next_admission()):
            self._scheduler.admit(sequence, self._cache.place(sequence))
            self._replies[sequence.id].start_reading()
        for position, sequence in enumerate(self._scheduler.waiting(), start=1):
            self._replies[sequence.id].queue(position, self._scheduler.estimated_wait_s(position))

    def _decode(self, batch: Batch) -> Rows:
        """Compute the batch; returns the sequences that get a token, each with its row of logits."""
        if not batch or not self._use_adapter(batch.sequences):
            return []
        started_at = time.monotonic()
        try:
            logits = self._backend.decode(batch.chunks)
        except BatchAborted:
            self._rewind(batch.sequences)
            return []
        except BatchTooLarge:
            return self._decode_one_by_one(batch)
        self._scheduler.record(batch, time.monotonic() - started_at)
        self._advance(batch.sequences)
        return batch.rows_of(logits)

    def _use_adapter(self, sequences: tuple[Sequence, ...]) -> bool:
        """Change the weights to those of a batch; when that fails, all who asked for them are told."""
        adapter = sequences[0].adapter
        if adapter not in self._adapters:
            self._adapters.add(adapter)
            self.flush()  # whose file it is has to be known outside, should it crash the library
        try:
            self._backend.use_adapter(adapter)
        except ChatError as error:
            for sequence in sequences:
                self._fail(sequence, error)
            return False
        return True

    def _decode_one_by_one(self, batch: Batch) -> Rows:
        """One full context must not end the others' replies: only those that do not fit alone end here."""
        rows: Rows = []
        for sequence in batch.sequences:
            sequence.draft = []
            try:
                logits = self._backend.decode(batch_of(sequence).chunks).copy()
            except BatchAborted:
                self._rewind([sequence])
            except BatchTooLarge:
                self._end_for_want_of_room(sequence)
            else:
                rows += [(sequence, logits)] if sequence.finishes_reading else []
                self._advance([sequence])
        return rows

    def _look(self) -> None:
        """Compute one picture, or a part of one, by itself: that takes seconds on a processor, and all others wait."""
        if (sequence := self._scheduler.next_to_look()) is None:
            return
        self._replies[sequence.id].start_looking()
        self._reading_ids = frozenset({sequence.id})
        self.flush()
        try:
            self._read_image(sequence)
        except BatchAborted:
            self._rewind([sequence])
        except BatchTooLarge:
            self._end_for_want_of_room(sequence)
        except ChatError as error:
            self._rewind([sequence])
            self._fail(sequence, error)
        else:
            self._advance([sequence])
        self._reading_ids = frozenset()
        self.flush()

    def _read_image(self, sequence: Sequence) -> None:
        stretch, vision, slot = sequence.next_image, self._backend.vision, sequence.slot
        assert stretch is not None, "only a sequence that comes to a picture is asked to look"
        assert vision is not None, "only prompts of models that see have pictures"
        assert slot is not None, "only sequences with a slot look"
        self._backend.use_adapter(sequence.adapter)
        vision.read(slot, sequence.num_computed, stretch)
        sequence.num_scheduled = stretch.num_positions

    def _advance(self, sequences: Iterable[Sequence]) -> None:
        for sequence in sequences:
            sequence.num_computed += sequence.num_scheduled
            sequence.num_scheduled = 0
            if not sequence.is_writing:
                self._cache.keep_shared_prefix(sequence)
                self._replies[sequence.id].report_progress()

    def _rewind(self, sequences: Iterable[Sequence]) -> None:
        for sequence in sequences:
            sequence.num_scheduled = 0
            sequence.draft = []
            self._cache.rewind(sequence)

    def _write(self, sequence: Sequence, logits: Logits) -> None:
        """Choose a token from each row, as long as they are what the draft guessed."""
        try:
            reason = (
                self._write_draft(sequence, logits)
                if sequence.draft
                else self._write_one(sequence, logits[0])
            )
        except InvalidInput as error:  # its grammar leads nowhere
            self._fail(sequence, error)
            return
        if reason is not None:
            self._end(sequence, reason)

    def _write_draft(self, sequence: Sequence, logits: Logits) -> EndReason | None:
        draft, num_known = sequence.draft, len(sequence.token_ids)
        reason = self._write_one(sequence, logits[0])
        for guess, row in zip(draft, logits[1:], strict=True):
            if reason is not None or sequence.token_ids[-1] != guess:
                break
            sequence.num_computed += 1
            reason = self._write_one(sequence, row)
        self._scheduler.judge_draft(sequence, len(draft), sequence.num_computed - num_known)
        self._rewind([sequence])
        return reason

    def _write_one(self, sequence: Sequence, logits: Logits) -> EndReason | None:
        """Add a token to its reply; returns why the reply ends with it, None when it goes on."""
        token = self._replies[sequence.id].choose(logits)
        if self._backend.is_end_token(token):
            return "stop"
        if self._replies[sequence.id].write(token):
            return "stop"
        is_full = len(sequence.token_ids) >= self._backend.context_tokens
        return "length" if is_full or sequence.num_generated == sequence.params.max_tokens else None

    def _end(self, sequence: Sequence, reason: EndReason) -> None:
        self._replies[sequence.id].end(reason)
        self._forget(sequence)

    def _end_for_want_of_room(self, sequence: Sequence) -> None:
        self._rewind([sequence])
        if sequence.is_writing:
            self._end(sequence, "length")
            return
        error = ContextOverflow(
            f"The prompt has {len(sequence.token_ids)} tokens: more than the model has room for."
        )
        self._fail(sequence, error)

    def _fail(self, sequence: Sequence, error: ChatError) -> None:
        self._replies[sequence.id].fail(error)
        self._forget(sequence)

    def _forget(self, sequence: Sequence) -> None:
        self._replies.remove(sequence.id)
        self._scheduler.remove(sequence)
        if sequence.slot is not None:
            self._cache.release(sequence)


def _sequence_of(job: Job, prompt: EncodedPrompt) -> Sequence:
    return Sequence(
        id=job.id,
        scope=job.request.scope,
        params=job.request.params,
        token_ids=[*prompt.token_ids, *job.resumed],
        num_prompt=len(prompt.token_ids),
        num_shared=prompt.num_shared,
        is_alone=job.request.is_alone,
        stretches=prompt.stretches,
        adapter=job.request.adapter,
    )
