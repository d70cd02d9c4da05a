"""One answer on one case: what it receives, what is sent back through it, what is kept of it, what it may not call."""

import stat  # noqa: F401  a module whose name begins like that of another
import statistics
import sys
import threading

import pytest
import torch

from course_utils.exercises import running
from course_utils.exercises.exercise import Case
from course_utils.exercises.running import PRINTED, Forbidden, ThingItself, run


def test_arguments_are_copies_whatever_they_are():
    made = 2 * torch.ones(2, requires_grad=True)  # no leaf: deepcopy would refuse it
    case = Case("a", made, [[1, 2]])

    def changes_both(x, table):
        x += 1
        table[0].append(3)
        return x.sum()

    outcome = run(changes_both, case, ["x", "table"])
    assert outcome.error is None and outcome.value == 6
    assert case.arguments[0].tolist() == [2, 2] and case.arguments[1] == [[1, 2]]
    assert outcome.afterwards[1] == [[1, 2, 3]]


def test_a_gradient_that_differs_in_every_place_comes_back():
    outcome = run(lambda x, y: 3 * x, Case("a", torch.ones(4).double(), torch.ones(2)), ["x", "y"], gradients=True)
    assert outcome.gradients["y"] is None
    sent = torch.tensor([3, 5, 7, 9]).double() / 6
    torch.testing.assert_close(outcome.gradients["x"], 3 * sent, rtol=0, atol=1e-12)


def test_an_answer_may_write_to_what_wants_a_gradient():
    outcome = run(lambda x: x.mul_(2), Case("a", torch.ones(3)), ["x"], gradients=True)
    assert outcome.error is None
    assert outcome.gradients["x"].tolist() == [1, 2, 3]


def test_the_beginning_of_what_is_printed_is_kept_of_errors_too():
    def prints(x):
        print("a" * (PRINTED - 500), end="")
        sys.stderr.write("b" * 1000)
        print("c" * 10, end="")

    outcome = run(prints, Case("a", 1), ["x"])
    assert outcome.characters == PRINTED + 510
    assert outcome.printed == "a" * (PRINTED - 500) + "b" * 500


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("torch.relu", lambda x: torch.relu(x)),
        ("torch.relu", lambda x: list(map(torch.relu, [x]))),  # called by map, of which Python does not tell
        ("torch.Tensor.relu", lambda x: x.relu()),
        ("torch.Tensor.relu", lambda x: list(map(torch.Tensor.relu, [x]))),
        ("torch.nn.functional.relu", lambda x: torch.nn.functional.relu(x)),
    ],
)
def test_what_is_not_allowed_is_noticed(name, function):
    case = Case("a", torch.ones(2))
    found = run(function, case, ["x"], not_allowed=Forbidden((name,))).error
    assert isinstance(found, ThingItself) and str(found) == name
    assert run(function, case, ["x"], not_allowed=Forbidden(("torch.sigmoid", "torch.Tensor.exp"))).error is None


def test_what_is_not_allowed_is_stopped_before_it_does_anything():
    outcome = run(lambda x: x.zero_(), Case("a", torch.ones(2)), ["x"], not_allowed=Forbidden(("torch.Tensor.zero_",)))
    assert isinstance(outcome.error, ThingItself)
    assert outcome.afterwards[0].tolist() == [1, 1]


def test_a_whole_module_is_not_allowed_and_one_whose_name_begins_alike_is():
    case = Case("a", [1, 2])
    for forbidden, found in (("statistics", "statistics.mean"), ("stat", "None")):
        outcome = run(lambda x: statistics.mean(x), case, ["x"], not_allowed=Forbidden((forbidden,)))
        assert str(outcome.error) == found


def test_a_function_of_no_module_is_no_forbidden_one():
    space = {}
    exec("def nameless(x): return x", space)
    assert "__name__" not in space
    assert run(space["nameless"], Case("a", 1), ["x"], not_allowed=Forbidden(("statistics",))).error is None


def test_a_library_that_nobody_imported_is_left_alone(monkeypatch, tmp_path):
    (tmp_path / "seldom_used.py").write_text("def f():\n    pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    forbidden = Forbidden(("seldom_used.f", "torch.relu"))
    assert "seldom_used" not in sys.modules
    assert isinstance(run(torch.relu, Case("a", torch.ones(2)), ["x"], not_allowed=forbidden).error, ThingItself)


def test_somebody_elses_profile_function_comes_back():
    def theirs(*event):
        pass

    before = sys.getprofile()
    sys.setprofile(theirs)
    try:
        with Forbidden(("torch.relu",)):
            pass
        assert sys.getprofile() is theirs
    finally:
        sys.setprofile(before)


def test_the_watching_thread_does_not_keep_a_kernel_alive():
    before = set(threading.enumerate())
    stop = running._watcher(60)
    (thread,) = set(threading.enumerate()) - before
    assert thread.daemon
    stop()
    assert not thread.is_alive()


def test_the_alarm_strikes_after_the_seconds_and_again_until_it_is_stopped(monkeypatch):
    times = []
    monkeypatch.setattr(running.signal, "setitimer", lambda which, *given: times.append(given))
    stop = running._alarm(5.0)
    stop()
    assert times == [(5.0, 0.1), (0,)]
