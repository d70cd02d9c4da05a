"""Look at an answer without running it: is it one, what does it reach for, and whose is it like?"""

import ast
import hashlib
import inspect
import re
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ..exercises.checking import untouched
from ..exercises.exercise import Exercise, statements_of

Definition = ast.FunctionDef | ast.ClassDef

# An answer computes. What is not needed for that is seen by a human before it gets points. These lists are an aid for
# the eye, and have no end; the walls are those of the sandbox.
SAFE_MODULES = {
    "abc", "bisect", "cmath", "collections", "contextlib", "copy", "course_utils", "dataclasses", "decimal", "enum",
    "fractions", "functools", "heapq", "itertools", "math", "matplotlib", "numbers", "numpy", "operator", "random",
    "re", "scipy", "sklearn", "statistics", "time", "torch", "torchvision", "tqdm", "typing", "warnings",
}  # fmt: skip
UNSAFE_NAMES = {
    "__builtins__", "__import__", "__loader__", "__spec__", "breakpoint", "compile", "delattr", "dir", "eval", "exec",
    "getattr", "globals", "input", "locals", "memoryview", "open", "setattr", "vars",
}  # fmt: skip
UNSAFE_ATTRIBUTES = {
    "cr_frame", "f_back", "f_builtins", "f_globals", "f_locals", "gi_frame", "setprofile", "settrace", "tb_frame",
    "attrgetter", "methodcaller", "builtins", "ctypes", "gc", "importlib", "inspect", "multiprocessing", "os", "pickle",
    "socket", "subprocess", "sys", "threading", "classroom", "exercises", "first_cell", "lessons", "ForwardRef",
    "Formatter", "ctypeslib", "get_field", "get_ipython", "get_type_hints", "read_array", "run_cell", "runstring",
    "testing", "update_wrapper", "vformat", "wraps",
}  # fmt: skip
UNSAFE_IN_TORCH = {
    "classes", "compile", "compiler", "fx", "hub", "jit", "library", "load", "ops", "overrides", "package",
}  # fmt: skip
PLAIN_DUNDERS = {"__call__", "__class__", "__init__", "__len__", "__name__", "__version__", "__doc__"}
HANDED_OUT = {"F", "math", "nn", "np", "torch"}  # modules that a lesson has imported
LONGEST = 20_000  # characters of an answer
SHORTEST = 60  # nodes of a syntax tree below which two right answers are alike by nature


@dataclass(frozen=True)
class Seen:
    """What an answer's text tells."""

    problem: str | None = None  # why it cannot be tried
    attempted: bool = True  # it is no longer the stub
    reaches: list[str] = field(default_factory=list)  # for what an answer has no need of
    fingerprint: str = ""  # as ``fingerprint_of`` has it


def look_at(source: str, exercise: Exercise, beside: Sequence[str] = ()) -> Seen:
    """Read the source of an answer cell, and, for what they reach, the cells ``beside`` it, executed before."""
    if len(source) > LONGEST:
        return Seen(f"the cell has more than {LONGEST:,} characters")
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
        reaches = [found for cell in (*beside, source) for found in reaches_of(ast.parse(without_magics(cell)))]
        return Seen(None, attempted, list(dict.fromkeys(reaches)), fingerprint_of(definition))
    except SyntaxError as error:
        place = f" in line {error.lineno}" if error.lineno else ""
        line = f": {error.text.strip()[:100]}" if error.text else ""
        return Seen(f"{type(error).__name__}{place}: {error.msg}{line}")
    except (RecursionError, MemoryError, ValueError) as error:  # nested without end, or with a NUL in it
        return Seen(f"{type(error).__name__}: the cell cannot be read as Python")


def without_magics(source: str) -> str:
    """A cell's source as plain Python: lines that only IPython understands become empty, so no line is renumbered."""
    try:
        ast.parse(source)
    except SyntaxError:
        return re.sub(r"(?m)^[ \t]*[%!?].*$|^.*\?[ \t]*$", "", source)
    return source


def defined_in(tree: ast.Module, name: str) -> Definition | None:
    """The last definition of that name at the top level of a tree."""
    found = [node for node in tree.body if isinstance(node, Definition) and node.name == name]
    return found[-1] if found else None


def needed(name: str, sources: Mapping[str, str]) -> list[str]:
    """Which sources must be executed before the one of this name: those that define what it names, and so on."""
    defined, named = {}, {}
    for cell, source in sources.items():
        if len(source) > LONGEST:
            continue
        try:
            tree = ast.parse(without_magics(source))
        except (SyntaxError, RecursionError, MemoryError, ValueError):
            continue
        named[cell] = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        defined |= {node.name: cell for node in tree.body if isinstance(node, Definition)}
    wanted, found = [name], []
    while wanted:
        cell = wanted.pop()
        more = {defined[word] for word in named.get(cell, ()) if word in defined} - {name, *found}
        found += sorted(more)
        wanted += sorted(more)
    return [cell for cell in sources if cell in found]


def reaches_of(tree: ast.AST) -> list[str]:
    """What in a tree reaches beyond computing: into files, the interpreter, the checker; each as it is written."""
    found, modules, others = [], set(HANDED_OUT), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            others |= {alias.asname or alias.name for alias in node.names}
    imported = modules | others
    read: set[int] = set()  # calls of getattr come before the name in them
    as_base = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    for node in ast.walk(tree):
        match node:
            case ast.Import(names):
                found += [f"import {alias.name}" for alias in names if not _is_safe(alias.name)]
            case ast.ImportFrom(module, names, level):
                full = [f"{module}.{alias.name}" for alias in names]
                if level or not all(map(_is_safe, full)):
                    found.append(f"from {module} import {', '.join(alias.name for alias in names)}")
            case ast.Call(ast.Name("getattr" | "setattr" | "delattr"), [value, ast.Constant(str(name)), *_]):
                read |= {id(node.func)}  # by a name that is there to be read
                if _is_deep(value, name, imported):
                    found.append(ast.unparse(node.args[1]))
            case ast.Call(ast.Name("type"), [_, _, _]):
                found.append("type(name, bases, members)")
            case ast.Name(name) if name in UNSAFE_NAMES and id(node) not in read:
                found.append(name)
            case ast.Attribute(value, name) if _is_deep(value, name, imported):
                found.append(ast.unparse(node)[-60:])
            case ast.Attribute(value, _, ast.Store() | ast.Del()) if _root(value) in imported:
                found.append(f"{ast.unparse(node)[-60:]} = ...")
            case ast.Name(name, ast.Load()) if name in modules and id(node) not in as_base:
                found.append(f"the module {name}, handed on")
            case ast.keyword("allow_pickle"):
                found.append("allow_pickle")
            case ast.MatchClass(kwd_attrs=names):
                found += [name for name in names if name.startswith("_") or name in UNSAFE_ATTRIBUTES]
    return found


def _is_safe(module: str) -> bool:
    first, *inside = module.split(".")
    private = any(part.startswith("_") or part == "*" or part in UNSAFE_ATTRIBUTES for part in inside)
    torch_part = first == "torch" and bool(UNSAFE_IN_TORCH & set(inside))
    return first in SAFE_MODULES and not private and not torch_part


def _is_deep(value: ast.expr, name: str, modules: set[str]) -> bool:
    if name.startswith("__"):
        return name not in PLAIN_DUNDERS
    of_self = isinstance(value, ast.Name) and value.id in ("self", "cls")
    in_torch = _root(value) in modules and name in UNSAFE_IN_TORCH
    return name in UNSAFE_ATTRIBUTES or in_torch or (name.startswith("_") and not of_self)


def _root(value: ast.expr) -> str:
    """torch.nn.functional -> "torch"; "" where it does not begin with a name."""
    while isinstance(value, ast.Attribute):
        value = value.value
    return value.id if isinstance(value, ast.Name) else ""


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
    """The fingerprint of a thing of ours, a block or a reference."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(thing)))
    except (OSError, TypeError, SyntaxError):
        return ""
    return fingerprint_of(tree.body[0]) if isinstance(tree.body[0], Definition) else ""
