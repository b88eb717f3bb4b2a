"""How near is near: models differ in what they call similar, so each is asked about texts that have nothing in common.

Unrelated texts get about 0.05 from all-MiniLM, 0.45 from bge and 0.75 from e5, by their authors' own reports: no one
number serves all.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

# Of a thousand unrelated chunks about one is as near by chance.
NUM_DEVIATIONS = 3.0

# Each question has nothing to do with any of the passages.
QUESTIONS = (
    "Which tyres are best for driving in deep snow?",
    "How do I fold a paper crane?",
    "When was the treaty signed that ended the war?",
    "How can I lower the cholesterol in my blood?",
    "Who composed the opera that we heard last night?",
    "What does the error about a missing semicolon mean?",
    "How many players are on a volleyball team?",
    "Why do cats purr when they sleep?",
)
PASSAGES = (
    "Bring the milk to the boil, stir in the semolina and let it thicken for five minutes.",
    "The tenant pays the rent by the third working day of the month, without deductions.",
    "Granite is an igneous rock that consists mainly of quartz, feldspar and mica.",
    "The ferry to the island leaves every two hours from the northern pier.",
    "Revenue grew by four percent in the third quarter, while costs stayed the same.",
    "The loom holds the warp threads under tension while the weft is drawn through them.",
    "A telescope's resolution grows with the diameter of its mirror.",
    "Prune the roses in early spring, before the first buds open.",
)


class Embeds(Protocol):
    """What is needed of an embedding model: vectors of unit length, float32."""

    def model_name(self) -> str:
        """The model there is; "" when there is none."""
        ...

    def passages(self, texts: Sequence[str], model: str = "") -> NDArray[np.float32]:
        """Shape (n_texts, dim). Raises: ChatError."""
        ...

    def question(self, text: str, model: str = "") -> NDArray[np.float32]:
        """Shape (dim,). Raises: ChatError."""
        ...


class SimilarityFloor:
    """The similarity below which a chunk is not found, measured once for each model. Any thread may call."""

    def __init__(self, embeddings: Embeds) -> None:
        self._embeddings = embeddings
        self._floors: dict[str, float] = {}
        self._lock = threading.Lock()

    def of(self, model: str) -> float:
        """Raises: ChatError when the model cannot be used."""
        with self._lock:
            if model not in self._floors:
                self._floors[model] = self._measure(model)
            return self._floors[model]

    def _measure(self, model: str) -> float:
        questions = np.stack([self._embeddings.question(text, model) for text in QUESTIONS])
        similarities = questions @ self._embeddings.passages(PASSAGES, model).T
        mean, deviation = float(similarities.mean()), float(similarities.std())
        # A model that finds nearly everything alike is asked for no more than half of the way to the very same text.
        return min(mean + NUM_DEVIATIONS * deviation, (mean + 1) / 2)
