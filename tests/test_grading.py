"""Sixty submissions graded as planted; the same on Dask; broken off and resumed; nothing lost, nothing twice."""

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
import pytest

from course_utils.classroom import grading
from course_utils.classroom.__main__ import main
from course_utils.classroom.judging import DRAWN, Judge
from course_utils.classroom.records import Release, Result, Student, Submission, result_from
from course_utils.classroom.release import release
from course_utils.exercises import EXERCISES, checking, source_of
from course_utils.lessons import ROOT

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the sandbox is Linux's")

NAMES = ("cross_correlate2d", "output_size", "equivariance_error")

UNUSUAL = {  # right answers that look like nobody else's
    "cross_correlate2d": [
        "def cross_correlate2d(image, kernel):\n"
        "    windows = image.unfold(0, kernel.shape[0], 1).unfold(1, kernel.shape[1], 1)\n"
        "    return torch.einsum('ijuv,uv->ij', windows, kernel)\n",
        "def cross_correlate2d(image, kernel):\n"
        "    down, across = image.shape[0] - kernel.shape[0] + 1, image.shape[1] - kernel.shape[1] + 1\n"
        "    places = [(u, v) for u in range(len(kernel)) for v in range(kernel.shape[1])]\n"
        "    return sum(kernel[u, v] * image[u:u + down, v:v + across] for u, v in places)\n",
    ],
    "output_size": [
        "def output_size(size, kernel_size, stride, padding, dilation):\n"
        "    starts = range(-padding, size + padding - dilation * (kernel_size - 1), stride)\n"
        "    return len(starts)\n",
    ],
}


@dataclass
class Planted:
    """What a made-up student hands in, and what must come of it."""

    answers: dict[str, str]  # exercise -> source; the stub where there is none
    sentences: dict[str, str] = field(default_factory=dict)  # exercise -> of the mistake that was planted
    marks: dict[str, float] = field(default_factory=dict)


def right(name: str) -> str:
    return source_of(EXERCISES[name].reference, name)


def sixty(release: Release) -> dict[str, Planted]:
    """Every mistake of three exercises alone, twelve pairs of mistakes, and those who did well, half, or nothing."""
    everything = {name: right(name) for name in NAMES}
    mistakes = [(name, mistake) for name in NAMES for mistake in EXERCISES[name].mistakes]
    sets = [[one] for one in mistakes]
    draw = random.Random(0)
    while len(sets) < len(mistakes) + 12:
        pair = draw.sample(mistakes, 2)
        if pair[0][0] != pair[1][0]:
            sets.append(pair)
    planted = [
        Planted(
            everything | {name: source_of(mistake.function, name) for name, mistake in chosen},
            {name: mistake.sentence for name, mistake in chosen},
            {name: mark_in_this_process(release, name, mistake.function) for name, mistake in chosen},
        )
        for chosen in sets
    ]
    planted += [Planted(everything | {name: source}) for name, sources in UNUSUAL.items() for source in sources]
    planted += [Planted({name: everything[name] for name in NAMES[:count]}) for count in (1, 2) for _ in range(4)]
    planted += [Planted({}) for _ in range(5)]
    planted += [Planted(everything) for _ in range(60 - len(planted))]
    return {f"s{number:02}": one for number, one in enumerate(planted)}


def mark_in_this_process(release: Release, name: str, function: object) -> float:
    """What a known mistake is worth, without sandbox or border: called here, on the same cases."""
    exercise = EXERCISES[name]
    tries = [checking.try_case(function, exercise, case) for case in Judge(release).cases(name)]
    named, drawn = tries[:-DRAWN], tries[-DRAWN:]
    share = min(sum(t.wrong is None for t in part) / len(part) for part in (named, drawn))
    return int(round(100 * (20 * share - 10), 6)) / 100 if share > 0.5 else 0.0


def hand_in(students: Path, folder: Path, planted: dict[str, Planted]) -> Path:
    """Write a notebook for each student, as they would save it."""
    folder.mkdir(parents=True)
    for student, one in planted.items():
        notebook = nbformat.read(students / "01_convolution.ipynb", as_version=4)
        for cell in notebook.cells:
            for tag in cell.metadata.get("tags", ()):
                if tag.startswith("stub:") and (source := one.answers.get(tag.removeprefix("stub:"))):
                    cell.source = source
        nbformat.write(notebook, folder / f"{student}.ipynb")
    return folder


@pytest.fixture(scope="module")
def released(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("class") / "released"
    release(["01"], NAMES, out)
    return out


@pytest.fixture(scope="module")
def made(released) -> Release:
    return grading.read_release(released / "instructor")


@pytest.fixture(scope="module")
def few(made, released, tmp_path_factory) -> Path:
    """Six of the sixty, all kinds among them."""
    planted = sixty(made)
    return hand_in(
        released / "students",
        tmp_path_factory.mktemp("few") / "handed in",
        {student: planted[student] for student in ("s00", "s08", "s20", "s33", "s40", "s59")},
    )


@pytest.fixture(scope="module", autouse=True)
def in_this_process():
    """Where a test is not about processes, answers are marked in this one, which starts its sandbox once."""
    kept, grading.by_processes = grading.by_processes, in_turn
    grading.bench.cache_clear()
    yield kept
    grading.by_processes = kept


def in_turn(workers, how, todo):
    return map(how, todo)


@pytest.fixture
def processes(in_this_process, monkeypatch):
    monkeypatch.setattr(grading, "by_processes", in_this_process)
    return in_this_process


@pytest.fixture(scope="module")
def graded(released, few, in_this_process, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("graded") / "graded"
    grading.grade(released, few, out)
    return out


def files_in(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_sixty_submissions_get_the_marks_that_were_planted(made, released, processes, tmp_path):
    planted = sixty(made)
    assert len(planted) == 60
    handed_in, out = hand_in(released / "students", tmp_path / "handed in", planted), tmp_path / "graded"
    started = time.monotonic()
    results = grading.grade(released, handed_in, out, workers=2)
    print(f"\n60 submissions of 3 exercises graded in {time.monotonic() - started:.0f} s, two workers")

    assert [result.student.id for result in results] == sorted(planted)
    for result in results:
        one = planted[result.student.id]
        for mark in result.marks:
            expected = one.marks.get(mark.exercise, 10.0 if mark.exercise in one.answers else 0.0)
            assert mark.earned == expected, (result.student.id, mark)
            assert mark.sentence == one.sentences.get(mark.exercise), (result.student.id, mark)
            if mark.exercise not in one.answers:
                assert mark.state == "not attempted"
            elif mark.exercise not in one.sentences:
                assert mark.state == "passed"
        page = (out / "feedback" / f"{result.student.id}.html").read_text()
        assert all(words in re.sub(r"\s+", " ", page) for words in map(escaped, one.sentences.values()))

    page = re.sub(r"\s+", " ", grading.report(out).read_text())
    said = [sentence for one in planted.values() for sentence in one.sentences.values()]
    assert all(escaped(sentence) in page for sentence in said)


def escaped(text: str) -> str:
    import markupsafe

    return str(markupsafe.escape(text))


def test_every_mistake_earns_less_than_a_right_answer(made):
    assert all(mark < 10 for one in sixty(made).values() for mark in one.marks.values())


def test_grading_twice_gives_the_same_bytes(released, few, graded, tmp_path):
    grading.grade(released, few, tmp_path / "again")
    assert files_in(tmp_path / "again") == files_in(graded)


def test_grading_that_was_killed_goes_on_where_it_was(released, few, graded, tmp_path):
    broken_off = tmp_path / "broken off"
    command = [sys.executable, "-m", "course_utils.classroom", "grade", released, few, "--out", broken_off]
    process = subprocess.Popen(command, cwd=ROOT, start_new_session=True, stderr=subprocess.DEVNULL)
    for _ in range(1200):
        if len(list((broken_off / "results").glob("*.json"))) >= 2:
            break
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    before = {path.name: path.stat().st_mtime_ns for path in (broken_off / "results").glob("*.json")}
    assert 2 <= len(before) < 6
    assert main([*map(str, command[3:]), "--resume"]) is None
    after = {path.name: path.stat().st_mtime_ns for path in (broken_off / "results").glob("*.json")}
    assert len(after) == 6
    assert before.items() <= after.items()  # none was graded again
    left = [name for name in files_in(broken_off) if name.endswith(".part")]
    assert {name: data for name, data in files_in(broken_off).items() if name not in left} == files_in(graded)


def test_resume_grades_what_has_changed(released, made, tmp_path):
    everything = Planted({name: right(name) for name in NAMES})
    folder = hand_in(released / "students", tmp_path / "handed in", {"a": everything, "b": Planted({})})
    out = tmp_path / "graded"
    assert [result.earned for result in grading.grade(released, folder, out)] == [30, 0]
    hand_in(released / "students", tmp_path / "again", {"b": everything})
    (tmp_path / "again" / "b.ipynb").replace(folder / "b.ipynb")
    (out / "results" / "a.json").write_text("{half a file")
    assert [result.earned for result in grading.grade(released, folder, out, resume=True)] == [30, 30]


def grade_or_die(submission: Submission) -> Result:
    """What a fault in the grader itself would do: of one student's work the process dies, of another's it raises."""
    if submission.student.id == "deadly":
        os.kill(os.getpid(), signal.SIGKILL)
    return Result(submission.student)


def test_process_that_dies_is_one_line_and_takes_nobody_with_it(processes):
    todo = [Submission(Student(name)) for name in ("a", "deadly", "b", "c", "d")]
    results = {result.student.id: result for result in processes(2, grade_or_die, todo)}
    assert sorted(results) == ["a", "b", "c", "d", "deadly"]
    assert "died" in results["deadly"].crashed
    assert not any(result.crashed for name, result in results.items() if name != "deadly")


def test_fault_of_ours_is_one_line_in_the_result(made, monkeypatch):
    def broken(*arguments):
        raise ZeroDivisionError("ours")

    monkeypatch.setattr(Judge, "mark", broken)
    result = grading.grade_one(grading.to_json(made), Submission(Student("a"), {"output_size": right("output_size")}))
    assert result.crashed == "ZeroDivisionError: ours"
    assert result.earned == 0


def test_dask_grades_each_once_though_a_worker_is_killed(released, few, graded, tmp_path):
    from distributed import Client, LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, host="127.0.0.1") as cluster:
        with Client(cluster) as client:
            pids = client.run(os.getpid)
        victim = min(pids.values())
        done = []
        kept = grading.write_whole

        def kill_after_the_first(path: Path, content: str | bytes) -> None:
            kept(path, content)
            if path.parent.name == "results":
                done.append(path.name)
                if len(done) == 1:
                    os.kill(victim, signal.SIGKILL)

        grading.write_whole = kill_after_the_first
        try:
            grading.grade(released, few, tmp_path / "there", scheduler=cluster.scheduler_address)
        finally:
            grading.write_whole = kept
        with Client(cluster) as client:
            assert victim not in client.run(os.getpid).values()
    assert len(done) == len(set(done)) == 6
    assert files_in(tmp_path / "there") == files_in(graded)


def test_answer_that_reaches_for_more_is_held_until_a_person_accepts_it(made):
    source = "import os\n" + right("output_size")
    submission = Submission(Student("a"), {"output_size": source})
    assigned = next(one for one in made.exercises if one.name == "output_size")
    judge, sandbox = grading.bench(grading.to_json(made), False)
    held = judge.mark(assigned, submission, sandbox)
    accepted = judge.mark(assigned, submission, sandbox, accepted=True)
    assert (held.state, held.earned) == ("held", 0)
    assert "10 of 10" in held.headline
    assert any(flag.kind == "reaches" and "import os" in flag.text for flag in held.flags)
    assert (accepted.state, accepted.earned) == ("passed", 10)


# --- The command ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["grade", "{empty}", "{few}", "--out", "{new}"], "holds no release"),
        (["grade", "{released}", "{empty}", "--out", "{new}"], "empty"),
        (["grade", "{released}", "{few}", "--out", "{new}", "--workers", "0"], "--workers must be at least 1"),
        (["report", "{empty}"], "holds no release"),
        (["release", "01", "--out", "{new}", "--exercises", "no_such"], "no_such"),
        (["release", "99", "--out", "{new}"], "There is no lesson '99'"),
        (["release", "01", "--out", "{new}", "--points", "output_size"], "NAME=NUMBER"),
        (["release", "01", "--out", "{few}"], "few"),
    ],
)
def test_command_says_what_is_wrong(arguments, said, released, few, tmp_path):
    (tmp_path / "empty").mkdir()
    places = {"empty": tmp_path / "empty", "new": tmp_path / "new", "few": few, "released": released}
    assert said.replace("few", "handed in") in main([argument.format(**places) for argument in arguments])
    assert not (tmp_path / "new").exists()


def test_students_copy_of_a_release_cannot_be_graded_with(released, few, tmp_path):
    (tmp_path / "instructor").symlink_to(released / "students")
    assert "without the secret" in main(["grade", str(tmp_path), str(few), "--out", str(tmp_path / "new")])


def test_report_without_names(graded, tmp_path):
    shutil.copytree(graded, tmp_path / "graded")
    assert main(["report", str(tmp_path / "graded"), "--anonymous"]) is None
    written = files_in(tmp_path / "graded" / "anonymous")
    assert sorted(written) == ["canvas.csv", "moodle.csv", "report.html", "results.json"]
    for name in ("s00", "s08", "s20", "s33", "s40", "s59"):
        assert not any(name.encode() in data for data in written.values())


def test_ids_that_are_no_file_names_get_files_of_their_own(tmp_path):
    names = [grading.file_name(student) for student in ("a", "../a", "a/b", "a_b", "é", "è", "x" * 300, "x" * 301, "")]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[A-Za-z0-9_-]+(\.[0-9a-f]{8})?", name) for name in names)


def test_results_are_read_as_they_were_written(graded):
    results = grading.read_results(graded)
    assert len(results) == 6
    for result in results:
        path = graded / "results" / f"{result.student.id}.json"
        assert grading.to_json(result) == path.read_text()
        assert result_from(path.read_text()) == result
