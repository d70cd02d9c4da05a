"""The first cell of every lesson, run as in a kernel that has PyTorch and does not have the course.

Such a Python is started without its site-packages, and looks for packages in a folder of links to them: all but
the course itself, and but those that a test hides. The address of the repository is a local clone.
"""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

import course_utils
from course_utils.lessons import ROOT

CELL = (ROOT / "course_utils" / "first_cell.py").read_text(encoding="utf-8")
# A learner's session: the cell, run so often, and then what it made possible.
SESSION = """\
import json, os, sys
packages, python, cell, times, after = json.loads(sys.argv[1])
sys.path += [os.getcwd(), packages]
sys.executable = python or sys.executable
for _ in range(times):
    exec(compile(cell, "first cell", "exec"), {})
exec(after)
"""
READY = """\
import course_utils
from course_utils import data
print(len(data.fashion_mnist()[2].images), os.path.relpath(course_utils.__file__))
"""
PIP = """#!/bin/sh
echo "$@" >> "$(dirname "$0")/called"
exit $(cat "$(dirname "$0")/status")
"""
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows links no folders without being asked")


class Elsewhere:
    """An empty folder, with a Python that lacks the course and, where told so, more."""

    def __init__(self, folder: Path):
        self.folder, self.packages, self.address = folder / "a reader's folder", folder / "packages", ROOT
        self.python: Path | None = None
        self.folder.mkdir()
        self.packages.mkdir()
        for kind in ("purelib", "platlib"):
            for path in Path(sysconfig.get_path(kind)).iterdir():
                if path.suffix != ".pth" and "vision_course" not in path.name and path.name != "course_utils":
                    link = self.packages / path.name
                    link.exists() or link.symlink_to(path)

    def hide(self, *names: str) -> None:
        for name in names:
            (self.packages / name).unlink()

    def fake_pip(self, status: int) -> Path:
        """Put a Python in the place of ours that only notes what pip was asked for."""
        self.python = self.packages.parent / "python"
        self.python.write_text(PIP)
        self.python.chmod(0o755)
        self.python.with_name("status").write_text(str(status))
        return self.python.with_name("called")

    def run(
        self, after: str = "", times: int = 1, folder: Path | None = None, **more: str
    ) -> subprocess.CompletedProcess:
        given = json.dumps([str(self.packages), str(self.python or ""), CELL, times, after])
        return subprocess.run(
            [sys.executable, "-I", "-S", "-c", SESSION, given],
            cwd=folder or self.folder,
            env={"PATH": os.environ["PATH"], "COURSE_ADDRESS": str(self.address), **more},
            capture_output=True,
            text=True,
            timeout=120,
        )


@pytest.fixture
def elsewhere(tmp_path: Path) -> Elsewhere:
    return Elsewhere(tmp_path)


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a repository that holds this checkout as it is now, committed or not."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True
    )
    if listed.returncode:
        pytest.skip("this copy of the course is no git repository")
    copy = tmp_path_factory.mktemp("published") / "course"
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, copy / name)
    for command in (
        ["init", "--quiet"],
        ["add", "--all"],
        ["-c", "user.name=Test", "-c", "user.email=test@example.org", "commit", "--quiet", "-m", "The course"],
    ):
        subprocess.run(["git", *command], cwd=copy, check=True)
    return copy.as_uri()


def one_sentence(done: subprocess.CompletedProcess) -> str:
    """What the cell ended with, which has to be all that it said."""
    assert done.returncode == 1
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1, done.stderr
    return done.stderr


def test_where_the_course_can_be_imported_nothing_happens(elsewhere: Elsewhere) -> None:
    (elsewhere.packages / "course_utils").symlink_to(Path(course_utils.__file__).parent)
    done = elsewhere.run("print(sorted({'torch', 'course_utils', 'matplotlib'} & set(sys.modules)))")
    assert (done.stdout, done.stderr) == ("[]\n", "")  # not even an import
    assert not list(elsewhere.folder.iterdir())


def test_opened_alone_it_brings_the_course_and_its_data(elsewhere: Elsewhere, published: str) -> None:
    elsewhere.address = published
    done = elsewhere.run(READY)
    assert (done.stdout, done.stderr) == ("10000 vision-course/course_utils/__init__.py\n", "")


def test_opened_alone_again_it_brings_nothing_again(elsewhere: Elsewhere, published: str) -> None:
    elsewhere.address = published
    assert elsewhere.run(times=2).returncode == 0
    (elsewhere.folder / "vision-course" / "mine").touch()
    elsewhere.address = "nowhere"
    assert elsewhere.run(READY).stdout.startswith("10000 vision-course/")
    assert (elsewhere.folder / "vision-course" / "mine").exists()


@pytest.mark.parametrize("place", [".", "notebooks", "notebooks/pictures"])
def test_within_the_checkout_it_finds_the_course_above(elsewhere: Elsewhere, place: str) -> None:
    elsewhere.address = "nowhere"
    done = elsewhere.run("import course_utils; print(course_utils.__file__)", folder=ROOT / place)
    assert Path(done.stdout.strip()) == ROOT / "course_utils" / "__init__.py", done.stderr
    assert not (ROOT / place / "vision-course").exists()


def test_opened_alone_it_installs_what_is_missing_and_no_more(elsewhere: Elsewhere, published: str) -> None:
    elsewhere.address = published
    elsewhere.hide("ipycanvas", "psutil", "torchvision")
    called = elsewhere.fake_pip(0)
    said = one_sentence(elsewhere.run())  # as this pip brought nothing
    asked = called.read_text().split()
    assert asked[:3] == ["-m", "pip", "install"]
    assert [pin.split("==")[0] for pin in asked[3:]] == ["ipycanvas", "psutil"]
    assert all("==" in pin for pin in asked[3:])
    assert f"{elsewhere.python} lacks torchvision, ipycanvas, psutil: " in said


@pytest.mark.parametrize("pip", [None, 1])
def test_without_a_network_it_says_so(elsewhere: Elsewhere, published: str, pip: int | None) -> None:
    if pip:
        elsewhere.address = published
        elsewhere.hide("tqdm")
        elsewhere.fake_pip(pip)
    else:
        elsewhere.address = elsewhere.folder / "nowhere"
    assert "Is there a network?" in one_sentence(elsewhere.run())
    assert (elsewhere.folder / "vision-course").exists() == bool(pip)  # half a clone would be taken for the course


def test_without_git_it_says_so(elsewhere: Elsewhere) -> None:
    assert "git and pip could not bring the course" in one_sentence(elsewhere.run(PATH=str(elsewhere.folder)))


def test_a_kernel_without_torch_is_named_with_the_cure(elsewhere: Elsewhere) -> None:
    elsewhere.hide("torch", "torchvision")
    called = elsewhere.fake_pip(0)
    said = one_sentence(elsewhere.run(folder=ROOT / "notebooks"))
    assert f"{elsewhere.python} lacks torch, torchvision: Kernel > Change Kernel > Python 3" in said
    assert not called.exists()  # somebody else's Python is left as it is
