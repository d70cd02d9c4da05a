"""Optimizers: what to do with a gradient. Names, arguments and steps are those of ``torch.optim``.

``torch.optim.Optimizer`` keeps the parameter groups, so that rate schedules and checkpoints work with these as they
do with PyTorch's own; the step of each is written out here.
"""

import itertools
from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn
from torch.optim import Optimizer


class SGD(Optimizer):
    """Gradient descent, with momentum and Nesterov's look ahead.

    ``buffer = momentum * buffer + gradient`` (the first buffer is the gradient), then ``p = p - lr * buffer``; with
    ``nesterov`` the step is ``gradient + momentum * buffer``. The rate stands outside the buffer, so a change of
    rate acts at once.

    Args:
        params: parameters, or groups of them as for ``torch.optim``.
        lr: the rate, above 0.
        momentum: how much of the last step stays, in [0, 1).
        weight_decay: added to the gradient, times the parameter.
        nesterov: look ahead along the buffer; needs momentum.

    Raises:
        ValueError: if an argument is out of its range.

    Source: Sutskever, Martens, Dahl and Hinton, "On the importance of initialization and momentum in deep learning"
    (2013), section 2, with PyTorch's place for the rate.
    """

    def __init__(
        self,
        params: Iterable,
        lr: float = 1e-3,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
    ):
        _check(lr=lr, weight_decay=weight_decay, momentum=momentum)
        if nesterov and momentum == 0:
            raise ValueError("nesterov looks ahead along the momentum: give a momentum above 0")
        super().__init__(params, dict(lr=lr, momentum=momentum, weight_decay=weight_decay, nesterov=nesterov))

    @torch.no_grad()
    def step(self) -> None:
        """Move every parameter that has a gradient."""
        for p, gradient, state, group in _with_gradient(self):
            gradient = gradient + group["weight_decay"] * p
            if group["momentum"]:
                # clone: the gradient's own memory is used again for the next batch
                buffer = state["momentum_buffer"] = (
                    group["momentum"] * state["momentum_buffer"] + gradient if state else gradient.clone()
                )
                gradient = gradient + group["momentum"] * buffer if group["nesterov"] else buffer
            p -= group["lr"] * gradient


class RMSprop(Optimizer):
    """Divide each gradient by the root of its recent mean square, so that all parameters move alike.

    Args:
        params: parameters, or groups of them.
        lr: the rate, above 0.
        alpha: how much of the mean square stays, in [0, 1).
        eps: keeps the divisor from 0; stands outside the root.

    Raises:
        ValueError: if an argument is out of its range.

    Source: Hinton, "Neural networks for machine learning" (2012), lecture 6e.
    """

    def __init__(self, params: Iterable, lr: float = 1e-2, alpha: float = 0.99, eps: float = 1e-8):
        _check(lr=lr, eps=eps, alpha=alpha)
        super().__init__(params, dict(lr=lr, alpha=alpha, eps=eps))

    @torch.no_grad()
    def step(self) -> None:
        """Move every parameter that has a gradient."""
        for p, gradient, state, group in _with_gradient(self):
            if not state:
                state["square_avg"] = torch.zeros_like(p)
            state["square_avg"].lerp_(gradient**2, 1 - group["alpha"])
            p -= group["lr"] * gradient / (state["square_avg"].sqrt() + group["eps"])


class Adam(Optimizer):
    """Momentum and RMSprop in one, both corrected for having started at 0.

    ``m`` follows the gradient, ``v`` its square. After t steps they have seen only ``1 - beta ** t`` of a full mean,
    and are divided by that.

    Args:
        params: parameters, or groups of them.
        lr: the rate, above 0: about the length of a step.
        betas: how much of m and of v stays at each step, in [0, 1).
        eps: keeps the divisor from 0.
        weight_decay: added to the gradient, times the parameter, and so rescaled with it.

    Raises:
        ValueError: if an argument is out of its range.

    Source: Kingma and Ba, "Adam: a method for stochastic optimization" (2015), algorithm 1.
    """

    def __init__(
        self,
        params: Iterable,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ):
        for beta in betas:
            _check(lr=lr, eps=eps, weight_decay=weight_decay, betas=beta)
        super().__init__(params, dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay))

    @torch.no_grad()
    def step(self) -> None:
        """Move every parameter that has a gradient."""
        for p, gradient, state, group in _with_gradient(self):
            self.move(p, gradient + group["weight_decay"] * p, state, group)

    @staticmethod
    def move(p: Tensor, gradient: Tensor, state: dict, group: dict) -> None:
        """Adam's own step for one parameter p of any shape, by its gradient, its state and the options of its group."""
        if not state:
            state.update(step=0, exp_avg=torch.zeros_like(p), exp_avg_sq=torch.zeros_like(p))
        state["step"] += 1
        (beta1, beta2), t = group["betas"], state["step"]
        state["exp_avg"].lerp_(gradient, 1 - beta1)
        state["exp_avg_sq"].lerp_(gradient**2, 1 - beta2)
        m, v = state["exp_avg"] / (1 - beta1**t), state["exp_avg_sq"] / (1 - beta2**t)
        p -= group["lr"] * m / (v.sqrt() + group["eps"])


class AdamW(Adam):
    """Adam whose weight decay shrinks the parameters directly, instead of passing through m and v.

    Args, Raises: params, lr, betas and eps as in ``Adam``; ``weight_decay`` is 0.01 unless given.

    Source: Loshchilov and Hutter, "Decoupled weight decay regularization" (2019), algorithm 2.
    """

    def __init__(
        self,
        params: Iterable,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
    ):
        super().__init__(params, lr, betas, eps, weight_decay)

    @torch.no_grad()
    def step(self) -> None:
        """Move every parameter that has a gradient."""
        for p, gradient, state, group in _with_gradient(self):
            p *= 1 - group["lr"] * group["weight_decay"]
            self.move(p, gradient, state, group)


class Muon(Optimizer):
    """Momentum for matrices, made orthogonal: each step turns all directions of a weight alike, the weak ones too.

    Of the step's singular value decomposition ``U S V^T`` only ``U V^T`` is taken, approximately. As
    ``torch.optim.Muon`` (Nesterov's momentum, its default correction of the rate for tall matrices), which
    orthogonalises in bfloat16; here it is done in the gradient's own dtype, on most CPUs many times as fast.

    Args:
        params: matrices only, such as the weights of linear layers inside a network, or groups of them.
        lr: the rate, above 0.
        weight_decay: shrinks the weights directly, as in ``AdamW``.
        momentum: how much of the last step stays, in [0, 1).

    Raises:
        ValueError: if an argument is out of its range, or a parameter is no matrix.

    Source: Jordan et al., "Muon: an optimizer for hidden layers in neural networks" (2024).
    """

    def __init__(self, params: Iterable, lr: float = 1e-3, weight_decay: float = 0.1, momentum: float = 0.95):
        _check(lr=lr, weight_decay=weight_decay, momentum=momentum)
        super().__init__(params, dict(lr=lr, weight_decay=weight_decay, momentum=momentum))
        for p in itertools.chain(*(group["params"] for group in self.param_groups)):
            if p.dim() != 2:
                raise ValueError(f"params must be matrices, got one of shape {tuple(p.shape)}; give it to AdamW")

    @torch.no_grad()
    def step(self) -> None:
        """Move every parameter that has a gradient."""
        for p, gradient, state, group in _with_gradient(self):
            if not state:
                state["momentum_buffer"] = torch.zeros_like(p)
            state["momentum_buffer"].lerp_(gradient, 1 - group["momentum"])
            update = orthogonalized(gradient.lerp(state["momentum_buffer"], group["momentum"]))
            p *= 1 - group["lr"] * group["weight_decay"]
            p -= group["lr"] * max(1, p.shape[0] / p.shape[1]) ** 0.5 * update


def orthogonalized(matrix: Tensor, steps: int = 5) -> Tensor:
    """The nearest matrix with orthogonal rows (or columns), roughly: its singular values lie around 1, from 0.7 to 1.2.

    Newton and Schulz's iteration: an odd polynomial of the matrix acts on the singular values alone. These
    coefficients pull small ones up fast, and do not settle at exactly 1.

    Args:
        matrix: (m, n).
        steps: of the iteration.

    Source: Jordan et al., "Muon" (2024); the iteration: Björck and Bowie (1971).
    """
    a, b, c = 3.4445, -4.7750, 2.0315
    x = matrix.mT if matrix.shape[0] > matrix.shape[1] else matrix  # so that the products below are the smaller ones
    x = x / x.norm().clamp(min=1e-7)  # no singular value above 1
    for _ in range(steps):
        square = x @ x.mT
        x = a * x + (b * square + c * square @ square) @ x
    return x.mT if matrix.shape[0] > matrix.shape[1] else x


def _with_gradient(optimizer: Optimizer) -> Iterator[tuple[nn.Parameter, Tensor, dict, dict]]:
    """Each parameter that has a gradient, with that, its state and the options of its group."""
    for group in optimizer.param_groups:
        for p in group["params"]:
            if p.grad is not None:
                yield p, p.grad, optimizer.state[p], group


def _check(lr: float, eps: float = 0.0, weight_decay: float = 0.0, **shares: float) -> None:
    """``shares``: what stays from step to step, each in [0, 1)."""
    if lr <= 0:
        raise ValueError(f"lr must be above 0, got {lr}")
    if eps < 0:
        raise ValueError(f"eps must not be negative, got {eps}")
    if weight_decay < 0:
        raise ValueError(f"weight_decay must not be negative, got {weight_decay}")
    for name, share in shares.items():
        if not 0 <= share < 1:
            raise ValueError(f"{name} must lie in [0, 1), got {share}")
