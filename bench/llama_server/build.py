"""Builds llama-server from the source package that Parley's own llama.cpp comes from, and keeps it in the cache.

It is configured as the library is, with the parts switched on that only the server needs. Only the server and those
parts are kept: libllama and the ggml libraries are the ones that Parley itself runs on.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bench.llama_server.models import SHAPES
from scripts.commands import CommandRunner
from scripts.install import PYTHON, ROOT, site_packages
from scripts.native import (
    Compiler,
    NativeKey,
    builds_folder,
    compiler_version,
    native_key,
    num_jobs,
    python_path,
)
from scripts.progress import Progress
from scripts.state import LockFile

SERVER = "llama-server"
SERVER_FLAGS = [f"-DLLAMA_BUILD_{part}=ON" for part in ("COMMON", "TOOLS", "SERVER")]
SERVER_LIBRARIES = ("libllama-common", "libllama-server-impl", "libmtmd")
VOCABULARIES = "vocabularies"
LOG = "build.log"


@dataclass(frozen=True, slots=True)
class PeerBuild:
    """The server, the libraries that only it needs, and the vocabularies of llama.cpp's sources, in one folder."""

    key: NativeKey
    folder: Path

    @property
    def program(self) -> Path:
        """The server."""
        return self.folder / SERVER

    @property
    def vocabularies(self) -> Path:
        """GGUF files with a tokenizer and no weights."""
        return self.folder / VOCABULARIES

    @property
    def library_path(self) -> str:
        """LD_LIBRARY_PATH: libllama and ggml are only in Parley's folder."""
        return f"{self.folder}:{parley_libraries()}"

    @property
    def description(self) -> str:
        """What was built, and with what."""
        return f"llama-cpp-python {self.key.version}'s source, {compiler_version() or 'no compiler'}, {self.key.accel}"


def cache_folder() -> Path:
    """Where the server and the models are kept."""
    return builds_folder().parent / "bench"


def parley_libraries() -> Path:
    """libllama and the ggml libraries of .venv."""
    return site_packages() / "llama_cpp" / "lib"


def find_or_build() -> PeerBuild:
    """The kept build for this machine, else a new one: five to ten minutes on two cores.

    Raises: SetupError when a tool is missing or a step fails.
    """
    lock = LockFile((ROOT / "requirements.lock").read_text())
    key = native_key(lock.native_version)
    folder = cache_folder() / key.folder_name
    if not (folder / SERVER).exists():
        progress = Progress()
        progress.step("fetching llama.cpp and compiling llama-server (once, five to ten minutes)")
        cache_folder().mkdir(parents=True, exist_ok=True)
        runner = CommandRunner(cache_folder() / LOG)
        compiler = ServerCompiler(
            PYTHON, runner, lock.native, lambda done, total: progress.percent("compiling", done, total)
        )
        compiler.build_server(key, folder)
        progress.step("llama-server is compiled")
    return PeerBuild(key, folder)


class ServerCompiler(Compiler):
    """The compiler of set-up, for one more target."""

    def build_server(self, key: NativeKey, folder: Path) -> None:
        """Compiles the server and moves it to `folder`. Raises: SetupError."""
        with tempfile.TemporaryDirectory(prefix="build-", dir=folder.parent) as name:
            work = Path(name)
            tools = self._install_tools(work / "tools")
            source = self._fetch_source(work, tools) / "vendor" / "llama.cpp"
            self._compile(key, source, work / "objects", tools)
            self._compile_server(source, work / "objects", tools)
            shutil.rmtree(folder, ignore_errors=True)  # what an interrupted move left
            self._collect(source, work / "objects" / "bin", work / "result").rename(folder)

    def _compile_server(self, source: Path, objects: Path, tools: Path) -> None:
        """Goes on in the folder of the library's build, so that all other flags are the same."""
        cmake: list[str | Path] = [self._python, tools / "bin" / "cmake"]
        what, env = f"compiling {SERVER}", python_path(tools)
        self._runner.run(what, [*cmake, "-S", source, "-B", objects, *SERVER_FLAGS], env=env)
        command: list[str | Path] = [tools / "bin" / "ninja", "-C", objects, "-j", str(num_jobs()), SERVER]
        self._runner.run(what, command, env=env, on_line=self._watch)

    def _collect(self, source: Path, binaries: Path, result: Path) -> Path:
        result.mkdir()
        for name in SERVER_LIBRARIES:
            for library in binaries.glob(f"{name}.*"):
                shutil.copy2(library, result)
        shutil.copy2(binaries / SERVER, result)
        (result / VOCABULARIES).mkdir()
        for shape in SHAPES.values():
            shutil.copy2(source / "models" / shape.vocabulary, result / VOCABULARIES)
        return result
