"""PARLEY_ACCEL reaches the compiler, and each accelerator has a build of its own."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from scripts.commands import CommandRunner
from scripts.native import Compiler, NativeKey, find_build, native_key


class Recorder(CommandRunner):
    """Runs nothing: notes each command, and leaves the source archive where pip would."""

    def __init__(self, log: Path) -> None:
        super().__init__(log)
        self.commands: list[list[str]] = []

    def run(self, what: str, command: Sequence[str | Path], **_: Any) -> None:
        words = [str(word) for word in command]
        self.commands.append(words)
        if "download" in words:
            folder = Path(words[words.index("-d") + 1])
            folder.mkdir()
            with tarfile.open(folder / "llama.tar.gz", "w:gz") as archive:
                member = tarfile.TarInfo("llama/README")
                archive.addfile(member, io.BytesIO())


def configured(tmp_path: Path, key: NativeKey) -> list[str]:
    """The words that cmake is given for a build."""
    runner = Recorder(tmp_path / "setup.log")
    Compiler(Path("python"), runner, "", lambda _done, _all: None).build(key)
    (words,) = [command for command in runner.commands if "Ninja" in command]
    return words


def test_cuda_is_compiled_in_by_one_variable_and_kept_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nvcc = tmp_path / "nvcc"
    nvcc.write_text("#!/bin/sh\n")
    nvcc.chmod(0o755)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("CUDACXX", str(nvcc))
    monkeypatch.setenv("PARLEY_ACCEL", "cpu")
    plain = native_key("0.3.36")
    monkeypatch.setenv("PARLEY_ACCEL", "cuda")
    cuda = native_key("0.3.36")

    words = configured(tmp_path, cuda)

    assert {"-DGGML_CUDA=ON", f"-DCMAKE_CUDA_COMPILER={nvcc}"} <= set(words)
    assert "-DGGML_CUDA=ON" not in configured(tmp_path, plain)
    built, other = find_build(cuda), find_build(plain)
    assert built is not None
    assert other is not None
    assert "-cuda-" in built.folder.name
    assert built.folder != other.folder
