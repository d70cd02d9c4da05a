"""What does a trained network look at? Answers that leave the network as it was.

Each function puts the model into evaluation mode while it works and afterwards back into the modes it was in; weights,
gradients and running statistics stay untouched.
"""

import contextlib
from collections.abc import Iterator

import torch
from torch import Generator, Tensor, nn

from . import metrics
from .attention import MultiHeadAttention
from .training import bar, in_mode


def feature_maps(model: nn.Module, layer: str, x: Tensor) -> Tensor:
    """What a layer inside a model gives for these pictures.

    Args:
        model: any.
        layer: its name, one of ``dict(model.named_modules())``.
        x: (N, C, H, W), normalised.

    Returns:
        The layer's output, for a convolution (N, channels, h, w).

    Raises:
        ValueError: if there is no such layer, or the model does not use it.
    """
    with in_mode(model, training=False), torch.no_grad(), _listening(model, layer) as heard:
        model(x)
        return heard[-1] if heard else _unused(layer)


def grad_cam(model: nn.Module, layer: str, x: Tensor, target: Tensor) -> Tensor:
    """Where in the picture is what speaks for a class? The layer's maps, weighed by what they do for its logit.

    A map's weight is the mean of the logit's gradient over the map; the weighted sum of the maps is cut off below 0,
    so that only what speaks for the class is left.

    Args:
        model: gives logits.
        layer: by name; one whose maps (N, channels, h, w) still have places.
        x: (N, C, H, W), normalised.
        target: the class to explain, for each picture, (N,).

    Returns:
        (N, h, w), at least 0, at the layer's resolution.

    Raises:
        TypeError, ValueError: if the layer is not there, not used or without places, or ``target`` does not fit.

    Source: Selvaraju, Cogswell, Das, Vedantam, Parikh and Batra, "Grad-CAM" (2017), equations 1 and 2.
    """
    with in_mode(model, training=False), torch.enable_grad():
        with _listening(model, layer) as heard:
            logits = model(x.detach().requires_grad_())  # a path for the gradient, even if all weights are frozen
        maps = heard[-1] if heard else _unused(layer)
        if maps.dim() != 4:
            raise ValueError(f"layer {layer!r} gives {tuple(maps.shape)}; Grad-CAM needs maps (N, channels, h, w)")
        (gradient,) = torch.autograd.grad(_of_class(logits, target).sum(), maps)
    weights = gradient.mean((2, 3), keepdim=True)  # (N, channels, 1, 1)
    return (weights * maps).sum(dim=1).relu().detach()  # (N, h, w)


@torch.no_grad()
def occlusion(model: nn.Module, x: Tensor, target: Tensor, size: int, stride: int, fill: float = 0.0) -> Tensor:
    """How much of a class's probability is lost when a square of the picture is covered, for each place of it.

    Args:
        model: gives logits.
        x: (N, C, H, W), normalised.
        target: the class, for each picture, (N,).
        size: pixels along the square's side.
        stride: pixels from one place to the next.
        fill: what covers it.

    Returns:
        (N, rows, columns): the probability without the square minus that with it; below 0 where covering helps.

    Raises:
        TypeError, ValueError: if the square is larger than the picture or ``stride`` is below 1, or ``target`` does
            not fit.

    Source: Zeiler and Fergus, "Visualizing and understanding convolutional networks" (2014), section 4.2.
    """
    height, width = x.shape[-2:]
    if not 1 <= size <= min(height, width):
        raise ValueError(f"size must lie between 1 and {min(height, width)}, got {size}")
    if stride < 1:
        raise ValueError(f"stride must be at least 1, got {stride}")
    tops, lefts = range(0, height - size + 1, stride), range(0, width - size + 1, stride)
    with in_mode(model, training=False):
        whole = _of_class(model(x).softmax(dim=1), target)  # (N,)
        lost = []
        for top in tops:
            for left in lefts:
                covered = x.clone()
                covered[..., top : top + size, left : left + size] = fill
                lost.append(whole - _of_class(model(covered).softmax(dim=1), target))
    return torch.stack(lost, dim=1).view(len(x), len(tops), len(lefts))


def fast_gradient_sign(model: nn.Module, x: Tensor, target: Tensor, epsilon: float, low: float, high: float) -> Tensor:
    """Change every pixel a little, in the direction that raises the loss: an adversarial picture.

    ``x + epsilon * sign(gradient of the loss)``, kept between black and white.

    Args:
        model: gives logits.
        x: (N, C, H, W), normalised.
        target: the right classes, (N,).
        epsilon: how far each pixel may move, in the units of x, at least 0.
        low, high: black and white in the units of x.

    Returns:
        (N, C, H, W), without a graph.

    Raises:
        TypeError, ValueError: if ``epsilon`` is below 0, ``low`` is not below ``high``, or ``target`` does not fit.

    Source: Goodfellow, Shlens and Szegedy, "Explaining and harnessing adversarial examples" (2015), section 4.
    """
    if not epsilon >= 0:
        raise ValueError(f"epsilon must be at least 0, got {epsilon}")
    if not low < high:
        raise ValueError(f"low must lie below high, got {low} and {high}")
    with in_mode(model, training=False), torch.enable_grad():
        x = x.detach().requires_grad_()
        loss = metrics.cross_entropy(model(x), target, reduction="sum")
        (gradient,) = torch.autograd.grad(loss, x)
    return (x.detach() + epsilon * gradient.sign()).clamp(low, high)


@torch.no_grad()
def region_importance(
    model: nn.Module, x: Tensor, target: Tensor, rows: int, columns: int, generator: Generator | None = None
) -> Tensor:
    """How much accuracy is lost when a region of the pictures is dealt out anew among them.

    What was there is still something that occurs there, but it no longer goes with the rest of the picture. So it
    tells what a model needs of a region on the whole, not for one picture.

    Args:
        model: gives logits.
        x: (N, C, H, W), normalised.
        target: the right classes, (N,).
        rows, columns: of the grid of regions.
        generator: deals.

    Returns:
        (rows, columns): the accuracy on x minus that with the region dealt out anew.

    Raises:
        TypeError, ValueError: if the grid is finer than the pixels, or ``target`` does not fit.

    Source: Breiman, "Random forests" (2001), section 10, for variables.
    """
    height, width = x.shape[-2:]
    if not (1 <= rows <= height and 1 <= columns <= width):
        raise ValueError(f"rows and columns must lie between 1 and {height} and {width}, got {rows} and {columns}")
    lost = torch.empty(rows, columns)
    with in_mode(model, training=False), bar(0, rows * columns) as show:
        whole = metrics.accuracy(model(x), target)
        for i, lines in enumerate(torch.arange(height).tensor_split(rows)):
            for j, places in enumerate(torch.arange(width).tensor_split(columns)):
                region = (..., slice(lines[0], lines[-1] + 1), slice(places[0], places[-1] + 1))
                dealt = x.clone()
                dealt[region] = x[region][torch.randperm(len(x), generator=generator)]
                lost[i, j] = whole - metrics.accuracy(model(dealt), target)
                show()
    return lost


@torch.no_grad()
def attention_maps(model: nn.Module, x: Tensor) -> Tensor:
    """Who looks where in a Transformer: the weights of each head of each attention, for these pictures.

    Args:
        model: with ``MultiHeadAttention`` inside, or ``torch.nn.MultiheadAttention`` (batch first), all alike in heads
            and tokens.
        x: (N, C, H, W), normalised.

    Returns:
        (layers, N, heads, L, S), in the order in which the model uses them; each row 1 in sum.

    Raises:
        ValueError: if no picture passes through an attention.
    """
    heard: list[Tensor] = []

    def hear(layer: nn.Module, inputs: tuple, options: dict, output: object) -> None:
        asked = options | {"need_weights": True, "average_attn_weights": False}
        heard.append(layer.forward(*inputs, **asked)[1])  # forward itself, as a call would come here again

    kinds = MultiHeadAttention, nn.MultiheadAttention
    layers = [layer for layer in model.modules() if isinstance(layer, kinds)]
    with in_mode(model, training=False), contextlib.ExitStack() as stack:
        for layer in layers:
            stack.callback(layer.register_forward_hook(hear, with_kwargs=True).remove)
        model(x)
    if not heard:
        raise ValueError("model: these pictures passed through no attention in it, so there are no maps")
    return torch.stack(heard)


def attention_rollout(weights: Tensor) -> Tensor:
    """From which tokens of the picture has each token of the last layer gathered, all layers taken together?

    A layer passes on ``(A + I) / 2``: half by its attention, half past it by the shortcut. The product of all layers,
    the last one leftmost, traces what arrives back to where it came from. Values and MLPs are left out of account.

    Args:
        weights: (layers, N, L, L), the first layer first, each row 1 in sum: the mean of ``attention_maps`` over heads.

    Returns:
        (N, L, L), each row 1 in sum.

    Raises:
        ValueError: if ``weights`` has another shape.

    Source: Abnar and Zuidema, "Quantifying attention flow in Transformers" (2020), section 3.
    """
    if weights.dim() != 4 or weights.shape[-1] != weights.shape[-2] or len(weights) == 0:
        raise ValueError(
            f"weights must have shape (layers, N, L, L), got {tuple(weights.shape)}; for attention_maps take "
            "maps.mean(dim=2), the mean over the heads"
        )
    came_from = torch.eye(weights.shape[-1], dtype=weights.dtype, device=weights.device)  # (L, L)
    for layer in (weights + came_from) / 2:  # (N, L, L)
        came_from = layer @ came_from
    return came_from


@contextlib.contextmanager
def _listening(model: nn.Module, layer: str) -> Iterator[list[Tensor]]:
    """A list of what the layer gives from now on, until the end of the ``with`` block."""
    layers = dict(model.named_modules())
    if layer not in layers:
        raise ValueError(f"layer {layer!r} is not in the model; it has {', '.join(filter(None, layers))}")
    heard: list[Tensor] = []
    handle = layers[layer].register_forward_hook(lambda module, inputs, output: heard.append(output))
    try:
        yield heard
    finally:
        handle.remove()


def _unused(layer: str) -> Tensor:
    raise ValueError(f"layer {layer!r} is in the model, but these pictures did not pass through it")


def _of_class(scores: Tensor, target: Tensor) -> Tensor:
    """(N, C), (N,) -> the score of each picture's class, (N,)"""
    if target.shape != scores.shape[:1] or target.dtype != torch.int64:
        raise TypeError(f"target must be int64 of shape ({len(scores)},), got {target.dtype} {tuple(target.shape)}")
    if len(target) and not 0 <= target.min() <= target.max() < scores.shape[1]:
        raise ValueError(
            f"target must lie between 0 and {scores.shape[1] - 1}, got {int(target.min())} to {int(target.max())}"
        )
    return scores.gather(1, target[:, None]).squeeze(1)
