"""Tensors and notes in one file: written whole or not at all, and read with a sentence where that fails.

The files are safetensors: numbers and names only, so that opening one from a stranger runs none of his code.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor, nn


class CheckpointError(RuntimeError):
    """A checkpoint is missing, damaged, or of something else; the message says which and what to do."""


def save(path: Path | str, tensors: Mapping[str, Tensor], notes: Mapping[str, object]) -> None:
    """Write tensors and notes; whatever interrupts it, ``path`` holds the old content or the new one, whole.

    The new content goes to ``path`` + ".part", down to the disk, and is then renamed, which is one step for the
    system.

    Args:
        path: the file; its folder is made if it is not there.
        tensors: by name, on any device.
        notes: what JSON can hold.

    Raises:
        CheckpointError: if the file cannot be written.
    """
    path = Path(path)
    plain = {
        name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format) for name, tensor in tensors.items()
    }
    content = safetensors.torch.save(plain, {"notes": json.dumps(notes)})
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError as error:
        raise CheckpointError(f"checkpoint {path.name} cannot be written: {error.strerror or error}") from error


def load(path: Path | str) -> tuple[dict[str, Tensor], dict]:
    """Read what ``save`` wrote to a path.

    Returns:
        The tensors by name, on the CPU, and the notes.

    Raises:
        CheckpointError: if the file is missing, cut short, or none of ours.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
        tensors = safetensors.torch.load(content)
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])  # the format's first 8 bytes
        notes = json.loads(header["__metadata__"]["notes"])
        if isinstance(notes, dict):
            return tensors, notes
    except OSError:
        raise CheckpointError(f"there is no checkpoint {path.name} to read; train first, or name another") from None
    except (safetensors.SafetensorError, ValueError, KeyError):
        pass
    raise CheckpointError(f"checkpoint {path.name} is cut short, or none of this course; delete it and train again")


def part(tensors: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    """Those tensors whose names begin with ``name.``, under the rest of their names."""
    start = f"{name}."
    return {key.removeprefix(start): tensor for key, tensor in tensors.items() if key.startswith(start)}


def put_into(model: nn.Module, weights: Mapping[str, Tensor], source: str) -> None:
    """Give a model its weights and buffers.

    Args:
        model: of the kind that the weights were taken from; it may lie on any device.
        weights: as in its ``state_dict()``.
        source: what to call the checkpoint in an error.

    Raises:
        CheckpointError: if a name is missing, or too many, or a shape differs; the model is left as it was.
    """
    own = model.state_dict()
    differences = {
        "has no": [name for name in own if name not in weights],
        "has, and the model has not,": [name for name in weights if name not in own],
        "has in another shape": [name for name in own if name in weights and own[name].shape != weights[name].shape],
    }
    found = "; ".join(f"it {what} {_some(names)}" for what, names in differences.items() if names)
    if found:
        raise CheckpointError(f"checkpoint {source} belongs to another model: {found}")
    model.load_state_dict(weights)


def _some(names: list[str]) -> str:
    names = sorted(names)
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
