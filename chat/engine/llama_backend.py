"""The Backend on llama.cpp: one context with split KV memory, one slot per sequence id."""

from __future__ import annotations

import contextlib
import ctypes
import threading
import time
from collections.abc import Iterator
from collections.abc import Sequence as Rows
from pathlib import Path
from typing import Any

import numpy as np

from chat.domain.errors import EngineFailed, ModelUnsupported
from chat.domain.params import AdapterFile, SamplingParams
from chat.engine.backend import BatchAborted, BatchTooLarge, Chunk, Logits, Sampler, Vision, rows_of_each
from chat.engine.config import EngineConfig
from chat.engine.llama_adapters import LlamaAdapters
from chat.engine.llama_library import abort_flag, is_null, library, log, pointer_to, tokenize
from chat.engine.prefix_store import State
from chat.engine.sampling import build_sampler
from chat.engine.threads import ThreadGovernor

_RC_NO_ROOM = 1
_RC_ABORTED = 2
_PIECE_BYTES = 256


class LlamaBackend:
    """A model and its context; `close` frees both. See `Backend` for the calls.

    With `is_exact` the logits of a token do not depend on what is computed beside it, nor on how the text before it was
    cut into chunks. llama.cpp multiplies by one row with other sums than by several: no row is computed alone then.
    """

    def __init__(
        self,
        model: Any,
        context: Any,
        threads: ThreadGovernor,
        *,
        context_tokens: int,
        is_exact: bool = False,
    ) -> None:
        self._model = model
        self._context = context
        self._threads = threads
        self._adapters = LlamaAdapters(model, context)
        self._memory = library.llama_get_memory(context)
        self._vocab = library.llama_model_get_vocab(model)
        self.num_slots = int(library.llama_n_seq_max(context))
        self.context_tokens = min(context_tokens, int(library.llama_n_ctx_seq(context)))
        self.max_batch_tokens = int(library.llama_n_batch(context))
        self.vocab_size = int(library.llama_vocab_n_tokens(self._vocab))
        self.can_drop_tail = not (
            library.llama_model_is_recurrent(model) or library.llama_model_is_hybrid(model)
        )
        self.control_words = self._read_control_words()
        self.begin_text = self._text(library.llama_vocab_bos(self._vocab))
        self.end_text = self._text(library.llama_vocab_eos(self._vocab))
        self._pieces: dict[int, bytes] = {}
        self._is_exact = is_exact and self.can_drop_tail
        row_tokens = int(library.llama_n_ubatch(context)) if self._is_exact else None
        self._batch = _BatchBuffers(self.max_batch_tokens + self.num_slots, row_tokens)
        self._abort_flag, self._abort_callback = abort_flag()
        library.llama_set_abort_callback(
            context, self._abort_callback, ctypes.cast(self._abort_flag, ctypes.c_void_p)
        )
        self.vision: Vision | None = None

    def add_projector(self, path: Path, config: EngineConfig) -> None:
        """Let the model see. Raises: ModelUnreadable or ModelUnsupported naming the file."""
        try:
            from chat.engine.llama_vision import LlamaVision  # only a model that sees needs its library
        except (OSError, RuntimeError) as exc:
            raise ModelUnsupported(
                f"llama.cpp was compiled without the part that sees: {path.name} is of no use.",
                hint="Compile it again: make install",
            ) from exc
        self.vision = LlamaVision(path, self._model, self._context, self._abort_flag, config)

    def tokenize(self, text: str) -> list[int]:
        """Most templates write the begin token themselves: it is added only where it is missing."""
        has_begin = bool(self.begin_text) and text.startswith(self.begin_text)
        return tokenize(self._vocab, text, add_special=not has_begin, parse_special=True)

    def tokenize_rest(self, text: str) -> list[int]:
        """See `Backend.tokenize_rest`."""
        return tokenize(self._vocab, text, add_special=False, parse_special=True)

    def tokenize_plain(self, text: str) -> list[int]:
        """See `Backend.tokenize_plain`."""
        return tokenize(self._vocab, text, add_special=True, parse_special=False)

    def token_bytes(self, token: int) -> bytes:
        """Special tokens have bytes, too: tool calls and thinking are marked by them."""
        if (piece := self._pieces.get(token)) is None:
            piece = self._pieces[token] = self._read_piece(token)
        return piece

    def is_end_token(self, token: int) -> bool:
        """True for end of turn and end of text."""
        return bool(library.llama_vocab_is_eog(self._vocab, token))

    def is_control_token(self, token: int) -> bool:
        """True for begin and end of text or turn, and the like."""
        return bool(library.llama_vocab_is_control(self._vocab, token))

    def decode(self, chunks: Rows[Chunk]) -> Logits:
        """See `Backend.decode`."""
        return self._decode_exactly(chunks) if self._is_exact else self._decode_together(chunks)

    def _decode_exactly(self, chunks: Rows[Chunk]) -> Logits:
        """Each prompt by itself: llama.cpp cuts sequences of different lengths into parts, some of one row."""
        writing = [chunk for chunk in chunks if len(chunk.token_ids) == 1]
        groups = [writing] if writing else []
        groups += [[chunk] for chunk in chunks if len(chunk.token_ids) > 1]
        rows: dict[int, Logits] = {}
        try:
            for group in groups:
                logits = self._decode_together(group)
                own_rows = rows_of_each(group, logits.copy())
                rows |= {chunk.slot: own for chunk, own in zip(group, own_rows, strict=True)}
                self._drop_twins(group)
        except (BatchAborted, BatchTooLarge):
            for chunk in chunks:
                self.drop_tail(chunk.slot, chunk.start)
            raise
        return np.concatenate([rows[chunk.slot] for chunk in chunks])

    def _drop_twins(self, chunks: Rows[Chunk]) -> None:
        for chunk in chunks:
            self.drop_tail(chunk.slot, chunk.start + len(chunk.token_ids))

    def _decode_together(self, chunks: Rows[Chunk]) -> Logits:
        num_rows = self._batch.fill(chunks)
        self._abort_flag[0] = b"\0"
        status = self._compute(chunks)
        if status == _RC_NO_ROOM:
            raise BatchTooLarge
        if status == _RC_ABORTED:
            raise BatchAborted
        if status != 0:
            raise EngineFailed(f"llama.cpp refused a batch (code {status}). {log.text()}".rstrip())
        return self._logits(num_rows)

    def use_adapter(self, adapter: AdapterFile | None) -> None:
        """Loaded when first used, which takes as long as the disk. The step after an exchange takes longer."""
        self._adapters.use(adapter)

    def drop_tail(self, slot: int, length: int) -> bool:
        """Recurrent models can only be emptied, unless there is nothing to drop."""
        if library.llama_memory_seq_pos_max(self._memory, slot) < length:
            return True
        if library.llama_memory_seq_rm(self._memory, slot, length, -1):
            return True
        library.llama_memory_seq_rm(self._memory, slot, -1, -1)
        return length == 0

    def copy_state(self, slot: int) -> State:
        """About 1.4 ms for 1000 tokens of a half-billion-parameter model."""
        state = np.empty(library.llama_state_seq_get_size(self._context, slot), dtype=np.uint8)
        library.llama_state_seq_get_data(self._context, pointer_to(state, ctypes.c_uint8), state.nbytes, slot)
        return state

    def restore_state(self, slot: int, state: State) -> bool:
        """llama.cpp empties the slot first."""
        size = library.llama_state_seq_set_data(
            self._context, pointer_to(state, ctypes.c_uint8), state.nbytes, slot
        )
        if size == 0:
            library.llama_memory_seq_rm(self._memory, slot, -1, -1)
        return bool(size)

    def new_sampler(self, params: SamplingParams, seed: int) -> Sampler:
        """See `sampling.build_sampler`."""
        return build_sampler(params, seed, self.vocab_size, self._vocab)

    def interrupt(self) -> None:
        """One byte, read by llama.cpp before each graph node."""
        self._abort_flag[0] = b"\1"

    def close(self) -> None:
        """Free the projector and the context, then the model."""
        if self.vision is not None:
            self.vision.close()
        library.llama_free(self._context)
        library.llama_model_free(self._model)

    def _compute(self, chunks: Rows[Chunk]) -> int:
        """llama_decode, on as many threads as is best now. A trial of another number is broken off when it is slow."""
        num_tokens = self._batch.batch.n_tokens
        num_rows = sum(chunk.num_rows for chunk in chunks)
        kind = num_rows if num_rows == sum(len(chunk.token_ids) for chunk in chunks) else 0
        plan = self._threads.plan(kind, num_tokens)
        library.llama_set_n_threads(self._context, plan.num_threads, plan.num_threads)
        started_at = time.perf_counter()
        with self._time_limit(plan.limit_s):
            status = int(library.llama_decode(self._context, self._batch.batch))
        if status == 0 or plan.limit_s is not None:
            self._threads.record(kind, plan.num_threads, num_tokens, time.perf_counter() - started_at)
        return status

    @contextlib.contextmanager
    def _time_limit(self, limit_s: float | None) -> Iterator[None]:
        if limit_s is None:
            yield
            return
        timer = threading.Timer(limit_s, self.interrupt)
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _logits(self, num_rows: int) -> Logits:
        if num_rows == 0:
            return np.empty((0, self.vocab_size), dtype=np.float32)
        pointer = library.llama_get_logits(self._context)
        if is_null(pointer):
            raise EngineFailed("llama.cpp gave no logits.")
        table_type = ctypes.c_float * self.vocab_size * num_rows
        table = table_type.from_address(ctypes.addressof(pointer.contents))
        return np.ctypeslib.as_array(table)

    def _read_piece(self, token: int) -> bytes:
        buffer = ctypes.create_string_buffer(_PIECE_BYTES)
        length = library.llama_token_to_piece(self._vocab, token, buffer, _PIECE_BYTES, 0, True)
        if length < 0:
            buffer = ctypes.create_string_buffer(-length)
            length = library.llama_token_to_piece(self._vocab, token, buffer, -length, 0, True)
        return buffer.raw[:length]

    def _read_control_words(self) -> tuple[str, ...]:
        is_control = library.llama_vocab_is_control
        return tuple(self._text(token) for token in range(self.vocab_size) if is_control(self._vocab, token))

    def _text(self, token: int) -> str:
        """The text of a special token; empty when the vocabulary has none."""
        if token < 0:
            return ""
        return bytes(library.llama_vocab_get_text(self._vocab, token) or b"").decode("utf-8", "replace")


class _BatchBuffers:
    """A llama_batch over numpy arrays: filled by slices, allocated once, kept alive as long as the batch."""

    def __init__(self, max_tokens: int, row_tokens: int | None) -> None:
        """`row_tokens` is how many tokens of a chunk are computed at once, where none may be computed alone."""
        self._row_tokens = row_tokens
        self._tokens = np.zeros(max_tokens, dtype=np.int32)
        self._positions = np.zeros(max_tokens, dtype=np.int32)
        self._slots = np.zeros(max_tokens, dtype=np.int32)
        self._num_slots = np.ones(max_tokens, dtype=np.int32)
        self._wants_logits = np.zeros(max_tokens, dtype=np.int8)
        addresses = self._slots.ctypes.data + np.arange(max_tokens, dtype=np.uint64) * self._slots.itemsize
        self._slot_pointers = addresses.astype(np.uint64)
        self.batch = self._view()

    def fill(self, chunks: Rows[Chunk]) -> int:
        """Write the chunks one after the other; returns how many rows of logits they want."""
        end = 0
        self._wants_logits[: self.batch.n_tokens] = 0
        for chunk in chunks:
            start, end = end, end + len(chunk.token_ids)
            self._tokens[start:end] = chunk.token_ids
            self._positions[start:end] = np.arange(chunk.start, chunk.start + end - start)
            self._slots[start:end] = chunk.slot
            self._wants_logits[end - chunk.num_rows : end] = True
            if self._row_tokens and (end - start) % self._row_tokens == 1:
                self._add_twin(end)
                end += 1
        self.batch.n_tokens = end
        return sum(chunk.num_rows for chunk in chunks)

    def _add_twin(self, at: int) -> None:
        """Once more the last token, at the next place, where nothing looks at it."""
        self._tokens[at] = self._tokens[at - 1]
        self._positions[at] = self._positions[at - 1] + 1
        self._slots[at] = self._slots[at - 1]

    def _view(self) -> Any:
        batch = library.llama_batch()
        batch.token = pointer_to(self._tokens, ctypes.c_int32)
        batch.pos = pointer_to(self._positions, ctypes.c_int32)
        batch.n_seq_id = pointer_to(self._num_slots, ctypes.c_int32)
        batch.seq_id = pointer_to(self._slot_pointers, ctypes.POINTER(ctypes.c_int32))
        batch.logits = pointer_to(self._wants_logits, ctypes.c_int8)
        return batch
