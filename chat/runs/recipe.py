"""What an answer was made with, as far as it cannot be found again later; the rest is in the log and in the branch."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from typing import Any, Self

from chat.domain.errors import ModelError
from chat.domain.messages import ToolSpec
from chat.domain.params import MAX_SEED, USUAL_FIELDS, SamplingParams
from chat.engine.digests import FileDigests
from chat.engine.families import family_of
from chat.engine.model_folder import FileState, ModelFile
from chat.engine.registry import ModelRegistry
from chat.models.flow import changed_params
from chat.runs.task import Task


@dataclass(frozen=True, slots=True)
class FileRecord:
    """A model file as it was. `sha256` is "" when it was not known yet; time and size tell whether it is the same."""

    name: str
    size_bytes: int
    modified_ns: int
    sha256: str = ""

    def is_of(self, state: FileState) -> bool:
        """Whether that file is still this one."""
        here = (state.path.name, state.size_bytes, state.modified_ns)
        return here == (self.name, self.size_bytes, self.modified_ns)


@dataclass(frozen=True, slots=True)
class Recipe:
    """`params.seed` is the number that was drawn; `template` the family of chat templates; `build` the library."""

    system_prompt: str
    tools: tuple[ToolSpec, ...]
    params: SamplingParams
    files: tuple[FileRecord, ...] = ()
    template: str = ""
    quantization: str = ""
    build: str = ""

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self | None:
        """None for a run of a time when none were written down."""
        if not data:
            return None
        return cls(
            **{
                **data,
                "tools": tuple(ToolSpec(**tool) for tool in data["tools"]),
                "params": changed_params(SamplingParams(), data["params"]),
                "files": tuple(FileRecord(**record) for record in data["files"]),
            }
        )

    @property
    def rare_params(self) -> list[tuple[str, Any]]:
        """The samplers that are off unless someone turns them on: names and values of those that were."""
        values, usual = asdict(self.params), asdict(SamplingParams())
        return [
            (name, values[name])
            for name in values
            if name not in USUAL_FIELDS and values[name] != usual[name]
        ]

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; `from_dict` reads it."""
        tools = [
            {"name": tool.name, "description": tool.description, "parameters": dict(tool.parameters)}
            for tool in self.tools
        ]
        return asdict(replace(self, tools=())) | {"tools": tools}


@dataclass(frozen=True, slots=True)
class RecipeWriter:
    """Writes recipes down, and looks at the model files again later."""

    registry: ModelRegistry
    digests: FileDigests

    def recipe_of(self, task: Task) -> Recipe:
        """Of a run that begins. Cheap: what a file hashes to is told when it is known, and computed meanwhile."""
        messages = task.request.messages
        system_prompt = messages[0].text if messages and messages[0].role == "system" else ""
        recipe = Recipe(system_prompt, task.request.tools, task.request.params, build=_build())
        file = self._file(task.model)
        if file is None:
            return recipe
        return replace(
            recipe,
            files=tuple(self._record(state) for state in file.states),
            template=family_of(file.metadata.chat_template or ""),
            quantization=file.metadata.quantization,
        )

    def with_digests(self, recipe: Recipe, model: str) -> Recipe:
        """With the hashes that were not known then, for files that have not changed since."""
        file = self._file(model)
        states = {state.path.name: state for state in file.states} if file else {}
        return replace(
            recipe, files=tuple(self._completed(record, states.get(record.name)) for record in recipe.files)
        )

    def has_same_files(self, recipe: Recipe, model: str) -> bool:
        """Whether the model is still the one that wrote the answer."""
        file = self._file(model)
        if file is None or len(file.states) != len(recipe.files):
            return False
        return all(record.is_of(state) for record, state in zip(recipe.files, file.states, strict=True))

    def _file(self, model: str) -> ModelFile | None:
        if not model:
            try:
                return self.registry.default()
            except ModelError:  # the run itself will tell
                return None
        return next((file for file in self.registry.files() if file.name == model), None)

    def _record(self, state: FileState) -> FileRecord:
        digest = self.digests.get(state) or ""
        return FileRecord(state.path.name, state.size_bytes, state.modified_ns, digest)

    def _completed(self, record: FileRecord, state: FileState | None) -> FileRecord:
        if record.sha256 or state is None or not record.is_of(state):
            return record
        return self._record(state)


def with_seed(params: SamplingParams) -> SamplingParams:
    """With a seed drawn here when none was asked for: so every answer can be written again."""
    return params if params.seed is not None else replace(params, seed=secrets.randbelow(MAX_SEED))


def _build() -> str:
    return f"llama-cpp-python {version('llama-cpp-python')}"
