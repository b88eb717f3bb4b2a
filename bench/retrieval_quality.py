"""Part of `bench.retrieval`: recall@5 and mean reciprocal rank of each way to search."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from bench.retrieval_lsa import LatentTopics
from chat.engine.config import EngineConfig
from chat.engine.embedder import EmbedderProcess
from chat.engine.registry import ModelFile, ModelRegistry
from chat.models import Chunk, Collection, Document, DocumentStatus, Placement
from chat.retrieval.chunker import chunks_of
from chat.retrieval.embedding import Embeddings
from chat.retrieval.floor import Embeds
from chat.retrieval.fusion import fuse
from chat.retrieval.lexical import WordIndex, index_words
from chat.retrieval.members import Members
from chat.retrieval.passages import hits_of
from chat.retrieval.search import Retriever
from chat.retrieval.vectors import VectorIndex

ROOT = Path(__file__).resolve().parent.parent
QUESTIONS = ROOT / "bench" / "retrieval_questions.jsonl"
KINDS = ("plain", "paraphrase", "identifier")
UNANSWERED = "unanswered"
NUM_HITS = 5

Search = Callable[[str], Sequence[str]]


@dataclass(frozen=True, slots=True)
class Question:
    """`quote`: what the passage that answers it says; `document`: where. Both are empty when nothing answers it."""

    kind: str
    question: str
    document: str = ""
    quote: str = ""


class NoModel:
    """No embedding model is installed."""

    def model_name(self) -> str:
        """See `chat.retrieval.floor.Embeds`."""
        return ""

    def passages(self, texts: Sequence[str], model: str = "") -> NoReturn:
        """Nobody asks."""
        raise NotImplementedError

    def question(self, text: str, model: str = "") -> NoReturn:
        """Nobody asks."""
        raise NotImplementedError


def measure(models_dir: Path) -> None:
    """Print a line for each kind of question and way to search."""
    questions = [Question(**json.loads(line)) for line in QUESTIONS.read_text("utf-8").splitlines()]
    collection = _collection(sorted({question.document for question in questions if question.document}))
    questions = list(_with_passage(questions))
    registry = ModelRegistry(models_dir, _no_chat, start_embedder=_start_embedder)
    try:
        embeddings: Embeds = Embeddings(registry)
        if not embeddings.model_name():
            print(
                f"No embedding model in {models_dir}: the vectors are a stand-in (see bench/retrieval_lsa.py)."
            )
            embeddings = LatentTopics(list(Chunk.objects.values_list("text", flat=True)))
        _embed(collection, embeddings)
        _print_table(questions, _searches(collection, embeddings))
    finally:
        registry.close()


def _searches(collection: Collection, embeddings: Embeds) -> Iterator[tuple[str, Search]]:
    words, ids = WordIndex(Members()), [collection.pk]
    vectors = VectorIndex(Path(tempfile.mkdtemp()))
    model = embeddings.model_name()

    def by_vectors(question: str) -> list[str]:
        found = vectors.search(ids, model, embeddings.question(question), NUM_HITS * 4)
        return [hit.text for hit in hits_of(ids, fuse([], [pk for pk, _ in found]), NUM_HITS)]

    def by(retriever: Retriever) -> Search:
        return lambda question: [hit.text for hit in retriever.search(ids, question, NUM_HITS).hits]

    yield "lexical", by(Retriever(words, vectors, NoModel()))
    yield f"vectors: {model}", by_vectors
    yield f"hybrid: {model}", by(Retriever(words, vectors, embeddings))


def _print_table(questions: Sequence[Question], searches: Iterator[tuple[str, Search]]) -> None:
    num_chunks = Chunk.objects.count()
    print(
        f"{len(questions)} questions, {num_chunks} chunks; unanswered: the share for which something is found"
    )
    print(f"{'':28}" + "".join(f"{kind:>18}" for kind in (*KINDS, "all three")) + f"{UNANSWERED:>13}")
    for name, search in searches:
        ranks = {question: _rank(question, search(question.question)) for question in questions}
        cells = [
            _cell([rank for question, rank in ranks.items() if question.kind in kinds]) for kinds in _COLUMNS
        ]
        found = [rank for question, rank in ranks.items() if question.kind == UNANSWERED]
        print(
            f"{name:28}" + "".join(f"{cell:>18}" for cell in cells) + f"{np.mean(found):>13.0%}", flush=True
        )
    print("each cell: recall@5, mean reciprocal rank")


_COLUMNS = (*((kind,) for kind in KINDS), KINDS)


def _cell(ranks: Sequence[int]) -> str:
    recall = np.mean([rank > 0 for rank in ranks])
    return f"{recall:.0%}  {np.mean([1 / rank if rank else 0 for rank in ranks]):.2f}"


def _rank(question: Question, texts: Sequence[str]) -> int:
    """From 1; 0 when it is not there. Of a question without an answer: 1 when there is anything."""
    return next((rank for rank, text in enumerate(texts, 1) if question.quote in _plain(text)), 0)


def _collection(paths: Sequence[str]) -> Collection:
    collection = Collection.objects.create(name="The project's documents")
    for path in paths:
        text = (ROOT / path).read_text("utf-8")
        document = Document.objects.create(
            filename=path, num_bytes=len(text), text=text, status=DocumentStatus.READY
        )
        Placement.objects.create(collection=collection, document=document)
        chunks = Chunk.objects.bulk_create(
            Chunk(
                document=document,
                position=n,
                text=text[span.start : span.end],
                start=span.start,
                end=span.end,
            )
            for n, span in enumerate(chunks_of(text, ()))
        )
        index_words([(chunk.pk, chunk.text) for chunk in chunks])
    return collection


def _with_passage(questions: Sequence[Question]) -> Iterator[Question]:
    """Without those whose quote stands in no chunk: the document has changed, or the quote was cut."""
    for question in questions:
        texts = Chunk.objects.filter(document__filename=question.document).values_list("text", flat=True)
        if question.kind == UNANSWERED or any(question.quote in _plain(text) for text in texts):
            yield question
        else:
            print(f"left out, not in {question.document} any more: {question.quote}")


def _embed(collection: Collection, embeddings: Embeds) -> None:
    chunks = list(Chunk.objects.filter(document__collections=collection))
    for chunk, vector in zip(chunks, embeddings.passages([chunk.text for chunk in chunks]), strict=True):
        chunk.vector = _as_bytes(vector)
    Chunk.objects.bulk_update(chunks, ["vector"])
    Document.objects.update(embedder=embeddings.model_name())


def _as_bytes(vector: NDArray[np.float32]) -> bytes:
    return vector.astype("<f4").tobytes()


def _plain(text: str) -> str:
    return " ".join(text.split())


def _start_embedder(file: ModelFile) -> EmbedderProcess:
    return EmbedderProcess(file.path, EngineConfig())


def _no_chat(file: ModelFile, _room: Event) -> NoReturn:
    raise NotImplementedError(file.name)
