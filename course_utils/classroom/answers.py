"""Look at an answer without running it: is it one, what does it reach for, and whose is it like?"""

import ast
import hashlib
import inspect
import re
import textwrap
from collections.abc import Callable
from dataclasses import dataclass, field

from ..exercises.checking import untouched
from ..exercises.exercise import Exercise, statements_of

Definition = ast.FunctionDef | ast.ClassDef

# An answer computes. What is not needed for that is seen by a human before it gets points.
SAFE_MODULES = {
    "abc", "bisect", "cmath", "collections", "contextlib", "copy", "course_utils", "dataclasses", "decimal", "enum",
    "fractions", "functools", "heapq", "IPython", "itertools", "math", "matplotlib", "numbers", "numpy", "operator",
    "random", "re", "scipy", "sklearn", "statistics", "string", "time", "torch", "torchvision", "tqdm", "typing",
    "warnings",
}  # fmt: skip
UNSAFE_COURSE = ("course_utils.exercises", "course_utils.classroom", "course_utils.lessons", "course_utils.first_cell")
UNSAFE_NAMES = {
    "__builtins__", "__import__", "__loader__", "__spec__", "breakpoint", "compile", "eval", "exec", "globals", "input",
    "locals", "memoryview", "open",
}  # fmt: skip
UNSAFE_ATTRIBUTES = {
    "cr_frame", "f_back", "f_builtins", "f_globals", "f_locals", "gi_frame", "setprofile", "settrace", "tb_frame",
    "builtins", "ctypes", "gc", "importlib", "inspect", "multiprocessing", "os", "pickle", "signal", "socket",
    "subprocess", "sys", "threading",
}  # fmt: skip
UNSAFE_IN_TORCH = {
    "classes", "compile", "compiler", "fx", "hub", "jit", "library", "load", "ops", "overrides", "package",
}  # fmt: skip
PLAIN_DUNDERS = {"__call__", "__class__", "__init__", "__len__", "__name__", "__version__", "__doc__"}
SHORTEST = 60  # nodes of a syntax tree below which two right answers are alike by nature


@dataclass(frozen=True)
class Seen:
    """What an answer's text tells."""

    problem: str | None = None  # why it cannot be tried
    attempted: bool = True
    reaches: list[str] = field(default_factory=list)  # for what an answer has no need of
    fingerprint: str = ""


def look_at(source: str, exercise: Exercise) -> Seen:
    """Read an answer cell."""
    try:
        tree = ast.parse(without_magics(source))
        definition = defined_in(tree, exercise.name)
        if definition is None:
            others = [node.name for node in tree.body if isinstance(node, Definition)]
            instead = f"; it defines {', '.join(others[:3])}" if others else ""
            return Seen(f"the cell does not define {exercise.name}{instead}")
        is_class = isinstance(exercise.reference, type)
        if is_class is not isinstance(definition, ast.ClassDef):
            return Seen(f"{exercise.name} should be a {'class' if is_class else 'function'}")
        attempted = not untouched(statements_of(definition), exercise)
        return Seen(None, attempted, reaches_of(tree), fingerprint_of(definition))
    except SyntaxError as error:
        line = (error.text or "").strip()
        return Seen(f"{type(error).__name__} in line {error.lineno}: {error.msg}" + (f": {line[:100]}" if line else ""))
    except (RecursionError, MemoryError, ValueError) as error:  # nested without end, or with a NUL in it
        return Seen(f"{type(error).__name__}: the cell cannot be read as Python")


def without_magics(source: str) -> str:
    """A cell as plain Python: lines that only IPython understands become empty, and the others keep their number."""
    try:
        ast.parse(source)
    except SyntaxError:
        return re.sub(r"(?m)^[ \t]*[%!?].*$|^.*\?[ \t]*$", "", source)
    return source


def defined_in(tree: ast.Module, name: str) -> Definition | None:
    """The last definition of that name at top level."""
    found = [node for node in tree.body if isinstance(node, Definition) and node.name == name]
    return found[-1] if found else None


def reaches_of(tree: ast.AST) -> list[str]:
    """What in a tree reaches beyond computing: into files, the interpreter, the checker; each as it is written."""
    found = []
    for node in ast.walk(tree):
        match node:
            case ast.Import(names):
                found += [f"import {alias.name}" for alias in names if not _is_safe(alias.name)]
            case ast.ImportFrom(module, names, level):
                full = [f"{module}.{alias.name}" for alias in names]
                if level or not all(_is_safe(name) for name in full) or not _is_safe(module or ""):
                    found.append(f"from {module} import {', '.join(alias.name for alias in names)}")
            case ast.Name(name) if name in UNSAFE_NAMES:
                found.append(name)
            case ast.Attribute(value, name) if _is_deep(value, name):
                found.append(ast.unparse(node)[-60:])
            case ast.Call(ast.Name("getattr" | "setattr" | "delattr"), [_, name, *_]):
                if not isinstance(name, ast.Constant) or _is_deep(node.args[0], str(name.value)):
                    found.append(ast.unparse(node)[:60])
            case ast.Call(ast.Name("type"), [_, _, _]):
                found.append("type(name, bases, members)")
    return list(dict.fromkeys(found))


def _is_safe(module: str) -> bool:
    inside = any(f"{module}.".startswith(f"{unsafe}.") for unsafe in UNSAFE_COURSE)
    private = any(part.startswith("_") for part in module.split("."))
    torch_part = module.startswith("torch.") and module.split(".")[1] in UNSAFE_IN_TORCH
    return module.partition(".")[0] in SAFE_MODULES and not (inside or private or torch_part)


def _is_deep(value: ast.expr, name: str) -> bool:
    if name.startswith("__"):
        return name not in PLAIN_DUNDERS
    of_self = isinstance(value, ast.Name) and value.id in ("self", "cls")
    in_torch = isinstance(value, ast.Name) and value.id == "torch" and name in UNSAFE_IN_TORCH
    return name in UNSAFE_ATTRIBUTES or in_torch or (name.startswith("_") and not of_self)


# --- Whose is it like? ----------------------------------------------------------------------------------------


def fingerprint_of(definition: Definition) -> str:
    """The same for two definitions that differ only in names, comments and layout; "" where they are too short."""
    tree = ast.parse(ast.unparse(definition)).body[0]
    called: dict[str, str] = {}
    for node in ast.walk(tree):  # names that are given here: of arguments, variables, functions
        match node:
            case ast.arg(arg=name) | ast.Name(id=name, ctx=ast.Store()) | ast.FunctionDef(name=name):
                called.setdefault(name, f"name{len(called)}")
    for node in ast.walk(tree):
        match node:
            case ast.arg(arg=name):
                node.arg, node.annotation = called[name], None
            case ast.Name(id=name) if name in called:
                node.id = called[name]
            case ast.FunctionDef(name=name):
                node.name, node.returns = called[name], None
                if ast.get_docstring(node) is not None:
                    node.body = node.body[1:] or [ast.Pass()]
    if isinstance(tree, ast.ClassDef):
        tree.name = "name"
        if ast.get_docstring(tree) is not None:
            tree.body = tree.body[1:] or [ast.Pass()]
    if sum(1 for _ in ast.walk(tree)) < SHORTEST:
        return ""
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()[:16]


def fingerprint_of_ours(thing: Callable) -> str:
    """The fingerprint of a block, or of a reference."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(thing)))
    except (OSError, TypeError, SyntaxError):
        return ""
    return fingerprint_of(tree.body[0]) if isinstance(tree.body[0], Definition) else ""
