"""What streaming Markdown costs, beside rendering all the text so far at each piece of it: CPU and bytes sent.

Run from the root: `.venv/bin/python -m bench.markdown`.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

from chat.web.markdown import MarkdownStream, render

NUM_CHARS, CHARS_A_PIECE = 20_000, 20
# All of it at each of the 1,000 pieces would take up to a minute; every tenth, times ten, tells as much.
SAMPLED = 10

_PROSE = (
    "This **answer №** has `code`, a [link](https://example.org/) and some more words that follow here. " * 4
)
_CODE = "```python\ndef area№(radius):\n    return 3.14159 * radius ** 2  # square units\n" + (
    "    print(f'{radius} makes {area}', №)\n" * 20
)
# № becomes a number, so that no piece is met twice.
ANSWERS = {
    "mixed": f"## Step №\n\n{_PROSE}\n\n- **one** №\n- `two` №\n\n{_CODE}```\n\n| a | b |\n|---|---|\n| № | 2 |\n\n",
    "paragraphs": f"{_PROSE}\n\n",
    "formulas": "The area is $\\pi r^№$, so\n\n$$\nA = \\int_0^r 2 \\pi x \\, dx\n$$\n\n",
    "one code block": _CODE.replace("```python\n", "") * 9,
    "one list": "- item № with **bold** words and more words after them\n",
    "one table": "| cell № of words | and another one |\n",
    "one paragraph": _PROSE,
}
_BEGINNINGS = {"one code block": "```python\n", "one table": "| a | b |\n|---|---|\n"}


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU time, and the HTML that a browser would be sent."""

    cpu_s: float
    sent_bytes: int


def cost_of_streaming(text: str) -> Cost:
    """Feed the text piece by piece; the open block is sent only when it changed."""
    stream, shown, sent_bytes = MarkdownStream(), "", 0
    started_s = time.process_time()
    for start in range(0, len(text), CHARS_A_PIECE):
        delta = stream.feed(text[start : start + CHARS_A_PIECE])
        sent_bytes += sum(map(len, delta.finished)) + (len(delta.open) if delta.open != shown else 0)
        shown = delta.open
    stream.finish()
    return Cost(time.process_time() - started_s, sent_bytes)


def cost_of_rendering_all(text: str) -> Cost:
    """Render everything so far at each piece."""
    started_s, sent_bytes = time.process_time(), 0
    for end in range(CHARS_A_PIECE, len(text) + 1, CHARS_A_PIECE * SAMPLED):
        sent_bytes += len(render(text[:end])) * SAMPLED
    return Cost((time.process_time() - started_s) * SAMPLED, sent_bytes)


def rows() -> Iterable[str]:
    """A line of the table for each kind of answer."""
    yield f"{'answer':16}{'streamed':>12}{'all each time':>16}{'ratio':>8}{'sent':>10}{'all each time':>16}"
    for name, unit in ANSWERS.items():
        text = _BEGINNINGS.get(name, "") + "".join(
            unit.replace("№", str(n)) for n in range(NUM_CHARS // len(unit) + 1)
        )
        text = text[:NUM_CHARS]
        ours, peer = cost_of_streaming(text), cost_of_rendering_all(text)
        yield (
            f"{name:16}{ours.cpu_s:10.2f} s{peer.cpu_s:14.1f} s{peer.cpu_s / ours.cpu_s:7.0f}x"
            f"{ours.sent_bytes / 1e6:7.1f} MB{peer.sent_bytes / 1e6:13.1f} MB"
        )


if __name__ == "__main__":
    for row in rows():
        print(row, flush=True)
