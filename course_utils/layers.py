"""Layers between the convolutions, written out: batch normalisation and dropout.

Names, arguments, results and state-dict names are those of ``torch.nn``.
"""

import torch
from torch import Tensor, nn


class BatchNorm2d(nn.Module):
    """Give each channel mean 0 and spread 1, over the pictures and pixels of the batch; then scale and shift it.

    While training, the batch's own mean and (biased) variance are used, and running averages follow them; the
    running variance follows the unbiased one. In evaluation the running averages are used, so that the answer for a
    picture does not depend on its neighbours. Arguments as ``torch.nn.BatchNorm2d``, which can also do without
    weight, bias and running averages.

    Args:
        num_features: channels.
        eps: added to the variance under the root.
        momentum: how far the running averages move towards the batch's, in (0, 1].

    Attributes: weight, bias, running_mean, running_var (C,); num_batches_tracked.

    Raises:
        ValueError: in ``forward``, if x is not (N, C, H, W) with that many channels, or if a channel has one value
            only while training.

    Source: Ioffe and Szegedy, "Batch normalization" (2015), algorithms 1 and 2.
    """

    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float = 0.1):
        super().__init__()
        if num_features < 1:
            raise ValueError(f"num_features must be at least 1, got {num_features}")
        if not 0 < momentum <= 1:
            raise ValueError(f"momentum must lie in (0, 1], got {momentum}")
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.weight = nn.Parameter(torch.ones(num_features))
        self.bias = nn.Parameter(torch.zeros(num_features))
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_var", torch.ones(num_features))
        self.register_buffer("num_batches_tracked", torch.tensor(0))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> the same"""
        if x.dim() != 4 or x.shape[1] != self.num_features:
            raise ValueError(f"x must have shape (N, {self.num_features}, H, W), got {tuple(x.shape)}")
        if self.training:
            mean, var = x.mean((0, 2, 3)), x.var((0, 2, 3), correction=0)  # (C,)
            self._follow(mean.detach(), var.detach(), values=x[:, 0].numel())
        else:
            mean, var = self.running_mean, self.running_var
        scale = self.weight / (var + self.eps).sqrt()
        return (x - mean[:, None, None]) * scale[:, None, None] + self.bias[:, None, None]

    @torch.no_grad()
    def _follow(self, mean: Tensor, var: Tensor, values: int) -> None:
        """Move the running averages towards those of a batch with so many values a channel."""
        if values < 2:
            raise ValueError(f"x: {values} value for each channel has no spread; take more pictures or call eval()")
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(var * values / (values - 1), self.momentum)
        self.num_batches_tracked += 1


class Dropout(nn.Module):
    """While training, set each number to 0 with probability p and scale the others up, so that the mean stays.

    In evaluation nothing happens. Arguments as ``torch.nn.Dropout``, which can also work in place.

    Raises:
        ValueError: if p does not lie in [0, 1].

    Source: Srivastava, Hinton, Krizhevsky, Sutskever and Salakhutdinov, "Dropout" (2014), section 4, with the scaling
    moved from evaluation to training.
    """

    def __init__(self, p: float = 0.5):
        super().__init__()
        if not 0 <= p <= 1:
            raise ValueError(f"p must lie in [0, 1], got {p}")
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        """Any shape -> the same"""
        if not self.training:
            return x
        if self.p == 1:
            return x * 0  # nothing is left to scale up
        kept = torch.empty_like(x).bernoulli_(1 - self.p)
        return x * kept / (1 - self.p)
