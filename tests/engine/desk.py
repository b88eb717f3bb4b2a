"""A step loop on the fake backend, and everything that it delivered."""

from __future__ import annotations

from collections import defaultdict

from chat.engine.chat_template import CHATML_TEMPLATE, ChatTemplate
from chat.engine.config import EngineConfig
from chat.engine.families import family_of
from chat.engine.generation import Job, Update
from chat.engine.loading import LoadedModel
from chat.engine.pieces import EndPiece, StatePiece, TextPiece
from chat.engine.step_loop import StepLoop
from tests.engine.fake_backend import FakeBackend, expected_text
from tests.engine.talk import ask

TEMPLATE = ChatTemplate(CHATML_TEMPLATE)
MAX_STEPS = 3000


class Desk:
    """A step loop and everything that it delivered."""

    def __init__(self, backend: FakeBackend, prefix_cache_bytes: int = 1 << 20) -> None:
        self.backend = backend
        self.texts: dict[int, str] = defaultdict(str)
        self.ends: dict[int, EndPiece] = {}
        self.errors: dict[int, Exception] = {}
        self.positions: dict[int, list[int]] = defaultdict(list)
        self.estimates: dict[int, list[int | None]] = defaultdict(list)
        model = LoadedModel(backend, TEMPLATE, family_of(CHATML_TEMPLATE))
        self.loop = StepLoop(model, EngineConfig(prefix_cache_bytes=prefix_cache_bytes), self.take)
        self.jobs: dict[int, Job] = {}

    def add(self, text: str, **request: object) -> int:
        job = Job(len(self.jobs) + 1, ask(text, **request))
        self.jobs[job.id] = job
        self.loop.add(job)
        return job.id

    def take(self, updates: list[Update]) -> None:
        for update in updates:
            assert update.job_id not in self.ends, "nothing may follow the end"
            if update.error:
                self.errors[update.job_id] = update.error
            for piece in update.pieces:
                match piece:
                    case TextPiece():
                        self.texts[update.job_id] += piece.text
                    case EndPiece():
                        self.ends[update.job_id] = piece
                    case StatePiece("queued", position=int(position)):
                        self.positions[update.job_id].append(position)
                        self.estimates[update.job_id].append(piece.estimated_s)

    def run(self) -> None:
        """Step until all is done."""
        for _ in range(MAX_STEPS):
            self.loop.step()
            if not self.loop.num_running and not self.loop.num_waiting:
                self.loop.check_integrity()
                return
        raise AssertionError("the loop does not come to an end")

    def expected(self, job_id: int) -> str:
        request = self.jobs[job_id].request
        prompt = TEMPLATE.render(request.messages).encode()
        assert request.params.max_tokens
        return expected_text(prompt, request.params.max_tokens, request.adapter)
