"""What does attention cost as the tokens grow in number, and what does it cost to write it out?

``python -m benchmarks.attention`` prints the two tables that README.md in this folder holds; the first, as lesson 02
draws it, also goes to data/measured/attention_times.csv with ``--write``.
"""

import argparse
import csv
import datetime
import math
import statistics

import torch
import torch.nn.functional as F
from torch import nn

from benchmarks.convolution import ROUNDS, THREADS, compare, seconds, with_backward
from course_utils import attention, data
from course_utils.layers import EncoderBlock

WIDTH, HEADS, MLP_WIDTH = 64, 4, 128
TOKENS = [16, 32, 64, 128, 256, 512, 1024, 2048]
TOGETHER = 4096  # tokens in a batch, so that small sequences are not all overhead


def milliseconds_a_sequence(block: nn.Module, n: int) -> float:
    x = torch.randn(max(1, TOGETHER // n), n, WIDTH)
    return 1000 * statistics.median(seconds(lambda: block(x), 1) for _ in range(ROUNDS // 3)) / len(x)


def shares(n: int) -> tuple[int, int]:
    """Multiply-adds of a block for one sequence: those that grow with n, and those that grow with its square."""
    return n * WIDTH * (4 * WIDTH + 2 * MLP_WIDTH), 2 * n * n * WIDTH


def exponent(times: dict[int, float]) -> float:
    """The slope of log time over log n: by how much the time's power of n grows, by least squares."""
    x, y = ([math.log(value) for value in values] for values in (times.keys(), times.values()))
    return statistics.linear_regression(x, y).slope


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.attention", description=__doc__.split("\n")[0])
    parser.add_argument("--write", action="store_true", help="keep the first table for lesson 02")
    asked = parser.parse_args()
    torch.set_num_threads(THREADS)
    torch.manual_seed(0)
    print(f"PyTorch {torch.__version__}, {THREADS} threads, {datetime.date.today()}.\n")
    block = EncoderBlock(WIDTH, HEADS, MLP_WIDTH).eval()
    with torch.no_grad():
        times = {n: milliseconds_a_sequence(block, n) for n in TOKENS}
    print("| tokens | multiply-adds that grow with n | with n² | share of n² | ms a sequence |")
    print("|--:|--:|--:|--:|--:|")
    for n, ms in times.items():
        linear, square = shares(n)
        print(f"| {n} | {linear:,} | {square:,} | {square / (linear + square):.0%} | {ms:.3f} |")
    few, many = ({n: ms for n, ms in times.items() if a <= n <= b} for a, b in ((16, 128), (512, 2048)))
    print(
        f"\nTime grows as n to the power of {exponent(few):.2f} from 16 to 128 tokens, "
        f"{exponent(many):.2f} from 512 to 2048.\n"
    )
    if asked.write:
        with open(data.MEASURED / "attention_times.csv", "w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(
                [("tokens", "ms"), *((n, f"{ms:.4g}") for n, ms in times.items())]
            )

    print("| work | A : B | A | B | A / B, median (quartiles) |")
    print("|---|---|--:|--:|--:|")
    ours, theirs = attention.MultiHeadAttention(WIDTH, HEADS), nn.MultiheadAttention(WIDTH, HEADS, batch_first=True)
    theirs.load_state_dict(ours.state_dict())
    for count, n in ((256, 16), (64, 64), (4, 1024)):
        qkv = [torch.randn(count, HEADS, n, WIDTH // HEADS) for _ in range(3)]
        x = torch.randn(count, n, WIDTH)
        pair = attention.scaled_dot_product_attention, F.scaled_dot_product_attention
        both = compare(*(with_backward(function, *qkv) for function in pair))
        print(f"| {count} sequences of {n}, with backward | `scaled_dot_product_attention` : PyTorch's | {both} |")
        both = compare(*(with_backward(lambda x, m=m: m(x, x, x, need_weights=False)[0], x) for m in (ours, theirs)))
        print(f"| {count} sequences of {n}, with backward | `MultiHeadAttention` : `nn.MultiheadAttention` | {both} |")


if __name__ == "__main__":
    main()
