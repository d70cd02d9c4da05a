"""Every exercise can be graded in the sandbox; what crosses the border stays as it is; answers are read rightly."""

import math
import sys

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from course_utils.classroom import answers, border, harness, judging, sandbox
from course_utils.classroom.judging import Judge, earned
from course_utils.classroom.records import Assigned, Release, Student, Submission
from course_utils.classroom.sandbox import NoSandbox, Sandbox
from course_utils.exercises import EXERCISES, source_of
from course_utils.exercises.comparing import same
from course_utils.exercises.running import Outcome, ThingItself, TimeLimit
from tests.drawing import drawn_cases

RELEASE = Release("0", tuple(Assigned(e.lesson, name, 10.0) for name, e in EXERCISES.items()), seed=20_261_128)


@pytest.fixture(scope="module")
def box():
    if sys.platform != "linux":
        pytest.skip("the sandbox is Linux's")
    with Sandbox() as made:
        yield made


@pytest.fixture(scope="module")
def judge():
    return Judge(RELEASE)


@pytest.mark.parametrize("name", EXERCISES)
def test_every_reference_gets_full_marks_in_the_sandbox(name, box, judge):
    """And so nothing that an exercise needs is missing there, nor lost on the way."""
    submission = Submission(Student("a"), {name: source_of(EXERCISES[name].reference, name)})
    mark = judge.mark(Assigned(EXERCISES[name].lesson, name, 10.0), submission, box)
    assert (mark.state, mark.earned, mark.drawn_right) == ("passed", 10.0, judging.DRAWN), mark
    assert not [flag for flag in mark.flags if flag.kind == "reaches"]


@pytest.mark.parametrize("name", ["cross_correlate2d", "dropout", "train_one_epoch", "PatchEmbedding"])
def test_a_known_mistake_is_named_in_the_sandbox_too(name, box, judge):
    mistake = EXERCISES[name].mistakes[0]
    submission = Submission(Student("a"), {name: source_of(mistake.function, name)})
    mark = judge.mark(Assigned(EXERCISES[name].lesson, name, 10.0), submission, box)
    assert (mark.state, mark.sentence) == ("failed", mistake.sentence)
    assert mark.earned < 10


def test_what_a_cell_needs_of_other_cells_is_there(box, judge):
    cells = {
        "output_size": "def output_size(size, kernel_size, stride, padding, dilation):\n"
        "    return (size + 2 * padding - dilation * (kernel_size - 1) - 1) // stride + 1\n",
        "conv2d": "def conv2d(x, weight, bias):\n"
        "    o, _, kh, kw = weight.shape\n"
        "    h, w = output_size(x.shape[2], kh, 1, 0, 1), output_size(x.shape[3], kw, 1, 0, 1)\n"
        "    columns = convolution.im2col(x, (kh, kw))\n"
        "    return (weight.flatten(1) @ columns + bias[:, None]).view(len(x), o, h, w)\n",
    }
    mark = judge.mark(Assigned("01_convolution", "conv2d", 10.0), Submission(Student("a"), cells), box)
    assert mark.state == "passed", mark


def test_seeds_of_cases_tell_nothing_of_each_other():
    seeds = [judging.drawn_seed(RELEASE, name, number) for name in ("a", "b") for number in range(20)]
    assert len(set(seeds)) == 40
    assert RELEASE.seed not in seeds
    assert judging.drawn_seed(Release("0", (), seed=1), "a", 0) != seeds[0]


@pytest.mark.parametrize(
    ("named", "drawn", "worth"),
    [(1, 1, 10), (1, 0.5, 0), (0.5, 1, 0), (0.75, 1, 5), (1, 0.75, 5), (0, 0, 0), (0.95, 0.9, 8), (2 / 3, 1, 3.33)],
)
def test_half_right_earns_nothing_and_all_right_everything(named, drawn, worth):
    assert earned(10, named, drawn) == worth
    assert earned(0.29, 1, 1) == 0.29


# --- The border -----------------------------------------------------------------------------------------------

plain_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4)
    | st.tuples(inner, inner)
    | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@drawn_cases(300)
@given(plain_values)
@example(-0.0)
def test_plain_values_cross_the_border_unchanged(value):
    came = border.decode(border.encode(Outcome(value=border.settled(value)), []), []).value
    assert repr(came) == repr(value)


@pytest.mark.parametrize(
    "tensor",
    [
        torch.arange(6.0).view(2, 3).T,
        torch.tensor(3),
        torch.zeros(0, 4),
        torch.randn(3, dtype=torch.float64),
        torch.ones(2, dtype=torch.bfloat16),
        torch.tensor([True, False]),
        torch.randn(3, requires_grad=True),
        torch.randn(1).expand(5),
    ],
)
def test_tensors_cross_the_border_unchanged(tensor):
    outcome = Outcome(value=tensor, gradients={"x": tensor, "y": None}, afterwards=[tensor])
    came = border.decode(border.encode(outcome, [tensor]), [tensor])
    for other in (came.value, came.gradients["x"], came.afterwards[0]):
        assert type(other) is torch.Tensor
        assert other.dtype == tensor.dtype
        assert other.equal(tensor.detach())
    assert came.gradients["y"] is None


@pytest.mark.parametrize(
    "error",
    [ValueError("a"), KeyError("k"), TimeLimit(), ThingItself("torch.conv2d"), NotImplementedError(), MemoryError("m")],
)
def test_errors_cross_the_border_as_what_they_are(error):
    came = border.decode(border.encode(Outcome(error=error), []), []).error
    assert type(came) is type(error)
    assert str(came) == str(error)
    assert same(Outcome(error=came), Outcome(error=error))


def test_what_cannot_cross_is_named():
    class Strange(Exception):
        pass

    crossed = border.decode(border.encode(Outcome(value=border.settled(range(3)), error=Strange("x")), []), [])
    assert type(crossed.value).__name__ == "range"
    assert type(crossed.error).__name__ == "Strange"
    assert isinstance(border.decode(border.encode(Outcome(value=np.ones(2)), []), []).value, np.ndarray)


@pytest.mark.parametrize(
    "value", [torch.zeros(1).expand(10**12), ["x"] * (border.MOST_ITEMS + 1), ["x" * 10_000] * 5_000]
)
def test_too_much_does_not_cross(value):
    with pytest.raises(ValueError, match="gives back"):
        border.encode(Outcome(value=value), [])


def test_too_deep_is_not_settled():
    deep: list = []
    for _ in range(100):
        deep = [deep]
    with pytest.raises(ValueError, match="deep"):
        border.settled(deep)


@drawn_cases(300)
@given(st.binary(max_size=200))
def test_bytes_that_are_no_outcome_are_unreadable(data):
    with pytest.raises(border.Unreadable):
        border.decode(data, [])


def test_stream_that_was_cut_off_gives_its_whole_outcomes():
    frames = [border.encode(Outcome(value=number), []) for number in range(3)]
    stream = b"".join(frames)
    assert border.split(stream) == frames
    assert border.split(stream[:-1]) == frames[:2]
    assert border.split(b"\xff" * 100) == []


# --- Reading an answer ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", EXERCISES)
def test_no_right_answer_and_no_known_mistake_reaches_for_more_than_it_needs(name):
    exercise = EXERCISES[name]
    for function in (exercise.reference, *(mistake.function for mistake in exercise.mistakes)):
        seen = answers.look_at(source_of(function, name), exercise)
        assert (seen.problem, seen.attempted, seen.reaches) == (None, True, []), function.__name__


@pytest.mark.parametrize(
    "line",
    [
        "import os",
        "import torch.jit",
        "from torch import sys",
        "from course_utils.exercises import EXERCISES",
        "import course_utils; course_utils.exercises.EXERCISES",
        "eval('1')",
        "f = getattr",
        "getattr(torch, 'con' + 'v2d')",
        "getattr(torch, 'jit')",
        "torch.ops.aten.conv2d",
        "torch._C",
        "import torch as th; th.jit.script",
        "t = torch",
        "torch.conv2d = None",
        "(lambda: 0).__globals__",
        "type('T', (), {})",
        "match 0:\n        case object(__class__=k): pass",
    ],
)
def test_what_reaches_beyond_computing_is_seen(line):
    source = f"def output_size(size, kernel_size, stride, padding, dilation):\n    {line}\n    return 1\n"
    assert answers.look_at(source, EXERCISES["output_size"]).reaches


@pytest.mark.parametrize(
    "line",
    [
        "import math, itertools",
        "from torch import nn",
        "x = torch.nn.functional.pad",
        "self = 0; self._hidden = 1",
        "getattr(kernel_size, 'shape', None)",
        "super().__init__()",
        "isinstance(1, nn.Linear)",
        "np.linalg.norm",
    ],
)
def test_what_computes_is_not(line):
    source = f"def output_size(size, kernel_size, stride, padding, dilation):\n    {line}\n    return 1\n"
    assert answers.look_at(source, EXERCISES["output_size"]).reaches == []


def test_an_answer_may_hold_what_only_a_notebook_understands():
    exercise = EXERCISES["output_size"]
    source = "%matplotlib inline\n" + source_of(exercise.reference, exercise.name) + "!ls\noutput_size?\n"
    assert answers.look_at(source, exercise).problem is None


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("def output_size(:\n", "SyntaxError in line 1"),
        ("def size_of_output(a):\n    return a\n", "does not define output_size; it defines size_of_output"),
        ("class output_size:\n    pass\n", "should be a function"),
        ("(" * 5000, "line 1"),
        ("x = 1\0", "null bytes"),
        ("#" * 20_001, "more than 20,000 characters"),
    ],
)
def test_cell_that_is_no_answer_says_why(source, said):
    assert said in answers.look_at(source, EXERCISES["output_size"]).problem


def test_stub_and_fault_are_not_attempts():
    stub = "def output_size(a):\n    '''Doc'''\n    # YOUR CODE HERE\n    raise NotImplementedError\n"
    assert not answers.look_at(stub, EXERCISES["output_size"]).attempted
    fault = source_of(EXERCISES["flatten_features"].fault, "flatten_features")
    assert not answers.look_at(fault, EXERCISES["flatten_features"]).attempted


def test_fingerprint_is_blind_for_names_and_layout_only():
    exercise = EXERCISES["cross_correlate2d"]
    ours = source_of(exercise.reference, exercise.name)
    renamed = ours.replace("height", "rows").replace("result", "out").replace("    ", "  ") + "# a remark\n"
    changed = ours.replace("- kh + 1", "- kh + 2")
    seen = [answers.look_at(source, exercise).fingerprint for source in (ours, renamed, changed)]
    assert seen[0] == seen[1] != seen[2]
    assert seen[0] in judging.ours(exercise.name)
    short = EXERCISES["flatten_features"]
    assert answers.look_at(source_of(short.reference, short.name), short).fingerprint == ""


# --- Where there is no sandbox --------------------------------------------------------------------------------


def test_no_bubblewrap_is_said_and_never_passed_over(monkeypatch):
    monkeypatch.setattr(sandbox.shutil, "which", lambda name: None)
    with pytest.raises(NoSandbox, match="--trust"):
        Sandbox()


def test_bubblewrap_that_may_not_work_is_said_too(monkeypatch):
    monkeypatch.setattr(sandbox, "bubblewrap", lambda: ["sh", "-c", "echo not allowed >&2; exit 1"])
    with pytest.raises(NoSandbox, match="not allowed"):
        Sandbox().try_answer({"exercise": "output_size"})


def test_course_that_is_installed_is_covered_where_it_lies(monkeypatch, tmp_path):
    monkeypatch.setattr(sandbox, "of_python", lambda: [tmp_path])
    assert sandbox.covered() == ["/course", "/proc"]
    course = tmp_path.resolve() / "site-packages" / "course_utils"
    monkeypatch.setattr(sandbox.course_utils, "__file__", str(course / "__init__.py"))
    assert sandbox.covered()[2:] == [str(course)]


def test_trust_runs_answers_without_bubblewrap(monkeypatch, judge):
    monkeypatch.setattr(sandbox.shutil, "which", lambda name: None)
    submission = Submission(Student("a"), {"output_size": source_of(EXERCISES["output_size"].reference, "output_size")})
    with Sandbox(trust=True) as trusting:
        mark = judge.mark(Assigned("01_convolution", "output_size", 10.0), submission, trusting)
    assert mark.state == "passed"


def test_taken_out_code_is_gone_and_its_signature_stays():
    def block(x, size=math.pi):
        return x * size

    harness.take_out([block])
    with pytest.raises(NotImplementedError):
        block(1)
    assert block.__code__.co_varnames[:2] == ("x", "size")
    assert math.pi in block.__defaults__
