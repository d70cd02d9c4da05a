"""What this computer offers the course, and what to do where something is missing."""

import platform
import sys

import psutil
import torch

from . import data

TORCH = "2.14"  # what requirements.txt pins and every stored number was made with


def report() -> None:
    """Print Python, torch, device, cores, memory and the state of the data, each with a cure where it is wrong."""
    memory = psutil.virtual_memory().total / 2**30
    version = torch.__version__
    _line("Python", platform.python_version(), sys.version_info >= (3, 11), "install Python 3.11 or newer")
    _line("torch", version, version.startswith(TORCH), f"the course was made with {TORCH}: start it with make lab")
    _line("device", _device(), True, "")
    _line("cores", f"{torch.get_num_threads()} of {psutil.cpu_count()} in use", True, "")
    _line("memory", f"{memory:.1f} GB", memory > 3.5, "close other programs: a lesson needs up to 2 GB")
    try:
        pictures = sum(len(part.images) for part in data.fashion_mnist())
        _line("data", f"{pictures:,} pictures, content as published", True, "")
    except data.DataFileError as error:
        _line("data", str(error), False, "then run this cell again")


def _device() -> str:
    if torch.cuda.is_available():
        return f"CPU is enough; {torch.cuda.get_device_name()} is there too"
    return "CPU, which is all the course needs"


def _line(name: str, value: str, good: bool, cure: str) -> None:
    print(f"{'✓' if good else '✗'} {name:8}{value}" + ("" if good else f"\n  -> {cure}"))
