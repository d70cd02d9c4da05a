"""Remember which exercises are done, across kernels, in a folder of the reader's own."""

import json
import os
import tempfile
from pathlib import Path

import platformdirs


def folder() -> Path:
    """Where it is kept: ``VISION_COURSE_STATE`` if set (every test run sets it), else the user's state folder."""
    given = os.environ.get("VISION_COURSE_STATE")
    return Path(given) if given else platformdirs.user_state_path("vision-course")


def done() -> set[str]:
    """Names of the exercises passed so far; none if the file is missing or cannot be read."""
    try:
        return {str(name) for name in json.loads((folder() / "done.json").read_text())}
    except (OSError, ValueError, TypeError):
        return set()


def remember(name: str) -> None:
    """Add a name. Written beside and renamed, so that a crash leaves the old file whole."""
    names = sorted(done() | {name})
    try:
        folder().mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=folder(), delete=False) as file:
            json.dump(names, file)
        os.replace(file.name, folder() / "done.json")
    except OSError:
        pass  # a folder that cannot be written must not stand between a reader and a lesson
