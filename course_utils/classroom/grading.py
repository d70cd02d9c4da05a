"""Grade a class: each submission once, on one machine or many, and nothing lost when it is broken off."""

import functools
import hashlib
import json
import multiprocessing
import os
import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path

from tqdm import tqdm

from . import pages, sheets
from .judging import Judge
from .records import Release, Result, Submission, release_from, result_from, to_json, write_whole
from .sandbox import NoSandbox, Sandbox
from .submissions import read_submissions

RELEASE = "release.json"


def grade(
    release: Path,
    submissions: Path,
    out: Path,
    *,
    students: Path | None = None,
    workers: int = 1,
    scheduler: str | None = None,
    resume: bool = False,
    trust: bool = False,
    accepted: frozenset[str] = frozenset(),
) -> list[Result]:
    """Grade what came back, and write results, feedback and tables to ``out``.

    Args:
        release: the folder that ``release`` wrote.
        submissions: a folder or a zip file.
        students: a CSV with the columns id and name, where file names do not tell.
        workers: processes on this machine.
        scheduler: the address of a Dask scheduler, whose workers do it instead.
        resume: keep the results that ``out`` holds already, where the submission is still the same.
        trust: run answers without isolation.
        accepted: what a person has looked at and found harmless: "STUDENT:EXERCISE".

    Raises:
        ValueError: if there is no release, or nothing was handed in.
        NoSandbox: if answers cannot be isolated here.
    """
    made = read_release(release / "instructor")
    handed_in = read_submissions(submissions, made, students)
    digests = {submission.student.id: digest(made, submission, accepted) for submission in handed_in}
    write_whole(out / RELEASE, to_json(made))
    done = {result.student.id: result for result in read_results(out)} if resume else {}
    todo = [s for s in handed_in if s.student.id not in done or done[s.student.id].digest != digests[s.student.id]]

    how = functools.partial(grade_one, to_json(made), trust=trust, accepted=accepted)
    results = by_dask(scheduler, how, todo) if scheduler else by_processes(workers, how, todo)
    for result in tqdm(results, total=len(todo), desc="graded", disable=bool(os.environ.get("COURSE_QUIET"))):
        whole = replace(result, digest=digests[result.student.id])
        done[result.student.id] = whole
        write_whole(out / "results" / f"{file_name(whole.student.id)}.json", to_json(whole))
    results = [done[submission.student.id] for submission in handed_in]
    write_out(results, made, out)
    return results


def write_out(results: list[Result], release: Release, out: Path) -> None:
    """Write to ``out`` what follows from the results: a page for each student, tables, and all in one file."""
    for result in results:
        write_whole(out / "feedback" / f"{file_name(result.student.id)}.html", pages.feedback_page(result, release))
    write_whole(out / "moodle.csv", sheets.moodle_csv(results, release))
    write_whole(out / "canvas.csv", sheets.canvas_csv(results, release))
    write_whole(out / "results.json", sheets.results_json(results, release))


def report(graded: Path, anonymous: bool = False) -> Path:
    """Write the instructor's page on a class that was graded.

    Args:
        graded: the folder that ``grade`` wrote.
        anonymous: whether it names no student, and tables without names are written too.

    Returns:
        The page.

    Raises:
        ValueError: if nothing was graded there.
    """
    release, results = read_release(graded), read_results(graded)
    if not results:
        raise ValueError(f"{graded} holds no results: grade first")
    if anonymous:
        write_whole(graded / "anonymous" / "moodle.csv", sheets.moodle_csv(results, release, anonymous=True))
        write_whole(graded / "anonymous" / "canvas.csv", sheets.canvas_csv(results, release, anonymous=True))
        write_whole(graded / "anonymous" / "results.json", sheets.results_json(results, release, anonymous=True))
    page = graded / "anonymous" / "report.html" if anonymous else graded / "report.html"
    write_whole(page, pages.report_page(results, release, anonymous))
    return page


# --- One submission -------------------------------------------------------------------------------------------


@functools.lru_cache(maxsize=1)
def bench(release: str, trust: bool) -> tuple[Judge, Sandbox]:
    """What a process grades with, kept from one submission to the next; the release as JSON, trust as in ``grade``."""
    return Judge(release_from(release)), Sandbox(trust=trust)


one_at_a_time = threading.Lock()  # as random numbers and signals are the whole process's


def grade_one(
    release: str, submission: Submission, *, trust: bool = False, accepted: frozenset[str] = frozenset()
) -> Result:
    """Mark every exercise of one student. A fault of ours is a line in the result.

    Args:
        release: as JSON.
        submission: the student's.
        trust, accepted: as in ``grade``.

    Raises:
        NoSandbox: if answers cannot be isolated here.
    """
    result = Result(submission.student, [], submission.files, submission.notes)
    with one_at_a_time:
        judge, sandbox = bench(release, trust)
        try:
            for assigned in judge.release.exercises:
                looked_at = f"{submission.student.id}:{assigned.name}" in accepted
                result.marks.append(judge.mark(assigned, submission, sandbox, looked_at))
        except NoSandbox:
            raise
        except Exception as error:
            result.crashed = f"{type(error).__name__}: {error}"[:300]
    return result


# --- On one machine -------------------------------------------------------------------------------------------


def by_processes(workers: int, how: Callable[[Submission], Result], todo: list[Submission]) -> Iterator[Result]:
    """Do ``todo``, each as ``how`` does it, in so many workers, or processes; each result as soon as it is there.

    A process that dies takes nobody else's result with it.
    """
    own = threading.local()

    def in_process_of_this_thread(submission: Submission) -> Result:
        for _ in range(2):
            if not hasattr(own, "process"):
                own.process = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"))
            try:
                return own.process.submit(how, submission).result()
            except BrokenProcessPool:
                own.process.shutdown()
                del own.process
        return crashed(submission, "the grader's process died over it, twice")

    with ThreadPoolExecutor(workers) as threads:
        futures = [threads.submit(in_process_of_this_thread, submission) for submission in todo]
        try:
            yield from (future.result() for future in as_completed(futures))
        finally:
            for future in futures:
                future.cancel()


def crashed(submission: Submission, why: str) -> Result:
    """The result where grading a submission failed as a whole, and why."""
    return Result(submission.student, [], submission.files, submission.notes, crashed=why)


# --- On many --------------------------------------------------------------------------------------------------


def by_dask(address: str, how: Callable[[Submission], Result], todo: list[Submission]) -> Iterator[Result]:
    """Do ``todo``, each as ``how`` does it, on the workers of the Dask scheduler at an address; each result comes once.

    What a lost worker had is done by another. The scheduler and its workers are the instructor's: they get the release
    with its secret.
    """
    from distributed import Client
    from distributed import as_completed as completed

    with Client(address, set_as_default=False) as client:
        futures = {client.submit(how, submission, pure=False, retries=2): submission for submission in todo}
        for future in completed(futures, loop=client.loop):
            error = future.exception()
            if isinstance(error, NoSandbox):
                raise error
            why = f"{type(error).__name__}: {error}"[:300]
            yield future.result() if error is None else crashed(futures[future], why)


# --- Files ----------------------------------------------------------------------------------------------------


def digest(release: Release, submission: Submission, accepted: frozenset[str]) -> str:
    """The same as long as grading would give the same: the release, the submission, and what is accepted of it."""
    about = sorted(name for name in accepted if name.startswith(f"{submission.student.id}:"))
    parts = [to_json(replace(release, due=None)), submission.answers, submission.notes, about]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def file_name(student: str) -> str:
    """A student's id as a file name: two ids never share one."""
    plain = re.sub(r"[^A-Za-z0-9_-]+", "_", student)[:60]
    mark = hashlib.sha256(student.encode("utf-8", "replace")).hexdigest()[:8]
    return plain if plain and plain == student else f"{plain or 'nobody'}.{mark}"


def read_release(folder: Path) -> Release:
    """The release that a folder holds, with its secret.

    Raises:
        ValueError: if it holds none.
    """
    try:
        release = release_from((folder / RELEASE).read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{folder} holds no release ({type(error).__name__}): where was it written to?") from None
    if release.seed is None:
        raise ValueError(f"{folder / RELEASE} is the students' copy, without the secret: name the instructor's folder")
    return release


def read_results(out: Path) -> list[Result]:
    """The results that ``out`` holds, by student; what cannot be read is graded again."""
    results = []
    for path in sorted((out / "results").glob("*.json")):
        try:
            results.append(result_from(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError, KeyError):
            continue
    return sorted(results, key=lambda result: result.student.id)
