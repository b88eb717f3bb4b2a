"""Starts and ends the contestants: llama-server as it comes, llama-server tuned by hand, and the whole of Parley."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.llama_server.build import PeerBuild
from bench.llama_server.client import Endpoint
from bench.serving import free_port, parley, program

NUM_SLOTS = 8
CONTEXT_TOKENS = 4096  # of each slot: room for the long prompt

DEFAULTS, TUNED, PARLEY = "llama-server", "llama-server, tuned", "parley"
CONTESTANTS = (DEFAULTS, TUNED, PARLEY)

# What a person would type who wants eight slots with room for long prompts; all else is llama-server's own choice.
DEFAULT_OPTIONS = ("-np", str(NUM_SLOTS), "-c", str(NUM_SLOTS * CONTEXT_TOKENS), "--offline")
# The best that we found for processors: no flash attention, 8-bit keys, small batches against long freezes.
TUNED_OPTIONS = (*DEFAULT_OPTIONS, "-fa", "off", "-ctk", "q8_0", "-b", "128", "-t", str(os.cpu_count()))


@contextmanager
def running(name: str, build: PeerBuild, model: Path, folder: Path) -> Iterator[Endpoint]:
    """The contestant `name`, ready to answer; its log and all its data are in `folder`."""
    if name == PARLEY:
        # An API key for each person: in Parley nobody finds computed what another asked.
        settings = {"slots": NUM_SLOTS, "context_tokens": CONTEXT_TOKENS}
        with parley(folder, model, NUM_SLOTS, **settings) as server:
            yield Endpoint(name, server.port, model.stem, server.keys)
        return
    options, port = {DEFAULTS: DEFAULT_OPTIONS, TUNED: TUNED_OPTIONS}[name], free_port()
    command = [str(build.program), "-m", str(model), "--host", "127.0.0.1", "--port", str(port), *options]
    folder.mkdir(parents=True)
    env = {**os.environ, "LD_LIBRARY_PATH": build.library_path}
    with program(command, env, folder / "log", port, "/health"):
        yield Endpoint(name, port, model.stem)
