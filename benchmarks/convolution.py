"""How fast is a convolution from slices and one matrix product, between plain loops and PyTorch's own?

``python -m benchmarks.convolution`` prints the table that README.md in this folder holds.
"""

import datetime
import statistics
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from course_utils.convolution import conv2d

THREADS = 2
ROUNDS = 61
SECONDS = 0.01  # at least so long is each measurement: what is faster is called several times


def loops(image: list[list[float]], kernel: list[list[float]]) -> list[list[float]]:
    """Cross-correlation as a textbook writes it down; for lists, and as well for tensors."""
    kh, kw = len(kernel), len(kernel[0])
    result = []
    for i in range(len(image) - kh + 1):
        row = []
        for j in range(len(image[0]) - kw + 1):
            total = 0.0
            for u in range(kh):
                for v in range(kw):
                    total += image[i + u][j + v] * kernel[u][v]
            row.append(total)
        result.append(row)
    return result


def with_backward(operator: Callable, *inputs: Tensor) -> Callable[[], object]:
    inputs = [x.detach().requires_grad_() for x in inputs]
    upstream = torch.ones_like(operator(*inputs))
    return lambda: torch.autograd.grad(operator(*inputs), inputs, upstream)


def seconds(work: Callable[[], object], calls: int) -> float:
    start = time.perf_counter()
    for _ in range(calls):
        work()
    return (time.perf_counter() - start) / calls


def compare(slow: Callable[[], object], fast: Callable[[], object]) -> str:
    """Time both in turn, so that what else the machine does falls on both; the rest of a table's row."""
    calls = [1 + int(SECONDS / min(seconds(work, 1) for _ in range(3))) for work in (slow, fast)]
    rounds = [(seconds(slow, calls[0]), seconds(fast, calls[1])) for _ in range(ROUNDS)]
    low, middle, high = statistics.quantiles((a / b for a, b in rounds), n=4)
    times = (f"{statistics.median(side) * 1000:.3g} ms" for side in zip(*rounds, strict=True))
    return " | ".join([*times, f"**{middle:.3g}** ({low:.3g} .. {high:.3g})"])


def main() -> None:
    torch.set_num_threads(THREADS)
    torch.manual_seed(0)
    x, weight, bias = torch.randn(64, 16, 28, 28), torch.randn(32, 16, 3, 3), torch.randn(32)
    picture, filters = x[:1, :1], weight[:1, :1]
    image, kernel = picture[0, 0], filters[0, 0]
    image_list, kernel_list = image.tolist(), kernel.tolist()

    print(f"PyTorch {torch.__version__}, {THREADS} threads, {datetime.date.today()}; medians of {ROUNDS} rounds.\n")
    print("| work | A : B | A | B | A / B, median (quartiles) |")
    print("|---|---|--:|--:|--:|")
    with torch.no_grad():
        small, large = "one 28x28 picture, one 3x3 filter", "(64, 16, 28, 28), 32 3x3 filters"
        by_columns = lambda: conv2d(picture, filters)  # noqa: E731
        row = f"| {small} | loops over {{}} : `conv2d` |"
        print(row.format("lists"), compare(lambda: loops(image_list, kernel_list), by_columns), "|")
        print(row.format("tensors"), compare(lambda: loops(image, kernel), by_columns), "|")
        row = "| {} | `conv2d` : `F.conv2d` |"
        print(row.format(small), compare(by_columns, lambda: F.conv2d(picture, filters)), "|")
        forward = compare(lambda: conv2d(x, weight, bias), lambda: F.conv2d(x, weight, bias))
        print(row.format(large + ", forward"), forward, "|")
    both = compare(with_backward(conv2d, x, weight, bias), with_backward(F.conv2d, x, weight, bias))
    print(row.format(large + ", with backward"), both, "|")


if __name__ == "__main__":
    main()
