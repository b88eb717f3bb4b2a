"""How many prompt tokens a step may compute, learnt from how long steps take."""

from __future__ import annotations

MAX_PROMPT_TOKENS = 512
MIN_PROMPT_TOKENS = 64
# Where even the smallest chunk takes seconds, stopping and the watchdog matter more than the cost of small steps.
MIN_PROMPT_TOKENS_SLOW = 16
SLOW_STEP_S = 2.0
# A reader notices a gap of a quarter of a second in a stream; a prompt alone only has to show progress.
MAX_STEP_S = 0.2
MAX_STEP_ALONE_S = 1.0
SMOOTHING = 0.3


class TokenBudget:
    """Fits step time = writing time + prompt tokens x time per prompt token, by moving averages.

    Begins with the smallest chunk, so that the first step of a huge model on a slow machine is short as well.
    """

    def __init__(self) -> None:
        self._writing_s = 0.0
        self._prompt_token_s: float | None = None

    def num_prompt_tokens(self, num_writing: int) -> int:
        """Prompt tokens for the next step beside `num_writing` sequences that add a token each."""
        if self._prompt_token_s is None:
            return MIN_PROMPT_TOKENS
        limit_s = MAX_STEP_S - self._writing_s if num_writing else MAX_STEP_ALONE_S
        num_tokens = int(limit_s / self._prompt_token_s)
        is_slow = self._prompt_token_s * MIN_PROMPT_TOKENS > SLOW_STEP_S
        return max(
            MIN_PROMPT_TOKENS_SLOW if is_slow else MIN_PROMPT_TOKENS, min(MAX_PROMPT_TOKENS, num_tokens)
        )

    def record(self, num_writing: int, num_prompt_tokens: int, elapsed_s: float) -> None:
        """Learn from a finished step."""
        if num_prompt_tokens == 0:
            self._writing_s = _smooth(self._writing_s, elapsed_s)
            return
        # A few tokens say little: the fixed cost of a step would be booked on them.
        if num_prompt_tokens < MIN_PROMPT_TOKENS_SLOW and self._prompt_token_s is not None:
            return
        prompt_s = max(elapsed_s - (self._writing_s if num_writing else 0.0), 1e-6)
        self._prompt_token_s = _smooth(self._prompt_token_s, prompt_s / num_prompt_tokens)


def _smooth(old: float | None, new: float) -> float:
    return new if not old else old + SMOOTHING * (new - old)
