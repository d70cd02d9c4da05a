"""What a class is made of: what was assigned, what came back, and what it came to. Plain data, kept as JSON."""

import json
import os
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Assigned:
    """An exercise that was handed out, and what it is worth."""

    lesson: str  # "01_convolution"
    name: str  # "output_size"
    points: float  # for a right answer


@dataclass(frozen=True)
class Release:
    """What was handed out. ``seed`` is the instructor's secret, and never in a file that students get."""

    version: str  # of the course
    exercises: tuple[Assigned, ...]  # in the course's order
    due: str | None = None  # as the instructor wrote it
    feedback: str = "full"  # what ``check`` tells while students work: "full", "verdict" or "none"
    checksums: dict[str, str] = field(default_factory=dict)  # file name -> sha256 of what students got
    seed: int | None = None

    @property
    def points(self) -> float:
        """Those that can be had in all."""
        return sum(exercise.points for exercise in self.exercises)


@dataclass(frozen=True)
class Student:
    """Who handed something in, by number; the name is for the instructor's eyes."""

    id: str  # of the learning platform, or the file's name
    name: str = ""


@dataclass
class Submission:
    """What one student handed in, taken apart: answer cells as text. Nothing in it has been run."""

    student: Student
    answers: dict[str, str] = field(default_factory=dict)  # exercise -> source of its answer cell
    files: dict[str, str] = field(default_factory=dict)  # lesson -> the file it was read from, as handed in
    notes: list[str] = field(default_factory=list)  # what the instructor should know: missing or doubled cells, ...


@dataclass(frozen=True)
class CaseMark:
    """One case, by its name: the arguments in words, and what is wrong with what came (None if nothing)."""

    name: str
    arguments: str
    wrong: str | None


@dataclass(frozen=True)
class Flag:
    """Something for a human eye."""

    kind: str  # "reaches", "twin" (of the course's own block), "repaired", ...
    text: str  # a sentence for the instructor


@dataclass
class Mark:
    """What one exercise of a lesson came to, for one student."""

    exercise: str
    lesson: str
    points: float  # that could be had
    earned: float  # of these
    state: str  # "passed", "failed", "not attempted", "missing", "held" (until a human has looked)
    headline: str  # as ``check`` says it
    details: list[str] = field(default_factory=list)  # as ``check`` says them, line by line
    sentence: str | None = None  # of the mistake that was recognised
    line: str | None = None  # of the answer, where its error arose
    cases: list[CaseMark] = field(default_factory=list)  # the named ones
    drawn_right: int = 0  # cases, of those drawn
    drawn: int = 0  # cases
    timed_out: bool = False  # it did not come to an end
    flags: list[Flag] = field(default_factory=list)  # why a person should look at it
    source: str = ""  # of the answer
    fingerprint: str = ""  # the same for answers that differ in names, comments and layout; "" where too short


@dataclass
class Result:
    """What one submission came to; ``files`` and ``notes`` are the submission's."""

    student: Student
    marks: list[Mark] = field(default_factory=list)  # one for each exercise of the release
    files: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    crashed: str | None = None  # one line, where grading it failed as a whole
    digest: str = ""  # of what was graded: the release, the answers, what was accepted

    @property
    def earned(self) -> float:
        """Points, in all."""
        return sum(mark.earned for mark in self.marks)

    @property
    def points(self) -> float:
        """Those that could be had in all."""
        return sum(mark.points for mark in self.marks)


def to_json(record: Release | Result) -> str:
    """The same record, the same text."""
    return json.dumps(asdict(record), indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def release_from(text: str) -> Release:
    """The inverse of ``to_json``, for the text of a release.

    Raises:
        ValueError, TypeError, KeyError: if it is none.
    """
    fields = json.loads(text)
    return Release(**{**fields, "exercises": tuple(Assigned(**exercise) for exercise in fields["exercises"])})


def result_from(text: str) -> Result:
    """The inverse of ``to_json``, for the text of a result.

    Raises:
        ValueError, TypeError, KeyError: if it is none.
    """
    fields = json.loads(text)
    marks = [
        Mark(
            **{
                **mark,
                "cases": [CaseMark(**case) for case in mark["cases"]],
                "flags": [Flag(**flag) for flag in mark["flags"]],
            }
        )
        for mark in fields["marks"]
    ]
    return Result(**{**fields, "student": Student(**fields["student"]), "marks": marks})


def write_whole(path: Path, content: str | bytes) -> None:
    """Write content beside its path and rename the file, so that nobody ever finds half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = content.encode("utf-8", "replace") if isinstance(content, str) else content  # half a character is no reason
    with tempfile.NamedTemporaryFile("wb", dir=path.parent, prefix=".", suffix=".part", delete=False) as file:
        file.write(data)
    os.chmod(file.name, 0o644)
    os.replace(file.name, path)
