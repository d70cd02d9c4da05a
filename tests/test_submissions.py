"""What students hand in, by every road and in every state, hostile ones among them."""

import copy
import io
import json
import os
import stat
import struct
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest

from course_utils.classroom import submissions as room
from course_utils.classroom.records import Assigned, Release, Student, Submission
from course_utils.classroom.release import handed_out
from course_utils.classroom.submissions import read_submissions
from course_utils.lessons import find

ONE = Release("1", (Assigned("00_start_here", "to_float", 10.0), Assigned("00_start_here", "standardize", 10.0)))
TWO = Release("1", (*ONE.exercises, Assigned("01_convolution", "flatten_features", 5.0)), feedback="verdict")
ANSWER = "def to_float(images):\n    return images[:, None] / 255"
OTHER = "def to_float(images):\n    return images"
LESSONS = {name: nbformat.read(find(name), as_version=4) for name in ("00_start_here", "01_convolution")}


def blank(lesson: str = "00_start_here", release: Release = ONE) -> dict:
    """A notebook as students get it, as plain JSON."""
    return json.loads(nbformat.writes(handed_out(LESSONS[lesson], lesson, release)))


def cell(notebook: dict, mark: str) -> dict:
    return next(cell for cell in notebook["cells"] if mark in cell["metadata"].get("tags", ()))


def solved(source: object = ANSWER, **of_notebook: object) -> dict:
    """Lesson 00 with an answer to to_float."""
    notebook = blank(**of_notebook)
    cell(notebook, "stub:to_float")["source"] = source
    return notebook


def written(notebook: object) -> bytes:
    return json.dumps(notebook).encode()


def put(place: Path, files: dict[str, object]) -> Path:
    for name, content in files.items():
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else written(content))
    return place


def zipped(files: dict[str, object], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content if isinstance(content, bytes) else written(content))
    return file.getvalue()


def only(place: Path, release: Release = ONE) -> Submission:
    (submission,) = read_submissions(place, release)
    return submission


def of(content: object, place: Path) -> Submission:
    """One student's notebook, and a bystander's, which must be read whatever the other one is."""
    put(place, {"anna/00_start_here.ipynb": content, "zoe/00_start_here.ipynb": solved()})
    anna, zoe = read_submissions(place, ONE)
    assert zoe.answers["to_float"] == ANSWER and zoe.notes == []
    assert anna.student.id == "anna"
    return anna


# -- how platforms name things


@pytest.mark.parametrize(
    ("path", "id", "name"),
    [
        ("Ada Lovelace_1234567_assignsubmission_file_/00_start_here.ipynb", "1234567", "Ada Lovelace"),
        ("Ada Lovelace_1234567_assignsubmission_file_00_start_here.ipynb", "1234567", "Ada Lovelace"),
        ("Ada Lovelace_1234567_assignsubmission_file_/work/my lesson.ipynb", "1234567", "Ada Lovelace"),
        ("lovelaceada_12345_67890_00_start_here.ipynb", "12345", "lovelaceada"),
        ("lovelaceada_12345_67890_00_start_here-1.ipynb", "12345", "lovelaceada"),
        ("lovelaceada_12345_67890_homework.ipynb", "12345", "lovelaceada"),
        ("ada/ps1/00_start_here.ipynb", "ada", ""),
        ("ada/anything.ipynb", "ada", ""),
        ("ada.ipynb", "ada", ""),
        ("ada_00_start_here.ipynb", "ada", ""),
        ("ada_12_00_start_here.ipynb", "ada_12", ""),
        ("ada b-c_00_start_here (2).ipynb", "ada b-c", ""),
        ("00_start_here/ada.ipynb", "ada", ""),
        ("Ada_7_assignsubmission_file_/Eve_8_assignsubmission_file_/00_start_here.ipynb", "7", "Ada"),
        ("ada/Eve_8_assignsubmission_file_00_start_here.ipynb", "ada", ""),
    ],
)
def test_whose_it_is_stands_in_its_name_in_folders_and_in_zips(tmp_path: Path, path: str, id: str, name: str) -> None:
    folder = put(tmp_path / "folder", {path: solved()})
    zip_file = put(tmp_path, {"handed in.zip": zipped({path: solved()})}) / "handed in.zip"
    for place in (folder, zip_file):
        submission = only(place)
        assert submission.student == Student(id, name)
        assert submission.answers["to_float"] == ANSWER
        assert submission.files == {"00_start_here": path}
        assert submission.notes == []


def test_late_is_noted(tmp_path: Path) -> None:
    submission = only(put(tmp_path, {"lovelaceada_LATE_12345_67890_00_start_here.ipynb": solved()}))
    assert submission.student == Student("12345", "lovelaceada")
    assert submission.notes == ["handed in late, as the file's name says"]


def test_a_zip_of_each_student_and_a_zip_of_a_whole_folder(tmp_path: Path) -> None:
    files = {
        "class/ada.zip": zipped({"my work/00_start_here.ipynb": solved(), "__MACOSX/._00_start_here.ipynb": b"x"}),
        "class/Bo_77_assignsubmission_file_/hw.zip": zipped({"00_start_here.ipynb": solved(OTHER)}),
        "class/cyd/.ipynb_checkpoints/00_start_here-checkpoint.ipynb": b"old",
        "class/cyd/00_start_here.ipynb": blank(),
        "class/notes.txt": b"no notebook",
    }
    read = read_submissions(put(tmp_path, {"class.zip": zipped(files)}) / "class.zip", ONE)
    assert [(s.student.id, s.notes) for s in read] == [("77", []), ("ada", []), ("cyd", [])]
    assert [s.answers["to_float"] for s in read[:2]] == [OTHER, ANSWER]
    assert read[1].files == {"00_start_here": "ada.zip/my work/00_start_here.ipynb"}


def test_a_name_that_tells_of_nobody_is_noted(tmp_path: Path) -> None:
    submission = only(put(tmp_path / "box", {"00_start_here.ipynb": solved()}))
    assert submission.student.id == "box" and "no file name says whose this is" in submission.notes[0]


def test_the_order_is_that_of_the_ids(tmp_path: Path) -> None:
    place = put(tmp_path, {f"{id}/00_start_here.ipynb": blank() for id in ("b", "a10", "C", "a9", "ä")})
    assert [s.student.id for s in read_submissions(place, ONE)] == ["C", "a10", "a9", "b", "ä"]
    assert read_submissions(place, ONE) == read_submissions(place, ONE)


def test_two_lessons_go_to_one_submission_and_a_missing_one_is_noted(tmp_path: Path) -> None:
    first, second = solved(release=TWO), blank("01_convolution", TWO)
    place = put(tmp_path, {"a/x.ipynb": first, "a/y.ipynb": second, "b/x.ipynb": first})
    a, b = read_submissions(place, TWO)
    assert set(a.answers) == {"to_float", "standardize", "flatten_features"} and a.notes == []
    assert a.files == {"00_start_here": "a/x.ipynb", "01_convolution": "a/y.ipynb"}
    assert set(b.answers) == {"to_float", "standardize"}
    assert b.notes == ["01_convolution: not handed in, or not readable"]


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("a_1_9_00_start_here.ipynb", "a_1_8_00_start_here-1.ipynb"),
        ("a_1_9_00_start_here-2.ipynb", "a_1_8_00_start_here-10.ipynb"),
        ("a/00_start_here.ipynb", "a/00_start_here (1).ipynb"),
        ("a/one/00_start_here.ipynb", "a/two/00_start_here.ipynb"),
        ("a/00_start_here-Copy1.ipynb", "a/00_start_here.ipynb"),
    ],
)
def test_of_several_files_the_newest_counts(tmp_path: Path, older: str, newer: str) -> None:
    submission = only(put(tmp_path, {older: solved(OTHER), newer: solved()}))
    assert submission.answers["to_float"] == ANSWER
    assert submission.notes == [f"00_start_here: handed in 2 times; {newer} counts"]


# -- a list of students


def test_students_of_a_list_have_their_ids_and_names(tmp_path: Path) -> None:
    table = tmp_path / "students.csv"
    table.write_text("\ufeffName;ID;File\nAda\x1b[31m;u1;strange.ipynb\nBo;77;\nCy;u3;folder c\n", encoding="utf-8")
    files = {
        "strange.ipynb": solved(),
        "B_77_assignsubmission_file_/x.ipynb": solved(),
        "folder c/00_start_here.ipynb": solved(),
        "dan/strange.ipynb": solved(),
    }
    read = read_submissions(put(tmp_path / "in", files), ONE, table)
    assert [(s.student.id, s.student.name) for s in read] == [
        ("77", "Bo"),
        ("dan", ""),
        ("u1", "Ada [31m"),
        ("u3", "Cy"),
    ]
    assert [s.notes for s in read] == [[], ["not in the list of students"], [], []]


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "no column id and no name"),
        (b"number,name\n1,Ada\n", r"no column id; its first line is \['number', 'name'\]"),
        (b"id,name\n,Ada\n", "line 2: there is no id"),
        (b"id,name\n1,Ada\n\n1,Bo\n", "line 4: '1' stands in an earlier line too"),
        (b"id,name,file\n1,Ada,x\n2,Bo,1\n", "'1' stands in an earlier line too"),
        (b"id,name\n1,\xff\n", "cannot be read as CSV in UTF-8"),
        (b'id,name\n1,"' + b"x" * 200_000, "cannot be read as CSV in UTF-8"),
    ],
)
def test_a_wrong_list_is_refused(tmp_path: Path, content: bytes, text: str) -> None:
    place = put(tmp_path, {"in/ada.ipynb": solved(), "list.csv": content})
    with pytest.raises(ValueError, match=text):
        read_submissions(place / "in", ONE, place / "list.csv")
    with pytest.raises(ValueError, match="cannot be read"):
        read_submissions(place / "in", ONE, place / "no such list.csv")


# -- places


def test_a_place_that_holds_nothing_is_an_error(tmp_path: Path) -> None:
    put(tmp_path, {"empty/readme.txt": b"", "empty.zip": zipped({"x.txt": b""}), "no.zip": b"PK", "x.ipynb": blank()})
    for name, text in {
        "nowhere": "does not exist",
        "empty": "holds no notebook",
        "empty.zip": "holds no notebook",
        "no.zip": "cannot be read as a zip",
        "x.ipynb": "neither a folder nor a .zip",
    }.items():
        with pytest.raises(ValueError, match=text):
            read_submissions(tmp_path / name, ONE)


# -- cells


def with_cells(*cells: tuple[object, str | None], lost: bool = False) -> dict:
    """Lesson 00 with these cells in the place of to_float's: source and tag."""
    notebook = blank()
    at = notebook["cells"].index(cell(notebook, "stub:to_float"))
    made = []
    for source, tag in cells:
        made.append(copy.deepcopy(notebook["cells"][at]))
        made[-1] |= {"source": source, "metadata": {"tags": [tag]} if tag else {}}
    notebook["cells"][at : at + 1] = made
    return notebook


STUB = "".join(cell(blank(), "stub:to_float")["source"])


@pytest.mark.parametrize(
    ("cells", "answer", "notes"),
    [
        ([(ANSWER, "stub:to_float")], ANSWER, []),
        ([(ANSWER.splitlines(keepends=True), "stub:to_float")], ANSWER, []),
        ([(STUB, "stub:to_float")], STUB, []),
        ([("", "stub:to_float")], "", []),
        ([], None, ["there is no cell with an answer"]),
        ([(42, "stub:to_float")], None, ["its cell has no text"]),
        ([(["a", 1], "stub:to_float")], None, ["its cell has no text"]),
        ([({"a": 1}, "stub:to_float")], None, ["its cell has no text"]),
        (
            [(OTHER, "stub:to_float"), (ANSWER, "stub:to_float")],
            ANSWER,
            ["2 cells hold an answer; the last one counts"],
        ),
        ([(ANSWER, "stub:to_float"), (STUB + "  \n", "stub:to_float")], ANSWER, []),
        ([(ANSWER, None)], ANSWER, ["its cell has lost its tag, and was found by the name it defines"]),
        (
            [(STUB, "stub:to_float"), (ANSWER, None)],
            ANSWER,
            ["another cell than its own holds an answer too; that one counts"],
        ),
        (
            [(ANSWER, "stub:to_float"), (OTHER, None)],
            ANSWER,
            ["another cell than its own holds an answer too; its own counts"],
        ),
        (
            [("def to_flaot(images): ...", "stub:to_float")],
            "def to_flaot(images): ...",
            ["its cell defines to_flaot instead"],
        ),
        ([("pass", "stub:to_float")], "pass", ["its cell defines nothing instead"]),
        ([("to_float = lambda images: 1", "stub:to_float")], "to_float = lambda images: 1", []),
        ([("  def to_float(x): ...", None)], None, ["there is no cell with an answer"]),
        ([("#" * 100_001, "stub:to_float")], None, ["its cell is larger than 100 kB, and is not read"]),
        ([("def to_float(x): 'é\ud800'", "stub:to_float")], "def to_float(x): 'é?'", []),
    ],
)
def test_the_answer_is_the_last_that_is_no_stub(tmp_path: Path, cells: list, answer: str | None, notes: list) -> None:
    anna = of(with_cells(*cells), tmp_path)
    assert anna.answers.get("to_float") == answer
    assert anna.notes == [f"to_float: {note}" for note in notes]
    assert "standardize" in anna.answers


def test_a_cell_without_source_and_things_that_are_no_cells(tmp_path: Path) -> None:
    notebook = solved()
    del cell(notebook, "stub:standardize")["source"]
    notebook["cells"] += [3, None, [], {}, {"cell_type": "code"}, {"cell_type": [1], "metadata": 7}]
    notebook["cells"] += [{"cell_type": "code", "metadata": {"tags": 3, "nbgrader": [1]}, "source": None}]
    notebook["cells"] += [{"cell_type": "code", "metadata": {"tags": [3, {}], "nbgrader": {"grade_id": [[]]}}}]
    anna = of(notebook, tmp_path)
    assert anna.answers == {"to_float": ANSWER} and anna.notes == ["standardize: its cell has no text"]


def test_nbgraders_ids_do_where_tags_are_lost(tmp_path: Path) -> None:
    notebook = solved("lambda: 0")
    for lost in notebook["cells"]:
        lost["metadata"].pop("tags", None)
    anna = of(notebook, tmp_path)
    assert anna.answers["to_float"] == "lambda: 0" and set(anna.answers) == {"to_float", "standardize"}
    assert anna.notes == ["to_float: its cell defines nothing instead"]


@pytest.mark.parametrize("changed", ["display('10 of 10')", "import os\nos.abort()", 5])
def test_a_changed_check_is_noted_and_the_courses_own_is_none(tmp_path: Path, changed: object) -> None:
    notebook = solved()
    cell(notebook, "check:standardize")["source"] = "check(standardize)"
    assert of(notebook, tmp_path).notes == []
    cell(notebook, "check:standardize")["source"] = changed
    noted = ["standardize: the check cell was changed or deleted, which counts for nothing"]
    assert of(notebook, tmp_path).notes == noted
    notebook["cells"].remove(cell(notebook, "check:standardize"))
    assert of(notebook, tmp_path).notes == noted


def test_the_lesson_is_known_by_metadata_name_or_cells(tmp_path: Path) -> None:
    course = json.loads(nbformat.writes(LESSONS["00_start_here"]))  # by `make lab`, not from the release
    cell(course, "stub:to_float")["source"] = ANSWER
    bare = copy.deepcopy(course)
    for lost in bare["cells"]:
        lost["metadata"] = {}
    renamed = solved()
    not_ours = {"nbformat": 4, "cells": [{"cell_type": "code", "source": "1 + 1", "metadata": {}}]}
    files = {
        "by_cells/mine.ipynb": course,
        "by_metadata/01_convolution.ipynb": renamed,
        "by_name/my 00_start_here.ipynb": bare,
        "by_definition/mine.ipynb": bare,
        "none/mine.ipynb": not_ours,
        "other/01_convolution.ipynb": course,
    }
    read = {s.student.id: s for s in read_submissions(put(tmp_path, files), ONE)}
    for id in ("by_cells", "by_metadata", "by_name", "by_definition"):
        assert read[id].answers["to_float"] == ANSWER, id
    assert read["none"].notes[0] == "none/mine.ipynb: is none of the lessons that were handed out"
    assert read["other"].notes[0] == "other/01_convolution.ipynb: is 01_convolution, which is not assigned"
    for id in ("none", "other"):
        assert read[id].notes[1:] == ["00_start_here: not handed in, or not readable"] and not read[id].answers


# -- files that are no notebooks


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is not JSON"),
        (b"PK\x03\x04", "is not JSON"),
        (b"[" * 200_000, "is nested too deeply"),
        (b'{"cells":' * 100_000, "is nested too deeply"),
        (b"\xff\xfe{}", "is not in UTF-8"),
        (b'{"nbformat": ' + b"9" * 5000 + b"}", "is not JSON"),
        (b"3", "is JSON, but not a notebook"),
        (b'["cells"]', "is JSON, but not a notebook"),
        (b'{"cells": {"0": 1}}', "is JSON, but not a notebook"),
        (b'{"nbformat": 4, "cells": null}', "is JSON, but not a notebook"),
        (b'{"nbformat": 3}', "cannot be converted from nbformat 3"),
        (b'{"nbformat": 3, "worksheets": [[[[]]]], "metadata": 3}', "cannot be converted from nbformat 3"),
        (b" " * (room.NOTEBOOK + 1), "is larger than 20 MB"),
    ],
)
def test_what_is_no_notebook_is_noted(tmp_path: Path, content: bytes, reason: str) -> None:
    anna = of(content, tmp_path)
    assert not anna.answers and anna.notes[0].startswith(f"anna/00_start_here.ipynb: {reason}")


def test_deep_nesting_that_json_allows_is_no_trouble_either(tmp_path: Path) -> None:
    deep = b"[" * 900 + b"]" * 900
    notebook = written(solved()).replace(b'"grade_id": "stub-standardize"', b'"grade_id": ' + deep)
    assert of(notebook, tmp_path).answers["to_float"] == ANSWER
    assert not of(b'{"nbformat": 3, "metadata": {}, "worksheets": ' + deep + b"}", tmp_path).answers


def test_a_notebook_of_version_3_is_converted(tmp_path: Path) -> None:
    old = {"nbformat": 3, "nbformat_minor": 0, "metadata": {}, "worksheets": [{"metadata": {}, "cells": []}]}
    old["worksheets"][0]["cells"] = [
        {
            "cell_type": "code",
            "language": "python",
            "input": ANSWER,
            "outputs": [],
            "metadata": {"tags": ["stub:to_float"]},
        }
    ]
    assert of(old, tmp_path).answers == {"to_float": ANSWER}


def test_a_very_large_notebook_is_not_read(tmp_path: Path) -> None:
    put(tmp_path, {"zoe/00_start_here.ipynb": solved()})
    huge = tmp_path / "anna.ipynb"
    with huge.open("wb") as file:
        file.truncate(200_000_000_000)  # a file with a hole: 200 GB that take no room
    begun = time.monotonic()
    anna, _ = read_submissions(tmp_path, ONE)
    assert anna.notes[0] == "anna.ipynb: is larger than 20 MB" and time.monotonic() - begun < 10


def test_many_cells_do_not_take_for_ever(tmp_path: Path) -> None:
    notebook = solved()
    notebook["cells"] += [
        {"cell_type": "code", "metadata": {"tags": ["stub:to_float"]}, "source": f"{n}"} for n in range(40_000)
    ]
    begun = time.monotonic()
    assert of(notebook, tmp_path).answers["to_float"] == "39999" and time.monotonic() - begun < 60


# -- the file system


def test_links_pipes_and_folders_are_not_read(tmp_path: Path) -> None:
    secret = put(tmp_path, {"secret/00_start_here.ipynb": solved("SECRET")}) / "secret"
    place = put(tmp_path / "in", {"zoe/00_start_here.ipynb": solved()})
    (place / "link.ipynb").symlink_to(secret / "00_start_here.ipynb")
    (place / "loop").symlink_to(place)
    (place / "folder").symlink_to(secret)
    (place / "dangling.zip").symlink_to("nowhere")
    (place / "dir.ipynb").mkdir()
    os.mkfifo(place / "pipe.ipynb")
    read = {s.student.id: s for s in read_submissions(place, ONE)}
    assert {id: s.notes[0].split(": ")[1] for id, s in read.items() if id != "zoe"} == {
        "link": "is a symbolic link, which is not followed",
        "loop": "is a symbolic link, which is not followed",
        "folder": "is a symbolic link, which is not followed",
        "dangling": "is a symbolic link, which is not followed",
        "pipe": "is no ordinary file",
    }
    assert "SECRET" not in str(read) and read["zoe"].answers["to_float"] == ANSWER


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can make a device file")
def test_a_device_is_not_read(tmp_path: Path) -> None:
    try:
        os.mknod(tmp_path / "zero.ipynb", 0o666 | stat.S_IFCHR, os.makedev(1, 5))
    except PermissionError:
        pytest.skip("this root cannot make one either")
    submission = only(tmp_path)
    assert submission.notes[0].split(": ")[1] in ("is no ordinary file", "cannot be read")


def test_what_may_not_be_read_is_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = put(tmp_path, {"a/x.ipynb": solved(), "b.ipynb": solved(), "c.ipynb": solved()})

    def closed(function: Callable) -> Callable:  # root, as whom tests may run, can read everything
        def refusing(path: object, *arguments: object) -> object:
            if str(path).endswith(("/a", "/b.ipynb")):
                raise PermissionError(13, "Permission denied", str(path))
            return function(path, *arguments)

        return refusing

    monkeypatch.setattr(os, "scandir", closed(os.scandir))
    monkeypatch.setattr(os, "open", closed(os.open))
    read = read_submissions(place, ONE)
    monkeypatch.undo()
    assert [s.notes[0] for s in read[:2]] == [f"{name}: cannot be read: Permission denied" for name in ("a", "b.ipynb")]
    assert read[2].answers["to_float"] == ANSWER


def test_names_are_bounded_and_without_control_characters(tmp_path: Path) -> None:
    name = "Eve\x1b]0;owned\x07\u202e\n" + "x" * 150
    submission = only(put(tmp_path, {f"{name}_7_assignsubmission_file_/x\x1b[2J.ipynb": b"{"}))
    assert submission.student.id == "7" and submission.student.name == f"Eve ]0;owned   {'x' * 150}"
    assert all(text.isprintable() and len(text) <= 300 for text in submission.notes)
    raw = os.fsencode(tmp_path / "in") + b"/\xff\xfe_00_start_here.ipynb"
    (tmp_path / "in").mkdir()
    Path(os.fsdecode(raw)).write_bytes(written(solved()))
    submission = only(tmp_path / "in")
    assert submission.student.id == "\ufffd\ufffd" and submission.answers["to_float"] == ANSWER
    json.dumps(str(submission), ensure_ascii=False).encode()


def test_notes_are_bounded(tmp_path: Path) -> None:
    submission = only(put(tmp_path, {f"anna/{'x' * 200}{n}.ipynb": b"" for n in range(200)}))
    assert len(submission.notes) == 41 and submission.notes[-1] == "and 161 more notes"
    assert max(map(len, submission.notes)) <= 300


# -- zips


def hostile(make: Callable[[zipfile.ZipFile], None]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        make(archive)
    return file.getvalue()


def member(name: str, mode: int = 0o100644, **fields: object) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr, info.compress_type = mode << 16, zipfile.ZIP_DEFLATED
    for field, value in fields.items():
        setattr(info, field, value)
    return info


def lying(content: bytes, said: int) -> bytes:
    """A zip whose lists say another size than its member unpacks to."""
    data = bytearray(zipped({"00_start_here.ipynb": content}))
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        struct.pack_into("<I", data, data.index(signature) + offset, said)
    return bytes(data)


def encrypted() -> bytes:
    data = bytearray(zipped({"00_start_here.ipynb": solved()}))
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + offset] |= 1
    return bytes(data)


def nested(depth: int) -> bytes:
    data = zipped({"00_start_here.ipynb": solved()})
    for _ in range(depth):
        data = zipped({"inner.zip": data})
    return data


def damaged() -> bytes:
    data = bytearray(zipped({"00_start_here.ipynb": solved()}))
    data[60:80] = b"\xff" * 20
    return bytes(data)


MEGABYTES = b" " * 1_000_000
ZIPS = {
    "a name that climbs": (lambda: zipped({"../../zoe/00_start_here.ipynb": solved()}), "leads out of the zip"),
    "an absolute name": (lambda: zipped({"/zoe/00_start_here.ipynb": solved()}), "leads out of the zip"),
    "a drive": (lambda: zipped({"C:\\zoe\\00_start_here.ipynb": solved()}), "leads out of the zip"),
    "backslashes": (lambda: zipped({"..\\..\\00_start_here.ipynb": solved()}), "leads out of the zip"),
    "a long name": (lambda: zipped({"x" * 60_000 + ".ipynb": solved()}), "name longer than 255"),
    "a link": (
        lambda: hostile(lambda a: a.writestr(member("00_start_here.ipynb", 0o120777), "/etc/passwd")),
        "is a symbolic link",
    ),
    "a device": (lambda: hostile(lambda a: a.writestr(member("x.ipynb", 0o020666), "")), "is no ordinary file"),
    "a pipe": (lambda: hostile(lambda a: a.writestr(member("x.ipynb", 0o010666), "")), "is no ordinary file"),
    "encrypted": (encrypted, "ipynb: is encrypted"),
    "another packing": (lambda: zipped({"x.ipynb": solved()}, zipfile.ZIP_LZMA), "packed in a way"),
    "a bomb": (lambda: zipped({"x.ipynb": MEGABYTES * 15}), "as a zip bomb does"),
    "a large bomb": (lambda: zipped({"x.ipynb": MEGABYTES * 50}), "is larger than 20 MB"),
    "a bomb that says it is small": (lambda: lying(MEGABYTES * 50, 100), "cannot be unpacked"),
    "a bomb in a bomb": (lambda: zipped({"x.zip": zipped({"x.ipynb": MEGABYTES * 50})}), "is larger than 20 MB"),
    "many members": (lambda: zipped({f"{n}.ipynb": b"" for n in range(2_001)}), "holds more than 2,000 files"),
    "many folders": (lambda: zipped({f"{n}/": b"" for n in range(2_001)}), "holds more than 2,000 files"),
    "zips in zips": (lambda: nested(5), "is a zip in a zip in a zip"),
    "no zip": (lambda: b"Rar!", "cannot be read as a zip"),
    "an empty file": (lambda: b"", "cannot be read as a zip"),
    "a damaged zip": (damaged, "cannot be unpacked"),
    "half a zip": (lambda: nested(0)[:2000], "cannot be read as a zip"),
    "no notebook": (lambda: zipped({"essay.docx": b""}), "is a zip without a notebook"),
}


@pytest.mark.parametrize("kind", ZIPS)
def test_a_hostile_zip_is_a_note_to_its_sender_and_to_nobody_else(tmp_path: Path, kind: str) -> None:
    make, reason = ZIPS[kind]
    files = {"anna.zip": make(), "zoe/00_start_here.ipynb": solved(OTHER)}
    in_folder = read_submissions(put(tmp_path / "folder", files), ONE)
    in_zip = read_submissions(put(tmp_path, {"outer.zip": zipped(files)}) / "outer.zip", ONE)
    for anna, zoe in (in_folder, in_zip):
        assert (anna.student.id, zoe.student.id) == ("anna", "zoe")
        assert reason in anna.notes[0] and not anna.answers
        assert zoe.answers["to_float"] == OTHER and zoe.notes == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "outer.zip"]  # nothing was unpacked


def test_all_notebooks_of_a_zip_together_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "UNPACKED", 3_000_000)
    files = {f"{n}.ipynb": bytes(2_000_000) for n in range(4)}
    submission = only(put(tmp_path, {"anna.zip": zipped(files)}))
    assert [note.split(": ")[1] for note in submission.notes[:4]] == [
        "is not JSON, so no notebook",
        *["is larger than 1 MB", "is larger than 1 MB", "is larger than 1 MB"],
    ]


def test_one_bad_member_does_not_spoil_the_others(tmp_path: Path) -> None:
    files = {"../x.ipynb": b"", "bad.ipynb": MEGABYTES * 15, "00_start_here.ipynb": solved(), "bad.zip": b"no"}
    submission = only(put(tmp_path, {"anna.zip": zipped(files)}))
    assert submission.answers["to_float"] == ANSWER and len(submission.notes) == 3


def test_the_platforms_own_zip_may_hold_hostile_members(tmp_path: Path) -> None:
    files = {"../anna.ipynb": solved(), "zoe.ipynb": solved(), "max.ipynb": MEGABYTES * 15}
    read = read_submissions(put(tmp_path, {"x.zip": zipped(files)}) / "x.zip", ONE)
    assert [(s.student.id, bool(s.answers)) for s in read] == [("anna", False), ("max", False), ("zoe", True)]
