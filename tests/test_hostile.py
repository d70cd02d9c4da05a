"""Attacks on the classroom's sandbox: each gets nothing, leaves nothing behind, and the instructor sees what it was.

``pytest tests/test_hostile.py -s | grep '^|'`` prints what each attack came to, as a table.
"""

import contextlib
import functools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import nbformat
import psutil
import pytest
import torch
from nbformat.v4 import new_code_cell, new_notebook

from course_utils.classroom import border, grading, sandbox
from course_utils.classroom.judging import WHY, Judge
from course_utils.classroom.records import Assigned, Mark, Release, Student, Submission, to_json
from course_utils.classroom.sandbox import Sandbox, Tried
from course_utils.exercises import EXERCISES
from course_utils.exercises.running import Outcome
from course_utils.lessons import ROOT

from .hostile import ATTACKS, CASES, RIGHT, ROUGH, SEED, Attack

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or not shutil.which("bwrap"), reason="answers are isolated by bubblewrap, on Linux"
)

NAMES = ("cross_correlate2d", "output_size", "dropout", "reparameterize", "train_one_epoch")
RELEASE = Release("1", tuple(Assigned(EXERCISES[name].lesson, name, 10.0) for name in NAMES), seed=SEED)
SECONDS = 10.0  # for an answer that never ends; it is tried twice


class Ring:
    """A sandbox, a judge, and what the attacks have come to so far."""

    def __init__(self, outside: Path):
        self.outside, self.sandbox, self.judge = outside, Sandbox(), Judge(RELEASE)
        self.rows: list[tuple[Attack, Mark]] = []
        (outside / "secret.txt").write_text("nobody reads this")
        self.places = {"@OUTSIDE@": str(outside), "@ROOT@": str(ROOT), "@HOME@": os.path.expanduser("~")}
        self.places["@TEMPORARY@"] = tempfile.gettempdir()

    def mark(self, attack: Attack) -> Mark:
        assigned = next(one for one in RELEASE.exercises if one.name == attack.exercise)
        source = functools.reduce(lambda text, place: text.replace(*place), self.places.items(), attack.source)
        submission = Submission(Student("s"), {**attack.others, attack.exercise: source})
        mark = self.judge.mark(assigned, submission, self.sandbox)
        self.rows.append((attack, mark))
        return mark


@pytest.fixture(scope="module")
def ring(tmp_path_factory) -> Iterator[Ring]:
    """After all attacks an honest answer gets its points, nobody is left, and nothing was written anywhere."""
    patch = pytest.MonkeyPatch()
    patch.setattr(sandbox, "SECONDS", SECONDS)
    ring = Ring(tmp_path_factory.mktemp("outside"))
    before = {place: set(os.listdir(place)) for place in written_to()}
    try:
        yield ring
        assert ring.mark(Attack("honest, after all of these", RIGHT)).earned == 10
        assert not left_of(ring.sandbox.uid)
        assert [path.name for path in ring.outside.iterdir()] == ["secret.txt"]
        left = {name for place in written_to() for name in set(os.listdir(place)) - before[place] if "marker" in name}
        assert not left
        print("\n" + table(ring.rows))
    finally:
        ring.sandbox.close()
        patch.undo()


def written_to() -> list[str]:
    return ["/", "/tmp", "/dev/shm", str(ROOT), os.path.expanduser("~"), os.path.dirname(torch.__file__)]


def left_of(uid: int | None) -> list[str]:
    """Processes of the user that answers run under, where the grader is root; those that end now may take a second."""
    deadline = time.monotonic() + 5
    while True:
        found = [str(p.pid) for p in psutil.process_iter() if uid is not None and uid_of(p) == uid]
        if not found or time.monotonic() > deadline:
            return found
        time.sleep(0.1)


def uid_of(process: psutil.Process) -> int | None:
    with contextlib.suppress(psutil.Error):
        return process.uids().effective
    return None


def seen(mark: Mark) -> str:
    return "\n".join([mark.headline, *mark.details])


def table(rows: list[tuple[Attack, Mark]]) -> str:
    """Markdown: the attack, what it got, and what the instructor sees."""
    lines = ["| attack | points of 10 | state | flags | what the instructor reads |", "|---|---|---|---|---|"]
    for attack, mark in rows:
        words = " ".join((mark.details[-1] if mark.details else mark.headline).split()).replace("|", "\\|")
        flags = ", ".join(flag.kind for flag in mark.flags) or "-"
        lines.append(f"| {attack.name} | {mark.earned:g} | {mark.state} | {flags} | {ascii(words[:110])[1:-1]} |")
    return "\n".join(lines)


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_an_attack_gets_nothing(ring, attack):
    mark = ring.mark(attack)
    assert attack.says in seen(mark), seen(mark)
    assert (mark.earned, mark.state) == (attack.earned, attack.state), seen(mark)
    assert {flag.kind for flag in mark.flags} == attack.flags, mark.flags
    assert not left_of(ring.sandbox.uid)


# --- One student's answer and the next one's ------------------------------------------------------------------


def test_what_a_student_sent_is_not_in_the_next_ones_memory(ring):
    assert ring.mark(Attack("honest, with a sign", RIGHT + "# THE-SIGN-OF-THE-FIRST\n" * 750)).earned == 10
    look = Attack(
        "reads memory that was freed",
        "import numpy as np\nsign, kept, found = 'THE-SIGN' + '-OF-THE-FIRST', [], 0\n"
        "for size in (600, 1000, 1500, 2000, 4000, 8000, 16_000, 24_000, 32_000, 48_000, 64_000, 100_000):\n"
        "    for _ in range(60):\n"
        "        kept.append(np.empty(size, dtype=np.uint8))\n"
        "        found += kept[-1].tobytes().count(sign.encode())\n"
        "def cross_correlate2d(image, kernel):\n    raise RuntimeError(f'found {found}')\n",
    )
    assert "found 0" in seen(ring.mark(look))


# --- What comes over the border, by whatever way --------------------------------------------------------------


def frame(text: bytes, tensors: bytes = b"") -> bytes:
    return border.LENGTHS.pack(len(text), len(tensors)) + text + tensors


RECORD = (
    b'{"value": %s, "error": null, "gradients": {}, "afterwards": [], "line": null, "printed": "", "characters": 0}'
)
TENSORS = {
    "none": b"",
    "a header without end": (2**62).to_bytes(8, "little") + b"{}",
    "a header that is no JSON": (4).to_bytes(8, "little") + b"{]{]",
    "places beyond the end": (67).to_bytes(8, "little")
    + b'{"0":{"dtype":"F32","shape":[1000000],"data_offsets":[0,4000000]}} ',
    "a shape that overflows": (73).to_bytes(8, "little")
    + b'{"0":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}'[:73],
    "an unknown dtype": (56).to_bytes(8, "little") + b'{"0":{"dtype":"X9","shape":[1],"data_offsets":[0,4]}}   abcd',
}
BOMBS = {
    "lists in lists": b"[" * 1_000_000,
    "objects in objects": b'{"list":[' * 5_000 + b"]}" * 5_000,
    "too many things": RECORD % (b'{"list": [' + b"null," * 300_000 + b"null]}"),
    "too deep": RECORD % (b'{"list": [' * 50 + b"null" + b"]}" * 50),
    "a number without end": RECORD % (b"1" * 10_000),
    "an int without end": RECORD % (b'{"int": "0x' + b"f" * 10_000 + b'"}'),
    "two kinds at once": RECORD % b'{"int": "0x1", "float": "0x1p+0"}',
    "an unknown kind": RECORD % b'{"code": "import os"}',
    "a tensor that is not there": RECORD % b'{"tensor": "0"}',
    "no text at all": b"\xff\xfe",
    "nothing": b"",
}


@pytest.mark.parametrize("text", BOMBS.values(), ids=BOMBS)
def test_json_that_is_no_outcome_is_refused(text):
    with pytest.raises(border.Unreadable):
        border.decode(frame(text, border.safetensors.torch.save({})), [])


@pytest.mark.parametrize("tensors", TENSORS.values(), ids=TENSORS)
def test_tensors_that_are_none_are_refused(tensors):
    with pytest.raises(border.Unreadable):
        border.decode(frame(RECORD % b'{"tensor": "0"}', tensors), [])


@pytest.mark.parametrize("ended", WHY)
def test_right_outcomes_that_are_too_few_or_too_many_do_not_count(ended):
    judge, exercise = Judge(RELEASE), EXERCISES["cross_correlate2d"]
    cases = judge.cases(exercise.name)
    right = [border.encode(judge.expected(exercise, case), list(case.arguments)) for case in cases]
    assert len(right) == CASES
    for outcomes in (right[:-1], [*right, right[0]], right[:4], right if ended != "by itself" else []):
        tries = judge.tries(exercise, cases, Tried(outcomes, ended))
        assert any(t.wrong is not None for t in tries)


BOUNDED = """
import pathlib, resource, sys
from tests.test_hostile import EXERCISES, RELEASE, Judge, Tried
judge, exercise = Judge(RELEASE), EXERCISES["dropout"]
cases = judge.cases("dropout")[:1]
judge.expected(exercise, cases[0])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
judged = judge.tries(exercise, cases, Tried([pathlib.Path(sys.argv[1]).read_bytes()], "by itself"))
print(judged[0].wrong, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024, sep="\\n")
"""


def test_a_judge_is_not_worn_out_by_what_was_forged(tmp_path):
    """Long thin tensors of 0.4 MB, which against the pictures of the case would be 3 GB."""
    long = {name: torch.zeros(1, 400_000, 1, 1, 1, 1, dtype=torch.uint8) for name in ("results", "given", "y")}
    forged = border.encode(Outcome(value={**long, "gradient": None}, afterwards=[]), [])
    (tmp_path / "forged").write_bytes(forged)
    command = [sys.executable, "-c", BOUNDED, str(tmp_path / "forged")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=200)
    wrong, megabytes = done.stdout.splitlines()[-2:]
    assert wrong != "None" and int(megabytes) < 2 * 1024, done.stdout


# --- What is shown --------------------------------------------------------------------------------------------

SCRIPT = "<script>alert(1)</script>"
SHOWN = {  # by student
    SCRIPT: f"def cross_correlate2d(image, kernel):\n    print({SCRIPT!r})\n    raise ValueError({SCRIPT!r})\n",
    "kind": "class Markup(Exception): pass\nMarkup.__name__ = '<img src=x onerror=alert(1)>'\n"
    "def cross_correlate2d(image, kernel):\n    raise Markup('</td></table><b>')\n",
    "=1+1": "def cross_correlate2d(image, kernel):\n    raise ValueError('=HYPERLINK(\"http://x\")')\n",
    "half": "def cross_correlate2d(image, kernel):\n    print('\\ud800')\n    raise ValueError('\\udcff\\0\\x1b[2J')\n",
    "honest": RIGHT,
}


def hand_in(folder: Path, answers: dict[str, str]) -> Path:
    folder.mkdir()
    for student, source in answers.items():
        cell = new_code_cell(source, metadata={"tags": ["stub:cross_correlate2d"]})
        name = student.replace("/", "_")
        nbformat.write(new_notebook(cells=[cell]), folder / f"{name}_01_convolution.ipynb")
    return folder


def test_what_is_shown_of_them_is_text_and_others_get_their_points(ring, tmp_path, monkeypatch):
    """One student's page, the class's report and the tables: no markup, no formula, and nobody's grading ends."""
    made = Release("1", RELEASE.exercises[:1], seed=SEED)
    (tmp_path / "released" / "instructor").mkdir(parents=True)
    (tmp_path / "released" / "instructor" / "release.json").write_text(to_json(made))
    monkeypatch.setattr(grading, "bench", lambda release, trust: (ring.judge, ring.sandbox))
    monkeypatch.setattr(grading, "by_processes", lambda workers, how, todo: map(how, todo))
    out = tmp_path / "graded"
    results = grading.grade(tmp_path / "released", hand_in(tmp_path / "came", SHOWN), out)
    grading.report(out)
    grading.report(out, anonymous=True)

    assert len(results) == len(SHOWN) and not any(result.crashed for result in results)
    assert [result.earned for result in results if result.student.id.startswith("honest")] == [10.0]
    assert sum(result.earned for result in results) == 10
    pages = [*out.rglob("*.html")]
    assert len(pages) == len(SHOWN) + 2
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert "<script>alert" not in text and "<img src=x" not in text and "</td></table><b>" not in text
        assert "\x00" not in text and "\x1b" not in text
    for sheet in out.rglob("*.csv"):
        fields = sheet.read_text(encoding="utf-8-sig").replace("\n", ",").split(",")
        assert not [field for field in fields if field.lstrip('"')[:1] in ("=", "+", "@", "\t")]


# --- The same under an ordinary user --------------------------------------------------------------------------


def tell() -> None:
    """Mark the rough attacks and an honest answer, and print what they came to as JSON."""
    with tempfile.TemporaryDirectory() as folder:
        ring = Ring(Path(folder))
        marks = [ring.mark(attack) for attack in (*ROUGH, Attack("honest", RIGHT))]
        ring.sandbox.close()
    print(json.dumps({"user": os.geteuid(), "marks": [asdict(mark) for mark in marks]}))


ORDINARY = """
set -e
if [ -n "$CLOSED" ]; then
    kept=$(mktemp -d)
    mount --bind "$NEEDED" "$kept"
    mount -t tmpfs -o mode=755 none "$CLOSED"
    mkdir -p "$NEEDED"
    mount --bind "$kept" "$NEEDED"
fi
cd "$WHERE"
exec setpriv --reuid 1234 --regid 1234 --clear-groups "$PYTHON" -c "from tests.test_hostile import tell; tell()"
"""


def closed_above(path: Path) -> Path | None:
    """The topmost folder on the way that other users may not enter."""
    return next((folder for folder in [*reversed(path.parents), path] if not folder.stat().st_mode & 0o001), None)


def test_the_grader_may_be_an_ordinary_user():
    """Where this Python lies in a closed home, a mount namespace shows that user a home with nothing but Python."""
    if os.geteuid() != 0:
        pytest.skip("the grader is an ordinary user already: all tests above were under one")
    python = Path(sys.base_prefix).resolve()
    if closed_above(ROOT) or closed_above(Path(sys.prefix)):
        pytest.skip(f"{ROOT} or {sys.prefix} is closed to other users")
    given = {"CLOSED": str(closed_above(python) or ""), "NEEDED": str(python), "WHERE": str(ROOT), "HOME": "/tmp"}
    given |= {"PATH": os.environ["PATH"], "PYTHON": sys.executable, "OMP_NUM_THREADS": "1", "COURSE_QUIET": "1"}
    command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", ORDINARY]
    done = subprocess.run(command, env=given, capture_output=True, text=True, timeout=300)
    if "may not" in done.stderr or "NoSandbox" in done.stderr or "unshare failed" in done.stderr:
        pytest.skip(f"no namespaces for ordinary users here: {done.stderr.strip().splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["user"] == 1234
    for attack, mark in zip(ROUGH, told["marks"], strict=False):
        words = "\n".join([mark["headline"], *mark["details"]])
        assert attack.says in words and mark["earned"] == 0, f"{attack.name}: {words}"
    assert told["marks"][-1]["earned"] == 10
