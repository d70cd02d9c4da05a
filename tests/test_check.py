"""What check does with answers that are no answers: it survives them, and says in words what it saw."""

import builtins
import importlib
import os
import random
import re
import sys
import threading
import time

import nbformat
import numpy as np
import pytest
import scipy.signal  # noqa: F401  so that no answer's time goes into importing it
import torch

from course_utils import convolution, exercises
from course_utils.exercises import EXERCISES, check, hint, memory, progress, show, solution, use
from course_utils.exercises import running as running_module
from course_utils.exercises.running import TimeLimit, time_limit

from .lesson_notebooks import execute
from .test_exercises import typed

RIGHT = """
def cross_correlate2d(image, kernel):
    (height, width), (kh, kw) = image.shape, kernel.shape
    result = torch.zeros(height - kh + 1, width - kw + 1, dtype=image.dtype)
    for i in range(height - kh + 1):
        for j in range(width - kw + 1):
            result[i, j] = (image[i : i + kh, j : j + kw] * kernel).sum()
    return result
"""


def answer(body: str, name: str = "cross_correlate2d", arguments: str = "image, kernel"):
    lines = "".join(f"    {line}\n" for line in body.strip("\n").splitlines())
    return typed(f"def {name}({arguments}):\n{lines}", name)


# --- Ways to break check by accident ------------------------------------------------------------------------------

ENDLESS = "did not end within"  # on busy cores the others need the seconds that check allows

ACCIDENTS = {
    "raises": ("raise ValueError('no')", "ValueError: no"),
    "raises what is no Exception": ("raise BaseException('odd')", "BaseException: odd"),
    "raises an error that cannot be printed": (
        "class Odd(Exception):\n    def __str__(self): raise RuntimeError\nraise Odd()",
        "its message cannot be printed",
    ),
    "calls sys.exit": ("import sys\nsys.exit(3)", "SystemExit: 3"),
    "fails an assertion": ("assert image.shape == kernel.shape, 'unequal'", "AssertionError: unequal"),
    "divides by zero": ("return 1 / 0", "ZeroDivisionError"),
    "names what is not there": ("return imgae * 2", "name 'imgae' is not defined"),
    "indexes beyond the end": ("return image[100]", "IndexError"),
    "loops for ever": ("while True: pass", ENDLESS),
    "loops for ever and catches everything": (
        "while True:\n    try: image + 1\n    except Exception: pass",
        ENDLESS,
    ),
    "loops for ever in torch": ("while True: image = image + 1", ENDLESS),
    "sleeps": ("import time\ntime.sleep(1000)", ENDLESS),
    "waits for input": ("return input('which stride? ')", "input() waits for somebody"),
    "recurses": ("return cross_correlate2d(image, kernel)", "calls itself again and again"),
    "returns nothing": ("image * 2", "is there a return"),
    "returns a list": ("return [[1.0, 2.0]]", "expected a tensor, yours is a list"),
    "returns an array": ("return image.numpy()", "torch.from_numpy()"),
    "returns a number": ("return 3.0", "yours is a float, 3.0"),
    "returns a function": ("return lambda: image", "yours is a function"),
    "returns a generator that never ends": ("import itertools\nreturn (i for i in itertools.count())", "a generator"),
    "returns nan": ("return torch.full((2, 2), float('nan'))", "numbers are nan"),
    "returns a sparse tensor": ("return torch.zeros(2, 2).to_sparse()", "expected an ordinary tensor"),
    "returns a complex tensor": ("return torch.zeros(2, 2, dtype=torch.complex64)", "yours torch.complex64"),
    "returns a tensor without numbers": ("return torch.zeros(0)", "yours (0,)"),
    "returns what cannot be compared or printed": (
        "class Odd:\n    def __eq__(self, other): raise RuntimeError\n    def __repr__(self): raise RuntimeError\n"
        "return Odd()",
        "yours is a Odd",
    ),
    "prints a megabyte": ("print('x' * 10**6)\nreturn image", "1,000,00"),
    "eats memory": ("return torch.ones(10**10, dtype=torch.float64)", "more than 2 GB of memory"),
    "eats memory in a list": ("many = []\nwhile True: many.append(torch.empty(10**8))", "more than 2 GB of memory"),
    "changes its input": ("image *= 2\nreturn image[:2, :2]", "2 cases right|0 of 4"),
    "takes other arguments": None,
    "is a class": None,
    "was called already": None,
}


@pytest.mark.parametrize("accident", [name for name, how in ACCIDENTS.items() if how])
def test_check_survives(accident, capsys, monkeypatch):
    body, sentence = ACCIDENTS[accident]
    with monkeypatch.context() as patch:
        if sentence == ENDLESS:
            patch.setattr(running_module, "SECONDS", 1.5)
        verdict = check(answer(body))
    assert verdict.state == "failed"
    assert any(part in repr(verdict) for part in sentence.split("|")), verdict
    assert len(repr(verdict)) < 1500
    assert capsys.readouterr().out == "", "what the answer prints stands in the verdict, shortened"
    assert check(typed(RIGHT, "cross_correlate2d")).passed, "check works as before"


def test_a_kernel_lives_through_all_of_them():
    """In one kernel, one after the other, as in a notebook; the stop signal works differently there."""
    setup = (
        "import torch\nfrom course_utils import convolution\n"
        "from course_utils.exercises import check, running\nSECONDS = running.SECONDS"
    )
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(setup)])
    for body, sentence in filter(None, ACCIDENTS.values()):
        lines = "".join(f"    {line}\n" for line in body.splitlines())
        limit = f"running.SECONDS = {0.5 if sentence == ENDLESS else 'SECONDS'}"
        source = f"{limit}\ndef cross_correlate2d(image, kernel):\n{lines}\ncheck(cross_correlate2d)"
        notebook.cells.append(nbformat.v4.new_code_cell(source))
    notebook.cells.append(nbformat.v4.new_code_cell(f"running.SECONDS = SECONDS\n{RIGHT}\ncheck(cross_correlate2d)"))
    execute(notebook)
    *broken, right = [cell.outputs[-1].data["text/plain"] for cell in notebook.cells[1:]]
    assert len(broken) >= 25
    assert all(text.startswith("✗ cross_correlate2d: ") for text in broken)
    assert right.startswith("✓")


def test_other_arguments_are_named():
    verdict = check(answer("return image", arguments="image"))
    assert "it should take (image, kernel), yours takes (image)" in repr(verdict)


def test_what_is_no_function_is_told_so():
    assert "without brackets" in repr(check(torch.zeros(2)))
    assert "without brackets" in repr(check(None))
    assert "no exercise is called Odd" in repr(check(type("Odd", (), {})))
    assert "no exercise is called <lambda>" in repr(check(lambda image, kernel: image))


def test_what_an_answer_changes_is_put_back():
    torch.manual_seed(7)
    states = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()
    folder, depth, asking = os.getcwd(), sys.getrecursionlimit(), builtins.input
    check(
        answer(
            "import os, random, sys, numpy\n"
            "torch.manual_seed(1); random.seed(1); numpy.random.seed(1)\n"
            "torch.set_default_dtype(torch.float64); torch.set_grad_enabled(False)\n"
            "os.chdir('/'); sys.setrecursionlimit(5000)\n"
            "return image"
        )
    )
    assert torch.equal(torch.get_rng_state(), states[0])
    assert random.getstate() == states[1]
    assert np.random.get_state()[1].tolist() == states[2]
    assert torch.get_default_dtype() == torch.float32
    assert torch.is_grad_enabled()
    assert (os.getcwd(), sys.getrecursionlimit(), builtins.input) == (folder, depth, asking)


def test_stop_button_reaches_the_reader():
    with pytest.raises(KeyboardInterrupt):
        check(answer("raise KeyboardInterrupt"))


def test_time_limit_works_off_the_main_thread_too():
    seen = []

    def loop():
        try:
            with time_limit(0.2):
                while True:
                    time.sleep(0.01)
        except TimeLimit:
            seen.append("stopped")

    thread = threading.Thread(target=loop, daemon=True)
    thread.start()
    thread.join(5)
    assert seen == ["stopped"]


@pytest.mark.parametrize("thread", ["main", "another"])
def test_an_import_is_not_broken_off(thread, tmp_path, monkeypatch):
    (tmp_path / f"slow_{thread}.py").write_text("import time\nfor _ in range(20): time.sleep(0.02)\nwhole = True\n")
    monkeypatch.syspath_prepend(tmp_path)
    seen = []

    def answer_that_imports():
        try:
            with time_limit(0.1):
                seen.append(importlib.import_module(f"slow_{thread}").whole)
                while True:
                    time.sleep(0.01)
        except TimeLimit:
            seen.append("stopped")

    if thread == "main":
        answer_that_imports()
    else:
        other = threading.Thread(target=answer_that_imports, daemon=True)
        other.start()
        other.join(5)
    assert seen == [True, "stopped"]


def test_time_limit_leaves_nothing_armed():
    with time_limit(0.05):
        pass
    time.sleep(0.2)


# --- A class --------------------------------------------------------------------------------------------------------

CLASS_STUB = '''
class PatchEmbedding(nn.Module):
    """(N, C, H, W) -> (N, 1 + L, width)"""

    def __init__(self, patch_size, channels, width):
        super().__init__()
        # YOUR CODE HERE
        raise NotImplementedError

    def forward(self, x):
        """Embed x."""
        # YOUR CODE HERE
        raise NotImplementedError
'''
CLASS_RIGHT = exercises.source_of(EXERCISES["PatchEmbedding"].reference, "PatchEmbedding")


def a_class(source: str = CLASS_RIGHT, *swap: str):
    return typed(source.replace(*swap) if swap else source, "PatchEmbedding")


def test_stub_of_a_class_is_not_attempted():
    assert repr(check(a_class(CLASS_STUB))) == "○ PatchEmbedding: not attempted yet (about 12 minutes)"
    begun = check(a_class(CLASS_STUB, "# YOUR CODE HERE\n", "self.class_token = 0\n"))
    assert begun.state == "failed"
    assert "take it out" in repr(begun)
    half = CLASS_RIGHT.partition("    def forward")[0] + "".join(CLASS_STUB.partition("    def forward")[1:])
    assert "take it out" in repr(check(a_class(half)))


def test_class_can_be_used_hinted_at_and_solved(capsys):
    right = a_class()
    assert use(right) is right
    assert use(a_class(CLASS_STUB)) is EXERCISES["PatchEmbedding"].reference
    assert hint(right).text.startswith("Hint")
    assert solution(right).text == CLASS_RIGHT.rstrip()
    assert "right" in repr(show(right))


def test_parameter_that_is_missing_or_misshaped_is_named():
    def wrong(old, new):
        return repr(check(a_class(CLASS_RIGHT, old, new)))

    asked = "class_token: expected a parameter of shape (1, 1, 4), yours"
    assert f"{asked} nothing of that name" in wrong("class_token", "token")
    assert f"{asked} a parameter of shape (4,)" in wrong("zeros(1, 1, width)", "zeros(width)")
    assert f"{asked} a tensor, but no parameter" in wrong("nn.Parameter(torch.zeros(1, 1, width))", "torch.zeros(4)")
    assert f"{asked} a float" in wrong("nn.Parameter(torch.zeros(1, 1, width))", "0.0")
    assert f"{asked} a parameter of shape (1, 1, 4) that wants no gradient" in wrong("width))", "width), False)")
    more = wrong(
        "        self.class_token =",
        "        self.positions = nn.Parameter(torch.zeros(1))\n        self.class_token =",
    )
    assert "parameters beyond these: expected none, yours positions" in more
    shared = "self.norm2 = self.norm1"
    block = exercises.source_of(EXERCISES["EncoderBlock"].reference, "EncoderBlock")
    block = typed(block.replace("self.norm2 = nn.LayerNorm(width)", shared), "EncoderBlock")
    assert "norm2.weight: expected a parameter of shape (8,), yours a parameter that has another name" in repr(
        check(block)
    )


def test_class_that_is_not_as_asked_is_told_so():
    assert "it should take (patch_size, channels, width), yours takes (patch_size, width)" in repr(
        check(
            a_class("class PatchEmbedding(nn.Module):\n    def __init__(self, patch_size, width):\n        self.x = 1")
        )
    )
    no_module = CLASS_RIGHT.replace("(nn.Module)", "").replace("super().__init__()", "pass")
    assert "expected an nn.Module, yours a PatchEmbedding" in repr(check(a_class(no_module)))
    assert "nothing came back" in repr(check(a_class(CLASS_RIGHT, "return torch.cat", "torch.cat")))
    text = repr(check(a_class(CLASS_RIGHT, "flatten(2)", "flaten(2)")))
    assert "your line in forward: tokens = self.projection(x).flaten(2).transpose(1, 2)" in text
    assert "it needs the class itself" in repr(check(a_class()(2, 1, 4)))
    assert "that is the thing itself" in repr(check(EXERCISES["PatchEmbedding"].reference))


def test_parameter_that_is_cut_off_is_named():
    text = repr(check(a_class(CLASS_RIGHT, "flatten(2)", "detach().flatten(2)")))
    assert "tensors that no gradient reaches: expected none, yours x, projection.weight, projection.bias" in text


def test_class_of_the_library_is_no_answer():
    source = """
class EncoderBlock(nn.TransformerEncoderLayer):
    def __init__(self, width, heads, mlp_width):
        super().__init__(width, heads, mlp_width, 0.0, "gelu", batch_first=True, norm_first=True)
"""
    assert "calls torch.nn.TransformerEncoderLayer" in repr(check(typed(source, "EncoderBlock")))


def test_classes_in_a_notebook():
    """Where Python before 3.13 does not find the source of a class."""
    name = "PatchEmbedding"
    setup = "import math\nimport torch\nimport torch.nn.functional as F\nfrom torch import nn\n"
    setup += "from course_utils.exercises import check, use"
    last = EXERCISES[name].mistakes[-1]
    answers = CLASS_STUB, CLASS_RIGHT, exercises.source_of(last.function, name)
    sources = [setup, *(f"{answer}\ncheck({name})" for answer in answers), f"use({name})(2, 1, 4)"]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    execute(notebook)
    untouched, right, wrong, used = [cell.outputs[-1].data["text/plain"] for cell in notebook.cells[1:]]
    assert untouched == "○ PatchEmbedding: not attempted yet (about 12 minutes)"
    assert right.startswith("✓ PatchEmbedding")
    assert last.sentence in wrong
    assert used.startswith("PatchEmbedding(")


# --- What it says -------------------------------------------------------------------------------------------------


def test_stub_is_not_attempted():
    verdict = check(answer('"""(H, W), (kh, kw) -> ..."""\n# YOUR CODE HERE\nraise NotImplementedError'))
    assert repr(verdict) == "○ cross_correlate2d: not attempted yet (about 10 minutes)"
    assert not verdict.passed


def test_stub_line_left_standing_is_pointed_out():
    verdict = check(answer("result = image * 2\nraise NotImplementedError"))
    assert verdict.state == "failed"
    assert verdict.details[-1] == "The line `raise NotImplementedError` still stands in your answer: take it out."


def test_an_answer_that_calls_a_stub_is_told_so():
    calls = answer("return blank(image, kernel)")
    calls.__globals__["blank"] = answer("raise NotImplementedError", "blank")
    verdict = check(calls)
    assert verdict.details[-3] == "your line 2: return blank(image, kernel)"
    assert verdict.details[-1].startswith("Your answer calls a function that is still blank")


def test_right_numbers_get_no_sentence_about_their_dtype():
    changes = RIGHT.replace("    return result", "    image.zero_()\n    return result")
    verdict = repr(check(typed(changes, "cross_correlate2d")))
    assert "it changes image" in verdict and "precision" not in verdict


def test_errors_of_one_kind_get_the_sentence_only_for_what_they_say():
    """Where nothing but errors come, their kind alone is too little to know the mistake by."""
    said = "x.max(dim)` gives two things"
    pair = "e = (x - x.max(dim, keepdim=True)).exp()\nreturn e / e.sum()"
    assert said in repr(check(answer(pair, "softmax", "x, dim")))
    assert said not in repr(check(answer("return x.exp() / x.exp().sum(dim, keep_dim=True)", "softmax", "x, dim")))
    own = "e = (x - x.amax(dim, keepdim=True)).exp()\ne /= e.sum(dim, keepdim=True)\nreturn e"
    verdict = repr(check(answer(own, "softmax", "x, dim")))
    assert "in place" in verdict and "the caller's tensor" not in verdict


def test_fault_left_as_it_was_is_not_attempted():
    assert check(exercises.lesson_01.the_fault, name="flatten_features").state == "not attempted"
    commented = answer("# hm\nreturn x.view(-1, 16*5*5)", "flatten_features", "x")
    assert check(commented).state == "not attempted"


def test_passed_says_how_many():
    assert repr(check(typed(RIGHT, "cross_correlate2d"))) == (
        "✓ cross_correlate2d: all 4 cases right, and 20 drawn ones"
    )


def test_failure_shows_the_readers_own_line_and_not_ours():
    text = repr(check(answer("total = 0\nreturn image @ kernel")))
    assert "your line 3: return image @ kernel" in text
    assert "checking.py" not in text
    assert "running.py" not in text


def test_first_failing_case_is_shown_with_its_shapes():
    wrong = typed(RIGHT.replace("width - kw + 1, dtype", "width - kh + 1, dtype"), "cross_correlate2d")
    text = repr(check(wrong))
    assert "2 of 4 cases right" in text
    assert "a kernel taller than wide: image (6, 7), kernel (3, 2)" in text


def test_drawn_inputs_find_what_named_cases_miss_and_the_smallest_is_shown():
    shapes = [tuple(c.arguments[0].shape) for c in EXERCISES["cross_correlate2d"].named_cases()]
    body = f"if tuple(image.shape) not in {shapes}: return image\n" + "\n".join(
        line.removeprefix("    ") for line in RIGHT.strip().splitlines()[1:]
    )
    verdict = check(answer(body))
    assert "all 4 named cases right, but" in verdict.headline
    drawn = [c for c in EXERCISES["cross_correlate2d"].drawn_cases() if tuple(c.arguments[0].shape) not in shapes]
    smallest = min((c for c in drawn if c.arguments[1].numel() > 1), key=lambda c: c.size())
    assert f"image {tuple(smallest.arguments[0].shape)}" in verdict.details[0]


def test_changed_input_is_told():
    verdict = check(typed(RIGHT.replace("    return", "    image.zero_()\n    return"), "cross_correlate2d"))
    assert "it changes image" in repr(verdict)
    assert "it changes layers" in repr(check(typed(source_with_pop(), "receptive_field")))


def source_with_pop():
    source = exercises.source_of(EXERCISES["receptive_field"].reference, "receptive_field")
    return source.replace(
        "for kernel_size, stride, dilation in layers:",
        "while layers:\n        kernel_size, stride, dilation = layers.pop(0)",
    )


def test_right_values_without_gradient_are_told():
    body = "import torch.nn.functional as F\nwith torch.no_grad(): return flat(x, kernel_size, stride, padding)"
    helper = exercises.source_of(EXERCISES["max_pool2d"].reference, "flat")
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    source = f"{helper}\ndef max_pool2d(x, kernel_size, stride=None, padding=0):\n{lines}"
    assert "no gradient reaches x" in repr(check(typed(source, "max_pool2d")))


def test_html_says_the_same_and_escapes():
    page = check(answer("raise ValueError('<b>')"))._repr_html_()
    assert "cross_correlate2d" in page
    assert "&lt;b&gt;" in page
    assert "<b>'" not in page


# --- The thing itself ---------------------------------------------------------------------------------------------

THE_THING = {
    "the block": "from course_utils.convolution import cross_correlate2d as mine\nreturn mine(image, kernel)",
    "the block, through its module": "import course_utils.convolution as c\nreturn c.cross_correlate2d(image, kernel)",
    "a neighbour of the block": "return convolution.conv2d(image[None], kernel[None, None])[0]",
    "the library": "return torch.nn.functional.conv2d(image[None, None], kernel[None, None])[0, 0]",
    "the library under another name": "slide = torch.conv2d\nreturn slide(image[None, None], kernel[None, None])[0, 0]",
    "a layer of the library": (
        "layer = torch.nn.Conv2d(1, 1, tuple(kernel.shape), bias=False).to(image.dtype)\n"
        "layer.weight.data[:] = kernel\nreturn layer(image[None])[0].detach()"
    ),
    "another library": (
        "import scipy.signal\nreturn torch.from_numpy(scipy.signal.correlate2d(image.numpy(), kernel.numpy(), 'valid'))"
    ),
    "the library, its error caught": (
        "try: return torch.conv2d(image[None, None], kernel[None, None])[0, 0]\nexcept BaseException: return image"
    ),
    "our reference": "from course_utils.exercises import lesson_01\nreturn lesson_01.cross_correlate2d(image, kernel)",
}


@pytest.mark.parametrize("way", THE_THING)
def test_the_thing_itself_is_no_answer(way):
    verdict = check(answer(THE_THING[way]))
    assert verdict.state == "failed"
    assert "that is the thing itself" in repr(verdict)


def test_the_block_itself_handed_over():
    assert "that is the thing itself" in repr(check(convolution.cross_correlate2d))
    assert "that is the thing itself" in repr(check(EXERCISES["cross_correlate2d"].reference))


def test_methods_of_a_tensor_count_too(monkeypatch):
    from course_utils.exercises.running import Forbidden, ThingItself

    with pytest.raises(ThingItself, match=r"torch\.Tensor\.softmax"), Forbidden(("torch.Tensor.softmax",)):
        torch.zeros(3).softmax(0)
    torch.zeros(3).softmax(0)


@pytest.mark.parametrize("name", EXERCISES)
def test_every_forbidden_name_exists(name):
    import scipy.spatial.distance  # noqa: F401
    import torchvision.transforms.functional  # noqa: F401

    from course_utils.exercises.running import resolve

    for forbidden in EXERCISES[name].not_allowed:
        assert resolve(forbidden) is not None


# --- hint, solution, show, use, progress ----------------------------------------------------------------------------


def test_hints_come_one_by_one(monkeypatch):
    monkeypatch.setattr(exercises, "_hints_given", exercises.Counter())
    told = [hint("output_size").text for _ in range(4)]
    steps = EXERCISES["output_size"].hints
    assert [step in text for step, text in zip(steps, told, strict=False)] == [True] * 3
    assert told[2] == told[3], "the last one stays"
    assert "solution(output_size)" in told[2]
    assert "solution" not in told[0]


def test_unknown_exercises_are_named():
    for function in (hint, solution, show, use):
        with pytest.raises(ValueError, match="'no_such_thing'"):
            function("no_such_thing") if function in (hint, solution) else function(_no_such_thing())


def _no_such_thing():
    def no_such_thing():
        pass

    return no_such_thing


def test_solution_can_be_pasted_and_passes():
    for name in EXERCISES:
        assert check(typed(solution(name).text, name)).passed


def test_mistake_is_seen_behind_a_forgotten_dtype():
    both = RIGHT.replace(", dtype=image.dtype", "").replace("* kernel)", "* kernel.flip(0, 1))")
    assert "turned by 180 degrees" in repr(check(typed(both, "cross_correlate2d")))


def test_the_exercises_own_judge_and_trial_have_their_say():
    right = exercises.source_of(EXERCISES["k_fold"].reference, "k_fold")
    assert check(typed(right, "k_fold")).passed
    case, wrong = check(typed(right.replace("randperm(count", "randperm(count - 1"), "k_fold")).details
    assert case.startswith("30 places, 5 folds: count=30, folds=5") and "expected" in wrong
    odd = check(answer("return 3", "k_fold", "count, folds, generator"))
    assert odd.state == "failed" and "TypeError" in repr(odd)
    unfit = check(answer("return 'far'", "reparameterize", "mu, logvar"))  # nothing that the judge could look at
    assert unfit.state == "failed" and "Error: " in unfit.details[1]
    epoch = check(answer("return 0.0", "train_one_epoch", "model, batches, optimizer"))
    first = "one batch: net=linear_net, images (4, 1, 3, 4), labels (4,), batch_size=4, handed_over_in_eval=False"
    assert epoch.details[0] == first


def test_the_exercises_own_patience_counts():
    right = exercises.source_of(EXERCISES["numerical_gradient"].reference, "numerical_gradient")
    assert check(typed(right.replace("return gradient", "return 1.01 * gradient"), "numerical_gradient")).passed


def test_a_fault_that_was_mended_passes():
    assert check(answer("return x.flatten(1)", "flatten_features", "x")).passed


def test_right_values_with_a_wrong_gradient_are_told():
    right = exercises.source_of(EXERCISES["softmax"].reference, "softmax")
    head, _, result = right.rstrip().rpartition("return ")
    verdict = check(typed(f"{head}result = {result}\n    return 2 * result - result.detach()\n", "softmax"))
    assert re.search("the values are right, the gradient of x is not: .*expected", repr(verdict))


@pytest.mark.parametrize("mistake", EXERCISES["equivariance_error"].mistakes, ids=lambda m: m.function.__name__)
def test_mistake_is_seen_in_a_tensor_without_axes_where_a_number_is_asked_for(mistake):
    def equivariance_error(f, x, shift, stride):
        return torch.tensor(mistake.function(f, x, shift, stride))

    assert mistake.sentence in check(equivariance_error).details


@pytest.mark.parametrize("odd", [torch.zeros(1), torch.zeros(2), torch.tensor(1j), [0.0], None, "none"])
def test_what_is_no_number_is_told_where_one_is_asked_for(odd):
    def equivariance_error(f, x, shift, stride):
        return odd

    case, wrong, *more = check(equivariance_error).details
    assert case == "a convolution: f=convolution_3x3, x (1, 1, 8, 18), shift=3, stride=1"
    assert wrong.startswith("nothing came back" if odd is None else "expected a number, yours is ")
    assert not more


@pytest.mark.parametrize("count", [200, 201])
def test_what_is_printed_is_told_up_to_200_characters(count):
    said = check(answer(f"print('x ' * {count // 2} + 'x' * {count % 2}, end='')\nreturn image")).details[-1]
    printed = " ".join(["x"] * 100)
    assert said == f"it printed: {printed}" + (" … (201 characters in all)" if count > 200 else "")


def test_use_is_ours_until_theirs_is_right(capsys):
    wrong, right = answer("return image"), typed(RIGHT, "cross_correlate2d")
    assert use(wrong) is EXERCISES["cross_correlate2d"].reference
    assert use(right) is right
    assert capsys.readouterr().out == "with our cross_correlate2d, until yours passes\nwith your cross_correlate2d\n"


def test_show_draws_right_and_wrong():
    from matplotlib.figure import Figure

    assert isinstance(show(answer("return image[1:, 1:]")), Figure)
    assert isinstance(show(typed(RIGHT, "cross_correlate2d")), Figure)
    sizes = answer("return size", "output_size", "size, kernel_size, stride, padding, dilation")
    assert "expected 3, yours 5" in repr(show(sizes))
    assert "ValueError" in repr(show(answer("raise ValueError")))
    assert "not attempted" in repr(show(answer("raise NotImplementedError")))


def test_progress_remembers_what_passed_and_nothing_else():
    assert "01_convolution: 0 of 7" in progress().text
    check(answer("return image"))
    assert memory.done() == set()
    check(typed(RIGHT, "cross_correlate2d"))
    assert memory.done() == {"cross_correlate2d"}
    assert "✓ cross_correlate2d" in progress().text
    assert "01_convolution: 1 of 7" in progress().text


@pytest.mark.parametrize("content", ["", "{", "3", '{"a": 1}', "[1, null]"])
def test_damaged_progress_costs_nothing_but_itself(content):
    memory.folder().mkdir(parents=True, exist_ok=True)
    (memory.folder() / "done.json").write_text(content)
    progress()
    check(typed(RIGHT, "cross_correlate2d"))
    assert "cross_correlate2d" in memory.done()


def test_state_folder_that_cannot_be_written_does_not_stop_a_reader(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("VISION_COURSE_STATE", str(tmp_path / "file"))
    assert check(typed(RIGHT, "cross_correlate2d")).passed
    assert memory.done() == set()
