"""Parley beside llama-server: `make bench`, or `.venv/bin/python -m bench.llama_server [--quick] [--only NAME]`.

On an otherwise idle machine. Builds llama-server and writes the models when that was not done before (`build` does only
that). The last lines are one for each goal; bench/README.md explains them.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from bench.llama_server import models
from bench.llama_server.build import PeerBuild, cache_folder, find_or_build
from bench.llama_server.client import RequestFailed
from bench.llama_server.goals import MODELS, Point, Samples, absolute_lines, all_goals
from bench.llama_server.machine import Memory, description
from bench.llama_server.models import SHAPES, weight_bytes, write_model
from bench.llama_server.rounds import Records, Rounds
from bench.llama_server.scenarios import SCENARIOS
from bench.llama_server.servers import CONTESTANTS, DEFAULT_OPTIONS, DEFAULTS, PARLEY, TUNED, TUNED_OPTIONS
from scripts.commands import SetupError
from scripts.install import PYTHON
from scripts.state import digest

REST_S = 10.0


def main() -> int:
    """Measures, prints tables and goals; 1 when something failed, whatever the goals say."""
    options = _options()
    try:
        build = find_or_build()
        files = {name: _model_file(name, build) for name in options.model or MODELS}
        if options.what == "run":
            _run(build, files, options)
    except (SetupError, RequestFailed) as exc:
        print(f"bench: {exc}", file=sys.stderr)
        return 1
    return 0


def _options() -> argparse.Namespace:
    names = [scenario.name for scenario in SCENARIOS]
    parser = argparse.ArgumentParser(prog="bench.llama_server", description=__doc__)
    parser.add_argument("what", nargs="?", choices=("run", "build"), default="run")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="one round without rests, for a first look")
    parser.add_argument("--only", action="append", choices=names, help="this scenario; may be repeated")
    parser.add_argument("--model", action="append", choices=MODELS, help="this model; may be repeated")
    return parser.parse_args()


def _model_file(name: str, build: PeerBuild) -> Path:
    recipe = digest(Path(models.__file__))  # another recipe is another file
    path = cache_folder() / "models" / f"{SHAPES[name].name}-{recipe}.gguf"
    if not path.exists():
        _tell(f"writing {path}")
        path.parent.mkdir(parents=True, exist_ok=True)
        write_model(SHAPES[name], build.vocabularies, path)
    return path


def _run(build: PeerBuild, files: Mapping[str, Path], options: argparse.Namespace) -> None:
    for line in (
        *description(build, PYTHON),
        f"{DEFAULTS}: {' '.join(DEFAULT_OPTIONS)}",
        f"{TUNED}: {' '.join(TUNED_OPTIONS)}",
    ):
        print(line)
    memory = Memory()
    limits = {name: memory.bandwidth() / weight_bytes(path) for name, path in files.items()}
    scenarios = [each for each in SCENARIOS if not options.only or each.name in options.only]
    num_rounds, rest_s = (1, 0.0) if options.quick else (options.rounds, REST_S)
    samples: Records = {}
    with tempfile.TemporaryDirectory() as folder:
        rounds = Rounds(build, memory, Path(folder), _tell)
        for name, path in files.items():
            samples |= rounds.measure(name, path, scenarios, num_rounds, rest_s)
    _print_tables(samples)
    for name, limit in limits.items():
        print(f"{name}: the memory allows {limit:.0f} tokens/s for one stream")
    verdicts = [goal.judge(samples) for goal in all_goals(files)]
    print(*filter(None, verdicts), *absolute_lines(samples, limits), sep="\n")


def _print_tables(samples: Samples) -> None:
    units = {(each.name, figure): unit for each in SCENARIOS for figure, unit in each.figures.items()}
    print(f"\n{'median (lowest to highest)':52}" + "".join(f"{name:>26}" for name in CONTESTANTS), end="")
    print(f"{'Parley / ' + DEFAULTS:>23}{'/ tuned':>9}")
    for point, figures in samples.items():
        label = f"{point.model} {point.scenario}, {units[point.scenario, point.figure]}"
        print(f"{label:52}" + "".join(f"{_spread(figures[name]):>26}" for name in CONTESTANTS), end="")
        print(f"{_ratio(samples, point, DEFAULTS):>23}{_ratio(samples, point, TUNED):>9}")


def _spread(values: list[float]) -> str:
    return f"{statistics.median(values):.1f} ({min(values):.1f} to {max(values):.1f})"


def _ratio(samples: Samples, point: Point, peer: str) -> str:
    own, theirs = (statistics.median(samples[point][name]) for name in (PARLEY, peer))
    return f"{own / theirs:.2f}"


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
