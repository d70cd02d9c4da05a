"""Does ``check`` reject answers that it was not written against? Each right answer, changed in one place at a time.

    pip install mutmut==3.8.1               # not a part of the course's own set-up
    python -m benchmarks.checkers [softmax ...]

The changes are mutmut's. A changed answer that passes is tried on further cases: the named ones with ten other
contents, and 200 drawn ones. Where it is wrong on one of them, the checker has a hole; where it is right on all, it is
listed, for a human to say whether it is the same answer in other words.
"""

import multiprocessing
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from typing import NamedTuple

import libcst
from libcst import matchers
from mutmut.mutation.file_mutation import create_mutations
from tqdm import tqdm

from benchmarks.mutants import change, nodes
from course_utils.exercises import EXERCISES, source_of
from course_utils.exercises.checking import check_answer, try_case
from course_utils.exercises.exercise import Draw
from tests.test_exercises import typed


class Found(NamedTuple):
    """What became of the mutants of one right answer."""

    name: str
    mutants: int
    rejected: int
    same: list[str]  # passed, and right on all further cases: what was changed
    holes: list[str]  # passed, and wrong on a further case


def further_cases(name: str) -> list:
    exercise = EXERCISES[name]
    named = [case for seed in range(1, 11) for case in exercise.cases(Draw(seed))]
    return named + exercise.drawn_cases(200, seed=2)


def attack(name: str) -> Found:
    """Try every mutant of an exercise's right answer."""
    exercise = EXERCISES[name]
    source, mutations, *_ = create_mutations(f"{name}.py", source_of(exercise.reference, name))
    of_messages = {id(node) for raised in matchers.findall(source, matchers.Raise()) for node in nodes(raised)}
    tried, rejected, same, holes = 0, 0, [], []
    for mutation in mutations:
        if mutation.contained_by_top_level_function is None or id(mutation.original_node) in of_messages:
            continue
        mutated: libcst.Module = source.deep_replace(mutation.original_node, mutation.mutated_node)
        tried += 1
        try:
            answer = typed(mutated.code, name)
        except Exception:  # it cannot even be defined
            rejected += 1
            continue
        if not check_answer(answer, exercise).passed:
            rejected += 1
            continue
        wrong = next((t for t in (try_case(answer, exercise, case) for case in further_cases(name)) if t.wrong), None)
        if wrong:
            holes.append(f"{change(source, mutation)}\n    on {wrong.case.name}: {wrong.wrong}")
        else:
            same.append(change(source, mutation))
    return Found(name, tried, rejected, same, holes)


def main() -> None:
    os.environ["OMP_NUM_THREADS"] = "1"  # of the processes to come
    names = sys.argv[1:] or list(EXERCISES)
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        found = list(tqdm(pool.map(attack, names), total=len(names)))
    print("| lesson | exercises | mutants | rejected | the same answer | holes |")
    print("|---|--:|--:|--:|--:|--:|")
    for lesson in dict.fromkeys(EXERCISES[name].lesson for name in names):
        here = [each for each in found if EXERCISES[each.name].lesson == lesson]
        mutants, rejected = sum(each.mutants for each in here), sum(each.rejected for each in here)
        same, holes = sum(len(each.same) for each in here), sum(len(each.holes) for each in here)
        print(f"| {lesson[:2]} | {len(here)} | {mutants} | {rejected} | {same} | {holes} |")
    for each in found:
        for kind, changes in (("hole", each.holes), ("the same", each.same)):
            for changed in changes:
                print(f"\n{each.name}, {kind}:\n{changed}")


if __name__ == "__main__":
    main()
