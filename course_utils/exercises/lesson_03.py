"""The exercises of lesson 03: a loss, two optimizer steps, the loop that trains, and how its result is measured."""

from collections.abc import Callable
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .exercise import Case, Draw, Exercise, Mistake, first_optimizer

LESSON = "03_training_a_cnn"


# --- cross_entropy --------------------------------------------------------------------------------------------


def cross_entropy(logits, labels):
    """(N, C) logits, (N,) labels -> the mean over the pictures of -log p(right class)

    A tensor that holds one number and through which gradients flow back to the logits.
    """
    log_p = logits - logits.logsumexp(dim=1, keepdim=True)  # (N, C)
    rows = torch.arange(len(labels))
    return -log_p[rows, labels].mean()


def squashed_twice(logits, labels):
    p = logits.softmax(dim=1)
    return -(p - p.logsumexp(dim=1, keepdim=True))[torch.arange(len(labels)), labels].mean()


def log_of_softmax(logits, labels):
    return -logits.softmax(dim=1).log()[torch.arange(len(labels)), labels].mean()


def log_of_the_chosen(logits, labels):
    return -logits.softmax(dim=1)[torch.arange(len(labels)), labels].log().mean()


def with_a_small_number_added(logits, labels):
    return -(logits.softmax(dim=1)[torch.arange(len(labels)), labels] + 1e-9).log().mean()


def with_a_smaller_number_added(logits, labels):
    return -(logits.softmax(dim=1)[torch.arange(len(labels)), labels] + 1e-10).log().mean()


def with_a_hundred_millionth_added(logits, labels):
    return -(logits.softmax(dim=1)[torch.arange(len(labels)), labels] + 1e-8).log().mean()


def with_a_billionth_of_a_thousandth_added(logits, labels):
    return -(logits.softmax(dim=1)[torch.arange(len(labels)), labels] + 1e-12).log().mean()


def clamped_before_the_log(logits, labels):
    return -logits.softmax(dim=1)[torch.arange(len(labels)), labels].clamp(min=1e-8).log().mean()


def largest_not_added_back(logits, labels):
    largest = logits.amax(dim=1, keepdim=True)
    log_p = logits - (logits - largest).exp().sum(dim=1, keepdim=True).log()
    return -log_p[torch.arange(len(labels)), labels].mean()


def log_of_exp_by_hand(logits, labels):
    e = logits.exp()
    return -(e / e.sum(dim=1, keepdim=True)).log()[torch.arange(len(labels)), labels].mean()


def log_of_sum_by_hand(logits, labels):
    log_p = logits - logits.exp().sum(dim=1, keepdim=True).log()
    return -log_p[torch.arange(len(labels)), labels].mean()


def mean_over_all_numbers(logits, labels):
    log_p = logits - logits.logsumexp(dim=1, keepdim=True)
    one_hot = F.one_hot(labels, logits.shape[1])
    return -(one_hot * log_p).mean()


def sum_over_pictures(logits, labels):
    log_p = logits - logits.logsumexp(dim=1, keepdim=True)
    return -log_p[torch.arange(len(labels)), labels].sum()


def probability_without_log(logits, labels):
    return -logits.softmax(dim=1)[torch.arange(len(labels)), labels].mean()


def one_minus_probability(logits, labels):
    return 1 - logits.softmax(dim=1)[torch.arange(len(labels)), labels].mean()


def pictures_compete(logits, labels):
    log_p = logits - logits.logsumexp(dim=0, keepdim=True)
    return -log_p[torch.arange(len(labels)), labels].mean()


def sign_forgotten(logits, labels):
    log_p = logits - logits.logsumexp(dim=1, keepdim=True)
    return log_p[torch.arange(len(labels)), labels].mean()


def all_pairs(logits, labels):
    log_p = logits - logits.logsumexp(dim=1, keepdim=True)
    return -log_p[:, labels].mean()


def in_bits(logits, labels):
    log_p = logits - logits.logsumexp(dim=1, keepdim=True)
    return -log_p[torch.arange(len(labels)), labels].mean() / torch.tensor(2.0).log()


def labels_for(draw: Draw, count: int, classes: int) -> Tensor:
    return torch.tensor([draw.whole(0, classes - 1) for _ in range(count)])


def drawn_logits(draw: Draw) -> tuple[Tensor, Tensor]:
    count, classes = draw.whole(1, 6), draw.whole(2, 6)
    return draw(count, classes) * draw.whole(1, 100), labels_for(draw, count, classes)


# --- momentum_step --------------------------------------------------------------------------------------------


def momentum_step(parameters, velocities, lr, momentum):
    """Move each parameter, in place: v <- momentum * v + gradient, then p <- p - lr * v

    parameters: a list of tensors, each with its gradient in p.grad
    velocities: a list of tensors of the same shapes, 0 before the first step; keep them up to date
    """
    for p, v in zip(parameters, velocities, strict=True):
        v.mul_(momentum).add_(p.grad)
        p.sub_(lr * v)


def an_average(parameters, velocities, lr, momentum):
    for p, v in zip(parameters, velocities, strict=True):
        v.mul_(momentum).add_((1 - momentum) * p.grad)
        p.sub_(lr * v)


def rate_inside(parameters, velocities, lr, momentum):
    for p, v in zip(parameters, velocities, strict=True):
        v.mul_(momentum).add_(lr * p.grad)
        p.sub_(v)


def yesterdays_velocity(parameters, velocities, lr, momentum):
    for p, v in zip(parameters, velocities, strict=True):
        p.sub_(lr * v)
        v.mul_(momentum).add_(p.grad)


def velocity_not_kept(parameters, velocities, lr, momentum):
    for p, v in zip(parameters, velocities, strict=True):
        v = momentum * v + p.grad
        p.sub_(lr * v)


def velocity_is_the_gradient(parameters, velocities, lr, momentum):
    for i, p in enumerate(parameters):
        if velocities[i].any():
            velocities[i].mul_(momentum).add_(p.grad)
        else:
            velocities[i] = p.grad
        p.sub_(lr * velocities[i])


def parameter_not_moved(parameters, velocities, lr, momentum):
    for p, v in zip(parameters, velocities, strict=True):
        v.mul_(momentum).add_(p.grad)
        p = p - lr * v


def new_one_in_the_list(parameters, velocities, lr, momentum):
    for i, v in enumerate(velocities):
        v.mul_(momentum).add_(parameters[i].grad)
        parameters[i] = parameters[i] - lr * v
        parameters[i].grad = torch.zeros_like(v)


def new_one_without_a_gradient(parameters, velocities, lr, momentum):
    for i, v in enumerate(velocities):
        v.mul_(momentum).add_(parameters[i].grad)
        parameters[i] = parameters[i] - lr * v


def sign_in_the_velocity(parameters, velocities, lr, momentum):
    for p, v in zip(parameters, velocities, strict=True):
        v.mul_(momentum).sub_(p.grad)
        p.add_(lr * v)


def uphill(parameters, velocities, lr, momentum):
    for p, v in zip(parameters, velocities, strict=True):
        v.mul_(momentum).add_(p.grad)
        p.add_(lr * v)


def looks_ahead(parameters, velocities, lr, momentum):
    for p, v in zip(parameters, velocities, strict=True):
        v.mul_(momentum).add_(p.grad)
        p.sub_(lr * (p.grad + momentum * v))


def nothing_rolls(parameters, velocities, lr, momentum):
    for p in parameters:
        p.sub_(lr * p.grad)


def only_the_first_rolls(parameters, velocities, lr, momentum):
    for p in parameters:
        velocities[0].mul_(momentum).add_(p.grad)
        p.sub_(lr * velocities[0])


def steps_in_turn(step: Callable, starts: Tensor, gradients: Tensor, rates: Tensor, momentum: float) -> dict:
    """Two parameters go several steps, under a rate that changes; each gradient is wiped in place after its step."""
    parameters = [nn.Parameter(start.clone()) for start in (starts[0], starts[1][:, None])]  # of two shapes
    velocities = [torch.zeros_like(p) for p in parameters]
    given = list(parameters)  # the model's own, whatever is put into the list
    places = {}
    with torch.no_grad():
        for number, rate in enumerate(rates.tolist(), start=1):
            for p, gradient in zip(given, gradients[number - 1], strict=True):
                gradient = gradient.view_as(p)
                p.grad = gradient.clone() if p.grad is None else p.grad.add_(gradient)  # as backward does
            step(parameters, velocities, rate, momentum)
            places[f"parameters after step {number}"] = torch.stack([p.flatten() for p in given])
            places[f"velocities after step {number}"] = torch.stack([v.flatten() for v in velocities])
            for p in given:
                if p.grad is not None:
                    p.grad.zero_()
    return places


def drawn_steps(draw: Draw) -> tuple:
    count, size = draw.whole(1, 5), draw.whole(1, 4)
    return draw(2, size), draw(count, 2, size), draw(count).abs() + 0.01, 0.1 * draw.whole(1, 9)


# --- adam_step ------------------------------------------------------------------------------------------------


def adam_step(parameters, states, lr, betas, eps, weight_decay):
    """AdamW: move each parameter, in place

    parameters: a list of tensors, each with its gradient in p.grad
    states: a list of dicts {"t": 0, "m": zeros, "v": zeros}, one for each; keep them up to date
    """
    beta1, beta2 = betas
    for p, state in zip(parameters, states, strict=True):
        state["t"] += 1
        state["m"] = beta1 * state["m"] + (1 - beta1) * p.grad
        state["v"] = beta2 * state["v"] + (1 - beta2) * p.grad**2
        m = state["m"] / (1 - beta1 ** state["t"])
        v = state["v"] / (1 - beta2 ** state["t"])
        p.mul_(1 - lr * weight_decay)
        p.sub_(lr * m / (v.sqrt() + eps))


def uncorrected(parameters, states, lr, betas, eps, weight_decay):
    beta1, beta2 = betas
    for p, state in zip(parameters, states, strict=True):
        state["m"] = beta1 * state["m"] + (1 - beta1) * p.grad
        state["v"] = beta2 * state["v"] + (1 - beta2) * p.grad**2
        p.mul_(1 - lr * weight_decay)
        p.sub_(lr * state["m"] / (state["v"].sqrt() + eps))


def always_the_first_step(parameters, states, lr, betas, eps, weight_decay):
    beta1, beta2 = betas
    for p, state in zip(parameters, states, strict=True):
        t = state["t"] + 1
        state["m"] = beta1 * state["m"] + (1 - beta1) * p.grad
        state["v"] = beta2 * state["v"] + (1 - beta2) * p.grad**2
        p.mul_(1 - lr * weight_decay)
        p.sub_(lr * state["m"] / (1 - beta1**t) / ((state["v"] / (1 - beta2**t)).sqrt() + eps))


def no_root(parameters, states, lr, betas, eps, weight_decay):
    beta1, beta2 = betas
    for p, state in zip(parameters, states, strict=True):
        state["t"] += 1
        state["m"] = beta1 * state["m"] + (1 - beta1) * p.grad
        state["v"] = beta2 * state["v"] + (1 - beta2) * p.grad**2
        m, v = state["m"] / (1 - beta1 ** state["t"]), state["v"] / (1 - beta2 ** state["t"])
        p.mul_(1 - lr * weight_decay)
        p.sub_(lr * m / (v + eps))


def gradient_not_squared(parameters, states, lr, betas, eps, weight_decay):
    beta1, beta2 = betas
    for p, state in zip(parameters, states, strict=True):
        state["t"] += 1
        state["m"] = beta1 * state["m"] + (1 - beta1) * p.grad
        state["v"] = beta2 * state["v"] + (1 - beta2) * p.grad
        m, v = state["m"] / (1 - beta1 ** state["t"]), state["v"] / (1 - beta2 ** state["t"])
        p.mul_(1 - lr * weight_decay)
        p.sub_(lr * m / (v.sqrt() + eps))


def eps_under_the_root(parameters, states, lr, betas, eps, weight_decay):
    beta1, beta2 = betas
    for p, state in zip(parameters, states, strict=True):
        state["t"] += 1
        state["m"] = beta1 * state["m"] + (1 - beta1) * p.grad
        state["v"] = beta2 * state["v"] + (1 - beta2) * p.grad**2
        m, v = state["m"] / (1 - beta1 ** state["t"]), state["v"] / (1 - beta2 ** state["t"])
        p.mul_(1 - lr * weight_decay)
        p.sub_(lr * m / (v + eps).sqrt())


def decay_through_the_gradient(parameters, states, lr, betas, eps, weight_decay):
    beta1, beta2 = betas
    for p, state in zip(parameters, states, strict=True):
        gradient = p.grad + weight_decay * p
        state["t"] += 1
        state["m"] = beta1 * state["m"] + (1 - beta1) * gradient
        state["v"] = beta2 * state["v"] + (1 - beta2) * gradient**2
        m, v = state["m"] / (1 - beta1 ** state["t"]), state["v"] / (1 - beta2 ** state["t"])
        p.sub_(lr * m / (v.sqrt() + eps))


def decay_after_the_step(parameters, states, lr, betas, eps, weight_decay):
    beta1, beta2 = betas
    for p, state in zip(parameters, states, strict=True):
        state["t"] += 1
        state["m"] = beta1 * state["m"] + (1 - beta1) * p.grad
        state["v"] = beta2 * state["v"] + (1 - beta2) * p.grad**2
        m, v = state["m"] / (1 - beta1 ** state["t"]), state["v"] / (1 - beta2 ** state["t"])
        p.sub_(lr * m / (v.sqrt() + eps))
        p.mul_(1 - lr * weight_decay)


def parameter_rebound(parameters, states, lr, betas, eps, weight_decay):
    beta1, beta2 = betas
    for p, state in zip(parameters, states, strict=True):
        state["t"] += 1
        state["m"] = beta1 * state["m"] + (1 - beta1) * p.grad
        state["v"] = beta2 * state["v"] + (1 - beta2) * p.grad**2
        m, v = state["m"] / (1 - beta1 ** state["t"]), state["v"] / (1 - beta2 ** state["t"])
        p = (1 - lr * weight_decay) * p - lr * m / (v.sqrt() + eps)


def averages_not_kept(parameters, states, lr, betas, eps, weight_decay):
    beta1, beta2 = betas
    for p, state in zip(parameters, states, strict=True):
        state["t"] += 1
        m = beta1 * state["m"] + (1 - beta1) * p.grad
        v = beta2 * state["v"] + (1 - beta2) * p.grad**2
        m, v = m / (1 - beta1 ** state["t"]), v / (1 - beta2 ** state["t"])
        p.mul_(1 - lr * weight_decay)
        p.sub_(lr * m / (v.sqrt() + eps))


def only_m_corrected(parameters, states, lr, betas, eps, weight_decay):
    beta1, beta2 = betas
    for p, state in zip(parameters, states, strict=True):
        state["t"] += 1
        state["m"] = beta1 * state["m"] + (1 - beta1) * p.grad
        state["v"] = beta2 * state["v"] + (1 - beta2) * p.grad**2
        p.mul_(1 - lr * weight_decay)
        p.sub_(lr * state["m"] / (1 - beta1 ** state["t"]) / (state["v"].sqrt() + eps))


def corrected_ones_kept(parameters, states, lr, betas, eps, weight_decay):
    beta1, beta2 = betas
    for p, state in zip(parameters, states, strict=True):
        state["t"] += 1
        state["m"] = (beta1 * state["m"] + (1 - beta1) * p.grad) / (1 - beta1 ** state["t"])
        state["v"] = (beta2 * state["v"] + (1 - beta2) * p.grad**2) / (1 - beta2 ** state["t"])
        p.mul_(1 - lr * weight_decay)
        p.sub_(lr * state["m"] / (state["v"].sqrt() + eps))


def decay_without_the_rate(parameters, states, lr, betas, eps, weight_decay):
    beta1, beta2 = betas
    for p, state in zip(parameters, states, strict=True):
        state["t"] += 1
        state["m"] = beta1 * state["m"] + (1 - beta1) * p.grad
        state["v"] = beta2 * state["v"] + (1 - beta2) * p.grad**2
        m, v = state["m"] / (1 - beta1 ** state["t"]), state["v"] / (1 - beta2 ** state["t"])
        p.mul_(1 - weight_decay)
        p.sub_(lr * m / (v.sqrt() + eps))


def counted_after_the_step(parameters, states, lr, betas, eps, weight_decay):
    beta1, beta2 = betas
    for p, state in zip(parameters, states, strict=True):
        state["m"] = beta1 * state["m"] + (1 - beta1) * p.grad
        state["v"] = beta2 * state["v"] + (1 - beta2) * p.grad**2
        m, v = state["m"] / (1 - beta1 ** state["t"]), state["v"] / (1 - beta2 ** state["t"])
        p.mul_(1 - lr * weight_decay)
        p.sub_(lr * m / (v.sqrt() + eps))
        state["t"] += 1


def power_forgotten(parameters, states, lr, betas, eps, weight_decay):
    beta1, beta2 = betas
    for p, state in zip(parameters, states, strict=True):
        state["t"] += 1
        state["m"] = beta1 * state["m"] + (1 - beta1) * p.grad
        state["v"] = beta2 * state["v"] + (1 - beta2) * p.grad**2
        p.mul_(1 - lr * weight_decay)
        p.sub_(lr * state["m"] / (1 - beta1) / ((state["v"] / (1 - beta2)).sqrt() + eps))


def sum_for_m(parameters, states, lr, betas, eps, weight_decay):
    beta1, beta2 = betas
    for p, state in zip(parameters, states, strict=True):
        state["t"] += 1
        state["m"] = beta1 * state["m"] + p.grad
        state["v"] = beta2 * state["v"] + (1 - beta2) * p.grad**2
        m, v = state["m"] / (1 - beta1 ** state["t"]), state["v"] / (1 - beta2 ** state["t"])
        p.mul_(1 - lr * weight_decay)
        p.sub_(lr * m / (v.sqrt() + eps))


def sum_for_v(parameters, states, lr, betas, eps, weight_decay):
    beta1, beta2 = betas
    for p, state in zip(parameters, states, strict=True):
        state["t"] += 1
        state["m"] = beta1 * state["m"] + (1 - beta1) * p.grad
        state["v"] = beta2 * state["v"] + p.grad**2
        m, v = state["m"] / (1 - beta1 ** state["t"]), state["v"] / (1 - beta2 ** state["t"])
        p.mul_(1 - lr * weight_decay)
        p.sub_(lr * m / (v.sqrt() + eps))


def only_v_corrected(parameters, states, lr, betas, eps, weight_decay):
    beta1, beta2 = betas
    for p, state in zip(parameters, states, strict=True):
        state["t"] += 1
        state["m"] = beta1 * state["m"] + (1 - beta1) * p.grad
        state["v"] = beta2 * state["v"] + (1 - beta2) * p.grad**2
        p.mul_(1 - lr * weight_decay)
        p.sub_(lr * state["m"] / ((state["v"] / (1 - beta2 ** state["t"])).sqrt() + eps))


def betas_exchanged(parameters, states, lr, betas, eps, weight_decay):
    beta2, beta1 = betas
    for p, state in zip(parameters, states, strict=True):
        state["t"] += 1
        state["m"] = beta1 * state["m"] + (1 - beta1) * p.grad
        state["v"] = beta2 * state["v"] + (1 - beta2) * p.grad**2
        m, v = state["m"] / (1 - beta1 ** state["t"]), state["v"] / (1 - beta2 ** state["t"])
        p.mul_(1 - lr * weight_decay)
        p.sub_(lr * m / (v.sqrt() + eps))


def eps_left_out(parameters, states, lr, betas, eps, weight_decay):
    beta1, beta2 = betas
    for p, state in zip(parameters, states, strict=True):
        state["t"] += 1
        state["m"] = beta1 * state["m"] + (1 - beta1) * p.grad
        state["v"] = beta2 * state["v"] + (1 - beta2) * p.grad**2
        m, v = state["m"] / (1 - beta1 ** state["t"]), state["v"] / (1 - beta2 ** state["t"])
        p.mul_(1 - lr * weight_decay)
        p.sub_(lr * m / v.sqrt())


def adam_uphill(parameters, states, lr, betas, eps, weight_decay):
    beta1, beta2 = betas
    for p, state in zip(parameters, states, strict=True):
        state["t"] += 1
        state["m"] = beta1 * state["m"] + (1 - beta1) * p.grad
        state["v"] = beta2 * state["v"] + (1 - beta2) * p.grad**2
        m, v = state["m"] / (1 - beta1 ** state["t"]), state["v"] / (1 - beta2 ** state["t"])
        p.mul_(1 - lr * weight_decay)
        p.add_(lr * m / (v.sqrt() + eps))


def only_the_first_state_counts(parameters, states, lr, betas, eps, weight_decay):
    beta1, beta2 = betas
    states[0]["t"] += 1
    t = states[0]["t"]
    for p, state in zip(parameters, states, strict=True):
        state["m"] = beta1 * state["m"] + (1 - beta1) * p.grad
        state["v"] = beta2 * state["v"] + (1 - beta2) * p.grad**2
        p.mul_(1 - lr * weight_decay)
        p.sub_(lr * state["m"] / (1 - beta1**t) / ((state["v"] / (1 - beta2**t)).sqrt() + eps))


def without_decay(parameters, states, lr, betas, eps, weight_decay):
    beta1, beta2 = betas
    for p, state in zip(parameters, states, strict=True):
        state["t"] += 1
        state["m"] = beta1 * state["m"] + (1 - beta1) * p.grad
        state["v"] = beta2 * state["v"] + (1 - beta2) * p.grad**2
        m, v = state["m"] / (1 - beta1 ** state["t"]), state["v"] / (1 - beta2 ** state["t"])
        p.sub_(lr * m / (v.sqrt() + eps))


def adam_in_turn(
    step: Callable, starts: Tensor, gradients: Tensor, lr: float, betas: tuple, eps: float, weight_decay: float
) -> dict:
    """Two parameters go several steps."""
    parameters = [nn.Parameter(start.clone()) for start in (starts[0], starts[1][:, None])]  # of two shapes
    states = [{"t": 0, "m": torch.zeros_like(p), "v": torch.zeros_like(p)} for p in parameters]
    given = list(parameters)
    places = {}
    with torch.no_grad():
        for number, pair in enumerate(gradients, start=1):
            for p, gradient in zip(given, pair, strict=True):
                p.grad = gradient.view_as(p).clone()
            step(parameters, states, lr, betas, eps, weight_decay)
            places[f"parameters after step {number}"] = torch.stack([p.flatten() for p in given])
            for name in ("t", "m", "v"):
                kept = [torch.as_tensor(state[name]).to(starts.dtype).flatten() for state in states]
                places[f"{name} of both after step {number}"] = torch.stack(kept)
    return places


# --- train_one_epoch ------------------------------------------------------------------------------------------


def train_one_epoch(model, batches, optimizer):
    """Go through the batches once, a step of the optimizer for each; returns the mean loss of a picture

    batches: anything that gives (images, labels) in a for loop
    The model may come in evaluation mode; it is left in training mode.
    """
    model.train()
    total = pictures = 0
    for images, labels in batches:
        loss = F.cross_entropy(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(labels)
        pictures += len(labels)
    return total / pictures


def gradients_pile_up(model, batches, optimizer):
    model.train()
    total = pictures = 0
    for images, labels in batches:
        loss = F.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(labels)
        pictures += len(labels)
    return total / pictures


def gradients_wiped_before_the_step(model, batches, optimizer):
    model.train()
    total = pictures = 0
    for images, labels in batches:
        loss = F.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.zero_grad()
        optimizer.step()
        total += loss.item() * len(labels)
        pictures += len(labels)
    return total / pictures


def step_before_backward(model, batches, optimizer):
    model.train()
    total = pictures = 0
    for images, labels in batches:
        loss = F.cross_entropy(model(images), labels)
        optimizer.step()
        optimizer.zero_grad()
        loss.backward()
        total += loss.item() * len(labels)
        pictures += len(labels)
    return total / pictures


def step_before_backward_and_all_piles_up(model, batches, optimizer):
    model.train()
    total = pictures = 0
    for images, labels in batches:
        loss = F.cross_entropy(model(images), labels)
        optimizer.zero_grad()
        optimizer.step()
        loss.backward()
        total += loss.item() * len(labels)
        pictures += len(labels)
    return total / pictures


def mode_left_as_it_was(model, batches, optimizer):
    total = pictures = 0
    for images, labels in batches:
        loss = F.cross_entropy(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(labels)
        pictures += len(labels)
    return total / pictures


def mean_of_means(model, batches, optimizer):
    model.train()
    losses = []
    for images, labels in batches:
        loss = F.cross_entropy(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return sum(losses) / len(losses)


def sum_not_mean(model, batches, optimizer):
    model.train()
    total = 0
    for images, labels in batches:
        loss = F.cross_entropy(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(labels)
    return total


def sum_of_means_by_pictures(model, batches, optimizer):
    model.train()
    total = pictures = 0
    for images, labels in batches:
        loss = F.cross_entropy(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item()
        pictures += len(labels)
    return total / pictures


def sum_by_the_batches(model, batches, optimizer):
    model.train()
    total = 0
    for images, labels in batches:
        loss = F.cross_entropy(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(labels)
    return total / len(batches)


def returns_after_one_batch(model, batches, optimizer):
    model.train()
    total = pictures = 0
    for images, labels in batches:
        loss = F.cross_entropy(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(labels)
        pictures += len(labels)
        break
    return total / pictures


def one_step_after_the_loop(model, batches, optimizer):
    model.train()
    total = pictures = 0
    optimizer.zero_grad()
    for images, labels in batches:
        loss = F.cross_entropy(model(images), labels)
        loss.backward()
        total += loss.item() * len(labels)
        pictures += len(labels)
    optimizer.step()
    return total / pictures


def last_loss_only(model, batches, optimizer):
    model.train()
    for images, labels in batches:
        loss = F.cross_entropy(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return loss.item()


def last_batch_only(model, batches, optimizer):
    model.train()
    for images, labels in batches:
        loss = F.cross_entropy(model(images), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def squashed_before_the_loss(model, batches, optimizer):
    model.train()
    total = pictures = 0
    for images, labels in batches:
        loss = F.cross_entropy(model(images).softmax(dim=1), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(labels)
        pictures += len(labels)
    return total / pictures


def linear_net() -> nn.Sequential:
    return nn.Sequential(nn.Flatten(), nn.Linear(12, 3))


def net_with_dropout() -> nn.Sequential:
    return nn.Sequential(nn.Flatten(), nn.Linear(12, 16), nn.ReLU(), nn.Dropout(0.5), nn.Linear(16, 3))


def net_with_batch_norm() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(1, 4, 2), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(24, 3))


def made(net: Callable, training: bool) -> nn.Sequential:
    """A net as it looks before anything is learnt, with running statistics that are not those of the pictures."""
    torch.manual_seed(7)
    model = net()
    for part in model:
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean.fill_(0.5)
            part.running_var.fill_(4.0)
    torch.manual_seed(8)  # what dropout draws does not depend on what was made before
    return model.train(training)


def state_of(model: nn.Module) -> Tensor:
    """Weights and running statistics in a row."""
    return torch.cat([tensor.flatten().float() for tensor in model.state_dict().values()])


def mode_of(model: nn.Module) -> str:
    modes = {part.training for part in model.modules()}
    return "training mode" if modes == {True} else "evaluation mode" if modes == {False} else "partly training mode"


class Batches:
    """Batches that can be gone through, which is counted, and not indexed: as a bar over shuffled ones gives them."""

    def __init__(self, images: Tensor, labels: Tensor, batch_size: int):
        self.batches = list(zip(images.split(batch_size), labels.split(batch_size), strict=True))
        self.passes = 0

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self):
        self.passes += 1
        return iter(self.batches)


def an_epoch(
    train: Callable, net: Callable, images: Tensor, labels: Tensor, batch_size: int, handed_over_in_eval: bool
) -> dict:
    """Train a net by gradient descent with momentum for one epoch."""
    model = made(net, training=not handed_over_in_eval)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.5)
    batches = Batches(images, labels, batch_size)
    loss = train(model, batches, optimizer)
    if isinstance(loss, Tensor) and loss.requires_grad:
        raise ValueError("the graph of every batch hangs on what came back, and fills the memory: use loss.item()")
    return {
        "weights after the epoch": state_of(model),
        "mean loss": loss,
        "the model is left in": mode_of(model),
        "times it goes through the batches": batches.passes,
    }


def pictures_of(draw: Draw, count: int) -> tuple[Tensor, Tensor]:
    """Pictures (count, 1, 3, 4) in three classes."""
    return draw(count, 1, 3, 4), labels_for(draw, count, 3)


def nets_and_batches(draw: Draw) -> list[Case]:
    first_optimizer()
    return [
        Case("one batch", linear_net, *pictures_of(draw, 4), 4, False),
        Case("three batches", linear_net, *pictures_of(draw, 12), 4, False),
        Case("the last batch is shorter", linear_net, *pictures_of(draw, 9), 4, False),
        Case("dropout, in eval()", net_with_dropout, *pictures_of(draw, 8), 4, True),
        Case("batch norm, in eval()", net_with_batch_norm, *pictures_of(draw, 8), 4, True),
    ]


# --- evaluate -------------------------------------------------------------------------------------------------


def evaluate(model, batches):
    """The share of pictures whose largest logit is the right class's, a number from 0 to 1

    In evaluation mode; afterwards the model is in the mode it came in.
    """
    was_training = model.training
    model.eval()
    right = pictures = 0
    with torch.no_grad():
        for images, labels in batches:
            right += (model(images).argmax(dim=1) == labels).sum().item()
            pictures += len(labels)
    model.train(was_training)
    return right / pictures


def not_in_eval(model, batches):
    was_training = model.training
    right = pictures = 0
    with torch.no_grad():
        for images, labels in batches:
            right += (model(images).argmax(dim=1) == labels).sum().item()
            pictures += len(labels)
    model.train(was_training)
    return right / pictures


def always_training_mode(model, batches):
    model.train()
    right = pictures = 0
    with torch.no_grad():
        for images, labels in batches:
            right += (model(images).argmax(dim=1) == labels).sum().item()
            pictures += len(labels)
    return right / pictures


def left_in_eval(model, batches):
    model.eval()
    right = pictures = 0
    with torch.no_grad():
        for images, labels in batches:
            right += (model(images).argmax(dim=1) == labels).sum().item()
            pictures += len(labels)
    return right / pictures


def left_in_training(model, batches):
    model.eval()
    right = pictures = 0
    with torch.no_grad():
        for images, labels in batches:
            right += (model(images).argmax(dim=1) == labels).sum().item()
            pictures += len(labels)
    model.train()
    return right / pictures


def which_picture(model, batches):
    was_training = model.training
    model.eval()
    right = pictures = 0
    with torch.no_grad():
        for images, labels in batches:
            right += (model(images).argmax(dim=0) == labels).sum().item()
            pictures += len(labels)
    model.train(was_training)
    return right / pictures


def mean_of_accuracies(model, batches):
    was_training = model.training
    model.eval()
    shares = []
    with torch.no_grad():
        for images, labels in batches:
            shares.append((model(images).argmax(dim=1) == labels).float().mean().item())
    model.train(was_training)
    return sum(shares) / len(shares)


def divided_by_the_batches(model, batches):
    was_training = model.training
    model.eval()
    right = 0
    with torch.no_grad():
        for images, labels in batches:
            right += (model(images).argmax(dim=1) == labels).sum().item()
    model.train(was_training)
    return right / len(batches)


def first_batch_counts(model, batches):
    was_training = model.training
    model.eval()
    right = pictures = 0
    with torch.no_grad():
        for images, labels in batches:
            right += (model(images).argmax(dim=1) == labels).sum().item()
            pictures += len(labels)
            break
    model.train(was_training)
    return right / pictures


def last_batch_counts(model, batches):
    was_training = model.training
    model.eval()
    with torch.no_grad():
        for images, labels in batches:
            share = (model(images).argmax(dim=1) == labels).float().mean().item()
    model.train(was_training)
    return share


def in_percent(model, batches):
    was_training = model.training
    model.eval()
    right = pictures = 0
    with torch.no_grad():
        for images, labels in batches:
            right += (model(images).argmax(dim=1) == labels).sum().item()
            pictures += len(labels)
    model.train(was_training)
    return 100 * right / pictures


def errors_counted(model, batches):
    was_training = model.training
    model.eval()
    wrong = pictures = 0
    with torch.no_grad():
        for images, labels in batches:
            wrong += (model(images).argmax(dim=1) != labels).sum().item()
            pictures += len(labels)
    model.train(was_training)
    return wrong / pictures


def a_measurement(
    evaluate: Callable, net: Callable, images: Tensor, labels: Tensor, batch_size: int, handed_over_in_eval: bool
) -> dict:
    """Measure a net and look whether it is still what it was."""
    model = made(net, training=not handed_over_in_eval)
    accuracy = evaluate(model, Batches(images, labels, batch_size))
    return {
        "accuracy": accuracy,
        "weights and running statistics": state_of(model),
        "the model is in": mode_of(model),
        "gradients left in the model": sum(p.grad is not None for p in model.parameters()),
        "parameters that can still learn": sum(p.requires_grad for p in model.parameters()),
        "autograd is": "on" if torch.is_grad_enabled() else "off",
    }


# --- batch_loss: find the fault -------------------------------------------------------------------------------


def batch_loss(model, images, labels):
    """The cross-entropy of the model's logits for these pictures, a tensor that can go backward"""
    logits = model(images)
    return F.cross_entropy(logits, labels)


def the_output_with_itself(model, images, labels):
    """The cross-entropy of the model's logits for these pictures, a tensor that can go backward"""
    logits = model(images)
    return F.cross_entropy(logits, logits)


def itself_in_other_words(model, images, labels):
    outputs = model(images)
    target = model(images)
    return F.cross_entropy(outputs, target)


def itself_detached(model, images, labels):
    logits = model(images)
    return F.cross_entropy(logits, logits.detach())


def its_own_probabilities(model, images, labels):
    logits = model(images)
    return F.cross_entropy(logits, logits.softmax(dim=1))


def its_own_answer(model, images, labels):
    logits = model(images)
    return F.cross_entropy(logits, logits.argmax(dim=1))


def softmax_first(model, images, labels):
    return F.cross_entropy(model(images).softmax(dim=1), labels)


def detached_logits(model, images, labels):
    return F.cross_entropy(model(images).detach(), labels)


def swapped(model, images, labels):
    return F.cross_entropy(labels, model(images))


def a_loss(batch_loss: Callable, net: Callable, images: Tensor, labels: Tensor) -> dict:
    """The loss of a batch, and what each weight is told by it."""
    model = made(net, training=True)
    loss = batch_loss(model, images, labels)
    gradients = torch.zeros_like(state_of(model))
    if isinstance(loss, Tensor) and loss.requires_grad and loss.dim() == 0:
        loss.backward()
        parts = [torch.zeros_like(p) if p.grad is None else p.grad for p in model.parameters()]
        gradients = torch.cat([part.flatten() for part in parts])
    else:
        gradients = torch.zeros(sum(p.numel() for p in model.parameters()))
    return {"loss": loss, "gradients of the weights": gradients}


# --- run_layers: find the fault -------------------------------------------------------------------------------


def run_layers(layers, x):
    """(N, D) -> logits (N, classes): the linear layers in turn, with a ReLU between each two"""
    for layer in layers[:-1]:
        x = F.relu(layer(x))
    return layers[-1](x)


def relu_on_the_logits(layers, x):
    """(N, D) -> logits (N, classes): the linear layers in turn, with a ReLU between each two"""
    for layer in layers:
        x = F.relu(layer(x))
    return x


def relu_on_the_logits_in_other_words(layers, x):
    for layer in layers[:-1]:
        x = F.relu(layer(x))
    return layers[-1](x).clamp(min=0)


def no_relu_at_all(layers, x):
    for layer in layers:
        x = layer(x)
    return x


def leaky_on_the_logits(layers, x):
    for layer in layers[:-1]:
        x = F.relu(layer(x))
    return F.leaky_relu(layers[-1](x))


def leaky_throughout(layers, x):
    for layer in layers[:-1]:
        x = F.leaky_relu(layer(x))
    return layers[-1](x)


def leaky_throughout_and_on_the_logits(layers, x):
    for layer in layers:
        x = F.leaky_relu(layer(x))
    return x


def takes_the_last_one_out(layers, x):
    last = layers.pop()
    for layer in layers:
        x = F.relu(layer(x))
    return last(x)


def relu_first(layers, x):
    for layer in layers:
        x = layer(F.relu(x))
    return x


def probabilities_not_logits(layers, x):
    for layer in layers[:-1]:
        x = F.relu(layer(x))
    return layers[-1](x).softmax(dim=1)


def log_probabilities_not_logits(layers, x):
    for layer in layers[:-1]:
        x = F.relu(layer(x))
    return layers[-1](x).log_softmax(dim=1)


def last_layer_left_out(layers, x):
    for layer in layers[:-1]:
        x = F.relu(layer(x))
    return x


def through_layers(run_layers: Callable, widths: tuple[int, ...], x: Tensor) -> dict:
    """What layers of these widths give, and what each weight is told by it."""
    torch.manual_seed(7)
    made = {pair: nn.Linear(*pair).to(x.dtype) for pair in pairwise(widths)}  # of equal layers there is one
    layers = [made[pair] for pair in pairwise(widths)]
    weights = [layer.weight for layer in layers]
    logits = run_layers(layers, x)
    if isinstance(logits, Tensor) and logits.requires_grad:
        sent = torch.linspace(0.5, 1.5, logits.numel(), dtype=logits.dtype).view_as(logits)
        received = torch.autograd.grad(logits, weights, sent, allow_unused=True)
    else:
        received = [None] * len(weights)
    told = [torch.zeros_like(w) if g is None else g for w, g in zip(weights, received, strict=True)]
    return {
        "logits": logits,
        "gradients of the weights": torch.cat([gradient.flatten() for gradient in told]),
        "layers left in the list": len(layers),
    }


FIRST_ONLY = "The first batch is the only one: does a `return` or `break` stand inside the loop?"

EXERCISES = (
    Exercise(
        lesson=LESSON,
        reference=cross_entropy,
        minutes=10,
        difficulty=3,
        gradients=True,
        cases=lambda draw: [
            Case("three pictures, four classes", draw(3, 4), torch.tensor([0, 3, 3])),
            Case("five pictures, two classes", draw(5, 2), torch.tensor([0, 0, 0, 1, 0])),
            Case("one picture", draw(1, 5), torch.tensor([2])),
            Case(
                "logits of 200 and −200",
                torch.tensor([[200.0, -200.0, 0.0], [-200.0, 0.0, 200.0]]),
                torch.tensor([1, 2]),
            ),
            Case("double precision stays double", draw(4, 3).double(), torch.tensor([2, 2, 0, 1])),
        ],
        drawn=drawn_logits,
        hints=(
            "log(softmax) of a logit is that logit minus the log of the sum of all exponentials in its row.",
            "`logits.logsumexp(dim=1, keepdim=True)` gives that log without overflow, shape (N, 1).",
            "`log_p[torch.arange(N), labels]` picks from each row the number that its label points at.",
        ),
        mistakes=(
            Mistake(
                squashed_twice,
                "The squashing happens twice (softmax, then log-softmax): with ten classes such a loss can never "
                "fall below 1.46.",
            ),
            *(
                Mistake(
                    f,
                    "At 200 a probability underflows to 0 before its log, or an exponential overflows: subtract "
                    "log-sum-exp instead.",
                )
                for f in (log_of_softmax, log_of_the_chosen, log_of_exp_by_hand, log_of_sum_by_hand)
            ),
            *(
                Mistake(
                    f,
                    "A small number under the log caps the loss and its gradient just where the answer is most wrong: "
                    "subtract log-sum-exp instead.",
                )
                for f in (
                    with_a_small_number_added,
                    with_a_smaller_number_added,
                    with_a_hundred_millionth_added,
                    with_a_billionth_of_a_thousandth_added,
                    clamped_before_the_log,
                )
            ),
            Mistake(
                largest_not_added_back,
                "What you took off before exp must come back after the log: log-sum-exp is the largest plus that.",
            ),
            Mistake(
                mean_over_all_numbers,
                "The zeros of the one-hot table were averaged in: divide by the number of pictures.",
            ),
            Mistake(sum_over_pictures, "That is the sum over the pictures; the mean is asked for."),
            *(
                Mistake(f, "The log is missing: a confident error should cost without bound.")
                for f in (probability_without_log, one_minus_probability)
            ),
            Mistake(pictures_compete, "The classes compete with one another, not the pictures: sum over dim 1."),
            Mistake(sign_forgotten, "The log of a probability is below 0: the loss is minus that."),
            Mistake(all_pairs, "`log_p[:, labels]` is a whole table: pair each row with its own label."),
            Mistake(in_bits, "That is in bits (log 2); PyTorch and this course count in nats."),
        ),
        not_allowed=(
            "torch.nn.functional.cross_entropy",
            "torch.nn.functional.nll_loss",
            "torch.nn.functional.log_softmax",
            "torch.log_softmax",
            "torch.Tensor.log_softmax",
            "torch.special.log_softmax",
            "course_utils.metrics",
        ),
    ),
    Exercise(
        lesson=LESSON,
        reference=momentum_step,
        trial=steps_in_turn,
        minutes=8,
        difficulty=3,
        cases=lambda draw: [
            Case("one step", draw(2, 3), draw(1, 2, 3), torch.tensor([0.1]), 0.9),
            Case("two steps", draw(2, 3), draw(2, 2, 3), torch.tensor([0.1, 0.1]), 0.9),
            Case("four steps, the rate changes", draw(2, 2), draw(4, 2, 2), torch.tensor([0.1, 0.4, 0.2, 0.05]), 0.8),
        ],
        drawn=drawn_steps,
        hints=(
            "First the velocity, then the parameter, and both in place: `v.mul_(...)`, `p.sub_(...)`.",
            "`v = momentum * v + p.grad` makes a new tensor and leaves the one in the list as it was.",
        ),
        mistakes=(
            Mistake(
                an_average,
                "(1 - momentum) makes it an average, and steps ten times smaller; PyTorch's buffer is a sum.",
            ),
            Mistake(rate_inside, "With the rate inside the velocity, old steps keep their old rate when it changes."),
            Mistake(
                yesterdays_velocity,
                "The parameter moved before the velocity was updated: the first step is zero.",
            ),
            *(
                Mistake(
                    f, "The velocity is not kept from step to step, so nothing rolls: change the tensor in the list."
                )
                for f in (velocity_not_kept, nothing_rolls)
            ),
            Mistake(
                velocity_is_the_gradient,
                "Your velocity is p.grad itself: wiping the gradient wipes it. Copy: p.grad.clone().",
            ),
            *(
                Mistake(
                    f,
                    "The model's parameters have not moved. `p - ...` makes a new tensor, whatever you put into "
                    "the list: p.sub_(...) or p -= ...",
                )
                for f in (parameter_not_moved, new_one_in_the_list, new_one_without_a_gradient)
            ),
            Mistake(
                sign_in_the_velocity,
                "The parameters are right, the velocities have the opposite sign: v adds gradients up, p takes v off.",
            ),
            Mistake(uphill, "That goes uphill: the gradient points to where the loss grows."),
            Mistake(looks_ahead, "That is Nesterov's momentum, which looks a step ahead; plain momentum is asked for."),
            Mistake(only_the_first_rolls, "Each parameter has a velocity of its own."),
        ),
        not_allowed=("torch.optim", "course_utils.optimizers"),
    ),
    Exercise(
        lesson=LESSON,
        reference=train_one_epoch,
        trial=an_epoch,
        minutes=12,
        difficulty=3,
        cases=nets_and_batches,
        drawn=lambda draw: (
            (linear_net, net_with_dropout, net_with_batch_norm)[draw.whole(0, 2)],
            *pictures_of(draw, draw.whole(4, 10)),
            draw.whole(2, 5),
            bool(draw.whole(0, 1)),
        ),
        hints=(
            "The order: put the model into training mode; for each batch: loss, zero_grad, backward, step.",
            "`loss.backward()` adds to the gradients that are there. Who wipes them, and when?",
            "A short last batch should count less: add up loss.item() * len(labels), divide by all pictures.",
        ),
        mistakes=(
            Mistake(
                gradients_pile_up,
                "Each step uses the sum of all gradients so far: wipe them with zero_grad before backward.",
            ),
            Mistake(
                gradients_wiped_before_the_step,
                "The weights never move: is optimizer.step() called, after backward and before the next zero_grad?",
            ),
            Mistake(
                step_before_backward,
                "The step uses the last batch's gradient (at first, none): step after backward.",
            ),
            Mistake(
                step_before_backward_and_all_piles_up,
                "The weights never move: is optimizer.step() called, after backward and before the next zero_grad?",
            ),
            Mistake(
                mode_left_as_it_was,
                "The model came in evaluation mode and was trained in it: dropout is off, running statistics stay. "
                "Call model.train() first.",
            ),
            Mistake(
                mean_of_means,
                "You averaged the means of the batches: a short last batch counts as much as a full one. Weigh each "
                "by its size.",
            ),
            Mistake(sum_not_mean, "That is the sum of all losses: divide by the number of pictures."),
            Mistake(
                sum_of_means_by_pictures,
                "Each batch's loss is a mean already: multiply it by len(labels) before you add it up.",
            ),
            Mistake(sum_by_the_batches, "Divide the sum by the number of pictures, not of batches."),
            Mistake(returns_after_one_batch, FIRST_ONLY),
            Mistake(one_step_after_the_loop, "One step for the whole epoch: each batch has its own, inside the loop."),
            Mistake(last_loss_only, "You returned the loss of the last batch alone."),
            Mistake(last_batch_only, "Only the last batch was learnt from: the three lines belong inside the loop."),
            Mistake(
                squashed_before_the_loss,
                "F.cross_entropy takes logits and does the softmax itself: yours is squashed twice.",
            ),
        ),
        not_allowed=("course_utils.training",),
    ),
    Exercise(
        lesson=LESSON,
        reference=evaluate,
        trial=a_measurement,
        minutes=8,
        difficulty=2,
        cases=lambda draw: [
            Case("batches of 4", linear_net, *pictures_of(draw, 12), 4, False),
            Case("batches of 3, in eval()", linear_net, *pictures_of(draw, 9), 3, True),
            Case("the last batch is one picture", linear_net, *pictures_of(draw, 9), 4, False),
            Case("dropout, in train()", net_with_dropout, *pictures_of(draw, 40), 8, False),
            Case("batch norm, in train()", net_with_batch_norm, *pictures_of(draw, 40), 8, False),
            Case("batch norm, batches of one picture", net_with_batch_norm, *pictures_of(draw, 20), 1, False),
            Case("batch norm, in eval()", net_with_batch_norm, *pictures_of(draw, 20), 4, True),
        ],
        drawn=lambda draw: (
            (linear_net, net_with_dropout, net_with_batch_norm)[draw.whole(0, 2)],
            *pictures_of(draw, draw.whole(4, 20)),
            draw.whole(1, 5),
            bool(draw.whole(0, 1)),
        ),
        hints=(
            "`model.eval()` switches dropout off and lets batch norm use its running statistics.",
            "Count the right ones and all of them; divide once, at the end.",
            "`model.training` tells the mode before you change it; `model.train(was_training)` puts it back.",
        ),
        mistakes=(
            Mistake(
                not_in_eval,
                "Not in evaluation mode: with batch statistics a picture's class depends on its neighbours, with "
                "dropout on chance.",
            ),
            Mistake(always_training_mode, "You switched to training mode; evaluation is model.eval()."),
            Mistake(left_in_eval, "The model is left in evaluation mode: the next epoch would train without dropout."),
            Mistake(left_in_training, "The model came in evaluation mode and is left in training mode: put it back."),
            Mistake(
                which_picture, "argmax over dim 0 asks which *picture* has the highest score; the classes are dim 1."
            ),
            Mistake(
                mean_of_accuracies,
                "You averaged the batches' accuracies: a short last batch counts as much as a full one.",
            ),
            Mistake(divided_by_the_batches, "Divide the right ones by the number of pictures, not of batches."),
            Mistake(first_batch_counts, FIRST_ONLY),
            Mistake(last_batch_counts, "Only the last batch counts: add up over all of them."),
            Mistake(in_percent, "A share from 0 to 1 is asked for, not percent."),
            Mistake(errors_counted, "You counted the errors."),
        ),
        not_allowed=("course_utils.training",),
    ),
    Exercise(
        lesson=LESSON,
        reference=batch_loss,
        trial=a_loss,
        fault=the_output_with_itself,
        minutes=5,
        difficulty=2,
        optional=True,
        cases=lambda draw: [
            Case("four pictures", linear_net, *pictures_of(draw, 4)),
            Case("one picture", linear_net, *pictures_of(draw, 1)),
            Case("a net with batch norm", net_with_batch_norm, *pictures_of(draw, 6)),
        ],
        drawn=lambda draw: (
            (linear_net, net_with_batch_norm)[draw.whole(0, 1)],
            *pictures_of(draw, draw.whole(2, 8)),
        ),
        hints=(
            "A cross-entropy cannot be below zero. What does F.cross_entropy take as its second argument?",
            "Which of the function's three arguments is not used?",
        ),
        mistakes=(
            *(
                Mistake(f, "The output is still compared with itself: the labels are what it should be compared with.")
                for f in (itself_in_other_words, itself_detached, its_own_probabilities, its_own_answer)
            ),
            Mistake(
                softmax_first, "F.cross_entropy takes logits and does the softmax itself: yours is squashed twice."
            ),
            Mistake(detached_logits, "The loss is right, but detached: no weight learns from it."),
            Mistake(swapped, "The order is logits first, labels second."),
        ),
    ),
    Exercise(
        lesson=LESSON,
        reference=run_layers,
        trial=through_layers,
        fault=relu_on_the_logits,
        minutes=6,
        difficulty=2,
        optional=True,
        cases=lambda draw: [
            Case("three layers", (4, 5, 5, 3), draw(6, 4)),
            Case("one layer", (4, 3), draw(6, 4)),
            Case("one picture", (4, 6, 5), draw(1, 4)),
            Case("double precision", (3, 8, 2), draw(5, 3).double()),
            Case("one layer twice", (4, 4, 4), draw(6, 4)),
        ],
        drawn=lambda draw: (
            (d := draw.whole(2, 5), *(draw.whole(2, 6) for _ in range(draw.whole(0, 2))), draw.whole(2, 5)),
            draw(draw.whole(1, 6), d),
        ),
        hints=(
            "Which numbers may a logit be? Which of them can come out of a ReLU?",
            "ReLU belongs *between* layers: after each one but the last.",
        ),
        mistakes=(
            Mistake(
                relu_on_the_logits_in_other_words,
                "A logit below zero gets no gradient through ReLU, so its class cannot come back: leave the last "
                "layer's answer as it is.",
            ),
            Mistake(no_relu_at_all, "Without any ReLU all layers together are one linear layer: keep those between."),
            *(
                Mistake(f, "Logits need no squeezing at all: leave the last layer's answer as it is.")
                for f in (leaky_on_the_logits, leaky_throughout_and_on_the_logits)
            ),
            Mistake(leaky_throughout, "The logits are free now; between the layers F.relu is asked for, as before."),
            Mistake(
                takes_the_last_one_out, "`pop` takes the layer out of the caller's list: `layers[-1]` only looks at it."
            ),
            Mistake(relu_first, "That cuts off the negative inputs: ReLU comes after a layer, not before the first."),
            *(
                Mistake(f, "Logits are asked for: the softmax is the loss's work.")
                for f in (probabilities_not_logits, log_probabilities_not_logits)
            ),
            Mistake(last_layer_left_out, "The last layer is left out: it has no ReLU, but it has its weights."),
        ),
    ),
    Exercise(
        lesson=LESSON,
        reference=adam_step,
        trial=adam_in_turn,
        minutes=15,
        difficulty=4,
        optional=True,
        cases=lambda draw: [
            Case("the first step", draw(2, 3), draw(1, 2, 3), 0.1, (0.9, 0.999), 1e-8, 0.0),
            Case("gradients of a millionth", draw(2, 3), 1e-6 * draw(2, 2, 3), 0.1, (0.9, 0.99), 1e-5, 0.0),
            Case("five steps", draw(2, 2), draw(5, 2, 2), 0.05, (0.8, 0.9), 1e-8, 0.0),
            Case("five steps, with decay", draw(2, 2), draw(5, 2, 2), 0.05, (0.8, 0.9), 1e-8, 0.5),
        ],
        drawn=lambda draw: (
            draw(2, size := draw.whole(1, 4)),
            10.0 ** -draw.whole(0, 6) * draw(draw.whole(1, 5), 2, size),
            0.1,
            (0.1 * draw.whole(1, 9), 0.99),
            10.0 ** -draw.whole(4, 8),
            0.1 * draw.whole(0, 5),
        ),
        hints=(
            "m follows the gradient, v its square; t counts the steps, from 1.",
            "After t steps m has seen only 1 - beta1**t of a full mean: divide by that. The same for v.",
            "The decay shrinks the parameter itself, by the factor 1 - lr * weight_decay.",
        ),
        mistakes=(
            Mistake(
                uncorrected,
                "Without the correction v starts farther from its mean than m: with 0.9 and 0.999 the first step is "
                "3.2 times too long.",
            ),
            Mistake(always_the_first_step, "t never grows: the correction of the first step is used for ever."),
            Mistake(power_forgotten, "The correction of the first step is used for ever: t is an exponent, beta ** t."),
            Mistake(
                counted_after_the_step, "t counts from 1: raise it first, or 1 - beta ** 0 is 0 and you divide by it."
            ),
            Mistake(
                corrected_ones_kept,
                "The corrected m and v go into the step alone: put into the state, they are corrected again and again.",
            ),
            *(
                Mistake(f, "(1 - beta) is missing where something new is added: m and v are averages, not sums.")
                for f in (sum_for_m, sum_for_v)
            ),
            Mistake(only_v_corrected, "m needs its correction too: it starts at 0 as v does."),
            Mistake(betas_exchanged, "betas are (beta1, beta2): the first for m, the second for v."),
            Mistake(eps_left_out, "eps is not used: beside a root of 0 it keeps the step finite."),
            Mistake(adam_uphill, "That goes uphill: take the step off, do not add it."),
            Mistake(only_the_first_state_counts, "Each state has a t of its own: count in all of them."),
            Mistake(
                decay_without_the_rate, "The parameter shrinks by 1 - lr * weight_decay: your factor lacks the rate."
            ),
            Mistake(
                no_root, "You divide by the squared size: rescaling the loss would change the step. Take the root."
            ),
            Mistake(gradient_not_squared, "v follows the gradient, not its square, and may turn negative (nan)."),
            Mistake(eps_under_the_root, "eps stands outside the root, beside it."),
            Mistake(
                decay_through_the_gradient,
                "The decay goes through m and v and is rescaled there; AdamW shrinks the parameter directly.",
            ),
            Mistake(
                parameter_rebound,
                "The parameters have not moved; `p = ...` would only make a new tensor: p.sub_(...) or p -= ...",
            ),
            Mistake(
                decay_after_the_step, "Shrink the parameter first, then take the step: yours shrinks the step too."
            ),
            Mistake(averages_not_kept, "m and v are not kept from step to step: put them back into the state."),
            Mistake(only_m_corrected, "v needs its correction too: it starts at 0 as m does."),
            Mistake(without_decay, "The weight decay that was given is not used."),
        ),
        not_allowed=("torch.optim", "course_utils.optimizers"),
    ),
)
