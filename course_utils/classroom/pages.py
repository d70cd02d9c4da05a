"""Pages to read after grading: one for each student, and a report for the instructor.

Each is one HTML file without scripts, addresses or dates: it opens anywhere, and the same results give the same bytes.
Whatever comes from a submission is hostile until it has been through ``clean``; every expression in a template goes
through it, and is then escaped.
"""

import builtins
import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from math import ceil
from pathlib import Path
from statistics import mean, median
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from .. import palette
from .records import Assigned, Mark, Release, Result

MOST = 20_000  # characters of one text: an answer, as a rule
FEW = 3  # students at most, and a quarter of those who passed, for a shared right answer to tell anything
UNSEEN = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\uffff"
    r"\U000e0000-\U000e007f]"
)

LIGHT = {name.lower(): getattr(palette, name) for name in ("INK", "PAPER", "GRID", "AREA", "BLUE", "GREEN", "RED")} | {
    "grey": "#5c6170"  # darker than the palette's, to be read on an area too
}
DARK = {
    "ink": "#e6e8ee",
    "paper": "#14171f",
    "grid": "#4a5162",
    "area": "#222734",
    "blue": "#7cbcf2",
    "green": "#5fd0ad",
    "red": "#ff9b92",
    "grey": "#aab0be",
}

STATES = {  # sign, in the report, on a student's page
    "passed": ("✓", "passed", "right"),
    "partly": ("◐", "partly right", "partly right"),
    "failed": ("✗", "failed", "not right yet"),
    "not attempted": ("○", "not attempted", "not attempted"),
    "missing": ("–", "missing", "no answer cell"),
    "held": ("…", "held", "waits for a person"),
}
FLAGS = {
    "reaches": "reaches into the interpreter's machinery",
    "twin": "is the course's own block, up to names",
    "near": "is near to another answer",
    "repaired": "was repaired before it was read",
}
KINDS = (  # what ``check`` says, and what it comes to; none of these words is the student's
    ("nothing came back", "nothing came back"),
    ("it did not end", "it did not end in time"),
    ("that is the thing itself", "it calls the thing that it should re-create"),
    ("which was given to it: work on a copy", "it changes its input"),
    ("no gradient reaches", "the values are right, but no gradient comes through"),
    ("the values are right, the gradient of", "the values are right, the gradient is not"),
    ("it should take (", "it takes other arguments than the stub"),
    ("its process ended", "its process ended before it answered"),
    ("did not come to an end", "it did not end in time"),
    ("sent back more", "it sent back more than anybody asked for"),
    ("cannot be compared", "what came back cannot be compared"),
    ("does not define", "the cell does not define what was asked for"),
    (" should be a ", "a function in the place of a class, or the reverse"),
    ("numbers are nan", "some numbers are nan"),
    ("expected shape", "another shape"),
    ("expected torch.", "another dtype"),
    ("expected a tensor", "another kind of thing than a tensor"),
    ("expected an ordinary tensor", "another kind of tensor"),
    ("expected a number", "another kind of thing than a number"),
    ("expected the whole number", "another kind of thing than a whole number"),
    ("numbers differ", "other numbers"),
    ("expected ", "another value"),
)


# --- Text that was handed in ----------------------------------------------------------------------------------


def clean(text: str, most: int = MOST) -> str:
    """Text fit to be shown: at most so many characters, and those that hide or turn other text as their numbers."""
    shown = text[:most].replace("\r\n", "\n").replace("\r", "\n")
    shown = UNSEEN.sub(lambda found: f"[U+{ord(found[0]):04X}]", shown)
    return shown if len(text) <= most else f"{shown} … ({len(text) - most:,} more characters)"


def number(points: float) -> str:
    """Points as people write them: 3, 2.5, 2.67."""
    return f"{points:.2f}".rstrip("0").rstrip(".")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def kind_of(text: str) -> str | None:
    """What an answer did wrong, by a text on it, in words of the course alone, which name nobody; None if unknown."""
    if error := re.search(r"^[A-Z]\w*(?:Error|Exception|Exit|Interrupt|Iteration)\b", text):
        known = isinstance(getattr(builtins, error[0], None), type)
        return error[0] if known else "an error of its own kind"
    return next((words for said, words in KINDS if said in text), None)


# --- A student's page -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Entry:
    """An exercise in a page: what was assigned, and what came of it."""

    assigned: Assigned
    mark: Mark | None  # none where grading failed as a whole

    @property
    def state(self) -> str | None:
        """As ``state_of`` has it; None where grading failed as a whole."""
        return state_of(self.mark) if self.mark else None

    @property
    def only_drawn_wrong(self) -> bool:
        """Whether all named cases are right, so that what is wrong are drawn ones."""
        return bool(self.mark.cases) and all(case.wrong is None for case in self.mark.cases)

    @property
    def other_details(self) -> list[str]:
        """What ``check`` said beyond what has a place of its own on the page."""
        mark = self.mark
        placed = {mark.sentence, mark.line, *(case.wrong for case in mark.cases)}
        placed |= {f"{case.name}: {case.arguments}" for case in mark.cases}
        return [line for line in mark.details if line not in placed][:20]

    @property
    def lacks_a_name(self) -> bool:
        """Whether the answer has used a name that is not defined."""
        mark = self.mark
        return any(text.startswith("NameError") for text in (*(case.wrong or "" for case in mark.cases), *mark.details))


def state_of(mark: Mark) -> str:
    """A mark's state, with those answers apart that are partly right."""
    return "partly" if mark.state == "failed" and mark.earned > 0 else mark.state


def entries_of(result: Result, release: Release) -> list[Entry]:
    """An entry for each exercise that was handed out, in that order."""
    marks = {mark.exercise: mark for mark in result.marks} if result.crashed is None else {}
    return [Entry(assigned, marks.get(assigned.name)) for assigned in release.exercises]


def feedback_page(result: Result, release: Release) -> str:
    """What one student reads about their own submission: marks, what went wrong, and what helps."""
    entries = entries_of(result, release)
    return _render(
        "feedback.html",
        release,
        student=result.student,
        entries=entries,
        earned=sum(entry.mark.earned for entry in entries if entry.mark),
        waiting=sum(entry.state in (None, "held") for entry in entries),
        all_right=all(entry.state == "passed" for entry in entries),
    )


# --- The instructor's report ----------------------------------------------------------------------------------


@dataclass
class Group:
    """Students whose answers to one exercise have something in common."""

    exercise: str
    words: str  # what they have in common
    who: list[str] = field(default_factory=list)  # the students, as the page calls them
    example: str = ""  # of what was wrong, or of an answer: never in an anonymous page
    of: int = 0  # how many it could have been


@dataclass(frozen=True)
class Concern:
    """What a human eye should look at."""

    who: str  # the student, as the page calls them
    exercise: str | None  # None where it is about all that was handed in
    words: tuple[str, ...]  # sentences
    state: str | None = None  # of the mark
    source: str = ""  # of the answer


def student_numbers(results: list[Result], release: Release) -> dict[str, int]:
    """A number from 1 for each student's id in results; to who lacks the release's seed, their order tells nothing."""
    salt = f"{release.seed}:".encode()
    ids = {result.student.id for result in results}
    drawn = sorted(ids, key=lambda name: hashlib.sha256(salt + name.encode("utf-8", "surrogatepass")).digest())
    return {name: place for place, name in enumerate(drawn, 1)}


def report_page(results: list[Result], release: Release, anonymous: bool = False) -> str:
    """What the instructor reads about the results of the class.

    An anonymous page has numbers for students, and nothing that they wrote: no answers, file names, notes or messages.
    """
    numbers = student_numbers(results, release)
    if anonymous:
        results = sorted(results, key=lambda result: numbers[result.student.id])
    else:
        results = sorted(results, key=lambda result: result.student.id)

    def called(result: Result) -> str:
        student = result.student
        if anonymous:
            return f"student {numbers[student.id]}"
        return f"{clean(student.name, 100)} ({clean(student.id, 100)})" if student.name else clean(student.id, 100)

    class_ = [(called(result), entries_of(result, release)) for result in results if result.crashed is None]
    totals = [sum(entry.mark.earned for entry in entries if entry.mark) for _, entries in class_]
    return _render(
        "report.html",
        release,
        anonymous=anonymous,
        submissions=len(results),
        graded=len(class_),
        summary=_summary(totals),
        tenths=_tenths(totals, release.points),
        exercises=[_exercise_row(place, class_) for place in range(len(release.exercises))],
        misunderstandings=_grouped(class_, lambda mark: mark.sentence),
        unrecognised=_unrecognised(class_, anonymous),
        time_outs=_grouped(class_, lambda mark: "it did not end in time" if mark.timed_out else None),
        alike=_alike(class_, anonymous),
        few=FEW,
        concerns=list(_concerns(results, release, called, anonymous)),
    )


Class = list[tuple[str, list[Entry]]]  # what a student is called, and the exercises


def _summary(totals: list[float]) -> dict[str, float]:
    if not totals:
        return {}
    return {"mean": mean(totals), "median": median(totals), "lowest": min(totals), "highest": max(totals)}


def _tenths(totals: list[float], points: float) -> list[tuple[str, int]]:
    """How many have up to a tenth of the points, up to two tenths, ...: (words, count)."""
    found = Counter(min(9, int(_share(total, points) * 10)) for total in totals)
    return [(f"{10 * tenth}–{10 * tenth + 9 if tenth < 9 else 100} %", found[tenth]) for tenth in range(10)]


def _share(earned: float, points: float) -> float:
    return round(earned / points, 9) if points else 0.0  # or 0.1 + 0.2 would be more than 0.3


def _exercise_row(place: int, class_: Class) -> dict[str, Any]:
    """What became of one exercise: its states, and its marks from none to all in five steps."""
    entries = [entries[place] for _, entries in class_]
    marks = [entry.mark for entry in entries if entry.mark]
    states = Counter(entry.state for entry in entries)
    shares = [_share(mark.earned, mark.points) for mark in marks]
    steps = Counter(4 if share >= 1 else ceil(round(share * 3, 6)) for share in shares)
    return {
        "states": [states[state] for state in STATES],
        "steps": [steps[step] for step in range(5)],
        "mean": mean(mark.earned for mark in marks) if marks else None,
        "count": len(marks),
    }


def _grouped(class_: Class, words_of: Callable[[Mark], str | None]) -> list[Group]:
    """Students grouped by exercise and by what is said of their marks; the commonest first."""
    groups: dict[tuple[str, str], Group] = {}
    for who, entries in class_:
        for mark in (entry.mark for entry in entries if entry.mark):
            if words := words_of(mark):
                groups.setdefault((mark.exercise, words), Group(mark.exercise, words)).who.append(who)
    for group in groups.values():
        group.of = len(class_)
    return sorted(groups.values(), key=lambda group: (-len(group.who), group.exercise, group.words))


def trouble(mark: Mark) -> str:
    """What is said to be wrong with an answer: with its first wrong case, or a drawn one, or the whole cell."""
    named = (case.wrong for case in mark.cases if case.wrong)
    drawn = (line for line in mark.details if line != mark.line and kind_of(line))
    return next(chain(named, drawn, [mark.headline]))


def kind_of_failure(mark: Mark) -> str:
    """What was wrong with an answer, in words of the course alone."""
    return kind_of(trouble(mark)) or "something else"


def _unrecognised(class_: Class, anonymous: bool) -> list[Group]:
    """Failures that are no known mistake, by what was wrong; with what was said most often, as an example."""

    def words_of(mark: Mark) -> str | None:
        return kind_of_failure(mark) if mark.state == "failed" and not mark.sentence else None

    groups = _grouped(class_, words_of)
    said: dict[tuple[str, str | None], Counter] = defaultdict(Counter)
    for mark in (entry.mark for _, entries in class_ for entry in entries if entry.mark):
        said[mark.exercise, words_of(mark)][trouble(mark)] += 1
    for group in [] if anonymous else groups:
        times = said[group.exercise, group.words]
        group.example = min(times, key=lambda text: (-times[text], text))
    return groups


def _alike(class_: Class, anonymous: bool) -> dict[str, list[Group]]:
    """Students with the same answer up to names: wrong ones, and right ones that few share."""
    found: dict[str, list[Group]] = {"wrong": [], "right": []}
    for place in range(len(class_[0][1]) if class_ else 0):
        same, of = defaultdict(list), Counter()
        for who, entries in class_:
            mark = entries[place].mark
            if mark and mark.state in ("passed", "failed", "held"):
                right = "right" if mark.state == "passed" else "wrong"
                of[right] += 1
                same[right, mark.fingerprint].append((who, mark))
        for (right, fingerprint), shared in sorted(same.items(), key=lambda item: (len(item[1]), item[1][0][0])):
            most = min(FEW, of[right] // 4) if right == "right" else of[right]
            if fingerprint and 2 <= len(shared) <= most:
                first = shared[0][1]
                words = " / ".join(sorted({STATES[state_of(mark)][1] for _, mark in shared}))
                who, source = [who for who, _ in shared], "" if anonymous else first.source
                found[right].append(Group(first.exercise, words, who, source, of[right]))
    return found


def _concerns(
    results: list[Result], release: Release, called: Callable[[Result], str], anonymous: bool
) -> Iterator[Concern]:
    """What a person should look at, student by student: crashes and notes, then answers that are held or flagged."""
    for result in results:
        if result.crashed is not None:
            why = () if anonymous else (result.crashed,)
            yield Concern(called(result), None, ("Grading this submission failed as a whole.", *why))
        if result.notes:
            count = f"{len(result.notes)} {'note' if len(result.notes) == 1 else 'notes'}, in the page with names."
            yield Concern(called(result), None, (count,) if anonymous else tuple(result.notes[:20]))
        for entry in entries_of(result, release):
            mark = entry.mark
            if mark and (mark.flags or mark.state == "held"):
                words = tuple(_flag_words(flag.kind, flag.text, anonymous) for flag in mark.flags[:20])
                if mark.state == "held" and not anonymous:
                    words += (_capital(mark.headline),)
                source = "" if anonymous else mark.source
                yield Concern(called(result), mark.exercise, words, entry.state, source)


def _flag_words(kind: str, text: str, anonymous: bool) -> str:
    return f"It {FLAGS.get(kind, 'needs a look')}." if anonymous else text


# --- Drawing them ---------------------------------------------------------------------------------------------


TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).with_name("templates")),
    autoescape=True,
    finalize=lambda value: clean(value) if isinstance(value, str) and not isinstance(value, Markup) else value,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
TEMPLATES.filters.update(short=clean, number=number, capital=_capital)


def _render(template: str, release: Release, **values: Any) -> str:
    lessons = ", ".join(dict.fromkeys(exercise.lesson.replace("_", " ", 1) for exercise in release.exercises))
    return TEMPLATES.get_template(template).render(
        release=release, lessons=lessons, states=STATES, light=LIGHT, dark=DARK, **values
    )
