"""Compare what came with what was expected, and say the difference in words."""

import math
import numbers
from typing import Any

import numpy as np
import torch
from torch import Tensor

from . import running
from .running import Outcome, ThingItself, TimeLimit

# How far two right answers may lie apart: they add the same numbers in another order.
RTOL = {torch.float64: 1e-9, torch.float32: 1e-4, torch.float16: 1e-2, torch.bfloat16: 2e-2}
ATOL = {torch.float64: 1e-10, torch.float32: 1e-5, torch.float16: 1e-3, torch.bfloat16: 1e-2}
CLEARER = {
    "modified by an inplace operation": "numbers that the gradient still needs were written over in place (`+=`, `/=`, "
    "`mul_`): `x = x + ...` makes new ones",
    "sqrt(): argument 'input'": "torch.sqrt takes a tensor; for a number there is math.sqrt",
    "leaf Variable that requires grad": "what gradients are taken of can be written to in place (`+=`, `mul_`) only "
    "under `torch.no_grad()`",
}
SHOWN = 12  # numbers of a tensor that are printed whole


def difference(expected: Any, came: Any, tolerance: float = 0.0) -> str | None:
    """The first difference in words, or None if ``came`` is, within a tolerance, as good as ``expected``.

    Raises:
        TypeError: if there is no rule for comparing with such a thing as ``expected``.
    """
    if came is None and expected is not None:
        return "nothing came back: is there a return at the end?"
    if isinstance(expected, Tensor):
        return _tensors(expected, came, tolerance)
    if isinstance(expected, dict):  # several things that a trial has looked at, by name
        found = ((name, difference(value, came[name], tolerance)) for name, value in expected.items())
        return next((f"{name}: {wrong}" for name, wrong in found if wrong), None)
    if isinstance(expected, str):
        return None if came == expected else f"expected {expected}, yours {came}"
    if isinstance(expected, bool) or not isinstance(expected, numbers.Number):
        raise TypeError(f"no rule for comparing with {type(expected).__name__}")
    if isinstance(expected, int):
        return _whole_numbers(expected, came)
    return _numbers(expected, came, tolerance)


def same(one: Outcome, other: Outcome, tolerance: float = 0.0, any_dtype: bool = False) -> bool:
    """Is one outcome of a case the same as the other: the same error, or, within a tolerance, result and gradients?

    With ``any_dtype`` float32 and float64 count as the same, to see a mistake behind a forgotten dtype.
    """
    if one.error is not None or other.error is not None:
        return type(one.error) is type(other.error)
    if type(one.value) is not type(other.value) or one.gradients.keys() != other.gradients.keys():
        return False
    pairs = [
        (one.value, other.value),
        *((one.gradients[name], other.gradients[name]) for name in one.gradients),
        *((a, b) for a, b in zip(one.afterwards, other.afterwards, strict=False) if isinstance(a, Tensor)),
    ]
    return all(_alike(a, b, tolerance, any_dtype) for a, b in pairs)


def as_number(value: Any) -> Any:
    """The number in a real tensor without axes, (), which is as good as one; any other ``value`` as it is."""
    lone = isinstance(value, Tensor) and value.dim() == 0 and not value.is_complex()
    return value.item() if lone else value


def text_of(error: BaseException) -> str:
    """An error's own words as one line, whatever the error does when it is printed."""
    try:
        return " ".join(str(error).split())
    except Exception:
        return "(its message cannot be printed)"


def say_error(error: BaseException) -> str:
    """An error as one line, in clearer words where PyTorch's are for those who know it already."""
    if isinstance(error, TimeLimit):
        return f"it did not end within {running.SECONDS:g} seconds: is there a loop that never stops?"
    if isinstance(error, ThingItself):
        return f"it calls {error}: that is the thing itself. Write it from smaller parts"
    if isinstance(error, RecursionError):
        return "RecursionError: it calls itself again and again"
    text = text_of(error)
    text = next((clearer for words, clearer in CLEARER.items() if words in text), text)
    if isinstance(error, MemoryError) or "can't allocate memory" in text:
        return f"MemoryError: it asks for more than {running.MEMORY / 2**30:g} GB of memory"
    return f"{type(error).__name__}: {text[:300]}"


def _tensors(expected: Tensor, came: Any, tolerance: float) -> str | None:
    if not isinstance(came, Tensor):
        hint = "; torch.from_numpy() turns it into a tensor" if isinstance(came, np.ndarray) else ""
        return f"expected a tensor, yours is {_article(came)}{hint}"
    if came.layout != torch.strided or came.is_quantized:
        return f"expected an ordinary tensor, yours is stored as {came.layout}"
    came = came.detach().cpu()
    if came.shape != expected.shape:
        return f"expected shape {tuple(expected.shape)}, yours {tuple(came.shape)}"
    if came.dtype != expected.dtype:
        return f"expected {expected.dtype}, yours {came.dtype}"
    rtol, atol = max(tolerance, RTOL.get(came.dtype, 0)), max(tolerance, ATOL.get(came.dtype, 0))
    close = torch.isclose(came, expected, rtol, atol, equal_nan=True)
    if close.all():
        return None
    if came.is_floating_point() and came.isnan().any() and not expected.isnan().any():
        why = "0/0, inf - inf, or a log, root or arccos of what has none"
        return f"{int(came.isnan().sum())} of {came.numel()} numbers are nan ({why})"
    if expected.numel() <= SHOWN:
        return _side_by_side(expected.tolist(), came.tolist())
    place = tuple((~close).nonzero()[0].tolist())
    return (
        f"{int((~close).sum())} of {came.numel()} numbers differ, the first at {list(place)}: "
        f"{_side_by_side(expected[place].item(), came[place].item())}"
    )


def _whole_numbers(expected: int, came: Any) -> str | None:
    if isinstance(came, bool) or not isinstance(came, numbers.Integral):
        return f"expected the whole number {expected}, yours is {_article(came)}"
    return None if came == expected else f"expected {expected}, yours {int(came)}"


def _numbers(expected: float, came: Any, tolerance: float) -> str | None:
    came = as_number(came)
    if isinstance(came, bool) or not isinstance(came, numbers.Real):
        return f"expected a number, yours is {_article(came)}"
    close = math.isclose(expected, came, rel_tol=max(tolerance, 1e-4), abs_tol=max(tolerance, 1e-6))
    if close or (math.isnan(expected) and math.isnan(came)):
        return None
    return _side_by_side(float(expected), float(came))


def _alike(one: Any, other: Any, tolerance: float, any_dtype: bool) -> bool:
    """Equal within tolerance, and of the same kind; a mistake may return anything at all."""
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        if any_dtype and one.is_floating_point() and other.is_floating_point():
            one, other = one.float(), other.float()
        return _tensors(other, one, tolerance) is None
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_alike(one[k], other[k], tolerance, any_dtype) for k in one)
    if isinstance(one, float) and isinstance(other, float):
        return _numbers(one, other, tolerance) is None
    try:
        return type(one) is type(other) and bool(one == other)
    except Exception:
        return False


def _article(thing: Any) -> str:
    """The thing's kind, with its value where that is short: "a list", "a float, 3.0"."""
    if isinstance(thing, Tensor):
        return f"a tensor of shape {tuple(thing.shape)}"
    kind = "an array" if isinstance(thing, np.ndarray) else f"a {type(thing).__name__}"
    return f"{kind}, {thing}" if isinstance(thing, float | bool) else kind


def _side_by_side(expected: Any, came: Any) -> str:
    """Numbers, or nested lists of them, with four digits, or with nine where they would read alike."""
    digits = 4 if _short(expected, 4) != _short(came, 4) else 9
    return f"expected {_short(expected, digits)}, yours {_short(came, digits)}"


def _short(value: Any, digits: int) -> str:
    if isinstance(value, list):
        return f"[{', '.join(_short(each, digits) for each in value)}]"
    return f"{value:.{digits}g}" if isinstance(value, float) else str(value)
