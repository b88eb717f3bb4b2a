"""What a download would fetch, and whether there is a place for it: all that can be said before it begins."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from chat.domain.errors import PullFailed
from chat.domain.sizes import size_text
from chat.hub.choice import HubFile, Variant, choose, variants_of
from chat.hub.hub import Hub
from chat.hub.names import HubName

PART_SUFFIX = ".part"
# For the database, logs and everybody else on this disk.
SPARE_BYTES = 256 * 1000**2


@dataclass(frozen=True, slots=True)
class Plan:
    """A model at one `commit` of its repository."""

    repo: str
    commit: str
    license: str
    variant: Variant
    others: tuple[Variant, ...] = ()

    @property
    def name(self) -> str:
        """The model's name in our folder."""
        return self.variant.name

    @property
    def files(self) -> tuple[HubFile, ...]:
        """What is fetched, in the order of the parts."""
        return self.variant.files

    @property
    def source(self) -> str:
        """The name that means exactly this model."""
        return f"{self.repo}/{self.files[0].path}"

    @property
    def size_bytes(self) -> int:
        """Of all files."""
        return self.variant.size_bytes


def make_plan(hub: Hub, name: HubName) -> Plan:
    """Ask the hub what `name` is. Raises: PullFailed."""
    listing = hub.list_files(name)
    variant = choose(name, listing.files)
    for file in variant.files:
        if not file.sha256 or not file.size_bytes:
            raise PullFailed(
                f"The hub tells no checksum of {file.path}.", hint="Choose a file that it keeps in its store."
            )
    others = tuple(other for other in variants_of(listing.files) if other != variant)
    return Plan(name.repo, listing.commit, listing.license, variant, others)


def part_of(folder: Path, file: HubFile) -> Path:
    """Where a file grows until it is whole."""
    return folder / f"{file.name}{PART_SUFFIX}"


def bytes_there(folder: Path, plan: Plan) -> int:
    """How much of it was downloaded before."""
    return sum(
        min(max(_size(folder / file.name), _size(part_of(folder, file))), file.size_bytes)
        for file in plan.files
    )


def is_there(folder: Path, plan: Plan) -> bool:
    """Whether all files are in the folder under their names and as long as on the hub."""
    return all(_size(folder / file.name) == file.size_bytes for file in plan.files)


def check_place(folder: Path, plan: Plan) -> None:
    """Raises: PullFailed when a name is taken by another file, or the disk is too full."""
    for file in plan.files:
        if (folder / file.name).exists() and _size(folder / file.name) != file.size_bytes:
            raise PullFailed(
                f"There is another file named {file.name} in the models folder.",
                hint="Remove that model first.",
            )
    missing_bytes = plan.size_bytes - bytes_there(folder, plan)
    free_bytes = shutil.disk_usage(folder).free if folder.exists() else missing_bytes + SPARE_BYTES
    if missing_bytes + SPARE_BYTES > free_bytes:
        raise PullFailed(
            f"The disk is too full: {plan.name} needs {size_text(missing_bytes)}, {size_text(free_bytes)} are free.",
            hint="Remove a model, or choose a smaller one.",
        )


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # absent, or not to be reached: writing will say so
        return 0
