"""A place where an answer can do no harm: bubblewrap, and in it the nursery that forks a process for each answer."""

import contextlib
import json
import os
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import course_utils

from . import border, confine, harness

SECONDS = 40.0  # for all cases of an exercise; one case has ``running.SECONDS``
START_SECONDS = 120.0
FIRST_UID = 61_000  # for answers, where the grader is root: nobody's, and another for each sandbox that runs beside it
MOST_SANDBOXES = 1_000
COURSE, SCRATCH = "/course", "/scratch"
ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "PYTHONPATH": COURSE,
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONHASHSEED": "0",
    "LANG": "C.UTF-8",
    "TMPDIR": SCRATCH,
    "MPLBACKEND": "Agg",
    "MPLCONFIGDIR": SCRATCH,
    **confine.ONE_THREAD,  # what forks must not have started threads
}


class NoSandbox(RuntimeError):
    """Answers cannot be isolated here; the message says what to do."""


@dataclass(frozen=True)
class Tried:
    """What came of an answer: the outcomes that were sent, and how its process ended."""

    outcomes: list[bytes]
    ended: str  # "by itself", "crash", "time" or "size"


class Sandbox:
    """Tries answers, one at a time, each in a process of its own.

    Args:
        trust: run answers without any isolation, in the grader's account. Only for answers that you have read.

    Raises:
        NoSandbox: if there is no bubblewrap, or it is not allowed to do its work.
    """

    def __init__(self, trust: bool = False):
        if not trust and (sys.platform != "linux" or not shutil.which("bwrap")):
            raise NoSandbox(
                "Answers are graded in isolation, by bubblewrap, which is not here. On Debian and Ubuntu: "
                "apt-get install bubblewrap. Elsewhere only --trust is left: it runs what students wrote as you."
            )
        self.trust = trust
        self.claim, self.uid = claimed_uid() if not trust and os.geteuid() == 0 else (None, None)
        self.nursery: subprocess.Popen | None = None

    def __enter__(self) -> "Sandbox":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """End the nursery and all that it started. What is tried after that starts another."""
        if self.nursery is not None:
            self.nursery.kill()
            self.nursery.stdin.close()
            self.nursery.stdout.close()
            self.nursery.wait()
            self.nursery = None

    def try_answer(self, job: dict) -> Tried:
        """Try an answer on its cases. What does not end in time is tried once more, in a nursery that starts anew.

        Args:
            job: what ``harness.try_answer`` reads.
        """
        tried = self._once(job)
        if tried is None or tried.ended == "time":
            self.close()
            tried = self._once(job)
        return tried or Tried([], "time")

    def _once(self, job: dict) -> Tried | None:
        """None if the nursery itself has gone."""
        if self.nursery is None or self.nursery.poll() is not None:
            self._start()
        frame = self._ask(job)
        if frame is None:
            self.close()
            return None
        ended, _, stream = frame.partition(b"\n")
        return Tried(border.split(stream), ended.decode())

    def _ask(self, job: dict) -> bytes | None:
        """What the nursery reports on a job; None if it does not."""
        confined = {"confined": not self.trust, "uid": self.uid, "scratch": SCRATCH, "covered": covered()}
        try:
            harness.send(self.nursery.stdin, json.dumps({**job, **confined, "seconds": SECONDS}).encode())
        except BrokenPipeError:
            return None
        return self._answer(SECONDS + 20)

    def _start(self) -> None:
        self.close()
        with tempfile.TemporaryFile() as said:
            self.nursery = subprocess.Popen(
                self._command(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=said,
                bufsize=0,
                env={**os.environ, **confine.ONE_THREAD},
                cwd=tempfile.gettempdir(),
            )
            if self._answer(START_SECONDS) != b"ready":
                self.close()
                said.seek(0)
                words = said.read().decode(errors="replace").strip().splitlines()
                raise NoSandbox(f"The sandbox did not start: {words[-1] if words else 'it said nothing'}")
        _, _, words = (self._ask({"exercise": None}) or b"").partition(b"\n")
        if words != b"it works":
            self.close()
            raise NoSandbox(f"The sandbox cannot shut a process in: {words.decode(errors='replace') or 'it ended'}")

    def _answer(self, seconds: float) -> bytes | None:
        """The nursery's next frame; None if none comes in time."""
        output, data, wanted = self.nursery.stdout, bytearray(), harness.FRAME.size
        deadline = time.monotonic() + seconds
        while len(data) < wanted:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([output], [], [], left)[0]:
                return None
            chunk = os.read(output.fileno(), min(wanted - len(data), 2**20))
            if not chunk:
                return None
            data += chunk
            if len(data) == harness.FRAME.size == wanted:
                wanted += min(harness.FRAME.unpack(data)[0], 2 * harness.MOST_STREAM)
        return bytes(data[harness.FRAME.size :])

    def _command(self) -> list[str]:
        run = [sys.executable, "-m", "course_utils.classroom.harness"]
        return run if self.trust else [*bubblewrap(), *run]


def claimed_uid() -> tuple[socket.socket, int]:
    """A user id for answers that no other sandbox of this machine has now, and what it is held by.

    Raises:
        NoSandbox: if there is none left.
    """
    for uid in range(FIRST_UID, FIRST_UID + MOST_SANDBOXES):
        claim = socket.socket(socket.AF_UNIX)
        with contextlib.suppress(OSError):
            claim.bind(f"\0vision-course-{uid}")  # a name in the kernel alone, which goes with the process
            return claim, uid
        claim.close()
    raise NoSandbox(f"{MOST_SANDBOXES} sandboxes run on this machine already")


def bubblewrap() -> list[str]:
    """The beginning of a command that runs the rest with a read-only view of Python and the course, and no network."""
    command = ["bwrap", "--die-with-parent", "--new-session", "--clearenv"]
    command += [f"--unshare-{what}" for what in ("pid", "net", "ipc", "uts", "cgroup-try")]
    if os.geteuid() != 0:
        command += ["--unshare-user"]
    command += [part for name, value in ENVIRONMENT.items() for part in ("--setenv", name, value)]
    course = Path(course_utils.__file__).parent
    seen = {Path("/usr"): "/usr", Path(COURSE, "course_utils"): course} | {folder: folder for folder in of_python()}
    for place, folder in seen.items():
        for above in [*reversed(place.parents)][1:]:  # bubblewrap's own are closed to everybody but root
            command += ["--perms", "0755", "--dir", str(above)]
        command += ["--ro-bind", str(folder), str(place)]
    for folder in ("/bin", "/lib", "/lib64", "/sbin"):
        if os.path.islink(folder):
            command += ["--symlink", os.readlink(folder), folder]
        else:
            command += ["--ro-bind-try", folder, folder]
    for file in ("/etc/ld.so.cache", "/etc/alternatives"):
        command += ["--ro-bind-try", file, file]
    command += ["--tmpfs", SCRATCH, "--dev", "/dev", "--remount-ro", "/dev", "--proc", "/proc"]
    return [*command, "--remount-ro", "/", "--chdir", "/"]


def covered() -> list[str]:
    """What an answer must not see: the course's source, once it is imported, and processes."""
    course = Path(course_utils.__file__).resolve().parent
    installed = [course] if any(course.is_relative_to(folder) for folder in ("/usr", *of_python())) else []
    return [COURSE, "/proc", *map(str, installed)]


def of_python() -> list[Path]:
    """The folders that this Python and its packages lie in, if not below /usr."""
    folders = dict.fromkeys(Path(prefix).resolve() for prefix in (sys.prefix, sys.base_prefix))
    return [folder for folder in folders if not folder.is_relative_to("/usr")]
