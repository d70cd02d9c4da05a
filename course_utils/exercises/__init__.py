"""What a learner types under an exercise: check, hint, solution, show, use and progress.

An exercise is declared as data in the module of its lesson (``lesson_00``, ``lesson_01``, ...): a reference, cases,
hints, and the mistakes people make. ``check`` compares an answer with the reference on the cases and says what it
found in words.
"""

import html
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor, nn

from . import (
    lesson_00,
    lesson_01,
    lesson_02,
    lesson_03,
    lesson_04,
    lesson_05,
    lesson_06,
    lesson_07,
    lesson_08,
    lesson_09,
    memory,
)
from .checking import Verdict, case_names, check_answer, describe, not_attempted, try_cases
from .exercise import Exercise, source_of

if TYPE_CHECKING:
    from ..plots import Picture

__all__ = ["EXERCISES", "check", "hint", "progress", "show", "solution", "source_of", "use"]

EXERCISES: dict[str, Exercise] = {
    exercise.name: exercise
    for lesson in (
        lesson_00,
        lesson_01,
        lesson_02,
        lesson_03,
        lesson_04,
        lesson_05,
        lesson_06,
        lesson_07,
        lesson_08,
        lesson_09,
    )
    for exercise in lesson.EXERCISES
}

_hints_given: Counter[str] = Counter()  # in this kernel


@dataclass(frozen=True)
class Note:
    """A few lines of text to read: plain in a terminal, set apart in a notebook."""

    text: str

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        return f"<pre style='border-left:4px solid;padding:2px 0 2px 10px'>{html.escape(self.text)}</pre>"


def check(answer: Callable, name: str | None = None) -> Verdict:
    """Is this function, or class, a right answer to the exercise of its name?

    Args:
        answer: the function or class itself, without brackets.
        name: of the exercise, where the function bears another name.

    Returns:
        A verdict: *not attempted*, what failed and why, or passed; ``.passed`` says it as a bool.
    """
    if not callable(answer):
        what = "what it returned" if isinstance(answer, Tensor | int | float) else f"a {type(answer).__name__}"
        return Verdict("check", "failed", f"it needs the function itself, not {what}: check(name), without brackets")
    name = name or getattr(answer, "__name__", type(answer).__name__)
    if isinstance(answer, nn.Module):
        return Verdict("check", "failed", f"it needs the class itself, not one that was built: check({name})")
    if name not in EXERCISES:
        return Verdict("check", "failed", f"no exercise is called {name}; name it: check(answer, name='output_size')")
    verdict = check_answer(answer, EXERCISES[name])
    if verdict.passed:
        memory.remember(name)
    return verdict


def hint(exercise: str | Callable) -> Note:
    """The next hint for an exercise, one step at each call.

    Raises:
        ValueError: if there is no such exercise.
    """
    chosen = _find(exercise)
    step = min(_hints_given[chosen.name], len(chosen.hints) - 1)
    _hints_given[chosen.name] += 1
    last = f"\nThat was the last one; solution({chosen.name}) shows ours (not in a copy that is graded)."
    after = "" if step + 1 < len(chosen.hints) else last
    return Note(f"Hint {step + 1} of {len(chosen.hints)}: {chosen.hints[step]}{after}")


def solution(exercise: str | Callable) -> Note:
    """Our answer to an exercise.

    Raises:
        ValueError: if there is no such exercise.
    """
    chosen = _find(exercise)
    return Note(source_of(chosen.reference, chosen.name).rstrip())


def use(answer: Callable) -> Callable:
    """The reader's own answer once it is right, and ours until then, for a cell that only shows something.

    Raises:
        ValueError: if there is no exercise of that name.
    """
    chosen = _find(answer)
    if check_answer(answer, chosen).passed:
        print(f"with your {chosen.name}")
        return answer
    print(f"with our {chosen.name}, until yours passes")
    return chosen.reference


def show(answer: Callable) -> "Picture | Verdict | Note":
    """What an answer does on the first case it gets wrong (or the first of all) beside what it should do.

    Returns:
        A figure where both results are arrays of numbers, else a line for each case; *not attempted* for a stub.

    Raises:
        ValueError: if there is no exercise of that name.
    """
    chosen = _find(answer)
    if not_attempted(answer, chosen):
        return check_answer(answer, chosen)
    tries = try_cases(answer, chosen, chosen.named_cases())
    worst = next((t for t in tries if t.wrong), tries[0])
    expected, came = worst.expected.value, worst.came.value
    if isinstance(expected, Tensor) and isinstance(came, Tensor) and came.numel() and not came.is_complex():
        from .. import plots

        return plots.beside(expected, came, worst.case.name)
    names = case_names(chosen)
    return Note("\n".join(f"{t.case.name}: {describe(t.case, names)}\n  {t.wrong or 'right'}" for t in tries))


def progress() -> Note:
    """Which exercises are done, a line for each lesson."""
    done, lines = memory.done(), []
    for lesson in dict.fromkeys(exercise.lesson for exercise in EXERCISES.values()):
        here = [exercise for exercise in EXERCISES.values() if exercise.lesson == lesson]
        marks = "  ".join(f"{'✓' if e.name in done else '○'} {e.name}{'*' if e.optional else ''}" for e in here)
        lines.append(f"{lesson}: {sum(e.name in done for e in here)} of {len(here)}\n  {marks}")
    return Note("\n".join([*lines, "(* optional)"]))


def _find(exercise: str | Callable) -> Exercise:
    name = exercise if isinstance(exercise, str) else getattr(exercise, "__name__", "?")
    if name not in EXERCISES:
        raise ValueError(f"exercise: none is called {name!r}; there are {', '.join(EXERCISES)}")
    return EXERCISES[name]
