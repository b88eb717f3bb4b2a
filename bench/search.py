"""How long a search over many messages takes, for one who wrote most of them and one who wrote few.

Run from the root: `.venv/bin/python -m bench.search [--messages N]`. Made-up text in a database of its own.
"""

from __future__ import annotations

import argparse
import logging
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import django
import numpy as np
from django.core.management import call_command
from numpy.typing import NDArray

if TYPE_CHECKING:
    from chat.models import Actor

NUM_WORDS = 50_000
WORDS_PER_MESSAGE = 80
MESSAGES_PER_CONVERSATION = 10
FEW = 500
NUM_SEARCHES = 40
SYLLABLES = "ba ke mo ri tu len sor vin dak pel gra nos tim ru fel ost".split()
# Ranks of words by how often they are used.
QUERIES = {
    "rare word": (5_000, 40_000, "{} "),
    "two rare words": (1_000, 5_000, "{} {} "),
    "common word": (0, 20, "{} "),
    "two common words": (0, 20, "{} {} "),
    "beginning of 3 letters": (0, 2_000, "{:.3}"),
    "beginning of 1 letter": (0, 2_000, "{:.1}"),
    "common word, beginning": (0, 20, "{} {:.2}"),
}


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=100_000)
    num_messages = parser.parse_args().messages
    with tempfile.TemporaryDirectory() as folder:
        os.environ.update(PARLEY_DATA_DIR=folder, DJANGO_SETTINGS_MODULE="chatsite.settings")
        django.setup()
        logging.disable(logging.INFO)
        call_command("migrate", verbosity=0)
        _measure(num_messages)


def _measure(num_messages: int) -> None:
    from chat.models import Actor, User

    words, random = _words(), np.random.default_rng(0)
    people = {"with nearly all": num_messages - FEW, "with few": FEW}
    began_s = time.perf_counter()
    actors = {}
    for name, num in people.items():
        actors[name] = Actor(user=User.objects.create_user(name.replace(" ", "-")))
        _fill(actors[name], words, num, random)
    print(
        f"{num_messages:,} messages of {WORDS_PER_MESSAGE} words stored in {time.perf_counter() - began_s:.0f} s"
    )
    print(f"{NUM_SEARCHES} searches, ms of processor time{'':12}{'median':>8}{'p95':>8}{'hits':>8}")
    for name, actor in actors.items():
        for kind, (least, most, form) in QUERIES.items():
            ranks = random.integers(least, most, (NUM_SEARCHES, 2))
            _print_row(
                f"{name}: {kind}", actor, [form.format(*(words[rank] for rank in pair)) for pair in ranks]
            )


def _print_row(name: str, actor: Actor, queries: list[str]) -> None:
    from chat.runs.message_words import search_messages

    times_ms, num_hits = [], 0
    for query in queries:
        began_s = time.process_time()
        num_hits += len(search_messages(actor, query))
        times_ms.append((time.process_time() - began_s) * 1000)
    p95 = statistics.quantiles(times_ms, n=20)[-1]
    print(f"{name:44}{statistics.median(times_ms):8.1f}{p95:8.1f}{num_hits / len(queries):8.1f}", flush=True)


def _fill(actor: Actor, words: list[str], num: int, random: np.random.Generator) -> None:
    from django.db import transaction
    from django.utils import timezone

    from chat.models import Conversation, Message
    from chat.runs.message_words import index_messages

    texts = _texts(words, random)
    for start in range(0, num, 5_000):
        size = min(5_000, num - start)
        with transaction.atomic():
            chats = Conversation.objects.bulk_create(
                Conversation(title=next(texts)[:60], updated_at=timezone.now(), **actor.ownership)
                for _ in range(0, size, MESSAGES_PER_CONVERSATION)
            )
            messages = Message.objects.bulk_create(
                Message(
                    conversation=chats[number // MESSAGES_PER_CONVERSATION],
                    role=Message.Role.USER,
                    parts=[{"kind": "text", "text": next(texts)}],
                )
                for number in range(size)
            )
            index_messages(messages)


def _texts(words: list[str], random: np.random.Generator) -> Iterator[str]:
    """Words as often as Zipf's law has them, as Mandelbrot mended it."""
    shares = 1 / (np.arange(1, NUM_WORDS + 1) + 2.7) ** 1.07
    steps: NDArray[np.float64] = np.cumsum(shares / shares.sum())
    while True:
        for row in np.searchsorted(steps, random.random((500, WORDS_PER_MESSAGE))).clip(max=NUM_WORDS - 1):
            yield " ".join(words[rank] for rank in row)


def _words() -> list[str]:
    """Made of syllables, as pronounceable as they are meaningless."""
    words = []
    for number in range(16, NUM_WORDS + 16):
        word, rest = "", number
        while rest:
            word, rest = word + SYLLABLES[rest % 16], rest // 16
        words.append(word)
    return words


if __name__ == "__main__":
    main()
