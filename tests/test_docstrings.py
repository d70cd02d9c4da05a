"""What a public name of the course says of itself: its arguments, shapes and errors.

A rule takes a function or class with all that stands around it, and says what is missing. Beside each rule stand
offenders, which it must notice. Which paper a block is from, no rule can see.
"""

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from course_utils.lessons import ROOT

Function = ast.FunctionDef | ast.AsyncFunctionDef

# (N, C, H, W), (..., D), (N,), (H - kh + 1, W - kw + 1) or (), but not the arguments of f(a, b); or as another has it.
LENGTH = r"(\.\.\.|\w[\w *+/'-]*)"
SHAPE = re.compile(rf"(?<!\w)\((\)|{LENGTH},( {LENGTH},?)*\))|\b[Aa]ny shape\b|\b[Aa]s (in )?``\w")


@dataclass
class Public:
    """A public function, class or method, and the class it is in."""

    name: str
    node: Function | ast.ClassDef
    lines: list[str]  # of its module
    common: str  # the module's docstring
    owner: ast.ClassDef | None = None

    @property
    def text(self) -> str:
        """The docstring; for a class, that of ``__init__`` and the comments beside its fields too."""
        if isinstance(self.node, ast.ClassDef):
            docstrings = map(ast.get_docstring, (self.node, *self.makers))
            return "\n".join([*filter(None, docstrings), *map(self.comment, fields(self.node))])
        return ast.get_docstring(self.node) or ""

    def comment(self, field: ast.AnnAssign) -> str:
        """The field's name and what is said of it in its line, if anything is."""
        comment = self.lines[field.end_lineno - 1].partition("  # ")[2]
        return comment and f"{field.target.id}: {comment}"

    @property
    def makers(self) -> list[Function]:
        """What runs when it is called: the function itself, or what makes an object of the class."""
        if isinstance(self.node, ast.ClassDef):
            return [node for node in functions(self.node) if node.name in ("__init__", "__post_init__")]
        return [self.node]

    @property
    def parameters(self) -> list[ast.arg | ast.AnnAssign]:
        """The arguments of a function, or of ``__init__``; where a class has none, its fields."""
        if isinstance(self.node, ast.ClassDef) and not any(node.name == "__init__" for node in self.makers):
            return fields(self.node)
        arguments = next(node.args for node in self.makers if node.name != "__post_init__")
        every = [*arguments.posonlyargs, *arguments.args, arguments.vararg, *arguments.kwonlyargs, arguments.kwarg]
        return [each for each in every if each is not None and each.arg not in ("self", "cls")]


def functions(node: ast.ClassDef) -> list[Function]:
    return [child for child in node.body if isinstance(child, Function)]


def fields(node: ast.ClassDef) -> list[ast.AnnAssign]:
    return [child for child in node.body if isinstance(child, ast.AnnAssign)]


def public(source: str) -> Iterator[Public]:
    """The public functions, classes and methods of a module."""
    tree = ast.parse(source)
    module = source.splitlines(), ast.get_docstring(tree) or ""
    for node in tree.body:
        if isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_"):
            yield Public(node.name, node, *module)
            for method in functions(node) if isinstance(node, ast.ClassDef) else ():
                if not method.name.startswith("_"):
                    yield Public(f"{node.name}.{method.name}", method, *module, node)


def names(text: str, word: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text, re.IGNORECASE) is not None


# ---- The rules


def says_something(it: Public) -> Iterator[str]:
    if not it.text and not any(is_said_by(base, it.node.name) for base in (it.owner.bases if it.owner else ())):
        yield "has no docstring"


def is_said_by(base: ast.expr, method: str) -> bool:
    """Whether a class of the course has a docstring for the method, which then holds for those that override it."""
    found = classes().get(getattr(base, "id", ""))
    return found is not None and any(each.name == method and ast.get_docstring(each) for each in functions(found))


@cache
def classes() -> dict[str, ast.ClassDef]:
    """Those of the course, by name."""
    nodes = (node for path in modules() for node in ast.parse(path.read_text(encoding="utf-8")).body)
    return {node.name: node for node in nodes if isinstance(node, ast.ClassDef)}


def names_its_parameters(it: Public) -> Iterator[str]:
    said = it.text + "".join(re.findall(r"``\w+``", it.common))
    if len(it.parameters) == 1 and "->" in it.text.partition("\n")[0]:
        return  # what stands before the arrow is the one there is
    for each in it.parameters:
        name = each.arg if isinstance(each, ast.arg) else each.target.id
        kind = ast.unparse(each.annotation).lower() if each.annotation else ""  # release: Release says what it is
        if not name.startswith("_") and not names(said, name) and not names(kind, name):
            yield f"says nothing of its parameter {name}"


def tells_shapes(it: Public) -> Iterator[str]:
    annotations = [each.annotation for each in it.parameters]
    if isinstance(it.node, Function):
        annotations.append(it.node.returns)
    if any(map(is_tensor, annotations)) and not SHAPE.search(it.text):
        yield "takes or gives a Tensor and tells no shape, such as (N, C, H, W)"


def is_tensor(annotation: ast.expr | None) -> bool:
    """Whether a Tensor is meant, alone or in a tuple or list: batches, functions and states have no one shape."""
    match annotation:
        case ast.Name(id="Tensor") | ast.Attribute(attr="Tensor"):
            return True
        case ast.BinOp(left=left, right=right):
            return is_tensor(left) or is_tensor(right)
        case ast.Subscript(value=ast.Name(id="tuple" | "list"), slice=ast.Tuple(elts=parts)):
            return any(map(is_tensor, parts))
        case ast.Subscript(value=ast.Name(id="tuple" | "list"), slice=part):
            return is_tensor(part)
    return False


def tells_its_errors(it: Public) -> Iterator[str]:
    of_owner = ast.get_docstring(it.owner) or "" if it.owner else ""
    for error in dict.fromkeys(error for maker in it.makers for error in raised(maker)):
        told_by_owner = names(of_owner, error) and names(of_owner, it.node.name)
        if not names(it.text, error) and not told_by_owner:
            yield f"raises {error} and does not say when"


def raised(node: ast.AST) -> Iterator[str]:
    """The names of the exceptions that stand behind a ``raise`` in this function itself."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Raise) and child.exc is not None:
            error = child.exc.func if isinstance(child.exc, ast.Call) else child.exc
            name = error.attr if isinstance(error, ast.Attribute) else getattr(error, "id", "")
            if name[:1].isupper() and name != "NotImplementedError":  # which says that a subclass does it
                yield name
        elif not isinstance(child, Function | ast.ClassDef | ast.Lambda):
            yield from raised(child)


RULES: list[Callable[[Public], Iterator[str]]] = [says_something, names_its_parameters, tells_shapes, tells_its_errors]


def modules() -> list[Path]:
    """All but the exercises of each lesson, whose docstrings are those of the stubs."""
    return [path for path in sorted((ROOT / "course_utils").rglob("*.py")) if not path.match("exercises/lesson_*.py")]


def complaints(source: str, rules: list[Callable[[Public], Iterator[str]]] = RULES) -> list[str]:
    """A sentence for each fault; whatever has no docstring has no other fault."""
    return [
        f"line {it.node.lineno}: {it.name} {complaint}"
        for it in public(source)
        for rule in rules
        if it.text or rule is says_something
        for complaint in rule(it)
    ]


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.relative_to(ROOT / "course_utils").as_posix())
def test_public_names_say_what_they_take_give_and_raise(path):
    found = complaints(path.read_text(encoding="utf-8"))
    assert not found, "\n" + "\n".join(found)


# ---- Every rule notices an offender


OFFENDERS = [
    (says_something, "def f(x):\n    return x", "has no docstring"),
    (says_something, 'class A:\n    "Says."\n    def f(self):\n        pass', "has no docstring"),
    (says_something, 'class A(Batches):\n    "Says."\n    def count(self):\n        pass', "has no docstring"),
    (names_its_parameters, 'def f(x, size):\n    "Make x larger; resized."', "says nothing of its parameter size"),
    (names_its_parameters, 'def f(x, size):\n    "(N,) -> (size,)"', "says nothing of its parameter x"),
    (names_its_parameters, 'def f(*given, size=1, **more):\n    "Given more."', "says nothing of its parameter size"),
    (names_its_parameters, 'class A:\n    "Says."\n    def __init__(self, x): ...', "says nothing of its parameter x"),
    (names_its_parameters, '@dataclass\nclass A:\n    "Says."\n    size: int', "says nothing of its parameter size"),
    (names_its_parameters, '"On size."\ndef f(x, size):\n    "Of x."', "says nothing of its parameter size"),
    (tells_shapes, 'def f(x: Tensor) -> int:\n    "Counts f(x, y)."', "tells no shape"),
    (tells_shapes, 'def f(x: int) -> tuple[int, torch.Tensor | None]:\n    "Of one (small) x."', "tells no shape"),
    (tells_shapes, 'class A(NamedTuple):\n    "Of x."\n    x: list[Tensor]', "tells no shape"),
    (tells_its_errors, 'def f(x):\n    "Of x."\n    if x:\n        raise ValueError(x)', "raises ValueError"),
    (tells_its_errors, 'class A:\n    "TypeError"\n    def f(self):\n        "It."\n        raise TypeError', "raises"),
    (tells_its_errors, 'class A:\n    "Says."\n    def __post_init__(self):\n        raise a.Odd("x")', "raises Odd"),
]  # fmt: skip

INNOCENT = [
    'class A(Batches):\n    "Says."\n    def order(self):\n        return 1',
    '"A ``size`` is in pixels."\ndef f(x, size):\n    "Of x."',
    'def f(release: Release):\n    "Says."',
    'def f(x: Tensor) -> Tensor:\n    "(..., C, H - kh + 1) -> ()"',
    'def f(x: Tensor, y: Tensor):\n    "x and y as in ``g``."',
    'def f(states: dict[str, Tensor], do: Callable[[Tensor], Tensor]):\n    "States, and what to do."',
    '@dataclass\nclass A:\n    "Says."\n    size: int  # in pixels\n    _kept: int',
    'class A:\n    "TypeError: in ``f``."\n    def f(self):\n        "Says."\n        raise TypeError',
    'def f():\n    "Says."\n    def g():\n        raise ValueError\n    raise NotImplementedError',
    'def f():\n    "Says."\n    try:\n        pass\n    except ValueError as error:\n        raise error',
    "def _f(x):\n    raise ValueError",
]  # fmt: skip


@pytest.mark.parametrize(("rule", "source", "complaint"), OFFENDERS)
def test_a_rule_notices(rule, source, complaint):
    (found,) = complaints(source, [rule])
    assert complaint in found


@pytest.mark.parametrize("source", INNOCENT)
def test_no_rule_complains_without_a_cause(source):
    assert complaints(source) == []
