"""Vectors of texts by an embedding model in this process: an abort in llama.cpp ends the process with it."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from chat.domain.errors import ContextOverflow, EngineFailed, InvalidInput, ModelUnsupported, OutOfMemory
from chat.engine.config import EngineConfig
from chat.engine.embedder import Vectors
from chat.engine.gguf import GgufMetadata, read_metadata
from chat.engine.llama_library import is_null, library, load_weights, log, thread_count, tokenize
from chat.engine.loading import SMALL_MODEL_BYTES

# All tokens of a batch attend to each other in one graph: its memory grows with the square.
DEFAULT_CONTEXT_TOKENS = 2048
MAX_TEXTS_PER_BATCH = 16

_POOLING_OF_THE_MODEL, _POOLING_NONE, _POOLING_MEAN, _POOLING_RANK = -1, 0, 1, 4


class LlamaEmbedder:
    """A loaded embedding model. All calls come from one thread.

    `dim` is the length of its vectors, `context_tokens` the longest text that it reads.
    Raises: ModelUnreadable, ModelUnsupported or OutOfMemory naming the file.
    """

    def __init__(self, path: Path, config: EngineConfig) -> None:
        metadata = read_metadata(path)
        if metadata.purpose != "embedding":
            raise ModelUnsupported(f"{path.name} does not turn text into vectors.")
        wanted = config.context_tokens or DEFAULT_CONTEXT_TOKENS
        self.context_tokens = min(wanted, metadata.context_tokens or wanted)
        self._model = load_weights(path, config)
        try:
            self._context = self._open_context(metadata, config)
        except BaseException:
            library.llama_model_free(self._model)
            raise
        self._vocab = library.llama_model_get_vocab(self._model)
        self._memory = library.llama_get_memory(self._context)
        self._batch = library.llama_batch_init(self.context_tokens, 0, 1)
        self.dim = int(library.llama_model_n_embd_out(self._model))

    def embed(self, texts: Sequence[str]) -> Vectors:
        """One vector of unit length for each text, shape (n_texts, dim).

        Raises: ContextOverflow with the counts; InvalidInput for a text without a token.
        """
        rows = [self._tokens_of(text) for text in texts]
        vectors = np.empty((len(rows), self.dim), dtype=np.float32)
        for start, end in self._batches(rows):
            self._compute(rows[start:end], vectors[start:end])
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        return np.asarray(vectors / np.maximum(lengths, np.finfo(np.float32).tiny), dtype=np.float32)

    def close(self) -> None:
        """Free the context, then the model."""
        library.llama_batch_free(self._batch)
        library.llama_free(self._context)
        library.llama_model_free(self._model)

    def _open_context(self, metadata: GgufMetadata, config: EngineConfig) -> Any:
        context = self._init_context(metadata, config, _POOLING_OF_THE_MODEL)
        pooling = library.llama_pooling_type(context)
        if pooling == _POOLING_RANK:
            library.llama_free(context)
            raise ModelUnsupported(f"{metadata.path.name} ranks texts and makes no vectors of them.")
        if pooling == _POOLING_NONE:
            library.llama_free(context)
            return self._init_context(metadata, config, _POOLING_MEAN)
        return context

    def _init_context(self, metadata: GgufMetadata, config: EngineConfig, pooling: int) -> Any:
        params = library.llama_context_default_params()
        params.n_ctx = params.n_batch = params.n_ubatch = params.n_outputs_max = self.context_tokens
        params.n_seq_max = MAX_TEXTS_PER_BATCH
        params.n_outputs_max_per_seq = self.context_tokens
        params.kv_unified = True
        params.embeddings = True
        params.pooling_type = pooling
        is_small = metadata.size_bytes < SMALL_MODEL_BYTES
        params.n_threads = params.n_threads_batch = 1 if is_small else thread_count(config)
        params.no_perf = True
        log.clear()
        context = library.llama_init_from_model(self._model, params)
        if is_null(context):
            raise OutOfMemory(f"{metadata.path.name} does not fit into memory. {log.text()}".rstrip())
        return context

    def _tokens_of(self, text: str) -> list[int]:
        tokens = tokenize(self._vocab, text, add_special=True, parse_special=False)
        if len(tokens) > self.context_tokens:
            raise ContextOverflow(
                f"The text has {len(tokens)} tokens, but the embedding model reads {self.context_tokens}.",
                hint="Split the text into shorter parts.",
            )
        if not tokens:
            raise InvalidInput("A text without a word has no vector.")
        return tokens

    def _batches(self, rows: Sequence[Sequence[int]]) -> Iterator[tuple[int, int]]:
        """Runs of rows that fit into one batch."""
        start = num_tokens = 0
        for place, row in enumerate(rows):
            is_full = num_tokens + len(row) > self.context_tokens or place - start == MAX_TEXTS_PER_BATCH
            if is_full:
                yield start, place
                start, num_tokens = place, 0
            num_tokens += len(row)
        if rows:
            yield start, len(rows)

    def _compute(self, rows: Sequence[Sequence[int]], vectors: Vectors) -> None:
        """Modifies `vectors`."""
        self._fill(rows)
        if is_null(self._memory):
            status = library.llama_encode(self._context, self._batch)
        else:
            library.llama_memory_clear(self._memory, True)
            status = library.llama_decode(self._context, self._batch)
        if status != 0:
            raise EngineFailed(f"llama.cpp refused a batch (code {status}). {log.text()}".rstrip())
        for number in range(len(rows)):
            pointer = library.llama_get_embeddings_seq(self._context, number)
            if is_null(pointer):
                raise EngineFailed("llama.cpp gave no vector.")
            row_type = ctypes.c_float * self.dim
            vectors[number] = row_type.from_address(ctypes.addressof(pointer.contents))

    def _fill(self, rows: Sequence[Sequence[int]]) -> None:
        batch, place = self._batch, 0
        for number, row in enumerate(rows):
            for position, token in enumerate(row):
                batch.token[place] = token
                batch.pos[place] = position
                batch.n_seq_id[place] = 1
                batch.seq_id[place][0] = number
                batch.logits[place] = 1
                place += 1
        batch.n_tokens = place
