"""Set-up tells what is wrong in one line, does nothing twice, and builds what this processor needs."""

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from scripts import native, self_test
from scripts.commands import CommandRunner, SetupError
from scripts.native import AMX_HEADER, Build, cpu_flags, find_build, native_key
from scripts.state import LockFile, Packages

ROOT = Path(__file__).resolve().parents[2]

XEON = "flags : fpu vme sse2 avx512f amx_tile amx_int8 md_clear\n"
TILE_USER = """
#include <immintrin.h>
#include <cstdint>
struct alignas(64) Tiles { uint8_t palette; uint8_t start; uint8_t rest[14]; uint16_t width[16]; uint8_t rows[16]; };
void configure() {
    Tiles tiles = {};
    tiles.palette = 1;
    for (int i = 0; i < 8; i++) { tiles.width[i] = 64; tiles.rows[i] = 16; }
    _tile_loadconfig(&tiles);
}
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what set-up needs, without a .venv."""
    folder = tmp_path / "checkout"
    shutil.copytree(ROOT / "scripts", folder / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
    for lock in ROOT.glob("requirements*.lock"):
        shutil.copy(lock, folder)
    return folder


def run_setup(checkout: Path, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "scripts/setup.py"]
    return subprocess.run(command, cwd=checkout, env={**os.environ, **env}, capture_output=True, text=True)


def test_a_missing_compiler_is_one_line_before_anything_is_made(checkout: Path, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()

    done = run_setup(checkout, PATH=str(tmp_path / "bin"), XDG_CACHE_HOME=str(tmp_path), CC="", CXX="")

    assert done.returncode == 1
    assert done.stderr == "parley: no C++ compiler found. Install one: apt-get install g++\n"
    assert not (checkout / ".venv").exists()


def test_a_file_in_the_place_of_the_environment_is_one_line(checkout: Path) -> None:
    (checkout / ".venv").write_text("not a folder")

    done = run_setup(checkout)

    assert done.returncode == 1
    assert done.stderr.startswith("parley: ")
    assert done.stderr.count("\n") == 1


def test_an_unknown_accelerator_is_one_line(checkout: Path) -> None:
    done = run_setup(checkout, PARLEY_ACCEL="abacus")

    assert done.returncode == 1
    assert done.stderr == "parley: PARLEY_ACCEL=abacus is none of cpu, cuda, metal.\n"


def test_an_old_python_is_told_so_by_a_file_that_it_can_read(checkout: Path) -> None:
    program = "import sys, runpy; sys.version_info = (3, 9, 2); runpy.run_path('scripts/setup.py')"

    done = subprocess.run([sys.executable, "-c", program], cwd=checkout, capture_output=True, text=True)

    assert done.returncode == 1
    assert done.stderr.startswith("parley: needs Python 3.11 or newer")
    assert done.stderr.count("\n") == 1


def test_with_nothing_to_do_setup_is_silent_and_instant() -> None:
    started = time.monotonic()

    done = run_setup(ROOT)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert time.monotonic() - started < 2


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        ("OSError: [Errno 28] No space left on device", "the disk is full"),
        ("NewConnectionError: Failed to establish a new connection", "the package index cannot be reached"),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES", "not the one that the lock file names"),
        ("CMake Error at CMakeLists.txt:178 (link):\n  Target cublas was not found.", "cublas was not found"),
        ("x.cpp:3:1: error: expected ';'", "expected ';'"),
        ("-- The C compiler is GNU\n" * 30 + "x.cpp:3:1: error: expected ';'", "failed: x.cpp:3:1: error"),
        ('Target "ggml-cuda" links to:\n    CUDA::cublas\n  but the target was not found', "lacks cuBLAS"),
    ],
)
def test_a_failed_command_is_explained(tmp_path: Path, output: str, reason: str) -> None:
    runner = CommandRunner(tmp_path / "setup.log")

    with pytest.raises(SetupError, match=reason) as failure:
        runner.run("the step", [sys.executable, "-c", f"print({output!r}); raise SystemExit(1)"])

    assert "\n" not in str(failure.value)
    assert output in runner.log.read_text()


def test_a_build_is_for_one_processor(tmp_path: Path) -> None:
    (tmp_path / "xeon").write_text(XEON)
    (tmp_path / "older").write_text(XEON.replace("amx_tile amx_int8", ""))
    (tmp_path / "newer-kernel").write_text(XEON.replace("md_clear", "md_clear some_new_bug"))

    xeon = cpu_flags(tmp_path / "xeon")

    assert "amx_tile" in xeon
    assert cpu_flags(tmp_path / "older") != xeon
    assert cpu_flags(tmp_path / "newer-kernel") == xeon


def test_each_part_of_the_key_makes_another_build() -> None:
    key = native_key("0.3.36")
    others = [replace(key, **{name: "other"}) for name in ("version", "accel", "recipe", "cpu", "compiler")]

    assert len({key.folder_name, *(other.folder_name for other in others)}) == 6
    assert not any(key.is_served_by(other) for other in others)


def test_a_kept_build_serves_a_machine_that_lost_its_compiler(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    kept = replace(native_key("0.3.36"), compiler="g++ 12")
    keep_description(kept)

    assert find_build(replace(kept, compiler="")) == Build(kept, native.builds_folder() / kept.folder_name)
    assert find_build(replace(kept, compiler="g++ 13")) is None


def keep_description(key: native.NativeKey) -> None:
    folder = native.builds_folder() / key.folder_name
    folder.mkdir(parents=True)
    (folder / "key.json").write_text(json.dumps(asdict(key)))


@pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")
def test_the_tile_configuration_is_stored_whole(tmp_path: Path) -> None:
    """Without the header gcc 12 stores 16 of the 64 bytes, and a processor with AMX crashes."""
    (tmp_path / "tiles.cpp").write_text(TILE_USER)
    command = ["g++", "-O3", "-mamx-tile", "-include", str(AMX_HEADER), "-S", "-o", "-", "tiles.cpp"]

    assembly = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout

    assert "ldtilecfg" in assembly
    stores = [line for line in assembly.splitlines() if "(%rsp)" in line and "ldtilecfg" not in line]
    assert all(any(offset in line for line in stores) for offset in ("-64(", "-48(", "-32(", "-16("))


@pytest.mark.parametrize(
    ("behaviour", "use_extra_bufts", "tested_with"),
    [
        ("exit 0", True, "model"),
        ('case "$*" in *--plain-buffers*) exit 0;; esac; kill -SEGV $$', False, "model"),
        ('case "$*" in *starter.gguf*) exit 1;; esac', True, "unreadable model"),
    ],
)
def test_the_self_test_finds_what_a_build_can_do(
    tmp_path: Path, behaviour: str, use_extra_bufts: bool, tested_with: str
) -> None:
    key = native_key("0.3.36")

    state = self_test.try_native(script(tmp_path, behaviour), key, tmp_path / "starter.gguf")

    assert (state.use_extra_bufts, state.tested_with) == (use_extra_bufts, tested_with)


def test_a_build_that_only_crashes_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="signal SIGILL"):
        self_test.try_native(script(tmp_path, "kill -ILL $$"), native_key("0.3.36"), None)


def script(folder: Path, behaviour: str) -> Path:
    """A program in the place of .venv's Python: the child process is real, what happens in it is chosen."""
    path = folder / "python"
    path.write_text(f"#!/bin/sh\n{behaviour}\n")
    path.chmod(0o755)
    return path


def test_development_packages_serve_a_plain_install() -> None:
    developer = Packages(python="3.11", runtime="a", dev="b")

    assert developer.covers(replace(developer, dev=""))
    assert not replace(developer, dev="").covers(developer)
    assert not developer.covers(replace(developer, python="3.12"))


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_the_lock_files_pin_every_package_by_hash(name: str) -> None:
    lock = LockFile((ROOT / name).read_text())
    blocks = [
        block for block in (lock.native + lock.others).split("\n") if block and not block.startswith(" ")
    ]

    assert lock.native_version == "0.3.36"
    assert all("==" in block and block.endswith("\\") for block in blocks)
    assert "://" not in lock.text
