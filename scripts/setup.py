"""`make install`: from a bare machine to a working .venv with llama.cpp compiled for this processor.

This file checks the Python that runs it, so it must itself be readable by a much older one.
"""

import pathlib
import sys

OLDEST_PYTHON = (3, 11)

if sys.version_info < OLDEST_PYTHON:
    sys.exit(
        f"parley: needs Python 3.11 or newer, and {sys.executable} is older. "
        "With another one: make run PYTHON=python3.12"
    )

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from scripts.install import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
