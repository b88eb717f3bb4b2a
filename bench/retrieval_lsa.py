"""A stand-in for an embedding model, where none is installed: latent semantic analysis of the very documents searched.

It knows only which words of these documents keep company, so it says nothing about how well a model finds; it lets the
way through vectors and fusion be measured. Source: Deerwester et al., "Indexing by Latent Semantic Analysis", 1990.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from chat.retrieval.words import spelled

NUM_TOPICS = 48


class LatentTopics:
    """Vectors of texts by the topics of `corpus`; what `chat.retrieval.floor.Embeds` asks for."""

    def __init__(self, corpus: Sequence[str]) -> None:
        counts = [Counter(spelled(text).split()) for text in corpus]
        num_with = Counter(word for count in counts for word in count)
        self._places = {word: place for place, word in enumerate(num_with)}
        self._weights = np.log((len(corpus) + 1) / np.array(list(num_with.values())))
        rows = np.stack([self._row(text) for text in corpus])
        _, _, topics = np.linalg.svd(rows, full_matrices=False)
        self._topics = topics[:NUM_TOPICS].T

    def model_name(self) -> str:
        """See `Embeds`."""
        return "lsa stand-in"

    def passages(self, texts: Sequence[str], model: str = "") -> NDArray[np.float32]:
        """See `Embeds`."""
        vectors = np.stack([self._row(text) for text in texts]) @ self._topics
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        unit: NDArray[np.float32] = (vectors / np.maximum(lengths, 1e-9)).astype(np.float32)
        return unit

    def question(self, text: str, model: str = "") -> NDArray[np.float32]:
        """See `Embeds`."""
        vector: NDArray[np.float32] = self.passages([text], model)[0]
        return vector

    def _row(self, text: str) -> NDArray[np.float64]:
        row = np.zeros(len(self._places))
        for word, count in Counter(spelled(text).split()).items():
            if (place := self._places.get(word)) is not None:
                row[place] = np.log1p(count) * self._weights[place]
        return row
