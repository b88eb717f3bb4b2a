"""Titles that a conversation gets from its first message."""

from __future__ import annotations

import pytest

from chat.runs.titles import MAX_CHARS, title_from


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("Hello there", "Hello there"),
        ("What is 12 * 34?", "What is 12 * 34?"),
        ("What is 12*34 - 5?", "What is 12*34 - 5?"),
        ("Rename my_long_name in `main.py`", "Rename my_long_name in main.py"),
        ("## Why is the *sky* **blue**?\n\n- and\n- the sea", "Why is the sky blue? and the sea"),
        ("> quoted\n1. See [the docs](http://example.org/a_b)", "quoted See the docs"),
        ("```python\nprint(1)\n```", "print(1)"),
        ("***", "***"),
    ],
)
def test_a_title_is_the_message_without_its_marks(text: str, title: str) -> None:
    assert title_from(text) == title


@pytest.mark.parametrize("text", ["word " * 100, "x" * 5000, "a" * 59 + " bcd"])
def test_a_long_message_is_cut(text: str) -> None:
    title = title_from(text)

    assert title.endswith("…")
    assert len(title) <= MAX_CHARS + 1
