"""Run one student's server as that student and within limits, and end whatever they started when it ends.

Started as root by ``spawner.py``. What runs on as root does no more than wait: the server, and all that touches the
student's files, is a child that has given up root for good.
"""

import argparse
import ctypes
import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from course_utils.classroom.records import write_whole

PATIENCE = 10  # seconds for a server to save and end, once it was asked to
SIGNALS = {signal.SIGTERM, signal.SIGINT, signal.SIGCHLD}
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 1, 36, 38  # from linux/prctl.h


def prctl(option: int, value: int) -> None:
    """Give an option of how Linux treats this process a value.

    Raises:
        OSError: if Linux does not.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, *map(ctypes.c_ulong, (value, 0, 0, 0))):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def become(uid: int) -> None:
    """Give up root for the user id ``uid``, for good."""
    os.setgroups([])
    os.setgid(uid)
    os.setuid(uid)


def limit(memory: int, cpu_seconds: int, processes: int) -> None:
    """Set what this process and its children may use; the hard limits too, so that none of them can raise it.

    Linux counts memory (bytes) and ``cpu_seconds`` for each process, and processes for each user id.
    """
    # DATA and not AS: what PyTorch maps of its libraries is many gigabytes of addresses, and hardly any memory
    for what, value in (
        (resource.RLIMIT_DATA, memory),
        (resource.RLIMIT_CPU, cpu_seconds),
        (resource.RLIMIT_NPROC, processes),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(what, (value, value))


def hand_out(lessons: Path, to: Path) -> None:
    """Copy the files of lessons that are not there yet to a folder. What a student has is never touched."""
    to.mkdir(exist_ok=True)
    for file in sorted(lessons.iterdir()):
        copy = to / file.name
        if file.is_file() and not os.path.lexists(copy):
            write_whole(copy, file.read_bytes())
            if file.suffix == ".ipynb":  # signed, as Jupyter shows no widget in a notebook that nobody trusts
                from nbformat import read
                from nbformat.sign import NotebookNotary

                NotebookNotary().sign(read(copy, as_version=4))


def serve(given: argparse.Namespace) -> None:
    """Become the student, and then their server, as given on the command line."""
    limit(given.memory, given.cpu_seconds, given.processes)
    become(given.uid)
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # now, as it is forgotten when a process changes its user id
    prctl(PR_SET_NO_NEW_PRIVS, 1)  # no sudo, no su: nobody becomes somebody else from here
    os.umask(0o077)
    os.chdir(given.home)
    # the hub's terminal is the instructor's, and no student's to read
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    log = os.open(".server.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    try:
        hand_out(given.lessons, Path("lessons"))
    except OSError as error:
        print(f"The lessons could not be copied: {error}", file=sys.stderr, flush=True)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    os.execv(given.command[0], given.command)


def keep(server: int) -> int:
    """Wait until the server ends, which a signal asks it to. Returns its exit code, as ``sys.exit`` takes it."""
    until = float("inf")
    while (left := min(until - time.monotonic(), 3600)) > 0:
        came = signal.sigtimedwait(SIGNALS, left)
        if came and came.si_signo != signal.SIGCHLD:
            os.kill(server, signal.SIGTERM)
            until = min(until, time.monotonic() + PATIENCE)
        for pid, status in _ended():
            if pid == server:
                return os.waitstatus_to_exitcode(status) & 0xFF
    return 1


def _ended() -> Iterator[tuple[int, int]]:
    """The children that have ended since the last call, and how."""
    while (one := os.waitpid(-1, os.WNOHANG))[0]:
        yield one


def end_all(uid: int) -> None:
    """End every process of the user id ``uid``, however it was started, and wait until they are gone."""
    if not os.fork():
        try:
            become(uid)
            if 0 not in os.getresuid():  # for root, -1 is every process of the machine
                os.kill(-1, signal.SIGKILL)  # all that this user may signal, at once: no fork escapes
        finally:
            os._exit(0)
    with suppress(ChildProcessError):  # none is left
        while True:
            os.wait()


def main() -> int:
    """What the command line says; see ``spawner.py``, which writes it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    for name, kind in (("uid", int), ("home", Path), ("lessons", Path)):
        parser.add_argument(f"--{name}", type=kind, required=True)
    for name in ("memory", "cpu-seconds", "processes"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("command", nargs="+")
    given = parser.parse_args()
    if given.uid <= 0:
        parser.error("no server runs as root")

    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # they wait until keep() asks for them
    prctl(PR_SET_CHILD_SUBREAPER, 1)  # processes that lost their parent come here, and can be waited for
    prctl(PR_SET_PDEATHSIG, signal.SIGTERM)  # the hub ended, however it did
    server = os.fork()
    if not server:
        try:
            serve(given)
        except Exception:
            traceback.print_exc()
        finally:
            os._exit(1)
    try:
        return keep(server)
    finally:
        end_all(given.uid)


if __name__ == "__main__":
    sys.exit(main())
