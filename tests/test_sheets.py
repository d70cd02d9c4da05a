"""The tables of a class: that Moodle's and Canvas's importers can read them, and that a spreadsheet runs nothing."""

import csv
import io
import json
from dataclasses import replace

import pytest

from course_utils.classroom.records import Result, Student
from course_utils.classroom.sheets import canvas_csv, cell, moodle_csv, results_json
from tests.test_pages import FLAT, HOSTILE, OURS, RELEASE, SENTENCES, SIZE, SLIDE, a_class, mark, result, spoiled_class

TABLES = {"moodle": moodle_csv, "canvas": canvas_csv}
each_table = pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
TITLES = [f"01_convolution: {name}" for name in (SLIDE, SIZE, FLAT)]


def read(text: str) -> list[list[str]]:
    """The cells of a table, which is as wide everywhere; Moodle refuses it otherwise."""
    rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    assert len({len(row) for row in rows}) == 1
    return rows


# ---- What stands in them


def test_moodle_gets_a_grade_for_each_exercise_one_in_all_and_feedback():
    rows = read(moodle_csv(a_class(), RELEASE))
    assert rows[0] == ["ID number", "Name", *TITLES, "In all", "Feedback"]
    assert len(rows) == 24
    assert rows[1][:6] == ["s001", "Student Name1", "4.5", "4", "3", "11.5"]
    assert rows[1][6] == (f"{SLIDE}: 3 of 4 cases right. {SENTENCES[SLIDE][2]} | {SIZE}: passed | {FLAT}: passed")
    assert "NameError: name 'helper' is not defined" in rows[6][6]
    assert f"{SIZE}: missing | {FLAT}: not attempted" in rows[10][6]
    assert "a person will look" in rows[12][6] and "reaches" not in rows[12][6]
    assert rows[23][2:6] == ["-"] * 4  # could not be graded: no mark, which is not 0


def test_grades_are_numbers_that_moodle_reads():
    for row in read(moodle_csv(a_class()[:-1], RELEASE))[1:]:
        assert sum(map(float, row[2:5])) == pytest.approx(float(row[5]))


def test_ids_that_are_mail_addresses_are_called_so():
    one = replace(result(1), student=Student("ada@example.org"))
    assert read(moodle_csv([one], RELEASE))[0][0] == "Email address"
    assert read(moodle_csv([one, result(2)], RELEASE))[0][0] == "ID number"


def test_moodle_reads_no_tags_in_the_feedback():
    wrong = "TypeError: '<' not supported between instances of <b>"
    row = read(moodle_csv([result(1, mark(SIZE, "failed", wrong))], RELEASE))[1]
    assert "'‹' not supported between instances of ‹b›" in row[6]


def test_canvas_gets_its_columns_and_the_points_possible():
    rows = read(canvas_csv(a_class(), RELEASE))
    assert rows[0] == ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", *TITLES]
    assert rows[1] == ["Points Possible", "", "", "", "", "6", "4", "3"]
    assert rows[2] == ["Student Name1", "", "s001", "s001", "", "4.5", "4", "3"]
    assert rows[24] == ["Student Name23", "", "s023", "s023", "", "", "", ""]


@pytest.mark.parametrize("name", ["Points Possible", "PointsPoints Possible Possible", "  Points Possible"])
def test_no_student_is_taken_for_the_points_possible(name):
    rows = read(canvas_csv([replace(result(1), student=Student("s1", name))], RELEASE))
    assert [("Points Possible" in row[0]) for row in rows] == [False, True, False]


@each_table
def test_the_same_results_give_the_same_table(table):
    for anonymous in (False, True):
        assert table(a_class()[::-1], RELEASE, anonymous) == table(a_class(), RELEASE, anonymous)
    assert len(read(table([], RELEASE))) == (2 if table is canvas_csv else 1)


# ---- Spreadsheets

ATTACKS = [
    "=1+1",
    "+1+1",
    "-1+1",
    "@SUM(1)",
    "=cmd|' /C calc'!A0",
    '=HYPERLINK("http://example.org","x")',
    "\t=1+1",
    "\r=1+1",
    "\n=1+1",
    "  =1+1",
    "\u00a0=1+1",
    "\u3000=1+1",
    "\u200d=1+1",  # a joiner, which nobody sees
    "\u00ad=1+1",
    "＝1+1",
    "＋1+1",
    "－1+1",
    "＠SUM(1)",
    "﹢1+1",
    "-",
]


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_cell_is_no_formula(attack):
    assert cell(attack).startswith("'")


@each_table
@pytest.mark.parametrize("attack", [*ATTACKS, "Ada;=1+1", 'Ada";=1+1', "Ada\n=1+1", "Ada\r\n=1+1,2", 'Ada","=1+1'])
def test_no_cell_of_a_table_is_a_formula(table, attack):
    bad = mark(SIZE, "failed", attack, headline=attack, sentence=attack)
    one = Result(Student(attack, attack), [bad])
    text = table([one], RELEASE)
    for separator in ",;\t":  # whatever a spreadsheet believes to separate cells
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator):
            for found in row:
                number = found.lstrip("-").replace(".", "").isdigit() or found == "-"
                assert number or not found.lstrip(" \t'\"\u00a0").startswith(tuple("=+-@＝＋－＠")) or found[0] == "'"
    assert len(text.splitlines()) == len(read(text))  # one line for each student


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Ada Lovelace", "Ada Lovelace"),
        ("Zoë  O'Brien-Smith", "Zoë O'Brien-Smith"),
        ("a\x00b", "a[U+0000]b"),
        ("a\ud800b", "a[U+D800]b"),
        ("one\ntwo; three", "one two, three"),
        ("x" * 300, "x" * 200 + " … (100 more characters)"),
        ("", ""),
    ],
)
def test_text_stays_readable(text, shown):
    assert cell(text) == shown


@each_table
def test_tables_can_be_written_whatever_is_handed_in(table):
    for text in (HOSTILE, "x" * 1_000_000):
        written = table(spoiled_class(text, {"exercise", "lesson", "state"}), RELEASE)
        assert len(read(written)) in (24, 25)
        assert len(written.encode("utf-8")) < 300_000
        assert "\x00" not in written


# ---- Nobody is named


@each_table
def test_anonymous_tables_have_numbers_and_no_names(table):
    text = table(spoiled_class("Marlene", OURS), RELEASE, anonymous=True)
    assert "Marlene" not in text and "Marlene" in table(spoiled_class("Marlene", OURS), RELEASE)
    plain = table(a_class(), RELEASE, anonymous=True)
    assert "Student Name" not in plain and "s001" not in plain
    named = read(table(a_class(), RELEASE))
    assert sorted(row[-2] for row in read(plain)) == sorted(row[-2] for row in named)
    assert SENTENCES[SLIDE][2] in plain or table is canvas_csv


def test_anonymous_rows_are_numbered_in_order():
    rows = read(moodle_csv(a_class(), RELEASE, anonymous=True))
    assert rows[0] == ["Number", *TITLES, "In all", "Feedback"]
    assert [row[0] for row in rows[1:]] == [str(number) for number in range(1, 24)]
    assert [row[0] for row in read(canvas_csv(a_class(), RELEASE, anonymous=True))[2:4]] == ["Student 1", "Student 2"]


# ---- JSON


def test_json_holds_everything():
    found = json.loads(results_json(a_class(), RELEASE))
    assert [one["student"]["id"] for one in found["results"]] == [f"s{n:03}" for n in range(1, 24)]
    first = found["results"][0]
    assert (first["earned"], first["points"]) == (11.5, 13)
    assert first["marks"][0]["sentence"] == SENTENCES[SLIDE][2]
    assert first["marks"][0]["source"].startswith("def cross_correlate2d")
    assert found["results"][22]["crashed"] == "The notebook is no JSON."
    assert [exercise["name"] for exercise in found["exercises"]] == [SLIDE, SIZE, FLAT]
    assert str(RELEASE.seed) not in results_json(a_class(), RELEASE)


def test_json_is_the_same_for_the_same_results_and_can_always_be_written():
    for anonymous in (False, True):
        assert results_json(a_class()[::-1], RELEASE, anonymous) == results_json(a_class(), RELEASE, anonymous)
    written = results_json(spoiled_class(HOSTILE, OURS), RELEASE).encode("utf-8")
    assert "<script>alert(1)</script>" in json.loads(written)["results"][0]["marks"][0]["source"]


def test_anonymous_json_holds_nothing_that_a_student_wrote():
    results = spoiled_class("Marlene", OURS - {"kind"})
    assert "Marlene" in results_json(results, RELEASE)
    assert "Marlene" not in results_json(results, RELEASE, anonymous=True)
    plain = results_json(a_class(), RELEASE, anonymous=True)
    assert "Student Name" not in plain and "s001" not in plain and "given" not in plain
    found = json.loads(plain)["results"]
    assert [one["number"] for one in found] == list(range(1, 24))
    failures = [made["failure"] for one in found for made in one["marks"] if made["failure"]]
    assert sorted(failures) == sorted(
        ["another shape"] * 4 + ["another value"] * 3 + ["NameError", "it did not end in time"]
    )
    assert [made["flags"] for one in found for made in one["marks"] if made["flags"]] == [["reaches"], ["twin"]]
