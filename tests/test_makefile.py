"""What a newcomer's first ``make lab`` says where something is in its way: the real Makefile, beside fake tools.

Each fake stands for what a reader may have: an old Python, a full disk, no network. Nothing is downloaded.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from course_utils.lessons import ROOT

# Makes .venv of itself, and answers for pip and for the course. FAILS names what does not work.
PYTHON = """#!/bin/sh
echo "$@" >> "$CALLS"
case "$*" in *"$FAILS"*) exit 1 ;; esac
case "$1 $2" in
    "--version "*) echo "Python $VERSION" ;;
    "-c import sys; sys.exit"*) test "$VERSION" != 3.9.1 ;;
    "-m venv") mkdir -p .venv/bin && cp "$0" .venv/bin/python ;;
    "-m course_utils.lessons") echo "opened" ;;
esac
"""
DF = """#!/bin/sh
echo "Filesystem 1024-blocks Used Available Capacity Mounted on"
echo "map of the disk 9000000 1 $LEFT 99% /some folder"
"""
pytestmark = pytest.mark.skipif(
    sys.platform == "win32" or not shutil.which("make"), reason="README.md says how to do without make"
)


class Newcomer:
    """A folder with the Makefile and what it reads, and tools of our own."""

    def __init__(self, folder: Path):
        self.folder, self.tools, self.calls = folder / "a reader's course", folder / "tools", folder / "calls"
        self.folder.mkdir()
        self.tools.mkdir()
        for name in ("Makefile", "requirements.txt", "constraints.txt", "pyproject.toml"):
            shutil.copy(ROOT / name, self.folder)
        for name, text in (("python3", PYTHON), ("df", DF)):
            (self.tools / name).write_text(text)
            (self.tools / name).chmod(0o755)

    def make(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
        """What make says; outside variables, such as those of a make around us, stay outside."""
        outside = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
        defaults = {"CALLS": str(self.calls), "FAILS": "nothing", "VERSION": "3.12.3", "LEFT": "90000000"}
        path = f"{self.tools}{os.pathsep}{os.environ['PATH']}"
        self.calls.write_text("")
        return subprocess.run(
            ["make", *arguments],
            cwd=self.folder,
            env={**outside, **defaults, "PATH": path, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
        )

    def called(self, what: str) -> bool:
        return what in self.calls.read_text()


@pytest.fixture
def newcomer(tmp_path: Path) -> Newcomer:
    return Newcomer(tmp_path)


def test_set_up_once_in_a_folder_with_a_space_and_a_quote(newcomer: Newcomer) -> None:
    first = newcomer.make("lab")
    assert first.returncode == 0, first.stdout
    assert [line[:3] for line in first.stdout.splitlines()] == ["1/3", "2/3", "3/3", "ope"]
    second = newcomer.make("lab")
    assert second.stdout == "opened\n"
    assert not newcomer.called("pip")


def test_a_folder_that_was_moved_is_set_up_again_without_a_new_venv(newcomer: Newcomer) -> None:
    newcomer.make("lab")
    newcomer.folder = newcomer.folder.rename(newcomer.folder.with_name("elsewhere"))
    again = newcomer.make("lab", LEFT="1")  # a set-up that is there needs no room
    assert again.stdout.startswith("1/3 keeping .venv"), again.stdout
    assert newcomer.called("pip")
    assert not newcomer.called("venv --clear")


@pytest.mark.parametrize(
    ("arguments", "environment", "sentence"),
    [
        (["PYTHON=python9"], {}, "needs Python 3.11 or newer, and python9 is not there"),
        ([], {"VERSION": "3.9.1"}, "needs Python 3.11 or newer, and python3 is Python 3.9.1"),
        ([], {"VERSION": "3.9.1"}, "make lab PYTHON=python3.13"),
        ([], {"FAILS": "-m venv"}, "sudo apt install python3-venv"),
        ([], {"LEFT": "1048576"}, "and the disk of this folder has 1.0 GB left"),
        (["TORCH=cpu"], {"LEFT": "1048576"}, "The course needs 2 GB"),
        ([], {"FAILS": "install -r"}, "2/3 failed. Is there a network"),
        (["TORCH=cpu"], {"FAILS": "--index-url"}, "leave TORCH=cpu out"),
        ([], {"FAILS": "-e ."}, "3/3 failed. Try: make clean"),
    ],
)
def test_what_is_in_the_way_is_met_with_a_sentence(
    newcomer: Newcomer, arguments: list[str], environment: dict[str, str], sentence: str
) -> None:
    tried = newcomer.make("lab", *arguments, **environment)
    assert tried.returncode
    assert sentence in tried.stdout
    assert "opened" not in tried.stdout
    assert newcomer.make("lab").returncode == 0  # and once it is out of the way, the next try succeeds


def test_a_full_disk_is_told_before_anything_is_fetched(newcomer: Newcomer) -> None:
    newcomer.make("lab", LEFT="1048576")
    assert not newcomer.called("pip")
    assert not (newcomer.folder / ".venv").exists()


@pytest.mark.parametrize("free", ["", "much"])
def test_a_disk_that_cannot_be_asked_is_no_obstacle(newcomer: Newcomer, free: str) -> None:
    (newcomer.tools / "df").write_text(f"#!/bin/sh\necho {free}\n")
    assert newcomer.make("lab").returncode == 0
