"""An exercise as it is declared: its cases, what it may not be, and the code of an answer."""

import ast
import linecache

import pytest
import torch
from torch import nn

from course_utils.exercises.exercise import Case, Draw, Exercise, body_of, source_of, statements_of
from tests.test_check import answer


def declared(**options):
    usual = dict(
        lesson="00_start_here",
        reference=lambda x: x,
        minutes=5,
        difficulty=2,
        cases=lambda draw: [Case("drawn", draw(2, 3)), Case("whole", draw.whole(1, 6)), Case("greys", draw.greys(4))],
        drawn=lambda draw: (draw(draw.whole(1, 9)),),
        hints=(),
        mistakes=(),
    )
    return Exercise(**usual | options)


def test_cases_are_drawn_from_a_seed():
    first, again = declared().named_cases(), declared().named_cases()
    for one, other in zip(first, again, strict=True):
        assert one.name == other.name and torch.equal(*map(torch.as_tensor, one.arguments + other.arguments))
    normal, whole, greys = (case.arguments[0] for case in first)
    assert normal.shape == (2, 3) and normal.dtype == torch.float32
    assert greys.shape == (4,) and greys.dtype == torch.uint8
    assert isinstance(whole, int)
    assert torch.equal(normal, Draw(0)(2, 3))
    drawn = declared().drawn_cases()
    assert len(drawn) == 20 and {case.name for case in drawn} == {"drawn inputs"}
    assert len({tuple(case.arguments[0].tolist()) for case in drawn}) == 20
    other = declared().drawn_cases(3, seed=2)
    assert len(other) == 3 and not torch.equal(other[0].arguments[0][:1], drawn[0].arguments[0][:1])


def test_all_that_can_be_drawn_is_drawn():
    draw = Draw(0)
    assert {draw.whole(2, 4) for _ in range(60)} == {2, 3, 4}
    assert {*draw.greys(6000).tolist()} == set(range(256))
    numbers = draw(4000)
    assert abs(numbers.mean()) < 0.1 and abs(numbers.std() - 1) < 0.1


def test_how_much_there_is_to_look_at():
    assert Case("a", torch.zeros(2, 3), 7, "word").size() == 8
    assert Case("nothing").size() == 0


def test_what_cannot_be_an_exercise_is_told():
    with pytest.raises(TypeError, match=r"not_allowed must be a tuple of names, got the string 'torch\.sum'"):
        declared(not_allowed="torch.sum")
    with pytest.raises(TypeError, match="Odd is a class and needs a trial"):
        declared(reference=type("Odd", (), {}))
    assert declared(reference=type("Odd", (), {}), trial=lambda answer, x: answer).name == "Odd"


def test_bodies_without_docstring_comments_and_layout():
    one = answer('"""Says what."""\nx = 1  # why\nreturn x')
    other = answer("x = 1\n\nreturn (x)")
    assert body_of(one) == body_of(other) and len(body_of(one)) == 2
    assert body_of(answer("x = 2\nreturn x")) != body_of(one)
    assert body_of(answer('"""Only words."""')) == []
    assert body_of(len) is None
    assert len(body_of(nn.Linear)) > 4
    assert body_of(type("Odd", (), {})) is None and body_of(type("Odd", (), {"size": len, "f": one})) == body_of(one)


def test_a_function_whose_source_is_gone_has_no_body():
    linecache.cache["<gone>"] = 1, None, ["# nothing here any more\n"], "<gone>"
    cell = {}
    exec(compile("def f(x):\n    return x\n", "<gone>", "exec"), cell)
    assert body_of(cell["f"]) is None


def test_statements_of_a_class_are_those_of_its_methods():
    one, two, both = (
        ast.parse(source).body[0]
        for source in (
            "def f(x):\n    return x",
            "def g(x):\n    'Words.'\n    return 2 * x",
            "class Both:\n    size = 1\n    def f(x): return x\n    def g(x): return 2 * x",
        )
    )
    assert len(statements_of(one)) == len(statements_of(two)) == 1
    assert statements_of(both) == statements_of(one) + statements_of(two)


def again(x):
    def again(x):
        return x

    return again(x)


def test_only_the_definition_itself_is_renamed():
    assert source_of(again, "answer").splitlines()[:2] == ["def answer(x):", "    def again(x):"]
