"""What people write to name a model on the hub."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from chat.domain.errors import InvalidInput
from chat.hub.known import KNOWN_MODELS

MAX_NAME_CHARS = 500
SUFFIX = ".gguf"

_PART = r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}"
_REPO = re.compile(rf"{_PART}/{_PART}", re.ASCII)
_QUANTIZATION = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,30}", re.ASCII)
# What becomes a file's name here, and the folders before it on the hub.
_FILE = re.compile(r"(?:[A-Za-z0-9][A-Za-z0-9._+ -]{0,200}/){0,4}[A-Za-z0-9][A-Za-z0-9._+-]{0,200}", re.ASCII)
_PUBLIC_HOSTS = ("huggingface.co", "www.huggingface.co", "hf.co")


@dataclass(frozen=True, slots=True)
class HubName:
    """A repository, and which of its models: by `file`, by `quantization`, or the usual one when both are empty."""

    repo: str
    file: str = ""
    quantization: str = ""
    revision: str = "main"

    def __str__(self) -> str:
        if self.file:
            return f"{self.repo}/{self.file}"
        return f"{self.repo}:{self.quantization}" if self.quantization else self.repo


def parse_name(text: str, hub_url: str) -> HubName:
    """`owner/repo`, `owner/repo:Q4_K_M`, `owner/repo/file.gguf`, a link to one of them, or a short name of ours.

    Raises: InvalidInput.
    """
    text = text.strip()
    if len(text) > MAX_NAME_CHARS:
        raise _no_name(text[:60] + "…")
    if known := KNOWN_MODELS.get(text.lower()):
        text = known.source
    path, revision = _path_of(text, hub_url)
    repo, file, quantization = _split(path)
    is_repo = _REPO.fullmatch(repo) and ".." not in repo
    is_file = not file or is_file_name(file)
    is_quantization = not quantization or _QUANTIZATION.fullmatch(quantization)
    if not (is_repo and is_file and is_quantization):
        raise _no_name(text)
    return HubName(repo, file, quantization, revision)


def is_file_name(path: str) -> bool:
    """Whether the path of a file on the hub is one that may become a file of ours."""
    return bool(_FILE.fullmatch(path)) and ".." not in path and path.lower().endswith(SUFFIX)


def _path_of(text: str, hub_url: str) -> tuple[str, str]:
    """What follows the host, without what pages of the hub put in between; and the revision."""
    hosts = (*_PUBLIC_HOSTS, urlsplit(hub_url).netloc)
    for prefix in ("", "https://", "http://", "hf://"):
        host, slash, path = text.removeprefix(prefix).partition("/")
        if slash and host in hosts and text.startswith(prefix):
            path = unquote(re.split("[?#]", path, maxsplit=1)[0]).strip("/")
            return _without_page(path)
    return text.removeprefix("hf://"), "main"


def _without_page(path: str) -> tuple[str, str]:
    """`owner/repo/blob/main/file.gguf` -> `owner/repo/file.gguf`, `main`."""
    parts = path.split("/")
    if len(parts) < 4 or parts[2] not in ("blob", "resolve", "tree", "raw"):
        return path, "main"
    return "/".join([*parts[:2], *parts[4:]]), parts[3]


def _split(path: str) -> tuple[str, str, str]:
    owner, _, rest = path.partition("/")
    name, slash, file = rest.partition("/")
    if slash:
        return f"{owner}/{name}", file, ""
    name, _, quantization = name.partition(":")
    return f"{owner}/{name}", "", quantization


def _no_name(text: str) -> InvalidInput:
    return InvalidInput(
        f"“{text}” names no model." if text else "Which model?",
        hint="Write owner/repository, owner/repository:Q4_K_M or owner/repository/file.gguf, or paste a link.",
        field="name",
    )
