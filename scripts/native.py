"""llama.cpp as this machine needs it: what identifies a build, how one is made, where it is kept.

A build is kept under the user's cache folder by its key, so a second checkout compiles nothing.
The compile takes only the libraries (under two minutes on two cores instead of 4.5 for the whole package).
"""

import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from scripts.commands import CommandRunner, SetupError

HERE = Path(__file__).parent
AMX_HEADER = HERE / "amx_tile_config.h"
MTMD_UNITY = HERE / "mtmd_unity.cmake"
BUILD_LOCK = HERE.parent / "requirements-build.lock"

ABANDONED_AFTER_S = 24 * 3600

# Flags of /proc/cpuinfo that decide which instructions -march=native may use.
X86_FLAGS = re.compile(r"(sse|ssse|pni|avx|amx|fma|f16c|bmi)")

TARGETS = ("llama", "mtmd")
UNUSED_PARTS = ("COMMON", "TOOLS", "EXAMPLES", "SERVER", "TESTS", "UI", "APP")
CMAKE_FLAGS = (
    "-DCMAKE_BUILD_TYPE=Release",
    "-DBUILD_SHARED_LIBS=ON",
    # The libraries find one another beside themselves, wherever they are copied to.
    "-DCMAKE_PLATFORM_NO_VERSIONED_SONAME=ON",
    "-DCMAKE_BUILD_WITH_INSTALL_RPATH=ON",
    "-DCMAKE_INSTALL_RPATH_USE_LINK_PATH=ON",
    f"-DCMAKE_INSTALL_RPATH={'@loader_path' if sys.platform == 'darwin' else '$ORIGIN'}",
    *(f"-DLLAMA_BUILD_{part}=OFF" for part in UNUSED_PARTS),
    # The part that sees, without the half of it that would start ffmpeg for films.
    "-DLLAMA_BUILD_MTMD=ON",
    "-DMTMD_VIDEO=OFF",
    "-DLLAMA_USE_PREBUILT_UI=OFF",
    "-DLLAMA_OPENSSL=OFF",
    "-DCMAKE_C_FLAGS=-w",
)
ACCEL_FLAGS = {
    "cpu": ("-DGGML_METAL=OFF",),
    "cuda": ("-DGGML_CUDA=ON",),
    "metal": ("-DGGML_METAL=ON", "-DGGML_METAL_EMBED_LIBRARY=ON"),
}


@dataclass(frozen=True, slots=True)
class NativeKey:
    """What makes one build of llama.cpp differ from another; `compiler` is empty where there is none."""

    version: str
    accel: str
    recipe: str
    cpu: str
    compiler: str

    @property
    def folder_name(self) -> str:
        """Short, readable and different for different keys."""
        digest = hashlib.sha256(repr(self).encode()).hexdigest()[:16]
        return f"{self.version}-{self.accel}-{digest}"

    def is_served_by(self, other: "NativeKey") -> bool:
        """Whether a build of the other key works here; without a compiler any compiler's build does."""
        return self == (other if self.compiler else replace(other, compiler=""))


@dataclass(frozen=True, slots=True)
class Build:
    """A finished build: the shared libraries and the wheel of the bindings, in one folder."""

    key: NativeKey
    folder: Path

    @property
    def wheel(self) -> Path:
        """The bindings without a library of their own."""
        return next(self.folder.glob("*.whl"))

    @property
    def libraries(self) -> list[Path]:
        """libllama, libmtmd and the ggml libraries that they need."""
        return sorted(path for path in self.folder.iterdir() if path.name.startswith("lib"))


def native_key(version: str) -> NativeKey:
    """The key of the build that this machine needs now.

    Raises: SetupError when PARLEY_ACCEL is no known accelerator.
    """
    accel = os.environ.get("PARLEY_ACCEL") or default_accel()
    if accel not in ACCEL_FLAGS:
        raise SetupError(f"PARLEY_ACCEL={accel} is none of {', '.join(ACCEL_FLAGS)}.")
    recipe = hashlib.sha256(
        AMX_HEADER.read_bytes() + MTMD_UNITY.read_bytes() + repr((CMAKE_FLAGS, ACCEL_FLAGS[accel])).encode()
    )
    return NativeKey(version, accel, recipe.hexdigest()[:12], cpu_flags(), compiler_version())


def default_accel() -> str:
    """Metal on Apple's own processors, else the processor itself."""
    return "metal" if (sys.platform, platform.machine()) == ("darwin", "arm64") else "cpu"


def cpu_flags(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """The processor's instruction sets, in a form that only changes when a build would."""
    try:
        text = cpuinfo.read_text()
    except OSError:
        return f"{platform.machine()} {platform.processor()}"
    found = re.search(r"^(flags|Features)\s*:(.*)$", text, re.MULTILINE)
    flags = found[2].split() if found else []
    if found and found[1] == "flags":
        flags = [flag for flag in flags if X86_FLAGS.match(flag)]
    return " ".join([platform.machine(), *sorted(flags)])


def compiler(variable: str, *names: str) -> str | None:
    """The compiler of that environment variable, else the first of the names that exists."""
    candidates = (os.environ.get(variable, ""), *names)
    return next((path for name in candidates if name and (path := shutil.which(name))), None)


def compiler_version() -> str:
    """The C++ compiler's first line of `--version`, empty where there is no compiler."""
    if (path := compiler("CXX", "g++", "c++", "clang++")) is None:
        return ""
    answer = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
    return answer.stdout.partition("\n")[0]


def builds_folder() -> Path:
    """Where finished builds are kept."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "parley" / "llama"


def find_build(key: NativeKey) -> Build | None:
    """The kept build that serves the key, if there is one."""
    for description in sorted(builds_folder().glob("*/key.json")):
        kept = NativeKey(**json.loads(description.read_text()))
        if key.is_served_by(kept):
            return Build(kept, description.parent)
    return None


class Compiler:
    """Makes a build with the Python of .venv; cmake and ninja come as packages and leave no trace there."""

    def __init__(
        self, python: Path, runner: CommandRunner, requirement: str, on_progress: Callable[[int, int], None]
    ) -> None:
        """`requirement` is llama-cpp-python's part of the lock; `on_progress` gets (files done, files)."""
        self._python = python
        self._runner = runner
        self._requirement = requirement
        self._on_progress = on_progress

    def build(self, key: NativeKey) -> Build:
        """Compiles and keeps a build.

        Raises: SetupError when a tool is missing or a step fails.
        """
        builds_folder().mkdir(parents=True, exist_ok=True)
        remove_abandoned_builds()
        with tempfile.TemporaryDirectory(prefix="build-", dir=builds_folder()) as name:
            work = Path(name)
            tools = self._install_tools(work / "tools")
            source = self._fetch_source(work, tools)
            result = work / "result"
            result.mkdir()
            self._compile(key, source / "vendor/llama.cpp", work / "objects", tools)
            for library in (work / "objects" / "bin").glob("lib*"):
                shutil.copy2(library, result)
            self._build_wheel(source, result, tools)
            (result / "key.json").write_text(json.dumps(asdict(key), indent=1))
            return self._keep(key, result)

    def _install_tools(self, tools: Path) -> Path:
        self._pip("fetching cmake", "install", "--require-hashes", "-r", BUILD_LOCK, "--target", tools)
        return tools

    def _fetch_source(self, work: Path, tools: Path) -> Path:
        lock = work / "source.lock"
        lock.write_text(self._requirement)
        options = ("--require-hashes", "--no-deps", "--no-binary", ":all:", "--no-build-isolation")
        target = ("-d", work / "source", "-r", lock)
        self._pip("fetching llama.cpp", "download", *options, *target, env=python_path(tools))
        archive = next((work / "source").glob("*.tar.gz"))
        shutil.unpack_archive(archive, work / "source")
        return work / "source" / archive.name.removesuffix(".tar.gz")

    def _compile(self, key: NativeKey, source: Path, objects: Path, tools: Path) -> None:
        env = python_path(tools)
        ninja = tools / "bin" / "ninja"
        compilers = (
            f"-DCMAKE_C_COMPILER={compiler('CC', 'gcc', 'cc', 'clang')}",
            f"-DCMAKE_CXX_COMPILER={compiler('CXX', 'g++', 'c++', 'clang++')}",
        )
        places = (f"-DCMAKE_MAKE_PROGRAM={ninja}", f"-DCMAKE_CXX_FLAGS=-w -include '{AMX_HEADER}'")
        unity = f"-DCMAKE_PROJECT_INCLUDE={MTMD_UNITY}"
        flags = (*compilers, *places, unity, *CMAKE_FLAGS, *ACCEL_FLAGS[key.accel], *cuda_compiler(key.accel))
        cmake: tuple[str | Path, ...] = (self._python, tools / "bin" / "cmake", "-G", "Ninja")
        what = "compiling llama.cpp"
        configure: list[str | Path] = [*cmake, "-S", source, "-B", objects, *flags]
        self._runner.run(what, configure, env=env)
        command: list[str | Path] = [ninja, "-C", objects, "-j", str(num_jobs()), *TARGETS]
        self._runner.run(what, command, env=env, on_line=self._watch)

    def _watch(self, line: str) -> None:
        if found := re.match(r"\[(\d+)/(\d+)\]", line):
            self._on_progress(int(found[1]), int(found[2]))

    def _build_wheel(self, source: Path, result: Path, tools: Path) -> None:
        # Without pip's cache: a wheel without libraries must not be served to the user's other projects.
        options = ("--no-deps", "--no-build-isolation", "--no-cache-dir", "-w", result, source)
        env = python_path(tools) | {"CMAKE_ARGS": "-DLLAMA_BUILD=OFF -DLLAVA_BUILD=OFF"}
        self._pip("building llama-cpp-python", "wheel", *options, env=env)

    def _keep(self, key: NativeKey, result: Path) -> Build:
        folder = builds_folder() / key.folder_name
        if not folder.exists():  # another checkout may have been quicker
            result.rename(folder)
        return Build(key, folder)

    def _pip(self, what: str, *arguments: str | Path, env: dict[str, str] | None = None) -> None:
        command: list[str | Path] = [self._python, "-m", "pip", *arguments]
        self._runner.run(what, command, env=env)


def remove_abandoned_builds() -> None:
    """Deletes what a killed set-up left behind more than a day ago."""
    for folder in builds_folder().glob("build-*"):
        if time.time() - folder.stat().st_mtime > ABANDONED_AFTER_S:
            shutil.rmtree(folder, ignore_errors=True)


def check_tools(accel: str) -> None:
    """Raises: SetupError that names the missing compiler and how to get it."""
    found = (compiler("CC", "gcc", "cc", "clang"), compiler("CXX", "g++", "c++", "clang++"))
    if None in found:
        raise SetupError("no C++ compiler found. Install one: apt-get install g++")
    if accel == "cuda" and not cuda_compiler(accel):
        raise SetupError("PARLEY_ACCEL=cuda needs nvcc of the CUDA toolkit, and none was found.")
    if accel == "metal" and sys.platform != "darwin":
        raise SetupError("PARLEY_ACCEL=metal works on macOS only.")


def cuda_compiler(accel: str) -> tuple[str, ...]:
    """Tells cmake of nvcc, which the toolkit leaves off the PATH; nothing where none is needed or found."""
    if accel != "cuda" or (path := compiler("CUDACXX", "nvcc", "/usr/local/cuda/bin/nvcc")) is None:
        return ()
    return (f"-DCMAKE_CUDA_COMPILER={path}",)


def num_jobs() -> int:
    """Compiler processes at once: one a core, and at least 1 GB of memory for each."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    memory_gb = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 10**9
    return max(1, min(cores, memory_gb))


def python_path(tools: Path) -> dict[str, str]:
    """The environment in which Python finds the build tools."""
    return {"PYTHONPATH": str(tools)}
