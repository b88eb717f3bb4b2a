"""Part of `bench.retrieval`: how long a search takes in a large collection, and how long its files take to make."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from django.db import transaction
from numpy.typing import NDArray

from chat.models import Chunk, Collection, Document, DocumentStatus, Placement
from chat.retrieval.lexical import WordIndex, index_words
from chat.retrieval.members import Members
from chat.retrieval.search import Retriever
from chat.retrieval.vectors import VectorIndex

DIM = 384
CHUNKS_PER_DOCUMENT = 100
WORDS_PER_CHUNK = 160
NUM_WORDS = 50_000
NUM_SEARCHES = 100
MODEL = "random"
# Common words of a question are stop words; these are the ranks that the others come from.
RANKS = (100, 20_000)
WORDS_PER_QUESTION = 6

_SYLLABLES = "ba ke mo ri tu len sor vin dak pel gra nos tim ru fel ost".split()


class RandomVectors:
    """Stands for an embedding model that takes no time."""

    def __init__(self) -> None:
        self._random = np.random.default_rng(1)

    def model_name(self) -> str:
        """See `chat.retrieval.floor.Embeds`."""
        return MODEL

    def passages(self, texts: Sequence[str], model: str = "") -> NDArray[np.float32]:
        """See `chat.retrieval.floor.Embeds`."""
        return _random_vectors(self._random, len(texts))

    def question(self, text: str, model: str = "") -> NDArray[np.float32]:
        """See `chat.retrieval.floor.Embeds`."""
        vector: NDArray[np.float32] = _random_vectors(self._random, 1)[0]
        return vector


def measure(folder: Path, num_chunks: int) -> None:
    """Print the times of each kind of search: by the clock, and of the processor, which a busy machine changes less."""
    collection = Collection.objects.create(name="Large")
    words = _words()
    _timed(
        f"indexing {num_chunks:,} chunks of {WORDS_PER_CHUNK} words",
        lambda: _fill(collection, words, num_chunks),
    )
    members, embeddings = Members(), RandomVectors()
    index, vectors = WordIndex(members), VectorIndex(folder)
    retriever = Retriever(index, vectors, embeddings)
    ids, question = [collection.pk], embeddings.question("")
    _timed("first search by words", lambda: index.search(ids, words[500], 50))
    _timed(
        f"first search by vectors: makes a matrix of {DIM} columns",
        lambda: vectors.search(ids, MODEL, question, 50),
    )
    _timed("first search of another process", lambda: VectorIndex(folder).search(ids, MODEL, question, 50))
    retriever.search(ids, words[500])  # measures the floor
    questions = list(_questions(words))
    columns = ("median", "p95", "worst", "cpu median", "cpu p95", "worst")
    print(f"{NUM_SEARCHES} searches, ms".ljust(28) + "".join(f"{column:>12}" for column in columns))
    _print_row("lexical", questions, lambda text: index.search(ids, text, 50))
    _print_row("vectors", questions, lambda text: vectors.search(ids, MODEL, embeddings.question(text), 50))
    _print_row("hybrid", questions, lambda text: retriever.search(ids, text))


def _print_row(name: str, questions: Sequence[str], search: Callable[[str], object]) -> None:
    times_ms, cpu_ms = [], []
    for question in questions:
        began_s, cpu_s = time.perf_counter(), time.thread_time()
        search(question)
        times_ms.append((time.perf_counter() - began_s) * 1000)
        cpu_ms.append((time.thread_time() - cpu_s) * 1000)
    cells = [
        part for times in (times_ms, cpu_ms) for part in (statistics.median(times), _p95(times), max(times))
    ]
    print(f"{name:28}" + "".join(f"{cell:12.1f}" for cell in cells), flush=True)


def _p95(times: Sequence[float]) -> float:
    return statistics.quantiles(times, n=20)[-1]


def _timed(name: str, work: Callable[[], object]) -> None:
    began_s = time.perf_counter()
    work()
    print(f"{name}: {time.perf_counter() - began_s:.2f} s", flush=True)


def _fill(collection: Collection, words: Sequence[str], num_chunks: int) -> None:
    random = np.random.default_rng(0)
    shares = 1 / (np.arange(1, NUM_WORDS + 1) + 2.7) ** 1.07  # Zipf's law, as Mandelbrot mended it
    steps = np.cumsum(shares / shares.sum())
    for _ in range(0, num_chunks, CHUNKS_PER_DOCUMENT):
        ranks = np.searchsorted(steps, random.random((CHUNKS_PER_DOCUMENT, WORDS_PER_CHUNK)))
        texts = [" ".join(words[rank] for rank in row) for row in ranks.clip(max=NUM_WORDS - 1)]
        _store(collection, texts, _random_vectors(random, len(texts)))


@transaction.atomic
def _store(collection: Collection, texts: Sequence[str], vectors: NDArray[np.float32]) -> None:
    document = Document.objects.create(
        filename="made up", num_bytes=1, status=DocumentStatus.READY, embedder=MODEL
    )
    Placement.objects.create(collection=collection, document=document)
    chunks = Chunk.objects.bulk_create(
        Chunk(document=document, position=n, text=text, start=0, end=len(text), vector=vector.tobytes())
        for n, (text, vector) in enumerate(zip(texts, vectors, strict=True))
    )
    index_words([(chunk.pk, chunk.text) for chunk in chunks])


def _questions(words: Sequence[str]) -> Iterator[str]:
    random = np.random.default_rng(2)
    least, most = np.log(RANKS)
    for _ in range(NUM_SEARCHES):
        ranks = np.exp(random.uniform(least, most, WORDS_PER_QUESTION)).astype(int)
        yield f"What does it say about {' '.join(words[rank] for rank in ranks)}?"


def _words() -> list[str]:
    """Made of syllables, as pronounceable as they are meaningless."""
    words = []
    for number in range(16, NUM_WORDS + 16):
        word, rest = "", number
        while rest:
            word, rest = word + _SYLLABLES[rest % 16], rest // 16
        words.append(word)
    return words


def _random_vectors(random: np.random.Generator, num: int) -> NDArray[np.float32]:
    vectors = random.standard_normal((num, DIM), dtype=np.float32)
    unit: NDArray[np.float32] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit
