"""Read what came back: a folder or a zip, as learning platforms give it out. Nothing in it is trusted, nothing is run.

What cannot be read becomes a note for the instructor; no student's file keeps the others from being graded.
"""

import csv
import io
import json
import os
import re
import stat
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

import nbformat

from ..lessons import find, lessons
from .records import Release, Student, Submission
from .release import check_source, handed_out, tagged

MB = 1_000_000
NOTEBOOK = 20 * MB  # what a notebook may hold; with many pictures it is 5 MB
ANSWER = 100_000  # bytes of an answer cell
ZIP = 100 * MB  # a student's zip, as it is sent
UNPACKED = 200 * MB  # all notebooks of such a zip together
MEMBERS = 2_000  # files in such a zip
DEEP = 3  # zips within zips: the platform's, the student's, and one by accident
RATIO = 200  # bytes unpacked to packed: a notebook has about 10, a bomb 1,000
NAME = 255  # characters of a file's name
NOTES, NOTE = 40, 300  # for one student, and characters in one

MOODLE = re.compile(r"(?P<name>.+)_(?P<id>\d+)_assignsubmission_file(_.*)?", re.DOTALL)
CANVAS = re.compile(r"(?P<name>[^_]+)(?P<late>_LATE)?_(?P<id>\d+)_\d+(_.*)?", re.DOTALL)
AGAIN = re.compile(r"[-(](\d{1,4})\)?$")  # "-1" by Canvas, "(1)" by browsers; Jupyter's "-Copy1" is a copy put aside
DEFINES = re.compile(r"^(?:(?:async[ \t]+)?def|class)[ \t]+(\w+)", re.MULTILINE)  # Python's parser can be crashed


class Refused(Exception):
    """Why a file is not read: the end of a sentence for the instructor."""


@dataclass(frozen=True)
class Found:
    """A file: the names on the way to it and its own, and its data, or why that was not read."""

    parts: tuple[str, ...]  # the names
    data: bytes = b""
    refused: str = ""  # why

    @property
    def path(self) -> str:
        """The names, in one line fit to be shown."""
        return clean("/".join(self.parts))


@dataclass(frozen=True)
class Cell:
    """A code cell: by its marks, what its tags and nbgrader say it is ("stub:to_float"); its source, if it has one."""

    marks: frozenset[str]
    source: str | None


@dataclass(frozen=True)
class Handout:
    """A lesson as students got it: stubs and checks of what is assigned, by exercise, and the cells that are others."""

    lesson: str
    stubs: dict[str, str]
    checks: dict[str, set[str]]
    others: set[str]


@dataclass(frozen=True)
class Version:
    """A notebook that was taken apart. A student may hand in several of a lesson."""

    again: int  # the number that platforms add to the name of a later one
    path: str  # as handed in
    answers: dict[str, str]  # by exercise
    notes: list[str]  # for the instructor


def read_submissions(place: Path, release: Release, students: Path | None = None) -> list[Submission]:
    """What each student handed in, in order of their ids.

    Args:
        place: a folder or a zip that holds students' notebooks, folders or zips, named as Moodle, Canvas or nbgrader
            name them, or plainly: "ID.ipynb", "ID_01_convolution.ipynb", "ID/01_convolution.ipynb".
        release: what was handed out.
        students: a CSV file with the columns ``id`` and ``name``, and perhaps ``file``, for files that are named
            otherwise: the name of a student's file or folder.

    Raises:
        ValueError: if ``place`` is no such thing or holds no notebook, or if ``students`` is no such list.
    """
    listed = None if students is None else list_of(students)
    handouts = [handout(lesson, release) for lesson in dict.fromkeys(a.lesson for a in release.exercises)]
    submissions: dict[str, Submission] = {}
    versions: dict[tuple[str, str], list[Version]] = defaultdict(list)
    for found in walk(place):
        student, note = owner(found.parts, place.stem, listed)
        submission = submissions.setdefault(student.id, Submission(student))
        if note and note not in submission.notes:
            submission.notes.append(note)
        try:
            lesson, version = taken_apart(found, handouts)
            versions[student.id, lesson].append(version)
        except Refused as reason:
            submission.notes.append(f"{found.path}: {reason}")
    if not submissions:
        raise ValueError(f"{place} holds no notebook (.ipynb), nor a zip")
    for submission in submissions.values():
        for lesson in (handout.lesson for handout in handouts):
            take_last(submission, lesson, versions[submission.student.id, lesson])
        more = len(submission.notes) - NOTES
        submission.notes = [clean(note) for note in submission.notes[:NOTES]]
        submission.notes += [f"and {more} more notes"] if more > 0 else []
    return [submissions[id] for id in sorted(submissions)]


def take_last(submission: Submission, lesson: str, versions: list[Version]) -> None:
    """Of several versions of one lesson, the one that was handed in last counts."""
    if not versions:
        submission.notes.append(f"{lesson}: not handed in, or not readable")
        return
    last = sorted(versions, key=lambda version: (version.again, version.path))[-1]
    if len(versions) > 1:
        submission.notes.append(f"{lesson}: handed in {len(versions)} times; {last.path} counts")
    submission.answers |= last.answers
    submission.files[lesson] = last.path
    submission.notes += last.notes


def clean(text: str, length: int = NOTE) -> str:
    """Text on one line of bounded length, without characters that steer a terminal or turn the direction of reading."""
    shown = "".join(c if c.isprintable() else " " for c in text[:length])
    return shown if len(text) <= length else shown[:-1] + "…"


# -- files


def walk(place: Path) -> Iterator[Found]:
    """Every notebook in a folder or zip, in order of the names, and what stands in the place of one.

    Raises:
        ValueError: if the place is neither.
    """
    if place.is_dir():
        yield from in_folder(place)
    elif place.is_file() and place.suffix.lower() == ".zip":
        try:
            with ZipFile(place) as archive:
                for found in in_zip(archive, (), deep=1):
                    wrapped = len(found.parts) > 1 and found.parts[0] == place.stem  # as made of a whole folder
                    yield Found(found.parts[1:], found.data, found.refused) if wrapped else found
        except Exception as error:  # the zip as a whole; in_zip takes what is wrong with a member upon itself
            raise ValueError(f"{place} cannot be read as a zip: {clean(str(error))}") from None
    else:
        raise ValueError(f"{place} is neither a folder nor a .zip" if place.exists() else f"{place} does not exist")


def in_folder(place: Path) -> Iterator[Found]:
    """The notebooks of a place that is a folder, and of the zips in it. Links are not followed."""

    def parts_of(path: Path) -> tuple[str, ...]:
        return tuple(os.fsencode(part).decode(errors="replace") for part in path.relative_to(place).parts)

    closed: list[OSError] = []
    for folder, folders, files in os.walk(place, onerror=closed.append):  # does not follow links
        folders.sort()
        for name in sorted(folders + files):
            path = Path(folder, name)
            parts = parts_of(path)
            if path.is_symlink():
                yield Found(parts, refused="is a symbolic link, which is not followed")
            elif name in files and (kind := kind_of(parts)):
                try:
                    data = content_of(path, ZIP if kind == ".zip" else NOTEBOOK)
                except Refused as reason:
                    yield Found(parts, refused=str(reason))
                else:
                    yield from unpacked(parts, data, deep=0)
    for error in closed:
        if Path(error.filename) != place:
            yield Found(parts_of(Path(error.filename)), refused=f"cannot be read: {error.strerror}")


def kind_of(parts: Sequence[str]) -> str | None:
    """The suffix of a notebook or zip, by its path's parts; None for all else, also what Jupyter and macOS add."""
    if any(part in ("__MACOSX", ".ipynb_checkpoints") for part in parts) or parts[-1].startswith("._"):
        return None
    suffix = os.path.splitext(parts[-1])[1].lower()
    return suffix if suffix in (".ipynb", ".zip") else None


def content_of(path: Path, limit: int) -> bytes:
    """What an ordinary file holds, up to a limit in bytes; a link, a pipe or a device is not even waited for.

    Raises:
        Refused: if it is none, is too large, or cannot be read.
    """
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
        with open(handle, "rb") as file:
            state = os.fstat(handle)
            if not stat.S_ISREG(state.st_mode):
                raise Refused("is no ordinary file")
            if state.st_size > limit or len(data := file.read(limit + 1)) > limit:
                raise Refused(f"is larger than {limit // MB} MB")
            return data
    except OSError as error:
        raise Refused(f"cannot be read: {error.strerror}") from None


def unpacked(parts: tuple[str, ...], data: bytes, deep: int) -> Iterator[Found]:
    """A notebook, or the notebooks of a zip, of this data, found at these parts, so many zips deep."""
    if kind_of(parts) == ".ipynb":
        yield Found(parts, data)
    elif deep == DEEP:
        yield Found(parts, refused="is a zip in a zip in a zip, and not opened")
    elif data.count(b"PK\x01\x02") > MEMBERS:  # before a list of them is made
        yield Found(parts, refused=f"holds more than {MEMBERS:,} files")
    else:
        try:
            with ZipFile(io.BytesIO(data)) as archive:
                yield from in_zip(archive, parts, deep + 1, UNPACKED)
        except Exception as error:  # whatever a damaged or forged zip makes zipfile raise
            yield Found(parts, refused=f"cannot be read as a zip: {error}")


def in_zip(archive: ZipFile, above: tuple[str, ...], deep: int, budget: float = float("inf")) -> Iterator[Found]:
    """The notebooks of a zip, the archive, read one after the other into memory, never written to disk.

    Args: the parts of the path above them, how many zips deep they lie, and a budget in bytes for all.
    """
    empty = True
    for member in sorted(archive.infolist(), key=lambda member: member.filename):
        names = [part for part in re.split(r"[/\\]", member.filename) if part not in ("", ".", "..")]
        if member.is_dir() or not names or not (kind := kind_of(names)):
            continue
        parts, empty = (*above, *(name.encode(errors="replace").decode()[:NAME] for name in names)), False
        try:
            data = member_of(archive, member, min(ZIP if kind == ".zip" else NOTEBOOK, budget))
        except Refused as reason:
            yield Found(parts, refused=str(reason))
        else:
            budget -= len(data)
            yield from unpacked(parts, data, deep)
    if empty and above:
        yield Found(above, refused="is a zip without a notebook")


def member_of(archive: ZipFile, member: ZipInfo, limit: float) -> bytes:
    """What a member of an archive holds, up to a limit in bytes; what it says of its size counts only where too much.

    Raises:
        Refused: if it is no ordinary file with an ordinary name, or more than it should be.
    """
    names, mode = re.split(r"[/\\]", member.filename), stat.S_IFMT(member.external_attr >> 16)
    if ".." in names or names[0] == "" or names[0].endswith(":"):
        raise Refused("has a name that leads out of the zip")
    if max(map(len, names)) > NAME:
        raise Refused(f"has a name longer than {NAME} characters")
    if mode not in (0, stat.S_IFREG):
        raise Refused("is a symbolic link, which is not followed" if mode == stat.S_IFLNK else "is no ordinary file")
    if member.flag_bits & 1:
        raise Refused("is encrypted")
    if member.compress_type not in (ZIP_STORED, ZIP_DEFLATED):  # others may ask for any amount of memory
        raise Refused("is packed in a way that is not read here")
    if member.file_size > limit:
        raise Refused(f"is larger than {limit // MB:.0f} MB" if limit >= MB else "is more than a zip should hold")
    if member.file_size > 5 * MB and member.file_size > RATIO * member.compress_size:
        raise Refused("unpacks to more than its size allows, as a zip bomb does")
    try:
        with archive.open(member) as file:
            return file.read(int(limit) + 1)  # ends where the size ends that was said, and then compares the checksum
    except Exception as error:  # whatever a damaged or forged zip makes zipfile raise
        raise Refused(f"cannot be unpacked: {error}") from None


# -- students


def list_of(path: Path) -> dict[str, Student]:
    """Students by id, and by the file or folder that the list names.

    Raises:
        ValueError: if it is no CSV file with the columns ``id`` and ``name``.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        header = text.partition("\n")[0]
        delimiter = ";" if header.count(";") > header.count(",") else ","  # as some spreadsheets write it
        rows = [[cell.strip() for cell in row] for row in csv.reader(io.StringIO(text), delimiter=delimiter)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"students: {path} cannot be read as CSV in UTF-8: {error}") from None
    columns = [name.lower() for name in rows[0]] if rows else []
    if missing := [name for name in ("id", "name") if name not in columns]:
        raise ValueError(f"students: {path} has no column {' and no '.join(missing)}; its first line is {columns}")
    listed: dict[str, Student] = {}
    for line, row in enumerate(rows[1:], start=2):
        entry = dict(zip(columns, row, strict=False))
        if not any(row):
            continue
        if not entry.get("id"):
            raise ValueError(f"students: {path}, line {line}: there is no id")
        student = Student(entry["id"], clean(entry.get("name", "")))
        for key in {entry["id"], entry.get("file") or entry["id"]}:
            if key in listed:
                raise ValueError(f"students: {path}, line {line}: {key!r} stands in an earlier line too")
            listed[key] = student
    return listed


def owner(parts: Sequence[str], place: str, listed: dict[str, Student] | None) -> tuple[Student, str]:
    """Whose file it is, and a note. The outermost name that says so decides, as inner ones are the student's own.

    Args: the parts of the file's path, what the place of all files is called, and listed students.
    """
    for part in parts:
        before, note = before_lesson(part), ""
        if platform := MOODLE.fullmatch(without_suffix(part)) or CANVAS.fullmatch(before):
            student = Student(platform["id"], clean(platform["name"]))
            note = "handed in late, as the file's name says" if platform.groupdict().get("late") else ""
            break
        if before:
            student = Student(before)
            break
    else:
        part, student, note = place, Student(place), f"no file name says whose this is; it is called {place}"
    if listed is None:
        return student, note
    for key in (student.id, part, without_suffix(part)):
        if key in listed:
            return listed[key], note
    return student, note or "not in the list of students"


def without_suffix(name: str) -> str:
    """A file's name without .ipynb or .zip."""
    return re.sub(r"\.(ipynb|zip)$", "", name, flags=re.IGNORECASE)


def before_lesson(part: str) -> str:
    """A name without its suffix, the lesson and what follows: "anna_01_convolution (1).ipynb" -> "anna"."""
    return re.split(rf"(?:^|[_ -])(?:{'|'.join(lesson_names())})(?![a-z0-9])", without_suffix(part), maxsplit=1)[0]


@cache
def lesson_names() -> tuple[str, ...]:
    """The names of all lessons, in order."""
    return tuple(path.stem for path in lessons())


# -- notebooks


def handout(lesson: str, release: Release) -> Handout:
    """What students got of a lesson."""
    notebook = handed_out(nbformat.read(find(lesson), as_version=4), lesson, release)
    worth = {a.name: a.points for a in release.exercises if a.lesson == lesson}
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return Handout(
        lesson,
        stubs={name: plain(cell.source) for cell in code if (name := tagged(cell, "stub")) in worth},
        checks={name: {check_source(name, worth[name], release.feedback), f"check({name})"} for name in worth},
        others={plain(cell.source) for cell in code if tagged(cell, "stub") not in worth},
    )


def taken_apart(found: Found, handouts: Sequence[Handout]) -> tuple[str, Version]:
    """Which lesson of the handouts a notebook is, and the answers in it.

    Raises:
        Refused: if it is no notebook, or none of a lesson that was handed out.
    """
    if found.refused:
        raise Refused(found.refused)
    raw = notebook_in(found.data)
    cells = [cell_of(cell) for cell in raw["cells"] if isinstance(cell, dict) and cell.get("cell_type") == "code"]
    chosen = handout_of(raw, found.parts, cells, handouts)
    answers, notes = {}, []
    for name in chosen.stubs:
        try:
            answers[name] = answer(name, cells, chosen, notes)
        except Refused as reason:
            notes.append(f"{name}: {reason}")
        checks = [cell.source for cell in cells if f"check:{name}" in cell.marks]
        if not checks or any(plain(source or "") not in chosen.checks[name] for source in checks):
            notes.append(f"{name}: the check cell was changed or deleted, which counts for nothing")
    again = max(int(match[1]) if (match := AGAIN.search(without_suffix(part))) else 0 for part in found.parts)
    return chosen.lesson, Version(again, found.path, answers, notes)


def notebook_in(data: bytes) -> dict:
    """The data of a notebook as plain JSON, with a list of cells.

    Raises:
        Refused: if it is none.
    """
    try:
        raw = json.loads(data.decode("utf-8-sig"))
        if isinstance(raw, dict) and raw.get("nbformat") == 3:
            raw = nbformat.convert(nbformat.from_dict(raw), 4)
    except UnicodeDecodeError:
        raise Refused("is not in UTF-8, so no notebook") from None
    except RecursionError:
        raise Refused("is nested too deeply for a notebook") from None
    except ValueError:
        raise Refused("is not JSON, so no notebook") from None
    except Exception:  # whatever a forged notebook makes the conversion raise
        raise Refused("cannot be converted from nbformat 3") from None
    if not isinstance(raw, dict) or not isinstance(raw.get("cells"), list):
        raise Refused("is JSON, but not a notebook")
    return raw


def cell_of(raw: dict) -> Cell:
    """A code cell from raw JSON, whatever may stand in it."""
    metadata = raw.get("metadata") if isinstance(raw.get("metadata"), dict) else {}
    tags = metadata.get("tags") if isinstance(metadata.get("tags"), list) else []
    nbgrader = metadata.get("nbgrader") if isinstance(metadata.get("nbgrader"), dict) else {}
    marks = {tag for tag in tags if isinstance(tag, str)}
    if isinstance(grade_id := nbgrader.get("grade_id"), str):
        marks.add(grade_id.replace("-", ":", 1))  # "stub-to_float", as in the tag
    source = raw.get("source")
    if isinstance(source, list) and all(isinstance(line, str) for line in source):
        source = "".join(source)
    return Cell(frozenset(marks), source if isinstance(source, str) else None)


def handout_of(raw: dict, parts: Sequence[str], cells: Iterable[Cell], handouts: Sequence[Handout]) -> Handout:
    """Which of the handouts it is: by the raw notebook's metadata, by the last of its path's parts, or by its cells.

    Raises:
        Refused: if it is none of these.
    """
    by_name = {handout.lesson: handout for handout in handouts}
    entry = raw.get("metadata", {}).get("vision_course") if isinstance(raw.get("metadata"), dict) else None
    said = entry.get("lesson") if isinstance(entry, dict) else None
    said = [said] if isinstance(said, str) else [name for name in lesson_names() if name in parts[-1]]
    if said:
        if said[0] not in by_name:
            raise Refused(f"is {clean(said[0], 50)}, which is not assigned")
        return by_name[said[0]]
    marks = frozenset[str]().union(*(cell.marks for cell in cells))
    known = [handout for handout in handouts if any(f"stub:{name}" in marks for name in handout.stubs)]
    if len(known) == 1:
        return known[0]
    if len(handouts) == 1 and any(defines(cell, name) for cell in cells for name in handouts[0].stubs):
        return handouts[0]
    raise Refused("is none of the lessons that were handed out")


def answer(name: str, cells: Sequence[Cell], handout: Handout, notes: list[str]) -> str:
    """The answer to the exercise of that name: in its own cell, or where that was left or lost in the last of the cells
    that defines it. What is unusual about it is added to the notes.

    Raises:
        Refused: if there is none, or none that can be read.
    """
    own = [cell for cell in cells if f"stub:{name}" in cell.marks]
    loose = [cell for cell in cells if f"stub:{name}" not in cell.marks and defines(cell, name)]
    loose = [cell for cell in loose if plain(cell.source) not in handout.others]  # lesson 00 has a wrong answer to show
    written, elsewhere = (
        [cell for cell in some if cell.source is None or plain(cell.source) not in ("", handout.stubs[name])]
        for some in (own, loose)
    )
    candidates = written or elsewhere or own or loose
    if not candidates:
        raise Refused("there is no cell with an answer")
    if len(candidates) > 1:
        notes.append(f"{name}: {len(candidates)} cells hold an answer; the last one counts")
    if not own:
        notes.append(f"{name}: its cell has lost its tag, and was found by the name it defines")
    elif elsewhere:
        which = "its own counts" if written else "that one counts"
        notes.append(f"{name}: another cell than its own holds an answer too; {which}")
    source = candidates[-1].source
    if source is None:
        raise Refused("its cell has no text")
    if len(source.encode(errors="replace")) > ANSWER:
        raise Refused(f"its cell is larger than {ANSWER // 1000} kB, and is not read")
    if written and not defines(candidates[-1], name):
        others = ", ".join(DEFINES.findall(source)[:3]) or "nothing"
        notes.append(f"{name}: its cell defines {others} instead")
    return source.encode(errors="replace").decode()


def defines(cell: Cell, name: str) -> bool:
    """Does the cell define, or set, this name at its top level?"""
    source = cell.source or ""
    return name in DEFINES.findall(source) or re.search(rf"^{name}[ \t]*[:=]", source, re.MULTILINE) is not None


def plain(source: str) -> str:
    """A cell's source without what an editor may add or take away at the ends of lines."""
    return "\n".join(line.rstrip() for line in source.strip().splitlines())
