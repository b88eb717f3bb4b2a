"""Makes sure that no phrasing kept for evaluation can be composed from those of training.

python -m starter.holdout_check
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence

from starter.draw import Phrasings, readings
from starter.tables.reader import HERE, read_entries, read_sections

ENTRY_TABLES = ("facts.txt", "parley_help.txt", "small_talk.txt")
ROW_TABLES = ("capitals.txt", "jokes.txt", "lists.txt", "timezones.txt")


def overlaps() -> Iterator[str]:
    """Held-out phrasings that training can say too, case and punctuation aside."""
    for phrasings in _all_phrasings():
        training, held_out = _spoken(phrasings.asks), _spoken(phrasings.held_out_asks)
        yield from training & held_out


def _all_phrasings() -> Iterator[Phrasings]:
    for name in sorted(path.name for path in HERE.glob("*.txt")):
        if name in ENTRY_TABLES:
            yield from read_entries(name)
        elif name not in ROW_TABLES:
            yield from read_sections(name).values()


def _spoken(patterns: Sequence[str]) -> set[str]:
    return {
        re.sub(r"[^\w{} ]", "", reading.lower()).strip()
        for pattern in patterns
        for reading in readings(pattern)
    }


def main() -> None:
    """Prints the overlaps; exits with 1 when there are any."""
    found = sorted(overlaps())
    print("\n".join(found) or "No held-out phrasing occurs in training.")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
