"""What check says of a difference, and which outcomes it takes for the same."""

import numpy as np
import pytest
import torch

from course_utils.exercises.comparing import difference, same, say_error
from course_utils.exercises.running import Outcome

nan = float("nan")
DIFFERENCES = {
    "nothing": (1.0, None, "nothing came back: is there a return at the end?"),
    "numbers, near enough": (1.0, 1.00009, None),
    "numbers, too far": (1.0, 1.0002, "expected 1, yours 1.0002"),
    "numbers": (1.5, -2.25, "expected 1.5, yours -2.25"),
    "as many digits as are needed": (1 / 3, 0.334567, "expected 0.3333, yours 0.3346"),
    "nine digits where four are alike": (1.0, 1.00020001234, "expected 1, yours 1.00020001"),
    "numbers around 0, near enough": (0.0, 9e-7, None),
    "numbers around 0": (0.0, 2e-6, "expected 0, yours 2e-06"),
    "nan, as it should be": (nan, nan, None),
    "nan": (1.0, nan, "expected 1, yours nan"),
    "a whole number for a number": (1.0, 1, None),
    "a tensor without axes for a number": (1.0, torch.tensor(1.0), None),
    "a tensor with axes for a number": (1.0, torch.ones(1), "expected a number, yours is a tensor of shape (1,)"),
    "a complex tensor for a number": (1.0, torch.tensor(1j), "expected a number, yours is a tensor of shape ()"),
    "a truth for a number": (1.0, True, "expected a number, yours is a bool, True"),
    "a word for a number": (1.0, "one", "expected a number, yours is a str"),
    "an array for a number": (1.0, np.ones(1), "expected a number, yours is an array"),
    "whole numbers, the same": (3, 3, None),
    "one of NumPy's": (3, np.int64(3), None),
    "whole numbers": (3, 4, "expected 3, yours 4"),
    "a float for a whole number": (3, 3.0, "expected the whole number 3, yours is a float, 3.0"),
    "a truth for a whole number": (1, True, "expected the whole number 1, yours is a bool, True"),
    "words, the same": ("rows", "rows", None),
    "words": ("rows", "columns", "expected rows, yours columns"),
    "several things": ({"a": 1.0, "b": 2}, {"a": 1.0, "b": 3}, "b: expected 2, yours 3"),
    "several things, the same": ({"a": 1.0, "b": torch.ones(2)}, {"a": 1.0, "b": torch.ones(2)}, None),
    "tensors, near enough": (torch.ones(3), torch.full((3,), 1.00009), None),
    "tensors, too far": (torch.ones(2), torch.tensor([1, 1.5]), "expected [1, 1], yours [1, 1.5]"),
    "tensors that read alike": (torch.ones(2), torch.tensor([1, 1 + 2**-12]), "expected [1, 1], yours [1, 1.00024414]"),
    "float64 is held more strictly": (torch.ones(1).double(), torch.ones(1).double() + 2e-9, "expected [1], yours [1]"),
    "float64, near enough": (torch.ones(1).double(), torch.ones(1).double() + 5e-10, None),
    "float16, near enough": (torch.ones(1).half(), torch.full((1,), 1.009).half(), None),
    "around 0, near enough": (torch.zeros(1), torch.full((1,), 9e-6), None),
    "around 0": (torch.zeros(1), torch.full((1,), 2e-5), "expected [0], yours [2e-05]"),
    "whole numbers in tensors": (torch.tensor([3]), torch.tensor([4]), "expected [3], yours [4]"),
    "large whole numbers": (torch.tensor([123456]), torch.tensor([654321]), "expected [123456], yours [654321]"),
    "twelve numbers": (
        torch.zeros(12),
        torch.ones(12),
        f"expected [{', '.join('0' * 12)}], yours [{', '.join('1' * 12)}]",
    ),
    "of two axes": (torch.eye(2), torch.ones(2, 2), "expected [[1, 0], [0, 1]], yours [[1, 1], [1, 1]]"),
    "many numbers": (
        torch.zeros(13),
        torch.tensor([0.0] * 11 + [0.25, 1]),
        "2 of 13 numbers differ, the first at [11]: expected 0, yours 0.25",
    ),
    "another shape": (torch.ones(2), torch.ones(3), "expected shape (2,), yours (3,)"),
    "another dtype": (torch.ones(2), torch.ones(2).double(), "expected torch.float32, yours torch.float64"),
    "nans": (
        torch.ones(3),
        torch.tensor([1, nan, nan]),
        "2 of 3 numbers are nan (0/0, inf - inf, or a log, root or arccos of what has none)",
    ),
    "nans, as they should be": (torch.tensor([nan, 1]), torch.tensor([nan, 1]), None),
    "other nans": (torch.tensor([nan, 1.0]), torch.tensor([1.0, nan]), "expected [nan, 1], yours [1, nan]"),
    "an array": (
        torch.ones(1),
        np.ones(1),
        "expected a tensor, yours is an array; torch.from_numpy() turns it into a tensor",
    ),
    "a list": (torch.ones(1), [1.0], "expected a tensor, yours is a list"),
    "a sparse tensor": (
        torch.eye(2),
        torch.eye(2).to_sparse(),
        "expected an ordinary tensor, yours is stored as torch.sparse_coo",
    ),
}


@pytest.mark.parametrize(("expected", "came", "said"), DIFFERENCES.values(), ids=DIFFERENCES)
def test_a_difference_in_words(expected, came, said):
    assert difference(expected, came) == said


def test_an_exercise_may_be_more_patient():
    assert difference(torch.ones(2), torch.full((2,), 1.01), tolerance=0.02) is None
    assert difference(1.0, 1.01, tolerance=0.02) is None
    assert difference({"a": 1.0}, {"a": 1.01}, tolerance=0.02) is None
    assert difference(torch.zeros(2), torch.full((2,), 0.01), tolerance=0.02) is None
    assert difference(0.0, 0.01, tolerance=0.02) is None
    with pytest.raises(TypeError, match="no rule for comparing with list"):
        difference([1], [1])
    with pytest.raises(TypeError, match="no rule for comparing with bool"):
        difference(True, True)


class Odd:
    def __eq__(self, other):
        raise RuntimeError

    __hash__ = None


ones, ints = torch.ones(2), torch.ones(2).long()
ALIKE = {
    "numbers": (Outcome(1.0), Outcome(1.00005), True),
    "numbers that differ": (Outcome(1.0), Outcome(1.1), False),
    "a number and a whole one": (Outcome(1.0), Outcome(1), False),
    "a number and several things": (Outcome(1.0), Outcome({"a": 1.0}), False),
    "a number and a word": (Outcome(1.0), Outcome("rows"), False),
    "words": (Outcome("rows"), Outcome("rows"), True),
    "words that differ": (Outcome("rows"), Outcome("columns"), False),
    "whole numbers": (Outcome(3), Outcome(3), True),
    "whole numbers that differ": (Outcome(3), Outcome(4), False),
    "tensors": (Outcome(ones), Outcome(ones + 5e-5), True),
    "tensors that differ": (Outcome(ones), Outcome(ones + 0.1), False),
    "a tensor and a list": (Outcome(ones), Outcome([1.0, 1.0]), False),
    "errors of a kind": (Outcome(error=ValueError("a")), Outcome(error=ValueError("b")), True),
    "errors of two kinds": (Outcome(error=ValueError()), Outcome(error=TypeError()), False),
    "an error and none": (Outcome(error=ValueError()), Outcome(1.0), False),
    "none and an error": (Outcome(None), Outcome(error=ValueError()), False),
    "gradients": (Outcome(ones, gradients={"x": ones}), Outcome(ones, gradients={"x": ones}), True),
    "other gradients": (Outcome(ones, gradients={"x": ones}), Outcome(ones, gradients={"x": 2 * ones}), False),
    "gradients of others": (Outcome(ones, gradients={"x": ones}), Outcome(ones, gradients={"y": ones}), False),
    "one gradient missing": (Outcome(ones, gradients={"x": ones}), Outcome(ones, gradients={"x": None}), False),
    "several things": (Outcome({"a": 1.0, "b": ones}), Outcome({"a": 1.0, "b": ones}), True),
    "several things, one other": (Outcome({"a": 1.0, "b": ones}), Outcome({"a": 1.0, "b": 2 * ones}), False),
    "several things by other names": (Outcome({"a": 1.0}), Outcome({"b": 1.0}), False),
    "what cannot be compared": (Outcome(Odd()), Outcome(Odd()), False),
}


@pytest.mark.parametrize(("one", "other", "alike"), ALIKE.values(), ids=ALIKE)
def test_outcomes_that_are_the_same(one, other, alike):
    assert same(one, other) == same(other, one) == alike


def test_a_forgotten_dtype_may_count_or_not():
    one, other = Outcome(ones), Outcome(ones.double())
    assert not same(one, other) and same(one, other, any_dtype=True)
    assert not same(one, Outcome(ints), any_dtype=True)
    nested = Outcome({"a": ones}), Outcome({"a": ones.double()})
    assert not same(*nested) and same(*nested, any_dtype=True)
    assert same(Outcome(1.0), Outcome(1.01), tolerance=0.02) and same(one, Outcome(1.01 * ones), tolerance=0.02)


class Unprintable(Exception):
    def __str__(self):
        raise RuntimeError


def test_errors_are_told_in_a_line():
    assert say_error(ValueError("two\n  lines")) == "ValueError: two lines"
    assert say_error(ValueError("x" * 400)) == "ValueError: " + "x" * 300
    assert say_error(RecursionError()) == "RecursionError: it calls itself again and again"
    assert say_error(Unprintable()) == "Unprintable: (its message cannot be printed)"
    x = torch.ones(2, requires_grad=True)
    with pytest.raises(RuntimeError) as told:
        x += 1
    assert say_error(told.value).endswith("in place (`+=`, `mul_`) only under `torch.no_grad()`")
    powers = x.exp()
    powers /= 2
    with pytest.raises(RuntimeError) as told:
        powers.sum().backward()
    assert "`x = x + ...` makes new ones" in say_error(told.value)
    assert say_error(MemoryError()) == "MemoryError: it asks for more than 2 GB of memory"
    assert say_error(RuntimeError("[enforce fail] can't allocate memory: x")).startswith("MemoryError: it asks for")
