"""Turn what an answer's process sent back into a mark. Expected answers live here, and only here."""

import ast
import hashlib
import hmac
import math
from collections.abc import Callable
from functools import cache, lru_cache

from ..exercises import EXERCISES, checking, running
from ..exercises.checking import Try
from ..exercises.exercise import Case, Exercise
from ..exercises.running import Outcome, TimeLimit
from ..lessons import find
from . import answers, border, harness
from .records import Assigned, CaseMark, Flag, Mark, Release, Submission
from .sandbox import Sandbox, Tried

DRAWN = 20


class Stopped(Exception):
    """An answer's process ended before it had answered."""


WHY = {
    "by itself": "its process ended before it had answered",
    "crash": "its process crashed, or took more memory, time or files than it was allowed",
    "time": "it did not come to an end",
    "size": "it sent back more than anybody asked for",
}


def drawn_seed(release: Release, exercise: str, number: int) -> int:
    """What an exercise's case of that number is drawn from: it tells nothing of the secret, nor of other cases."""
    key = (release.seed or 0).to_bytes(8, "big")
    return int.from_bytes(hmac.digest(key, f"{exercise} {number}".encode(), hashlib.sha256)[:7], "big")


def earned(points: float, named: float, drawn: float) -> float:
    """What of the points an answer gets that is right on these shares of its named and drawn cases, to the hundredth.

    The smaller share counts, so that nothing is got by heart; half of the cases right earns nothing, as some number
    that never changes may be, and from there it grows evenly to all. Hundredths are rounded down.
    """
    return math.floor(round(100 * points * max(0.0, 2 * min(named, drawn) - 1), 6)) / 100


class Judge:
    """Marks answers for one release. Keeps what is the same for all students: cases, right results, known mistakes."""

    def __init__(self, release: Release):
        self.release = release
        self.right = lru_cache(maxsize=None)(harness.without_hurry)  # by function, exercise and case
        self.done = lru_cache(maxsize=None)(checking.outcome_of)  # the same, of known mistakes
        self.cases = cache(self._cases)

    def mark(self, assigned: Assigned, submission: Submission, sandbox: Sandbox, accepted: bool = False) -> Mark:
        """Mark one exercise of one student.

        Args:
            accepted: whether a human has looked at what the answer reaches for.
        """
        exercise = EXERCISES[assigned.name]
        mark = Mark(assigned.name, assigned.lesson, assigned.points, 0.0, "missing", "there is no such cell")
        if assigned.name not in submission.answers:
            return mark
        mark.source = submission.answers[assigned.name]
        beside = answers.needed(assigned.name, submission.answers)
        seen = answers.look_at(mark.source, exercise, [submission.answers[name] for name in beside])
        mark.fingerprint = seen.fingerprint
        if not seen.attempted:
            mark.state, mark.headline = "not attempted", "not attempted"
            return mark
        if seen.problem is not None:
            mark.state, mark.headline = "failed", seen.problem
            return mark
        self._try(mark, exercise, submission, sandbox)
        if seen.fingerprint and seen.fingerprint in ours(assigned.name):
            mark.flags.append(Flag("twin", "It is the course's own answer, but for names, comments and layout."))
        if seen.reaches:
            what = ", ".join(seen.reaches)[:300]
            mark.flags.append(Flag("reaches", f"It reaches for what an answer has no need of: {what}"))
            if not accepted and mark.earned:
                mark.state = "held"
                mark.headline = f"held until a person has looked at it; as it is, {mark.earned:g} of {mark.points:g}"
                mark.earned = 0.0
        return mark

    def job(self, exercise: Exercise, submission: Submission) -> dict:
        """What the sandbox needs to try an answer: its cells, and what its cases are drawn from."""
        cells = [*answers.needed(exercise.name, submission.answers), exercise.name]
        return {
            "exercise": exercise.name,
            "imports": imports_of(exercise.lesson),
            "cells": [(name, answers.without_magics(submission.answers[name])) for name in cells],
            "named_seed": drawn_seed(self.release, exercise.name, 0),
            "drawn_seeds": [drawn_seed(self.release, exercise.name, number) for number in range(1, DRAWN + 1)],
        }

    def expected(self, exercise: Exercise, case: Case) -> Outcome:
        """What is right.

        Raises:
            RuntimeError: if the course's own answer fails.
        """
        outcome = self.right(exercise.reference, exercise, case)
        if outcome.error is not None:
            raise RuntimeError(f"the course's own answer to {exercise.name} fails: {outcome.error!r}")
        return outcome

    def _cases(self, name: str) -> list[Case]:
        nothing = Submission(student=None, answers={name: ""})
        return harness.cases_of(EXERCISES[name], self.job(EXERCISES[name], nothing))

    def _try(self, mark: Mark, exercise: Exercise, submission: Submission, sandbox: Sandbox) -> None:
        cases = self.cases(exercise.name)
        tried = sandbox.try_answer(self.job(exercise, submission))
        tries = self.tries(exercise, cases, tried)
        count = len(cases) - DRAWN
        named, drawn = tries[:count], tries[count:]
        verdict = checking.verdict_of(exercise, named, drawn, self.done)

        mark.state, mark.headline, mark.details = verdict.state, verdict.headline, list(verdict.details)
        sentences = {mistake.sentence for mistake in exercise.mistakes}
        mark.sentence = next((line for line in verdict.details if line in sentences), None)
        mark.line = next((t.came.line for t in tries if t.wrong is not None), None)
        mark.timed_out = any(isinstance(t.came.error, TimeLimit) for t in tries) or tried.ended == "time"
        names = checking.case_names(exercise)
        mark.cases = [CaseMark(t.case.name, checking.describe(t.case, names), t.wrong) for t in named]
        mark.drawn, mark.drawn_right = DRAWN, sum(t.wrong is None for t in drawn)
        mark.earned = earned(mark.points, sum(t.wrong is None for t in named) / count, mark.drawn_right / DRAWN)

    def tries(self, exercise: Exercise, cases: list[Case], tried: Tried) -> list[Try]:
        """What came of cases, beside what was expected; after a process that ended too soon, one try that says so.

        Where a process did not end by itself, or has sent more than it was asked for, nothing counts: an answer that
        computes does neither.
        """
        ended = "size" if len(tried.outcomes) > len(cases) else tried.ended
        if ended != "by itself":
            return [self._compare(exercise, cases[0], Outcome(error=Stopped(WHY[ended])))]
        tries = []
        for case, data in zip(cases, tried.outcomes, strict=False):
            try:
                came = border.decode(data, list(case.arguments))
            except border.Unreadable as error:
                came = Outcome(error=error)
            tries.append(self._compare(exercise, case, came))
            if isinstance(came.error, TimeLimit):
                return tries
        if len(tries) < len(cases) and not (tries and tries[-1].came.error):
            tries.append(self._compare(exercise, cases[len(tries)], Outcome(error=Stopped(WHY[ended]))))
        return tries

    def _compare(self, exercise: Exercise, case: Case, came: Outcome) -> Try:
        """Within bounds, as what came may be made so that looking at it never ends."""
        expected = self.expected(exercise, case)
        try:
            with running.memory_limit(running.MEMORY), running.time_limit(running.SECONDS):
                came = checking.judged(came, exercise, case)
                wrong = checking.wrong_with(exercise, case, expected, came)
        except (Exception, TimeLimit) as error:
            wrong = f"what came back cannot be compared ({type(error).__name__})"
        return Try(case, expected, came, wrong)


@cache
def imports_of(lesson: str) -> list[str]:
    """What a reader of that lesson has imported before the first exercise, a line for each name."""
    import nbformat

    lines = []
    for cell in nbformat.read(find(lesson), as_version=4).cells:
        if "setup" not in cell.metadata.get("tags", ()) or cell.id == "first-cell":
            continue
        for node in ast.parse(cell.source).body:
            if isinstance(node, ast.Import | ast.ImportFrom) and "exercises" not in ast.unparse(node):
                lines += [ast.unparse(_only(node, alias)) for alias in node.names]
    return lines


def _only(node: ast.Import | ast.ImportFrom, alias: ast.alias) -> ast.stmt:
    if isinstance(node, ast.Import):
        return ast.Import([alias])
    return ast.ImportFrom(node.module, [alias], node.level)


@cache
def ours(name: str) -> set[str]:
    """The fingerprints of the reference of that name and of the course's own blocks."""
    exercise = EXERCISES[name]
    things: list[Callable] = [exercise.reference, *harness.own_blocks(exercise)]
    return {answers.fingerprint_of_ours(thing) for thing in things} - {""}
