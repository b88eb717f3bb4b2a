"""Computed tokens that may be used again, and for whom. Knows no slots and no library."""

from __future__ import annotations

from collections.abc import Sequence as Tokens
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chat.domain.params import AdapterFile

TokenArray = NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class Prefix:
    """The tokens of a computed state, and whose text they are.

    The first `num_shared` tokens are the system prompt and the tools: whoever sends the very same tokens may use them.
    The rest belongs to `scope`. A state computed under one adapter is of no use under another.
    """

    token_ids: TokenArray
    scope: str
    num_shared: int
    adapter: AdapterFile | None = None

    @classmethod
    def of(
        cls, token_ids: Tokens[int], scope: str, num_shared: int, adapter: AdapterFile | None = None
    ) -> Prefix:
        """A prefix over a copy of `token_ids`."""
        return cls(np.array(token_ids, dtype=np.int32), scope, num_shared, adapter)

    def __len__(self) -> int:
        return len(self.token_ids)

    def reusable_for(self, wanted: Prefix) -> int:
        """How many leading tokens of this state `wanted` may use.

        Tokens are compared one by one, never by a hash: a collision would show one person's text to another.
        """
        if self.adapter != wanted.adapter:
            return 0
        length = common_length(self.token_ids, wanted.token_ids)
        if self.scope == wanted.scope:
            return length
        return min(length, self.num_shared, wanted.num_shared)


def common_length(left: TokenArray, right: TokenArray) -> int:
    """Number of leading tokens that both have."""
    length = min(len(left), len(right))
    differs = left[:length] != right[:length]
    first = int(differs.argmax()) if length else 0
    return first if length and differs[first] else length
