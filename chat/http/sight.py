"""Which models see: asked before a picture is taken, by the page and by the APIs."""

from __future__ import annotations

from chat.domain.errors import InvalidInput, ModelError
from chat.runtime import get_runtime


def check_sees(model: str, field: str = "") -> None:
    """Does the model of this name take pictures? "" is the default model.

    Raises: InvalidInput naming those that do. A name that there is not is told when the run begins.
    """
    registry = get_runtime().registry
    files = registry.files()
    name = model or _default_name()
    if any(file.name == name and file.projector is None for file in files):
        names = ", ".join(file.name for file in files if file.projector) or "none"
        raise InvalidInput(
            f"{name} cannot see pictures.", hint=f"Models here that can: {names}.", field=field
        )


def _default_name() -> str:
    try:
        return get_runtime().registry.default().name
    except ModelError:
        return ""
