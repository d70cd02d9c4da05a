"""The pages beside the lessons: what they show works, and what they name is there."""

import ast
import re
import runpy
import textwrap
import tomllib
from pathlib import Path
from typing import Any

import nbformat
import pytest
import yaml

from course_utils.exercises import EXERCISES
from course_utils.exercises.checking import check_answer
from course_utils.exercises.exercise import source_of
from course_utils.lessons import ROOT, lessons
from tests.test_hygiene import FLOORS

PAGES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "notebooks/NOTATION.md", "notebooks/PLAN.md")
NOT_YET = re.compile(r"10_name|lesson_10|^my/|^build/")  # a lesson to be added; what commands make


def page(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def section(name: str, heading: str) -> str:
    """What stands on a page under a heading of the second level."""
    return re.split(r"^## ", page(name).split(f"\n## {heading}\n")[1], flags=re.M)[0]


def rows(text: str) -> list[list[str]]:
    """The cells of a table's rows, but for its first row and the line below that."""
    table = [line for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table[1:]]


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_somewhere(name: str) -> None:
    links = re.findall(r"\]\(([^)#\s]+)\)", page(name))
    missing = [link for link in links if "://" not in link and not ((ROOT / name).parent / link).exists()]
    assert not missing


# ---- CONTRIBUTING.md


@pytest.fixture
def shown() -> list[str]:
    """The page's code: an exercise, and its stub."""
    text = section("CONTRIBUTING.md", "Add an exercise, in ten lines")
    return [textwrap.dedent(code) for code in re.findall(r"^ *```python\n(.*?)^ *```", text, re.M | re.S)]


def executed(code: str, path: Path) -> dict[str, Any]:
    """What a piece of code defines; from a file, as functions without source are no answers of a reader's."""
    path.write_text(code, encoding="utf-8")
    return runpy.run_path(str(path))


def test_the_exercise_on_the_page_works(shown: list[str], tmp_path: Path) -> None:
    exercise = executed(shown[0], tmp_path / "exercise.py")["EXERCISE"]
    typed = source_of(exercise.reference, exercise.name)  # as an answer may not call the reference itself
    assert check_answer(executed(typed, tmp_path / "typed.py")[exercise.name], exercise).passed
    assert len(exercise.mistakes) >= 3 and len(exercise.named_cases()) >= 3 and len(exercise.hints) >= 2
    for mistake in exercise.mistakes:
        verdict = check_answer(mistake.function, exercise)
        said = [other.sentence for other in exercise.mistakes if other.sentence in verdict.details]
        assert verdict.state == "failed" and said == [mistake.sentence], mistake.function.__name__


def test_the_exercise_on_the_page_is_declared_in_ten_lines(shown: list[str]) -> None:
    declaration = ast.parse(shown[0]).body[-1]
    assert ast.unparse(declaration).startswith("EXERCISE = Exercise(")
    assert declaration.end_lineno - declaration.lineno + 1 == 10


def test_the_stub_on_the_page_is_that_of_the_exercise(shown: list[str], tmp_path: Path) -> None:
    exercise = executed(shown[0], tmp_path / "exercise.py")["EXERCISE"]
    stub = executed(shown[1], tmp_path / "stub.py")[exercise.name]
    assert check_answer(stub, exercise).state == "not attempted"
    assert stub.__doc__ == exercise.reference.__doc__


def test_files_and_commands_that_contributors_are_sent_to_are_there() -> None:
    text = page("CONTRIBUTING.md")
    paths = [path for path in re.findall(r"`([\w.]+/[\w./]*|\w+\.(?:py|txt|toml))`", text) if not NOT_YET.search(path)]
    assert len(paths) > 10 and not [path for path in paths if not (ROOT / path).exists()]
    targets = set(re.findall(r"`make ([a-z]+)", text))
    assert targets and targets <= set(re.findall(r"^([a-z]+):", page("Makefile"), re.M))
    for name, path in re.findall(r"`(\w+)`\s+in\s+`([\w./]+\.py)`", text):
        assert re.search(rf"^{name}\b", page(path), re.M), (name, path)


# ---- README.md


def test_the_picture_of_the_house_shows_every_room_on_its_floor() -> None:
    picture = section("README.md", "The house").split("```")[3]
    floors: list[list[str]] = []
    for line in picture.splitlines():
        if "├" in line or "┌" in line:
            floors.insert(0, [])
        elif "│" in line:
            floors[0] += line.split("│")[1].split()
    assert floors == [list(floor) for floor in FLOORS]
    modules = {path.stem for path in (ROOT / "course_utils").iterdir() if not path.name.startswith("__")}
    assert modules == {room for floor in floors for room in floor}


def test_each_floor_has_its_number_and_a_line() -> None:
    text = section("README.md", "The house")
    numbers = [str(number) for number in range(len(FLOORS), 0, -1)]
    assert re.findall(r"^(\d) │", text, re.M) == re.findall(r"^- \*\*(\d), ", text, re.M) == numbers


def test_tables_of_lessons_say_what_the_lessons_say() -> None:
    first = nbformat.read(lessons()[0], as_version=4)
    way = next(cell.source for cell in first.cells if "## The way" in cell.source)
    said, in_first = rows(section("README.md", "The lessons")), rows(way)
    for table, where in ((said, "README.md"), (in_first, "lesson 00")):
        assert len(table) == len(lessons()), f"the table in {where} has {len(table)} rows for {len(lessons())} lessons"
    for path, row, short in zip(lessons(), said, in_first, strict=True):
        heading = nbformat.read(path, as_version=4).cells[0].source
        core, every, seconds = re.search(r"(\d+) minutes \(all: (\d+)\), about (\d+) seconds", heading).groups()
        assert f"(notebooks/{path.name})" in row[0]
        assert row[2:] == [f"{core} ({every})", seconds] and short[2:] == [core, seconds], path.stem


def steps_of(lesson: Path) -> list[int]:
    """The steps that a lesson's trainings are given as numbers, in order."""
    cells = nbformat.read(lesson, as_version=4).cells
    nodes = [node for cell in cells if cell.cell_type == "code" for node in ast.walk(ast.parse(cell.source))]
    found = []
    for call in (node for node in nodes if isinstance(node, ast.Call)):
        given = [word.value for word in call.keywords if word.arg == "steps"]
        if ast.unparse(call.func) in ("training.fit", "dcgan.train"):
            given += call.args[3:4]
        found += [value.value for value in given if isinstance(value, ast.Constant)]
    return found


def test_what_a_lesson_takes_is_of_the_lessons_as_they_are() -> None:
    """Sizes and steps exactly, as they do not depend on the machine; seconds only as far as the lesson states them."""
    *table, together = rows(section("README.md", "What a lesson takes"))
    assert len(table) == len(lessons()) and together[0] == "together"
    for path, (number, two, one, training, memory, size, steps) in zip(lessons(), table, strict=True):
        heading = nbformat.read(path, as_version=4).cells[0].source
        stated = int(re.search(r"about (\d+) seconds", heading)[1])
        assert number == path.stem[:2]
        assert float(two) <= 1.2 * stated <= 2.4 * float(two) + 6, "measured again, and the heading is as it was"
        assert float(training) < float(two) and float(two) < float(one) + 3 and int(memory) < 2048
        assert size == f"{path.stat().st_size / 1e6:.1f}", path.stem
        assert steps == (", ".join(map(str, steps_of(path))) or "–"), path.stem


# ---- CITATION.cff and CHANGELOG.md


def test_citation_and_changelog_are_of_the_version_and_licence_of_the_package() -> None:
    citation, project = yaml.safe_load(page("CITATION.cff")), tomllib.loads(page("pyproject.toml"))["project"]
    assert (citation["cff-version"], citation["type"]) == ("1.2.0", "software")
    assert citation["message"] and citation["title"] == page("README.md").splitlines()[0].lstrip("# ")
    assert citation["version"] == project["version"]
    assert set(citation["license"]) == set(project["license"].split(" AND "))
    assert f"the {citation['authors'][0]['name'].removeprefix('the ')}\n" in page("LICENSE")
    assert re.findall(r"^## (\S+)", page("CHANGELOG.md"), re.M)[0] == project["version"]


# ---- notebooks/NOTATION.md


@pytest.fixture(scope="module")
def texts() -> dict[str, tuple[str, str]]:
    """By number, all that a lesson's cells say, and the formulas of its text."""
    found = {}
    for path in lessons():
        cells = nbformat.read(path, as_version=4).cells
        prose = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
        formulas = re.findall(r"\$\$.+?\$\$|\$.+?\$", prose, re.S)
        found[path.stem[:2]] = "\n".join(cell.source for cell in cells), "\n".join(formulas)
    return found


def test_every_symbol_stands_in_the_lessons_that_the_table_names(texts: dict[str, tuple[str, str]]) -> None:
    table, checked = rows(page("notebooks/NOTATION.md").split("\n## ")[0]), 0
    for symbols, _, named in table:
        for code, formula in re.findall(r"`([^`]+)`|\$([^$]+)\$", symbols):
            symbol = re.compile(rf"(?<![A-Za-z_\\]){re.escape(code or formula)}(?![A-Za-z])")
            for lesson in list(texts) if named == "all" else named.split(", "):
                assert symbol.search(texts[lesson][0 if code else 1]), (code or formula, lesson)
                checked += 1
    assert checked > 100


def test_letters_of_two_meanings_name_lessons_that_there_are(texts: dict[str, tuple[str, str]]) -> None:
    for letter, here, elsewhere in rows(section("notebooks/NOTATION.md", "Letters that mean two things")):
        named = re.findall(r"\b\d\d\b", here + elsewhere)
        assert set(named) <= texts.keys() and (named or "all" in here), letter


# ---- notebooks/PLAN.md


def test_plan_holds_every_exercise_with_its_minutes() -> None:
    seen: dict[str, bool] = {}
    for _, numbers, _, _, assigned, minutes, hardest, more in rows(page("notebooks/PLAN.md")):
        here = {name: e for name, e in EXERCISES.items() if e.lesson[:2] in numbers.split(" and ")}
        for cell, optional in ((assigned, False), (more, True)):
            named = re.findall(r"`(\w+)` (\d+)", cell)
            assert named == [(name, str(e.minutes)) for name, e in here.items() if e.optional is optional]
            seen |= dict.fromkeys((name for name, _ in named), True)
        core = [e for e in here.values() if not e.optional]
        assert (int(minutes), int(hardest)) == (sum(e.minutes for e in core), max(e.difficulty for e in core))
    lacking = EXERCISES.keys() - seen.keys()
    assert not lacking, f"notebooks/PLAN.md does not say when to assign {', '.join(sorted(lacking))}"


# ---- the lessons


def test_lessons_say_of_each_exercise_what_it_asks_for(texts: dict[str, tuple[str, str]]) -> None:
    said = {
        name: (int(minutes), int(difficulty))
        for prose, _ in texts.values()
        for name, minutes, difficulty in re.findall(r"`(\w+)` ·.* (\d+) minutes · difficulty (\d) of 5", prose)
    }
    assert said == {name: (e.minutes, e.difficulty) for name, e in EXERCISES.items()}
