"""The pages of a class: what they say, and that nothing which is handed in can do harm in them."""

import re
from collections import Counter
from dataclasses import fields, is_dataclass, replace
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from bs4 import BeautifulSoup

from course_utils.classroom.pages import clean, feedback_page, kind_of, report_page, student_numbers
from course_utils.classroom.records import Assigned, CaseMark, Flag, Mark, Release, Result, Student
from course_utils.exercises import lesson_01

SIZE, SLIDE, FLAT = "output_size", "cross_correlate2d", "flatten_features"
RELEASE = Release(
    version="0.1.0",
    exercises=(
        Assigned("01_convolution", SLIDE, 6),
        Assigned("01_convolution", SIZE, 4),
        Assigned("01_convolution", FLAT, 3),
    ),
    due="Friday",
    seed=20_240_917,
)
SENTENCES = {
    exercise.name: list(dict.fromkeys(mistake.sentence for mistake in exercise.mistakes))
    for exercise in lesson_01.EXERCISES
}
CASES = {
    SLIDE: [
        ("a 2x2 kernel on a 3x3 image", "image (3, 3), kernel (2, 2)"),
        ("a kernel taller than wide", "image (6, 7), kernel (3, 2)"),
        ("an image that is one kernel large", "image (3, 2), kernel (3, 2)"),
        ("double precision stays double", "image (5, 5), kernel (3, 3)"),
    ],
    SIZE: [
        ("a kernel of 3 over 5 pixels", "size=5, kernel_size=3, stride=1, padding=0, dilation=1"),
        ("one pixel of padding", "size=7, kernel_size=3, stride=1, padding=1, dilation=1"),
    ],
    FLAT: [("100 pictures, maps of 4x4", "x (100, 16, 4, 4)"), ("two pictures, maps of 5x5", "x (2, 16, 5, 5)")],
}
SOURCE = "def {}(*given):\n    # the answer of {}\n    return given[0]\n"


def mark(name: str, state: str = "passed", wrong: str | None = None, count: int = 1, **changes) -> Mark:
    """A mark as grading makes them: in the first ``count`` cases the answer does ``wrong``."""
    points = next(exercise.points for exercise in RELEASE.exercises if exercise.name == name)
    cases = [CaseMark(*case, wrong if i < count else None) for i, case in enumerate(CASES[name])]
    right = sum(case.wrong is None for case in cases)
    share = {"passed": 1, "failed": right / len(cases)}.get(state, 0)
    drawn_right = int(20 * share)
    if state in ("missing", "not attempted"):
        cases, drawn_right = [], 0
    said = [": ".join(CASES[name][0]), changes.get("line"), wrong, changes.get("sentence")]
    made = Mark(
        exercise=name,
        lesson="01_convolution",
        points=points,
        earned=int(100 * points * min(share, drawn_right / 20)) / 100,
        state=state,
        headline=f"{right} of {len(cases)} cases right",
        details=list(filter(None, said)) if wrong else [],
        cases=cases,
        drawn_right=drawn_right,
        drawn=20 if cases else 0,
        source=SOURCE.format(name, name),
    )
    return replace(made, **changes)


def result(number: int, *marks: Mark, name: str = "", **changes) -> Result:
    """What a student got; exercises that are not mentioned are passed."""
    given = {made.exercise: made for made in marks}
    all_marks = [given.get(exercise.name) or mark(exercise.name) for exercise in RELEASE.exercises]
    return Result(Student(f"s{number:03}", name or f"Student Name{number}"), all_marks, **changes)


def a_class() -> list[Result]:
    """A class, with what is counted in the tests planted in it."""
    shape, value = "expected shape (4, 6), yours (4, 5)", "expected 3, yours 2"
    square = {"sentence": SENTENCES[SLIDE][2], "fingerprint": "square"}
    unnamed = "NameError: name 'helper' is not defined"
    printed = "it printed: 3 3 3 … (512 characters in all)"
    return [
        *(result(n, mark(SLIDE, "failed", shape, **square)) for n in (1, 2, 3)),
        result(4, mark(SLIDE, "failed", shape, sentence=SENTENCES[SLIDE][0])),
        result(5, mark(SIZE, "failed", value, sentence=SENTENCES[SIZE][0])),
        result(6, mark(SIZE, "failed", unnamed, 2, line="your line 3: return helper(size)")),
        result(7, mark(SIZE, "failed", "expected 5, yours 3", details=["one: 1", "expected 5, yours 3", printed])),
        result(8, mark(SIZE, "failed", "expected 5, yours 3")),
        result(9, mark(SIZE, "failed", "it did not end within 5 seconds: is there a loop?", timed_out=True)),
        result(10, mark(FLAT, "not attempted"), mark(SIZE, "missing")),
        result(11, mark(FLAT, "not attempted"), mark(SIZE, "missing"), notes=["The cell of output_size is not there."]),
        result(12, mark(SLIDE, "held", flags=[Flag("reaches", "It reaches for `__globals__`.")])),
        result(13, mark(FLAT, fingerprint="rare")),
        result(14, mark(FLAT, fingerprint="rare"), mark(SLIDE, flags=[Flag("twin", "It is the course's block.")])),
        *(result(n, mark(FLAT, fingerprint="common")) for n in range(15, 20)),
        *(result(n, mark(FLAT, fingerprint=f"own {n}")) for n in range(20, 23)),
        Result(Student("s023", "Student Name23"), crashed="The notebook is no JSON."),
    ]


def every_page() -> dict[str, str]:
    results = a_class()
    students = {result.student.id: feedback_page(result, RELEASE) for result in results}
    nobody = {"nobody": report_page([], RELEASE), "nobody, anonymous": report_page([], RELEASE, anonymous=True)}
    reports = {"report": report_page(results, RELEASE), "anonymous": report_page(results, RELEASE, anonymous=True)}
    return students | reports | nobody


PAGES = every_page()
each_page = pytest.mark.parametrize("name", PAGES)
VOID = {"meta", "br"}


class Tags(HTMLParser):
    """The tags of a page with their attributes; complains where they are not nested."""

    def __init__(self, page: str):
        super().__init__()
        self.tags, self.open = [], []
        self.feed(page)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attributes: list) -> None:
        self.tags.append((tag, attributes))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def text_of(page: str) -> str:
    """What can be read on a page, with single spaces."""
    return " ".join(BeautifulSoup(page, "html.parser").body.get_text(" ").split())


def section(page: str, heading: str) -> BeautifulSoup:
    """The section of a page that one heading names."""
    soup = BeautifulSoup(page, "html.parser")
    return next(found for found in soup.find_all("section") if heading in found.find("h2").get_text())


# ---- What a page is made of


@each_page
def test_pages_can_be_read_by_everybody(name):
    page = PAGES[name]
    tags, soup = Tags(page).tags, BeautifulSoup(page, "html.parser")
    assert page.startswith("<!DOCTYPE html>")
    assert soup.html["lang"] == "en"
    assert soup.title.get_text() == soup.h1.get_text() != ""
    assert [len(soup.find_all(tag)) for tag in ("h1", "main", "header", "footer")] == [1, 1, 1, 1]
    levels = [int(tag[1]) for tag, _ in tags if re.fullmatch("h[1-6]", tag)]
    assert all(lower - upper <= 1 for upper, lower in pairwise(levels)), levels
    assert all(head.get("scope") in ("col", "row") for head in soup.find_all("th"))
    assert all(table.caption and table.thead for table in soup.find_all("table"))
    assert all(section.get("aria-labelledby") for section in soup.find_all("section"))
    ids = [tag["id"] for tag in soup.find_all(id=True)]
    assert len(ids) == len(set(ids))
    pointed_at = {tag["href"][1:] for tag in soup.find_all("a")}
    pointed_at |= {tag["aria-labelledby"] for tag in soup.find_all(attrs={"aria-labelledby": True})}
    assert pointed_at <= set(ids)


@each_page
def test_pages_run_nothing_and_fetch_nothing(name):
    page = PAGES[name]
    soup = BeautifulSoup(page, "html.parser")
    assert not soup.find_all(["script", "link", "img", "iframe", "object", "embed", "form", "svg", "base"])
    policy = soup.find("meta", attrs={"http-equiv": "Content-Security-Policy"})["content"]
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'")
    for tag, attributes in Tags(page).tags:
        for attribute, value in attributes:
            assert not attribute.startswith("on") and attribute not in ("src", "srcset", "action", "background")
            assert attribute != "href" or (tag == "a" and value.startswith("#"))
    assert not re.search(r"https?:|//\w|url\(|@import|javascript:|data:", page)


def test_the_same_results_give_the_same_bytes():
    results = a_class()
    for anonymous in (False, True):
        assert report_page(results[::-1], RELEASE, anonymous) == report_page(results, RELEASE, anonymous)
    assert not re.search(r"\b20\d\d-\d\d|\d\d:\d\d", PAGES["report"])


def luminance(colour: str) -> float:
    """WCAG 2: the relative luminance of #rrggbb."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one: str, other: str) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def test_text_has_contrast_in_light_and_dark():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    css = BeautifulSoup(PAGES["report"], "html.parser").style.get_text()
    roots = re.findall(r":root \{(.*?)\}", css)
    assert len(roots) == 3  # light, dark, print
    rest = re.sub(r":root \{.*?\}", "", css)
    assert not re.search(r"#[0-9a-fA-F]{3,8}\b|rgba?\(|opacity", rest)  # every colour has a name
    bars = r"\.bar span \{[^}]*\}"
    assert "background: var(--blue)" in re.search(bars, rest)[0]
    rest = re.sub(bars, "", rest)  # there is no text on them
    texts = set(re.findall(r"[\s;{]color: var\(--(\w+)\)", rest))
    grounds = set(re.findall(r"background: var\(--(\w+)\)", rest))
    assert texts == {"ink", "grey", "blue", "green", "red"} and grounds == {"paper", "area"}
    for root in roots:
        colours = dict(re.findall(r"--(\w+): (#\w{6});", root))
        for text in texts:
            for ground in grounds:
                assert contrast(colours[text], colours[ground]) >= 4.5, (text, ground, root)


# ---- What is handed in does no harm


HOSTILE = (
    "<script>alert(1)</script>\"' onload=x & </pre></title></style><!-- &lt; {{ 7*7 }} {% raw %} ${x} `</code>` "
    "\x00\x07\x1b[31m\r\u202e\u2066\u2028\ufeff\ud800\udfff\U000e0041"
)
# The course's own, or what a page is sorted by; everything else that is text may come from a student.
OURS = {"exercise", "lesson", "state", "sentence", "kind"}
OUR_CASES = {"name", "arguments"}


def spoiled(record, text, spare=frozenset()):
    """The same record, with a text in every place that holds one."""
    if isinstance(record, str):
        return text
    if isinstance(record, list | tuple):
        return type(record)(spoiled(item, text, spare) for item in record)
    if isinstance(record, dict):
        return dict.fromkeys([text], text)
    if not is_dataclass(record):
        return record
    kept = OUR_CASES if isinstance(record, CaseMark) and "sentence" in spare else spare
    made = {f.name: spoiled(getattr(record, f.name), text, spare) for f in fields(record) if f.name not in kept}
    return replace(record, **made)


def spoiled_class(text: str, spare: set[str]) -> list[Result]:
    """A class in which every text is this one; each id has its number added."""
    found = []
    for number, one in enumerate(a_class()):
        one.files = {"01_convolution": "handed_in.ipynb"}
        one.notes = [*one.notes, "A note."]
        for mark in one.marks:
            mark.line, mark.flags = "your line 1", [*mark.flags, Flag("near", "Near to another.")]
        bad = spoiled(one, text, spare)
        bad.student = Student(f"{text}{number}", text)
        found.append(bad)
    return found


STRUCTURE = {"exercise", "lesson", "state"}


@pytest.mark.parametrize("place", range(len(a_class())))
def test_a_feedback_page_keeps_its_structure_whatever_is_handed_in(place):
    hostile, harmless = (feedback_page(spoiled_class(text, STRUCTURE)[place], RELEASE) for text in (HOSTILE, "plain"))
    assert Tags(hostile).tags == Tags(harmless).tags
    assert_readable(hostile)


def test_a_report_keeps_its_structure_whatever_is_handed_in():
    hostile, harmless = (report_page(spoiled_class(text, STRUCTURE), RELEASE) for text in (HOSTILE, "plain"))
    assert Tags(hostile).tags == Tags(harmless).tags
    assert_readable(hostile)


def test_an_anonymous_report_keeps_its_parts_whatever_is_handed_in():
    pages = [report_page(spoiled_class(text, STRUCTURE), RELEASE, anonymous=True) for text in (HOSTILE, "plain")]
    hostile, harmless = (Counter(map(str, Tags(page).tags)) for page in pages)  # numbers, and so the order, differ
    assert hostile == harmless
    assert_readable(pages[0])


def test_a_release_is_escaped_too():
    for page in (lambda release: feedback_page(result(1), release), lambda release: report_page([result(1)], release)):
        strange = replace(RELEASE, version=HOSTILE, due=HOSTILE)
        assert Tags(page(strange)).tags == Tags(page(RELEASE)).tags
        assert_readable(page(strange))


def assert_readable(page: str) -> None:
    """It can be written, and holds nothing that hides or turns other text."""
    page.encode("utf-8")
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u2028\u2029\ufeff\U000e0041]", page)
    assert "alert(1)" not in page or "&lt;script&gt;alert(1)" in page
    assert "7*7" in page or "49" not in page


def test_what_cannot_be_seen_is_shown():
    assert clean("a\u202eb\ud800\x00") == "a[U+202E]b[U+D800][U+0000]"
    assert clean("a\r\nb\rc\td") == "a\nb\nc\td"
    assert clean("für 画像 🙂 \u200d") == "für 画像 🙂 \u200d"  # other people's writing stays
    assert clean("x" * 12, 10) == "x" * 10 + " … (2 more characters)"


def test_an_answer_is_shown_as_it_was_handed_in():
    source = "def output_size(a, b):\n\tif a < b & True:  # <b>“ü”</b>\n        return '&lt;'\n"
    page = feedback_page(result(1, mark(SIZE, "failed", "expected 3, yours 2", source=source)), RELEASE)
    shown = section(page, SIZE).find("pre")
    assert shown.get_text() == source
    assert not shown.find_parent("details").has_attr("open")


def test_pages_stay_small():
    book = "<&" * 500_000
    one = spoiled(a_class()[5], book, STRUCTURE)
    assert len(feedback_page(one, RELEASE)) < 800_000
    assert len(report_page([one], RELEASE)) < 800_000


# ---- What a student reads


def test_the_sentence_that_helps_stands_out():
    page = feedback_page(a_class()[0], RELEASE)
    found = section(page, SLIDE)
    help_ = found.find(class_="help")
    assert SENTENCES[SLIDE][2] in help_.get_text()
    assert found.get_text().count(SENTENCES[SLIDE][2]) == 1
    assert "4.5 of 6 points" in found.h2.get_text() + found.find(class_="points").get_text()
    assert "11.5 of 13 points" in text_of(page)
    assert "15 of 20 are right" in found.get_text()


def test_each_case_says_whether_it_was_right():
    found = section(feedback_page(a_class()[0], RELEASE), SLIDE).select("ul.cases li")
    said = [" ".join(item.get_text(" ").split()) for item in found]
    assert said[0] == (
        "✗ wrong: a 2x2 kernel on a 3x3 image (image (3, 3), kernel (2, 2)) expected shape (4, 6), yours (4, 5)"
    )
    assert [line.split()[:2] for line in said[1:]] == [["✓", "right:"]] * 3


def test_every_state_has_a_sign_and_words():
    table = {
        line.th.get_text(): " ".join(line.td.get_text().split())
        for page in (PAGES["s001"], PAGES["s006"], PAGES["s010"], PAGES["s012"])
        for line in BeautifulSoup(page, "html.parser").tbody.find_all("tr")
        if not line.td.get_text().startswith("✓")
    }
    assert table == {SIZE: "– no answer cell", FLAT: "○ not attempted", SLIDE: "… waits for a person"}
    assert "✗ not right yet" in text_of(PAGES["s006"])
    assert "◐ partly right" in text_of(PAGES["s001"])
    assert "✓ right" in text_of(PAGES["s001"])


def test_a_name_that_is_missing_is_explained():
    found = section(PAGES["s006"], SIZE).get_text()
    assert "NameError: name 'helper' is not defined" in found
    assert "Only answer cells are run" in found
    assert "your line 3: return helper(size)" in found
    assert "Only answer cells are run" not in section(PAGES["s006"], SLIDE).get_text()


def test_what_was_printed_and_what_the_cell_lacks_is_shown():
    assert "It printed: 3 3 3 … (512 characters in all)" in " ".join(section(PAGES["s007"], SIZE).get_text().split())
    unread = mark(SIZE, "failed", cases=[], drawn=0, headline="the cell does not define output_size; it defines f")
    assert "The cell does not define output_size; it defines f." in text_of(feedback_page(result(1, unread), RELEASE))


def test_a_drawn_case_is_told_where_the_named_ones_are_right():
    drawn = mark(
        SIZE,
        "failed",
        headline="all 2 named cases right, but 3 of 20 drawn ones wrong",
        details=["drawn inputs: size=9", "expected 4, yours 5"],
        drawn_right=17,
        earned=3.4,
    )
    found = section(feedback_page(result(1, drawn), RELEASE), SIZE).get_text()
    assert "One of the drawn cases that came out wrong:" in found
    assert "drawn inputs: size=9" in found and "expected 4, yours 5" in found
    assert "3.4 of 4 points" in found


def test_an_answer_that_is_held_is_told_neutrally():
    flag = Flag("reaches", "It reaches.")
    held = mark(SLIDE, "held", headline="as it is, 6 of 6", details=["a detail"], flags=[flag])
    page = feedback_page(result(1, held), RELEASE)
    found = section(page, SLIDE).get_text()
    assert "A person will look at this answer" in found
    assert "reaches" not in page and "6 of 6" not in page and "a detail" not in page
    assert "7 of 13 points so far" in text_of(page)


def test_where_there_is_no_answer_none_is_shown():
    for exercise in (SIZE, FLAT):
        assert not section(PAGES["s010"], exercise).find("details")
    assert section(PAGES["s010"], SLIDE).find("details")


def test_a_submission_that_could_not_be_graded_is_told_neutrally():
    said = text_of(PAGES["s023"])
    assert "Not marked yet" in said and "A person will look at it" in said
    assert "JSON" not in said and "0 of" not in said


def test_flags_and_notes_are_not_for_students():
    for student in ("s011", "s012", "s014"):
        assert not re.search("The cell of output_size|__globals__|course's block", PAGES[student])


def test_how_marks_are_made_is_said_in_two_sentences():
    said = " ".join(section(PAGES["s001"], "How marks are made").p.get_text().split())
    assert len(re.findall(r"\.(?: |$)", said)) == 2
    assert "The smaller of the two shares" in said
    assert "half of the cases earn nothing" in said


# ---- What the instructor reads


def rows(page: str, caption: str) -> list[list[str]]:
    """The cells of the table with such a caption."""
    soup = BeautifulSoup(page, "html.parser")
    table = next(table for table in soup.find_all("table") if caption in table.caption.get_text())
    lines = table.tbody.find_all("tr")
    return [[" ".join(part.get_text(" ").split()) for part in line.find_all(["th", "td"])] for line in lines]


def test_states_and_marks_are_counted():
    page = PAGES["report"]
    assert rows(page, "What became of each exercise") == [
        [SLIDE, "5.45 of 6", "17", "4", "0", "0", "0", "1"],
        [SIZE, "3.09 of 4", "15", "4", "1", "0", "2", "0"],
        [FLAT, "2.73 of 3", "20", "0", "0", "2", "0", "0"],
    ]
    assert rows(page, "How the marks of each exercise")[1] == [SIZE, "3", "0", "4", "0", "15"]
    shares = {line[0]: int(line[1]) for line in rows(page, "How many students")}
    assert sum(shares.values()) == 22
    assert shares["90–100 %"] == 10 and shares["40–49 %"] == 2
    assert "23 submissions, of which 1 could not be graded" in text_of(page)
    assert "mean 11.27, median 11.5, from 6 to 13" in text_of(page)


def test_bars_are_as_long_as_the_counts():
    lines = BeautifulSoup(PAGES["report"], "html.parser").find("table").tbody.find_all("tr")
    widths = [float(re.search(r"width:([\d.]+)%", line.select_one(".bar span")["style"])[1]) for line in lines]
    assert widths == [0, 0, 0, 0, 20, 10, 10, 0, 80, 100]


def test_marks_at_the_edge_of_a_step_are_below_it():
    shares = (0, 0.01, 1 / 3, 0.34, 2 / 3, 0.67, 0.99, 1)
    results = [result(n, mark(FLAT, "failed", earned=3 * share)) for n, share in enumerate(shares)]
    assert rows(report_page(results, RELEASE), "How the marks")[2] == [FLAT, "1", "2", "2", "2", "1"]


def test_misunderstandings_are_counted_by_name():
    found = rows(PAGES["report"], "Mistakes that were recognised")
    assert [line[0] for line in found] == ["3 of 22", "1 of 22", "1 of 22"]
    assert found[0][1].startswith(f"{SLIDE}: {SENTENCES[SLIDE][2]}")
    assert all(f"(s00{n})" in found[0][1] for n in (1, 2, 3)) and "(s004)" not in found[0][1]
    assert found[1][1].startswith(f"{SLIDE}: {SENTENCES[SLIDE][0]}")
    assert found[2][1].startswith(f"{SIZE}: {SENTENCES[SIZE][0]}")


def test_other_failures_are_counted_by_what_was_wrong():
    found = rows(PAGES["report"], "By what was wrong")
    assert [line[0] for line in found] == ["2 of 22", "1 of 22", "1 of 22"]
    assert found[0][1].startswith(f"{SIZE}: another value for example: expected 5, yours 3")
    assert found[1][1].startswith(f"{SIZE}: NameError for example: NameError: name 'helper'")
    assert found[2][1].startswith(f"{SIZE}: it did not end in time")
    assert "1 of 22 students" in section(PAGES["report"], "Time-outs").get_text()


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("expected shape (4, 6), yours (4, 5)", "another shape"),
        ("3 of 24 numbers differ, the first at [0, 1]: expected 0.3, yours 0.4", "other numbers"),
        ("ValueError: expected shape Anna", "ValueError"),
        ("AnnaError: hello", "an error of its own kind"),
        ("SyntaxError in line 3: invalid syntax: Anna(", "SyntaxError"),
        ("it did not end within 5 seconds: is there a loop that never stops?", "it did not end in time"),
        ("gradient: expected torch.float32, yours torch.float64", "another dtype"),
        ("Stopped: its process ended before it answered: os._exit", "its process ended before it answered"),
        ("Anna", None),
    ],
)
def test_kinds_of_failure(said, kind):
    assert kind_of(said) == kind


def test_answers_that_are_alike_are_grouped():
    found = section(PAGES["report"], "Answers that are alike")
    groups = [" ".join(article.get_text(" ").split()) for article in found.find_all("article")]
    assert len(groups) == 2  # five right answers that are alike, or one alone, tell nothing
    assert groups[0].startswith(f"{SLIDE}, partly right 3 of the 5 answers that did not pass are the same: ")
    assert all(f"(s00{n})" in groups[0] for n in (1, 2, 3))
    assert groups[1].startswith(f"{FLAT}, passed 2 of the 20 answers that passed are the same: ")
    assert "(s013)" in groups[1] and "(s014)" in groups[1]


def test_answers_without_a_fingerprint_or_an_attempt_are_not_alike():
    results = [result(n, mark(SIZE, "failed", "expected 5, yours 3", 2, fingerprint="")) for n in (1, 2)]
    results += [result(n, mark(SIZE, "not attempted", fingerprint="stub")) for n in (3, 4)]
    assert not section(report_page(results, RELEASE), "Answers that are alike").find("article")


def test_what_needs_a_human_eye_is_listed():
    found = section(PAGES["report"], "To look at").find_all("article")
    said = [" ".join(article.get_text(" ").split()) for article in found]
    starts = (
        "Student Name11 (s011) The cell of output_size is not there.",
        f"Student Name12 (s012) , {SLIDE} (held) It reaches for `__globals__`. 4 of 4 cases right",
        f"Student Name14 (s014) , {SLIDE} (passed) It is the course's block.",
        "Student Name23 (s023) Grading this submission failed as a whole. The notebook is no JSON.",
    )
    assert all(line.startswith(start) for line, start in zip(said, starts, strict=True))
    assert found[1].pre.get_text() == SOURCE.format(SLIDE, SLIDE)


# ---- Nobody is named


def test_an_anonymous_report_holds_nothing_that_a_student_wrote():
    results = spoiled_class("Marlene", OURS)
    assert report_page(results, RELEASE).count("Marlene") > 100
    page = report_page(results, RELEASE, anonymous=True)
    assert "marlene" not in page.lower()
    assert not re.search(r"Student Name|\bs0\d\d\b|given\[0\]|JSON|__globals__", PAGES["anonymous"])
    kinds = spoiled_class("Marlene", OURS - {"kind"})
    assert "Marlene" not in report_page(kinds, RELEASE, anonymous=True)


def test_an_anonymous_report_counts_the_same():
    for caption in ("What became of each exercise", "How the marks", "How many students"):
        assert rows(PAGES["anonymous"], caption) == rows(PAGES["report"], caption)
    numbers = student_numbers(a_class(), RELEASE)
    found = rows(PAGES["anonymous"], "Mistakes that were recognised")
    three = sorted(numbers[f"s00{n}"] for n in (1, 2, 3))
    assert found[0] == ["3 of 22", f"{SLIDE}: {SENTENCES[SLIDE][2]} " + " , ".join(f"student {n}" for n in three)]
    assert len(section(PAGES["anonymous"], "To look at").find_all("article")) == 4


def test_numbers_are_drawn_by_the_secret():
    results = a_class()
    numbers = student_numbers(results, RELEASE)
    assert sorted(numbers.values()) == list(range(1, 24))
    assert numbers == student_numbers(results[::-1], RELEASE)
    assert numbers != student_numbers(results, replace(RELEASE, seed=1))
    assert list(numbers) != sorted(numbers)
    assert student_numbers([Result(Student("\ud800"))], RELEASE) == {"\ud800": 1}
