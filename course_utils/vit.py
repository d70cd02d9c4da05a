"""The Vision Transformer: a picture as a sequence of patches, and the blocks of lesson 02 on top.

Made of ``course_utils.attention`` and ``course_utils.layers``; ``from_torchvision`` and ``to_torchvision`` carry
weights from and to ``torchvision.models.VisionTransformer``. Lesson 06 builds this file up.
"""

import math
import re
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .attention import sinusoidal_positions
from .cnn import Residual, conv_block
from .layers import EncoderBlock

Size = int | Sequence[int]  # one number for both directions, or (vertical, horizontal)


def patchify(x: Tensor, patch_size: Size) -> Tensor:
    """Cut pictures into patches of patch_size, row by row: (N, C, H, W) -> (N, patches, C * ph * pw).

    Inside a patch the numbers lie channel by channel, row by row, as in the weight of a convolution.

    Raises:
        ValueError: if the patches do not fill the picture, or x is not (N, C, H, W).
    """
    if x.dim() != 4:
        raise ValueError(f"x must have shape (N, C, H, W), got {tuple(x.shape)}; one picture needs x[None]")
    ph, pw = _pair(patch_size)
    rows, columns = _grid(x.shape[-2:], patch_size)
    x = x.unflatten(3, (columns, pw)).unflatten(2, (rows, ph))  # (N, C, rows, ph, columns, pw)
    return x.permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2)  # (N, rows * columns, C * ph * pw)


def unpatchify(patches: Tensor, patch_size: Size, image_size: Size) -> Tensor:
    """Put patches back together, the inverse of ``patchify``: (N, patches, C * ph * pw) -> (N, C, H, W).

    Sizes are in pixels: patch_size of a patch, image_size of the pictures.

    Raises:
        ValueError: if there are not as many patches as the picture has, or they cannot be of that size.
    """
    ph, pw = _pair(patch_size)
    rows, columns = _grid(_pair(image_size), patch_size)
    if patches.dim() != 3 or patches.shape[1] != rows * columns or patches.shape[2] % (ph * pw):
        raise ValueError(
            f"patches must have shape (N, {rows * columns}, C * {ph * pw}) for pictures of {rows * ph}x{columns * pw}, "
            f"got {tuple(patches.shape)}"
        )
    x = patches.unflatten(2, (-1, ph, pw)).unflatten(1, (rows, columns))  # (N, rows, columns, C, ph, pw)
    return x.permute(0, 3, 1, 4, 2, 5).flatten(4).flatten(2, 3)  # (N, C, rows * ph, columns * pw)


class PatchEmbedding(nn.Module):
    """One linear layer for every patch: (N, C, H, W) -> (N, tokens, width). The same as a convolution that strides.

    Args:
        patch_size: pixels, one number or (height, width).
        channels: of the pictures.
        width: numbers in a token.
        class_token: whether a learnt token, the same for every picture, stands in front of the others.

    Raises:
        ValueError: in ``forward``, if the patches do not fill the picture or its channels do not fit.

    Source: Dosovitskiy et al., "An image is worth 16x16 words" (2021), equation 1.
    """

    def __init__(self, patch_size: Size, channels: int, width: int, class_token: bool = False):
        super().__init__()
        self.patch_size, self.channels = _pair(patch_size), channels
        values = channels * math.prod(self.patch_size)
        self.projection = nn.Linear(values, width)
        self.class_token = nn.Parameter(torch.zeros(1, 1, width)) if class_token else None

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, patches, width), or (N, 1 + patches, width) with a class token"""
        if x.dim() != 4 or x.shape[1] != self.channels:
            raise ValueError(f"x must have shape (N, {self.channels}, H, W), got {tuple(x.shape)}")
        tokens = self.projection(patchify(x, self.patch_size))
        if self.class_token is None:
            return tokens
        return torch.cat([self.class_token.expand(len(x), -1, -1), tokens], dim=1)


class ViT(nn.Module):
    """A Vision Transformer: patches become tokens, tokens look at each other, and what they gather is classified.

    Args:
        image_size: pixels of the pictures, one number or (height, width).
        patch_size: pixels of a patch, likewise.
        channels: of the pictures.
        width: numbers in a token.
        depth: blocks.
        heads: of the attention in each block.
        mlp_width: numbers between a block's two linear layers.
        classes: logits in the answer.
        class_token: classify what an extra token has gathered, as the paper does; otherwise the mean of all tokens.
        positions: "learned", "sinusoidal" or "none".
        drop_path: the share of the pictures for which the last block's branches are left out while training; the
            shares grow from 0 at the first block.
        eps: of the norms, as torchvision's.

    Raises:
        ValueError: if patches do not fill the picture, or ``positions`` is another word; in ``tokens``, if pictures
            are of another size.

    Source: Dosovitskiy et al., "An image is worth 16x16 words" (2021), section 3.1; the mean: Beyer, Zhai and
    Kolesnikov, "Better plain ViT baselines for ImageNet-1k" (2022).
    """

    def __init__(
        self,
        image_size: Size = 28,
        patch_size: Size = 7,
        channels: int = 1,
        width: int = 64,
        depth: int = 3,
        heads: int = 4,
        mlp_width: int = 128,
        classes: int = 10,
        class_token: bool = False,
        positions: str = "learned",
        drop_path: float = 0.0,
        eps: float = 1e-6,
    ):
        super().__init__()
        self.grid = _grid(_pair(image_size), patch_size)
        self.embedding = PatchEmbedding(patch_size, channels, width, class_token)
        self.class_token = class_token
        count = class_token + math.prod(self.grid)
        if positions == "learned":
            self.positions = nn.Parameter(torch.randn(1, count, width) * 0.02)
        elif positions == "sinusoidal":
            self.register_buffer("positions", sinusoidal_positions(count, width)[None])
        elif positions == "none":
            self.positions = None
        else:
            raise ValueError(f"positions must be 'learned', 'sinusoidal' or 'none', got {positions!r}")
        shares = torch.linspace(0, drop_path, depth).tolist()
        self.blocks = nn.ModuleList(EncoderBlock(width, heads, mlp_width, eps=eps, drop_path=p) for p in shares)
        self.norm = nn.LayerNorm(width, eps)
        self.head = nn.Linear(width, classes)
        nn.init.zeros_(self.head.weight)  # the same logits for every picture: the bias, which is small

    def tokens(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, L, width): what the first block sees, with positions"""
        tokens = self.embedding(x)
        if self.positions is None:
            return tokens
        if tokens.shape[1] != self.positions.shape[1]:
            raise ValueError(
                f"x: pictures of shape {tuple(x.shape)} give {tokens.shape[1]} tokens, but positions are there for "
                f"{self.positions.shape[1]}; cut the pictures to size, or give the model resize_positions(...)"
            )
        return tokens + self.positions

    def encode(self, tokens: Tensor) -> Tensor:
        """(N, L, width) -> (N, width): what the class token, or all tokens in the mean, have gathered; any L will do"""
        for block in self.blocks:
            tokens = block(tokens)
        tokens = self.norm(tokens)
        return tokens[:, 0] if self.class_token else tokens.mean(dim=1)

    def features(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, width)"""
        return self.encode(self.tokens(x))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> logits (N, classes)"""
        return self.head(self.features(x))


class HybridViT(ViT):
    """A ViT whose patches are places of a small CNN's last maps: it sees edges and parts before it looks around.

    Args:
        image_size: pixels of the pictures, one number or (height, width); from 4x4 up.
        channels: of the pictures.
        width: numbers in a token.
        depth: blocks.
        filters: of the stem's three convolutions, which leave a token for about 8x8 pixels.
        options: those of ``ViT``.

    Source: Dosovitskiy et al., "An image is worth 16x16 words" (2021), section 3.1, "hybrid architecture"; Xiao et al.,
    "Early convolutions help Transformers see better" (2021).
    """

    def __init__(
        self,
        image_size: Size = 28,
        channels: int = 1,
        width: int = 64,
        depth: int = 2,
        filters: tuple[int, int, int] = (16, 32, 64),
        **options: object,
    ):
        first, second, third = filters
        grid = [(side // 4 + 1) // 2 for side in _pair(image_size)]
        super().__init__(grid, 1, third, width, depth, **options)
        self.stem = nn.Sequential(
            conv_block(channels, first, pool=True),  # (N, C, 28, 28) -> (N, 16, 14, 14)
            conv_block(first, second, pool=True),  # -> (N, 32, 7, 7)
            Residual(conv_block(second, second)),
            nn.Conv2d(second, third, kernel_size=3, stride=2, padding=1, bias=False),  # -> (N, 64, 4, 4)
            nn.BatchNorm2d(third),
            nn.ReLU(),
        )
        self.stem.to(memory_format=torch.channels_last)  # the same numbers, sooner

    def tokens(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, L, width): what the first block sees, with positions"""
        return super().tokens(self.stem(x))


def resize_positions(positions: Tensor, grid: tuple[int, int], new_grid: tuple[int, int]) -> Tensor:
    """Learnt positions for another number of patches: seen as a map and resized; a class token keeps its own.

    Args:
        positions: (1, L, D), with or without a class token in front.
        grid: rows and columns of patches they were learnt for.
        new_grid: those that are wanted.

    Returns:
        (1, L', D).

    Raises:
        ValueError: if there are not as many positions as ``grid`` has, or one more.

    Source: Dosovitskiy et al., "An image is worth 16x16 words" (2021), section 3.2.
    """
    count = math.prod(grid)
    if positions.dim() != 3 or positions.shape[1] - count not in (0, 1):
        raise ValueError(
            f"positions must have shape (1, {count} or {count + 1}, D) for a grid of {grid[0]}x{grid[1]}, got "
            f"{tuple(positions.shape)}"
        )
    ahead, code = positions[:, :-count], positions[:, -count:]
    code = code.mT.unflatten(2, grid)  # (1, h * w, D) -> (1, D, h, w)
    code = F.interpolate(code, size=new_grid, mode="bicubic", align_corners=False)
    return torch.cat([ahead, code.flatten(2).mT], dim=1)


# --- To and from torchvision --------------------------------------------------------------------------------

# Ours on the left, torchvision's on the right; {} is the number of the block.
TORCHVISION_NAMES = {
    "embedding.class_token": "class_token",
    "embedding.projection.": "conv_proj.",
    "positions": "encoder.pos_embedding",
    "blocks.{}.norm1.": "encoder.layers.encoder_layer_{}.ln_1.",
    "blocks.{}.attention.": "encoder.layers.encoder_layer_{}.self_attention.",
    "blocks.{}.norm2.": "encoder.layers.encoder_layer_{}.ln_2.",
    "blocks.{}.mlp.0.": "encoder.layers.encoder_layer_{}.mlp.0.",
    "blocks.{}.mlp.2.": "encoder.layers.encoder_layer_{}.mlp.3.",
    "norm.": "encoder.ln.",
    "head.": "heads.head.",
}


def from_torchvision(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The state of a ``torchvision.models.VisionTransformer`` under the names of a ``ViT`` with a class token.

    Raises:
        ValueError: if a name is not torchvision's.
    """
    names = {theirs: ours for ours, theirs in TORCHVISION_NAMES.items()}
    renamed = {_rename(name, names): tensor for name, tensor in state.items()}
    weight = renamed["embedding.projection.weight"]
    return renamed | {"embedding.projection.weight": weight.flatten(1)}  # (D, C, p, p) -> (D, C * p * p)


def to_torchvision(model: ViT) -> dict[str, Tensor]:
    """The state of a ``ViT`` under the names of ``torchvision.models.VisionTransformer``: so a model can leave.

    Raises:
        ValueError: if the model has no class token or no learnt positions; torchvision's always has.
    """
    if not model.class_token or not isinstance(model.positions, nn.Parameter):
        raise ValueError("model must have a class token and learnt positions, as torchvision's has")
    state = {_rename(name, TORCHVISION_NAMES): tensor for name, tensor in model.state_dict().items()}
    shape = (model.embedding.channels, *model.embedding.patch_size)
    return state | {"conv_proj.weight": state["conv_proj.weight"].unflatten(1, shape)}


def _rename(name: str, names: dict[str, str]) -> str:
    for old, new in names.items():
        if found := re.match(re.escape(old).replace(r"\{\}", r"(\d+)"), name):
            return new.format(*found.groups()) + name[found.end() :]
    raise ValueError(f"state: {name!r} has no counterpart")


# --- What came in -------------------------------------------------------------------------------------------


def _pair(size: Size) -> tuple[int, int]:
    pair = (size, size) if isinstance(size, int) else tuple(size)
    if len(pair) != 2:
        raise ValueError(f"a size must be one number or (height, width), got {size}")
    return pair


def _grid(image_size: Sequence[int], patch_size: Size) -> tuple[int, int]:
    """Rows and columns of patches."""
    (height, width), (ph, pw) = image_size, _pair(patch_size)
    if ph < 1 or pw < 1 or height % ph or width % pw:
        raise ValueError(
            f"patch_size must divide the picture: patches of {ph}x{pw} do not fill {height}x{width} without a rest"
        )
    return height // ph, width // pw
