"""Colours for code: Pygments tokens as CSS classes, for a closed list of languages and bounded sizes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from markdown_it.common.utils import escapeHtml
from pygments import highlight as pygments_highlight
from pygments.formatters import HtmlFormatter
from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name

# Longer code is shown without colours: lexers are regular expressions, and some are slow on odd input.
MAX_HIGHLIGHTED_CHARS = 20_000
# Code that still grows is coloured up to here, the rest when it is complete.
MAX_OPEN_LINES = 200

# One lexer each, by the names people write after a fence. Rare lexers stay out: more code to load and to trust.
_ALIASES = {
    "bash": "bash", "sh": "bash", "shell": "bash", "zsh": "bash", "console": "console",
    "c": "c", "h": "c", "cpp": "cpp", "c++": "cpp", "hpp": "cpp", "cs": "csharp", "csharp": "csharp",
    "css": "css", "scss": "scss", "less": "less", "dart": "dart", "diff": "diff", "patch": "diff",
    "dockerfile": "docker", "docker": "docker", "elixir": "elixir", "erlang": "erlang", "go": "go",
    "golang": "go", "graphql": "graphql", "haskell": "haskell", "hs": "haskell", "html": "html",
    "django": "html+django", "jinja": "html+django", "http": "http", "ini": "ini", "cfg": "ini",
    "conf": "ini", "java": "java", "javascript": "javascript", "js": "javascript", "mjs": "javascript",
    "jsx": "jsx", "json": "json", "jsonc": "json", "jsonl": "json", "julia": "julia", "kotlin": "kotlin",
    "kt": "kotlin", "latex": "latex", "tex": "latex", "lua": "lua", "make": "make", "makefile": "make",
    "cmake": "cmake", "markdown": "markdown", "md": "markdown", "matlab": "matlab", "nginx": "nginx",
    "nix": "nix", "ocaml": "ocaml", "perl": "perl", "php": "php", "powershell": "powershell",
    "ps1": "powershell", "proto": "protobuf", "protobuf": "protobuf", "python": "python", "py": "python",
    "python3": "python", "pycon": "pycon", "r": "r", "ruby": "ruby", "rb": "ruby", "rust": "rust",
    "rs": "rust", "scala": "scala", "sql": "sql", "swift": "swift", "toml": "toml",
    "typescript": "typescript", "ts": "typescript", "tsx": "tsx", "vim": "vim", "xml": "xml",
    "svg": "xml", "yaml": "yaml", "yml": "yaml", "zig": "zig",
}  # fmt: skip

_FORMATTER: HtmlFormatter[str] = HtmlFormatter(nowrap=True)


@dataclass(frozen=True, slots=True)
class OpenCode:
    """Code that still grows: the part that gets its colours now, and the plain part after it."""

    highlighted: str
    plain: str


def language_label(info: str) -> str:
    """What a code block is called: the language's own name, the word after the fence, or "Code"."""
    word = _first_word(info)
    if word.lower() in _ALIASES:
        return str(_lexer(_ALIASES[word.lower()]).name)
    return word[:24] or "Code"


@lru_cache(maxsize=64)
def highlight(code: str, info: str) -> str:
    """HTML of a piece of code, in spans with Pygments' short class names."""
    name = _ALIASES.get(_first_word(info).lower())
    if name is None or len(code) > MAX_HIGHLIGHTED_CHARS:
        return escapeHtml(code)
    return pygments_highlight(code, _lexer(name), _FORMATTER)


def split_open_code(code: str) -> OpenCode:
    """Part growing code so that it is coloured again ever more seldom: the whole stays linear in its length."""
    lines = code.splitlines(keepends=True)
    num_lines = len(lines) if code.endswith("\n") else len(lines) - 1
    num_lines = min(num_lines, MAX_OPEN_LINES)
    step = 1 if num_lines < 16 else 4 if num_lines < 64 else 16
    num_highlighted = num_lines - num_lines % step
    return OpenCode("".join(lines[:num_highlighted]), "".join(lines[num_highlighted:]))


def _first_word(info: str) -> str:
    words = info.replace("{", " ").replace("}", " ").split()
    return words[0].lstrip(".") if words else ""


@lru_cache(maxsize=32)
def _lexer(name: str) -> Lexer:
    return get_lexer_by_name(name, stripnl=False)
