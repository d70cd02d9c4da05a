"""The exercises of lesson 06: a picture as a row of tokens, the blocks that read it, and what they looked at."""

import math
import zlib
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .exercise import Case, Draw, Exercise, Mistake

LESSON = "06_vision_transformer"


# --- patchify -------------------------------------------------------------------------------------------------


def patchify(x, patch_size):
    """(N, C, H, W), (ph, pw) -> (N, L, C * ph * pw), the patches in rows from the top left

    L = (H / ph) * (W / pw). Inside a patch the numbers run as in x: channel by channel, row by row.
    """
    n, channels, height, width = x.shape
    ph, pw = patch_size
    x = x.reshape(n, channels, height // ph, ph, width // pw, pw)
    x = x.permute(0, 2, 4, 1, 3, 5)  # (N, H / ph, W / pw, C, ph, pw)
    return x.reshape(n, -1, channels * ph * pw)


def strips_of_rows(x, patch_size):
    n, channels, _, _ = x.shape
    ph, pw = patch_size
    return x.reshape(n, -1, channels * ph * pw)


def strips_of_rows_by_view(x, patch_size):
    n, channels, _, _ = x.shape
    ph, pw = patch_size
    return x.view(n, -1, channels * ph * pw)


def height_and_width_swapped(x, patch_size):
    n, channels, height, width = x.shape
    pw, ph = patch_size
    x = x.reshape(n, channels, height // ph, ph, width // pw, pw)
    return x.permute(0, 2, 4, 1, 3, 5).reshape(n, -1, channels * ph * pw)


def square_patches(x, patch_size):
    n, channels, height, width = x.shape
    p = patch_size[0]
    x = x.reshape(n, channels, height // p, p, width // p, p)
    return x.permute(0, 2, 4, 1, 3, 5).reshape(n, -1, channels * p * p)


def channels_last_in_a_patch(x, patch_size):
    n, channels, height, width = x.shape
    ph, pw = patch_size
    x = x.reshape(n, channels, height // ph, ph, width // pw, pw)
    return x.permute(0, 2, 4, 3, 5, 1).reshape(n, -1, channels * ph * pw)


def channels_before_the_grid(x, patch_size):
    n, channels, _, _ = x.shape
    ph, pw = patch_size
    x = x.unfold(2, ph, ph).unfold(3, pw, pw)  # (N, C, H / ph, W / pw, ph, pw)
    return x.reshape(n, -1, channels * ph * pw)


def patches_transposed(x, patch_size):
    n, channels, height, width = x.shape
    ph, pw = patch_size
    x = x.reshape(n, channels, height // ph, ph, width // pw, pw)
    return x.permute(0, 2, 4, 1, 5, 3).reshape(n, -1, channels * ph * pw)


def patches_in_columns(x, patch_size):
    n, channels, height, width = x.shape
    ph, pw = patch_size
    x = x.reshape(n, channels, height // ph, ph, width // pw, pw)
    return x.permute(0, 4, 2, 1, 3, 5).reshape(n, -1, channels * ph * pw)


def grid_kept(x, patch_size):
    n, channels, height, width = x.shape
    ph, pw = patch_size
    x = x.reshape(n, channels, height // ph, ph, width // pw, pw)
    return x.permute(0, 2, 4, 1, 3, 5).flatten(3)


def patches_last(x, patch_size):
    n, channels, height, width = x.shape
    ph, pw = patch_size
    x = x.reshape(n, channels, height // ph, ph, width // pw, pw)
    return x.permute(0, 1, 3, 5, 2, 4).reshape(n, channels * ph * pw, -1)


def pixels_far_apart(x, patch_size):
    n, channels, height, width = x.shape
    ph, pw = patch_size
    x = x.reshape(n, channels, ph, height // ph, pw, width // pw)
    return x.permute(0, 3, 5, 1, 2, 4).reshape(n, -1, channels * ph * pw)


def so_many_patches(x, patch_size):
    n, channels, height, width = x.shape
    rows, columns = patch_size
    x = x.reshape(n, channels, rows, height // rows, columns, width // columns)
    return x.permute(0, 2, 4, 1, 3, 5).reshape(n, rows * columns, -1)


def every_place_a_patch(x, patch_size):
    ph, pw = patch_size
    windows = x.unfold(2, ph, 1).unfold(3, pw, 1)
    return windows.permute(0, 2, 3, 1, 4, 5).flatten(3).flatten(1, 2)


def all_pictures_in_one_row(x, patch_size):
    n, channels, height, width = x.shape
    ph, pw = patch_size
    x = x.reshape(n, channels, height // ph, ph, width // pw, pw)
    return x.permute(0, 2, 4, 1, 3, 5).reshape(-1, channels * ph * pw)


def drawn_picture(draw: Draw) -> tuple[Tensor, tuple[int, int]]:
    ph, pw = draw.whole(1, 3), draw.whole(1, 3)
    x = draw(draw.whole(1, 3), draw.whole(1, 3), ph * draw.whole(1, 4), pw * draw.whole(1, 4))
    return (x.double() if draw.whole(0, 1) else x), (ph, pw)


# --- unpatchify -----------------------------------------------------------------------------------------------


def unpatchify(patches, patch_size, size):
    """(N, L, C * ph * pw), (ph, pw), (H, W) -> (N, C, H, W), the pictures that patchify has cut up"""
    n = patches.shape[0]
    (ph, pw), (height, width) = patch_size, size
    x = patches.reshape(n, height // ph, width // pw, -1, ph, pw)
    x = x.permute(0, 3, 1, 4, 2, 5)  # (N, C, H / ph, ph, W / pw, pw)
    return x.reshape(n, -1, height, width)


def only_the_shape(patches, patch_size, size):
    height, width = size
    return patches.reshape(patches.shape[0], -1, height, width)


def channels_moved_and_no_more(patches, patch_size, size):
    n = patches.shape[0]
    (ph, pw), (height, width) = patch_size, size
    x = patches.reshape(n, height // ph, width // pw, -1, ph, pw)
    return x.permute(0, 3, 1, 2, 4, 5).reshape(n, -1, height, width)


def same_permutation_again(patches, patch_size, size):
    n = patches.shape[0]
    (ph, pw), (height, width) = patch_size, size
    x = patches.reshape(n, height // ph, width // pw, -1, ph, pw)
    return x.permute(0, 2, 4, 1, 3, 5).reshape(n, -1, height, width)


def patch_sides_swapped(patches, patch_size, size):
    n = patches.shape[0]
    (pw, ph), (height, width) = patch_size, size
    x = patches.reshape(n, height // ph, width // pw, -1, ph, pw)
    return x.permute(0, 3, 1, 4, 2, 5).reshape(n, -1, height, width)


def picture_sides_swapped(patches, patch_size, size):
    n = patches.shape[0]
    (ph, pw), (width, height) = patch_size, size
    x = patches.reshape(n, height // ph, width // pw, -1, ph, pw)
    return x.permute(0, 3, 1, 4, 2, 5).reshape(n, -1, height, width)


def square_patches_again(patches, patch_size, size):
    n = patches.shape[0]
    p, (height, width) = patch_size[0], size
    x = patches.reshape(n, height // p, width // p, -1, p, p)
    return x.permute(0, 3, 1, 4, 2, 5).reshape(n, -1, height, width)


def channels_thought_last(patches, patch_size, size):
    n = patches.shape[0]
    (ph, pw), (height, width) = patch_size, size
    x = patches.reshape(n, height // ph, width // pw, ph, pw, -1)
    return x.permute(0, 5, 1, 3, 2, 4).reshape(n, -1, height, width)


def grid_thought_in_columns(patches, patch_size, size):
    n = patches.shape[0]
    (ph, pw), (height, width) = patch_size, size
    x = patches.reshape(n, width // pw, height // ph, -1, ph, pw)
    return x.permute(0, 3, 2, 4, 1, 5).reshape(n, -1, height, width)


def three_channels(patches, patch_size, size):
    n = patches.shape[0]
    (ph, pw), (height, width) = patch_size, size
    x = patches.reshape(n, height // ph, width // pw, 3, ph, pw)
    return x.permute(0, 3, 1, 4, 2, 5).reshape(n, 3, height, width)


def cut(x: Tensor, patch_size: tuple[int, int]) -> tuple[Tensor, tuple[int, int], tuple[int, int]]:
    """What unpatchify is given for a picture."""
    return patchify(x, patch_size), patch_size, tuple(x.shape[2:])


# --- A class: what it builds ----------------------------------------------------------------------------------


def what_it_builds(built: object, asked: dict[str, tuple[int, ...]], x: Tensor) -> dict:
    """The parameters asked for, by name; and with the same numbers in each, the outputs and all gradients.

    Where the parameters are not those asked for, what would follow is left out.
    """
    if not isinstance(built, nn.Module):
        return {"what it builds": f"a {type(built).__name__}"}
    parameters = dict(built.named_parameters())
    seen = {"what it builds": "an nn.Module", **{name: kind_of(built, name) for name in asked}}
    seen["parameters beyond these"] = ", ".join(sorted(parameters.keys() - asked.keys())) or "none"
    if seen != {
        "what it builds": "an nn.Module",
        **{name: f"a parameter of shape {shape}" for name, shape in asked.items()},
        "parameters beyond these": "none",
    }:
        return seen
    built.to(x.dtype)
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(numbers_for(name, parameter))
    before = x.clone()
    seen["output"] = built(x)
    seen["x, after the call"] = "as it was" if x.equal(before) else "changed"
    if seen["output"] is None or not x.equal(before):
        return seen
    seen["output in eval()"] = built.eval()(x)
    built.train()
    x = before.requires_grad_()
    return seen | gradients_of(built(x), {"x": x, **{name: parameters[name] for name in asked}})


def kind_of(built: nn.Module, name: str) -> str:
    """What stands under a dotted name."""
    thing = built
    for part in name.split("."):
        thing = getattr(thing, part, None)
    if isinstance(thing, nn.Parameter):
        if name not in dict(built.named_parameters()):
            return "a parameter that has another name too"
        wants = "" if thing.requires_grad else " that wants no gradient"
        return f"a parameter of shape {tuple(thing.shape)}{wants}"
    if isinstance(thing, Tensor):
        return "a tensor, but no parameter"
    return "nothing of that name" if thing is None else f"a {type(thing).__name__}"


def numbers_for(name: str, parameter: Tensor) -> Tensor:
    """Drawn numbers that depend on a parameter's name and shape alone, not on the order in which it was made."""
    shape = tuple(parameter.shape)
    generator = torch.Generator().manual_seed(zlib.crc32(f"{name} {shape}".encode()))
    return torch.randn(shape, generator=generator) * math.sqrt(shape[0] / parameter.numel())


def gradients_of(value: object, wanted: dict[str, Tensor]) -> dict[str, str | Tensor]:
    """Which tensors a gradient does not reach, and what it is; the one sent back differs in every place."""
    received = (None,) * len(wanted)
    if isinstance(value, Tensor) and value.requires_grad:
        sent = torch.linspace(0.5, 1.5, value.numel(), dtype=value.dtype).view(value.shape)
        received = torch.autograd.grad(value, tuple(wanted.values()), sent, allow_unused=True)
    gradients = dict(zip(wanted, received, strict=True))
    missed = ", ".join(name for name, gradient in gradients.items() if gradient is None)
    seen = {"tensors that no gradient reaches": missed or "none"}
    for name, gradient in gradients.items():
        seen[f"gradient of {name}"] = torch.zeros_like(wanted[name]) if gradient is None else gradient
    return seen


# --- PatchEmbedding -------------------------------------------------------------------------------------------


class PatchEmbedding(nn.Module):
    """(N, C, H, W) -> (N, 1 + L, width): a class token, then a token for each patch, in rows from the top left

    projection: a convolution with bias whose kernel is one patch and whose stride is one patch
    class_token: a parameter of shape (1, 1, width), the same for every picture
    """

    def __init__(self, patch_size, channels, width):
        super().__init__()
        self.projection = nn.Conv2d(channels, width, kernel_size=patch_size, stride=patch_size)
        self.class_token = nn.Parameter(torch.zeros(1, 1, width))

    def forward(self, x):
        tokens = self.projection(x).flatten(2).transpose(1, 2)  # (N, L, width)
        class_token = self.class_token.expand(len(x), -1, -1)
        return torch.cat([class_token, tokens], dim=1)


class MapReshaped(nn.Module):
    def __init__(self, patch_size, channels, width):
        super().__init__()
        self.projection = nn.Conv2d(channels, width, kernel_size=patch_size, stride=patch_size)
        self.class_token = nn.Parameter(torch.zeros(1, 1, width))

    def forward(self, x):
        tokens = self.projection(x).reshape(len(x), -1, self.class_token.shape[2])
        return torch.cat([self.class_token.expand(len(x), -1, -1), tokens], dim=1)


class FeaturesBeforeTokens(nn.Module):
    def __init__(self, patch_size, channels, width):
        super().__init__()
        self.projection = nn.Conv2d(channels, width, kernel_size=patch_size, stride=patch_size)
        self.class_token = nn.Parameter(torch.zeros(1, 1, width))

    def forward(self, x):
        class_token = self.class_token.expand(len(x), -1, -1).transpose(1, 2)
        return torch.cat([class_token, self.projection(x).flatten(2)], dim=2)


class GridInColumns(nn.Module):
    def __init__(self, patch_size, channels, width):
        super().__init__()
        self.projection = nn.Conv2d(channels, width, kernel_size=patch_size, stride=patch_size)
        self.class_token = nn.Parameter(torch.zeros(1, 1, width))

    def forward(self, x):
        tokens = self.projection(x).transpose(1, 3).flatten(1, 2)
        return torch.cat([self.class_token.expand(len(x), -1, -1), tokens], dim=1)


class StrideLeftAtOne(nn.Module):
    def __init__(self, patch_size, channels, width):
        super().__init__()
        self.projection = nn.Conv2d(channels, width, kernel_size=patch_size)
        self.class_token = nn.Parameter(torch.zeros(1, 1, width))

    def forward(self, x):
        tokens = self.projection(x).flatten(2).transpose(1, 2)
        return torch.cat([self.class_token.expand(len(x), -1, -1), tokens], dim=1)


class OtherOrderThanTheWeight(nn.Module):
    def __init__(self, patch_size, channels, width):
        super().__init__()
        self.projection = nn.Conv2d(channels, width, kernel_size=patch_size, stride=patch_size)
        self.class_token = nn.Parameter(torch.zeros(1, 1, width))
        self.patch_size = patch_size

    def forward(self, x):
        n, p = len(x), self.patch_size
        patches = x.unfold(2, p, p).unfold(3, p, p).permute(0, 2, 3, 4, 5, 1)  # (N, rows, columns, ph, pw, C)
        tokens = F.linear(patches.flatten(3).flatten(1, 2), self.projection.weight.flatten(1), self.projection.bias)
        return torch.cat([self.class_token.expand(n, -1, -1), tokens], dim=1)


class LinearMap(nn.Module):
    def __init__(self, patch_size, channels, width):
        super().__init__()
        self.projection = nn.Linear(channels * patch_size**2, width)
        self.class_token = nn.Parameter(torch.zeros(1, 1, width))
        self.patch_size = patch_size

    def forward(self, x):
        p = self.patch_size
        patches = x.unfold(2, p, p).unfold(3, p, p).permute(0, 2, 3, 1, 4, 5)
        tokens = self.projection(patches.flatten(3).flatten(1, 2))
        return torch.cat([self.class_token.expand(len(x), -1, -1), tokens], dim=1)


class LayerMadeInForward(nn.Module):
    def __init__(self, patch_size, channels, width):
        super().__init__()
        self.sizes = channels, width, patch_size
        self.class_token = nn.Parameter(torch.zeros(1, 1, width))

    def forward(self, x):
        channels, width, patch_size = self.sizes
        projection = nn.Conv2d(channels, width, kernel_size=patch_size, stride=patch_size)
        tokens = projection(x).flatten(2).transpose(1, 2)
        return torch.cat([self.class_token.expand(len(x), -1, -1), tokens], dim=1)


class PlainClassToken(nn.Module):
    def __init__(self, patch_size, channels, width):
        super().__init__()
        self.projection = nn.Conv2d(channels, width, kernel_size=patch_size, stride=patch_size)
        self.class_token = torch.zeros(1, 1, width)

    def forward(self, x):
        tokens = self.projection(x).flatten(2).transpose(1, 2)
        return torch.cat([self.class_token.expand(len(x), -1, -1), tokens], dim=1)


class ClassTokenAsBuffer(nn.Module):
    def __init__(self, patch_size, channels, width):
        super().__init__()
        self.projection = nn.Conv2d(channels, width, kernel_size=patch_size, stride=patch_size)
        self.register_buffer("class_token", torch.zeros(1, 1, width))

    def forward(self, x):
        tokens = self.projection(x).flatten(2).transpose(1, 2)
        return torch.cat([self.class_token.expand(len(x), -1, -1), tokens], dim=1)


class ClassTokenMadeInForward(nn.Module):
    def __init__(self, patch_size, channels, width):
        super().__init__()
        self.projection = nn.Conv2d(channels, width, kernel_size=patch_size, stride=patch_size)

    def forward(self, x):
        tokens = self.projection(x).flatten(2).transpose(1, 2)
        class_token = nn.Parameter(torch.zeros(1, 1, tokens.shape[2]))
        return torch.cat([class_token.expand(len(x), -1, -1), tokens], dim=1)


class ClassTokenDetached(nn.Module):
    def __init__(self, patch_size, channels, width):
        super().__init__()
        self.projection = nn.Conv2d(channels, width, kernel_size=patch_size, stride=patch_size)
        self.class_token = nn.Parameter(torch.zeros(1, 1, width))

    def forward(self, x):
        tokens = self.projection(x).flatten(2).transpose(1, 2)
        return torch.cat([self.class_token.data.expand(len(x), -1, -1), tokens], dim=1)


class ClassTokenLast(nn.Module):
    def __init__(self, patch_size, channels, width):
        super().__init__()
        self.projection = nn.Conv2d(channels, width, kernel_size=patch_size, stride=patch_size)
        self.class_token = nn.Parameter(torch.zeros(1, 1, width))

    def forward(self, x):
        tokens = self.projection(x).flatten(2).transpose(1, 2)
        return torch.cat([tokens, self.class_token.expand(len(x), -1, -1)], dim=1)


class ClassTokenNotRepeated(nn.Module):
    def __init__(self, patch_size, channels, width):
        super().__init__()
        self.projection = nn.Conv2d(channels, width, kernel_size=patch_size, stride=patch_size)
        self.class_token = nn.Parameter(torch.zeros(1, 1, width))

    def forward(self, x):
        tokens = self.projection(x).flatten(2).transpose(1, 2)
        return torch.cat([self.class_token, tokens], dim=1)


class ClassTokenNotUsed(nn.Module):
    def __init__(self, patch_size, channels, width):
        super().__init__()
        self.projection = nn.Conv2d(channels, width, kernel_size=patch_size, stride=patch_size)
        self.class_token = nn.Parameter(torch.zeros(1, 1, width))

    def forward(self, x):
        return self.projection(x).flatten(2).transpose(1, 2)


class ClassTokenAdded(nn.Module):
    def __init__(self, patch_size, channels, width):
        super().__init__()
        self.projection = nn.Conv2d(channels, width, kernel_size=patch_size, stride=patch_size)
        self.class_token = nn.Parameter(torch.zeros(1, 1, width))

    def forward(self, x):
        return self.projection(x).flatten(2).transpose(1, 2) + self.class_token


def an_embedding(answer: Callable, patch_size: int, channels: int, width: int, x: Tensor) -> dict:
    """Build it, with numbers of ours in its parameters, and let it embed x."""
    asked = {
        "projection.weight": (width, channels, patch_size, patch_size),
        "projection.bias": (width,),
        "class_token": (1, 1, width),
    }
    return what_it_builds(answer(patch_size, channels, width), asked, x)


def drawn_embedding(draw: Draw) -> tuple:
    patch_size, channels, width = draw.whole(1, 4), draw.whole(1, 3), draw.whole(1, 7)
    x = draw(draw.whole(1, 3), channels, patch_size * draw.whole(1, 4), patch_size * draw.whole(1, 4))
    return patch_size, channels, width, (x.double() if draw.whole(0, 1) else x)


# --- EncoderBlock ---------------------------------------------------------------------------------------------


class EncoderBlock(nn.Module):
    """(N, L, width) -> (N, L, width): x + attention(norm1(x)), and then x + mlp(norm2(x)) of that

    norm1, norm2: nn.LayerNorm, with PyTorch's eps
    attention: nn.MultiheadAttention of so many heads, batch first; queries, keys and values are the same tokens
    mlp: nn.Sequential of a linear map to mlp_width, nn.GELU, and a linear map back to width
    """

    def __init__(self, width, heads, mlp_width):
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, mlp_width), nn.GELU(), nn.Linear(mlp_width, width))

    def forward(self, x):
        h = self.norm1(x)
        attended, _ = self.attention(h, h, h)  # the weights come second
        x = x + attended
        return x + self.mlp(self.norm2(x))


class BatchTakenForTheSequence(nn.Module):
    def __init__(self, width, heads, mlp_width):
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, heads)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, mlp_width), nn.GELU(), nn.Linear(mlp_width, width))

    def forward(self, x):
        h = self.norm1(x)
        x = x + self.attention(h, h, h)[0]
        return x + self.mlp(self.norm2(x))


class PostNorm(nn.Module):
    def __init__(self, width, heads, mlp_width):
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, mlp_width), nn.GELU(), nn.Linear(mlp_width, width))

    def forward(self, x):
        x = self.norm1(x + self.attention(x, x, x)[0])
        return self.norm2(x + self.mlp(x))


class BothShortcutsNormalised(nn.Module):
    def __init__(self, width, heads, mlp_width):
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, mlp_width), nn.GELU(), nn.Linear(mlp_width, width))

    def forward(self, x):
        x = self.norm1(x)
        x = x + self.attention(x, x, x)[0]
        x = self.norm2(x)
        return x + self.mlp(x)


class FirstShortcutNormalised(nn.Module):
    def __init__(self, width, heads, mlp_width):
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, mlp_width), nn.GELU(), nn.Linear(mlp_width, width))

    def forward(self, x):
        x = self.norm1(x)
        x = x + self.attention(x, x, x)[0]
        return x + self.mlp(self.norm2(x))


class NoFirstShortcut(nn.Module):
    def __init__(self, width, heads, mlp_width):
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, mlp_width), nn.GELU(), nn.Linear(mlp_width, width))

    def forward(self, x):
        h = self.norm1(x)
        x = self.attention(h, h, h)[0]
        return x + self.mlp(self.norm2(x))


class NoSecondShortcut(nn.Module):
    def __init__(self, width, heads, mlp_width):
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, mlp_width), nn.GELU(), nn.Linear(mlp_width, width))

    def forward(self, x):
        h = self.norm1(x)
        x = x + self.attention(h, h, h)[0]
        return self.mlp(self.norm2(x))


class BranchesSideBySide(nn.Module):
    def __init__(self, width, heads, mlp_width):
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, mlp_width), nn.GELU(), nn.Linear(mlp_width, width))

    def forward(self, x):
        h = self.norm1(x)
        return x + self.attention(h, h, h)[0] + self.mlp(self.norm2(x))


class OneNormForBoth(nn.Module):
    def __init__(self, width, heads, mlp_width):
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, mlp_width), nn.GELU(), nn.Linear(mlp_width, width))

    def forward(self, x):
        h = self.norm1(x)
        x = x + self.attention(h, h, h)[0]
        return x + self.mlp(self.norm1(x))


class OnlyQueriesNormalised(nn.Module):
    def __init__(self, width, heads, mlp_width):
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, mlp_width), nn.GELU(), nn.Linear(mlp_width, width))

    def forward(self, x):
        x = x + self.attention(self.norm1(x), x, x)[0]
        return x + self.mlp(self.norm2(x))


class OnlyValuesNormalised(nn.Module):
    def __init__(self, width, heads, mlp_width):
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, mlp_width), nn.GELU(), nn.Linear(mlp_width, width))

    def forward(self, x):
        x = x + self.attention(x, x, self.norm1(x))[0]
        return x + self.mlp(self.norm2(x))


class SecondNormForgotten(nn.Module):
    def __init__(self, width, heads, mlp_width):
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, mlp_width), nn.GELU(), nn.Linear(mlp_width, width))

    def forward(self, x):
        h = self.norm1(x)
        x = x + self.attention(h, h, h)[0]
        return x + self.mlp(x)


class MlpFirst(nn.Module):
    def __init__(self, width, heads, mlp_width):
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, mlp_width), nn.GELU(), nn.Linear(mlp_width, width))

    def forward(self, x):
        x = x + self.mlp(self.norm2(x))
        h = self.norm1(x)
        return x + self.attention(h, h, h)[0]


class OneHead(nn.Module):
    def __init__(self, width, heads, mlp_width):
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, 1, batch_first=True)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, mlp_width), nn.GELU(), nn.Linear(mlp_width, width))

    def forward(self, x):
        h = self.norm1(x)
        x = x + self.attention(h, h, h)[0]
        return x + self.mlp(self.norm2(x))


class OtherEps(nn.Module):
    def __init__(self, width, heads, mlp_width):
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = nn.Sequential(nn.Linear(width, mlp_width), nn.GELU(), nn.Linear(mlp_width, width))

    def forward(self, x):
        h = self.norm1(x)
        x = x + self.attention(h, h, h)[0]
        return x + self.mlp(self.norm2(x))


class ReluForGelu(nn.Module):
    def __init__(self, width, heads, mlp_width):
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, mlp_width), nn.ReLU(), nn.Linear(mlp_width, width))

    def forward(self, x):
        h = self.norm1(x)
        x = x + self.attention(h, h, h)[0]
        return x + self.mlp(self.norm2(x))


class NoGelu(nn.Module):
    def __init__(self, width, heads, mlp_width):
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, mlp_width), nn.Linear(mlp_width, width))

    def forward(self, x):
        h = self.norm1(x)
        x = x + self.attention(h, h, h)[0]
        return x + self.mlp(self.norm2(x))


class ChangesItsInput(nn.Module):
    def __init__(self, width, heads, mlp_width):
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, mlp_width), nn.GELU(), nn.Linear(mlp_width, width))

    def forward(self, x):
        h = self.norm1(x)
        x += self.attention(h, h, h)[0]
        return x + self.mlp(self.norm2(x))


def a_block(answer: Callable, width: int, heads: int, mlp_width: int, x: Tensor) -> dict:
    """Build it, with numbers of ours in its parameters, and send x through."""
    asked = {
        "norm1.weight": (width,),
        "norm1.bias": (width,),
        "attention.in_proj_weight": (3 * width, width),
        "attention.in_proj_bias": (3 * width,),
        "attention.out_proj.weight": (width, width),
        "attention.out_proj.bias": (width,),
        "norm2.weight": (width,),
        "norm2.bias": (width,),
        "mlp.0.weight": (mlp_width, width),
        "mlp.0.bias": (mlp_width,),
        "mlp.2.weight": (width, mlp_width),
        "mlp.2.bias": (width,),
    }
    return what_it_builds(answer(width, heads, mlp_width), asked, x)


def drawn_block(draw: Draw) -> tuple:
    heads = draw.whole(1, 3)
    width = heads * draw.whole(2, 4)
    x = 2 * draw(draw.whole(1, 4), draw.whole(1, 6), width) + draw.whole(-3, 3)
    return width, heads, draw.whole(2, 12), (x.double() if draw.whole(0, 1) else x)


# --- shuffle_patches ------------------------------------------------------------------------------------------


def shuffle_patches(tokens, positions, order):
    """(N, L, D), (L, D), (L,) -> (N, L, D): the tokens of every picture in that order, then the positions added

    Place i gets token order[i], and then position i: a token is told where it stands, not where it came from.
    """
    return tokens[:, order] + positions


def positions_added_before(tokens, positions, order):
    return (tokens + positions)[:, order]


def positions_shuffled_too(tokens, positions, order):
    return tokens[:, order] + positions[order]


def positions_shuffled_alone(tokens, positions, order):
    return tokens + positions[order]


def order_turned_round(tokens, positions, order):
    return tokens[:, order.argsort()] + positions


def written_to_places(tokens, positions, order):
    shuffled = torch.empty_like(tokens)
    shuffled[:, order] = tokens
    return shuffled + positions


def features_shuffled(tokens, positions, order):
    return tokens[:, :, order] + positions


def pictures_shuffled(tokens, positions, order):
    return tokens[order] + positions


def another_order_for_each(tokens, positions, order):
    return torch.stack([picture[torch.randperm(len(order))] for picture in tokens]) + positions


def another_order_for_each_by_sorting(tokens, positions, order):
    orders = torch.rand(tokens.shape[:2]).argsort(dim=1)
    return tokens.gather(1, orders[:, :, None].expand_as(tokens)) + positions


def an_order_of_its_own(tokens, positions, order):
    return tokens[:, torch.randperm(len(order))] + positions


def not_shuffled(tokens, positions, order):
    return tokens + positions


def without_positions(tokens, positions, order):
    return tokens[:, order]


def positions_as_more_features(tokens, positions, order):
    return torch.cat([tokens[:, order], positions.expand_as(tokens)], dim=-1)


def drawn_shuffle(draw: Draw) -> tuple[Tensor, Tensor, Tensor]:
    n, length, width = draw.whole(1, 4), draw.whole(1, 6), draw.whole(1, 5)
    tokens, positions = draw(n, length, width), draw(length, width)
    order = draw(length).argsort()
    return (tokens.double(), positions.double(), order) if draw.whole(0, 1) else (tokens, positions, order)


# --- self_attention -------------------------------------------------------------------------------------------


def self_attention(x, w_q, w_k, w_v):
    """(N, L, D), three (D, D) -> the output, (N, L, D), and the weights, (N, L, L)

    Queries x @ w_q, keys x @ w_k, values x @ w_v; one head; the scores are divided by sqrt(D).
    Row i of the weights says how token i looks at the others: softmax makes it sum to 1.
    """
    q, k, v = x @ w_q, x @ w_k, x @ w_v
    scores = q @ k.transpose(1, 2) / math.sqrt(x.shape[2])
    weights = scores.softmax(dim=2)
    return weights @ v, weights


def one_projection_for_all(x, w_q, w_k, w_v):
    """(N, L, D), three (D, D) -> the output, (N, L, D), and the weights, (N, L, L)

    Queries x @ w_q, keys x @ w_k, values x @ w_v; one head; the scores are divided by sqrt(D).
    Row i of the weights says how token i looks at the others: softmax makes it sum to 1.
    """
    q = k = v = x @ w_q
    scores = q @ k.transpose(1, 2) / math.sqrt(x.shape[2])
    weights = scores.softmax(dim=2)
    return weights @ v, weights


def the_same_fault(x, w_q, w_k, w_v):
    h = torch.matmul(x, w_q)
    weights = torch.softmax(h @ h.mT / x.shape[-1] ** 0.5, dim=-1)
    return weights @ h, weights


def keys_are_the_queries(x, w_q, w_k, w_v):
    q, v = x @ w_q, x @ w_v
    weights = (q @ q.mT / math.sqrt(x.shape[2])).softmax(dim=2)
    return weights @ v, weights


def queries_are_the_keys(x, w_q, w_k, w_v):
    k, v = x @ w_k, x @ w_v
    weights = (k @ k.mT / math.sqrt(x.shape[2])).softmax(dim=2)
    return weights @ v, weights


def softmax_by_hand(x, w_q, w_k, w_v):
    q, k, v = x @ w_q, x @ w_k, x @ w_v
    e = (q @ k.mT / math.sqrt(x.shape[2])).exp()
    weights = e / e.sum(dim=2, keepdim=True)
    return weights @ v, weights


def no_projection(x, w_q, w_k, w_v):
    weights = (x @ x.mT / math.sqrt(x.shape[2])).softmax(dim=2)
    return weights @ x, weights


def values_are_the_tokens(x, w_q, w_k, w_v):
    weights = (x @ w_q @ (x @ w_k).mT / math.sqrt(x.shape[2])).softmax(dim=2)
    return weights @ x, weights


def values_are_the_keys(x, w_q, w_k, w_v):
    q, k = x @ w_q, x @ w_k
    weights = (q @ k.mT / math.sqrt(x.shape[2])).softmax(dim=2)
    return weights @ k, weights


def values_are_the_queries(x, w_q, w_k, w_v):
    q, k = x @ w_q, x @ w_k
    weights = (q @ k.mT / math.sqrt(x.shape[2])).softmax(dim=2)
    return weights @ q, weights


def queries_and_keys_swapped(x, w_q, w_k, w_v):
    q, k, v = x @ w_q, x @ w_k, x @ w_v
    weights = (k @ q.mT / math.sqrt(x.shape[2])).softmax(dim=2)
    return weights @ v, weights


def weights_of_projections_transposed(x, w_q, w_k, w_v):
    q, k, v = F.linear(x, w_q), F.linear(x, w_k), F.linear(x, w_v)
    weights = (q @ k.mT / math.sqrt(x.shape[2])).softmax(dim=2)
    return weights @ v, weights


def scale_forgotten(x, w_q, w_k, w_v):
    q, k, v = x @ w_q, x @ w_k, x @ w_v
    weights = (q @ k.mT).softmax(dim=2)
    return weights @ v, weights


def divided_by_the_width(x, w_q, w_k, w_v):
    q, k, v = x @ w_q, x @ w_k, x @ w_v
    weights = (q @ k.mT / x.shape[2]).softmax(dim=2)
    return weights @ v, weights


def root_of_the_length(x, w_q, w_k, w_v):
    q, k, v = x @ w_q, x @ w_k, x @ w_v
    weights = (q @ k.mT / math.sqrt(x.shape[1])).softmax(dim=2)
    return weights @ v, weights


def scaled_after_softmax(x, w_q, w_k, w_v):
    q, k, v = x @ w_q, x @ w_k, x @ w_v
    weights = (q @ k.mT).softmax(dim=2) / math.sqrt(x.shape[2])
    return weights @ v, weights


def normalised_over_queries(x, w_q, w_k, w_v):
    q, k, v = x @ w_q, x @ w_k, x @ w_v
    weights = (q @ k.mT / math.sqrt(x.shape[2])).softmax(dim=1)
    return weights @ v, weights


def scores_beside_the_output(x, w_q, w_k, w_v):
    q, k, v = x @ w_q, x @ w_k, x @ w_v
    scores = q @ k.mT / math.sqrt(x.shape[2])
    return scores.softmax(dim=2) @ v, scores


def softmax_left_out(x, w_q, w_k, w_v):
    q, k, v = x @ w_q, x @ w_k, x @ w_v
    scores = q @ k.mT / math.sqrt(x.shape[2])
    return scores @ v, scores


def weights_first(x, w_q, w_k, w_v):
    q, k, v = x @ w_q, x @ w_k, x @ w_v
    weights = (q @ k.mT / math.sqrt(x.shape[2])).softmax(dim=2)
    return weights, weights @ v


def output_and_weights(self_attention: Callable, x: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor) -> dict | None:
    """The two answers by name, and the gradients of the first."""
    given = {"x": x, "w_q": w_q, "w_k": w_k, "w_v": w_v}
    given = {name: tensor.clone().requires_grad_() for name, tensor in given.items()}
    pair = self_attention(*given.values())
    if pair is None:
        return None
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        raise TypeError("two tensors are asked for: end with `return output, weights`")
    return {"output": pair[0], "weights": pair[1], **gradients_of(pair[0], given)}


def drawn_projections(draw: Draw) -> tuple[Tensor, ...]:
    n, length, width = draw.whole(1, 3), draw.whole(1, 5), draw.whole(1, 5)
    given = draw(n, length, width), draw(width, width), draw(width, width), draw(width, width)
    return tuple(tensor.double() for tensor in given) if draw.whole(0, 1) else given


# --- parameter_count ------------------------------------------------------------------------------------------


def parameter_count(width, depth, mlp_width, patches, patch_values, classes):
    """How many numbers a Vision Transformer learns, a whole number

    A linear map of a patch's patch_values numbers to width; a class token; a position for it and for each patch;
    depth blocks of two layer norms, attention (its four maps) and an MLP (width -> mlp_width -> width);
    a last layer norm; a linear map to the classes. Every linear map has a bias.
    """
    embedding = patch_values * width + width
    tokens = width + (1 + patches) * width
    norm = 2 * width  # a factor and a shift for each feature
    attention = 4 * (width * width + width)  # queries, keys, values, output
    mlp = width * mlp_width + mlp_width + mlp_width * width + width
    head = width * classes + classes
    return embedding + tokens + depth * (2 * norm + attention + mlp) + norm + head


def three_maps_for_attention(width, depth, mlp_width, patches, patch_values, classes):
    block = 3 * (width + 1) * width + (width + 1) * mlp_width + (mlp_width + 1) * width + 4 * width
    return (patch_values + patches + 3) * width + depth * block + 2 * width + (width + 1) * classes


def no_biases(width, depth, mlp_width, patches, patch_values, classes):
    block = 4 * width * width + 2 * width * mlp_width + 4 * width
    return (patch_values + patches + 2) * width + depth * block + 2 * width + width * classes


def no_biases_in_attention(width, depth, mlp_width, patches, patch_values, classes):
    block = 4 * width * width + (width + 1) * mlp_width + (mlp_width + 1) * width + 4 * width
    return (patch_values + patches + 3) * width + depth * block + 2 * width + (width + 1) * classes


def three_biases_in_attention(width, depth, mlp_width, patches, patch_values, classes):
    block = 4 * width * width + 3 * width + (width + 1) * mlp_width + (mlp_width + 1) * width + 4 * width
    return (patch_values + patches + 3) * width + depth * block + 2 * width + (width + 1) * classes


def no_biases_in_the_mlp(width, depth, mlp_width, patches, patch_values, classes):
    block = 4 * (width + 1) * width + 2 * width * mlp_width + 4 * width
    return (patch_values + patches + 3) * width + depth * block + 2 * width + (width + 1) * classes


def no_bias_of_the_patches(width, depth, mlp_width, patches, patch_values, classes):
    block = 4 * (width + 1) * width + (width + 1) * mlp_width + (mlp_width + 1) * width + 4 * width
    return (patch_values + patches + 2) * width + depth * block + 2 * width + (width + 1) * classes


def no_bias_of_the_head(width, depth, mlp_width, patches, patch_values, classes):
    block = 4 * (width + 1) * width + (width + 1) * mlp_width + (mlp_width + 1) * width + 4 * width
    return (patch_values + patches + 3) * width + depth * block + 2 * width + width * classes


def no_position_for_the_class_token(width, depth, mlp_width, patches, patch_values, classes):
    block = 4 * (width + 1) * width + (width + 1) * mlp_width + (mlp_width + 1) * width + 4 * width
    return (patch_values + patches + 2) * width + depth * block + 2 * width + (width + 1) * classes


def nothing_for_the_class_token(width, depth, mlp_width, patches, patch_values, classes):
    block = 4 * (width + 1) * width + (width + 1) * mlp_width + (mlp_width + 1) * width + 4 * width
    return (patch_values + patches + 1) * width + depth * block + 2 * width + (width + 1) * classes


def no_positions(width, depth, mlp_width, patches, patch_values, classes):
    block = 4 * (width + 1) * width + (width + 1) * mlp_width + (mlp_width + 1) * width + 4 * width
    return (patch_values + 2) * width + depth * block + 2 * width + (width + 1) * classes


def one_number_for_a_position(width, depth, mlp_width, patches, patch_values, classes):
    block = 4 * (width + 1) * width + (width + 1) * mlp_width + (mlp_width + 1) * width + 4 * width
    return (patch_values + 2) * width + patches + 1 + depth * block + 2 * width + (width + 1) * classes


def a_projection_for_each_patch(width, depth, mlp_width, patches, patch_values, classes):
    block = 4 * (width + 1) * width + (width + 1) * mlp_width + (mlp_width + 1) * width + 4 * width
    tokens = (patch_values + 1) * patches * width + (patches + 2) * width
    return tokens + depth * block + 2 * width + (width + 1) * classes


def no_last_norm(width, depth, mlp_width, patches, patch_values, classes):
    block = 4 * (width + 1) * width + (width + 1) * mlp_width + (mlp_width + 1) * width + 4 * width
    return (patch_values + patches + 3) * width + depth * block + (width + 1) * classes


def no_norms_in_the_blocks(width, depth, mlp_width, patches, patch_values, classes):
    block = 4 * (width + 1) * width + (width + 1) * mlp_width + (mlp_width + 1) * width
    return (patch_values + patches + 3) * width + depth * block + 2 * width + (width + 1) * classes


def one_norm_in_a_block(width, depth, mlp_width, patches, patch_values, classes):
    block = 4 * (width + 1) * width + (width + 1) * mlp_width + (mlp_width + 1) * width + 2 * width
    return (patch_values + patches + 3) * width + depth * block + 2 * width + (width + 1) * classes


def norms_without_shift(width, depth, mlp_width, patches, patch_values, classes):
    block = 4 * (width + 1) * width + (width + 1) * mlp_width + (mlp_width + 1) * width + 2 * width
    return (patch_values + patches + 3) * width + depth * block + width + (width + 1) * classes


def one_block(width, depth, mlp_width, patches, patch_values, classes):
    block = 4 * (width + 1) * width + (width + 1) * mlp_width + (mlp_width + 1) * width + 4 * width
    return (patch_values + patches + 3) * width + block + 2 * width + (width + 1) * classes


def half_an_mlp(width, depth, mlp_width, patches, patch_values, classes):
    block = 4 * (width + 1) * width + (width + 1) * mlp_width + 4 * width
    return (patch_values + patches + 3) * width + depth * block + 2 * width + (width + 1) * classes


# --- attention_rollout ----------------------------------------------------------------------------------------


def attention_rollout(weights):
    """The attention weights of each layer, first layer first, (N, L, L) each -> (N, L, L)

    Each layer: 0.5 * its weights + 0.5 * the identity, each row then divided by its sum.
    The product of the layers, the last one leftmost: row i says what token i holds of each token of the input.
    """
    rollout = torch.eye(weights[0].shape[-1], dtype=weights[0].dtype)
    for layer in weights:
        mixed = 0.5 * layer + 0.5 * torch.eye(layer.shape[-1], dtype=layer.dtype)
        mixed = mixed / mixed.sum(dim=-1, keepdim=True)
        rollout = mixed @ rollout
    return rollout


def without_the_identity(weights):
    rollout = torch.eye(weights[0].shape[-1], dtype=weights[0].dtype)
    for layer in weights:
        rollout = layer / layer.sum(dim=-1, keepdim=True) @ rollout
    return rollout


def without_identity_or_sums(weights):
    rollout = torch.eye(weights[0].shape[-1], dtype=weights[0].dtype)
    for layer in weights:
        rollout = layer @ rollout
    return rollout


def rows_not_divided(weights):
    identity = torch.eye(weights[0].shape[-1], dtype=weights[0].dtype)
    rollout = identity
    for layer in weights:
        rollout = (0.5 * layer + 0.5 * identity) @ rollout
    return rollout


def identity_added_whole(weights):
    identity = torch.eye(weights[0].shape[-1], dtype=weights[0].dtype)
    rollout = identity
    for layer in weights:
        rollout = (layer + identity) @ rollout
    return rollout


def divided_only_at_the_end(weights):
    identity = torch.eye(weights[0].shape[-1], dtype=weights[0].dtype)
    rollout = identity
    for layer in weights:
        rollout = (0.5 * layer + 0.5 * identity) @ rollout
    return rollout / rollout.sum(dim=-1, keepdim=True)


def divided_before_the_identity(weights):
    identity = torch.eye(weights[0].shape[-1], dtype=weights[0].dtype)
    rollout = identity
    for layer in weights:
        rollout = (0.5 * layer / layer.sum(dim=-1, keepdim=True) + 0.5 * identity) @ rollout
    return rollout


def columns_divided(weights):
    identity = torch.eye(weights[0].shape[-1], dtype=weights[0].dtype)
    rollout = identity
    for layer in weights:
        mixed = 0.5 * layer + 0.5 * identity
        rollout = mixed / mixed.sum(dim=-2, keepdim=True) @ rollout
    return rollout


def first_layer_leftmost(weights):
    identity = torch.eye(weights[0].shape[-1], dtype=weights[0].dtype)
    rollout = identity
    for layer in weights:
        mixed = 0.5 * layer + 0.5 * identity
        rollout = rollout @ (mixed / mixed.sum(dim=-1, keepdim=True))
    return rollout


def identity_in_float32(weights):
    rollout = identity = torch.eye(weights[0].shape[-1])
    for layer in weights:
        mixed = 0.5 * layer + 0.5 * identity
        rollout = mixed / mixed.sum(dim=-1, keepdim=True) @ rollout
    return rollout


def number_by_number(weights):
    identity = torch.eye(weights[0].shape[-1], dtype=weights[0].dtype)
    rollout = torch.ones_like(identity)
    for layer in weights:
        mixed = 0.5 * layer + 0.5 * identity
        rollout = rollout * (mixed / mixed.sum(dim=-1, keepdim=True))
    return rollout


def mean_of_the_layers(weights):
    mean = sum(weights) / len(weights)
    mixed = 0.5 * mean + 0.5 * torch.eye(mean.shape[-1], dtype=mean.dtype)
    return mixed / mixed.sum(dim=-1, keepdim=True)


def mean_of_the_layers_alone(weights):
    return sum(weights) / len(weights)


def last_layer_alone(weights):
    return weights[-1]


def last_layer_and_shortcut(weights):
    layer = weights[-1]
    mixed = 0.5 * layer + 0.5 * torch.eye(layer.shape[-1], dtype=layer.dtype)
    return mixed / mixed.sum(dim=-1, keepdim=True)


def ones_for_the_identity(weights):
    rollout = torch.eye(weights[0].shape[-1], dtype=weights[0].dtype)
    for layer in weights:
        mixed = 0.5 * layer + 0.5
        rollout = mixed / mixed.sum(dim=-1, keepdim=True) @ rollout
    return rollout


def rolled_out(attention_rollout: Callable, weights: Tensor, as_a_list: bool) -> Tensor:
    """One tensor, or a list with a tensor for each layer."""
    return attention_rollout(list(weights) if as_a_list else weights)


def drawn_weights(draw: Draw) -> tuple[Tensor, bool]:
    layers, n, length = draw.whole(1, 4), draw.whole(1, 3), draw.whole(1, 5)
    weights = (2 * draw(layers, n, length, length)).softmax(dim=-1)
    weights = with_small_ones_dropped(weights) if draw.whole(0, 1) else weights
    return (weights.double() if draw.whole(0, 1) else weights), bool(draw.whole(0, 1))


def with_small_ones_dropped(weights: Tensor) -> Tensor:
    """Only what is above a row's mean is kept, as one does for a clearer picture: rows no longer sum to 1."""
    return weights.where(weights >= weights.mean(dim=-1, keepdim=True), 0)


def with_an_empty_row(weights: Tensor) -> Tensor:
    """Token 2 is masked in every layer; only its shortcut is left."""
    weights = weights.clone()
    weights[..., 2, :] = 0
    return weights


# --- resize_positions -----------------------------------------------------------------------------------------


def resize_positions(positions, grid):
    """(1, 1 + h * h, D), learnt on a square grid of patches -> (1, 1 + H * W, D) for a grid of (H, W) patches

    The class token's position comes first and is kept as it is. The others are a picture with D channels:
    F.interpolate resizes it, with mode="bicubic" and align_corners=False.
    """
    class_position, patch_positions = positions[:, :1], positions[:, 1:]
    side = math.isqrt(patch_positions.shape[1])
    old = patch_positions.transpose(1, 2).reshape(1, -1, side, side)  # (1, D, h, h)
    new = F.interpolate(old, size=grid, mode="bicubic", align_corners=False)  # (1, D, H, W)
    return torch.cat([class_position, new.flatten(2).transpose(1, 2)], dim=1)


def reshaped_without_transpose(positions, grid):
    class_position, patch_positions = positions[:, :1], positions[:, 1:]
    side = math.isqrt(patch_positions.shape[1])
    old = patch_positions.reshape(1, -1, side, side)
    new = F.interpolate(old, size=grid, mode="bicubic", align_corners=False)
    return torch.cat([class_position, new.flatten(2).transpose(1, 2)], dim=1)


def flattened_without_transpose(positions, grid):
    class_position, patch_positions = positions[:, :1], positions[:, 1:]
    side, features = math.isqrt(patch_positions.shape[1]), positions.shape[2]
    old = patch_positions.transpose(1, 2).reshape(1, -1, side, side)
    new = F.interpolate(old, size=grid, mode="bicubic", align_corners=False)
    return torch.cat([class_position, new.reshape(1, -1, features)], dim=1)


def reshaped_there_and_back(positions, grid):
    class_position, patch_positions = positions[:, :1], positions[:, 1:]
    side, features = math.isqrt(patch_positions.shape[1]), positions.shape[2]
    old = patch_positions.reshape(1, -1, side, side)
    new = F.interpolate(old, size=grid, mode="bicubic", align_corners=False)
    return torch.cat([class_position, new.reshape(1, -1, features)], dim=1)


def grid_sides_swapped(positions, grid):
    class_position, patch_positions = positions[:, :1], positions[:, 1:]
    side = math.isqrt(patch_positions.shape[1])
    old = patch_positions.transpose(1, 2).reshape(1, -1, side, side)
    new = F.interpolate(old, size=grid[::-1], mode="bicubic", align_corners=False)
    return torch.cat([class_position, new.flatten(2).transpose(1, 2)], dim=1)


def grid_as_a_line(positions, grid):
    class_position, patch_positions = positions[:, :1], positions[:, 1:]
    line = patch_positions.transpose(1, 2)
    new = F.interpolate(line, size=grid[0] * grid[1], mode="linear", align_corners=False)
    return torch.cat([class_position, new.transpose(1, 2)], dim=1)


def class_position_in_the_line(positions, grid):
    line = positions.transpose(1, 2)
    new = F.interpolate(line, size=1 + grid[0] * grid[1], mode="linear", align_corners=False)
    return new.transpose(1, 2)


def class_position_dropped(positions, grid):
    patch_positions = positions[:, 1:]
    side = math.isqrt(patch_positions.shape[1])
    old = patch_positions.transpose(1, 2).reshape(1, -1, side, side)
    new = F.interpolate(old, size=grid, mode="bicubic", align_corners=False)
    return new.flatten(2).transpose(1, 2)


def class_position_put_last(positions, grid):
    class_position, patch_positions = positions[:, :1], positions[:, 1:]
    side = math.isqrt(patch_positions.shape[1])
    old = patch_positions.transpose(1, 2).reshape(1, -1, side, side)
    new = F.interpolate(old, size=grid, mode="bicubic", align_corners=False)
    return torch.cat([new.flatten(2).transpose(1, 2), class_position], dim=1)


def same_number_left_alone(positions, grid):
    class_position, patch_positions = positions[:, :1], positions[:, 1:]
    if patch_positions.shape[1] == grid[0] * grid[1]:
        return positions
    side = math.isqrt(patch_positions.shape[1])
    old = patch_positions.transpose(1, 2).reshape(1, -1, side, side)
    new = F.interpolate(old, size=grid, mode="bicubic", align_corners=False)
    return torch.cat([class_position, new.flatten(2).transpose(1, 2)], dim=1)


def corners_aligned(positions, grid):
    class_position, patch_positions = positions[:, :1], positions[:, 1:]
    side = math.isqrt(patch_positions.shape[1])
    old = patch_positions.transpose(1, 2).reshape(1, -1, side, side)
    new = F.interpolate(old, size=grid, mode="bicubic", align_corners=True)
    return torch.cat([class_position, new.flatten(2).transpose(1, 2)], dim=1)


def bilinear(positions, grid):
    class_position, patch_positions = positions[:, :1], positions[:, 1:]
    side = math.isqrt(patch_positions.shape[1])
    old = patch_positions.transpose(1, 2).reshape(1, -1, side, side)
    new = F.interpolate(old, size=grid, mode="bilinear", align_corners=False)
    return torch.cat([class_position, new.flatten(2).transpose(1, 2)], dim=1)


def nearest(positions, grid):
    class_position, patch_positions = positions[:, :1], positions[:, 1:]
    side = math.isqrt(patch_positions.shape[1])
    old = patch_positions.transpose(1, 2).reshape(1, -1, side, side)
    new = F.interpolate(old, size=grid)
    return torch.cat([class_position, new.flatten(2).transpose(1, 2)], dim=1)


def smoothed_before_it_shrinks(positions, grid):
    class_position, patch_positions = positions[:, :1], positions[:, 1:]
    side = math.isqrt(patch_positions.shape[1])
    old = patch_positions.transpose(1, 2).reshape(1, -1, side, side)
    new = F.interpolate(old, size=grid, mode="bicubic", align_corners=False, antialias=True)
    return torch.cat([class_position, new.flatten(2).transpose(1, 2)], dim=1)


def drawn_positions(draw: Draw) -> tuple[Tensor, tuple[int, int]]:
    side, features = draw.whole(1, 4), draw.whole(1, 6)
    positions = draw(1, 1 + side**2, features)
    return (positions.double() if draw.whole(0, 1) else positions), (draw.whole(1, 6), draw.whole(1, 6))


SIDES = "A patch is (height, width), and the two may differ: ph cuts the rows of pixels, pw the columns."
TRAINED = (
    "What the docstring names belongs into `self` in `__init__`, as a layer or an nn.Parameter. A tensor made in "
    "`forward` is never trained: the optimizer gets what `parameters()` lists."
)
NOT_A_MAP = "On the way from (1, L, D) to a map (1, D, h, h), and back, the axis D moves: reshape alone mixes them up."
STREAM = "The shortcut carries the normalised x: keep x as it came, and normalise only a copy that enters the branch."
OWN_ORDER = "The same order for every picture, the one that is given: with another you could not undo it."
TRAVELLED = (
    "Each token still says where it came from: shuffle the tokens alone, then add the positions in their old order."
)
INVERSE = "That is the way back: `tokens[:, order]` puts token order[i] at place i."
VALUES = "The values have a projection of their own, `x @ w_v`."
SCALE = "Scores are divided by the root of D, the number of features that a product q . k adds up."
ONE_WIDTH = "It lacks width numbers: the class token, its position, or the bias of the patches' linear map."
TWO_WIDTHS = (
    "It lacks 2 * width numbers: the last layer norm, or two of the class token, its position and the bias of the "
    "patches' linear map."
)
FOUR_WIDTHS = "Each block lacks 4 * width numbers: the biases of attention's four maps, or the two layer norms."
SHARES = "Each row is divided by its sum after the identity was added, layer by layer: weights should remain shares."
ONE_LOOK = "That is one look of one layer: tokens already hold what earlier layers mixed. Multiply all layers."
LINE = "A row of L positions forgets which lie below each other: make it a map of h x h before you resize."
CLASS_POSITION = "The class token stands in no place of the grid: its position, the first, is kept and stays first."

EXERCISES = (
    Exercise(
        lesson=LESSON,
        reference=patchify,
        minutes=10,
        difficulty=3,
        gradients=True,
        cases=lambda draw: [
            Case("numbered pixels, patches wider than tall", torch.arange(48.0).view(1, 1, 4, 12), (2, 4)),
            Case("three channels, two pictures", draw(2, 3, 4, 12), (2, 4)),
            Case("patches taller than wide", draw(2, 2, 6, 4), (3, 2)),
            Case("square patches", draw(1, 3, 4, 6), (2, 2)),
            Case("one patch is the whole picture", draw(2, 2, 3, 2), (3, 2)),
            Case("double precision, not contiguous", draw(2, 6, 4, 3).double().transpose(1, 3), (2, 3)),
        ],
        drawn=drawn_picture,
        hints=(
            "Cut both axes first: H becomes (H / ph, ph) and W becomes (W / pw, pw), so that x has six axes.",
            "Move the two grid axes to the front, after N; what remains behind them is one patch, (C, ph, pw).",
            "`permute` orders the axes, and one `reshape` at the end makes the grid one axis and the patch another.",
        ),
        mistakes=(
            *(
                Mistake(f, "Your patches are strips of rows: cut both axes, then move the grid axes to the front.")
                for f in (strips_of_rows, strips_of_rows_by_view)
            ),
            *(Mistake(f, SIDES) for f in (height_and_width_swapped, square_patches)),
            Mistake(
                channels_last_in_a_patch,
                "Inside a patch the channel comes first: a convolution's weight runs (C, ph, pw), and yours would "
                "not match it.",
            ),
            Mistake(
                channels_before_the_grid,
                "With several channels your tokens mix patches: C still stands before the grid, and belongs behind it.",
            ),
            Mistake(patches_transposed, "The pixels of a patch run row by row; yours run column by column."),
            Mistake(patches_in_columns, "The patches run in rows from the top left; yours run in columns."),
            Mistake(grid_kept, "A transformer reads a row of tokens: the two axes of the grid become one, L."),
            Mistake(patches_last, "Tokens second, features last: (N, L, C * ph * pw), as attention wants them."),
            Mistake(pixels_far_apart, "The pixels of your patch lie far apart: (ph, H / ph) should be (H / ph, ph)."),
            Mistake(so_many_patches, "(ph, pw) is how large a patch is, not how many there are."),
            Mistake(every_place_a_patch, "Patches tile the picture, they do not overlap: step by ph and by pw."),
            Mistake(all_pictures_in_one_row, "The pictures are no longer apart: N stays an axis of its own."),
        ),
        not_allowed=(
            "course_utils.vit",
            "torch.nn.functional.unfold",
            "torch.nn.Unfold",
            "torch._C._nn.im2col",
            "course_utils.convolution",
        ),
    ),
    Exercise(
        lesson=LESSON,
        reference=unpatchify,
        minutes=5,
        difficulty=3,
        gradients=True,
        optional=True,
        cases=lambda draw: [
            Case("numbered pixels", *cut(torch.arange(48.0).view(1, 1, 4, 12), (2, 4))),
            Case("three channels, two pictures", *cut(draw(2, 3, 4, 12), (2, 4))),
            Case("two channels, patches taller than wide", *cut(draw(2, 2, 6, 4), (3, 2))),
            Case("square patches", *cut(draw(1, 3, 4, 6), (2, 2))),
            Case("one patch is the whole picture", *cut(draw(2, 2, 3, 2), (3, 2))),
            Case("double precision", *cut(draw(2, 3, 6, 4).double(), (2, 2))),
        ],
        drawn=lambda draw: cut(*drawn_picture(draw)),
        hints=(
            "First undo the last step: L becomes the grid (H / ph, W / pw), and the features become (C, ph, pw).",
            "In the picture a row of the grid and a row inside the patch lie beside each other: C, H / ph, ph, "
            "W / pw, pw.",
            "The permutation that undoes (0, 2, 4, 1, 3, 5) says where each axis had come from.",
        ),
        mistakes=(
            Mistake(only_the_shape, "Undo the permutation, not only the shape."),
            Mistake(
                channels_moved_and_no_more,
                "Each axis of the grid belongs beside its own axis of the patch: rows of patches, then rows in them.",
            ),
            Mistake(
                same_permutation_again,
                "To permute as in patchify once more is not the way back: the inverse permutation is.",
            ),
            *(Mistake(f, SIDES) for f in (patch_sides_swapped, square_patches_again)),
            Mistake(picture_sides_swapped, "The size is (height, width): as many rows of patches as H / ph."),
            Mistake(channels_thought_last, "Inside a patch the channel comes first: the features are (C, ph, pw)."),
            Mistake(grid_thought_in_columns, "The patches run in rows from the top left: L is (H / ph, W / pw)."),
            Mistake(three_channels, "The number of channels is not fixed: what a patch holds, divided by ph * pw."),
        ),
        not_allowed=(
            "course_utils.vit",
            "torch.nn.functional.fold",
            "torch.nn.Fold",
            "torch._C._nn.col2im",
            "course_utils.convolution",
        ),
    ),
    Exercise(
        lesson=LESSON,
        reference=PatchEmbedding,
        trial=an_embedding,
        minutes=12,
        difficulty=3,
        cases=lambda draw: [
            Case("two pictures, wider than tall", 2, 1, 4, draw(2, 1, 4, 6)),
            Case("one picture in colour, 3 x 3 patches", 3, 3, 5, draw(1, 3, 9, 9)),
            Case("one patch is the whole picture", 4, 2, 3, draw(3, 2, 4, 4)),
            Case("as many patches as features", 2, 3, 6, draw(2, 3, 6, 4)),
            Case("double precision, not contiguous", 2, 2, 3, draw(2, 4, 8, 2).double().transpose(1, 3)),
        ],
        drawn=drawn_embedding,
        hints=(
            "`nn.Conv2d` with kernel_size and stride both patch_size gives (N, width, H / p, W / p): one place for "
            "each patch.",
            "`flatten(2)` makes the grid one axis, at the end; tokens should come second and features last.",
            "`nn.Parameter(torch.zeros(1, 1, width))` is learnt; `expand(len(x), -1, -1)` repeats it for each picture.",
        ),
        mistakes=(
            Mistake(
                MapReshaped,
                "A token is now a stretch of one channel's map: flatten the grid, then swap the two axes.",
            ),
            Mistake(FeaturesBeforeTokens, "Tokens second, features last: swap the two axes, (N, 1 + L, width)."),
            Mistake(GridInColumns, "The patches run in rows from the top left; yours run in columns."),
            Mistake(StrideLeftAtOne, "Patches should tile, not overlap: the stride is one patch too."),
            Mistake(
                OtherOrderThanTheWeight,
                "Same numbers, other order: the weight runs (C, ph, pw), so a weight learnt for one does not fit "
                "the other.",
            ),
            Mistake(
                LinearMap,
                "`projection` is a linear map; asked for is a convolution, whose weight is (width, channels, p, p).",
            ),
            *(Mistake(f, TRAINED) for f in (LayerMadeInForward, ClassTokenMadeInForward)),
            *(
                Mistake(f, "A class token that is no parameter is not trained: `nn.Parameter` makes it one.")
                for f in (PlainClassToken, ClassTokenAsBuffer)
            ),
            Mistake(ClassTokenDetached, "`.data` or `.detach()` cuts the class token off: no gradient reaches it."),
            Mistake(ClassTokenLast, "The class token comes first: what follows looks for it at place 0."),
            Mistake(
                ClassTokenNotRepeated,
                "There is one class token, and a batch of pictures: each needs its own copy in front (`expand`).",
            ),
            Mistake(ClassTokenNotUsed, "The class token is made, but it does not stand in front of the patches yet."),
            Mistake(
                ClassTokenAdded, "The class token is a token of its own, in front of the others, not added to them."
            ),
        ),
        not_allowed=("course_utils.vit",),
    ),
    Exercise(
        lesson=LESSON,
        reference=EncoderBlock,
        trial=a_block,
        minutes=12,
        difficulty=3,
        cases=lambda draw: [
            Case("two pictures of five tokens", 8, 2, 12, draw(2, 5, 8)),
            Case("one picture", 6, 3, 4, draw(1, 4, 6)),
            Case("as many pictures as tokens", 4, 2, 8, draw(3, 3, 4)),
            Case("numbers far from zero", 8, 4, 16, 4 * draw(2, 3, 8) + 10),
            Case("double precision", 6, 2, 9, draw(2, 4, 6).double()),
        ],
        drawn=drawn_block,
        hints=(
            "Four parts in `__init__`; `batch_first=True` tells nn.MultiheadAttention that the batch comes first.",
            "`h = self.norm1(x)` keeps x for the shortcut; `self.attention(h, h, h)` returns the output and the "
            "weights.",
            "The MLP's branch starts from the sum that the first branch has left.",
        ),
        mistakes=(
            Mistake(
                BatchTakenForTheSequence,
                "Your pictures look at each other: attention took the batch for the sequence. It has an argument for "
                "this.",
            ),
            Mistake(PostNorm, "Here the shortcut stays untouched: normalise what enters a branch, and nothing else."),
            *(Mistake(f, STREAM) for f in (BothShortcutsNormalised, FirstShortcutNormalised)),
            Mistake(NoFirstShortcut, "Attention replaces the stream where it should add to it."),
            Mistake(NoSecondShortcut, "The MLP replaces the stream where it should add to it."),
            Mistake(BranchesSideBySide, "The MLP should see what attention wrote: start it from the first sum."),
            Mistake(OneNormForBoth, "norm2 does nothing: each branch has a norm of its own."),
            *(
                Mistake(f, "Queries, keys and values are all made from the normalised tokens.")
                for f in (OnlyQueriesNormalised, OnlyValuesNormalised)
            ),
            Mistake(SecondNormForgotten, "What enters the second branch is normalised too: by norm2."),
            Mistake(MlpFirst, "Attention comes first: the MLP then works on what it gathered."),
            Mistake(OneHead, "You have one head: attention takes the number of heads too."),
            Mistake(OtherEps, "The layer norms keep PyTorch's eps, 1e-5; yours differs in the last digits."),
            Mistake(ReluForGelu, "Between the MLP's two maps stands nn.GELU, not nn.ReLU."),
            Mistake(NoGelu, "nn.GELU stands inside `mlp`, between its two linear maps: without it the two are one."),
            Mistake(
                ChangesItsInput,
                "`+=` writes into the caller's x: `x = x + ...` makes a new one.",
            ),
        ),
        not_allowed=(
            "course_utils.layers",
            "course_utils.attention",
            "torch.nn.TransformerEncoderLayer",
            "torch.nn.TransformerEncoder",
            "torch.nn.TransformerDecoderLayer",
        ),
    ),
    Exercise(
        lesson=LESSON,
        reference=shuffle_patches,
        minutes=6,
        difficulty=3,
        gradients=True,
        cases=lambda draw: [
            Case(
                "four tokens of one number",
                torch.tensor([[[10.0], [20.0], [30.0], [40.0]]]),
                torch.tensor([[1.0], [2.0], [3.0], [4.0]]),
                torch.tensor([2, 0, 3, 1]),
            ),
            Case("three pictures", draw(3, 4, 2), draw(4, 2), torch.tensor([1, 3, 0, 2])),
            Case("as many features as tokens", draw(2, 4, 4), draw(4, 4), torch.tensor([3, 0, 1, 2])),
            Case("as many pictures as tokens", draw(3, 3, 2), draw(3, 2), torch.tensor([1, 2, 0])),
            Case("the old order", draw(2, 3, 4), draw(3, 4), torch.tensor([0, 1, 2])),
            Case("double precision", draw(2, 5, 3).double(), draw(5, 3).double(), torch.tensor([4, 2, 0, 3, 1])),
        ],
        drawn=drawn_shuffle,
        hints=(
            "Axis 1 holds the tokens: an index there, and `:` before it, treats all pictures alike.",
            "What a place adds does not depend on what lies there: the positions are added last, as they are.",
        ),
        mistakes=(
            *(Mistake(f, TRAVELLED) for f in (positions_added_before, positions_shuffled_too)),
            Mistake(positions_shuffled_alone, "You shuffled the positions; it is the tokens that move."),
            *(Mistake(f, INVERSE) for f in (order_turned_round, written_to_places)),
            Mistake(features_shuffled, "Axis 1 holds the tokens; you permuted the features inside each of them."),
            Mistake(pictures_shuffled, "Axis 0 holds the pictures; the tokens are axis 1."),
            *(
                Mistake(f, OWN_ORDER)
                for f in (another_order_for_each, another_order_for_each_by_sorting, an_order_of_its_own)
            ),
            Mistake(not_shuffled, "The tokens still lie where they were."),
            Mistake(without_positions, "The positions are missing: without them the tokens are a heap, in any order."),
            Mistake(
                positions_as_more_features, "The positions are added to the tokens, number by number, not appended."
            ),
        ),
        not_allowed=("course_utils.vit",),
    ),
    Exercise(
        lesson=LESSON,
        reference=self_attention,
        trial=output_and_weights,
        fault=one_projection_for_all,
        tolerance=1e-6,  # the gradients of a softmax that is nearly sure cancel
        minutes=6,
        difficulty=3,
        cases=lambda draw: [
            Case(
                "three tokens of two features",
                torch.tensor([[[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]]),
                torch.tensor([[1.0, 0.0], [2.0, 1.0]]),
                torch.tensor([[0.0, 1.0], [2.0, 3.0]]),  # w_q @ w_k.T is not symmetric
                torch.tensor([[2.0, 1.0], [0.0, 5.0]]),
            ),
            Case("two pictures", draw(2, 4, 3), draw(3, 3), draw(3, 3), draw(3, 3)),
            Case("as many tokens as features", draw(2, 4, 4), draw(4, 4), draw(4, 4), draw(4, 4)),
            Case("one token", draw(3, 1, 2), draw(2, 2), draw(2, 2), draw(2, 2)),
            Case("large numbers", 10 * draw(2, 5, 3).double(), *(4 * draw(3, 3).double() for _ in range(3))),
            Case("double precision", *(draw(*shape).double() for shape in ((2, 3, 5), (5, 5), (5, 5), (5, 5)))),
        ],
        drawn=drawn_projections,
        hints=(
            "Compare weights before softmax: is how much i looks at j always how much j looks at i?",
            "A token asks with its query, is found by its key and hands over its value: three different vectors.",
            "Three weights were given: count how many of them the code uses.",
        ),
        mistakes=(
            *(
                Mistake(
                    f,
                    "Queries, keys and values are one tensor: the scores are symmetric, and a token mostly finds "
                    "itself. Each has its own projection.",
                )
                for f in (the_same_fault, no_projection)
            ),
            *(
                Mistake(f, "Queries and keys are one tensor: the scores are still symmetric.")
                for f in (keys_are_the_queries, queries_are_the_keys)
            ),
            *(Mistake(f, VALUES) for f in (values_are_the_tokens, values_are_the_keys, values_are_the_queries)),
            Mistake(
                queries_and_keys_swapped,
                "Row i of the scores belongs to the query of token i, x @ w_q: queries stand on the left of the "
                "product, keys on the right.",
            ),
            Mistake(
                weights_of_projections_transposed,
                "F.linear multiplies with the transposed weight, as nn.Linear stores it; here x @ w is asked for.",
            ),
            Mistake(scale_forgotten, "The scale is missing: long vectors make large scores, and softmax saturates."),
            *(Mistake(f, SCALE) for f in (divided_by_the_width, root_of_the_length)),
            Mistake(scaled_after_softmax, "Scale the scores, before softmax: afterwards the rows no longer sum to 1."),
            Mistake(normalised_over_queries, "softmax runs over the keys, the last axis: each query's row sums to 1."),
            Mistake(scores_beside_the_output, "You returned the scores: the weights are what softmax makes of them."),
            Mistake(softmax_left_out, "softmax is missing: weights are positive and each row sums to 1."),
            Mistake(softmax_by_hand, "exp of a large score overflows; softmax takes the largest of the row off first."),
            Mistake(weights_first, "The output comes first, the weights second."),
        ),
        not_allowed=(
            "course_utils.attention",
            "torch.nn.functional.scaled_dot_product_attention",
            "torch.nn.functional.multi_head_attention_forward",
        ),
    ),
    Exercise(
        lesson=LESSON,
        reference=parameter_count,
        minutes=10,
        difficulty=3,
        optional=True,
        cases=lambda draw: [
            Case("small numbers", 2, 1, 3, 4, 5, 2),
            Case("16 patches of 7x7 in colour", 64, 3, 128, 16, 147, 10),
            Case("16 patches of 7x7 in grey", 64, 3, 128, 16, 49, 10),
            Case("ViT-B/16", 768, 12, 3072, 196, 768, 1000),
            Case("no block at all", 8, 0, 16, 9, 12, 3),
        ],
        drawn=lambda draw: tuple(draw.whole(low, 40) for low in (1, 0, 1, 1, 1, 1)),
        hints=(
            "A linear map from a to b with bias has a * b + b numbers; a layer norm of width D has 2 * D.",
            "Attention has four maps from width to width: for queries, keys, values, and one for its output.",
            "Only blocks are counted depth times. The class token is width numbers, and has a position like a patch.",
        ),
        mistakes=(
            Mistake(three_maps_for_attention, "The output projection is attention's fourth map from width to width."),
            *(
                Mistake(f, "Every linear map has a bias: as many more numbers as it has outputs.")
                for f in (no_biases, no_biases_in_the_mlp, no_bias_of_the_head)
            ),
            *(Mistake(f, ONE_WIDTH) for f in (no_position_for_the_class_token, no_bias_of_the_patches)),
            *(Mistake(f, TWO_WIDTHS) for f in (nothing_for_the_class_token, no_last_norm)),
            *(Mistake(f, FOUR_WIDTHS) for f in (no_biases_in_attention, no_norms_in_the_blocks)),
            Mistake(
                three_biases_in_attention,
                "Each block lacks width numbers: the bias of attention's fourth map, behind the heads, or of the MLP's "
                "second.",
            ),
            Mistake(no_positions, "The positions are learnt too: width numbers for each token."),
            Mistake(one_number_for_a_position, "A position is added to a token, so it has width numbers, not one."),
            Mistake(
                a_projection_for_each_patch, "All patches share one projection: their number does not matter there."
            ),
            Mistake(one_norm_in_a_block, "A block has two layer norms, one before each branch."),
            Mistake(norms_without_shift, "A layer norm learns a factor and a shift for each feature: 2 * width."),
            Mistake(one_block, "There are depth blocks, each with numbers of its own."),
            Mistake(half_an_mlp, "The MLP has two maps: to mlp_width and back."),
        ),
        not_allowed=("course_utils.vit",),
    ),
    Exercise(
        lesson=LESSON,
        reference=attention_rollout,
        trial=rolled_out,
        minutes=10,
        difficulty=3,
        optional=True,
        cases=lambda draw: [
            Case(
                "two layers, three tokens",
                torch.tensor(
                    [
                        [[[0.5, 0.5, 0.0], [0.0, 0.5, 0.5], [1.0, 0.0, 0.0]]],
                        [[[0.0, 1.0, 0.0], [0.5, 0.0, 0.5], [0.0, 0.0, 1.0]]],
                    ]
                ),
                True,
            ),
            Case("three layers, two pictures", (2 * draw(3, 2, 4, 4)).softmax(dim=-1), False),
            Case("one layer", (2 * draw(1, 3, 2, 2)).softmax(dim=-1), True),
            Case(
                "small weights were dropped, rows no longer sum to 1",
                with_small_ones_dropped((2 * draw(3, 2, 4, 4)).softmax(dim=-1)),
                False,
            ),
            Case("a token that looks at nothing", with_an_empty_row((2 * draw(3, 1, 4, 4)).softmax(dim=-1)), True),
            Case("double precision", (2 * draw(4, 1, 5, 5)).double().softmax(dim=-1), True),
        ],
        drawn=drawn_weights,
        hints=(
            "A block adds to what a token already is: half of each layer's matrix is the identity.",
            "Row i of the last layer says which tokens i looked at; their rows of the product before it say what "
            "those held.",
            "In a loop from the first layer on: `rollout = mixed @ rollout`.",
        ),
        mistakes=(
            *(
                Mistake(f, "The shortcut carries each token past attention: half of each layer is the identity.")
                for f in (without_the_identity, without_identity_or_sums)
            ),
            *(
                Mistake(f, SHARES)
                for f in (
                    rows_not_divided,
                    identity_added_whole,
                    divided_only_at_the_end,
                    divided_before_the_identity,
                )
            ),
            Mistake(columns_divided, "Rows belong to the tokens that look, so rows sum to 1: you divided the columns."),
            Mistake(
                first_layer_leftmost, "The last layer stands leftmost: it looks at what earlier ones have gathered."
            ),
            Mistake(
                identity_in_float32,
                "`torch.eye(L)` is float32, and a product takes no other dtype beside it: `torch.eye(L, dtype=...)`.",
            ),
            Mistake(number_by_number, "`*` multiplies number by number; a path through two layers needs `@`."),
            *(
                Mistake(f, "A mean forgets that layers follow each other: they are multiplied.")
                for f in (mean_of_the_layers, mean_of_the_layers_alone)
            ),
            *(Mistake(f, ONE_LOOK) for f in (last_layer_alone, last_layer_and_shortcut)),
            Mistake(ones_for_the_identity, "The identity has ones on its diagonal only: torch.eye."),
        ),
        not_allowed=("course_utils.explain",),
    ),
    Exercise(
        lesson=LESSON,
        reference=resize_positions,
        minutes=10,
        difficulty=4,
        gradients=True,
        optional=True,
        cases=lambda draw: [
            Case("2 x 2 to 4 x 4", torch.arange(10.0).view(1, 5, 2), (4, 4)),
            Case("3 x 3 to a grid wider than tall", draw(1, 10, 4), (2, 5)),
            Case("the same grid", draw(1, 10, 2), (3, 3)),
            Case("a smaller grid, taller than wide", draw(1, 17, 3), (3, 2)),
            Case("as many features as patches", draw(1, 10, 9), (4, 3)),
            Case("as many patches in another shape", draw(1, 17, 3), (2, 8)),
            Case("double precision", draw(1, 5, 3).double(), (3, 2)),
            Case("11 x 11 to 15 x 15", draw(1, 122, 2), (15, 15)),  # 11 * (15 / 11) is below 15
        ],
        drawn=drawn_positions,
        hints=(
            "Take the class token's position off first, `positions[:, :1]`, and put it back in front at the end.",
            "F.interpolate wants (N, channels, height, width): the features are the channels, so move them forward.",
            "Back again: `flatten(2)` makes the grid one axis, and a transpose puts the features last.",
        ),
        mistakes=(
            *(
                Mistake(f, NOT_A_MAP)
                for f in (reshaped_without_transpose, flattened_without_transpose, reshaped_there_and_back)
            ),
            Mistake(grid_sides_swapped, "The new grid is (H, W): how many rows of patches, then how many columns."),
            *(Mistake(f, LINE) for f in (grid_as_a_line, class_position_in_the_line)),
            *(Mistake(f, CLASS_POSITION) for f in (class_position_dropped, class_position_put_last)),
            Mistake(
                same_number_left_alone,
                "As many patches may lie in another grid, 2 x 8 instead of 4 x 4: compare the sides, not the number.",
            ),
            Mistake(
                corners_aligned,
                "With align_corners=True the corners' centres meet; here the outer edges of both grids do.",
            ),
            *(Mistake(f, 'mode="bicubic" is asked for: it bends smoothly.') for f in (bilinear, nearest)),
            Mistake(smoothed_before_it_shrinks, "antialias smooths before it shrinks; it is not asked for here."),
        ),
        not_allowed=("course_utils.vit",),
    ),
)
