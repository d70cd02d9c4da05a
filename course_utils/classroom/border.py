"""What crosses the border between an answer's process and the grader: JSON and safetensors, which execute nothing.

An answer's process may send anything. So every length is checked before it is read, and what comes out of
``decode`` is plain: tensors, numbers, texts, lists, and for anything else an empty object of that name.
"""

import builtins
import functools
import json
import struct
from typing import Any

import numpy as np
import safetensors.torch
import torch
from torch import Tensor

from ..exercises.running import Outcome, ThingItself, TimeLimit

MOST_BYTES = 16 * 2**20  # of one outcome
MOST_TEXT = 10_000  # characters of one text
MOST_ITEMS = 200_000  # in all lists and dicts of one outcome
DEEPEST = 20  # lists in lists
LARGEST = 10**300  # Python refuses to write out an int of thousands of digits

LENGTHS = struct.Struct(">II")  # of the JSON part and of the safetensors part

ERRORS = {
    "TimeLimit": TimeLimit,
    "ThingItself": ThingItself,
    "LinAlgError": torch.linalg.LinAlgError,
    **{
        name: kind
        for name, kind in vars(builtins).items()
        if isinstance(kind, type) and issubclass(kind, Exception) and not issubclass(kind, BaseExceptionGroup)
    },
}


class Unreadable(ValueError):
    """What came over the border is not an outcome; the message says why."""


# --- Out of the answer's process ------------------------------------------------------------------------------


def encode(outcome: Outcome, given: list) -> bytes:
    """An outcome as bytes. Its value should be settled.

    Args:
        given: the arguments as they were before; of functions only whether they are still there is told.

    Raises:
        ValueError: if it is too large.
    """
    writer = _Writer()
    record = {
        "value": writer.plain(outcome.value),
        "error": None if outcome.error is None else _error_out(outcome.error),
        "gradients": {name: writer.plain(gradient) for name, gradient in outcome.gradients.items()},
        "afterwards": [
            {"same": True} if callable(before) and after is before else writer.plain(settled(after))
            for before, after in zip(given, outcome.afterwards, strict=False)
        ],
        "line": None if outcome.line is None else outcome.line[:MOST_TEXT],
        "printed": outcome.printed[:MOST_TEXT],
        "characters": int(outcome.characters),
    }
    text = json.dumps(record).encode()
    tensors = safetensors.torch.save(writer.tensors)
    if len(text) + len(tensors) > MOST_BYTES:
        raise ValueError(f"it gives back more than {MOST_BYTES // 2**20} MB")
    return LENGTHS.pack(len(text), len(tensors)) + text + tensors


def settled(value: Any, depth: int = 0) -> Any:
    """A value as it is now, of plain kinds only: what an object of the answer's own would do later, it does here.

    Called while the answer is still under watch, so that nothing is computed when nobody looks any more. Methods
    are those of PyTorch and Python, whatever a subclass has put in their place. The graph of a tensor stays.

    Args:
        value: anything.
        depth: how many lists and the like it lies in.

    Raises:
        ValueError: if lists are nested too deeply.
    """
    if depth > DEEPEST:
        raise ValueError(f"it gives back lists {DEEPEST} deep")
    if isinstance(value, Tensor):
        with torch._C.DisableTorchFunctionSubclass():
            plain = value if type(value) is Tensor else Tensor.as_subclass(value, Tensor)
            return Tensor.clone(plain)  # of its own, as somebody else may hold the first and write to it later
    if isinstance(value, np.ndarray):
        return np.array(np.ndarray.view(value, np.ndarray), order="C")
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, np.generic):
        return np.generic.item(value)
    if isinstance(value, int):
        return int.__add__(value, 0)
    if isinstance(value, float):
        return float.__add__(value, -0.0)  # 0.0 would make 0.0 of -0.0
    if isinstance(value, str):
        return str.__getitem__(value, slice(MOST_TEXT))
    if isinstance(value, list):
        return [settled(item, depth + 1) for item in list.__iter__(value)]
    if isinstance(value, tuple):
        return tuple(settled(item, depth + 1) for item in tuple.__iter__(value))
    if isinstance(value, dict):
        return {settled(key): settled(item, depth + 1) for key, item in dict.items(value)}
    return _named(object, type(value).__name__[:100])()


class _Writer:
    """Turns settled values into JSON, and lays tensors aside under a number."""

    def __init__(self):
        self.tensors: dict[str, Tensor] = {}
        self.items = self.bytes = 0

    def plain(self, value: Any) -> dict | None:
        self.items += 1
        if self.items > MOST_ITEMS:
            raise ValueError(f"it gives back more than {MOST_ITEMS:,} things")
        if value is None:
            return None
        if isinstance(value, Tensor):
            return self._tensor(value)
        if isinstance(value, np.ndarray):
            return {"array": self._tensor(torch.from_numpy(value))}
        if isinstance(value, bool):
            return {"bool": value}
        if isinstance(value, int):
            return {"int": hex(value)} if abs(value) < LARGEST else {"object": "very large int"}
        if isinstance(value, float):
            return {"float": value.hex()}
        if isinstance(value, str):
            return {"text": value}
        if isinstance(value, list | tuple):
            return {type(value).__name__: [self.plain(item) for item in value]}
        if isinstance(value, dict):
            return {"dict": {str(key): self.plain(item) for key, item in value.items()}}
        return {"object": type(value).__name__}

    def _tensor(self, tensor: Tensor) -> dict:
        if tensor.is_quantized:
            return {"object": "quantized tensor"}
        if tensor.layout != torch.strided or tensor.is_complex():
            return {"odd tensor": "complex" if tensor.is_complex() else str(tensor.layout)}
        self.bytes += tensor.numel() * tensor.element_size()
        if self.bytes > MOST_BYTES:
            raise ValueError(f"it gives back tensors of more than {MOST_BYTES // 2**20} MB")
        name = str(len(self.tensors))
        self.tensors[name] = tensor.detach().cpu().clone().contiguous()
        return {"tensor": name}


def _error_out(error: BaseException) -> dict:
    try:
        text = str(error)
    except Exception:
        text = "(its message cannot be printed)"
    return {"kind": type(error).__name__[:100], "text": text[:MOST_TEXT]}


# --- Into the grader ------------------------------------------------------------------------------------------


def split(stream: bytes) -> list[bytes]:
    """The outcomes of a stream that may have been cut off: whole ones, each no longer than allowed."""
    found, place = [], 0
    while place + LENGTHS.size <= len(stream):
        length = LENGTHS.size + sum(LENGTHS.unpack_from(stream, place))
        if length > LENGTHS.size + MOST_BYTES or place + length > len(stream):
            break
        found.append(stream[place : place + length])
        place += length
    return found


def decode(data: bytes, given: list) -> Outcome:
    """The inverse of ``encode``, for data that nobody vouches for, of arguments that were given.

    Raises:
        Unreadable: if they are no outcome.
    """
    try:
        length, _ = LENGTHS.unpack_from(data)
        record = json.loads(data[LENGTHS.size : LENGTHS.size + length])
        tensors = safetensors.torch.load(data[LENGTHS.size + length :])
        items = [0]
        afterwards = [
            before if isinstance(after, dict) and after.get("same") else _value(after, tensors, items)
            for before, after in zip(given, record["afterwards"], strict=False)
        ]
        return Outcome(
            value=_value(record["value"], tensors, items),
            error=None if record["error"] is None else _error_in(**record["error"]),
            gradients={str(name): _value(gradient, tensors, items) for name, gradient in record["gradients"].items()},
            afterwards=afterwards,
            line=None if record["line"] is None else _text(record["line"]),
            printed=_text(record["printed"]),
            characters=min(int(record["characters"]), 10**12),
        )
    except Exception as error:  # of any kind: JSON that is none, a tensor that is missing, a depth without end
        raise Unreadable(f"it sent back something that cannot be read ({type(error).__name__})") from None


def _value(plain: Any, tensors: dict[str, Tensor], items: list[int], depth: int = 0) -> Any:
    items[0] += 1
    if items[0] > MOST_ITEMS or depth > DEEPEST:
        raise Unreadable("too much")
    if plain is None:
        return None
    ((kind, content),) = plain.items()
    match kind:
        case "tensor":
            return tensors[content]
        case "array":
            return tensors[content["tensor"]].numpy()
        case "odd tensor":
            return torch.zeros(1, dtype=torch.complex64) if content == "complex" else torch.zeros(1).to_sparse()
        case "bool":
            return bool(content)
        case "int" if len(content) < 300:
            return int(content, 16)
        case "float":
            return float.fromhex(content)
        case "text":
            return _text(content)
        case "list" | "tuple":
            values = [_value(item, tensors, items, depth + 1) for item in content]
            return values if kind == "list" else tuple(values)
        case "dict":
            return {_text(key): _value(item, tensors, items, depth + 1) for key, item in content.items()}
        case "object":
            return _named(object, _text(content)[:100])()
    raise Unreadable(f"no rule for {kind}")


@functools.lru_cache(maxsize=1000)
def _named(base: type, name: str) -> type:
    """An empty class: what is left of an object that only its own process knows."""
    return type(name, (base,), {})


def _error_in(kind: str, text: str) -> BaseException:
    """An error that prints as the original did; of its own class where it is a well-known one."""
    cls = ERRORS.get(kind) or _named(Exception, _text(kind)[:100])
    error = cls.__new__(cls)  # some want more than a text to be made of
    error.args = (_text(text)[1:-1] if cls is KeyError else _text(text),)  # a KeyError adds the quotes anew
    return error


def _text(text: Any) -> str:
    """A text of bounded length that can be written to a file: JSON may hold halves of characters."""
    return str(text)[:MOST_TEXT].encode("utf-8", "replace").decode()
