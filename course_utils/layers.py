"""The layers around convolution and attention, written out: norms, dropout, GELU, and a Transformer's block.

Names, arguments, results and state-dict names are those of ``torch.nn``, but for the block, which is made of the others
and says how the state of ``torch.nn.TransformerEncoderLayer`` comes into it.
"""

import math

import torch
from torch import Tensor, nn

from .attention import MultiHeadAttention


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
        ValueError: if ``num_features`` or ``momentum`` is out of its range; in ``forward``, if x is not (N, C, H, W)
            with that many channels, or if a channel has one value only while training.

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


class LayerNorm(nn.Module):
    """Give each token mean 0 and spread 1, over its own numbers; then scale and shift each of them.

    No other token and no other picture has a say, so training and evaluation are alike. Arguments as
    ``torch.nn.LayerNorm``, which can also normalise over several axes and do without weight and bias.

    Args:
        normalized_shape: D, numbers in a token.
        eps: added to the (biased) variance under the root. PyTorch's default is 1e-5, torchvision's ViT has 1e-6.

    Attributes: weight, bias (D,).

    Raises:
        ValueError: if ``normalized_shape`` is below 1; in ``forward``, if the last axis of x has another length.

    Source: Ba, Kiros and Hinton, "Layer normalization" (2016), equation 3.
    """

    def __init__(self, normalized_shape: int, eps: float = 1e-5):
        super().__init__()
        if normalized_shape < 1:
            raise ValueError(f"normalized_shape must be at least 1, got {normalized_shape}")
        self.normalized_shape, self.eps = normalized_shape, eps
        self.weight = nn.Parameter(torch.ones(normalized_shape))
        self.bias = nn.Parameter(torch.zeros(normalized_shape))

    def forward(self, x: Tensor) -> Tensor:
        """(..., D) -> the same"""
        if x.dim() < 1 or x.shape[-1] != self.normalized_shape:
            raise ValueError(f"x must have shape (..., {self.normalized_shape}), got {tuple(x.shape)}")
        centred = x - x.mean(-1, keepdim=True)
        var = centred.square().mean(-1, keepdim=True)
        return centred / (var + self.eps).sqrt() * self.weight + self.bias


class GELU(nn.Module):
    """A soft ReLU: x times the share of the normal distribution that lies below x. Arguments as ``torch.nn.GELU``.

    Args:
        approximate: "none", or "tanh" for the formula that does without the error function.

    Raises:
        ValueError: if ``approximate`` is another word.

    Source: Hendrycks and Gimpel, "Gaussian error linear units" (2016), section 2.
    """

    def __init__(self, approximate: str = "none"):
        super().__init__()
        if approximate not in ("none", "tanh"):
            raise ValueError(f"approximate must be 'none' or 'tanh', got {approximate!r}")
        self.approximate = approximate

    def forward(self, x: Tensor) -> Tensor:
        """Any shape -> the same"""
        if self.approximate == "tanh":
            return x / 2 * (1 + (math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)).tanh())
        return x / 2 * (1 + (x / math.sqrt(2)).erf())


class FeedForward(nn.Sequential):
    """Two linear layers on each token by itself: (..., width) -> (..., hidden) -> (..., width).

    Args:
        width: numbers in a token.
        hidden: numbers in between.
        activation: between the two, GELU unless given.

    Source: Vaswani et al., "Attention is all you need" (2017), section 3.3, there with ReLU.
    """

    def __init__(self, width: int, hidden: int, activation: nn.Module | None = None):
        super().__init__(nn.Linear(width, hidden), activation or nn.GELU(), nn.Linear(hidden, width))


class StochasticDepth(nn.Module):
    """While training, leave a branch out for some pictures, and scale it up for the others, so that the mean stays.

    As ``torchvision.ops.StochasticDepth`` in its mode "row".

    Args:
        p: the share of the pictures that go without, in [0, 1].

    Raises:
        ValueError: if p does not lie in [0, 1].

    Source: Huang, Sun, Liu, Sedra and Weinberger, "Deep networks with stochastic depth" (2016), section 3.
    """

    def __init__(self, p: float):
        super().__init__()
        if not 0 <= p <= 1:
            raise ValueError(f"p must lie in [0, 1], got {p}")
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        """(N, ...), what a branch gives -> the same"""
        if not self.training or self.p == 0:
            return x
        if self.p == 1:
            return x * 0  # nothing is left to scale up
        kept = x.new_empty(len(x), *[1] * (x.dim() - 1)).bernoulli_(1 - self.p)  # (N, 1, ...), one draw per picture
        return x * kept / (1 - self.p)


class EncoderBlock(nn.Module):
    """A Transformer's block: tokens look at each other, then each thinks for itself; both add to what was there.

    Pre-norm (normalise what enters a branch, never the shortcut) or post-norm (normalise the sum), as
    ``torch.nn.TransformerEncoderLayer`` without dropout or in evaluation mode; ``from_encoder_layer`` renames its
    state.
    Norm and GELU inside are ``torch.nn``'s, which compute what this file's do in a tenth of the time.

    Args:
        width: numbers in a token.
        heads: of the attention; divides ``width``.
        mlp_width: numbers between the two linear layers.
        activation: between them, GELU unless given.
        norm_first: pre-norm.
        eps: of the norms.
        drop_path: the share of the pictures for which a branch is left out while training.

    Raises:
        ValueError: if ``heads`` does not divide ``width``; in ``forward``, if x has another shape.

    Source: Vaswani et al., "Attention is all you need" (2017), section 3.1; pre-norm: Xiong et al., "On layer
    normalization in the Transformer architecture" (2020), figure 1.
    """

    def __init__(
        self,
        width: int,
        heads: int,
        mlp_width: int,
        activation: nn.Module | None = None,
        norm_first: bool = True,
        eps: float = 1e-5,
        drop_path: float = 0.0,
    ):
        super().__init__()
        self.width, self.norm_first = width, norm_first
        self.norm1 = nn.LayerNorm(width, eps)
        self.attention = MultiHeadAttention(width, heads)
        self.norm2 = nn.LayerNorm(width, eps)
        self.mlp = FeedForward(width, mlp_width, activation)
        self.drop_path = StochasticDepth(drop_path)

    def forward(self, x: Tensor, attn_mask: Tensor | None = None) -> Tensor:
        """x (N, L, width), and ``attn_mask`` as ``attention.attention_weights`` takes it -> (N, L, width)"""
        if x.dim() != 3 or x.shape[-1] != self.width:
            raise ValueError(f"x must have shape (N, L, {self.width}), got {tuple(x.shape)}")
        if self.norm_first:
            x = x + self._look(self.norm1(x), attn_mask)
            return x + self.drop_path(self.mlp(self.norm2(x)))
        x = self.norm1(x + self._look(x, attn_mask))
        return self.norm2(x + self.drop_path(self.mlp(x)))

    def _look(self, x: Tensor, attn_mask: Tensor | None) -> Tensor:
        tokens, _ = self.attention(x, x, x, need_weights=False, attn_mask=attn_mask)
        return self.drop_path(tokens)


def from_encoder_layer(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The state of a ``torch.nn.TransformerEncoderLayer``, under the names of an ``EncoderBlock``."""
    names = {"self_attn.": "attention.", "linear1.": "mlp.0.", "linear2.": "mlp.2."}
    renamed = {}
    for name, tensor in state.items():
        for theirs, ours in names.items():
            name = name.replace(theirs, ours)
        renamed[name] = tensor
    return renamed
