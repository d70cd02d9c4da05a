"""Run an answer on one case and survive what it does by accident.

It may raise, never end, recurse, eat memory, print a book, ask for input or draw random numbers: what comes back
is an ``Outcome``, and the kernel is as it was. (What harms on purpose belongs into a process of its own.)
"""

import builtins
import contextlib
import copy
import ctypes
import functools
import importlib
import inspect
import io
import linecache
import os
import random
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import BuiltinFunctionType, FrameType, FunctionType, ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from .exercise import Case, functions_of

SECONDS = 5.0  # for one case; what is asked takes milliseconds
MEMORY = 2 * 2**30  # bytes beyond what the kernel already has
PRINTED = 2_000  # characters kept of what an answer prints


class TimeLimit(BaseException):
    """Not an Exception: an answer's own ``except Exception`` should not catch it."""


class ThingItself(BaseException):
    """The answer calls what it should re-create; the message names it."""


@dataclass
class Outcome:
    """What became of one case."""

    value: Any = None  # what came back
    error: BaseException | None = None
    gradients: dict[str, Tensor | None] = field(default_factory=dict)  # by argument, where they are compared
    afterwards: list = field(default_factory=list)  # the arguments
    line: str | None = None  # of the answer itself, where the error arose
    printed: str = ""
    characters: int = 0  # printed in all


def run(
    function: Callable,
    case: Case,
    names: list[str],
    *,
    gradients: bool = False,
    not_allowed: "Forbidden | None" = None,
) -> Outcome:
    """Call ``function`` on copies of the case's arguments.

    Args:
        function: the answer, the reference or a mistake.
        names: of the arguments, for messages.
        gradients: whether to send a gradient back to every floating-point tensor given.
        not_allowed: what the function must not call.
    """
    outcome, paper = Outcome(), Paper()
    _first_gradient()
    given = [_copy(argument) for argument in case.arguments]
    wanted = [a for a in given if gradients and isinstance(a, Tensor) and a.is_floating_point()]
    for tensor in wanted:
        tensor.requires_grad_()
    # A leaf that wants a gradient cannot be written to, and nor can a view of it; a copy, as a layer receives it, can.
    passed = [a.clone() if any(a is w for w in wanted) else a for a in given]
    try:
        with (
            kept_state(),
            contextlib.redirect_stdout(paper),
            contextlib.redirect_stderr(paper),
            memory_limit(MEMORY),
            time_limit(SECONDS),
            not_allowed or contextlib.nullcontext(),
        ):
            outcome.value = function(*passed)
            if wanted:  # the way back may lead through what the answer wrote, too
                outcome.gradients = _gradients(outcome.value, wanted, given, names)
    except KeyboardInterrupt:
        raise  # the reader's own stop button
    except BaseException as error:
        outcome.error = error
    if not_allowed is not None and not_allowed.called:
        outcome.error = ThingItself(not_allowed.called[0])  # also where the answer has swallowed it
    outcome.printed, outcome.characters = paper.getvalue(), paper.characters
    outcome.afterwards = passed
    return outcome


def _copy(argument: Any) -> Any:
    return argument.detach().clone() if isinstance(argument, Tensor) else copy.deepcopy(argument)


def _gradients(value: Any, wanted: list[Tensor], given: list, names: list[str]) -> dict[str, Tensor | None]:
    """Send back a gradient that differs in every place, so that a swap of places shows."""
    called = {id(argument): name for argument, name in zip(given, names, strict=False)}
    if not isinstance(value, Tensor) or not value.requires_grad:
        return {called[id(tensor)]: None for tensor in wanted}
    sent = torch.linspace(0.5, 1.5, value.numel(), dtype=value.dtype).view(value.shape)
    received = torch.autograd.grad(value, wanted, sent, allow_unused=True)
    return {called[id(tensor)]: gradient for tensor, gradient in zip(wanted, received, strict=True)}


def own_line(answer: Callable, error: BaseException) -> str | None:
    """The deepest line of an error's traceback that the reader wrote: one of the answer."""
    codes = [function.__code__ for function in functions_of(answer)]
    files = {code.co_filename for code in codes}
    own = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename in files]
    if not own:
        return None
    source = linecache.getline(own[-1].filename, own[-1].lineno or 0).strip()
    if isinstance(answer, type):
        return f"your line in {own[-1].name}: {source}"
    number = own[-1].lineno - codes[0].co_firstlineno + 1 if own[-1].lineno else 0
    return f"your line {number}: {source}"


def misfit(answer: Callable, names: list[str]) -> str | None:
    """What is wrong where an answer cannot be called with arguments of these names."""
    try:
        inspect.signature(answer).bind(*names)
    except TypeError:
        asked = ", ".join(names)
        return f"it should take ({asked}), yours takes {inspect.signature(answer)}: keep the first line of the stub"
    except ValueError:  # a built-in function, which does not tell
        return None
    return None


# --- What is put back -----------------------------------------------------------------------------------------


@contextlib.contextmanager
def kept_state() -> Iterator[None]:
    """Put back what an answer may change for the cells after it: random states, defaults, folder, limits."""
    torch_state, python_state, numpy_state = torch.get_rng_state(), random.getstate(), np.random.get_state()
    dtype, grad, threads = torch.get_default_dtype(), torch.is_grad_enabled(), torch.get_num_threads()
    folder, depth, asking = os.getcwd(), sys.getrecursionlimit(), builtins.input
    builtins.input = _no_input
    torch.manual_seed(0)
    try:
        yield
    finally:
        builtins.input = asking
        torch.set_rng_state(torch_state)
        random.setstate(python_state)
        np.random.set_state(numpy_state)
        torch.set_default_dtype(dtype)
        torch.set_grad_enabled(grad)
        torch.set_num_threads(threads)
        os.chdir(folder)
        sys.setrecursionlimit(depth)


def _no_input(prompt: object = "") -> str:
    raise RuntimeError("input() waits for somebody to type, and check cannot")


class Paper(io.StringIO):
    """Keeps the beginning of what is printed and counts the rest."""

    characters = 0

    def write(self, text: str) -> int:
        """Keep of the text what there is room for, and count all of it."""
        super().write(text[: max(0, PRINTED - self.characters)])
        self.characters += len(text)
        return len(text)


# --- Limits ---------------------------------------------------------------------------------------------------


@functools.cache
def _first_gradient() -> None:
    """Ask for a gradient once: torch then imports so much that on a busy machine an answer's seconds would be over."""
    x = torch.ones(2, requires_grad=True)
    torch.autograd.grad(x * x, x, torch.ones(2))


@contextlib.contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise ``TimeLimit`` in this thread after so many seconds, and again until the block is left.

    An import is not broken off, or half a module would be left to whoever asks for it next; after it time begins anew.
    """
    on_main = threading.current_thread() is threading.main_thread()
    stop = _alarm(seconds) if on_main and hasattr(signal, "SIGALRM") else _watcher(seconds)
    try:
        try:
            yield
        finally:
            stop()
    finally:
        stop()  # again, as the limit itself may strike on the way into the line above


def _alarm(seconds: float) -> Callable[[], None]:
    """By the system's alarm, which wakes a sleeping call too; not on Windows, and on the main thread only."""

    def strike(number: int, frame: FrameType | None) -> None:
        if not _imports(frame):
            raise TimeLimit
        signal.setitimer(signal.ITIMER_REAL, seconds, 0.1)

    before = signal.signal(signal.SIGALRM, strike)
    signal.setitimer(signal.ITIMER_REAL, seconds, 0.1)

    def stop() -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)

    return stop


def _watcher(seconds: float) -> Callable[[], None]:
    """By a second thread that plants the exception; it acts at the next line of Python."""
    done, here = threading.Event(), ctypes.c_ulong(threading.get_ident())

    def watch() -> None:
        wait = seconds
        while not done.wait(wait):
            if _imports(sys._current_frames().get(here.value)):
                wait = seconds
                continue
            ctypes.pythonapi.PyThreadState_SetAsyncExc(here, ctypes.py_object(TimeLimit))
            wait = 0.1

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()

    def stop() -> None:
        done.set()
        thread.join()  # Python code: what was planted and has not acted yet acts in here

    return stop


def _imports(frame: FrameType | None) -> bool:
    """Whether an import is under way in this frame, or in one that waits for it."""
    while frame is not None and not frame.f_code.co_filename.startswith("<frozen importlib"):
        frame = frame.f_back
    return frame is not None


@contextlib.contextmanager
def memory_limit(extra: int) -> Iterator[None]:
    """Let an allocation fail that would take more than ``extra`` bytes, where the system (Linux) can."""
    try:
        import resource

        with open("/proc/self/statm") as sizes:
            now = int(sizes.read().split()[0]) * resource.getpagesize()
    except (ImportError, OSError):
        yield
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    limit = now + extra if hard == resource.RLIM_INFINITY else min(now + extra, hard)
    resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


# --- The thing itself -----------------------------------------------------------------------------------------


class Forbidden:
    """A context in which some calls raise ``ThingItself``, by whatever name or module they are reached.

    Python tells a profile function of every call, with the code object or built-in function that is called; so
    an alias, a ``from ... import`` or a call made inside a library all look the same. Built-in functions that call
    for somebody else, as ``map`` does, are not told of: PyTorch's own are then called once more from Python.

    Args:
        names: dotted, of functions, methods or whole modules.
        functions: others, as they are.
    """

    def __init__(self, names: tuple[str, ...], functions: tuple[Callable, ...] = ()):
        self.called: list[str] = []
        self.codes = {method.__code__: f.__name__ for f in functions for method in functions_of(f)}
        self.builtins: dict[Any, str] = {}
        self.methods: dict[str, str] = {}  # of Tensor
        self.modules: set[str] = set()
        for name in names:
            thing = resolve(name) if name.partition(".")[0] in sys.modules else None
            if thing is None:
                continue  # a library that nobody has imported; the next case looks again
            if isinstance(thing, ModuleType):
                self.modules.add(thing.__name__)
            elif isinstance(thing, FunctionType | type):
                self.codes.update({function.__code__: name for function in functions_of(thing)})
            elif isinstance(thing, BuiltinFunctionType):
                self.builtins[thing] = name
            else:
                self.methods[thing.__name__] = name

    def __enter__(self) -> None:
        self.before = sys.getprofile()
        self.mode = _CalledFromPython() if self.builtins or self.methods else contextlib.nullcontext()
        self.mode.__enter__()
        sys.setprofile(self._see)

    def __exit__(self, *error: object) -> None:
        sys.setprofile(self.before)
        self.mode.__exit__(None, None, None)

    def _see(self, frame: FrameType, event: str, thing: Any) -> None:
        name = None
        if event == "call":
            name = self.codes.get(frame.f_code)
            module = frame.f_globals.get("__name__") or ""
            if name is None and any(f"{module}.".startswith(f"{forbidden}.") for forbidden in self.modules):
                name = f"{module}.{frame.f_code.co_name}"
        elif event == "c_call":
            if isinstance(getattr(thing, "__self__", None), Tensor):
                name = self.methods.get(thing.__name__)
            elif isinstance(thing, BuiltinFunctionType):
                name = self.builtins.get(thing)
        if name is not None:
            self.called.append(name)
            raise ThingItself(name)


class _CalledFromPython(TorchFunctionMode):
    """PyTorch hands it each of its own functions; calling them here tells the profile function of them."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        return function(*args, **(kwargs or {}))


def resolve(name: str) -> Any:
    """The object that a dotted name stands for: a module, or something inside one."""
    module, inside = name, []
    while True:
        try:
            thing = importlib.import_module(module)
            break
        except ModuleNotFoundError:
            module, _, last = module.rpartition(".")
            inside.insert(0, last)
    for part in inside:
        thing = getattr(thing, part)
    return thing
