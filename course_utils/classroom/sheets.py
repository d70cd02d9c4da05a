"""Marks as tables: for Moodle's grade book, for Canvas's, and all of it as JSON for a program of your own.

Tables hold text that students chose (their names, an error's message), and are opened in spreadsheets, where a cell
that begins like a formula is one. ``cell`` makes text harmless.
"""

import csv
import io
import json
import re
import unicodedata
from dataclasses import asdict
from typing import Any

from .pages import FLAGS, Entry, clean, entries_of, kind_of_failure, number, student_numbers, trouble
from .records import Assigned, Mark, Release, Result

FORMULA = "=+-@"  # and whatever looks like one of them to a spreadsheet: ＝ ＋ － ＠
INVISIBLE = {"Cc", "Cf", "Zs", "Zl", "Zp"}  # categories of characters that a spreadsheet may skip


def cell(text: str, most: int = 200) -> str:
    """Text as one harmless line of a table, ``most`` characters long.

    Text that a spreadsheet would take for a formula gets an apostrophe in front. There is no semicolon in it: where
    that separates cells, as in much of Europe, what follows would begin a new one.
    """
    line = re.sub(r"\s+", " ", clean(text, most)).strip().replace(";", ",")
    first = next((char for char in line if unicodedata.category(char) not in INVISIBLE), "")
    return f"'{line}" if unicodedata.normalize("NFKC", first)[:1] in tuple(FORMULA) else line


def moodle_csv(results: list[Result], release: Release, anonymous: bool = False) -> str:
    """Results as a table for Grades > Import > CSV file, in UTF-8 with commas; anonymous, by numbers.

    Moodle lets you say what each column is. Map from "ID number" (or "Email address", where every id is one) to the
    same field of the user, each exercise to its grade item or to a new one, "In all" likewise, and "Feedback" to the
    feedback for the item that "In all" goes to. Feedback needs an item that exists, and is imported together with
    that item's grade, or the grade is lost. "-" stands where there is no mark. One id that Moodle does not know stops
    the whole import, and so does a grade above 100 unless the site allows it.

    Based on MoodleDocs' "Grade import" and on Moodle's grade/import/csv/classes/load_data.php; not tried on a Moodle.
    """
    people = _people(results, release, anonymous)
    mails = bool(people) and all("@" in who for who, _ in people)
    key = "Number" if anonymous else "Email address" if mails else "ID number"
    rows = [[key, *([] if anonymous else ["Name"]), *map(_title, release.exercises), "In all", "Feedback"]]
    for who, result in people:
        entries = entries_of(result, release)
        earned = [entry.mark.earned if entry.mark else None for entry in entries]
        total = None if result.crashed is not None else sum(filter(None, earned))
        points = ["-" if one is None else number(one) for one in (*earned, total)]
        name = [] if anonymous else [cell(result.student.name)]
        rows.append([cell(who), *name, *points, _feedback(entries, anonymous)])
    return _table(rows)


def canvas_csv(results: list[Result], release: Release, anonymous: bool = False) -> str:
    """Results as a table for Gradebook > Import: a column for each exercise, added up by Canvas; anonymous, by numbers.

    "ID" is Canvas's own number, which nobody here knows: left empty, Canvas looks for the SIS user id, then for the
    login id, then for the name. The student's id stands in both. A column whose title is no assignment yet becomes
    one, if you say so. A cell is empty where there is no mark. Canvas imports no feedback.

    Based on Canvas's lib/gradebook_importer.rb; not tried on a Canvas.
    """
    empty = ["", "", "", ""]
    rows = [
        ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", *map(_title, release.exercises)],
        ["Points Possible", *empty, *(number(exercise.points) for exercise in release.exercises)],
    ]
    for who, result in _people(results, release, anonymous):
        name = f"Student {who}" if anonymous else cell(result.student.name or who)
        name = name.replace("Points Possible", "Points possible")  # or Canvas would take this for the row above
        points = [number(entry.mark.earned) if entry.mark else "" for entry in entries_of(result, release)]
        rows.append([name, "", cell(who), cell(who), "", *points])
    return _table(rows)


def results_json(results: list[Result], release: Release, anonymous: bool = False) -> str:
    """Everything that grading found, for a program: the same results, the same text.

    Anonymous: numbers for students, and nothing that they wrote; what was wrong is told by its kind.
    """
    exercises = [asdict(exercise) for exercise in release.exercises]
    found = []
    for who, result in _people(results, release, anonymous):
        marks = [_nameless(mark) for mark in result.marks] if anonymous else asdict(result)["marks"]
        record = {"earned": round(result.earned, 2), "points": result.points, "marks": marks}
        if anonymous:
            record |= {"number": int(who), "crashed": result.crashed is not None}
        else:
            kept = {"student", "files", "notes", "crashed"}
            record |= {name: value for name, value in asdict(result).items() if name in kept}
        found.append(record)
    everything = {"version": release.version, "due": release.due, "exercises": exercises, "results": found}
    text = json.dumps(everything, indent=1, ensure_ascii=False, sort_keys=True)
    return text.encode("utf-8", "replace").decode() + "\n"  # halves of surrogate pairs become "?"


def _people(results: list[Result], release: Release, anonymous: bool) -> list[tuple[str, Result]]:
    """What each student is called in a table, and the result; sorted by that."""
    if not anonymous:
        return sorted(((result.student.id, result) for result in results), key=lambda pair: pair[0])
    numbers = student_numbers(results, release)
    drawn = sorted(results, key=lambda result: numbers[result.student.id])
    return [(str(numbers[result.student.id]), result) for result in drawn]


def _title(exercise: Assigned) -> str:
    return cell(f"{exercise.lesson}: {exercise.name}")


def _feedback(entries: list[Entry], anonymous: bool) -> str:
    """A line on each exercise. Moodle reads it as HTML, so no angle brackets."""
    said = [f"{entry.assigned.name}: {_said(entry.mark, anonymous)}" for entry in entries]
    return cell(" | ".join(said), 4_000).replace("<", "‹").replace(">", "›")


def _said(mark: Mark | None, anonymous: bool) -> str:
    if mark is None or mark.state == "held":
        return "a person will look at this before it is marked"
    if mark.state != "failed":
        return mark.state
    if anonymous:
        return f"not right yet. {clean(mark.sentence or kind_of_failure(mark), 500)}"
    said = dict.fromkeys((mark.headline, mark.sentence or trouble(mark)))  # where that is the headline, only once
    return ". ".join(clean(text, 500) for text in said)


def _nameless(mark: Mark) -> dict[str, Any]:
    """A mark without anything that the student wrote, or that was said of it."""
    kept = ("exercise", "lesson", "points", "earned", "sentence", "drawn_right", "drawn", "timed_out")
    return {name: getattr(mark, name) for name in kept} | {
        "state": mark.state,
        "failure": kind_of_failure(mark) if mark.state == "failed" else None,
        "cases": [{"name": case.name, "right": case.wrong is None} for case in mark.cases],
        "flags": [flag.kind for flag in mark.flags if flag.kind in FLAGS],
    }


def _table(rows: list[list[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue()
