"""The faults of ``benchmarks.faults`` fit the lessons as they are: each changes one code cell, into code that parses.

Whether the lessons notice them is what the benchmark measures; here no kernel starts.
"""

import ast
from collections import Counter

import nbformat
import pytest

from benchmarks.faults import FAULTS, Fault, planted
from course_utils.lessons import find, lessons
from tests.lesson_notebooks import code_cells, tagged


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.lesson[:2]} {fault.what}")
def test_a_fault_changes_one_cell_that_is_no_exercise(fault: Fault) -> None:
    lesson = nbformat.read(find(fault.lesson), as_version=4)
    sources = [cell.source for cell in code_cells(lesson)]
    of_exercises = [cell.source for kind in ("stub", "check") for _, cell in tagged(lesson, kind)]
    assert sum(source.count(fault.old) for source in sources) == 1
    assert not any(fault.old in source for source in of_exercises)
    faulty, place = planted(fault)
    changed = [cell.source for cell in code_cells(faulty)]
    assert [at for at, pair in enumerate(zip(sources, changed, strict=True)) if pair[0] != pair[1]] == [place]
    assert ast.dump(ast.parse(changed[place])) != ast.dump(ast.parse(sources[place]))


def test_every_lesson_has_two_faults_at_least() -> None:
    counts = Counter(fault.lesson for fault in FAULTS)
    assert sorted(counts) == [lesson.stem for lesson in lessons()]
    assert min(counts.values()) >= 2
    assert len(FAULTS) >= 20


def test_no_two_faults_are_the_same() -> None:
    assert len({(fault.lesson, fault.old) for fault in FAULTS}) == len(FAULTS)
    assert len({(fault.lesson, fault.what) for fault in FAULTS}) == len(FAULTS)
