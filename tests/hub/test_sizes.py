"""Sizes and times in words."""

import pytest

from chat.domain.sizes import size_text, time_text


@pytest.mark.parametrize(
    ("num_bytes", "text"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (999, "999 bytes"),
        (1_000, "1 kB"),
        (36_700_000, "37 MB"),
        (999_600_000, "1.0 GB"),
        (2_497_280_256, "2.5 GB"),
        (128_000_000_000, "128 GB"),
        (10**16, "10.0 PB"),
    ],
)
def test_sizes(num_bytes: int, text: str) -> None:
    assert size_text(num_bytes) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "1 s"), (89, "89 s"), (200, "3 min"), (5_390, "1 h 30 min"), (12_000, "3 h 20 min")],
)
def test_times(seconds: float, text: str) -> None:
    assert time_text(seconds) == text
