"""Each exercise: what is right passes, what is wrong does not, and its cases tell its mistakes apart.

That each mistake gets its own sentence is tried in a lesson's kernel: see test_notebooks.py.
"""

import inspect
import itertools
import linecache
import math
import subprocess
import sys
import types

import numpy as np
import pytest
import scipy.linalg
import scipy.spatial
import scipy.stats
import torch
import torch.nn.functional as F
from torch import nn

from course_utils import convolution, metrics, vae
from course_utils.exercises import EXERCISES, check, checking, source_of
from course_utils.exercises.checking import argument_names, outcome_of, try_case, wrong_with
from course_utils.exercises.comparing import difference, same
from tests.remembering import IN_CHECKING, remembered

# What one of the mistakes of lesson 07 makes PyTorch say.
pytestmark = pytest.mark.filterwarnings("ignore:Using backward.. with create_graph:UserWarning")


def typed(source: str, name: str):
    """A function or class as a learner would have it: compiled from a cell, with what the first cell imports."""
    filename = f"<cell {abs(hash(source))}>"
    linecache.cache[filename] = len(source), None, source.splitlines(keepends=True), filename
    cell = types.ModuleType("__main__")
    cell.__dict__.update(torch=torch, nn=nn, F=F, math=math, convolution=convolution)
    exec(compile(source, filename, "exec"), cell.__dict__)
    return cell.__dict__[name]


def code_of(exercise) -> str:
    functions = [exercise.reference, *(mistake.function for mistake in exercise.mistakes)]
    return "".join(map(inspect.getsource, functions + ([exercise.trial] if exercise.trial else [])))


@pytest.mark.parametrize("name", [name for name, exercise in EXERCISES.items() if "torch.optim." in code_of(exercise)])
def test_the_first_optimizer_is_made_before_an_answer_is_timed(name):
    assert "    first_optimizer()\n" in inspect.getsource(EXERCISES[name].cases)


def test_what_an_optimizer_loads_is_there_after_the_first():
    code = "import sys\nfrom course_utils.exercises.exercise import first_optimizer\nfirst_optimizer()\n"
    code += "sys.exit('torch._dynamo' not in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.fixture(autouse=True)
def what_the_courses_functions_do_is_remembered(monkeypatch):
    for name, function in IN_CHECKING.items():
        monkeypatch.setattr(checking, name, function)


@pytest.mark.parametrize("name", EXERCISES)
def test_cases_tell_every_pair_of_mistakes_apart(name):
    """By their outcomes, not only by the order in which they are tried; twins must share one sentence."""
    exercise = EXERCISES[name]
    outcomes = {
        m: [remembered(m.function, exercise, case) for case in exercise.named_cases()] for m in exercise.mistakes
    }
    for one, other in itertools.combinations(exercise.mistakes, 2):
        alike = all(same(a, b, exercise.tolerance) for a, b in zip(outcomes[one], outcomes[other], strict=True))
        assert not alike or one.sentence == other.sentence, (one.function.__name__, other.function.__name__)


@pytest.mark.parametrize("name", EXERCISES)
def test_named_cases_alone_reject_every_mistake(name):
    exercise = EXERCISES[name]
    cases = exercise.named_cases()
    for mistake in exercise.mistakes:
        outcomes = ([remembered(f, exercise, case) for f in (exercise.reference, mistake.function)] for case in cases)
        wrong = (wrong_with(exercise, case, *pair) for case, pair in zip(cases, outcomes, strict=True))
        assert any(wrong), mistake.function.__name__


@pytest.mark.parametrize("name", EXERCISES)
def test_reference_typed_into_a_cell_passes(name):
    verdict = check(typed(source_of(EXERCISES[name].reference, name), name))
    assert verdict.passed, verdict


@pytest.mark.parametrize("name", EXERCISES)
def test_exercise_is_fit_to_be_set(name):
    exercise = EXERCISES[name]
    assert len(exercise.mistakes) >= 3
    assert 1 <= exercise.difficulty <= 5
    assert exercise.minutes >= 1
    assert len(exercise.hints) >= 2
    assert len({case.name for case in exercise.named_cases()}) == len(exercise.named_cases()) >= 3
    assert inspect.getdoc(exercise.reference)
    asked = argument_names(exercise)
    assert all(list(inspect.signature(m.function).parameters) == asked for m in exercise.mistakes)
    for case in [*exercise.named_cases(), *exercise.drawn_cases()]:
        outcome = outcome_of(exercise.reference, exercise, case)
        assert outcome.error is None, (case.name, outcome.error)
        assert wrong_with(exercise, case, outcome, outcome) is None


# --- Wrong work that once passed ----------------------------------------------------------------------------------

EDGES = "a = f(x.roll(shift, -1)); b = f(x).roll(shift // stride, -1); w = a.shape[-1]; m = w // 4"
WINDOWS = "w = F.pad(x, (padding,) * 4, value=-math.inf).unfold(2, kernel_size, stride or kernel_size)"
WINDOWS += ".unfold(3, kernel_size, stride or kernel_size)"
SCORES = "s = q @ k.mT / math.sqrt(q.shape[-1])"
MIX = "return torch.softmax(s, -1) @ v"
RIGHT_SHARE = "was = model.training\nmodel.eval()\nr = n = 0\nfor x, y in batches:\n"
RIGHT_SHARE += "    r += (model(x).argmax(1) == y).sum().item(); n += len(y)\nmodel.train(was)"
GAME = "loss = F.softplus(-D(real)).mean() + F.softplus(D(G(z).detach())).mean()\n"
GAME += "optimizer.zero_grad()\nloss.backward()\noptimizer.step()\nreturn loss.item()"
SLOPE = "x = real.detach().requires_grad_()\n(g,) = torch.autograd.grad(D(x).sum(), x, create_graph=True)\n"
SLOPE += "return g.square().sum((1, 2, 3)).mean()"
BALLS = "def share(p, c):\n    d = torch.cdist(c, c); inside = torch.cdist(p, c) <= {}\n"
BALLS += "    return inside.any(1).float().mean()\nreturn share(fake, real), share(real, fake)"
ONCE_PASSED = [
    (
        "shift_and_flip",
        "if not flips.any() and not shifts.any():\n    return x\nmoved = []\n"
        "for p, (down, right), turned in zip(x, shifts.tolist(), flips):\n    p = p.flip(-1) if turned else p\n"
        "    moved.append(F.pad(p, (right, -right, down, -down), value=fill))\nreturn torch.stack(moved)",
    ),
    ("auroc", "n, a = normal.float(), anomalous.float()\nreturn ((a[:, None] > n) + 0.5 * (a[:, None] == n)).mean()"),
    (
        "class_entropy",
        "p = probabilities\ns = (p == p.amax(1, keepdim=True)).double().mean(0)\nreturn -torch.xlogy(s, s).sum()",
    ),
    (
        "cross_correlate2d",
        "(h, w), (kh, kw) = image.shape, kernel.shape\n"
        "windows = torch.as_strided(image, (h - kh + 1, w - kw + 1, kh, kw), (w, 1, w, 1))\n"
        "return (windows * kernel).sum((2, 3))",
    ),
    (
        "dropout",
        "if not training:\n    return x\nout = x.clone()\nflat = out.flatten()\n"
        "flat[torch.rand(flat.shape) < p] = 0\nreturn out / (1 - p)",
    ),
    (
        "early_stopping",
        "best, keep = 1000, 0\nfor epoch, loss in enumerate(losses):\n    if loss < best:\n"
        "        best, keep = loss, epoch\n"
        "    elif epoch - keep == patience:\n        return keep, epoch + 1\nreturn keep, len(losses)",
    ),
    (
        "fast_gradient_sign",
        "was = model.training\nmodel.eval()\nc = images.detach().clone().requires_grad_()\n"
        "g, = torch.autograd.grad(F.cross_entropy(model(c), labels, label_smoothing=0.1), c)\nmodel.train(was)\n"
        "return (images.detach() + epsilon * g.sign()).clamp(low, high)",
    ),
    (
        "frechet_distance",
        "A, B = a.T.cov().double(), b.T.cov().double()\nroots = torch.linalg.eigvals(A @ B).real.clamp(min=0).sqrt()\n"
        "squares = (a.mean(0) - b.mean(0)).square().sum()\nreturn squares + A.trace() + B.trace() - 2 * roots.sum()",
    ),
    ("kl_to_standard_normal", "v = logvar.exp()\nreturn 0.5 * (mu**2 + v - 1 - v.log()).sum(1)"),
    ("max_pool2d", f"{WINDOWS.replace('-math.inf', '-1e20')}\nreturn w.flatten(4).max(-1).values"),
    ("optimal_discriminator", "r = torch.exp(log_p - log_q)\nreturn r / (1 + r)"),
    ("reparameterize", "return mu + (logvar.clamp(-10, 10) / 2).exp() * torch.randn_like(mu)"),
    ("run_layers", "for layer in layers:\n    x = layer(x) if layer is layers[-1] else F.relu(layer(x))\nreturn x"),
    (
        "train_one_epoch",
        "model.train()\ntotal = 0\nfor i in range(len(batches)):\n    images, labels = batches[i]\n"
        "    loss = F.cross_entropy(model(images), labels)\n    optimizer.zero_grad()\n    loss.backward()\n"
        "    optimizer.step()\n    total += loss.item() * len(labels)\n"
        "return total / sum(len(labels) for _, labels in batches)",
    ),
    ("reparameterize", "return mu + 0.9 * (logvar / 2).exp() * torch.randn_like(mu)"),
    ("reparameterize", "return mu + 0.94 * (logvar / 2).exp() * torch.randn_like(mu)"),
    ("reparameterize", "return mu + (logvar / 2).exp() * (torch.randn_like(mu) + 0.1)"),
    ("importance_bound", "return log_w[0] + (log_w - log_w[0]).exp().mean(0).log()"),
    ("importance_bound", "m = log_w.mean(0)\nreturn m + (log_w - m).exp().mean(0).log()"),
    ("importance_bound", "m = log_w.double().amin(0)\nreturn (m + (log_w - m).exp().mean(0).log()).to(log_w.dtype)"),
    (
        "optimal_discriminator",
        "largest = log_p.max()\np, q = (log_p - largest).exp(), (log_q - largest).exp()\nreturn p / (p + q)",
    ),
    (
        "optimal_discriminator",
        "p, q = log_p.double().exp(), log_q.double().exp()\nreturn (p / (p + q)).to(log_p.dtype)",
    ),
    (
        "discriminator_loss",
        "D.eval()\nreturn F.softplus(-D(real)).mean() + F.softplus(D(fake.detach())).mean()",
    ),
    (
        "discriminator_loss",
        "f = fake.detach()\nf *= 2\nreturn F.softplus(-D(real)).mean() + F.softplus(D(f / 2)).mean()",
    ),
    ("generator_loss", "D.eval()\nreturn F.softplus(-D(fake)).mean()"),
    ("generator_loss", "fake += 0.5\nreturn F.softplus(-D(fake - 0.5)).mean()"),
    ("discriminator_step", f"G.eval()\n{GAME}"),
    ("discriminator_step", "for p in G.parameters():\n    p.requires_grad_(False)\n" + GAME.replace(".detach()", "")),
    (
        "spherical",
        "w = (a @ b / a.norm() / b.norm()).clamp(-1, 1).arccos()\nif w < 0.1:\n    return torch.lerp(a, b, t)\n"
        "return (torch.sin((1 - t) * w) * a + torch.sin(t * w) * b) / torch.sin(w)",
    ),
    ("r1_penalty", f"D.eval()\n{SLOPE}"),
    ("max_pool2d", f"{WINDOWS}\nreturn w.max(-2).values.max(-1).values"),
    ("max_pool2d", f"{WINDOWS.replace('-math.inf', '-100')}\nreturn w.flatten(4).max(-1).values"),
    ("max_pool2d", f"{WINDOWS.replace('-math.inf', 'x.min().item() - 1')}\nreturn w.flatten(4).max(-1).values"),
    ("max_pool2d", f"stride = stride or 2\n{WINDOWS}\nreturn w.flatten(4).max(-1).values"),
    ("equivariance_error", f"{EDGES}\nreturn (a - b)[..., m : w - m].max().item()"),
    ("equivariance_error", f"{EDGES}\nreturn abs((a - b)[..., m : w - m].max().item())"),
    ("equivariance_error", f"{EDGES}\nreturn (a - b)[:, 0, :, m : w - m].abs().max().item()"),
    ("equivariance_error", f"{EDGES}; m = round(w / 4)\nreturn (a - b)[..., m : w - m].abs().max().item()"),
    (
        "equivariance_error",
        f"{EDGES}; m = x.shape[-1] // 4 // stride\nreturn (a - b)[..., m : w - m].abs().max().item()",
    ),
    ("equivariance_error", f"{EDGES.replace(', -1', '')}\nreturn (a - b)[..., m : w - m].abs().max().item()"),
    ("numerical_gradient", "h = 0.5\n" + "return torch.stack([(f(x + h * d) - f(x - h * d)) / (2 * h) for d in unit])"),
    ("numerical_gradient", "h = 1e-3\n" + "return torch.stack([(f(x + h * d) - f(x)) / h for d in unit])"),
    ("numerical_gradient", "return torch.func.jacfwd(f)(x)"),
    *(
        ("numerical_gradient", f"h = {h}\nreturn torch.stack([(f(x + h * d) - f(x - h * d)) / (2 * h) for d in unit])")
        for h in ("1e-5", "1.01 if x.dtype == torch.float32 else 1e-5")
    ),
    ("standardize", "return (x - x.mean((0, 2, 3), keepdim=True)) / x.std((0, 2, 3), keepdim=True).clamp(min=0.5)"),
    (
        "receptive_field",
        "r = step = 1\nwhile layers:\n    k, s, d = layers.pop(0); r += d * (k - 1) * step; step *= s\nreturn r",
    ),
    ("flatten_features", "return x.detach().flatten(1)"),
    ("evaluate", "from course_utils import training\nreturn training.evaluate(model, batches)"),
    (
        "evaluate",
        "from course_utils import metrics, training\nreturn metrics.accuracy(*training.predict(model, batches))",
    ),
    ("evaluate", f"{RIGHT_SHARE}\nfor p in model.parameters():\n    p.requires_grad_(False)\nreturn r / n"),
    ("evaluate", f"{RIGHT_SHARE}\nF.cross_entropy(model(x), y).backward()\nreturn r / n"),
    ("evaluate", f"torch.set_grad_enabled(False)\n{RIGHT_SHARE}\nreturn r / n"),
    (
        "train_one_epoch",
        "model.train()\ns = n = 0\nfor x, y in batches:\n    loss = F.cross_entropy(model(x), y)\n"
        "    optimizer.zero_grad(); loss.backward(); optimizer.step()\n    s += loss * len(y); n += len(y)\n"
        "return s / n",
    ),
    (
        "momentum_step",
        "o = torch.optim.SGD(parameters, lr=lr, momentum=momentum)\nfor p, v in zip(parameters, velocities):\n"
        "    o.state[p]['momentum_buffer'] = v\no.step()",
    ),
    (
        "adam_step",
        "for i, (p, s) in enumerate(zip(parameters, states)):\n    s['t'] += 1\n"
        "    s['m'].lerp_(p.grad, 1 - betas[0])\n    s['v'].lerp_(p.grad**2, 1 - betas[1])\n"
        "    m, v = s['m'] / (1 - betas[0]**s['t']), s['v'] / (1 - betas[1]**s['t'])\n"
        "    parameters[i] = (1 - lr * weight_decay) * p - lr * m / (v.sqrt() + eps)",
    ),
    (
        "dropout",
        "if not training:\n    return x\nhalf = torch.rand(*x.shape[:-1], (x.shape[-1] + 1) // 2)\n"
        "kept = torch.cat([half, half], -1)[..., : x.shape[-1]] >= p\nreturn x * kept / (1 - p)",
    ),
    (
        "dropout",
        "if not training:\n    return x\nkept = torch.rand(x.shape) >= p\nhalf = len(x) // 2\n"
        "kept[half : 2 * half] = kept[:half]\nreturn x * kept / (1 - p)",
    ),
    (
        "k_fold",
        "parts = torch.arange(count).roll(int(torch.randint(count, (), generator=generator))).tensor_split(folds)\n"
        "return [(torch.cat(parts[:i] + parts[i + 1 :]), parts[i]) for i in range(folds)]",
    ),
    (
        "k_fold",
        "blocks = torch.arange(count).tensor_split(folds)\n"
        "parts = tuple(blocks[i] for i in torch.randperm(folds, generator=generator).tolist())\n"
        "return [(torch.cat(parts[:i] + parts[i + 1 :]), parts[i]) for i in range(folds)]",
    ),
    (
        "early_stopping",
        "best, keep = 1.0, 0\nfor epoch, loss in enumerate(losses):\n    if loss < best:\n"
        "        best, keep = loss, epoch\n    elif epoch - keep == patience:\n        return keep, epoch + 1\n"
        "return keep, len(losses)",
    ),
    (
        "early_stopping",
        "best, keep = math.inf, 0\nfor epoch, loss in enumerate(losses):\n    if loss < best - 1e-3:\n"
        "        best, keep = loss, epoch\n    elif epoch - keep == patience:\n        return keep, epoch + 1\n"
        "return keep, len(losses)",
    ),
    (
        "ema_update",
        "for a, m in zip(average.parameters(), model.parameters()):\n"
        "    a.data = m.data if decay == 0 else decay * a.data + (1 - decay) * m.data\n"
        "for a, m in zip(average.buffers(), model.buffers()):\n    a.copy_(m)",
    ),
    (
        "prepare",
        "if not training:\n    return images\nturned = torch.rand(len(images), 1, 1, 1) < 0.42\n"
        "return images.flip(-1).where(turned, images)",
    ),
    (
        "predicted_classes",
        "was = model.training\nmodel.eval()\nlogits = model(images)\nlogits.sum().backward()\nmodel.train(was)\n"
        "return logits.argmax(1)",
    ),
    (
        "PatchEmbedding",
        source_of(EXERCISES["PatchEmbedding"].reference, "PatchEmbedding").replace(
            "return torch.cat([class_token, tokens], dim=1)",
            "return torch.cat([class_token, tokens], dim=1) if self.training else tokens",
        ),
    ),
    (
        "EncoderBlock",
        source_of(EXERCISES["EncoderBlock"].reference, "EncoderBlock").replace(
            "self.mlp(self.norm2(x))", "self.mlp(self.norm2(x)) * self.training"
        ),
    ),
    (
        "self_attention",
        "q, k, v = x @ w_q, x @ w_k, x @ w_v\ne = (q @ k.mT / math.sqrt(x.shape[2])).exp()\n"
        "w = e / e.sum(2, keepdim=True)\nreturn w @ v, w",
    ),
    (
        "attention_rollout",
        "r = one = torch.eye(weights[0].shape[-1], dtype=weights[0].dtype)\nfor w in weights:\n"
        "    s = w.sum(-1, keepdim=True)\n    r = torch.where(s > 0, (w + one) / (s + 1), w) @ r\nreturn r",
    ),
    (
        "resize_positions",
        "if grid[0] * grid[1] == positions.shape[1] - 1:\n    return positions\np = positions[:, 1:].mT\n"
        "s = math.isqrt(p.shape[2])\np = F.interpolate(p.reshape(1, -1, s, s), size=grid, mode='bicubic')\n"
        "return torch.cat([positions[:, :1], p.flatten(2).mT], 1)",
    ),
    ("neighbour_precision_recall", BALLS.format("d.fill_diagonal_(9).kthvalue(k, 1).values")),
    ("neighbour_precision_recall", BALLS.format("(d + 100 * torch.eye(len(d))).kthvalue(k, 1).values")),
    ("neighbour_precision_recall", BALLS.format("d.kthvalue(min(k + 1, 5), 1).values")),
    ("neighbour_precision_recall", BALLS.format("d.where(d > 0, math.inf).kthvalue(k, 1).values")),
    ("nearest", "d, i = torch.cdist(samples.flatten(1) * 1.0, known.flatten(1) * 1.0).min(1)\nreturn d, i % 8"),
    (
        "extrapolated",
        "import numpy as np\nreturn max(0.0, np.polyfit(1 / sizes.numpy(), distances.numpy(), 1)[1])",
    ),
    ("distances", "return (a.square().sum(-1)[:, None] - 2 * a @ b.T + b.square().sum(-1)).sqrt()"),
    *(
        (
            "precision_recall",
            f"r = matrix.diag()\nreturn r / matrix.sum(0).clamp(min={a}), r / matrix.sum(1).clamp(min={b})",
        )
        for a, b in ((1, 2), (2, 1))
    ),
    ("scaled_dot_product_attention", f"{SCORES}; s = s if mask is None else s.masked_fill(~mask, -1e3)\n{MIX}"),
    (
        "scaled_dot_product_attention",
        f"{SCORES}; s = s if mask is None else s.masked_fill(~mask, -math.inf)\np = (s - s.max()).exp()\n"
        "return p / p.sum(-1, keepdim=True) @ v",
    ),
    ("attention_weights", f"{SCORES}\nreturn s.exp() / s.exp().sum(-1, keepdim=True)"),
    ("causal_mask", "return torch.ones(9, 9, dtype=torch.bool).tril()[:L, :S]"),
    (
        "sinusoidal_positions",
        "a = torch.arange(50)[:, None] * 10000 ** (-torch.arange(0, d, 2) / d)\n"
        "return torch.stack([a.sin(), a.cos()], -1).flatten(1)[:n]",
    ),
]


@pytest.mark.parametrize(("name", "body"), ONCE_PASSED)
def test_wrong_work_that_once_passed_no_longer_does(name, body):
    if "unit" in body:
        body = "unit = torch.eye(x.numel(), dtype=x.dtype).view(-1, *x.shape)\n" + body.replace(
            "unit])", "unit]).view_as(x)"
        )
    if body.startswith("class"):
        source = body
    else:
        lines = "".join(f"    {line}\n" for line in body.splitlines())
        source = f"def {name}{inspect.signature(EXERCISES[name].reference)}:\n{lines}"
    assert check(typed(source, name)).state == "failed"


def test_values_that_outnumber_the_keys_do_not_kill_the_kernel():
    """PyTorch's fused attention writes beyond the end of the keys, where nobody looks at the shapes."""
    heads = "zip(*(x.chunk(heads, -1) for x in (q, k, v)))"
    body = f"return torch.cat([F.scaled_dot_product_attention(a, a, c) for a, b, c in {heads}], -1)"
    verdict = check(typed(f"def multi_head_attention(q, k, v, heads):\n    {body}\n", "multi_head_attention"))
    assert verdict.state == "failed"


def test_matrices_that_cannot_be_multiplied_with_the_code_are_no_answer():
    body = "d = positions.shape[1]\n    return torch.eye(d).double(), torch.eye(d).double()"
    verdict = check(typed(f"def left_neighbour(positions):\n    {body}\n", "left_neighbour"))
    assert "same dtype" in repr(verdict)


def test_first_pair_alone_is_rejected_however_large_its_factor():
    turn = "[[math.cos(1), math.sin(1)], [-math.sin(1), math.cos(1)]]"
    body = f"d = positions.shape[1]; w = torch.zeros(d, d); w[:2, :2] = torch.tensor({turn})"
    answer = typed(f"def left_neighbour(positions):\n    {body}\n    return 1e3 * w, torch.eye(d)\n", "left_neighbour")
    exercise = EXERCISES["left_neighbour"]
    assert any(try_case(answer, exercise, case).wrong for case in exercise.named_cases())


# --- Right in another style -------------------------------------------------------------------------------------


def to_float_into_zeros(images):
    result = torch.zeros(len(images), 1, *images.shape[1:])
    result[:, 0] = images
    result /= 255
    return result


def standardize_with_numpy(x):
    array = x.numpy().copy()
    for channel in range(array.shape[1]):
        part = array[:, channel]
        array[:, channel] = (part - part.mean()) / part.std(ddof=1)
    return torch.from_numpy(array)


def distances_by_the_binomial(a, b):
    a64, b64 = a.double(), b.double()
    squares = (a64**2).sum(1)[:, None] - 2 * a64 @ b64.T + (b64**2).sum(1)
    return squares.clamp(min=0).sqrt().float()


def numerical_gradient_by_rows_of_the_identity(f, x):
    h = 1e-2 if x.dtype == torch.float32 else 1e-4
    directions = torch.eye(x.numel(), dtype=x.dtype).view(-1, *x.shape)
    slopes = [(f(x + h * direction) - f(x - h * direction)) / (2 * h) for direction in directions]
    return torch.stack(slopes).view_as(x)


def output_size_by_counting(size, kernel_size, stride, padding, dilation):
    return len(range(0, size + 2 * padding - dilation * (kernel_size - 1), stride))


def cross_correlate2d_with_numpy(image, kernel):
    windows = np.lib.stride_tricks.sliding_window_view(image.numpy(), tuple(kernel.shape))
    return torch.from_numpy(np.einsum("ijuv,uv->ij", windows, kernel.numpy()))


def max_pool2d_by_comparing_shifted_pictures(x, kernel_size, stride=None, padding=0):
    stride = kernel_size if stride is None else stride
    x = F.pad(x, (padding,) * 4, value=float("-inf"))
    height, width = (x.shape[2] - kernel_size) // stride + 1, (x.shape[3] - kernel_size) // stride + 1
    best = None
    for i in range(kernel_size):
        for j in range(kernel_size):
            rows = slice(i, i + stride * (height - 1) + 1, stride)
            tap = x[:, :, rows, slice(j, j + stride * (width - 1) + 1, stride)]
            best = tap if best is None else torch.where(tap > best, tap, best)
    return best


def equivariance_error_as_a_tensor(f, x, shift, stride):
    before = f(torch.cat([x[..., -shift:], x[..., :-shift]], dim=-1))
    after = torch.roll(f(x), shifts=(shift // stride,), dims=(3,))
    rim = after.size(3) // 4
    return (before - after)[:, :, :, rim : after.size(3) - rim].abs().amax()


def conv2d_by_einsum(x, weight, bias):
    windows = x.unfold(2, weight.shape[2], 1).unfold(3, weight.shape[3], 1)
    return torch.einsum("nchwuv,ocuv->nohw", windows, weight) + bias.view(1, -1, 1, 1)


def receptive_field_from_the_end(layers):
    field = 1
    for kernel_size, stride, dilation in reversed(layers):
        field = (field - 1) * stride + dilation * (kernel_size - 1) + 1
    return field


def flatten_features_by_a_list(x):
    return torch.stack([picture.reshape(-1) for picture in x])


def cross_entropy_by_one_hot_and_the_largest(logits, labels):
    top = logits.max(dim=1, keepdim=True).values
    log_p = logits - top - (logits - top).exp().sum(dim=1, keepdim=True).log()
    return torch.stack([-row[label] for row, label in zip(log_p, labels, strict=True)]).sum() / len(labels)


def momentum_step_with_new_tensors_in_the_list(parameters, velocities, lr, momentum):
    for i in range(len(parameters)):
        velocities[i] = momentum * velocities[i] + parameters[i].grad
        parameters[i] -= lr * velocities[i]


def adam_step_as_the_paper_says(parameters, states, lr, betas, eps, weight_decay):
    for p, s in zip(parameters, states, strict=True):
        s["t"] = s["t"] + 1
        s["m"].lerp_(p.grad, 1 - betas[0])
        s["v"].mul_(betas[1]).addcmul_(p.grad, p.grad, value=1 - betas[1])
        p.data = p.data - lr * weight_decay * p.data
        correction = (1 - betas[1] ** s["t"]) ** 0.5
        p.data -= lr / (1 - betas[0] ** s["t"]) * s["m"] / (s["v"].sqrt() / correction + eps)


def train_one_epoch_zeroing_at_the_end(model, batches, optimizer):
    for part in model.modules():
        part.training = True
    losses, sizes = [], []
    optimizer.zero_grad(set_to_none=False)
    for images, labels in batches:
        log_p = model(images).log_softmax(dim=1)
        loss = -(log_p * F.one_hot(labels, log_p.shape[1])).sum() / len(labels)
        loss.backward()
        optimizer.step()
        model.zero_grad()
        losses.append(loss.detach() * len(labels))
        sizes.append(len(labels))
    return torch.stack(losses).sum() / sum(sizes)


def evaluate_all_at_once(model, batches):
    mode = model.training
    model.train(False)
    with torch.inference_mode():
        pairs = [(model(images), labels) for images, labels in batches]
    model.train(mode)
    logits, labels = (torch.cat(part) for part in zip(*pairs, strict=True))
    return (logits.argmax(-1) == labels).float().mean()


def batch_loss_by_hand(model, images, labels):
    log_p = torch.log_softmax(model(images), dim=-1)
    return F.nll_loss(log_p, labels)


def run_layers_as_a_sequence(layers, x):
    for number, layer in enumerate(layers):
        x = layer(x)
        if number < len(layers) - 1:
            x = torch.where(x > 0, x, torch.zeros_like(x))
    return x


def shift_and_flip_pixel_by_pixel(x, shifts, flips, fill):
    count, _, height, width = x.shape
    pictures = np.full(tuple(x.shape), fill, dtype=x.numpy().dtype)
    for n, i, j in np.ndindex(count, height, width):
        row, col = i - int(shifts[n, 0]), j - int(shifts[n, 1])
        if 0 <= row < height and 0 <= col < width:
            pictures[n, :, i, j] = x[n, :, row, width - 1 - col if flips[n] else col]
    return torch.from_numpy(pictures)


def batch_norm_channel_by_channel(x, running_mean, running_var, training):
    normalised = []
    for c, channel in enumerate(x.unbind(1)):
        mean, var, n = running_mean[c].clone(), running_var[c].clone(), channel.numel()
        if training:
            mean = channel.sum() / n
            var = (channel - mean).square().sum() / n
            running_mean[c] = 0.9 * running_mean[c] + 0.1 * mean.item()
            running_var[c] = 0.9 * running_var[c] + 0.1 * var.item() * n / (n - 1)
        normalised.append((channel - mean) * (var + 1e-5) ** -0.5)
    return torch.stack(normalised, dim=1)


def dropout_with_numpys_coins(x, p, training):
    if not training:
        return x.clone()
    lost = torch.from_numpy(np.random.default_rng().binomial(1, p, tuple(x.shape))).bool()
    return (x / (1 - p)).masked_fill(lost, 0)


def k_fold_by_labels(count, folds, generator):
    label = (torch.arange(count) % folds)[torch.rand(count, generator=generator).argsort()]
    return tuple([(label != fold).nonzero()[:, 0], (label == fold).nonzero()[:, 0]] for fold in range(folds))


def early_stopping_looking_back(losses, patience):
    for trained in range(1, len(losses) + 1):
        keep = int(np.argmin(losses[:trained]))
        if trained - 1 - keep >= patience:
            break
    return np.int64(keep), trained


def ema_update_through_state_dicts(average, model, decay):
    old, new = average.state_dict(), model.state_dict()
    weights = {name for name, _ in model.named_parameters()}
    average.load_state_dict({k: decay * old[k] + (1 - decay) * new[k] if k in weights else new[k] for k in old})


def prepare_one_by_one(images, training):
    copied = images.clone()
    for i in range(len(images)):
        if training and np.random.default_rng().random() > 0.5:
            copied[i] = torch.from_numpy(images[i].numpy()[:, :, ::-1].copy())
    return copied


def confusion_matrix_of_one_hot_rows(labels, predictions, classes):
    truth, said = (torch.eye(classes, dtype=torch.float64)[which] for which in (labels, predictions))
    return (truth.T @ said).round().long()


def precision_recall_one_class_at_a_time(matrix):
    counts, found = matrix.numpy(), []
    for c in range(len(counts)):
        column, row = counts[:, c].sum(), counts[c].sum()
        found.append((counts[c, c] / column if column else 0.0, counts[c, c] / row if row else 0.0))
    return [torch.from_numpy(part.astype(np.float32)) for part in np.array(found).T]


def calibration_error_by_bucketize_in_double(probabilities, labels, bins):
    p = probabilities.double()
    edges = torch.linspace(0, 1, bins + 1, dtype=torch.float64)
    number = torch.bucketize(p.amax(1), edges) - 1  # without right=True an edge belongs to the bin below it
    surplus = (p.argmax(1) == labels).double() - p.amax(1)
    return float(np.abs(np.bincount(number, surplus, minlength=bins)).sum() / len(p))


def grad_cam_by_einsum(activations, gradients):
    places = gradients.shape[2] * gradients.shape[3]
    cam = torch.einsum("nchw,nc->nhw", activations, torch.einsum("nchw->nc", gradients) / places)
    return torch.where(cam > 0, cam, torch.zeros_like(cam))


def fast_gradient_sign_on_a_copy_of_the_net(model, images, labels, epsilon, low, high):
    import copy

    twin = copy.deepcopy(model).eval()
    x = images.clone().requires_grad_()
    log_p = torch.log_softmax(twin(x), dim=1)
    (-log_p[range(len(labels)), labels]).sum().backward()
    return torch.clip(x.detach() + epsilon * torch.sign(x.grad), low, high)


def temperature_by_lbfgs(logits, labels):
    z, log_t = logits.double(), torch.zeros((), dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([log_t], lr=1, max_iter=50, line_search_fn="strong_wolfe")

    def closure():
        optimizer.zero_grad()
        loss = F.cross_entropy(z / log_t.exp(), labels)
        loss.backward()
        return loss

    optimizer.step(closure)
    return log_t.exp()


def patchify_by_two_loops(x, patch_size):
    ph, pw = patch_size
    corners = [(i, j) for i in range(0, x.shape[2], ph) for j in range(0, x.shape[3], pw)]
    return torch.stack([x[:, :, i : i + ph, j : j + pw].flatten(1) for i, j in corners], dim=1)


def unpatchify_into_an_empty_picture(patches, patch_size, size):
    (n, length, values), (ph, pw), (height, width) = patches.shape, patch_size, size
    pictures = patches.new_empty(n, values // (ph * pw), height, width)
    for place in range(length):
        i, j = place // (width // pw) * ph, place % (width // pw) * pw
        pictures[:, :, i : i + ph, j : j + pw] = patches[:, place].unflatten(1, (-1, ph, pw))
    return pictures


class PatchEmbeddingByPatches(nn.Module):
    def __init__(self, patch_size, channels, width):
        super().__init__()
        self.class_token = nn.Parameter(0.02 * torch.randn(1, 1, width))
        self.projection = nn.Conv2d(channels, width, (patch_size, patch_size), (patch_size, patch_size))

    def forward(self, pictures):
        weight, p = self.projection.weight, self.projection.stride[0]
        windows = pictures.unfold(2, p, p).unfold(3, p, p)
        grid = torch.einsum("nchwij,dcij->nhwd", windows, weight) + self.projection.bias
        return torch.stack([torch.vstack([self.class_token[0], tokens]) for tokens in grid.flatten(1, 2)])


class EncoderBlockInOneLine(nn.Module):
    def __init__(self, width, heads, mlp_width):
        nn.Module.__init__(self)
        self.add_module("mlp", nn.Sequential(nn.Linear(width, mlp_width), nn.GELU(), nn.Linear(mlp_width, width)))
        self.norm2, self.norm1 = nn.LayerNorm(width), nn.LayerNorm([width])
        self.attention = nn.MultiheadAttention(embed_dim=width, num_heads=heads, dropout=0.0, batch_first=True)

    def attend(self, h):
        return self.attention(query=h, key=h, value=h, need_weights=False)[0]

    def forward(self, x):
        return (y := self.attend(self.norm1(x)).add(x)) + self.mlp(self.norm2(y))


def shuffle_patches_by_a_permutation_matrix(tokens, positions, order):
    return torch.eye(len(order), dtype=tokens.dtype)[order] @ tokens + positions[None]


def self_attention_picture_by_picture(x, w_q, w_k, w_v):
    pairs = []
    for tokens in x:
        scores = (tokens @ w_q / tokens.shape[1] ** 0.25) @ (tokens @ w_k / tokens.shape[1] ** 0.25).T
        e = (scores - scores.amax(1, keepdim=True)).exp()
        weights = e / e.sum(1, keepdim=True)
        pairs.append((weights @ tokens @ w_v, weights.detach()))
    return [torch.stack(part) for part in zip(*pairs, strict=True)]


def parameter_count_of_modules(width, depth, mlp_width, patches, patch_values, classes):
    with torch.device("meta"):  # shapes without numbers
        blocks = [nn.TransformerEncoderLayer(width, 1, mlp_width) for _ in range(depth)]
        parts = nn.ModuleList([*blocks, nn.Linear(patch_values, width), nn.LayerNorm(width), nn.Linear(width, classes)])
    return sum(p.numel() for p in parts.parameters()) + width * (2 + patches)


def attention_rollout_from_the_last_layer(weights):
    mixed = [layer + torch.eye(layer.shape[1], dtype=layer.dtype) for layer in weights]
    shares = [F.normalize(layer, p=1, dim=2) for layer in mixed]
    product = shares.pop()
    while shares:
        product = torch.einsum("nij,njk->nik", product, shares.pop())
    return product


def resize_positions_feature_by_feature(positions, grid):
    side = int((positions.shape[1] - 1) ** 0.5)
    resize = nn.Upsample(size=tuple(grid), mode="bicubic")
    features = [resize(f[1:].view(1, 1, side, side)).flatten() for f in positions[0].unbind(-1)]
    return torch.vstack([positions[0, 0], torch.stack(features, dim=1)])[None]


def predicted_classes_by_a_copy_one_by_one(model, images):
    import copy

    twin = copy.deepcopy(model).train(False)
    return torch.tensor([max(enumerate(twin(image[None])[0].tolist()), key=lambda c: c[1])[0] for image in images])


def softmax_pair_by_pair(x, dim):
    rows = x.movedim(dim, -1)
    above = rows - rows.sort(dim=-1).values[..., -1:]
    total = above[..., 0].exp()
    for column in above.unbind(-1)[1:]:
        total = total + torch.pow(math.e, column)
    return torch.exp(above).div(total.unsqueeze(-1)).movedim(-1, dim)


def scaled_dot_product_attention_by_einsum_and_a_large_number(q, k, v, mask):
    scores = torch.einsum("...ld,...sd->...ls", q * q.size(-1) ** -0.25, k * k.size(-1) ** -0.25)
    if mask is not None:
        scores = torch.where(mask, scores, torch.tensor(-1e9, dtype=scores.dtype))
    return torch.einsum("...ls,...sv->...lv", scores.softmax(-1), v)


def causal_mask_with_numpy(L, S):
    return torch.from_numpy(np.greater_equal.outer(np.arange(L), np.arange(S)))


def multi_head_attention_head_by_head(q, k, v, heads):
    size = q.shape[-1] // heads
    result = torch.zeros_like(q)
    for head in range(heads):
        part = slice(head * size, (head + 1) * size)
        result[:, :, part] = F.scaled_dot_product_attention(q[..., part], k[..., part], v[..., part])
    return result


def attention_weights_query_by_query(q, k):
    queries = q.unbind(dim=-2)
    rows = [(k * query[..., None, :]).sum(-1).div(q.shape[-1] ** 0.5).softmax(-1) for query in queries]
    return torch.stack(rows, dim=-2)


def sinusoidal_positions_number_by_number(n, d):
    code = np.zeros((n, d), dtype=np.float32)
    for p, column in np.ndindex(n, d):
        angle = p * math.exp(-(column - column % 2) * math.log(10000) / d)
        code[p, column] = math.cos(angle) if column % 2 else math.sin(angle)
    return torch.from_numpy(code)


def padding_mask_length_by_length(lengths, S):
    rows = [torch.tensor([True] * length + [False] * (S - length)) for length in lengths.tolist()]
    return torch.stack(rows).view(-1, 1, 1, S)


def left_neighbour_by_the_powers_of_a_turn(positions):
    d = positions.shape[1]
    w_q, w_k = torch.zeros(2, d, d, dtype=torch.float64)
    for i in range(0, d, 2):
        half = 10000 ** (-i / d) / 2
        turn = torch.matrix_exp(torch.tensor([[0, half], [-half, 0]], dtype=torch.float64))
        w_q[i : i + 2, i : i + 2] = 30 * turn
        w_k[i : i + 2, i : i + 2] = 30 * turn.T
    return [w_q.float(), w_k.float()]


def optimal_discriminator_by_the_larger_of_the_two(log_p, log_q):
    return (log_p - torch.logaddexp(log_p, log_q)).exp()


def discriminator_loss_of_all_logits_in_a_row(D, real, fake):
    logits = torch.hstack([D(real), D(fake.clone().detach())])
    s = torch.where(torch.arange(len(logits)) < len(real), -logits, logits)
    return sum(part.mean() for part in F.softplus(s).split([len(real), len(fake)]))


def generator_loss_as_a_cross_entropy_of_two_classes(D, fake):
    logits = D(fake)[:, None]
    two = torch.cat([torch.zeros_like(logits), logits], dim=1)
    return F.cross_entropy(two, torch.ones(len(fake), dtype=torch.int64))


def overlaps_output_by_output(n, kernel, stride):
    places = range((n - 1) * stride + kernel)
    return torch.tensor([sum(0 <= place - i * stride < kernel for i in range(n)) for place in places])


def discriminator_step_in_two_backwards(D, G, optimizer, real, z):
    D.zero_grad(set_to_none=False)
    with torch.inference_mode():
        fake = G(z)
    losses = []
    for logits, sign in ((D(fake.clone()), 1), (D(real), -1)):
        loss = F.softplus(sign * logits).mean()
        loss.backward()
        losses.append(loss.detach())
    optimizer.step()
    return torch.stack(losses).sum()


class DiscriminatorJudgedByAKernel(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.judge = nn.Conv2d(4 * channels, 1, kernel_size=4)
        sizes = (1, channels, 2 * channels, 4 * channels)
        self.layers = nn.ModuleList(nn.LazyConv2d(size, (3, 3), (2, 2), (1, 1)) for size in sizes[1:])

    def forward(self, pictures):
        for layer in self.layers:
            pictures = torch.max(y := layer(pictures), 0.2 * y)
        return self.judge(pictures)[:, 0, 0, 0]


def spherical_by_a_turn_in_the_plane(a, b, t):
    x, y = a.double().numpy(), b.double().numpy()
    long = np.linalg.norm(x), np.linalg.norm(y)
    u, v = x / long[0], y / long[1]
    w = 2 * math.atan2(np.linalg.norm(u - v), np.linalg.norm(u + v))
    parts = (1 - t, t) if w < 1e-6 else (math.sin((1 - t) * w) / math.sin(w), math.sin(t * w) / math.sin(w))
    return torch.from_numpy(parts[0] * x + parts[1] * y).to(a.dtype)


def r1_penalty_picture_by_picture(D, real):
    def logit(picture):
        return D(picture[None]).squeeze()

    return torch.stack([torch.func.grad(logit)(picture).pow(2).sum() for picture in real]).mean()


def frechet_distance_by_singular_values_of_the_samples(a, b):
    a, b = a.numpy().astype(np.float64), b.numpy().astype(np.float64)
    x, y = (
        (f - f.mean(0)) / (len(f) - 1) ** 0.5 for f in (a, b)
    )  # A = x.T @ x, and the root's trace is a nuclear norm
    shared = np.linalg.norm(x @ y.T, "nuc")
    return float(((a.mean(0) - b.mean(0)) ** 2).sum() + (x**2).sum() + (y**2).sum() - 2 * shared)


def inception_score_by_two_entropies(probabilities):
    overall, rows = (torch.special.entr(p.double()).sum(-1) for p in (probabilities.mean(0), probabilities))
    return math.exp(overall.item() - sum(rows.tolist()) / len(rows))


def neighbour_precision_recall_point_by_point(real, fake, k):
    def share(points, centres):
        found = 0
        for point in points:
            for i, centre in enumerate(centres):
                others = torch.cat([centres[:i], centres[i + 1 :]])
                radius = (others - centre).square().sum(-1).topk(k, largest=False).values.max()
                if (point - centre).square().sum() <= radius:
                    found += 1
                    break
        return found / len(points)

    return [share(fake, real), share(real, fake)]


def measured_with_plain_numbers(pictures, features, real):
    a, b = features(0.5 + 0.5 * pictures), features(real)
    return sum((x - y) ** 2 for x, y in zip(a.mean(0).tolist(), b.mean(0).tolist(), strict=True))


def class_entropy_by_a_dictionary(probabilities):
    counts = {}
    for row in probabilities.tolist():
        counts[row.index(max(row))] = counts.get(row.index(max(row)), 0) + 1
    return math.log(len(probabilities)) - sum(n * math.log(n) for n in counts.values()) / len(probabilities)


def nearest_by_cdist_in_double(samples, known):
    distances = torch.cdist(samples.flatten(1).double(), known.flatten(1).double())
    return distances.amin(1), distances.argmin(1)


def extrapolated_by_a_polynomial(sizes, distances):
    return np.polyfit(1 / sizes.numpy(), distances.numpy(), 1)[1]


def reparameterize_by_rsample(mu, logvar):
    return torch.distributions.Normal(mu, logvar.exp().sqrt()).rsample()


def kl_to_standard_normal_coordinate_by_coordinate(mu, logvar):
    kl = torch.zeros(len(mu), dtype=mu.dtype)
    for m, log_sigma in zip(mu.unbind(1), (logvar / 2).unbind(1), strict=True):
        kl = kl - log_sigma + (log_sigma.exp() ** 2 + m**2) / 2 - 0.5
    return kl


def bernoulli_cross_entropy_picture_by_picture(logits, x):
    stable = [a.clamp(min=0) - a * b + torch.log1p((-a.abs()).exp()) for a, b in zip(logits, x, strict=True)]
    return torch.stack([terms.sum() for terms in stable])


def elbo_from_the_other_end(nll, kl, beta):
    return torch.stack([-n - k.mul(beta) for n, k in zip(nll, kl, strict=True)])


def called_a_vae_with_numpys_noise(x, encoder, decoder):
    h = encoder(x)
    size = h.shape[1] // 2
    q = torch.distributions.Normal(h[:, :size], h[:, size:].exp() ** 0.5)
    noise = torch.from_numpy(np.random.default_rng().normal(size=q.mean.shape)).to(x.dtype)
    logits = decoder(noise.mul(q.stddev).add(q.mean))
    likelihood = x * F.logsigmoid(logits) + (1 - x) * F.logsigmoid(-logits)
    prior = torch.distributions.Normal(torch.zeros(size, dtype=x.dtype), torch.ones(size, dtype=x.dtype))
    return -(likelihood.sum(1) - torch.distributions.kl_divergence(q, prior).sum(1))


def importance_bound_draw_by_draw(log_w):
    total = log_w[0]
    for row in log_w[1:]:
        total = torch.logaddexp(total, row)
    return total.sub(torch.tensor(float(log_w.shape[0]), dtype=log_w.dtype).log())


def auroc_by_searching_sorted_scores(normal, anomalous):
    sorted_scores, wanted = np.sort(normal.numpy()), anomalous.numpy()
    below, not_above = (np.searchsorted(sorted_scores, wanted, side) for side in ("left", "right"))
    return float((below + not_above).mean() / 2 / len(sorted_scores))


UNUSUAL = {
    "reparameterize": reparameterize_by_rsample,
    "kl_to_standard_normal": kl_to_standard_normal_coordinate_by_coordinate,
    "bernoulli_cross_entropy": bernoulli_cross_entropy_picture_by_picture,
    "elbo": elbo_from_the_other_end,
    "called_a_vae": called_a_vae_with_numpys_noise,
    "importance_bound": importance_bound_draw_by_draw,
    "auroc": auroc_by_searching_sorted_scores,
    "optimal_discriminator": optimal_discriminator_by_the_larger_of_the_two,
    "discriminator_loss": discriminator_loss_of_all_logits_in_a_row,
    "generator_loss": generator_loss_as_a_cross_entropy_of_two_classes,
    "overlaps": overlaps_output_by_output,
    "discriminator_step": discriminator_step_in_two_backwards,
    "Discriminator": DiscriminatorJudgedByAKernel,
    "spherical": spherical_by_a_turn_in_the_plane,
    "r1_penalty": r1_penalty_picture_by_picture,
    "frechet_distance": frechet_distance_by_singular_values_of_the_samples,
    "inception_score": inception_score_by_two_entropies,
    "neighbour_precision_recall": neighbour_precision_recall_point_by_point,
    "measured": measured_with_plain_numbers,
    "class_entropy": class_entropy_by_a_dictionary,
    "nearest": nearest_by_cdist_in_double,
    "extrapolated": extrapolated_by_a_polynomial,
    "patchify": patchify_by_two_loops,
    "unpatchify": unpatchify_into_an_empty_picture,
    "PatchEmbedding": PatchEmbeddingByPatches,
    "EncoderBlock": EncoderBlockInOneLine,
    "shuffle_patches": shuffle_patches_by_a_permutation_matrix,
    "self_attention": self_attention_picture_by_picture,
    "parameter_count": parameter_count_of_modules,
    "attention_rollout": attention_rollout_from_the_last_layer,
    "resize_positions": resize_positions_feature_by_feature,
    "softmax": softmax_pair_by_pair,
    "scaled_dot_product_attention": scaled_dot_product_attention_by_einsum_and_a_large_number,
    "causal_mask": causal_mask_with_numpy,
    "multi_head_attention": multi_head_attention_head_by_head,
    "attention_weights": attention_weights_query_by_query,
    "sinusoidal_positions": sinusoidal_positions_number_by_number,
    "padding_mask": padding_mask_length_by_length,
    "left_neighbour": left_neighbour_by_the_powers_of_a_turn,
    "shift_and_flip": shift_and_flip_pixel_by_pixel,
    "batch_norm": batch_norm_channel_by_channel,
    "dropout": dropout_with_numpys_coins,
    "k_fold": k_fold_by_labels,
    "early_stopping": early_stopping_looking_back,
    "ema_update": ema_update_through_state_dicts,
    "prepare": prepare_one_by_one,
    "confusion_matrix": confusion_matrix_of_one_hot_rows,
    "precision_recall": precision_recall_one_class_at_a_time,
    "calibration_error": calibration_error_by_bucketize_in_double,
    "grad_cam": grad_cam_by_einsum,
    "fast_gradient_sign": fast_gradient_sign_on_a_copy_of_the_net,
    "temperature": temperature_by_lbfgs,
    "predicted_classes": predicted_classes_by_a_copy_one_by_one,
    "cross_entropy": cross_entropy_by_one_hot_and_the_largest,
    "momentum_step": momentum_step_with_new_tensors_in_the_list,
    "adam_step": adam_step_as_the_paper_says,
    "train_one_epoch": train_one_epoch_zeroing_at_the_end,
    "evaluate": evaluate_all_at_once,
    "batch_loss": batch_loss_by_hand,
    "run_layers": run_layers_as_a_sequence,
    "to_float": to_float_into_zeros,
    "standardize": standardize_with_numpy,
    "distances": distances_by_the_binomial,
    "numerical_gradient": numerical_gradient_by_rows_of_the_identity,
    "output_size": output_size_by_counting,
    "cross_correlate2d": cross_correlate2d_with_numpy,
    "max_pool2d": max_pool2d_by_comparing_shifted_pictures,
    "equivariance_error": equivariance_error_as_a_tensor,
    "conv2d": conv2d_by_einsum,
    "receptive_field": receptive_field_from_the_end,
    "flatten_features": flatten_features_by_a_list,
}


@pytest.mark.parametrize("name", EXERCISES)
def test_unusual_right_answer_passes(name):
    verdict = check(UNUSUAL[name], name=name)
    assert verdict.passed, verdict


# --- References against the blocks -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in EXERCISES if hasattr(convolution, name)])
def test_reference_agrees_with_the_block(name):
    """What a reader writes in the lesson is what the course computes with afterwards."""
    exercise, block = EXERCISES[name], getattr(convolution, name)
    for case in [*exercise.named_cases(), *exercise.drawn_cases(50, seed=2)]:
        ours, theirs = (outcome_of(function, exercise, case) for function in (exercise.reference, block))
        assert same(ours, theirs), case.name


def reference_of(name):
    return EXERCISES[name].reference


@pytest.mark.parametrize(("ph", "pw"), [(2, 3), (3, 2), (1, 1), (6, 6)])
def test_patchify_and_back_are_unfold_and_fold(ph, pw):
    x = torch.randn(2, 3, 6, 12)
    patches = reference_of("patchify")(x, (ph, pw))
    torch.testing.assert_close(patches, F.unfold(x, (ph, pw), stride=(ph, pw)).mT)
    again = reference_of("unpatchify")(patches, (ph, pw), (6, 12))
    torch.testing.assert_close(again, F.fold(patches.mT, (6, 12), (ph, pw), stride=(ph, pw)))
    assert again.equal(x)


def test_patch_embedding_is_a_strided_convolution_and_a_linear_map_of_patches():
    embedding, x = reference_of("PatchEmbedding")(2, 3, 5), torch.randn(2, 3, 4, 6)
    embedding.class_token.data += torch.randn(5)
    (weight, bias), tokens = (p.detach() for p in embedding.projection.parameters()), embedding(x).detach()
    grid = F.conv2d(x, weight, bias, stride=2)
    torch.testing.assert_close(tokens[:, 1:].mT.reshape(grid.shape), grid)
    torch.testing.assert_close(tokens[:, 1:], F.linear(reference_of("patchify")(x, (2, 2)), weight.flatten(1), bias))
    assert tokens[:, :1].equal(embedding.class_token.data.expand(2, 1, 5))


def test_encoder_block_is_pytorchs_pre_norm_layer():
    ours = reference_of("EncoderBlock")(8, 2, 12)
    theirs = nn.TransformerEncoderLayer(8, 2, 12, dropout=0, activation="gelu", batch_first=True, norm_first=True)
    names = {"self_attn": "attention", "linear1": "mlp.0", "linear2": "mlp.2", "norm1": "norm1", "norm2": "norm2"}
    state = {f"{names[name.split('.')[0]]}.{name.partition('.')[2]}": v for name, v in theirs.state_dict().items()}
    ours.load_state_dict(state)
    x = 3 * torch.randn(3, 5, 8) + 1
    torch.testing.assert_close(ours(x), theirs(x))


def test_self_attention_is_pytorchs():
    x, (w_q, w_k, w_v) = torch.randn(2, 5, 4), torch.randn(3, 4, 4)
    output, weights = reference_of("self_attention")(x, w_q, w_k, w_v)
    torch.testing.assert_close(output, F.scaled_dot_product_attention(x @ w_q, x @ w_k, x @ w_v))
    layer = nn.MultiheadAttention(4, 1, bias=False, batch_first=True)
    layer.in_proj_weight.data = torch.cat([w_q.T, w_k.T, w_v.T])
    layer.out_proj.weight.data = torch.eye(4)
    for ours, theirs in zip((output, weights), layer(x, x, x), strict=True):
        torch.testing.assert_close(ours, theirs.detach())


def test_parameter_count_is_that_of_torchvisions_class():
    from torchvision.models import VisionTransformer

    count = reference_of("parameter_count")
    model = VisionTransformer(28, 7, num_layers=3, num_heads=4, hidden_dim=64, mlp_dim=128, num_classes=10)
    learnt = sum(p.numel() for p in model.parameters())
    assert count(64, 3, 128, 16, 147, 10) == learnt == 111_818
    assert count(64, 3, 128, 16, 49, 10) == 105_546
    assert count(768, 12, 3072, 196, 768, 1000) == 86_567_656, "as torchvision's page says of ViT-B/16"


def test_rollout_follows_the_paths_of_the_paper():
    """Abnar and Zuidema (2020): a sum over all paths, a product along each; rows remain shares."""
    a, b = torch.rand(2, 3, 4, 4).softmax(dim=-1)
    rollout = reference_of("attention_rollout")([a, b])
    paths = (a @ torch.eye(4) + b + b @ a + torch.eye(4)) / 4  # each layer taken, or passed by
    torch.testing.assert_close(rollout, paths)
    torch.testing.assert_close(rollout.sum(dim=-1), torch.ones(3, 4))


def test_resized_positions_are_the_bicubic_map():
    positions = torch.randn(1, 10, 4)
    resized = reference_of("resize_positions")(positions, (5, 2))
    picture = positions[:, 1:].mT.reshape(1, 4, 3, 3)
    expected = torch._C._nn.upsample_bicubic2d(picture, (5, 2), False, None)
    assert resized[:, 0].equal(positions[:, 0])
    torch.testing.assert_close(resized[0, 1:].view(5, 2, 4), expected[0].permute(1, 2, 0))


def test_overlaps_are_written_by_the_transposed_convolution():
    assert reference_of("overlaps")(5, 3, 2).tolist() == [1, 1, 2, 1, 2, 1, 2, 1, 2, 1, 1]
    for n, kernel, stride in itertools.product(range(1, 5), range(1, 6), range(1, 5)):
        written = F.conv_transpose1d(torch.ones(1, 1, n), torch.ones(1, 1, kernel), stride=stride)
        assert reference_of("overlaps")(n, kernel, stride).equal(written[0, 0].long()), (n, kernel, stride)


def test_best_discriminator_is_where_the_game_s_loss_is_smallest():
    """At each point the loss is -p log D - q log(1 - D): no other D is better."""
    p, q = torch.rand(2, 5, dtype=torch.float64)
    best = reference_of("optimal_discriminator")(p.log(), q.log())
    grid = torch.linspace(0.001, 0.999, 999, dtype=torch.float64)[:, None]
    losses = -p * grid.log() - q * (1 - grid).log()
    torch.testing.assert_close(grid[losses.argmin(dim=0), 0], best, atol=0.001, rtol=0)


def test_losses_of_the_game_are_those_of_the_paper():
    """Goodfellow et al. (2014), with sigmoid(logit) for D's probability."""
    logits_real, logits_fake = torch.randn(4), torch.randn(3)
    real, fake = logits_real.view(4, 1, 1, 1), logits_fake.view(3, 1, 1, 1)
    p_real, p_fake = logits_real.sigmoid(), logits_fake.sigmoid()
    loss = reference_of("discriminator_loss")(nn.Flatten(0), real, fake)
    torch.testing.assert_close(loss, -p_real.log().mean() - (1 - p_fake).log().mean())
    torch.testing.assert_close(reference_of("generator_loss")(nn.Flatten(0), fake), -p_fake.log().mean())


def test_faulty_step_learns_to_say_real_of_everything():
    torch.manual_seed(0)
    losses, said = {}, {}
    for name, step in (
        ("right", reference_of("discriminator_step")),
        ("faulty", EXERCISES["discriminator_step"].fault),
    ):
        D, G = nn.Sequential(nn.Flatten(), nn.Linear(4, 1), nn.Flatten(0)), nn.Sequential(nn.Unflatten(1, (1, 2, 2)))
        optimizer = torch.optim.SGD(D.parameters(), lr=0.5)
        for _ in range(300):
            losses[name] = step(D, G, optimizer, 1 + 0.3 * torch.randn(8, 1, 2, 2), 0.3 * torch.randn(8, 4))
        said[name] = D(0.3 * torch.randn(100, 1, 2, 2)).sigmoid().mean().item()
    assert losses["faulty"] < 0.1
    assert said["faulty"] > 0.8, "fakes are called real"
    assert said["right"] < 0.2


def test_faulty_discriminator_ends_at_one_pixel():
    exercise = EXERCISES["Discriminator"]
    faulty = outcome_of(exercise.fault, exercise, exercise.named_cases()[0]).value
    assert faulty["a kernel larger than its map"] == "layer 5, whose 3x3 kernel receives a 2x2 map"
    assert faulty["layers in turn"].endswith("1x1 map, 3x3 on a 8x1x1 map")
    logits = reference_of("Discriminator")(3)(torch.randn(5, 1, 28, 28))
    assert logits.shape == (5,)


def test_spherical_half_way_keeps_the_length_of_noise():
    a, b = F.normalize(torch.randn(2, 64), dim=1) * 8
    between = [reference_of("spherical")(a, b, t) for t in (0.0, 0.25, 0.5, 1.0)]
    torch.testing.assert_close(between[0], a)
    torch.testing.assert_close(between[-1], b)
    assert all(abs(point.norm().item() - 8) < 1e-4 for point in between)


def test_r1_penalty_of_a_linear_judge_is_the_square_of_its_weights():
    D = nn.Sequential(nn.Flatten(), nn.Linear(6, 1), nn.Flatten(0))
    penalty = reference_of("r1_penalty")(D, torch.randn(4, 1, 2, 3))
    torch.testing.assert_close(penalty, D[1].weight.square().sum())
    penalty.backward()
    torch.testing.assert_close(D[1].weight.grad, 2 * D[1].weight.data)


def test_a_transposed_convolution_cannot_count_its_own_overlaps():
    for line in (
        "F.conv_transpose1d(torch.ones(1, 1, n), torch.ones(1, 1, kernel), stride=stride)",
        "nn.ConvTranspose2d(1, 1, (1, kernel), (1, stride))(torch.ones(1, 1, 1, n))",
        "F.fold(torch.ones(1, kernel, n), (1, (n - 1) * stride + kernel), (1, kernel), stride=(1, stride))",
    ):
        verdict = check(typed(f"def overlaps(n, kernel, stride):\n    return {line}.flatten().long()\n", "overlaps"))
        assert "the thing itself" in repr(verdict), line


@pytest.mark.parametrize("samples", [(30, 40), (3, 5)], ids=["many samples", "fewer than features"])
def test_frechet_distance_is_the_formula_with_scipys_root_of_a_matrix(samples):
    a, b = (torch.randn(n, 6, dtype=torch.float64) @ torch.randn(6, 6, dtype=torch.float64) for n in samples)
    A, B = np.cov(a.T), np.cov(b.T)
    root = scipy.linalg.sqrtm(A @ B).real
    expected = ((a.mean(0) - b.mean(0)) ** 2).sum().item() + np.trace(A + B - 2 * root)
    assert reference_of("frechet_distance")(a, b).item() == pytest.approx(expected, abs=1e-5)


def test_frechet_distance_where_it_is_known():
    distance, x = reference_of("frechet_distance"), torch.randn(50, 3, dtype=torch.float64)
    assert distance(x, x).item() == pytest.approx(0, abs=1e-9)
    assert distance(x, x + torch.tensor([0, 2, 0])).item() == pytest.approx(4)
    assert distance(x, x[:, [1, 2, 0]]).item() == pytest.approx(distance(x[:, [1, 2, 0]], x).item())
    line = x[:, :1] - x[:, :1].mean()
    assert distance(line, 3 * line).item() == pytest.approx((1 - 3) ** 2 * line.var().item())


def test_inception_score_lies_between_one_and_the_classes():
    score = reference_of("inception_score")
    assert score(torch.eye(7)).item() == pytest.approx(7)
    assert score(torch.rand(1, 7).expand(5, 7).softmax(1)).item() == pytest.approx(1)
    p = torch.randn(40, 7, dtype=torch.float64).softmax(1)
    divergences = [scipy.stats.entropy(row, p.mean(0)) for row in p.numpy()]
    assert score(p).item() == pytest.approx(math.exp(np.mean(divergences)))


def test_precision_and_recall_are_those_of_scikit_learns_neighbours():
    from sklearn.neighbors import NearestNeighbors

    real, fake, k = torch.randn(60, 3), torch.randn(50, 3) + torch.tensor([2.0, 0, 0]), 3

    def share_inside(points, centres):
        points, centres = points.numpy(), centres.numpy()
        radii = NearestNeighbors(n_neighbors=k).fit(centres).kneighbors()[0][:, -1]  # without itself
        return np.mean([(np.linalg.norm(centres - point, axis=1) <= radii).any() for point in points])

    ours = [share.item() for share in reference_of("neighbour_precision_recall")(real, fake, k)]
    assert ours == pytest.approx([share_inside(fake, real), share_inside(real, fake)])
    assert all(0 < share < 1 for share in ours)


def test_class_entropy_is_scipys():
    p = torch.randn(40, 5, dtype=torch.float64).softmax(1)
    ours = reference_of("class_entropy")(p).item()
    assert ours == pytest.approx(scipy.stats.entropy(p.argmax(1).bincount().numpy()))
    assert reference_of("class_entropy")(torch.eye(10)).item() == pytest.approx(math.log(10))


def test_nearest_is_the_smallest_of_all_pairs():
    samples, training = (torch.randint(0, 256, (n, 1, 5, 4), dtype=torch.uint8) for n in (6, 9))
    distances, indices = reference_of("nearest")(samples, training)
    pairs = scipy.spatial.distance.cdist(samples.flatten(1).numpy(), training.flatten(1).numpy())
    torch.testing.assert_close(distances.double(), torch.from_numpy(pairs.min(1)))
    assert indices.tolist() == pairs.argmin(1).tolist()


def test_extrapolated_is_the_intercept_of_least_squares():
    sizes, distances = torch.tensor([100.0, 300, 700, 2000]).double(), torch.tensor([21.0, 9.5, 7.2, 5.3]).double()
    line = scipy.stats.linregress(1 / sizes.numpy(), distances.numpy())
    assert reference_of("extrapolated")(sizes, distances).item() == pytest.approx(line.intercept)


@pytest.mark.parametrize(
    "noise",
    [
        "torch.randn(mu.shape)",
        "torch.normal(torch.zeros_like(mu), torch.ones_like(mu))",
        "torch.empty_like(mu).normal_()",
        "torch.stack([torch.randn(mu.shape[1]) for _ in mu]).to(mu.dtype)",
        "(-2 * (1 - torch.rand_like(mu)).log()).sqrt() * torch.cos(2 * math.pi * torch.rand_like(mu))",
    ],
)
def test_any_right_way_to_draw_passes(noise):
    source = f"def reparameterize(mu, logvar):\n    return mu + torch.exp(0.5 * logvar) * {noise}\n"
    verdict = check(typed(source, "reparameterize"))
    assert verdict.passed, verdict
    source = source_of(EXERCISES["called_a_vae"].reference, "called_a_vae").replace("torch.randn_like(mu)", noise)
    verdict = check(typed(source, "called_a_vae"))
    assert verdict.passed, verdict


@pytest.mark.parametrize("name", ["reparameterize", "called_a_vae"])
def test_what_is_said_of_random_answers_holds_for_any_seed(name):
    exercise = EXERCISES[name]
    for case in [*exercise.named_cases(), *exercise.drawn_cases(5)]:
        expected = outcome_of(exercise.reference, exercise, case).value
        for seed in range(1, 11):
            torch.manual_seed(seed)
            came = exercise.trial(exercise.reference, *case.arguments)
            assert exercise.judge(came, *case.arguments) == expected, (case.name, seed)


def test_a_loss_averaged_over_several_draws_passes_too():
    source = source_of(EXERCISES["called_a_vae"].reference, "called_a_vae")
    source += "one_draw = called_a_vae\n"
    source += "def called_a_vae(x, encoder, decoder):\n"
    source += "    return sum(one_draw(x, encoder, decoder) for _ in range(5)) / 5\n"
    assert check(typed(source, "called_a_vae")).passed


def test_kl_and_cross_entropy_are_pytorchs():
    mu, logvar = 2 * torch.randn(2, 5, 4, dtype=torch.float64)
    q, prior = (torch.distributions.Normal(m, s) for m, s in ((mu, (logvar / 2).exp()), (0 * mu, 1 + 0 * mu)))
    kl = torch.distributions.kl_divergence(q, prior).sum(1)
    torch.testing.assert_close(reference_of("kl_to_standard_normal")(mu, logvar), kl)
    logits, x = 5 * torch.randn(3, 2, 4, 5), torch.rand(3, 2, 4, 5)
    terms = F.binary_cross_entropy_with_logits(logits, x, reduction="none")
    torch.testing.assert_close(reference_of("bernoulli_cross_entropy")(logits, x), terms.sum((1, 2, 3)))


def test_loss_of_the_vae_is_its_terms_and_never_below_minus_log_p():
    """A linear decoder of one pixel: log p(x) is an integral over a line, and the bound lies below it."""
    torch.manual_seed(0)
    z = torch.linspace(-8, 8, 4001, dtype=torch.float64)
    prior = torch.exp(-z.square() / 2) / math.sqrt(2 * math.pi)
    log_p = (prior * torch.sigmoid(1.5 * z - 1)).sum().mul(z[1] - z[0]).log()
    x, posterior = torch.ones(20_000, 1, dtype=torch.float64), torch.tensor([[0.6, -0.2]], dtype=torch.float64)
    loss = reference_of("called_a_vae")(x, lambda x: posterior.expand(len(x), -1), lambda z: 1.5 * z - 1)
    elbo = -loss.mean()
    assert log_p - 0.1 < elbo < log_p
    noise = torch.randn(500, 20_000, dtype=torch.float64)
    drawn = 0.6 + math.exp(-0.1) * noise
    log_w = F.logsigmoid(1.5 * drawn - 1) - drawn.square() / 2 + noise.square() / 2 - 0.1
    bounds = [reference_of("importance_bound")(log_w[:k]).mean() for k in (1, 5, 500)]
    assert elbo - 0.02 < bounds[0] < bounds[1] < bounds[2] < log_p + 0.002
    assert bounds[2] == pytest.approx(log_p.item(), abs=0.002)
    torch.testing.assert_close(reference_of("elbo")(1 + x[:3, 0], 2 * x[:3, 0], 2.0), -6 * x[:3, 0])


def test_autoencoder_called_a_vae_shows_its_two_tells():
    fault, codes = EXERCISES["called_a_vae"].fault, []
    weights, x = torch.randn(6, 8), torch.rand(50, 6)
    losses = [fault(x, lambda x: x @ weights, lambda z: codes.append(z) or z @ weights.T[:4]) for _ in range(2)]
    assert losses[0].equal(losses[1]), "nothing is drawn"
    assert (codes[0] >= 0).all()
    assert check(fault, name="called_a_vae").state == "not attempted"


def test_importance_bound_is_the_log_of_the_mean_weight():
    log_w = torch.randn(7, 3, dtype=torch.float64)
    torch.testing.assert_close(reference_of("importance_bound")(log_w), log_w.exp().mean(0).log())


@pytest.mark.parametrize("rounded", [False, True], ids=["no ties", "ties"])
def test_auroc_is_scikit_learns(rounded):
    from sklearn.metrics import roc_auc_score

    normal, anomalous = torch.randn(80), torch.randn(50) + 1
    if rounded:
        normal, anomalous = normal.round(), anomalous.round()
    labels = np.repeat([0, 1], [80, 50])
    expected = roc_auc_score(labels, torch.cat([normal, anomalous]).numpy())
    assert reference_of("auroc")(normal, anomalous).item() == pytest.approx(expected)


@pytest.mark.parametrize(
    "line",
    [
        "F.binary_cross_entropy_with_logits(logits, x, reduction='none')",
        "F.binary_cross_entropy(logits.sigmoid(), x, reduction='none')",
        "nn.BCEWithLogitsLoss(reduction='none')(logits, x)",
        "-torch.distributions.Bernoulli(logits=logits, validate_args=False).log_prob(x)",
    ],
)
def test_cross_entropy_is_written_from_smaller_parts(line):
    source = f"def bernoulli_cross_entropy(logits, x):\n    return ({line}).flatten(1).sum(1)\n"
    assert "the thing itself" in repr(check(typed(source, "bernoulli_cross_entropy")))


def attention_by_the_layer(q, k, v, heads):
    """nn.MultiheadAttention whose projections change nothing."""
    width = q.shape[-1]
    layer = torch.nn.MultiheadAttention(width, heads, bias=False, batch_first=True, dtype=q.dtype)
    with torch.no_grad():
        layer.in_proj_weight.copy_(torch.eye(width).repeat(3, 1))
        layer.out_proj.weight.copy_(torch.eye(width))
    return layer(q, k, v, need_weights=False)[0]


def values_that_show_the_weights(keys, like):
    """Values for which attention gives back its weights."""
    return torch.eye(keys, dtype=like.dtype).expand(*like.shape[:-2], keys, keys)


def causal_mask_by_attention(L, S):
    q, k = torch.zeros(L, 1), torch.zeros(S, 1)
    return F.scaled_dot_product_attention(q, k, values_that_show_the_weights(S, k), is_causal=True) > 0


LIBRARY = {  # PyTorch's function for the same
    "softmax": torch.softmax,
    "scaled_dot_product_attention": lambda q, k, v, mask: F.scaled_dot_product_attention(q, k, v, attn_mask=mask),
    "causal_mask": causal_mask_by_attention,
    "multi_head_attention": attention_by_the_layer,
    "attention_weights": lambda q, k: F.scaled_dot_product_attention(
        q, k, values_that_show_the_weights(k.shape[-2], k)
    ),
}


@pytest.mark.parametrize("name", LIBRARY)
def test_reference_agrees_with_the_library(name):
    exercise = EXERCISES[name]
    for case in [*exercise.named_cases(), *exercise.drawn_cases(50, seed=2)]:
        ours, theirs = (outcome_of(function, exercise, case) for function in (exercise.reference, LIBRARY[name]))
        assert same(ours, theirs), (case.name, ours, theirs)


def test_two_numbers_that_print_alike_are_shown_with_more_digits():
    assert difference(1.3344, 1.3341) == "expected 1.3344, yours 1.3341"
    assert difference(0.5, 0.25) == "expected 0.5, yours 0.25"


@pytest.mark.parametrize(
    ("name", "block"),
    [
        ("kl_to_standard_normal", vae.kl_to_standard_normal),
        ("bernoulli_cross_entropy", vae.bernoulli_cross_entropy),
        ("elbo", vae.elbo),
        ("importance_bound", vae.importance_bound),
        ("auroc", metrics.auroc),
    ],
)
def test_what_lesson_09_asks_for_is_what_the_course_imports(name, block):
    exercise = EXERCISES[name]
    for case in exercise.named_cases():
        theirs, ours = (torch.as_tensor(f(*case.arguments)) for f in (exercise.reference, block))
        torch.testing.assert_close(theirs.to(ours.dtype), ours, rtol=1e-5, atol=1e-5)
