"""What runs beside an answer: a nursery that has only imported, and a process forked from it for each exercise.

``sandbox`` starts it inside bubblewrap as ``python -m course_utils.classroom.harness`` and speaks with it over standard
input and output, in frames: a length, then bytes. No process here ever holds an expected answer: references, known
mistakes and the course's own block of what is asked are taken out of memory before an answer is read.
"""

import contextlib
import functools
import importlib
import json
import linecache
import os
import pkgutil
import resource
import select
import signal
import struct
import sys
import time
from collections.abc import Callable, Iterable
from types import FunctionType, ModuleType
from typing import BinaryIO

import torch

import course_utils

from .. import exercises
from ..exercises import checking, running
from ..exercises.exercise import Case, Draw, Exercise, functions_of
from . import border, confine

FRAME = struct.Struct(">I")
MOST_STREAM = 64 * 2**20  # bytes that the outcomes of one exercise may take
NOT_NEEDED = {"classroom", "environment", "first_cell", "lessons", "plots", "sketch", "widgets"}


# --- Frames ---------------------------------------------------------------------------------------------------


def send(stream: BinaryIO, data: bytes) -> None:
    """Write data to a stream as one frame."""
    confine.write_all(stream.fileno(), FRAME.pack(len(data)) + data)


def receive(stream: BinaryIO) -> bytes | None:
    """The next frame of a stream without buffer; None where it has ended."""
    data, wanted = b"", FRAME.size
    while len(data) < wanted:
        chunk = stream.read(wanted - len(data))
        if not chunk:
            return None
        data += chunk
        if len(data) == wanted == FRAME.size:
            wanted += FRAME.unpack(data)[0]
    return data[FRAME.size :]


# --- Taken out of memory --------------------------------------------------------------------------------------


def gone():
    """Stands in the place of what was taken out."""
    raise NotImplementedError("this part of the course is not there while an answer is graded")


def take_out(things: Iterable[object]) -> None:
    """Leave of things, functions and classes, what can be seen from outside, and nothing of what they do."""
    parts = ("code", "consts", "names", "stacksize", "linetable", "exceptiontable")
    empty = {f"co_{part}": getattr(gone.__code__, f"co_{part}") for part in parts}
    for thing in things:
        for function in functions_of(thing):
            if function.__code__.co_code != gone.__code__.co_code:
                function.__code__ = function.__code__.replace(**empty)


def answers_of(exercise: Exercise) -> list[Callable]:
    """Everything about an exercise that tells how it is, or is not, done."""
    others = [exercise.judge, exercise.fault]
    return [exercise.reference, *(m.function for m in exercise.mistakes), *filter(None, others)]


def own_blocks(exercise: Exercise) -> list[object]:
    """The course's own blocks of what is asked: those an answer is not allowed to call, and any of the same name."""
    found = []
    for name in exercise.not_allowed:
        if name.startswith("course_utils."):
            thing = running.resolve(name)
            found += members(thing) if isinstance(thing, ModuleType) else [thing]
    for module in course_modules():
        found += [thing for thing in members(module) if thing.__name__ == exercise.name]
    return found


def members(module: ModuleType) -> list[FunctionType | type]:
    """What a module of the course defines."""
    return [
        thing
        for thing in vars(module).values()
        if isinstance(thing, FunctionType | type) and thing.__module__ == module.__name__
    ]


def course_modules() -> list[ModuleType]:
    """Those of floors 1 and 2, imported if they are not yet."""
    names = {module.name for module in pkgutil.iter_modules(course_utils.__path__)} - NOT_NEEDED - {"exercises"}
    return [importlib.import_module(f"course_utils.{name}") for name in sorted(names)]


def without_hurry(reference: Callable, exercise: Exercise, case: Case) -> running.Outcome:
    """What a reference does on a case. On its first run PyTorch may import more, which must not be broken off."""
    kept, running.SECONDS = running.SECONDS, 600.0
    try:
        return checking.outcome_of(reference, exercise, case)
    finally:
        running.SECONDS = kept


# --- In the answer's process ----------------------------------------------------------------------------------


def cases_of(exercise: Exercise, job: dict) -> list[Case]:
    """The named cases with contents of their own, and the drawn ones: the grader draws the same by the job's seeds."""
    named = exercise.cases(Draw(job["named_seed"]))
    return named + [Case("drawn inputs", *exercise.drawn(Draw(seed))) for seed in job["drawn_seeds"]]


def answer_in(job: dict) -> object:
    """Execute the answer cells of a job, the one that counts last, and return what it defines."""
    space: dict = {"__name__": "__main__"}
    for line in job["imports"]:
        with contextlib.suppress(ImportError):
            exec(line, space)
    for name, source in job["cells"]:
        file = f"<answer {name}>"
        linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
        # What goes wrong in another cell shows here only where this one needs it.
        forgiven = () if name == job["exercise"] else (Exception, running.TimeLimit)
        with contextlib.suppress(*forgiven), running.time_limit(running.SECONDS):
            exec(compile(source, file, "exec"), space)
    return space[job["exercise"]]


def try_answer(job: dict, send_on: Callable[[bytes], None]) -> None:
    """Try a job's answer on every case, and ``send_on`` each outcome before the next case begins.

    If it cannot be called with what a case gives, there is one outcome, a TypeError.
    """
    exercise = exercises.EXERCISES[job["exercise"]]
    names, argument_names = checking.case_names(exercise), checking.argument_names(exercise)
    cases = cases_of(exercise, job)  # first, as some are made with the answer to another exercise
    for other in exercises.EXERCISES.values():
        take_out(answers_of(other))
    take_out(own_blocks(exercise))
    linecache.clearcache()  # a warning may have brought in the text of a whole module
    try:
        answer = answer_in(job)
        if complaint := running.misfit(answer, argument_names):
            raise TypeError(complaint)
    except BaseException as error:
        send_on(border.encode(running.Outcome(error=error), []))
        return
    trial = answer if exercise.trial is None else functools.partial(exercise.trial, answer)

    def settled(*given: object) -> object:
        return border.settled(trial(*given))

    for case in cases:
        forbidden = running.Forbidden(exercise.not_allowed)
        outcome = running.run(settled, case, names, gradients=exercise.gradients, not_allowed=forbidden)
        if outcome.error is not None:
            outcome.line = running.own_line(answer, outcome.error)
        try:
            data = border.encode(outcome, case.arguments)
        except Exception as error:
            data = border.encode(running.Outcome(error=ValueError(str(error))), [])
        send_on(data)
        if isinstance(outcome.error, running.TimeLimit):
            return


def live(job: dict, pipe: int) -> None:
    """The whole life of an answer's process: confined, its job done, outcomes written to a pipe. Never returns."""
    try:
        os.setsid()  # in no group with the nursery
        confine.close_all_but(pipe)
        if job["confined"]:
            confine.confine(job["uid"], job["scratch"], job["covered"])
        if job["exercise"] is None:  # the sandbox only asks whether it works
            confine.write_all(pipe, b"it works")
        else:
            try_answer(job, lambda data: confine.write_all(pipe, data))
    except Exception as error:  # a fault of ours: never an outcome, so that nobody takes it for one
        confine.write_all(pipe, f"{type(error).__name__}: {error}".encode())
    finally:
        os._exit(0)


# --- The nursery ----------------------------------------------------------------------------------------------


def raise_one(job: dict) -> bytes:
    """Fork a process for a job and collect what it sends, bounded in time and size: how it ended, then the stream."""
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        live(job, theirs)
    os.close(theirs)
    deadline, chunks, size, ended = time.monotonic() + job["seconds"], [], 0, "by itself"
    while True:
        left = deadline - time.monotonic()
        if left <= 0 or size > MOST_STREAM:
            ended = "time" if left <= 0 else "size"
            break
        if select.select([ours], [], [], left)[0]:
            chunks.append(os.read(ours, 2**20))
            size += len(chunks[-1])
            if not chunks[-1]:
                break
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)
    if os.waitpid(child, 0)[1] and ended == "by itself":
        ended = "crash"
    return b"\n".join((ended.encode(), b"".join(chunks)))


def warm_up() -> None:
    """Import what answers need, so that no process has to: some of it PyTorch imports only when it is used first.

    Raises:
        RuntimeError: if that has started a thread: what is forked would hang.
    """
    course_modules()
    for often in ("matplotlib.pyplot", "scipy.linalg", "scipy.special"):
        importlib.import_module(often)
    for exercise in exercises.EXERCISES.values():
        running.Forbidden(exercise.not_allowed)  # looks up what its names stand for
        border.encode(without_hurry(exercise.reference, exercise, exercise.named_cases()[0]), [])
    if os.path.isdir("/proc/self/task") and len(os.listdir("/proc/self/task")) > 1:
        raise RuntimeError("the nursery has more than one thread: what it forks would hang")


def main() -> None:
    """Serve jobs until standard input ends.

    A process of its own reads each job and collects what comes of it: what one student has sent must not be left
    in memory which the next student's process starts with.
    """
    jobs, reports = os.fdopen(os.dup(0), "rb", buffering=0), os.fdopen(os.dup(1), "wb", buffering=0)
    for stream in (0, 1):  # what answers print must not be taken for a report
        os.dup2(os.open(os.devnull, os.O_RDWR), stream)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    torch.set_num_threads(1)
    warm_up()
    send(reports, b"ready")
    while True:
        select.select([jobs], [], [])
        warden = os.fork()
        if warden == 0:
            frame = receive(jobs)
            if frame is not None:
                send(reports, raise_one(json.loads(frame)))
            os._exit(frame is None)
        if os.waitpid(warden, 0)[1]:
            return


if __name__ == "__main__":
    sys.exit(main())
