"""What every test run shares: the notebook plug-in, and a place for progress that is not the reader's own."""

import os
import tempfile
from collections.abc import Iterator

import pytest

pytest_plugins = ("tests.notebook_plugin",)

_states = tempfile.TemporaryDirectory(prefix="vision-course-")

# Here, at import, because course code and kernels may start before the first test does.
os.environ["VISION_COURSE_STATE"] = tempfile.mkdtemp(dir=_states.name)
os.environ["COURSE_QUIET"] = "1"  # no progress bars


@pytest.fixture(autouse=True)
def empty_state(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each test a state folder of its own, so that none sees the progress another one made."""
    monkeypatch.setenv("VISION_COURSE_STATE", tempfile.mkdtemp(dir=_states.name))


@pytest.hookimpl(wrapper=True)
def pytest_unconfigure() -> Iterator[None]:
    """Remove them all, after everything else has ended."""
    yield
    _states.cleanup()
