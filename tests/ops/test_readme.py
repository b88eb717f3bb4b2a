"""The README matches the code: every setting with its default, every command, every file that it names."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()
OUTSIDE_SETTINGS = {"HOST", "PORT", "PARLEY_ACCEL"}  # read by the Makefile, `serve` and set-up


def settings_read() -> dict[str, list[ast.expr]]:
    """Each environment variable of chatsite/settings.py with the other arguments of the call that reads it."""
    tree = ast.parse((ROOT / "chatsite" / "settings.py").read_text())
    calls = [
        node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    ]
    return {
        ast.literal_eval(call.args[0]): call.args[1:]
        for call in calls
        if isinstance(call.func, ast.Name) and call.func.id.startswith("env_")
    }


def literal_default(arguments: list[ast.expr]) -> str | None:
    """The default as a person would type it; None where it is computed."""
    try:
        value = ast.literal_eval(arguments[0]) if arguments else ""
    except ValueError:
        return None
    return ",".join(value) if isinstance(value, list) else str(value)


def documented() -> dict[str, str]:
    """Each setting of the table with the text of its default column."""
    rows = re.findall(r"^\| `([A-Z_]+)` \| (.*?) ?\|", README, re.MULTILINE)
    return {name: default.strip("`") for name, default in rows}


def test_every_setting_is_in_the_table_and_no_other() -> None:
    assert set(documented()) == set(settings_read()) | OUTSIDE_SETTINGS


def test_the_table_tells_the_true_defaults() -> None:
    defaults = {name: literal_default(arguments) for name, arguments in settings_read().items()}
    numbers = {
        name: default for name, default in defaults.items() if re.fullmatch(r"-?[\d.]+", default or "")
    }

    assert numbers
    assert {name: documented()[name] for name in numbers} == numbers
    assert documented()["PARLEY_TOOLS"] == defaults["PARLEY_TOOLS"]
    assert documented()["PARLEY_HOSTS"] == defaults["PARLEY_HOSTS"]


@pytest.mark.parametrize("text", [README, OPERATIONS], ids=["README", "operations"])
def test_every_command_that_is_named_exists(text: str) -> None:
    makefile = (ROOT / "Makefile").read_text()
    named = set(re.findall(r"(?:`|^|&& )make ([a-z-]+)", text, re.MULTILINE))

    assert named
    assert {target for target in named if not re.search(rf"^{target}:", makefile, re.MULTILINE)} == set()


def test_every_file_that_is_linked_exists() -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", README)

    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_the_settings_named_in_operations_exist() -> None:
    named = set(re.findall(r"PARLEY_[A-Z_]+", OPERATIONS))

    assert named <= set(documented())
