"""The exercises of lesson 07: two networks that play against each other, and what keeps their game alive."""

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .exercise import Case, Draw, Exercise, Mistake, first_optimizer
from .lesson_05 import plain
from .lesson_06 import gradients_of

LESSON = "07_dcgan"


# --- optimal_discriminator ------------------------------------------------------------------------------------


def optimal_discriminator(log_p, log_q):
    """log densities of real pictures (p) and generated ones (q) at the same points, any shape -> p / (p + q)

    That is the probability that a picture found there is real, if as many are generated as are real. Gradients come
    back through it.
    """
    return torch.sigmoid(log_p - log_q)


def chance_of_fake(log_p, log_q):
    return torch.sigmoid(log_q - log_p)


def rest_of_the_chance(log_p, log_q):
    return 1 - torch.sigmoid(log_p - log_q)


def ratio_of_densities(log_p, log_q):
    return torch.exp(log_p - log_q)


def ratio_of_densities_far_out(log_p, log_q):
    return log_p.exp() / log_q.exp()


def log_ratio(log_p, log_q):
    return log_p - log_q


def log_of_the_probability(log_p, log_q):
    return F.logsigmoid(log_p - log_q)


def densities_first(log_p, log_q):
    p, q = log_p.exp(), log_q.exp()
    return p / (p + q)


def logistic_written_out(log_p, log_q):
    return 1 / (1 + torch.exp(log_q - log_p))


def densities_first_and_divided_by_p(log_p, log_q):
    return 1 / (1 + log_q.exp() / log_p.exp())


def densities_first_and_a_small_number(log_p, log_q):
    p, q = log_p.exp(), log_q.exp()
    return p / (p + q + 1e-8)


def densities_first_and_a_smaller_number(log_p, log_q):
    p, q = log_p.exp(), log_q.exp()
    return p / (p + q + 1e-10)


def densities_first_and_the_smallest_number(log_p, log_q):
    p, q = log_p.exp(), log_q.exp()
    return p / (p + q + 1e-12)


def always_a_half(log_p, log_q):
    return torch.full_like(log_p, 0.5) + 0 * (log_p + log_q)


def logs_taken_for_densities(log_p, log_q):
    return log_p / (log_p + log_q)


def sigmoid_of_the_density(log_p, log_q):
    return torch.sigmoid(log_p)


def squashed_difference_of_densities(log_p, log_q):
    return torch.sigmoid(log_p.exp() - log_q.exp())


def yes_or_no(log_p, log_q):
    return (log_p > log_q).to(log_p.dtype)


def points_compete(log_p, log_q):
    return torch.stack([log_p, log_q]).softmax(dim=-1)[0]


def drawn_log_densities(draw: Draw) -> tuple[Tensor, Tensor]:
    shape = [draw.whole(1, 5) for _ in range(draw.whole(0, 3))]
    near = draw.whole(-600, 100)
    given = near + 3 * draw(*shape), near + 3 * draw(*shape)
    return tuple(tensor.double() for tensor in given) if draw.whole(0, 1) else given


# --- The nets of the trials -----------------------------------------------------------------------------------


def small_judge(like: Tensor, scale: float = 1.0, shift: float = 0.0, norm: bool = False) -> nn.Sequential:
    """A small discriminator for pictures like these, the same at every call: logits as large as asked.

    With ``norm`` it has batch normalisation, and what it says of a picture depends on the others in the batch.
    """
    torch.manual_seed(7)
    first, last = nn.Linear(like[0].numel(), 4), nn.Linear(4, 1)
    with torch.no_grad():
        last.weight.copy_(scale * torch.tensor([[1.0, -1.0, 0.5, 2.0]]))
        last.bias.fill_(shift)
    middle = nn.BatchNorm1d(4) if norm else nn.Identity()
    return nn.Sequential(nn.Flatten(), first, middle, nn.Tanh(), last, nn.Flatten(0)).to(like.dtype)


def small_generator(z: Tensor, like: Tensor, norm: bool = False) -> nn.Sequential:
    """A small generator of pictures like these from such noise, the same at every call."""
    torch.manual_seed(9)
    layer = nn.Linear(z.shape[1], like[0].numel())
    middle = nn.BatchNorm1d(layer.out_features) if norm else nn.Identity()
    return nn.Sequential(layer, middle, nn.Unflatten(1, like.shape[1:]), nn.Tanh()).to(like.dtype)


def noted(G: nn.Module) -> list[bool]:
    """A list that grows with every gradient that reaches a parameter, even if it is wiped afterwards."""
    notes: list[bool] = []
    for parameter in G.parameters():
        parameter.register_hook(lambda gradient: notes.append(bool(gradient.any())))
    return notes


def in_a_row(tensors: list[Tensor | None], like: nn.Module) -> Tensor:
    """Numbers of a net's parameters one after the other; zeros where there is nothing."""
    pairs = zip(tensors, like.parameters(), strict=True)
    return torch.cat([(torch.zeros_like(p) if t is None else t.detach()).flatten() for t, p in pairs])


def state_left(net: nn.Module) -> str:
    """Can this net go on learning after what was done to it?"""
    if not all(part.training for part in net.modules()):
        return "was left in evaluation mode"
    return "can learn" if all(p.requires_grad for p in net.parameters()) else "cannot learn any more"


def goes_backward(loss: Any) -> bool:
    return isinstance(loss, Tensor) and loss.requires_grad and loss.dim() == 0


def after_backward(D: nn.Module, loss: Any) -> dict:
    """The loss, what was there before it went backward, and what each weight of D is told by it."""
    early = any(p.grad is not None for p in D.parameters())
    seen = {
        "loss": loss.detach() if isinstance(loss, Tensor) else loss,
        "gradients of D before backward()": "there already" if early else "none",
        "afterwards D": state_left(D),
    }
    if goes_backward(loss) and not early:
        loss.backward()
    return seen | {"gradients of D": in_a_row([p.grad for p in D.parameters()], D)}


# --- discriminator_loss ---------------------------------------------------------------------------------------


def discriminator_loss(D, real, fake):
    """real (N, 1, H, W), fake (M, 1, H, W), still on the generator's graph -> the discriminator's loss, one tensor

    D gives a logit for each picture, (N,). The loss is the mean over the real pictures of -log sigmoid(D(real)) plus
    the mean over the fakes of -log(1 - sigmoid(D(fake))), of the logits' dtype. It goes backward into D, and not into
    the generator.
    """
    judged_real, judged_fake = D(real), D(fake.detach())
    loss_real = F.binary_cross_entropy_with_logits(judged_real, torch.ones_like(judged_real))
    loss_fake = F.binary_cross_entropy_with_logits(judged_fake, torch.zeros_like(judged_fake))
    return loss_real + loss_fake


def real_half_only(D, real, fake):
    return -F.logsigmoid(D(real)).mean()


def fake_half_only(D, real, fake):
    return -F.logsigmoid(-D(fake.detach())).mean()


def real_pictures_twice(D, real, fake):
    judged = D(real)
    loss_real = F.binary_cross_entropy_with_logits(judged, torch.ones_like(judged))
    return loss_real + F.binary_cross_entropy_with_logits(judged, torch.zeros_like(judged))


def targets_swapped(D, real, fake):
    judged_real, judged_fake = D(real), D(fake.detach())
    loss_real = F.binary_cross_entropy_with_logits(judged_real, torch.zeros_like(judged_real))
    return loss_real + F.binary_cross_entropy_with_logits(judged_fake, torch.ones_like(judged_fake))


def all_called_real(D, real, fake):
    return -F.logsigmoid(D(real)).mean() - F.logsigmoid(D(fake.detach())).mean()


def squashed_twice(D, real, fake):
    judged_real, judged_fake = torch.sigmoid(D(real)), torch.sigmoid(D(fake.detach()))
    loss_real = F.binary_cross_entropy_with_logits(judged_real, torch.ones_like(judged_real))
    return loss_real + F.binary_cross_entropy_with_logits(judged_fake, torch.zeros_like(judged_fake))


def log_of_sigmoid(D, real, fake):
    p_real, p_fake = torch.sigmoid(D(real)), torch.sigmoid(D(fake.detach()))
    return -torch.log(p_real).mean() - torch.log(1 - p_fake).mean()


def log_of_sigmoid_for_the_fakes(D, real, fake):
    return -F.logsigmoid(D(real)).mean() - torch.log(1 - torch.sigmoid(D(fake.detach()))).mean()


def log_of_sigmoid_for_the_real(D, real, fake):
    return -torch.log(torch.sigmoid(D(real))).mean() - F.logsigmoid(-D(fake.detach())).mean()


def entropy_of_probabilities(D, real, fake):
    p_real, p_fake = torch.sigmoid(D(real)), torch.sigmoid(D(fake.detach()))
    loss_real = F.binary_cross_entropy(p_real, torch.ones_like(p_real))
    return loss_real + F.binary_cross_entropy(p_fake, torch.zeros_like(p_fake))


def with_a_small_number_added(D, real, fake):
    p_real, p_fake = torch.sigmoid(D(real)), torch.sigmoid(D(fake.detach()))
    return -torch.log(p_real + 1e-8).mean() - torch.log(1 - p_fake + 1e-8).mean()


def clamped_before_the_log(D, real, fake):
    p_real, p_fake = (torch.sigmoid(D(x)).clamp(1e-7, 1 - 1e-7) for x in (real, fake.detach()))
    return -torch.log(p_real).mean() - torch.log(1 - p_fake).mean()


def logs_of_the_logits(D, real, fake):
    return -torch.log(D(real)).mean() - torch.log(1 - D(fake.detach())).mean()


def fake_on_its_graph(D, real, fake):
    return -F.logsigmoid(D(real)).mean() - F.logsigmoid(-D(fake)).mean()


def fakes_answer_detached(D, real, fake):
    return -F.logsigmoid(D(real)).mean() - F.logsigmoid(-D(fake).detach()).mean()


def fakes_answer_without_autograd(D, real, fake):
    with torch.no_grad():
        judged_fake = D(fake)
    return -F.logsigmoid(D(real)).mean() - F.logsigmoid(-judged_fake).mean()


def both_answers_detached(D, real, fake):
    return -F.logsigmoid(D(real).detach()).mean() - F.logsigmoid(-D(fake).detach()).mean()


def all_without_autograd(D, real, fake):
    with torch.no_grad():
        return -F.logsigmoid(D(real)).mean() - F.logsigmoid(-D(fake)).mean()


def cut_off_in_place(D, real, fake):
    fake.detach_()
    return -F.logsigmoid(D(real)).mean() - F.logsigmoid(-D(fake)).mean()


def loss_halved(D, real, fake):
    return (-F.logsigmoid(D(real)).mean() - F.logsigmoid(-D(fake.detach())).mean()) / 2


def one_mean_for_all(D, real, fake):
    logits = torch.cat([D(real), D(fake.detach())])
    targets = torch.cat([torch.ones(len(real)), torch.zeros(len(fake))]).to(logits.dtype)
    return F.binary_cross_entropy_with_logits(logits, targets)


def sums_not_means(D, real, fake):
    return -F.logsigmoid(D(real)).sum() - F.logsigmoid(-D(fake.detach())).sum()


def sign_forgotten(D, real, fake):
    return F.logsigmoid(D(real)).mean() + F.logsigmoid(-D(fake.detach())).mean()


def halves_subtracted(D, real, fake):
    return -F.logsigmoid(D(real)).mean() + F.logsigmoid(-D(fake.detach())).mean()


def hinge_loss(D, real, fake):
    return F.relu(1 - D(real)).mean() + F.relu(1 + D(fake.detach())).mean()


def difference_of_logits(D, real, fake):
    return D(fake.detach()).mean() - D(real).mean()


def least_squares(D, real, fake):
    return (D(real) - 1).square().mean() + D(fake.detach()).square().mean()


def targets_smoothed(D, real, fake):
    judged_real = D(real)
    loss_real = F.binary_cross_entropy_with_logits(judged_real, torch.full_like(judged_real, 0.9))
    return loss_real - F.logsigmoid(-D(fake.detach())).mean()


def targets_in_single_precision(D, real, fake):
    judged_real, judged_fake = D(real), D(fake.detach())
    loss_real = F.binary_cross_entropy_with_logits(judged_real, torch.ones(len(real)))
    return loss_real + F.binary_cross_entropy_with_logits(judged_fake, torch.zeros(len(fake)))


def went_backward_already(D, real, fake):
    loss = -F.logsigmoid(D(real)).mean() - F.logsigmoid(-D(fake.detach())).mean()
    loss.backward()
    return loss


def a_number_only(D, real, fake):
    return (-F.logsigmoid(D(real)).mean() - F.logsigmoid(-D(fake)).mean()).item()


def one_batch_of_both(D, real, fake):
    logits = D(torch.cat([real, fake.detach()]))
    return -F.logsigmoid(logits[: len(real)]).mean() - F.logsigmoid(-logits[len(real) :]).mean()


def judged_in_evaluation_mode(D, real, fake):
    D.eval()
    loss = -F.logsigmoid(D(real)).mean() - F.logsigmoid(-D(fake.detach())).mean()
    D.train()
    return loss


def what_d_is_told(
    discriminator_loss: Callable, real: Tensor, z: Tensor, scale: float, on_graph: bool, norm: bool = False
) -> dict | None:
    """The loss for real pictures and for those a generator makes of z, and whom it teaches."""
    D, G = small_judge(real, scale, norm=norm), small_generator(z, real)
    fake = G(z) if on_graph else G(z).detach()
    before, notes = fake.detach().clone(), noted(G)
    loss = discriminator_loss(D, real, fake)
    if loss is None:
        return None
    seen = after_backward(D, loss)
    seen["gradients that reach the generator"] = "some" if notes else "none"
    seen["fake hangs on the generator's graph"] = "yes" if fake.requires_grad else "no"
    seen["fake afterwards"] = "as it was" if fake.equal(before) else "changed"
    return seen


def both_signs(x: Tensor) -> Tensor:
    """Pictures whose logits have both signs, as the judge is all but odd for large ones."""
    return torch.cat((x, -x))


def drawn_pictures_and_noise(draw: Draw) -> tuple[Tensor, Tensor]:
    size = draw.whole(1, 4), draw.whole(2, 5)
    real, z = draw(draw.whole(1, 5), 1, *size), draw(draw.whole(1, 5), draw.whole(1, 3))
    return (real.double(), z.double()) if draw.whole(0, 1) else (real, z)


# --- generator_loss -------------------------------------------------------------------------------------------


def generator_loss(D, fake):
    """fake (N, 1, H, W), on the generator's graph -> the generator's loss, one tensor that goes backward into fake

    The non-saturating loss: the mean over the fakes of -log sigmoid(D(fake)), where D gives logits, (N,); of their
    dtype.
    """
    judged = D(fake)
    return F.binary_cross_entropy_with_logits(judged, torch.ones_like(judged))


def saturating(D, fake):
    return F.logsigmoid(-D(fake)).mean()


def saturating_by_hand(D, fake):
    return torch.log(1 - torch.sigmoid(D(fake))).mean()


def saturating_by_the_entropy(D, fake):
    judged = D(fake)
    return -F.binary_cross_entropy_with_logits(judged, torch.zeros_like(judged))


def target_zero(D, fake):
    judged = D(fake)
    return F.binary_cross_entropy_with_logits(judged, torch.zeros_like(judged))


def fake_detached(D, fake):
    return -F.logsigmoid(D(fake.detach())).mean()


def answer_detached(D, fake):
    return -F.logsigmoid(D(fake).detach()).mean()


def judged_without_autograd(D, fake):
    with torch.no_grad():
        judged = D(fake)
    return -F.logsigmoid(judged).mean()


def fakes_squashed_twice(D, fake):
    judged = torch.sigmoid(D(fake))
    return F.binary_cross_entropy_with_logits(judged, torch.ones_like(judged))


def log_of_the_logits(D, fake):
    return -torch.log(D(fake)).mean()


def log_of_the_fakes_sigmoid(D, fake):
    return -torch.log(torch.sigmoid(D(fake))).mean()


def log_of_the_fakes_sigmoid_guarded(D, fake):
    return -torch.log(torch.sigmoid(D(fake)) + 1e-8).mean()


def log_of_the_fakes_sigmoid_clamped(D, fake):
    return -torch.log(torch.sigmoid(D(fake)).clamp(min=1e-7)).mean()


def entropy_of_the_fakes_probabilities(D, fake):
    p = torch.sigmoid(D(fake))
    return F.binary_cross_entropy(p, torch.ones_like(p))


def sum_over_fakes(D, fake):
    return -F.logsigmoid(D(fake)).sum()


def logits_raised(D, fake):
    return -D(fake).mean()


def maximised(D, fake):
    return F.logsigmoid(D(fake)).mean()


def chance_without_log(D, fake):
    return (1 - torch.sigmoid(D(fake))).mean()


def log_of_the_mean(D, fake):
    return -torch.log(torch.sigmoid(D(fake)).mean())


def fakes_by_least_squares(D, fake):
    return (D(fake) - 1).square().mean()


def fakes_target_in_single_precision(D, fake):
    return F.binary_cross_entropy_with_logits(D(fake), torch.ones(len(fake)))


def judge_frozen(D, fake):
    for parameter in D.parameters():
        parameter.requires_grad_(False)
    return -F.logsigmoid(D(fake)).mean()


def fakes_went_backward_already(D, fake):
    loss = -F.logsigmoid(D(fake)).mean()
    loss.backward(retain_graph=True)
    return loss


def a_number_for_the_fakes(D, fake):
    return -F.logsigmoid(D(fake)).mean().item()


def fakes_judged_in_evaluation_mode(D, fake):
    D.eval()
    loss = -F.logsigmoid(D(fake)).mean()
    D.train()
    return loss


def what_the_fakes_are_told(
    generator_loss: Callable, fake: Tensor, scale: float, shift: float, norm: bool = False
) -> dict | None:
    """The loss of these fakes, and which way each pixel is sent by it."""
    D = small_judge(fake, scale, shift, norm)
    pixels = fake.clone().requires_grad_()
    made = pixels * 1  # a step of the graph, as if a generator had made them
    loss = generator_loss(D, made)
    if loss is None:
        return None
    early = pixels.grad is not None
    if goes_backward(loss) and not early:
        (pixels.grad,) = torch.autograd.grad(loss, pixels, allow_unused=True)
    return {
        "loss": loss.detach() if isinstance(loss, Tensor) else loss,
        "gradients before backward()": "there already" if early else "none",
        "gradient of fake": torch.zeros_like(fake) if pixels.grad is None else pixels.grad,
        "afterwards D": state_left(D),
        "fake afterwards": "as it was" if made.equal(fake) else "changed",
    }


def drawn_fakes(draw: Draw) -> tuple[Tensor, float, float]:
    fake = draw(draw.whole(1, 5), 1, draw.whole(1, 4), draw.whole(2, 5))
    return (fake.double() if draw.whole(0, 1) else fake), float(draw.whole(1, 20)), float(draw.whole(-8, 8))


# --- overlaps -------------------------------------------------------------------------------------------------


def overlaps(n, kernel, stride):
    """How often each output of a transposed convolution along one axis is written -> int64, one count for each

    Each of the n inputs writes `kernel` neighbouring outputs; the next input begins `stride` outputs further on.
    From the first output written to the last there are (n - 1) * stride + kernel; no padding.
    """
    counts = torch.zeros((n - 1) * stride + kernel, dtype=torch.int64)
    for i in range(n):
        counts[i * stride : i * stride + kernel] += 1
    return counts


def the_same_everywhere(n, kernel, stride):
    return torch.full(((n - 1) * stride + kernel,), kernel // stride)


def the_same_everywhere_rounded_up(n, kernel, stride):
    return torch.full(((n - 1) * stride + kernel,), -(-kernel // stride))


def stride_ignored(n, kernel, stride):
    counts = torch.zeros((n - 1) * stride + kernel, dtype=torch.int64)
    for i in range(n):
        counts[i : i + kernel] += 1
    return counts


def stride_ignored_in_the_length_too(n, kernel, stride):
    counts = torch.zeros(n - 1 + kernel, dtype=torch.int64)
    for i in range(n):
        counts[i : i + kernel] += 1
    return counts


def n_times_stride_long(n, kernel, stride):
    counts = torch.zeros(n * stride, dtype=torch.int64)
    for i in range(n):
        counts[i * stride : i * stride + kernel] += 1
    return counts


def a_stride_too_long(n, kernel, stride):
    counts = torch.zeros(n * stride + kernel, dtype=torch.int64)
    for i in range(n):
        counts[i * stride : i * stride + kernel] += 1
    return counts


def whether_not_how_often(n, kernel, stride):
    counts = torch.zeros((n - 1) * stride + kernel, dtype=torch.int64)
    for i in range(n):
        counts[i * stride : i * stride + kernel] = 1
    return counts


def repeats_counted_once(n, kernel, stride):
    counts = torch.zeros((n - 1) * stride + kernel, dtype=torch.int64)
    places = torch.arange(n)[:, None] * stride + torch.arange(kernel)
    counts[places] += 1
    return counts


def last_input_left_out(n, kernel, stride):
    counts = torch.zeros((n - 1) * stride + kernel, dtype=torch.int64)
    for i in range(n - 1):
        counts[i * stride : i * stride + kernel] += 1
    return counts


def last_place_left_out(n, kernel, stride):
    counts = torch.zeros((n - 1) * stride + kernel, dtype=torch.int64)
    for i in range(n):
        counts[i * stride : i * stride + kernel - 1] += 1
    return counts


def kernel_and_stride_swapped(n, kernel, stride):
    counts = torch.zeros((n - 1) * kernel + stride, dtype=torch.int64)
    for i in range(n):
        counts[i * kernel : i * kernel + stride] += 1
    return counts


def ordinary_convolution(n, kernel, stride):
    counts = torch.zeros(n, dtype=torch.int64)
    for start in range(0, n - kernel + 1, stride):
        counts[start : start + kernel] += 1
    return counts


def rims_cut_off(n, kernel, stride):
    counts = torch.zeros((n - 1) * stride + kernel, dtype=torch.int64)
    for i in range(n):
        counts[i * stride : i * stride + kernel] += 1
    return counts[kernel // 2 : len(counts) - kernel // 2]


def wraps_round(n, kernel, stride):
    counts = torch.zeros((n - 1) * stride + kernel, dtype=torch.int64)
    for i in range(n):
        counts[(i * stride + torch.arange(kernel) - kernel // 2) % len(counts)] += 1
    return counts


def counts_as_floats(n, kernel, stride):
    counts = torch.zeros((n - 1) * stride + kernel)
    for i in range(n):
        counts[i * stride : i * stride + kernel] += 1
    return counts


# --- discriminator_step: find the fault -----------------------------------------------------------------------


def discriminator_step(D, G, optimizer, real, z):
    """One step of the discriminator's optimizer: real pictures towards 1, the fakes G(z) towards 0 -> the loss, a float

    The loss is the mean over the real pictures plus the mean over the fakes, of the cross-entropy of D's logits.
    Gradients that the generator's step has left in D are wiped first; the generator receives none from this step.
    """
    fake = G(z).detach()
    judged_real, judged_fake = D(real), D(fake)
    real_loss = F.binary_cross_entropy_with_logits(judged_real, torch.ones_like(judged_real))
    fake_loss = F.binary_cross_entropy_with_logits(judged_fake, torch.zeros_like(judged_fake))
    loss = real_loss + fake_loss
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def real_pictures_for_fakes(D, G, optimizer, real, z):
    """One step of the discriminator's optimizer: real pictures towards 1, the fakes G(z) towards 0 -> the loss, a float

    The loss is the mean over the real pictures plus the mean over the fakes, of the cross-entropy of D's logits.
    Gradients that the generator's step has left in D are wiped first; the generator receives none from this step.
    """
    batches = (real, G(z).detach())
    judged_real, judged_fake = [D(real) for pictures in batches]
    real_loss = F.binary_cross_entropy_with_logits(judged_real, torch.ones_like(judged_real))
    fake_loss = F.binary_cross_entropy_with_logits(judged_fake, torch.ones_like(judged_fake))
    loss = real_loss + fake_loss
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def real_pictures_and_ones_twice(D, G, optimizer, real, z):
    pictures = torch.cat([real, real])
    logits = D(pictures)
    loss = 2 * F.binary_cross_entropy_with_logits(logits, torch.ones_like(logits))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def one_mean_over_real_pictures(D, G, optimizer, real, z):
    logits = D(torch.cat([real, real]))
    loss = F.binary_cross_entropy_with_logits(logits, torch.ones_like(logits))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def step_on_real_pictures_only(D, G, optimizer, real, z):
    loss = -F.logsigmoid(D(real)).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def real_pictures_called_both(D, G, optimizer, real, z):
    judged = D(real)
    loss = -F.logsigmoid(judged).mean() - F.logsigmoid(-judged).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def fakes_called_real(D, G, optimizer, real, z):
    loss = -F.logsigmoid(D(real)).mean() - F.logsigmoid(D(G(z).detach())).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def real_and_fake_swapped(D, G, optimizer, real, z):
    loss = -F.logsigmoid(-D(real)).mean() - F.logsigmoid(D(G(z).detach())).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def generator_not_detached(D, G, optimizer, real, z):
    loss = -F.logsigmoid(D(real)).mean() - F.logsigmoid(-D(G(z))).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def generator_wiped_afterwards(D, G, optimizer, real, z):
    loss = -F.logsigmoid(D(real)).mean() - F.logsigmoid(-D(G(z))).mean()
    optimizer.zero_grad()
    loss.backward()
    G.zero_grad()
    optimizer.step()
    return loss.item()


def fakes_judged_without_autograd(D, G, optimizer, real, z):
    with torch.no_grad():
        judged_fake = D(G(z))
    loss = -F.logsigmoid(D(real)).mean() - F.logsigmoid(-judged_fake).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def gradients_not_wiped(D, G, optimizer, real, z):
    loss = -F.logsigmoid(D(real)).mean() - F.logsigmoid(-D(G(z).detach())).mean()
    loss.backward()
    optimizer.step()
    return loss.item()


def gradients_wiped_at_the_end(D, G, optimizer, real, z):
    loss = -F.logsigmoid(D(real)).mean() - F.logsigmoid(-D(G(z).detach())).mean()
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    return loss.item()


def gradients_wiped_before_the_step(D, G, optimizer, real, z):
    loss = -F.logsigmoid(D(real)).mean() - F.logsigmoid(-D(G(z).detach())).mean()
    loss.backward()
    optimizer.zero_grad()
    optimizer.step()
    return loss.item()


def no_step(D, G, optimizer, real, z):
    loss = -F.logsigmoid(D(real)).mean() - F.logsigmoid(-D(G(z).detach())).mean()
    optimizer.zero_grad()
    loss.backward()
    return loss.item()


def step_before_backward(D, G, optimizer, real, z):
    loss = -F.logsigmoid(D(real)).mean() - F.logsigmoid(-D(G(z).detach())).mean()
    optimizer.zero_grad()
    optimizer.step()
    loss.backward()
    return loss.item()


def two_steps(D, G, optimizer, real, z):
    total = 0.0
    for logits, sign in ((D(real), 1), (D(G(z).detach()), -1)):
        loss = -F.logsigmoid(sign * logits).mean()
        total += loss.item()
        optimizer.zero_grad()
        loss.backward()
    optimizer.step()
    return total


def squashed_before_the_loss(D, G, optimizer, real, z):
    p_real, p_fake = torch.sigmoid(D(real)), torch.sigmoid(D(G(z).detach()))
    loss = -F.logsigmoid(p_real).mean() - F.logsigmoid(-p_fake).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def halved(D, G, optimizer, real, z):
    loss = (-F.logsigmoid(D(real)).mean() - F.logsigmoid(-D(G(z).detach())).mean()) / 2
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def one_mean_for_the_step(D, G, optimizer, real, z):
    loss = torch.cat([-F.logsigmoid(D(real)), -F.logsigmoid(-D(G(z).detach()))]).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def noise_of_its_own(D, G, optimizer, real, z):
    fake = G(torch.randn_like(z)).detach()
    loss = -F.logsigmoid(D(real)).mean() - F.logsigmoid(-D(fake)).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def loss_with_its_graph(D, G, optimizer, real, z):
    loss = -F.logsigmoid(D(real)).mean() - F.logsigmoid(-D(G(z).detach())).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss


def step_on_one_batch_of_both(D, G, optimizer, real, z):
    logits = D(torch.cat([real, G(z).detach()]))
    loss = -F.logsigmoid(logits[: len(real)]).mean() - F.logsigmoid(-logits[len(real) :]).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def step_in_evaluation_mode(D, G, optimizer, real, z):
    D.eval()
    loss = -F.logsigmoid(D(real)).mean() - F.logsigmoid(-D(G(z).detach())).mean()
    D.train()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def three_steps(discriminator_step: Callable, real: Tensor, z: Tensor, rate: float, norm: bool = False) -> dict:
    """Three half-steps, between which the generator's step leaves its gradients in D.

    real (3, N, 1, H, W), z (3, M, d): other pictures, and other noise, at each step.
    """
    D, G = small_judge(real[0], norm=norm), small_generator(z[0], real[0], norm)
    optimizer = torch.optim.SGD(D.parameters(), lr=rate)
    notes, seen = noted(G), {}
    for number, (pictures, noise) in enumerate(zip(real, z, strict=True), start=1):
        for parameter in D.parameters():
            parameter.grad = torch.full_like(parameter, 0.3)
        loss = discriminator_step(D, G, optimizer, pictures, noise)
        if isinstance(loss, Tensor) and loss.requires_grad:
            raise ValueError("the whole graph hangs on what came back, and fills the memory: use loss.item()")
        seen[f"loss of step {number}"] = plain(loss)
        seen[f"weights of D after step {number}"] = in_a_row(list(D.parameters()), D)
    seen["gradients that reach the generator"] = "some" if notes else "none"
    return seen | {"afterwards D": state_left(D), "afterwards the generator": state_left(G)}


def named_games(draw: Draw) -> list[Case]:
    first_optimizer()
    return [
        Case("as many fakes as real pictures", draw(3, 4, 1, 3, 3), draw(3, 4, 2), 0.5),
        Case("more real pictures than fakes", draw(3, 5, 1, 2, 4), draw(3, 2, 3), 0.2),
        Case("one of each", draw(3, 1, 1, 4, 3), draw(3, 1, 2), 1.0),
        Case("double precision", draw(3, 2, 1, 3, 5).double(), draw(3, 3, 2).double(), 0.5),
        Case("D and G with batch normalisation", draw(3, 4, 1, 3, 3), draw(3, 3, 2), 0.5, True),
    ]


def drawn_game(draw: Draw) -> tuple[Tensor, Tensor, float]:
    size = draw.whole(1, 4), draw.whole(2, 5)
    real, z = draw(3, draw.whole(1, 5), 1, *size), draw(3, draw.whole(1, 5), draw.whole(1, 3))
    return *((real.double(), z.double()) if draw.whole(0, 1) else (real, z)), draw.whole(1, 5) / 10


# --- Discriminator: find the fault ----------------------------------------------------------------------------


class Discriminator(nn.Module):
    """(N, 1, 28, 28) -> a logit for each picture, (N,)

    Three convolutions with bias, 3x3, stride 2, padding 1, each followed by LeakyReLU(0.2): the map shrinks
    28-14-7-4 while the filters grow, channels, 2 * channels, 4 * channels. One nn.Linear judges all numbers of the
    4x4 map. Nothing else learns.
    """

    def __init__(self, channels):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, channels, 3, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(channels, 2 * channels, 3, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(2 * channels, 4 * channels, 3, stride=2, padding=1),
            nn.LeakyReLU(0.2),
        )
        self.judge = nn.Linear(4 * channels * 4 * 4, 1)

    def forward(self, x):
        features = self.body(x).flatten(1)  # (N, 4 * channels * 16)
        return self.judge(features).flatten()


class SevenLayers(nn.Module):
    """(N, 1, 28, 28) -> a logit for each picture, (N,)

    Three convolutions with bias, 3x3, stride 2, padding 1, each followed by LeakyReLU(0.2): the map shrinks
    28-14-7-4 while the filters grow, channels, 2 * channels, 4 * channels. One nn.Linear judges all numbers of the
    4x4 map. Nothing else learns.
    """

    def __init__(self, channels):
        super().__init__()
        filters = [1, channels, 2 * channels, 4 * channels, 4 * channels, 4 * channels, 4 * channels]
        layers = []
        for i in range(6):
            layers += [nn.Conv2d(filters[i], filters[i + 1], 3, stride=2, padding=1), nn.LeakyReLU(0.2)]
        layers += [nn.Conv2d(4 * channels, 1, 3, stride=2, padding=1)]
        self.body = nn.Sequential(*layers)

    def forward(self, x):
        return self.body(x).flatten()


class SevenLayersInOtherWords(nn.Module):
    def __init__(self, channels):
        super().__init__()
        filters = [1, channels, 2 * channels, *4 * [4 * channels], 1]
        self.layers = nn.ModuleList(nn.Conv2d(filters[i], filters[i + 1], 3, stride=2, padding=1) for i in range(7))

    def forward(self, x):
        for layer in self.layers[:-1]:
            x = F.leaky_relu(layer(x), 0.2)
        return self.layers[-1](x).flatten()


class SevenLayersAndALinearOne(nn.Module):
    def __init__(self, channels):
        super().__init__()
        filters, layers = [1, *7 * [4 * channels]], []
        for i in range(7):
            layers += [nn.Conv2d(filters[i], filters[i + 1], 3, stride=2, padding=1), nn.LeakyReLU(0.2)]
        self.body = nn.Sequential(*layers)
        self.judge = nn.Linear(4 * channels, 1)

    def forward(self, x):
        return self.judge(self.body(x).flatten(1)).flatten()


class FiveLayers(nn.Module):
    def __init__(self, channels):
        super().__init__()
        filters, layers = [1, channels, 2 * channels, *3 * [4 * channels]], []
        for i in range(5):
            layers += [nn.Conv2d(filters[i], filters[i + 1], 3, stride=2, padding=1), nn.LeakyReLU(0.2)]
        self.body = nn.Sequential(*layers)
        self.judge = nn.Linear(4 * channels, 1)

    def forward(self, x):
        return self.judge(self.body(x).flatten(1)).flatten()


class FourLayers(nn.Module):
    def __init__(self, channels):
        super().__init__()
        filters, layers = [1, channels, 2 * channels, 4 * channels, 4 * channels], []
        for i in range(4):
            layers += [nn.Conv2d(filters[i], filters[i + 1], 3, stride=2, padding=1), nn.LeakyReLU(0.2)]
        self.body = nn.Sequential(*layers)
        self.judge = nn.Linear(4 * channels * 2 * 2, 1)

    def forward(self, x):
        return self.judge(self.body(x).flatten(1)).flatten()


class MeanOfTheMap(nn.Module):
    def __init__(self, channels):
        super().__init__()
        filters, layers = [1, channels, 2 * channels, 4 * channels], []
        for i in range(3):
            layers += [nn.Conv2d(filters[i], filters[i + 1], 3, stride=2, padding=1), nn.LeakyReLU(0.2)]
        self.body = nn.Sequential(*layers)
        self.judge = nn.Linear(4 * channels, 1)

    def forward(self, x):
        return self.judge(self.body(x).mean(dim=(2, 3))).flatten()


class ProbabilityNotLogit(nn.Module):
    def __init__(self, channels):
        super().__init__()
        filters, layers = [1, channels, 2 * channels, 4 * channels], []
        for i in range(3):
            layers += [nn.Conv2d(filters[i], filters[i + 1], 3, stride=2, padding=1), nn.LeakyReLU(0.2)]
        self.body = nn.Sequential(*layers)
        self.judge = nn.Linear(4 * channels * 4 * 4, 1)

    def forward(self, x):
        return torch.sigmoid(self.judge(self.body(x).flatten(1))).flatten()


class PlainReLU(nn.Module):
    def __init__(self, channels):
        super().__init__()
        filters, layers = [1, channels, 2 * channels, 4 * channels], []
        for i in range(3):
            layers += [nn.Conv2d(filters[i], filters[i + 1], 3, stride=2, padding=1), nn.ReLU()]
        self.body = nn.Sequential(*layers)
        self.judge = nn.Linear(4 * channels * 4 * 4, 1)

    def forward(self, x):
        return self.judge(self.body(x).flatten(1)).flatten()


class LeaksTooLittle(nn.Module):
    def __init__(self, channels):
        super().__init__()
        filters, layers = [1, channels, 2 * channels, 4 * channels], []
        for i in range(3):
            layers += [nn.Conv2d(filters[i], filters[i + 1], 3, stride=2, padding=1), nn.LeakyReLU()]
        self.body = nn.Sequential(*layers)
        self.judge = nn.Linear(4 * channels * 4 * 4, 1)

    def forward(self, x):
        return self.judge(self.body(x).flatten(1)).flatten()


class NoActivation(nn.Module):
    def __init__(self, channels):
        super().__init__()
        filters, layers = [1, channels, 2 * channels, 4 * channels], []
        for i in range(3):
            layers += [nn.Conv2d(filters[i], filters[i + 1], 3, stride=2, padding=1)]
        self.body = nn.Sequential(*layers)
        self.judge = nn.Linear(4 * channels * 4 * 4, 1)

    def forward(self, x):
        return self.judge(self.body(x).flatten(1)).flatten()


class LastActivationForgotten(nn.Module):
    def __init__(self, channels):
        super().__init__()
        filters, layers = [1, channels, 2 * channels, 4 * channels], []
        for i in range(3):
            layers += [nn.Conv2d(filters[i], filters[i + 1], 3, stride=2, padding=1), nn.LeakyReLU(0.2)]
        self.body = nn.Sequential(*layers[:-1])
        self.judge = nn.Linear(4 * channels * 4 * 4, 1)

    def forward(self, x):
        return self.judge(self.body(x).flatten(1)).flatten()


class LogitThroughTheActivation(nn.Module):
    def __init__(self, channels):
        super().__init__()
        filters, layers = [1, channels, 2 * channels, 4 * channels], []
        for i in range(3):
            layers += [nn.Conv2d(filters[i], filters[i + 1], 3, stride=2, padding=1), nn.LeakyReLU(0.2)]
        self.body = nn.Sequential(*layers)
        self.judge = nn.Linear(4 * channels * 4 * 4, 1)

    def forward(self, x):
        return F.leaky_relu(self.judge(self.body(x).flatten(1)), 0.2).flatten()


class LogitInAColumn(nn.Module):
    def __init__(self, channels):
        super().__init__()
        filters, layers = [1, channels, 2 * channels, 4 * channels], []
        for i in range(3):
            layers += [nn.Conv2d(filters[i], filters[i + 1], 3, stride=2, padding=1), nn.LeakyReLU(0.2)]
        self.body = nn.Sequential(*layers)
        self.judge = nn.Linear(4 * channels * 4 * 4, 1)

    def forward(self, x):
        return self.judge(self.body(x).flatten(1))


class AllAxesSqueezed(nn.Module):
    def __init__(self, channels):
        super().__init__()
        filters, layers = [1, channels, 2 * channels, 4 * channels], []
        for i in range(3):
            layers += [nn.Conv2d(filters[i], filters[i + 1], 3, stride=2, padding=1), nn.LeakyReLU(0.2)]
        self.body = nn.Sequential(*layers)
        self.judge = nn.Linear(4 * channels * 4 * 4, 1)

    def forward(self, x):
        return self.judge(self.body(x).flatten(1)).squeeze()


class FourByFourKernels(nn.Module):
    def __init__(self, channels):
        super().__init__()
        filters, layers = [1, channels, 2 * channels, 4 * channels], []
        for i in range(3):
            layers += [nn.Conv2d(filters[i], filters[i + 1], 4, stride=2, padding=1), nn.LeakyReLU(0.2)]
        self.body = nn.Sequential(*layers)
        self.judge = nn.Linear(4 * channels * 3 * 3, 1)

    def forward(self, x):
        return self.judge(self.body(x).flatten(1)).flatten()


class NoPadding(nn.Module):
    def __init__(self, channels):
        super().__init__()
        filters, layers = [1, channels, 2 * channels, 4 * channels], []
        for i in range(3):
            layers += [nn.Conv2d(filters[i], filters[i + 1], 3, stride=2), nn.LeakyReLU(0.2)]
        self.body = nn.Sequential(*layers)
        self.judge = nn.Linear(4 * channels * 2 * 2, 1)

    def forward(self, x):
        return self.judge(self.body(x).flatten(1)).flatten()


class SameFiltersThroughout(nn.Module):
    def __init__(self, channels):
        super().__init__()
        filters, layers = [1, channels, channels, channels], []
        for i in range(3):
            layers += [nn.Conv2d(filters[i], filters[i + 1], 3, stride=2, padding=1), nn.LeakyReLU(0.2)]
        self.body = nn.Sequential(*layers)
        self.judge = nn.Linear(channels * 4 * 4, 1)

    def forward(self, x):
        return self.judge(self.body(x).flatten(1)).flatten()


class ShrunkByPooling(nn.Module):
    def __init__(self, channels):
        super().__init__()
        filters, layers = [1, channels, 2 * channels, 4 * channels], []
        for i in range(3):
            layers += [
                nn.Conv2d(filters[i], filters[i + 1], 3, padding=1),
                nn.LeakyReLU(0.2),
                nn.AvgPool2d(2, ceil_mode=True),
            ]
        self.body = nn.Sequential(*layers)
        self.judge = nn.Linear(4 * channels * 4 * 4, 1)

    def forward(self, x):
        return self.judge(self.body(x).flatten(1)).flatten()


class WithBatchNorm(nn.Module):
    def __init__(self, channels):
        super().__init__()
        filters, layers = [1, channels, 2 * channels, 4 * channels], []
        for i in range(3):
            layers += [
                nn.Conv2d(filters[i], filters[i + 1], 3, stride=2, padding=1),
                nn.BatchNorm2d(filters[i + 1]),
                nn.LeakyReLU(0.2),
            ]
        self.body = nn.Sequential(*layers)
        self.judge = nn.Linear(4 * channels * 4 * 4, 1)

    def forward(self, x):
        return self.judge(self.body(x).flatten(1)).flatten()


class WithDropout(nn.Module):
    def __init__(self, channels):
        super().__init__()
        filters, layers = [1, channels, 2 * channels, 4 * channels], []
        for i in range(3):
            layers += [
                nn.Conv2d(filters[i], filters[i + 1], 3, stride=2, padding=1),
                nn.LeakyReLU(0.2),
                nn.Dropout(0.3),
            ]
        self.body = nn.Sequential(*layers)
        self.judge = nn.Linear(4 * channels * 4 * 4, 1)

    def forward(self, x):
        return self.judge(self.body(x).flatten(1)).flatten()


class WithoutBias(nn.Module):
    def __init__(self, channels):
        super().__init__()
        filters, layers = [1, channels, 2 * channels, 4 * channels], []
        for i in range(3):
            layers += [nn.Conv2d(filters[i], filters[i + 1], 3, stride=2, padding=1, bias=False), nn.LeakyReLU(0.2)]
        self.body = nn.Sequential(*layers)
        self.judge = nn.Linear(4 * channels * 4 * 4, 1)

    def forward(self, x):
        return self.judge(self.body(x).flatten(1)).flatten()


class LayersInAPlainList(nn.Module):
    def __init__(self, channels):
        super().__init__()
        filters = [1, channels, 2 * channels, 4 * channels]
        self.body = [nn.Conv2d(filters[i], filters[i + 1], 3, stride=2, padding=1) for i in range(3)]
        self.judge = nn.Linear(4 * channels * 4 * 4, 1)

    def forward(self, x):
        for layer in self.body:
            x = F.leaky_relu(layer(x), 0.2)
        return self.judge(x.flatten(1)).flatten()


def layers_in_turn(built: nn.Module, x: Tensor) -> list[tuple[nn.Module, tuple[int, ...]]]:
    """The convolutions and linear layers in the order in which they work, each with the shape it receives."""
    received = []

    def note(layer: nn.Module, given: tuple) -> None:
        received.append((layer, tuple(given[0].shape[1:])))

    parts = [part for part in built.modules() if isinstance(part, nn.Conv2d | nn.Linear)]
    hooks = [part.register_forward_pre_hook(note) for part in parts]
    built(x)
    for hook in hooks:
        hook.remove()
    return received


def by(sizes: tuple[int, ...]) -> str:
    return "x".join(str(size) for size in sizes)


def say_layer(layer: nn.Module, shape: tuple[int, ...]) -> str:
    if isinstance(layer, nn.Linear) or (layer.kernel_size == shape[1:] and layer.padding == (0, 0)):
        return f"a linear layer of {math.prod(shape)} numbers"  # so is a convolution whose kernel is the whole map
    return f"{by(layer.kernel_size)} on a {by(shape)} map"


def larger_than_its_map(received: list[tuple[nn.Module, tuple[int, ...]]]) -> str:
    """The first convolution that looks at more padding than picture."""
    for number, (layer, shape) in enumerate(received, start=1):
        if isinstance(layer, nn.Conv2d) and any(k > s for k, s in zip(layer.kernel_size, shape[1:], strict=True)):
            return f"layer {number}, whose {by(layer.kernel_size)} kernel receives a {by(shape[1:])} map"
    return "none"


def what_the_layers_see(answer: Callable, channels: int, pictures: Tensor) -> dict:
    """Build it, look at the map that each layer receives, and at what it gives with numbers of ours inside.

    Where the layers are not those asked for, what would follow is left out.
    """
    built = answer(channels)
    if not isinstance(built, nn.Module):
        return {"what it builds": f"a {type(built).__name__}"}
    received = layers_in_turn(built, pictures[:1].float())
    seen = {
        "what it builds": "an nn.Module",
        "a kernel larger than its map": larger_than_its_map(received),
        "layers in turn": ", ".join(say_layer(*pair) for pair in received) or "none that nn.Module knows of",
        "numbers that learn": sum(p.numel() for p in built.parameters() if p.requires_grad),
    }
    maps = [(1, 28, 28), (channels, 14, 14), (2 * channels, 7, 7)]
    layers = [f"3x3 on a {by(sizes)} map" for sizes in maps]
    if seen != {
        "what it builds": "an nn.Module",
        "a kernel larger than its map": "none",
        "layers in turn": ", ".join([*layers, f"a linear layer of {64 * channels} numbers"]),
        "numbers that learn": 90 * channels**2 + 80 * channels + 1,
    }:
        return seen
    built.to(pictures.dtype)
    wanted = {}
    generator = torch.Generator().manual_seed(channels)
    for number, (layer, _) in enumerate(received, start=1):
        for name, parameter in layer.named_parameters(recurse=False):
            size = 2 * math.sqrt(len(parameter) / parameter.numel()) if name == "weight" else 0.2
            drawn = size * torch.randn(parameter.numel(), generator=generator)  # logits of either sign
            parameter.data = drawn.view_as(parameter).to(parameter.dtype)
            wanted[f"the {name} of layer {number}"] = parameter
    x = pictures.clone()
    seen["logits"] = built(x)
    seen["the pictures, after the call"] = "as they were" if x.equal(pictures) else "changed"
    if seen["logits"] is None or not x.equal(pictures):
        return seen
    seen["logits in eval()"] = built.eval()(x)
    x.requires_grad_()
    told = gradients_of(built.train()(x), {"the pictures": x, **wanted})
    return seen | {name: value.flatten() if "layer" in name else value for name, value in told.items()}


def drawn_discriminator(draw: Draw) -> tuple[int, Tensor]:
    channels, pictures = draw.whole(1, 5), draw(draw.whole(1, 4), 1, 28, 28)
    return channels, (pictures.double() if draw.whole(0, 1) else pictures)


# --- spherical ------------------------------------------------------------------------------------------------


def spherical(a, b, t):
    """(n,), (n,), a float from 0 to 1 -> the point at t on the way from a to b round the origin, (n,)

    sin((1 - t) w) / sin(w) * a + sin(t w) / sin(w) * b, where w is the angle between a and b, which may have any
    lengths; where they point the same way (w = 0) the straight line, (1 - t) a + t b. They are never opposite.
    """
    cosine = (a @ b) / (a.norm() * b.norm())
    w = cosine.clamp(-1, 1).arccos()
    if w < 1e-4:
        return (1 - t) * a + t * b
    return torch.sin((1 - t) * w) / torch.sin(w) * a + torch.sin(t * w) / torch.sin(w) * b


def straight_line(a, b, t):
    return (1 - t) * a + t * b


def straight_line_by_lerp(a, b, t):
    return torch.lerp(a, b, t)


def angle_of_unnormalised(a, b, t):
    w = (a @ b).clamp(-1, 1).arccos()
    if w < 1e-4:
        return (1 - t) * a + t * b
    return (torch.sin((1 - t) * w) * a + torch.sin(t * w) * b) / torch.sin(w)


def angle_of_unnormalised_unclamped(a, b, t):
    w = (a @ b).arccos()
    if w < 1e-4:
        return (1 - t) * a + t * b
    return (torch.sin((1 - t) * w) * a + torch.sin(t * w) * b) / torch.sin(w)


def one_length_forgotten(a, b, t):
    w = (a @ b / a.norm()).clamp(-1, 1).arccos()
    if w < 1e-4:
        return (1 - t) * a + t * b
    return (torch.sin((1 - t) * w) * a + torch.sin(t * w) * b) / torch.sin(w)


def scaled_to_length_one(a, b, t):
    w = F.cosine_similarity(a, b, dim=0).clamp(-1, 1).arccos()
    if w < 1e-4:
        return F.normalize((1 - t) * a + t * b, dim=0)
    return F.normalize((torch.sin((1 - t) * w) * a + torch.sin(t * w) * b) / torch.sin(w), dim=0)


def ends_of_length_one(a, b, t):
    a, b = F.normalize(a, dim=0), F.normalize(b, dim=0)
    w = (a @ b).clamp(-1, 1).arccos()
    if w < 1e-4:
        return (1 - t) * a + t * b
    return (torch.sin((1 - t) * w) * a + torch.sin(t * w) * b) / torch.sin(w)


def ends_swapped(a, b, t):
    w = F.cosine_similarity(a, b, dim=0).clamp(-1, 1).arccos()
    if w < 1e-4:
        return t * a + (1 - t) * b
    return (torch.sin(t * w) * a + torch.sin((1 - t) * w) * b) / torch.sin(w)


def ends_swapped_on_the_sphere(a, b, t):
    w = F.cosine_similarity(a, b, dim=0).clamp(-1, 1).arccos()
    if w < 1e-4:
        return (1 - t) * a + t * b
    return (torch.sin(t * w) * a + torch.sin((1 - t) * w) * b) / torch.sin(w)


def not_divided_by_the_sine(a, b, t):
    w = F.cosine_similarity(a, b, dim=0).clamp(-1, 1).arccos()
    if w < 1e-4:
        return (1 - t) * a + t * b
    return torch.sin((1 - t) * w) * a + torch.sin(t * w) * b


def zero_by_zero(a, b, t):
    w = F.cosine_similarity(a, b, dim=0).clamp(-1, 1).arccos()
    return (torch.sin((1 - t) * w) * a + torch.sin(t * w) * b) / torch.sin(w)


def zero_by_nearly_zero(a, b, t):
    w = F.cosine_similarity(a, b, dim=0).clamp(-1, 1).arccos()
    return (torch.sin((1 - t) * w) * a + torch.sin(t * w) * b) / (torch.sin(w) + 1e-8)


def not_clamped(a, b, t):
    w = (a @ b / (a.norm() * b.norm())).arccos()
    if w < 1e-4:
        return (1 - t) * a + t * b
    return (torch.sin((1 - t) * w) * a + torch.sin(t * w) * b) / torch.sin(w)


def first_end_where_parallel(a, b, t):
    w = F.cosine_similarity(a, b, dim=0).clamp(-1, 1).arccos()
    if w < 1e-4:
        return a.clone()
    return (torch.sin((1 - t) * w) * a + torch.sin(t * w) * b) / torch.sin(w)


def cosine_for_the_angle(a, b, t):
    w = F.cosine_similarity(a, b, dim=0)
    return (torch.sin((1 - t) * w) * a + torch.sin(t * w) * b) / torch.sin(w)


def arcsine_for_arccosine(a, b, t):
    w = F.cosine_similarity(a, b, dim=0).clamp(-1, 1).arcsin()
    if w.abs() < 1e-4:
        return (1 - t) * a + t * b
    return (torch.sin((1 - t) * w) * a + torch.sin(t * w) * b) / torch.sin(w)


def angle_in_degrees(a, b, t):
    w = F.cosine_similarity(a, b, dim=0).clamp(-1, 1).arccos().rad2deg()
    if w < 1e-2:
        return (1 - t) * a + t * b
    return (torch.sin((1 - t) * w) * a + torch.sin(t * w) * b) / torch.sin(w)


def quarter_of_a_circle(a, b, t):
    return math.cos(t * math.pi / 2) * a + math.sin(t * math.pi / 2) * b


def roots_for_weights(a, b, t):
    return math.sqrt(1 - t) * a + math.sqrt(t) * b


def straight_line_stretched(a, b, t):
    line = (1 - t) * a + t * b
    return line / line.norm() * ((1 - t) * a.norm() + t * b.norm())


def lengths_along_a_line(a, b, t):
    w = F.cosine_similarity(a, b, dim=0).clamp(-1, 1).arccos()
    if w < 1e-4:
        return (1 - t) * a + t * b
    way = (torch.sin((1 - t) * w) * a / a.norm() + torch.sin(t * w) * b / b.norm()) / torch.sin(w)
    return way * ((1 - t) * a.norm() + t * b.norm())


def at_an_angle(draw: Draw, count: int, w: float, longer: float) -> tuple[Tensor, Tensor]:
    """Two vectors with that angle between them, the second so many times as long as the first."""
    a, other = draw(count).double(), draw(count).double()
    right = other - (other @ a) / (a @ a) * a
    b = longer * (math.cos(w) * a + math.sin(w) * a.norm() / right.norm() * right)
    return a.float(), b.float()


def drawn_ends(draw: Draw) -> tuple[Tensor, Tensor, float]:
    angle = 0.0 if draw.whole(0, 4) == 0 else draw.whole(1, 28) / 10
    a, b = at_an_angle(draw, draw.whole(2, 64), angle, draw.whole(1, 8) / 4)
    return *((a.double(), b.double()) if draw.whole(0, 1) else (a, b)), draw.whole(0, 10) / 10


# --- r1_penalty -----------------------------------------------------------------------------------------------


def r1_penalty(D, real):
    """real (N, C, H, W) -> the mean over the pictures of |gradient|^2, one tensor

    The gradient is that of a picture's logit, D(real) is (N,), with respect to its own pixels, and |gradient|^2 the
    sum of the squares over all of them. The result goes backward into D. The tensor of real pictures is left as it
    came, and no gradients are left in D.
    """
    pictures = real.detach().requires_grad_()  # the same numbers, but a tensor of our own
    (gradient,) = torch.autograd.grad(D(pictures).sum(), pictures, create_graph=True)
    return gradient.square().sum(dim=(1, 2, 3)).mean()


def length_not_squared(D, real):
    pictures = real.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(D(pictures).sum(), pictures, create_graph=True)
    return gradient.flatten(1).norm(dim=1).mean()


def towards_length_one(D, real):
    pictures = real.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(D(pictures).sum(), pictures, create_graph=True)
    return (gradient.flatten(1).norm(dim=1) - 1).square().mean()


def mean_over_pixels(D, real):
    pictures = real.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(D(pictures).sum(), pictures, create_graph=True)
    return gradient.square().mean()


def one_length_for_the_batch(D, real):
    pictures = real.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(D(pictures).sum(), pictures, create_graph=True)
    return gradient.norm()


def sum_over_the_batch(D, real):
    pictures = real.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(D(pictures).sum(), pictures, create_graph=True)
    return gradient.square().sum()


def of_the_mean_logit(D, real):
    pictures = real.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(D(pictures).mean(), pictures, create_graph=True)
    return gradient.square().sum(dim=(1, 2, 3)).mean()


def of_the_mean_logit_and_summed(D, real):
    pictures = real.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(D(pictures).mean(), pictures, create_graph=True)
    return gradient.square().sum()


def mean_gradient_squared(D, real):
    pictures = real.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(D(pictures).sum(), pictures, create_graph=True)
    return gradient.mean(dim=0).square().sum()


def square_of_the_mean_length(D, real):
    pictures = real.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(D(pictures).sum(), pictures, create_graph=True)
    return gradient.flatten(1).norm(dim=1).mean().square()


def without_create_graph(D, real):
    pictures = real.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(D(pictures).sum(), pictures)
    return gradient.square().sum(dim=(1, 2, 3)).mean()


def graph_kept_but_not_made(D, real):
    pictures = real.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(D(pictures).sum(), pictures, retain_graph=True)
    return gradient.square().sum(dim=(1, 2, 3)).mean().requires_grad_()


def gradient_detached(D, real):
    pictures = real.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(D(pictures).sum(), pictures, create_graph=True)
    return gradient.detach().square().sum(dim=(1, 2, 3)).mean()


def halved_already(D, real):
    pictures = real.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(D(pictures).sum(), pictures, create_graph=True)
    return gradient.square().sum(dim=(1, 2, 3)).mean() / 2


def of_the_probability(D, real):
    pictures = real.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(torch.sigmoid(D(pictures)).sum(), pictures, create_graph=True)
    return gradient.square().sum(dim=(1, 2, 3)).mean()


def of_the_loss(D, real):
    pictures = real.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(-F.logsigmoid(D(pictures)).sum(), pictures, create_graph=True)
    return gradient.square().sum(dim=(1, 2, 3)).mean()


def of_the_weights(D, real):
    gradients = torch.autograd.grad(D(real).sum(), list(D.parameters()), create_graph=True)
    return sum(gradient.square().sum() for gradient in gradients) / len(real)


def sizes_for_squares(D, real):
    pictures = real.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(D(pictures).sum(), pictures, create_graph=True)
    return gradient.abs().sum(dim=(1, 2, 3)).mean()


def the_callers_pictures(D, real):
    real.requires_grad_()
    (gradient,) = torch.autograd.grad(D(real).sum(), real, create_graph=True)
    return gradient.square().sum(dim=(1, 2, 3)).mean()


def backward_for_the_gradient(D, real):
    pictures = real.detach().requires_grad_()
    D(pictures).sum().backward(create_graph=True)
    return pictures.grad.square().sum(dim=(1, 2, 3)).mean()


def backward_without_the_graph(D, real):
    pictures = real.detach().requires_grad_()
    D(pictures).sum().backward()
    return pictures.grad.square().sum(dim=(1, 2, 3)).mean()


def a_number_for_the_penalty(D, real):
    pictures = real.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(D(pictures).sum(), pictures)
    return gradient.square().sum(dim=(1, 2, 3)).mean().item()


def what_the_penalty_tells_d(r1_penalty: Callable, net: Callable, real: Tensor) -> dict | None:
    """The penalty, what it asks of each weight of D, and whether it left D and the pictures as they came."""
    D, pictures = net(real), real.clone()
    loss = r1_penalty(D, pictures)
    if loss is None:
        return None
    untouched = pictures.equal(real) and not pictures.requires_grad
    return after_backward(D, loss) | {"the real pictures afterwards": "as they came" if untouched else "changed"}


def linear_judge(like: Tensor) -> nn.Sequential:
    """A logit that rises equally steeply everywhere: 0.5, 1, 1.5, ... for each pixel."""
    linear = nn.Linear(like[0].numel(), 1)
    with torch.no_grad():
        linear.weight.copy_(torch.arange(1, like[0].numel() + 1) / 2)
    return nn.Sequential(nn.Flatten(), linear, nn.Flatten(0)).to(like.dtype)


def steep_judge(like: Tensor) -> nn.Sequential:
    return small_judge(like, 3.0)


def drawn_real(draw: Draw) -> tuple[Callable, Tensor]:
    net = (small_judge, steep_judge, linear_judge)[draw.whole(0, 2)]
    real = draw(draw.whole(1, 5), draw.whole(1, 2), draw.whole(1, 4), draw.whole(2, 4))
    return net, (real.double() if draw.whole(0, 1) else real)


NEVER_A_FAKE = "D never sees a fake: “real” for everything is then the best answer."
LOGITS = (
    "At large logits a sigmoid is exactly 0 or 1, and e^t overflows: the logarithm is lost. Use a loss that takes "
    "logits, or F.softplus."
)
ONE_BATCH = "Real and fake in one batch share its mean and variance: call D once for each kind."
EVALUATION = (
    "In evaluation mode D judges by running averages, and not as it does while it learns: leave its mode alone."
)
TWICE = "A loss “with logits” does the sigmoid itself: here the squashing happens twice."
NO_WAY_BACK = "No gradient comes back through D's answer to the fakes: D does not learn what a fake looks like."
UNTAUGHT = "Nothing reaches the generator: detach belongs into the discriminator's loss, not into this one."
CALLERS_TURN = "The loss alone is asked for: backward() is the caller's, and what you left in D would be counted twice."
TARGETS_LIKE_LOGITS = "torch.ones and torch.zeros are float32 unless told: `ones_like(logits)` takes the logits' dtype."
NUMBER = "A number has no graph, so nobody can learn from it: return the tensor."
SATURATES = "That is the saturating loss: at a logit of -8, a bad fake, its slope is 0.0003, where that of ours is 1."
DENSITIES = (
    "Far out both densities are 0 in the computer, or infinite, and nothing is left to divide: work with the "
    "difference of the logs."
)
NO_LOG = "D gives logits, which may be below 0 and have no logarithm: the sigmoid makes probabilities of them."
RATIO = "A ratio, or its logarithm, can exceed 1: the logistic of log p - log q is the probability."
WRITES_APART = "Neighbouring inputs write `stride` outputs apart, not one."
HIDES = "Whole-number division hides the checkerboard: count input by input what is written."
WHETHER = "You noted whether an output is written; how often is asked."
WIPED = "D still holds gradients from the generator's step: wipe them before backward(), not after it."
MEANS = (
    "Each half has a mean of its own, and the two are added: then both count alike, however many pictures there are."
)
DO_NOT_TEACH_G = (
    "The generator received gradients from this step: wasted work, and harm if they are still there at its own."
)
LOOKS_AT_PADDING = "The last layers look at one pixel and eight zeros: end the strided layers at 4x4 and judge there."
ACTIVATION = "After each convolution, and only there, stands LeakyReLU(0.2)."
NORMALISED = "Only the convolutions and the linear layer work here, with bias: no normalisation, no dropout."
ANGLE = "Only vectors of length 1 have their dot product for a cosine: divide it by both lengths."
CHORD = "That is the straight line, a chord: half-way it passes far below the sphere on which noise lives."
PARALLEL = "For ends that point the same way the formula is 0/0, whatever is added below: take the straight line there."
KEEPS_LENGTHS = "Only the angle needs vectors of length 1: the ends keep their lengths."
QUARTER = "The weights depend on the angle between the ends: these fit a right angle only."
EACH_PICTURE = "Each picture has a squared length of its own; their mean is asked for."
NO_EFFECT = (
    "The value is right, but D learns nothing from it: the gradient needs a graph of its own, create_graph=True."
)

EXERCISES = (
    Exercise(
        lesson=LESSON,
        reference=optimal_discriminator,
        not_allowed=("course_utils.dcgan",),
        minutes=6,
        difficulty=2,
        gradients=True,
        cases=lambda draw: [
            Case("four points, densities in eighths", *(torch.tensor([[1, 1, 2, 4], [1, 3, 2, 1]]) / 8).log()),
            Case("far out, log densities around -500", -500 + draw(2, 3), -500 + draw(2, 3)),
            Case(
                "from the middle outwards",
                torch.tensor([-1.0, -30.0, -200.0, -1000.0]),
                torch.tensor([-2.0, -28.0, -201.0, -999.0]),
            ),
            Case("one narrow peak, log densities around 95", 95 + draw(4), 95 + draw(4)),
            Case("a single point", torch.tensor(-1.0), torch.tensor(-2.0)),
            Case("where no fake ever comes", torch.tensor([-1.0, -9.0]), torch.tensor([-200.0, -800.0])),
            Case("double precision", draw(3, 2).double() - 4, draw(3, 2).double() - 4),
            Case("where no real picture ever comes", torch.tensor([-200.0, -800.0]), torch.tensor([-1.0, -9.0])),
        ],
        drawn=drawn_log_densities,
        hints=(
            "Divide the fraction p / (p + q) by p: only the ratio q / p remains in it.",
            "The ratio of two densities is exp of the difference of their logarithms.",
            "1 / (1 + exp(-s)) has a name, and torch knows it; here s = log p - log q.",
        ),
        mistakes=(
            *(
                Mistake(f, "That is the chance of a *fake*: p stands on top.")
                for f in (chance_of_fake, rest_of_the_chance)
            ),
            *(Mistake(f, RATIO) for f in (ratio_of_densities, ratio_of_densities_far_out, log_ratio)),
            Mistake(log_of_the_probability, "That is the logarithm of the probability: the probability is asked for."),
            *(
                Mistake(f, DENSITIES)
                for f in (
                    densities_first,
                    densities_first_and_divided_by_p,
                    densities_first_and_a_small_number,
                    densities_first_and_a_smaller_number,
                    densities_first_and_the_smallest_number,
                )
            ),
            Mistake(
                logistic_written_out,
                "exp is infinite where no real picture ever comes, and the gradient nan: torch.sigmoid is the same "
                "without that.",
            ),
            Mistake(always_a_half, "1/2 holds only where the two densities agree."),
            Mistake(logs_taken_for_densities, "These are logarithms of densities: shares are made of p and q."),
            Mistake(sigmoid_of_the_density, "How many fakes lie there matters as much: q is missing."),
            Mistake(
                squashed_difference_of_densities,
                "The logistic wants the difference of the logs; you gave it that of the densities.",
            ),
            Mistake(yes_or_no, "That is a decision; the probability behind it is asked for."),
            Mistake(points_compete, "Your softmax lets the points compete: at each point p competes with q."),
        ),
    ),
    Exercise(
        lesson=LESSON,
        reference=discriminator_loss,
        not_allowed=("course_utils.dcgan",),
        trial=what_d_is_told,
        tolerance=1e-6,  # F.softplus and F.logsigmoid round differently in double precision
        minutes=10,
        difficulty=2,
        cases=lambda draw: [
            Case("as many fakes as real pictures", draw(4, 1, 3, 3), draw(4, 2), 1.0, True),
            Case("more real pictures than fakes", draw(5, 1, 2, 4), draw(2, 3), 2.0, True),
            Case("logits around 200, of both signs", both_signs(3 * draw(2, 1, 3, 4)), draw(4, 2), 200.0, True),
            Case("fakes without a graph, one of each", draw(1, 1, 4, 3), draw(1, 2), 1.0, False),
            Case("double precision", draw(2, 1, 3, 5).double(), draw(3, 2).double(), 3.0, True),
            Case("a D with batch normalisation", draw(4, 1, 3, 3), draw(3, 2), 1.0, True, True),
        ],
        drawn=lambda draw: (*drawn_pictures_and_noise(draw), float(draw.whole(1, 20)), bool(draw.whole(0, 2))),
        hints=(
            "Two questions to D, one about the real pictures and one about the fakes; each has its own target.",
            "`fake.detach()` holds the same numbers, but the way back into the generator ends there.",
            "F.binary_cross_entropy_with_logits(logits, targets) is the mean of -log sigmoid where the target is "
            "1, and of -log(1 - sigmoid) where it is 0.",
        ),
        mistakes=(
            Mistake(real_half_only, NEVER_A_FAKE),
            Mistake(fake_half_only, "D never sees a real picture: “fake” for everything is then the best answer."),
            Mistake(real_pictures_twice, "Both halves ask about the real pictures: the second is about the fakes."),
            Mistake(
                targets_swapped, "D is paid for mistaking real for fake: real pictures have the target 1, fakes 0."
            ),
            Mistake(all_called_real, "The fakes have the target 1 too, so D is paid for being fooled: theirs is 0."),
            Mistake(squashed_twice, TWICE),
            *(
                Mistake(f, LOGITS)
                for f in (
                    log_of_sigmoid,
                    log_of_sigmoid_for_the_fakes,
                    log_of_sigmoid_for_the_real,
                    entropy_of_probabilities,
                    with_a_small_number_added,
                    clamped_before_the_log,
                )
            ),
            Mistake(logs_of_the_logits, NO_LOG),
            Mistake(fake_on_its_graph, DO_NOT_TEACH_G),
            *(Mistake(f, NO_WAY_BACK) for f in (fakes_answer_detached, fakes_answer_without_autograd)),
            *(
                Mistake(f, "No gradient comes back to D, so it cannot learn: only the way into the generator ends.")
                for f in (both_answers_detached, all_without_autograd)
            ),
            Mistake(
                cut_off_in_place,
                "`detach_` cuts the caller's own tensor, and the generator can learn nothing from it: detach a copy.",
            ),
            *(Mistake(f, MEANS) for f in (loss_halved, one_mean_for_all)),
            Mistake(sums_not_means, "You added over the pictures: each half is a mean."),
            Mistake(sign_forgotten, "The minus is missing: an optimizer makes its loss small, and D would get worse."),
            Mistake(halves_subtracted, "The two halves are added: D should be good at both."),
            *(
                Mistake(
                    f, "That is another game's loss (hinge, Wasserstein or least squares): here it is -log of sigmoids."
                )
                for f in (hinge_loss, difference_of_logits, least_squares)
            ),
            Mistake(targets_smoothed, "The targets are 1 and 0 here: a smoothed one is a trick of its own."),
            Mistake(targets_in_single_precision, TARGETS_LIKE_LOGITS),
            Mistake(went_backward_already, CALLERS_TURN),
            Mistake(a_number_only, NUMBER),
            Mistake(one_batch_of_both, ONE_BATCH),
            Mistake(judged_in_evaluation_mode, EVALUATION),
        ),
    ),
    Exercise(
        lesson=LESSON,
        reference=generator_loss,
        not_allowed=("course_utils.dcgan",),
        trial=what_the_fakes_are_told,
        tolerance=1e-6,  # F.softplus and F.logsigmoid round differently in double precision
        minutes=6,
        difficulty=2,
        cases=lambda draw: [
            Case("D is undecided", draw(3, 1, 2, 4), 1.0, 0.0),
            Case("bad fakes, logits near -8", draw(4, 1, 3, 3), 0.5, -8.0),
            Case("logits around 200, of both signs", both_signs(3 * draw(2, 1, 3, 4)), 200.0, 0.0),
            Case("one fake", draw(1, 1, 4, 3), 2.0, 1.0),
            Case("double precision", draw(2, 1, 3, 5).double(), 3.0, -1.0),
            Case("a D with batch normalisation", draw(4, 1, 3, 3), 1.0, 0.0, True),
        ],
        drawn=drawn_fakes,
        hints=(
            "The generator wants D to say “real” of its fakes: which target does that make?",
            "The same cross-entropy as for D, from logits, with that target for every fake.",
            "No detach here: the gradient has to come back through D into the fakes.",
        ),
        mistakes=(
            *(Mistake(f, SATURATES) for f in (saturating, saturating_by_hand, saturating_by_the_entropy)),
            Mistake(target_zero, "With the target 0 the generator learns to be found out."),
            *(Mistake(f, UNTAUGHT) for f in (fake_detached, answer_detached, judged_without_autograd)),
            Mistake(fakes_squashed_twice, TWICE),
            Mistake(log_of_the_logits, NO_LOG),
            *(
                Mistake(f, LOGITS)
                for f in (
                    log_of_the_fakes_sigmoid,
                    log_of_the_fakes_sigmoid_guarded,
                    log_of_the_fakes_sigmoid_clamped,
                    entropy_of_the_fakes_probabilities,
                )
            ),
            Mistake(sum_over_fakes, "You added over the fakes: a mean is asked for."),
            Mistake(
                logits_raised,
                "That raises the logits without end, as the hinge game does: here it is -log sigmoid of them.",
            ),
            Mistake(maximised, "The minus is missing: an optimizer makes its loss small, and fakes would get worse."),
            Mistake(chance_without_log, "The logarithm is missing: without it bad fakes have hardly any gradient."),
            Mistake(
                log_of_the_mean, "The logarithm of the mean is not the mean of the logarithms: each fake has its own."
            ),
            Mistake(fakes_by_least_squares, "That is the least-squares game's loss: here it is -log sigmoid."),
            Mistake(
                judge_frozen,
                "D's weights no longer want gradients, so it cannot learn any more: leave that switch alone.",
            ),
            Mistake(fakes_target_in_single_precision, TARGETS_LIKE_LOGITS),
            Mistake(fakes_went_backward_already, "The loss alone is asked for: backward() is the caller's."),
            Mistake(a_number_for_the_fakes, NUMBER),
            Mistake(fakes_judged_in_evaluation_mode, EVALUATION),
        ),
    ),
    Exercise(
        lesson=LESSON,
        reference=overlaps,
        minutes=8,
        difficulty=2,
        cases=lambda draw: [
            Case("kernel 3, stride 2: a checkerboard", 5, 3, 2),
            Case("kernel 4, stride 2: flat inside", 5, 4, 2),
            Case("stride larger than the kernel: gaps", 3, 2, 4),
            Case("stride 1", 4, 3, 1),
            Case("kernel as large as the stride", 3, 2, 2),
            Case("one input", 1, 3, 2),
        ],
        drawn=lambda draw: (draw.whole(1, 9), draw.whole(1, 7), draw.whole(1, 5)),
        hints=(
            "Begin with zeros, as many as there are outputs, and let each input add 1 where it writes.",
            "Input i writes from i * stride on, and `kernel` outputs in all.",
            "A slice with += counts; a list of places in which one stands twice counts it once.",
        ),
        mistakes=(
            *(Mistake(f, HIDES) for f in (the_same_everywhere, the_same_everywhere_rounded_up)),
            *(Mistake(f, WRITES_APART) for f in (stride_ignored, stride_ignored_in_the_length_too)),
            Mistake(
                n_times_stride_long, "The last input still writes a whole kernel: (n - 1) * stride + kernel outputs."
            ),
            Mistake(a_stride_too_long, "Between n inputs lie n - 1 strides: yours ends in outputs that nobody writes."),
            *(Mistake(f, WHETHER) for f in (whether_not_how_often, repeats_counted_once)),
            Mistake(last_input_left_out, "The last of the n inputs writes too."),
            Mistake(last_place_left_out, "A slice ends before its end: each input writes `kernel` outputs."),
            Mistake(
                kernel_and_stride_swapped, "Kernel and stride are swapped: one is how many, the other how far apart."
            ),
            Mistake(
                ordinary_convolution,
                "That is how often an ordinary convolution reads its inputs: here outputs are written.",
            ),
            Mistake(rims_cut_off, "Nothing is cut off at the rims: no padding."),
            Mistake(wraps_round, "What is written beyond the rim does not come back at the other side."),
            Mistake(counts_as_floats, "Counts are whole numbers: int64."),
        ),
        not_allowed=(
            "torch.conv_transpose1d",
            "torch.conv_transpose2d",
            "torch.conv_transpose3d",
            "torch.nn.functional.fold",
            "course_utils.convolution",
            "course_utils.dcgan",
        ),
    ),
    Exercise(
        lesson=LESSON,
        reference=discriminator_step,
        not_allowed=("course_utils.dcgan",),
        trial=three_steps,
        tolerance=1e-6,  # F.softplus and F.logsigmoid round differently in double precision
        fault=real_pictures_for_fakes,
        minutes=6,
        difficulty=2,
        cases=named_games,
        drawn=drawn_game,
        hints=(
            "Which pictures does D see in each half? Print their shapes, or their means.",
            "The loss falls towards 0 although D has learnt nothing but to say “real”: what would tell it otherwise?",
            "There are two slips: what D is asked about in the second half, and which answer is right there.",
        ),
        mistakes=(
            *(
                Mistake(f, NEVER_A_FAKE)
                for f in (real_pictures_and_ones_twice, one_mean_over_real_pictures, step_on_real_pictures_only)
            ),
            Mistake(
                real_pictures_called_both,
                "The targets differ now, but both halves still show D the real pictures: one slip is left.",
            ),
            Mistake(fakes_called_real, "D sees the fakes now, but is told that they are real: one slip is left."),
            Mistake(real_and_fake_swapped, "D is paid for mistaking real for fake: real pictures go towards 1."),
            *(Mistake(f, DO_NOT_TEACH_G) for f in (generator_not_detached, generator_wiped_afterwards)),
            Mistake(fakes_judged_without_autograd, NO_WAY_BACK),
            *(Mistake(f, WIPED) for f in (gradients_not_wiped, gradients_wiped_at_the_end)),
            *(
                Mistake(f, "The weights stay where they are: first wipe, then backward(), then step().")
                for f in (gradients_wiped_before_the_step, no_step, step_before_backward)
            ),
            Mistake(two_steps, "Wiping between the halves throws the first away: one step follows from both."),
            Mistake(squashed_before_the_loss, TWICE),
            *(Mistake(f, MEANS) for f in (halved, one_mean_for_the_step)),
            Mistake(noise_of_its_own, "The noise is given: make the fakes from z."),
            Mistake(loss_with_its_graph, "The whole graph hangs on that tensor: return the number, loss.item()."),
            Mistake(step_on_one_batch_of_both, ONE_BATCH),
            Mistake(step_in_evaluation_mode, EVALUATION),
        ),
    ),
    Exercise(
        lesson=LESSON,
        reference=Discriminator,
        not_allowed=("course_utils.dcgan",),
        trial=what_the_layers_see,
        fault=SevenLayers,
        minutes=10,
        difficulty=3,
        optional=True,
        cases=lambda draw: [
            Case("two channels, eight pictures", 2, draw(8, 1, 28, 28)),
            Case("one channel, a picture alone", 1, draw(1, 1, 28, 28)),
            Case("four channels, double precision", 4, draw(2, 1, 28, 28).double()),
        ],
        drawn=drawn_discriminator,
        hints=(
            "Send a picture through layer by layer and print the shapes: where is the map smaller than the kernel?",
            "Three layers of stride 2 make 28-14-7-4; what comes after the third is in nobody's way.",
            "A 4x4 map with 4 * channels filters is a row of 64 * channels numbers: `flatten(1)`, then nn.Linear.",
        ),
        mistakes=(
            *(Mistake(f, LOOKS_AT_PADDING) for f in (SevenLayersInOtherWords, SevenLayersAndALinearOne)),
            Mistake(
                FiveLayers,
                "Five of nine weights of the fifth layer meet nothing but padding: end the strided layers at 4x4, and "
                "judge there.",
            ),
            Mistake(FourLayers, "One layer too many: the map is 2x2 when it is judged, and 4x4 is asked for."),
            Mistake(MeanOfTheMap, "The mean over the map forgets where things were: judge all numbers of the 4x4 map."),
            Mistake(ProbabilityNotLogit, "A logit is asked for: the loss does the sigmoid itself."),
            *(
                Mistake(f, ACTIVATION)
                for f in (PlainReLU, LeaksTooLittle, NoActivation, LastActivationForgotten, LogitThroughTheActivation)
            ),
            Mistake(LogitInAColumn, "One logit for each picture, (N,): yours stand in a column."),
            Mistake(AllAxesSqueezed, "`squeeze()` takes the axis of the pictures away too where there is only one."),
            Mistake(FourByFourKernels, "A 4x4 kernel makes 28-14-7-3 with this padding: 3x3 is asked for."),
            Mistake(NoPadding, "Without padding the map shrinks 28-13-6-2, and the rim is seen less often."),
            Mistake(
                SameFiltersThroughout, "The filters grow while the map shrinks: channels, twice, four times as many."
            ),
            Mistake(ShrunkByPooling, "The stride shrinks the map, so that the net learns how: no pooling."),
            *(Mistake(f, NORMALISED) for f in (WithBatchNorm, WithDropout, WithoutBias)),
            Mistake(
                LayersInAPlainList,
                "Layers in a plain list are hidden from nn.Module, and no optimizer finds them: nn.Sequential, or "
                "nn.ModuleList.",
            ),
        ),
    ),
    Exercise(
        lesson=LESSON,
        reference=spherical,
        not_allowed=("course_utils.dcgan",),
        minutes=8,
        difficulty=3,
        optional=True,
        tolerance=1e-5,
        cases=lambda draw: [
            Case("a right angle, half-way", torch.tensor([3.0, 0.0]), torch.tensor([0.0, 3.0]), 0.5),
            Case("shorter than 1", torch.tensor([0.6, 0.0]), torch.tensor([0.3, 0.4]), 0.25),
            Case("64 numbers of noise", draw(64), draw(64), 0.7),
            Case("a small angle, unequal lengths", *at_an_angle(draw, 5, 0.06, 2.0), 0.4),
            Case("the same point twice", torch.tensor([1.0, 2.0, 2.0]), torch.tensor([1.0, 2.0, 2.0]), 0.3),
            # 18 / sqrt(18)**2 is above 1 in float32, in whatever order it is worked out
            Case("a cosine rounded beyond 1", torch.tensor([3.0, 3.0]), torch.tensor([3.0, 3.0]), 0.6),
            Case("one direction, twice as far", torch.tensor([0.3, 0.4]), torch.tensor([0.6, 0.8]), 0.5),
            Case("the first end", draw(4), draw(4), 0.0),
            Case("double precision", draw(6).double(), draw(6).double(), 0.9),
        ],
        drawn=drawn_ends,
        hints=(
            "The cosine of the angle is the dot product of a and b, divided by both lengths.",
            "Rounding can carry a cosine beyond 1, where arccos is nan: clamp it first.",
            "Where w is almost 0, return the straight line before you divide by sin(w).",
        ),
        mistakes=(
            *(Mistake(f, CHORD) for f in (straight_line, straight_line_by_lerp)),
            *(
                Mistake(f, ANGLE)
                for f in (angle_of_unnormalised, angle_of_unnormalised_unclamped, one_length_forgotten)
            ),
            Mistake(scaled_to_length_one, "The result keeps the length that the two weights give it: do not scale it."),
            Mistake(ends_of_length_one, KEEPS_LENGTHS),
            *(
                Mistake(f, "At t = 0 stands a, at t = 1 stands b: yours runs the other way.")
                for f in (ends_swapped, ends_swapped_on_the_sphere)
            ),
            Mistake(not_divided_by_the_sine, "The division by sin(w) is missing: at t = 0 a itself should come out."),
            *(Mistake(f, PARALLEL) for f in (zero_by_zero, zero_by_nearly_zero)),
            Mistake(not_clamped, "Rounding carried the cosine beyond 1, where arccos is nan: `.clamp(-1, 1)` first."),
            Mistake(first_end_where_parallel, "One may be longer than the other: go along the straight line there."),
            Mistake(cosine_for_the_angle, "That is the cosine; the angle is its arccos."),
            Mistake(arcsine_for_arccosine, "The dot product holds the cosine: arccos, not arcsin."),
            Mistake(angle_in_degrees, "torch.sin wants radians, not degrees."),
            *(Mistake(f, QUARTER) for f in (quarter_of_a_circle, roots_for_weights)),
            *(
                Mistake(f, "The two weights of the formula do everything, the lengths too: add nothing to it.")
                for f in (straight_line_stretched, lengths_along_a_line)
            ),
        ),
    ),
    Exercise(
        lesson=LESSON,
        reference=r1_penalty,
        not_allowed=("course_utils.dcgan",),
        trial=what_the_penalty_tells_d,
        minutes=10,
        difficulty=4,
        optional=True,
        cases=lambda draw: [
            Case("a linear D: the same slope everywhere", linear_judge, draw(2, 1, 2, 2)),
            Case("three pictures, wider than tall", small_judge, draw(3, 1, 2, 4)),
            Case("a steep D, two channels", steep_judge, draw(4, 2, 3, 2)),
            Case("one picture", small_judge, draw(1, 1, 4, 3)),
            Case("double precision", steep_judge, draw(2, 1, 3, 3).double()),
        ],
        drawn=drawn_real,
        hints=(
            "`real.detach().requires_grad_()` holds the same numbers in a tensor of your own that wants a gradient.",
            "The gradient of D(pictures).sum() holds each picture's own where no logit depends on another picture, as "
            "here.",
            "`torch.autograd.grad(..., create_graph=True)` gives a gradient that can itself go backward.",
            "Square it, add over all pixels of a picture, and only then take the mean over the pictures.",
        ),
        mistakes=(
            Mistake(length_not_squared, "The length is squared: R1 punishes steep places most."),
            Mistake(
                towards_length_one, "That draws the length towards 1 (the penalty of WGAN-GP); R1 draws it towards 0."
            ),
            Mistake(mean_over_pixels, "A squared length is the sum over the pixels, not their mean."),
            *(
                Mistake(f, EACH_PICTURE)
                for f in (
                    one_length_for_the_batch,
                    sum_over_the_batch,
                    mean_gradient_squared,
                    square_of_the_mean_length,
                )
            ),
            *(
                Mistake(f, "Each logit counts whole: the gradient of the mean logit is N times too small.")
                for f in (of_the_mean_logit, of_the_mean_logit_and_summed)
            ),
            *(Mistake(f, NO_EFFECT) for f in (without_create_graph, graph_kept_but_not_made, gradient_detached)),
            Mistake(halved_already, "The factor gamma / 2 is left to the caller."),
            *(
                Mistake(f, "The slope is that of the logit: no sigmoid, no loss.")
                for f in (of_the_probability, of_the_loss)
            ),
            Mistake(of_the_weights, "The gradient is that with respect to the pictures, not to the weights."),
            Mistake(sizes_for_squares, "You added absolute values: the square of a length adds squares."),
            Mistake(
                the_callers_pictures,
                "The caller's tensor now wants gradients: work on a tensor of your own, by detach.",
            ),
            *(
                Mistake(
                    f, "backward() leaves gradients in D, which its own step would count: torch.autograd.grad does not."
                )
                for f in (backward_for_the_gradient, backward_without_the_graph)
            ),
            Mistake(a_number_for_the_penalty, NUMBER),
        ),
    ),
)
