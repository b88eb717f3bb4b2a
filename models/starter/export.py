"""Writes a run's weights, tokenizer and chat template as a GGUF file.

python -m starter.export --folder /path/to/run --out models/starter.gguf
"""

from __future__ import annotations

import argparse
import json
from itertools import islice
from pathlib import Path

from gguf import GGMLQuantizationType as Kind
from tokenizers import Tokenizer

from starter.chat_format import segments
from starter.corpus import conversations
from starter.gguf_file import write_gguf
from starter.network import Shape
from starter.rendering import TEMPLATE, compiled, messages_of
from starter.trainer import State

KINDS = {"q8_0": Kind.Q8_0, "f16": Kind.F16}


def check_template(num_conversations: int = 300) -> None:
    """Makes sure that the template writes what training wrote.

    Raises: ValueError at the first difference.
    """
    template = compiled(TEMPLATE)
    for conversation in islice(conversations("template"), num_conversations):
        trained = "".join(segment.text for segment in segments(conversation))
        tools = [json.loads(tool) for tool in conversation.tools]
        if template.render(messages=messages_of(conversation), tools=tools) != trained:
            raise ValueError(f"The chat template differs from the training text:\n{trained}")


def main() -> None:
    """Checks the template and writes the file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument(
        "--weights", choices=("average", "weights"), default="weights", help="average: in mid-run"
    )
    parser.add_argument("--kind", choices=KINDS, default="q8_0")
    options = parser.parse_args()
    check_template()
    state = State.load(options.folder / "checkpoint.pt")
    tokenizer = Tokenizer.from_file(str(options.folder / "tokenizer.json"))
    write_gguf(
        options.out, getattr(state, options.weights), Shape(), tokenizer, TEMPLATE, KINDS[options.kind]
    )
    size = options.out.stat().st_size / 1e6
    steps, num_tokens = state.progress.tolist()
    print(f"{options.out}: {steps} steps, {num_tokens / 1e6:.1f} million tokens, {size:.1f} MB")


if __name__ == "__main__":
    main()
