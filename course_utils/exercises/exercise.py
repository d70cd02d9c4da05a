"""An exercise, declared as data: what is asked, the cases that try an answer, and the mistakes people make."""

import ast
import inspect
import textwrap
from collections.abc import Callable
from dataclasses import dataclass, field
from types import FunctionType

import torch
from torch import Tensor


class Draw:
    """Draws what cases need, always the same for the same seed."""

    def __init__(self, seed: int):
        self.generator = torch.Generator().manual_seed(seed)

    def __call__(self, *shape: int) -> Tensor:
        """A float32 tensor of that shape, drawn from the normal distribution."""
        return torch.randn(shape, generator=self.generator)

    def greys(self, *shape: int) -> Tensor:
        """A uint8 tensor of that shape, from 0 to 255: ``greys(2, 3)`` is (2, 3)."""
        return torch.randint(0, 256, shape, generator=self.generator, dtype=torch.uint8)

    def whole(self, low: int, high: int) -> int:
        """A whole number from ``low`` to ``high``, both included."""
        return int(torch.randint(low, high + 1, (), generator=self.generator))


def first_optimizer() -> None:
    """Called where cases are made: torch loads so much with it that a busy machine would take an answer's seconds."""
    torch.optim.SGD([torch.zeros(1)])


class Case:
    """One set of arguments, with a name that a learner reads when it fails."""

    def __init__(self, name: str, *arguments):
        self.name, self.arguments = name, arguments

    def size(self) -> int:
        """How much there is to look at: the smallest failing case is the one to show."""
        return sum(a.numel() if isinstance(a, Tensor) else 1 for a in self.arguments)


@dataclass(frozen=True)
class Mistake:
    """A wrong answer that people give, as a function or class, and the one sentence that helps."""

    function: Callable
    sentence: str


@dataclass(frozen=True, kw_only=True)
class Exercise:
    """What ``check`` needs to know; its name is the reference's.

    What is asked for is a function, or a class; a class needs a trial, which builds it and uses what was built.

    Args:
        lesson: the notebook's name without .ipynb.
        reference: a right answer, self-contained: what ``solution`` shows.
        minutes, difficulty: what to expect; difficulty from 1 to 5.
        cases: the named cases, which between them tell every pair of mistakes apart.
        drawn: one more case, drawn from any shapes that are allowed; ``check`` draws twenty.
        hints: one step at a time.
        mistakes: wrong answers; one is recognised by giving its output or error on every case.
        not_allowed: dotted names that would be the thing itself: functions, methods or whole modules.
        gradients: whether gradients with respect to the tensors given are compared too.
        tolerance: relative and absolute, where right answers differ by more than rounding.
        fault: the faulty function the notebook shows, for a find-the-fault exercise.
        trial: how to try an answer where calling it once would not show enough (steps in turn, a network that is
            changed): called with the answer and a case's arguments, it returns what is compared.
        judge: where right answers differ, as those that draw: called with what came (from the trial, if there is one)
            and a case's arguments, it says in words or numbers what is compared. It runs where the answer does not.
        optional: whether it lies beyond the lesson's core path.

    Raises:
        TypeError: if ``not_allowed`` is one string, or the reference is a class and there is no trial.
    """

    lesson: str
    reference: Callable
    minutes: int
    difficulty: int
    cases: Callable[[Draw], list[Case]]
    drawn: Callable[[Draw], tuple]
    hints: tuple[str, ...]
    mistakes: tuple[Mistake, ...]
    not_allowed: tuple[str, ...] = ()
    gradients: bool = False
    tolerance: float = 0.0
    fault: Callable | None = None
    trial: Callable | None = None
    judge: Callable | None = None
    optional: bool = False
    name: str = field(init=False)

    def __post_init__(self):
        object.__setattr__(self, "name", self.reference.__name__)
        if isinstance(self.not_allowed, str):
            raise TypeError(f"not_allowed must be a tuple of names, got the string {self.not_allowed!r}")
        if isinstance(self.reference, type) and self.trial is None:
            raise TypeError(f"{self.name} is a class and needs a trial: built alone it computes nothing")

    def named_cases(self) -> list[Case]:
        """Those a learner reads, always with the same contents."""
        return self.cases(Draw(seed=0))

    def drawn_cases(self, count: int = 20, seed: int = 1) -> list[Case]:
        """As many as ``count`` of any allowed shapes, always the same for the same seed."""
        draw = Draw(seed)
        return [Case("drawn inputs", *self.drawn(draw)) for _ in range(count)]


def source_of(function: Callable, name: str) -> str:
    """The source of a function or class, renamed to ``name``: ready to stand in a notebook cell."""
    source = textwrap.dedent(inspect.getsource(function))
    keyword = "class" if isinstance(function, type) else "def"
    return source.replace(f"{keyword} {function.__name__}(", f"{keyword} {name}(", 1)


def functions_of(answer: Callable) -> list[FunctionType]:
    """What of an answer is written in Python: the function itself, or the methods that a class does not inherit."""
    things = vars(answer).values() if isinstance(answer, type) else [answer]
    return [thing for thing in things if isinstance(thing, FunctionType)]


def body_of(function: Callable) -> list[str] | None:
    """The statements of a function, without docstring, comments and layout; None if it has no source.

    Those of a class are its methods' one after the other: Python before 3.13 finds no source of a notebook's class.
    """
    if isinstance(function, type):
        bodies = [body_of(method) for method in functions_of(function)]
        return None if not bodies or None in bodies else [statement for body in bodies for statement in body]
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError, IndentationError):
        return None
    if not tree.body or not isinstance(tree.body[0], ast.FunctionDef):
        return None
    return statements_of(tree.body[0])


def statements_of(definition: ast.FunctionDef | ast.ClassDef) -> list[str]:
    """The same, of a definition that was parsed and need not be executed."""
    if isinstance(definition, ast.ClassDef):
        methods = (part for part in definition.body if isinstance(part, ast.FunctionDef))
        return [statement for method in methods for statement in statements_of(method)]
    statements = definition.body
    if isinstance(statements[0], ast.Expr) and isinstance(getattr(statements[0].value, "value", None), str):
        statements = statements[1:]
    return [ast.dump(statement) for statement in statements]
