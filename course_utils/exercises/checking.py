"""Check an answer: not attempted, what failed and why, or passed."""

import ast
import html
import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from torch import Tensor

from .. import palette
from .comparing import as_number, difference, same, say_error, text_of
from .exercise import Case, Exercise, body_of
from .running import Forbidden, Outcome, TimeLimit, misfit, own_line, run

MARKS = {"passed": "✓", "failed": "✗", "not attempted": "○"}
COLOURS = {"passed": palette.GREEN, "failed": palette.RED, "not attempted": palette.GREY}
STILL_STANDS = "The line `raise NotImplementedError` still stands in your answer: take it out."
CALLS_A_STUB = "Your answer calls a function that is still blank (`raise NotImplementedError`): write that one first."
SUPER_INIT = ast.dump(ast.parse("super().__init__()").body[0])  # stands in the stub of a class


@dataclass(frozen=True)
class Verdict:
    """What ``check`` found: text in a terminal, a coloured note in a notebook."""

    name: str  # of the exercise
    state: str  # "passed", "failed" or "not attempted"
    headline: str  # what stands beside the name
    details: tuple[str, ...] = ()  # lines below it

    @property
    def passed(self) -> bool:
        """Whether the answer is right."""
        return self.state == "passed"

    def __repr__(self) -> str:
        return "\n  ".join((f"{MARKS[self.state]} {self.name}: {self.headline}", *self.details))

    def _repr_html_(self) -> str:
        lines = "".join(f"<div style='margin-left:1.2em'>{html.escape(line)}</div>" for line in self.details)
        return (
            f"<div style='border-left:4px solid {COLOURS[self.state]};padding:2px 0 2px 10px'>"
            f"<b>{MARKS[self.state]} {html.escape(self.name)}</b>: {html.escape(self.headline)}{lines}</div>"
        )


@dataclass(frozen=True)
class Try:
    """One case, what was expected, what came, and what is wrong with that in words (None if nothing is)."""

    case: Case
    expected: Outcome
    came: Outcome
    wrong: str | None


def check_answer(answer: Callable, exercise: Exercise) -> Verdict:
    """Try ``answer`` on the named cases, then on drawn ones, and recognise the mistake if it is a known one."""
    name, minutes = exercise.name, exercise.minutes
    if not_attempted(answer, exercise):
        return Verdict(name, "not attempted", f"not attempted yet (about {minutes} minutes)")
    if complaint := misfit(answer, argument_names(exercise)):
        return Verdict(name, "failed", complaint)
    named = try_cases(answer, exercise, exercise.named_cases())
    drawn = [] if any(t.wrong for t in named) else try_cases(answer, exercise, exercise.drawn_cases())
    return verdict_of(exercise, named, drawn)


def outcome_of(function: Callable, exercise: Exercise, case: Case, not_allowed: Forbidden | None = None) -> Outcome:
    """What a function does on a case: called once, or tried in the exercise's own way, and judged.

    ``not_allowed`` is what it must not call.
    """
    tried = function if exercise.trial is None else partial(exercise.trial, function)
    came = run(tried, case, case_names(exercise), gradients=exercise.gradients, not_allowed=not_allowed)
    if came.error is not None:
        came.line = own_line(function, came.error)
    return judged(came, exercise, case)


def judged(came: Outcome, exercise: Exercise, case: Case) -> Outcome:
    """What came, as the exercise's judge puts it."""
    if exercise.judge is None or came.error is not None:
        return came
    try:
        return replace(came, value=exercise.judge(came.value, *case.arguments))
    except Exception as error:  # what came is nothing that could be judged; the error says why
        return replace(came, value=None, error=error)


def verdict_of(
    exercise: Exercise, named: list[Try], drawn: list[Try], do: Callable[..., Outcome] = outcome_of
) -> Verdict:
    """What the tries come to; drawn ones count where all named ones are right.

    Args:
        do: what mistakes do on a case: called as ``outcome_of(function, exercise, case)``.
    """
    count, right = len(exercise.named_cases()), sum(t.wrong is None for t in named)
    if right < count:
        worst = next(t for t in named if t.wrong is not None)
        tries, headline = named, f"{right} of {count} cases right"
    else:
        failed = sorted((t for t in drawn if t.wrong is not None), key=lambda t: t.case.size())
        if not failed:
            return Verdict(exercise.name, "passed", f"all {right} cases right, and {len(drawn)} drawn ones")
        worst, tries = failed[0], named + drawn
        headline = f"all {right} named cases right, but {len(failed)} of {len(drawn)} drawn ones wrong"
    return Verdict(exercise.name, "failed", headline, tuple(_details(exercise, worst, tries, do)))


def try_case(answer: Callable, exercise: Exercise, case: Case) -> Try:
    """One case, tried by the answer and by the reference, whose error would be raised: it has none."""
    expected = outcome_of(exercise.reference, exercise, case)
    if expected.error is not None:
        raise expected.error  # a fault of the course, which its tests would have found
    came = outcome_of(answer, exercise, case, Forbidden(exercise.not_allowed, (exercise.reference,)))
    return Try(case, expected, came, wrong_with(exercise, case, expected, came))


def try_cases(answer: Callable, exercise: Exercise, cases: list[Case]) -> list[Try]:
    """Try an answer on cases in turn; after one that does not end there is no waiting for the others."""
    tries = []
    for case in cases:
        tries.append(try_case(answer, exercise, case))
        if isinstance(tries[-1].came.error, TimeLimit):
            break
    return tries


def recognise(exercise: Exercise, tries: list[Try], do: Callable[..., Outcome] = outcome_of) -> str | None:
    """The sentence of the mistake that does the same as came in all tries; at worst, but for the dtype.

    ``do`` as in ``verdict_of``.
    """
    number = isinstance(tries[0].expected.value, float)  # is one asked for?
    came = [replace(t.came, value=as_number(t.came.value)) if number else t.came for t in tries]
    only_errors = all(c.error is not None for c in came)  # then their kind alone says too little
    for any_dtype in (False, True):
        for mistake in exercise.mistakes:
            did = (do(mistake.function, exercise, t.case) for t in tries)
            if all(
                same(c, d, exercise.tolerance, any_dtype) and (not only_errors or _gist(c) == _gist(d))
                for c, d in zip(came, did, strict=True)
            ):
                return mistake.sentence
    return None


def _gist(outcome: Outcome) -> str:
    """What its error says, but for the numbers in it."""
    return re.sub(r"[\d.]+", "", text_of(outcome.error))


def not_attempted(answer: Callable, exercise: Exercise) -> bool:
    """Is an answer still the stub, or the fault as the notebook shows it?"""
    body = body_of(answer)
    return body is not None and untouched(body, exercise)


def untouched(body: list[str], exercise: Exercise) -> bool:
    """Are the statements of a body those of the stub, or of the fault?"""
    if exercise.fault is not None and body == body_of(exercise.fault):
        return True
    if isinstance(exercise.reference, type):
        body = [statement for statement in body if statement != SUPER_INIT]
        return all(_raises_not_implemented(statement) for statement in body)
    return not body or (len(body) == 1 and _raises_not_implemented(body[0]))


def _raises_not_implemented(statement: str) -> bool:
    return statement.startswith("Raise(") and "NotImplementedError" in statement


def argument_names(exercise: Exercise) -> list[str]:
    """What an answer takes."""
    return list(inspect.signature(exercise.reference).parameters)


def case_names(exercise: Exercise) -> list[str]:
    """What a case's arguments are called: as the answer's, or as those that the trial takes beside the answer."""
    if exercise.trial is None:
        return argument_names(exercise)
    return list(inspect.signature(exercise.trial).parameters)[1:]


def describe(case: Case, names: list[str]) -> str:
    """The arguments in a line, with their names: tensors by their shape, the rest as they are."""
    parts = []
    for name, value in zip(names, case.arguments, strict=False):
        if isinstance(value, Tensor):
            parts.append(f"{name} {tuple(value.shape)}")
        else:
            parts.append(f"{name}={getattr(value, '__name__', value)}")
    return ", ".join(parts)


def wrong_with(exercise: Exercise, case: Case, expected: Outcome, came: Outcome) -> str | None:
    """What is wrong with what came, beside what was expected, in words; None if nothing is."""
    tolerance = exercise.tolerance
    if came.error is not None:
        return say_error(came.error)
    if wrong := difference(expected.value, came.value, tolerance):
        return wrong
    for name, before, after in zip(case_names(exercise), case.arguments, came.afterwards, strict=False):
        if not _untouched(before, after):
            return f"it changes {name}, which was given to it: work on a copy"
    for name, gradient in expected.gradients.items():
        received = came.gradients[name]
        if gradient is not None and received is None:
            return f"the values are right, but no gradient reaches {name}: was it detached, or turned into numpy?"
        if gradient is not None and (wrong := difference(gradient, received, tolerance)):
            return f"the values are right, the gradient of {name} is not: {wrong}"
    return None


def _untouched(before: Any, after: Any) -> bool:
    if not isinstance(before, Tensor) or not isinstance(after, Tensor):
        return bool(before == after)
    return before.shape == after.shape and before.dtype == after.dtype and before.equal(after.detach())


def _details(exercise: Exercise, worst: Try, tries: list[Try], do: Callable[..., Outcome]) -> list[str]:
    """What failed, on which input, on which line of the reader's own, and the sentence that helps."""
    lines = [f"{worst.case.name}: {describe(worst.case, case_names(exercise))}"]
    if worst.came.line:
        lines.append(worst.came.line)
    lines.append(worst.wrong)
    if type(worst.came.error) is NotImplementedError and not str(worst.came.error):  # PyTorch raises it with a text
        in_it = worst.came.line is None or "NotImplementedError" in worst.came.line
        lines.append(STILL_STANDS if in_it else CALLS_A_STUB)
    elif sentence := recognise(exercise, tries, do):
        lines.append(sentence)
    if worst.came.characters:
        lines.append(_printed(worst.came))
    return lines


def _printed(outcome: Outcome) -> str:
    text = " ".join(outcome.printed[:200].split())
    more = f" … ({outcome.characters:,} characters in all)" if outcome.characters > 200 else ""
    return f"it printed: {text}{more}"
