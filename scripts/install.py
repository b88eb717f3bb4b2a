"""`make install` from the first step to the last, and nothing when all of it stands already."""

import argparse
import fcntl
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import venv
from collections.abc import Iterator
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from scripts.commands import CommandRunner, SetupError, explain
from scripts.native import Build, Compiler, check_tools, find_build, native_key
from scripts.progress import Progress
from scripts.self_test import try_native
from scripts.state import (
    LockFile,
    Packages,
    digest,
    installed_native,
    installed_packages,
    save,
)

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STARTER_MODEL = ROOT / "models" / "starter.gguf"
MIN_FREE_BYTES = 10**9


def main(arguments: list[str]) -> int:
    """Brings .venv up to date; the status is 1 after one line that says why it could not."""
    parser = argparse.ArgumentParser(description="Make .venv ready for Parley.")
    parser.add_argument("--dev", action="store_true", help="with the packages for tests and checks")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with one_at_a_time():
            Setup(dev_lock=ROOT / "requirements-dev.lock" if options.dev else None).run()
    except KeyboardInterrupt:
        return fail("stopped; the same command goes on from here.")
    except OSError as exc:
        return fail(str(explain(exc)))
    except SetupError as exc:
        return fail(str(exc))
    return 0


def fail(reason: str) -> int:
    """Prints the one line and gives the exit status."""
    clear_line = "\r\x1b[K" if sys.stderr.isatty() else ""
    print(f"{clear_line}parley: {reason}", file=sys.stderr)
    return 1


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Waits for another set-up of this checkout: `make run` and `make test` may be started together."""
    folder = os.open(ROOT, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


class Setup:
    """One run of set-up."""

    def __init__(self, dev_lock: Path | None) -> None:
        """Reads the lock files; changes nothing. The development lock holds the runtime's packages too."""
        runtime_lock = ROOT / "requirements.lock"
        self._lock = LockFile((dev_lock or runtime_lock).read_text())
        self._wanted = Packages(
            python=f"{sys.version_info.major}.{sys.version_info.minor}",
            runtime=digest(runtime_lock),
            dev=digest(dev_lock) if dev_lock else "",
        )
        self._key = native_key(self._lock.native_version)
        self._progress = Progress()

    def run(self) -> None:
        """Does what is missing; with nothing missing it takes a tenth of a second and prints nothing."""
        packages = installed_packages(VENV) if PYTHON.exists() else None
        has_packages = packages is not None and packages.covers(self._wanted)
        if has_packages and self._has_native():
            return
        if find_build(self._key) is None:
            check_tools(self._key.accel)
        self._make_venv(packages)
        runner = CommandRunner(VENV / "setup.log")
        build = self._find_or_compile(runner) if has_packages else self._install_side_by_side(runner)
        self._install_native(build, runner)
        self._self_test(build)
        self._progress.step("set-up is complete")

    def _has_native(self) -> bool:
        state = installed_native(VENV)
        if state is None or not self._key.is_served_by(state.key):
            return False
        return state.tested_with != "library" or not STARTER_MODEL.exists()

    def _make_venv(self, packages: Packages | None) -> None:
        if packages and packages.python == self._wanted.python:
            return
        if importlib.util.find_spec("ensurepip") is None:
            raise SetupError(
                "this Python cannot make a .venv. Install the rest of it: apt-get install python3-venv"
            )
        check_disk()
        self._progress.step(f"making .venv with Python {self._wanted.python}")
        try:
            venv.create(VENV, clear=True, symlinks=True, with_pip=True)
        except subprocess.CalledProcessError as exc:
            raise SetupError("making .venv failed. On Debian: apt-get install python3-venv") from exc
        except ValueError as exc:
            raise SetupError(f"making .venv failed: {exc}.") from exc

    def _install_side_by_side(self, runner: CommandRunner) -> Build:
        """Packages wait for the network, the compile for the processor: together they take one's time."""
        with ThreadPoolExecutor(max_workers=2) as threads:
            build = threads.submit(self._find_or_compile, runner)
            packages = threads.submit(self._install_packages, runner)
            try:
                jobs: list[Future[Any]] = [build, packages]
                for job in wait(jobs, return_when=FIRST_EXCEPTION).done:
                    job.result()
            except BaseException:
                runner.stop()
                raise
        return build.result()

    def _install_packages(self, runner: CommandRunner) -> None:
        self._progress.step("installing the packages of the lock file")
        lock = VENV / "packages.lock"
        lock.write_text(self._lock.others)
        runner.run("installing the packages", [*pip(), "install", "--require-hashes", "-r", lock])
        lock.unlink()
        save(VENV, self._wanted)
        self._progress.step("packages are installed")

    def _find_or_compile(self, runner: CommandRunner) -> Build:
        if build := find_build(self._key):
            self._progress.step("llama.cpp was compiled for this processor before; nothing to compile")
            return build
        self._progress.step("fetching llama.cpp and compiling it for this processor (once, a few minutes)")
        compiler = Compiler(PYTHON, runner, self._lock.native, self._show_compile)
        build = compiler.build(self._key)
        self._progress.step("llama.cpp is compiled")
        return build

    def _show_compile(self, num_done: int, num_files: int) -> None:
        self._progress.percent("compiling llama.cpp", num_done, num_files)

    def _install_native(self, build: Build, runner: CommandRunner) -> None:
        runner.run("installing llama-cpp-python", [*pip(), "install", "--no-deps", "--no-index", build.wheel])
        folder = site_packages() / "llama_cpp" / "lib"  # where the bindings look by themselves
        folder.mkdir(exist_ok=True)
        names = {library.name for library in build.libraries}
        for stale in [path for path in folder.iterdir() if path.name not in names]:
            stale.unlink()
        for library in build.libraries:
            # Replaced, never written over: a running server has the old file mapped.
            shutil.copy2(library, folder / f".{library.name}")
            (folder / f".{library.name}").replace(folder / library.name)

    def _self_test(self, build: Build) -> None:
        model = STARTER_MODEL if STARTER_MODEL.exists() else None
        state = try_native(PYTHON, build.key, model)
        save(VENV, state)
        without = (
            "" if state.use_extra_bufts else "; it crashes with repacked weights, so it goes on without them"
        )
        self._progress.step(f"llama.cpp works (tested with: {state.tested_with}){without}")


def pip() -> list[str | Path]:
    """The command that runs .venv's pip."""
    return [PYTHON, "-m", "pip", "--disable-pip-version-check", "--no-input", "--retries", "2"]


def site_packages() -> Path:
    """Where .venv keeps its packages."""
    return next((VENV / "lib").glob("python3.*")) / "site-packages"


def check_disk() -> None:
    """Raises: SetupError when the disk has less room than set-up needs."""
    free_bytes = shutil.disk_usage(ROOT).free
    if free_bytes < MIN_FREE_BYTES:
        raise SetupError(f"the disk has only {free_bytes // 10**6} MB free; set-up needs about 1 GB.")
