"""How well and how fast passages are found: by words, by vectors, by both.

Run from the root: `.venv/bin/python -m bench.retrieval [quality|speed] [--models FOLDER] [--chunks N]`.

Quality: the questions of `retrieval_questions.jsonl` over the project's own documents. Each has the words that its
passage must hold; `unanswered` ones are about something else. Speed: made-up text over a database of its own.
"""

from __future__ import annotations

import argparse
import logging
import os
import tempfile
from pathlib import Path

import django
from django.core.management import call_command

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    """Print the tables that are asked for."""
    options = _parse_options()
    with tempfile.TemporaryDirectory() as folder:
        os.environ.update(PARLEY_DATA_DIR=folder, DJANGO_SETTINGS_MODULE="chatsite.settings")
        django.setup()
        logging.disable(logging.INFO)
        call_command("migrate", verbosity=0)
        if options.what in ("quality", "all"):
            from bench import retrieval_quality

            retrieval_quality.measure(options.models)
        if options.what in ("speed", "all"):
            from bench import retrieval_speed

            retrieval_speed.measure(Path(folder) / "vectors", options.chunks)


def _parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="?", default="all", choices=("quality", "speed", "all"))
    parser.add_argument(
        "--models", type=Path, default=ROOT / "models", help="where an embedding GGUF is looked for"
    )
    parser.add_argument("--chunks", type=int, default=100_000)
    return parser.parse_args()


if __name__ == "__main__":
    main()
