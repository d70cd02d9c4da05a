"""Would the tests notice? mutmut changes a block in one place at a time, and a test should turn red.

    pip install mutmut==3.8.1                            # not a part of the course's own set-up
    python -m benchmarks.mutants attention               # every mutant of a module; broken off, it goes on
    python -m benchmarks.mutants layers --draw 200       # so many, drawn from a fixed seed
    python -m benchmarks.mutants layers --again          # those that survived once more, with all drawn cases
    python -m benchmarks.mutants                         # the table, and the survivors with what they changed

Left out is what ``raise`` says: wording is for readers. A mutant whose tests do not end counts as not killed. Tests
that draw their cases draw 25 at first, as most mutants fall with few.
One thread, as forked processes hang where PyTorch has started more. The results lie in build/mutants/.
"""

import argparse
import ast
import difflib
import json
import os
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import libcst
from libcst import matchers
from mutmut.mutation.file_mutation import create_mutations
from mutmut.mutation.trampoline_templates import mangle_function_name
from mutmut.stats import status_by_exit_code

from course_utils.lessons import ROOT

BUILD = ROOT / "build" / "mutants"
BROKEN_OFF = "check was interrupted by user"
TESTS = {  # of a module; test_NAME.py where nothing is said
    "checkpoints": ["test_training.py", "test_pretrained.py"],
    "cnn": ["test_cnn.py", "test_ruler.py"],
    "training": ["test_training.py", "test_optimizers.py"],
    "exercises/checking": ["test_check.py"],
    **{
        f"exercises/{name}": [f"test_{name}.py", "test_check.py"]
        for name in ("comparing", "exercise", "memory", "running")
    },
}
TOO_LONG = "tests/test_check.py::test_solution_can_be_pasted_and_passes"  # a minute for each mutant that survives
REASONS = {  # why a change makes no difference, by what stands in the line that was changed
    r"argsort\(descending=True, (\)|stable)": "equal losses come in any order",
    r"shape\[\+\d\]": "the same axis, counted from the other end",
    r"cross_entropy\(model\(x\), target, \)": "the sign of a mean's gradient is that of a sum's",
    r"lineno or 1\)|lineno else 1|lineno\) or True": "a line without a number, which only Python's own code has",
    r"prompt: object": "nobody sees the prompt",
    r"delete=None": "None is as false as False",
    r"wait = (1\.1|None)|done\.wait|SetAsyncExc": "how soon it strikes again; what does not end or crashes is no kill",
    r"or True else contextlib\.nullcontext": "it only has to be there where it is needed",
    r"or \"XXXX\"": "any name that nothing has",
    r"torch\.zeros\(2\)\]|randint\(256": "any parameter will do; PyTorch begins at 0 where nothing is said",
    r"strict=": "what is zipped is of one length there",
    r"device = None|device=None|(?m:^ *\+.*=[\w.]+dtype, \))": "seen on a GPU only",
    r"(?m:^ *\+.* - .*torch\.randn?_like)": "the noise is symmetric",
    r"(?m:^ *\+ +\"(XX\w+XX|[A-Z]+)\":)": "a name in a file that the same code writes and reads",
    r"bias=None|memory_format=": "None is as false as False; another layout holds the same numbers",
    r"cosine_similarity\(a, b.*clamp": "rounding alone could carry a cosine beyond 1",
    r"(?m:^ *\+ +\w+: \w+ = )": "a default: held by comparing signatures, which mutmut's wrapper hides",
    r"drawn = \[\] if": "drawn ones count only where all named ones are right",
    r"isinstance\(before, Tensor\) and": "both are tensors, or neither is",
    r"recognise\(exercise, tries, \)": "what was remembered is worked out again",
    r"bar\(1": "where the bar begins",
    r"thumbnail\(|draft\(": "how a large picture is made smaller on the way, for memory",
    r"1001\]|simplefilter": "how far to look for an SVG, and which warnings are hushed",
    r"formats=|Image\.new": "Pillow takes either case, and cuts greys at 255",
    r"opaque\.sum\(\), 2": "only what is wholly transparent has less",
    r"sum\(\) >= lighter": "as much darker as lighter: either will do",
    r"scale <= 1": "at its own size nothing is resized",
    r"torch\.eye\(": "a square has as many rows as columns",
    r"chunk\(3": "two channels make no three parts: PyTorch gives two",
    r"else [12]\.0": "without numbers there is no likeness to scale",
    r'\("(a|b|first|second|XX\w+XX|[A-Z]+)",? ': "wording of a message",
    r"called \+ came": "where one of both is 1, the other 0, none is right: 0 either way",
    r"math\.log\(10[01]\)|high - low >|cross_entropy\(logits / math": "the same lowest point on another way",
    r"real\.mean\(": "any middle keeps digits",
    r"of_real\)\.any": "a distance that equals a radius has probability 0",
    r"middle \+ half\)": "rounding alone could bring it above 1",
    r"topk\(k": "dim=1 is the last one, PyTorch's own choice",
    r"\.clamp\(0, bins": "no confidence is 0, as a row sums to 1",
    r"shapes = \"XX|join\(str\(tuple": "wording of a message",
    r"value\(-?\d+, \d+\)": "one size or place of many that are drawn",
    r"need_weights=": "the weights are thrown away",
    r"def __init__\(self, \w|lr: float": "a default: held by comparing signatures, which mutmut's wrapper hides",
    r"def _check\(lr": "the check's own default only has to pass it",
    r"\+ 4 \* axis|from_bytes": "sizes above 16 million; big endian is Python's own choice",
    r"align_corners=False\)": "PyTorch's own choice",
    r"rand\(.*< 0\.5": "a number that equals a half has probability 0",
    r"size // 2": "half a pixel further lie the same pixels",
    r"stacklevel": "which line a warning points at",
    r"split\(\d+\)": "how many at a time, for memory",
    r"query is key is": "the same by three products instead of one",
    r"masked_fill\(empty, [01]\)": "these rows become zeros in the next step",
    r"fits = ": "None is as false as False",
    r"new_zeros\(out_h, out_w\)": "the rows come back by broadcasting",
    r"fill=0\)|any\(padding\)": "PyTorch pads with 0 where nothing is said; padding by nothing changes nothing",
    r'_(tensor|check\w*|whole|positive)\(.*"': "wording of a message",
}
CONFIG = """\
only_mutate = ["course_utils/{module}.py"]
also_copy = ["conftest.py"]
pytest_add_cli_args_test_selection = {selection}
"""


def mutants_of(module: str) -> dict[str, libcst.Module]:
    """The module with each mutation in turn, by mutmut's name for it, without those of messages."""
    path = f"course_utils/{module}.py"
    source, mutations, *_ = create_mutations(path, (ROOT / path).read_text())
    of_messages = {id(node) for raised in matchers.findall(source, matchers.Raise()) for node in nodes(raised)}
    classes = {
        id(method): outer.name.value
        for outer in source.body
        if isinstance(outer, libcst.ClassDef)
        for method in outer.body.body
    }
    named, count = {}, {}
    for mutation in mutations:
        function = mutation.contained_by_top_level_function
        if function is None or not isinstance(function, libcst.FunctionDef):
            continue
        mangled = mangle_function_name(name=function.name.value, class_name=classes.get(id(function)))
        count[mangled] = count.get(mangled, 0) + 1
        if id(mutation.original_node) not in of_messages:
            name = f"course_utils.{module.replace('/', '.')}.{mangled}__mutmut_{count[mangled]}"
            named[name] = (source, mutation)
    return named


def nodes(top: libcst.CSTNode) -> Iterator[libcst.CSTNode]:
    """A node and all that it holds."""
    yield top
    for child in top.children:
        yield from nodes(child)


def change(source: libcst.Module, mutation) -> str:
    """What a mutant has changed, as the lines before and after."""
    mutated = source.deep_replace(mutation.original_node, mutation.mutated_node)
    lines = difflib.unified_diff(source.code.splitlines(), mutated.code.splitlines(), n=0, lineterm="")
    return "\n".join("    " + line for line in lines if not line.startswith(("---", "+++")))


def results(module: str) -> dict[str, str]:
    """What became of each mutant that was tried: "killed", "survived", "timeout" and the like."""
    meta = BUILD / module / "mutants" / "course_utils" / f"{module}.py.meta"
    if not meta.exists():
        return {}
    tried = json.loads(meta.read_text())["exit_code_by_key"]
    named = {name: status_by_exit_code[code] for name, code in tried.items()}
    return {name: status for name, status in named.items() if status not in ("not checked", BROKEN_OFF)}


def code_of(path: Path) -> str:
    """The code of a file, without docstrings, comments and layout."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Module) and ast.get_docstring(node) is not None:
            del node.body[0]
    return ast.dump(tree)


def prepare(module: str) -> Path:
    """A copy of the course to be mutated: with the tests as they are now, and a new one where the block has changed."""
    folder, block = BUILD / module, Path("course_utils") / f"{module}.py"
    if (folder / block).exists() and code_of(folder / block) != code_of(ROOT / block):
        shutil.rmtree(folder)
    (folder / "mutants").mkdir(parents=True, exist_ok=True)
    without = shutil.ignore_patterns("__pycache__")
    for name in ("tests", "benchmarks", "course_utils"):
        if name == "tests" or not (folder / name).exists():
            shutil.copytree(ROOT / name, folder / name, dirs_exist_ok=True, ignore=without)
    for name in ("data", "notebooks"):  # read, not changed
        for place in (folder, folder / "mutants"):
            if not (place / name).exists():
                (place / name).symlink_to(ROOT / name)
    shutil.copyfile(ROOT / "conftest.py", folder / "conftest.py")
    tests = [f"tests/{name}" for name in TESTS.get(module, [f"test_{module}.py"])]
    settings = (ROOT / "pyproject.toml").read_text()
    selection = json.dumps([*tests, "--deselect", TOO_LONG])
    (folder / "pyproject.toml").write_text(settings + CONFIG.format(module=module, selection=selection))
    return folder


def try_out(module: str, draw: int | None, again: bool) -> None:
    """Run mutmut on the mutants that have no result yet, or once more on those that were not killed."""
    names = sorted(mutants_of(module))
    if draw is not None and draw < len(names):
        names = random.Random(0).sample(names, draw)
    folder = prepare(module)
    had = results(module)
    todo = [name for name in names if (had.get(name, "") != "killed" if again else name not in had)]
    if todo:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "DRAWN_CASES": "1000" if again else "25"}
        command = [sys.executable, "-m", "mutmut", "run", "--max-children", "2", *todo]
        subprocess.run(command, cwd=folder, env=environment, check=True)


def reason(changed: str) -> str:
    """Why a change went unnoticed, where that is known."""
    return next((why for pattern, why in REASONS.items() if re.search(pattern, changed)), "not explained")


def table() -> None:
    """What was found, by module, then each mutant that was not killed."""
    metas = sorted(BUILD.rglob("mutants/course_utils/**/*.py.meta"))
    modules = [str(meta).split("/mutants/course_utils/")[1].removesuffix(".py.meta") for meta in metas]
    print("| module | mutants | tried | killed | survived | no end | killed, % |")
    print("|---|--:|--:|--:|--:|--:|--:|")
    left = []
    for module in modules:
        mutants, had = mutants_of(module), results(module)
        tried = {name: had[name] for name in mutants if name in had}
        killed = sum(status == "killed" for status in tried.values())
        endless = sum(status == "timeout" for status in tried.values())
        share = 100 * killed / max(1, len(tried))
        survived = len(tried) - killed - endless
        print(f"| {module} | {len(mutants)} | {len(tried)} | {killed} | {survived} | {endless} | {share:.1f} |")
        left += [(name, status, change(*mutants[name])) for name, status in tried.items() if status != "killed"]
    for name, status, changed in sorted(left, key=lambda each: reason(each[2])):
        print(f"\n{name}: {status}; {reason(changed)}\n{changed}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mutants")
    parser.add_argument("module", nargs="?", help="of course_utils: attention, exercises/checking")
    parser.add_argument("--draw", type=int, help="so many of its mutants")
    parser.add_argument("--again", action="store_true", help="those that were not killed, once more")
    arguments = parser.parse_args()
    if arguments.module is None:
        table()
    else:
        try_out(arguments.module, arguments.draw, arguments.again)


if __name__ == "__main__":
    main()
