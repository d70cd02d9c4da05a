"""The exercises of lesson 04: what makes a network right about pictures it has not seen, and how that is measured.

Where an answer draws random numbers, its trial calls it many times and says in words what it does ("p of them",
"each on its own"): any right answer gives the same words, whatever it draws, and so does any form of one mistake.
"""

import copy
import math
from collections import Counter
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .exercise import Case, Draw, Exercise, Mistake

LESSON = "04_generalization"


# --- shift_and_flip -------------------------------------------------------------------------------------------


def shift_and_flip(x, shifts, flips, fill):
    """(N, C, H, W) -> a new tensor of that shape and dtype: some pictures flipped, then each one moved

    flips: (N,) bool, which pictures are turned left to right, before they are moved
    shifts: (N, 2) whole numbers, by how many pixels each picture moves down and right (below 0: up and left);
        less than H and W
    fill: a float, what comes in at the rim
    """
    height, width = x.shape[2:]
    x = x.flip(-1).where(flips[:, None, None, None], x)
    padded = F.pad(x, (width, width, height, height), value=fill)
    windows = [
        picture[:, height - down : 2 * height - down, width - right : 2 * width - right]
        for picture, (down, right) in zip(padded, shifts.tolist(), strict=True)
    ]
    return torch.stack(windows)


def a_new_tensor(shift_and_flip: Callable, x: Tensor, shifts: Tensor, flips: Tensor, fill: float) -> Tensor:
    moved = shift_and_flip(x, shifts, flips, fill)
    if isinstance(moved, Tensor) and moved.untyped_storage().data_ptr() == x.untyped_storage().data_ptr():
        raise ValueError("what came back shares the memory of x: a new tensor is asked for, where nothing moves too")
    return moved


def one_shift_for_all(x, shifts, flips, fill):
    height, width = x.shape[2:]
    x = x.flip(-1).where(flips[:, None, None, None], x)
    padded = F.pad(x, (width, width, height, height), value=fill)
    down, right = shifts[0].tolist()
    return padded[:, :, height - down : 2 * height - down, width - right : 2 * width - right]


def one_flip_for_all(x, shifts, flips, fill):
    height, width = x.shape[2:]
    if flips[0]:
        x = x.flip(-1)
    padded = F.pad(x, (width, width, height, height), value=fill)
    windows = [
        picture[:, height - down : 2 * height - down, width - right : 2 * width - right]
        for picture, (down, right) in zip(padded, shifts.tolist(), strict=True)
    ]
    return torch.stack(windows)


def all_flipped_if_any(x, shifts, flips, fill):
    height, width = x.shape[2:]
    if flips.any():
        x = x.flip(-1)
    padded = F.pad(x, (width, width, height, height), value=fill)
    windows = [
        picture[:, height - down : 2 * height - down, width - right : 2 * width - right]
        for picture, (down, right) in zip(padded, shifts.tolist(), strict=True)
    ]
    return torch.stack(windows)


def all_like_the_first(x, shifts, flips, fill):
    height, width = x.shape[2:]
    if flips[0]:
        x = x.flip(-1)
    padded = F.pad(x, (width, width, height, height), value=fill)
    down, right = shifts[0].tolist()
    return padded[:, :, height - down : 2 * height - down, width - right : 2 * width - right]


def upside_down(x, shifts, flips, fill):
    height, width = x.shape[2:]
    x = x.flip(-2).where(flips[:, None, None, None], x)
    padded = F.pad(x, (width, width, height, height), value=fill)
    windows = [
        picture[:, height - down : 2 * height - down, width - right : 2 * width - right]
        for picture, (down, right) in zip(padded, shifts.tolist(), strict=True)
    ]
    return torch.stack(windows)


def turned_by_half_a_turn(x, shifts, flips, fill):
    height, width = x.shape[2:]
    x = x.flip(-2, -1).where(flips[:, None, None, None], x)
    padded = F.pad(x, (width, width, height, height), value=fill)
    windows = [
        picture[:, height - down : 2 * height - down, width - right : 2 * width - right]
        for picture, (down, right) in zip(padded, shifts.tolist(), strict=True)
    ]
    return torch.stack(windows)


def channels_flipped(x, shifts, flips, fill):
    height, width = x.shape[2:]
    x = torch.stack([p.flip(0) if turned else p for p, turned in zip(x, flips, strict=True)])
    padded = F.pad(x, (width, width, height, height), value=fill)
    windows = [
        picture[:, height - down : 2 * height - down, width - right : 2 * width - right]
        for picture, (down, right) in zip(padded, shifts.tolist(), strict=True)
    ]
    return torch.stack(windows)


def pictures_exchanged(x, shifts, flips, fill):
    height, width = x.shape[2:]
    x = x.flip(0).where(flips[:, None, None, None], x)
    padded = F.pad(x, (width, width, height, height), value=fill)
    windows = [
        picture[:, height - down : 2 * height - down, width - right : 2 * width - right]
        for picture, (down, right) in zip(padded, shifts.tolist(), strict=True)
    ]
    return torch.stack(windows)


def flip_thrown_away(x, shifts, flips, fill):
    height, width = x.shape[2:]
    x[flips].flip(-1)
    padded = F.pad(x, (width, width, height, height), value=fill)
    windows = [
        picture[:, height - down : 2 * height - down, width - right : 2 * width - right]
        for picture, (down, right) in zip(padded, shifts.tolist(), strict=True)
    ]
    return torch.stack(windows)


def the_others_flipped(x, shifts, flips, fill):
    height, width = x.shape[2:]
    x = torch.where(flips[:, None, None, None], x, x.flip(-1))
    padded = F.pad(x, (width, width, height, height), value=fill)
    windows = [
        picture[:, height - down : 2 * height - down, width - right : 2 * width - right]
        for picture, (down, right) in zip(padded, shifts.tolist(), strict=True)
    ]
    return torch.stack(windows)


def zero_at_the_rim(x, shifts, flips, fill):
    height, width = x.shape[2:]
    x = x.flip(-1).where(flips[:, None, None, None], x)
    padded = F.pad(x, (width, width, height, height))
    windows = [
        picture[:, height - down : 2 * height - down, width - right : 2 * width - right]
        for picture, (down, right) in zip(padded, shifts.tolist(), strict=True)
    ]
    return torch.stack(windows)


def every_zero_filled(x, shifts, flips, fill):
    height, width = x.shape[2:]
    x = x.flip(-1).where(flips[:, None, None, None], x)
    padded = F.pad(x, (width, width, height, height))
    windows = [
        picture[:, height - down : 2 * height - down, width - right : 2 * width - right]
        for picture, (down, right) in zip(padded, shifts.tolist(), strict=True)
    ]
    moved = torch.stack(windows)
    return moved.masked_fill(moved == 0, fill)


def right_before_down(x, shifts, flips, fill):
    height, width = x.shape[2:]
    x = x.flip(-1).where(flips[:, None, None, None], x)
    padded = F.pad(x, (width, width, height, height), value=fill)
    windows = [
        picture[:, height - down : 2 * height - down, width - right : 2 * width - right]
        for picture, (right, down) in zip(padded, shifts.tolist(), strict=True)
    ]
    return torch.stack(windows)


def height_for_width(x, shifts, flips, fill):
    height, width = x.shape[2:]
    x = x.flip(-1).where(flips[:, None, None, None], x)
    padded = F.pad(x, (width, width, height, height), value=fill)
    windows = [
        picture[:, height - down : 2 * height - down, width - right : width - right + height]
        for picture, (down, right) in zip(padded, shifts.tolist(), strict=True)
    ]
    return torch.stack(windows)


def the_other_way(x, shifts, flips, fill):
    height, width = x.shape[2:]
    x = x.flip(-1).where(flips[:, None, None, None], x)
    padded = F.pad(x, (width, width, height, height), value=fill)
    windows = [
        picture[:, height + down : 2 * height + down, width + right : 2 * width + right]
        for picture, (down, right) in zip(padded, shifts.tolist(), strict=True)
    ]
    return torch.stack(windows)


def wraps_round(x, shifts, flips, fill):
    x = x.flip(-1).where(flips[:, None, None, None], x)
    return torch.stack([p.roll(move, (1, 2)) for p, move in zip(x, shifts.tolist(), strict=True)])


def rim_repeated(x, shifts, flips, fill):
    height, width = x.shape[2:]
    x = x.flip(-1).where(flips[:, None, None, None], x)
    padded = F.pad(x, (width, width, height, height), mode="replicate")
    windows = [
        picture[:, height - down : 2 * height - down, width - right : 2 * width - right]
        for picture, (down, right) in zip(padded, shifts.tolist(), strict=True)
    ]
    return torch.stack(windows)


def moved_before_flipped(x, shifts, flips, fill):
    height, width = x.shape[2:]
    padded = F.pad(x, (width, width, height, height), value=fill)
    windows = [
        picture[:, height - down : 2 * height - down, width - right : 2 * width - right]
        for picture, (down, right) in zip(padded, shifts.tolist(), strict=True)
    ]
    moved = torch.stack(windows)
    return moved.flip(-1).where(flips[:, None, None, None], moved)


def slices_that_end_before_minus_zero(x, shifts, flips, fill):
    x = x.flip(-1).where(flips[:, None, None, None], x)
    result = torch.full_like(x, fill)
    for moved, picture, (down, right) in zip(result, x, shifts.tolist(), strict=True):
        moved[:, down:, right:] = picture[:, :-down, :-right]
    return result


def single_precision(x, shifts, flips, fill):
    height, width = x.shape[2:]
    x = x.flip(-1).where(flips[:, None, None, None], x)
    result = torch.full(x.shape, fill)
    for moved, picture, (down, right) in zip(result, x, shifts.tolist(), strict=True):
        inside = picture[:, max(-down, 0) : height - max(down, 0), max(-right, 0) : width - max(right, 0)]
        moved[:, max(down, 0) : height + min(down, 0), max(right, 0) : width + min(right, 0)] = inside
    return result


def mixed_by_a_mask_of_floats(x, shifts, flips, fill):
    height, width = x.shape[2:]
    turned = flips[:, None, None, None].float()
    x = turned * x.flip(-1) + (1 - turned) * x
    padded = F.pad(x, (width, width, height, height), value=fill)
    windows = [
        picture[:, height - down : 2 * height - down, width - right : 2 * width - right]
        for picture, (down, right) in zip(padded, shifts.tolist(), strict=True)
    ]
    return torch.stack(windows)


def flipped_in_place(x, shifts, flips, fill):
    height, width = x.shape[2:]
    x[flips] = x[flips].flip(-1)
    padded = F.pad(x, (width, width, height, height), value=fill)
    windows = [
        picture[:, height - down : 2 * height - down, width - right : 2 * width - right]
        for picture, (down, right) in zip(padded, shifts.tolist(), strict=True)
    ]
    return torch.stack(windows)


def drawn_moves(draw: Draw) -> tuple[Tensor, Tensor, Tensor, float]:
    count, height, width = draw.whole(1, 5), draw.whole(1, 7), draw.whole(1, 7)
    x = draw(count, draw.whole(1, 3), height, width).round() + 0  # so that some pixels are 0, and none -0
    shifts = [[draw.whole(1 - height, height - 1), draw.whole(1 - width, width - 1)] for _ in range(count)]
    flips = [draw.whole(0, 1) == 1 for _ in range(count)]
    return x.double() if draw.whole(0, 1) else x, torch.tensor(shifts), torch.tensor(flips), draw.whole(-20, 20) / 8


# --- batch_norm -----------------------------------------------------------------------------------------------


def batch_norm(x, running_mean, running_var, training):
    """(N, C, H, W) -> the same shape: each channel with mean 0 and variance 1, eps = 1e-5 added to the variance

    training: with the batch's own mean and variance (divided by n), through which gradients flow;
        running_mean and running_var (C,) then move a tenth of the way towards the batch's mean and variance
        (divided by n - 1 this time), in place and without gradients
    not training: with running_mean and running_var, which stay as they are; gradients flow to x here too
    """
    mean, var = running_mean, running_var
    if training:
        mean, var = x.mean((0, 2, 3)), x.var((0, 2, 3), correction=0)  # (C,)
        with torch.no_grad():
            running_mean.lerp_(mean, 0.1)
            running_var.lerp_(x.var((0, 2, 3)), 0.1)
    return (x - mean[:, None, None]) / (var[:, None, None] + 1e-5).sqrt()


def batch_statistics_in_evaluation(x, running_mean, running_var, training):
    mean, var = x.mean((0, 2, 3)), x.var((0, 2, 3), correction=0)
    if training:
        with torch.no_grad():
            running_mean.lerp_(mean, 0.1)
            running_var.lerp_(x.var((0, 2, 3)), 0.1)
    return (x - mean[:, None, None]) / (var[:, None, None] + 1e-5).sqrt()


def training_not_asked_for(x, running_mean, running_var, training):
    mean, var = x.mean((0, 2, 3)), x.var((0, 2, 3), correction=0)
    with torch.no_grad():
        running_mean.lerp_(mean, 0.1)
        running_var.lerp_(x.var((0, 2, 3)), 0.1)
    return (x - mean[:, None, None]) / (var[:, None, None] + 1e-5).sqrt()


def followed_in_evaluation(x, running_mean, running_var, training):
    mean, var = running_mean.clone(), running_var.clone()
    if training:
        mean, var = x.mean((0, 2, 3)), x.var((0, 2, 3), correction=0)
    with torch.no_grad():
        running_mean.lerp_(x.mean((0, 2, 3)), 0.1)
        running_var.lerp_(x.var((0, 2, 3)), 0.1)
    return (x - mean[:, None, None]) / (var[:, None, None] + 1e-5).sqrt()


def followed_before_it_is_used_in_evaluation(x, running_mean, running_var, training):
    with torch.no_grad():
        running_mean.lerp_(x.mean((0, 2, 3)), 0.1)
        running_var.lerp_(x.var((0, 2, 3)), 0.1)
    mean, var = running_mean, running_var
    if training:
        mean, var = x.mean((0, 2, 3)), x.var((0, 2, 3), correction=0)
    return (x - mean[:, None, None]) / (var[:, None, None] + 1e-5).sqrt()


def divided_by_n_minus_1_inside(x, running_mean, running_var, training):
    mean, var = running_mean, running_var
    if training:
        mean, var = x.mean((0, 2, 3)), x.var((0, 2, 3))
        with torch.no_grad():
            running_mean.lerp_(mean, 0.1)
            running_var.lerp_(var, 0.1)
    return (x - mean[:, None, None]) / (var[:, None, None] + 1e-5).sqrt()


def divided_by_n_outside(x, running_mean, running_var, training):
    mean, var = running_mean, running_var
    if training:
        mean, var = x.mean((0, 2, 3)), x.var((0, 2, 3), correction=0)
        with torch.no_grad():
            running_mean.lerp_(mean, 0.1)
            running_var.lerp_(var, 0.1)
    return (x - mean[:, None, None]) / (var[:, None, None] + 1e-5).sqrt()


def the_two_variances_exchanged(x, running_mean, running_var, training):
    mean, var = running_mean, running_var
    if training:
        mean, var = x.mean((0, 2, 3)), x.var((0, 2, 3))
        with torch.no_grad():
            running_mean.lerp_(mean, 0.1)
            running_var.lerp_(x.var((0, 2, 3), correction=0), 0.1)
    return (x - mean[:, None, None]) / (var[:, None, None] + 1e-5).sqrt()


def each_picture_by_itself(x, running_mean, running_var, training):
    if not training:
        return (x - running_mean[:, None, None]) / (running_var[:, None, None] + 1e-5).sqrt()
    with torch.no_grad():
        running_mean.lerp_(x.mean((0, 2, 3)), 0.1)
        running_var.lerp_(x.var((0, 2, 3)), 0.1)
    mean, var = x.mean((2, 3), keepdim=True), x.var((2, 3), correction=0, keepdim=True)
    return (x - mean) / (var + 1e-5).sqrt()


def each_picture_by_itself_throughout(x, running_mean, running_var, training):
    if not training:
        return (x - running_mean[:, None, None]) / (running_var[:, None, None] + 1e-5).sqrt()
    mean, var = x.mean((2, 3), keepdim=True), x.var((2, 3), correction=0, keepdim=True)
    with torch.no_grad():
        running_mean.lerp_(mean.mean((0, 2, 3)), 0.1)
        running_var.lerp_(x.var((2, 3)).mean(0), 0.1)
    return (x - mean) / (var + 1e-5).sqrt()


def all_channels_together(x, running_mean, running_var, training):
    mean, var = running_mean[:, None, None], running_var[:, None, None]
    if training:
        mean, var = x.mean(), x.var(correction=0)
        with torch.no_grad():
            running_mean.lerp_(x.mean(), 0.1)
            running_var.lerp_(x.var(), 0.1)
    return (x - mean) / (var + 1e-5).sqrt()


def along_the_columns(x, running_mean, running_var, training):
    mean, var = running_mean, running_var
    if training:
        mean, var = x.mean((0, 2, 3)), x.var((0, 2, 3), correction=0)
        with torch.no_grad():
            running_mean.lerp_(mean, 0.1)
            running_var.lerp_(x.var((0, 2, 3)), 0.1)
    return (x - mean) / (var + 1e-5).sqrt()


def eps_outside_the_root(x, running_mean, running_var, training):
    mean, var = running_mean, running_var
    if training:
        mean, var = x.mean((0, 2, 3)), x.var((0, 2, 3), correction=0)
        with torch.no_grad():
            running_mean.lerp_(mean, 0.1)
            running_var.lerp_(x.var((0, 2, 3)), 0.1)
    return (x - mean[:, None, None]) / (var[:, None, None].sqrt() + 1e-5)


def without_eps(x, running_mean, running_var, training):
    mean, var = running_mean, running_var
    if training:
        mean, var = x.mean((0, 2, 3)), x.var((0, 2, 3), correction=0)
        with torch.no_grad():
            running_mean.lerp_(mean, 0.1)
            running_var.lerp_(x.var((0, 2, 3)), 0.1)
    return (x - mean[:, None, None]) / var[:, None, None].sqrt()


def no_root_taken(x, running_mean, running_var, training):
    mean, var = running_mean, running_var
    if training:
        mean, var = x.mean((0, 2, 3)), x.var((0, 2, 3), correction=0)
        with torch.no_grad():
            running_mean.lerp_(mean, 0.1)
            running_var.lerp_(x.var((0, 2, 3)), 0.1)
    return (x - mean[:, None, None]) / (var[:, None, None] + 1e-5)


def evaluation_without_gradients(x, running_mean, running_var, training):
    if training:
        mean, var = x.mean((0, 2, 3)), x.var((0, 2, 3), correction=0)
        with torch.no_grad():
            running_mean.lerp_(mean, 0.1)
            running_var.lerp_(x.var((0, 2, 3)), 0.1)
        return (x - mean[:, None, None]) / (var[:, None, None] + 1e-5).sqrt()
    with torch.no_grad():
        return (x - running_mean[:, None, None]) / (running_var[:, None, None] + 1e-5).sqrt()


def never_followed(x, running_mean, running_var, training):
    mean, var = running_mean, running_var
    if training:
        mean, var = x.mean((0, 2, 3)), x.var((0, 2, 3), correction=0)
    return (x - mean[:, None, None]) / (var[:, None, None] + 1e-5).sqrt()


def names_rebound(x, running_mean, running_var, training):
    mean, var = running_mean, running_var
    if training:
        mean, var = x.mean((0, 2, 3)), x.var((0, 2, 3), correction=0)
        running_mean = 0.9 * running_mean + 0.1 * mean
        running_var = 0.9 * running_var + 0.1 * x.var((0, 2, 3))
    return (x - mean[:, None, None]) / (var[:, None, None] + 1e-5).sqrt()


def nine_tenths_of_the_way(x, running_mean, running_var, training):
    mean, var = running_mean, running_var
    if training:
        mean, var = x.mean((0, 2, 3)), x.var((0, 2, 3), correction=0)
        with torch.no_grad():
            running_mean.lerp_(mean, 0.9)
            running_var.lerp_(x.var((0, 2, 3)), 0.9)
    return (x - mean[:, None, None]) / (var[:, None, None] + 1e-5).sqrt()


def old_ones_replaced(x, running_mean, running_var, training):
    mean, var = running_mean, running_var
    if training:
        mean, var = x.mean((0, 2, 3)), x.var((0, 2, 3), correction=0)
        with torch.no_grad():
            running_mean.copy_(mean)
            running_var.copy_(x.var((0, 2, 3)))
    return (x - mean[:, None, None]) / (var[:, None, None] + 1e-5).sqrt()


def tenth_added(x, running_mean, running_var, training):
    mean, var = running_mean, running_var
    if training:
        mean, var = x.mean((0, 2, 3)), x.var((0, 2, 3), correction=0)
        with torch.no_grad():
            running_mean += 0.1 * mean
            running_var += 0.1 * x.var((0, 2, 3))
    return (x - mean[:, None, None]) / (var[:, None, None] + 1e-5).sqrt()


def running_ones_in_training(x, running_mean, running_var, training):
    if training:
        with torch.no_grad():
            running_mean.lerp_(x.mean((0, 2, 3)), 0.1)
            running_var.lerp_(x.var((0, 2, 3)), 0.1)
    return (x - running_mean[:, None, None]) / (running_var[:, None, None] + 1e-5).sqrt()


def running_ones_of_before(x, running_mean, running_var, training):
    y = (x - running_mean[:, None, None]) / (running_var[:, None, None] + 1e-5).sqrt()
    if training:
        with torch.no_grad():
            running_mean.lerp_(x.mean((0, 2, 3)), 0.1)
            running_var.lerp_(x.var((0, 2, 3)), 0.1)
    return y


def the_wrong_way_round(x, running_mean, running_var, training):
    mean, var = running_mean, running_var
    if not training:
        mean, var = x.mean((0, 2, 3)), x.var((0, 2, 3), correction=0)
        with torch.no_grad():
            running_mean.lerp_(mean, 0.1)
            running_var.lerp_(x.var((0, 2, 3)), 0.1)
    return (x - mean[:, None, None]) / (var[:, None, None] + 1e-5).sqrt()


def deviation_stored(x, running_mean, running_var, training):
    mean, var = running_mean, running_var
    if training:
        mean, var = x.mean((0, 2, 3)), x.var((0, 2, 3), correction=0)
        with torch.no_grad():
            running_mean.lerp_(mean, 0.1)
            running_var.lerp_(x.std((0, 2, 3)), 0.1)
    return (x - mean[:, None, None]) / (var[:, None, None] + 1e-5).sqrt()


def graph_kept(x, running_mean, running_var, training):
    mean, var = running_mean, running_var
    if training:
        mean, var = x.mean((0, 2, 3)), x.var((0, 2, 3), correction=0)
        running_mean.mul_(0.9).add_(0.1 * mean)
        running_var.mul_(0.9).add_(0.1 * x.var((0, 2, 3)))
    return (x - mean[:, None, None]) / (var[:, None, None] + 1e-5).sqrt()


def squares_less_the_square(x, running_mean, running_var, training):
    mean, var = running_mean, running_var
    if training:
        mean = x.mean((0, 2, 3))
        var = x.square().mean((0, 2, 3)) - mean.square()
        with torch.no_grad():
            running_mean.lerp_(mean, 0.1)
            running_var.lerp_(x.var((0, 2, 3)), 0.1)
    return (x - mean[:, None, None]) / (var[:, None, None] + 1e-5).sqrt()


def squares_less_the_square_throughout(x, running_mean, running_var, training):
    mean, var = running_mean, running_var
    if training:
        mean = x.mean((0, 2, 3))
        var = x.square().mean((0, 2, 3)) - mean.square()
        n = x.numel() / x.shape[1]
        with torch.no_grad():
            running_mean.lerp_(mean, 0.1)
            running_var.lerp_(n / (n - 1) * var, 0.1)
    return (x - mean[:, None, None]) / (var[:, None, None] + 1e-5).sqrt()


def statistics_taken_as_constants(x, running_mean, running_var, training):
    mean, var = running_mean, running_var
    if training:
        with torch.no_grad():
            mean, var = x.mean((0, 2, 3)), x.var((0, 2, 3), correction=0)
            running_mean.lerp_(mean, 0.1)
            running_var.lerp_(x.var((0, 2, 3)), 0.1)
    return (x - mean[:, None, None]) / (var[:, None, None] + 1e-5).sqrt()


def batches_in_turn(
    batch_norm: Callable, batches: Tensor, running_mean: Tensor, running_var: Tensor, training: bool, gradients: bool
) -> dict:
    """Normalise one batch after the other, and look each time at what came and at the running statistics."""
    mean, var, seen = running_mean.clone(), running_var.clone(), {}
    for number, batch in enumerate(batches, start=1):
        x = batch.clone().requires_grad_() if gradients else batch
        y = batch_norm(x, mean, var, training)
        seen[f"output for batch {number}"] = y
        seen[f"running_mean after batch {number}"] = mean.detach().clone()
        seen[f"running_var after batch {number}"] = var.detach().clone()
        if gradients:
            seen[f"gradient of batch {number}"] = gradient_of(y, x)
            hangs = mean.requires_grad or var.requires_grad
            seen["the running statistics are"] = "part of the graph" if hangs else "plain numbers"
    return seen


def gradient_of(y: Tensor, x: Tensor) -> Tensor:
    """What x is told when a gradient that differs in every place is sent back from y; zeros if nothing arrives."""
    if not isinstance(y, Tensor) or not y.requires_grad:
        return torch.zeros_like(x)
    sent = torch.linspace(0.5, 1.5, y.numel(), dtype=y.dtype).view_as(y)
    received = torch.autograd.grad(y, x, sent, allow_unused=True)[0]
    return torch.zeros_like(x) if received is None else received


def uneven(draw: Draw, *shape: int) -> Tensor:
    """Batches (B, N, C, H, W) whose channels differ in mean and spread."""
    channel = torch.arange(1.0, shape[2] + 1)[:, None, None]
    return draw(*shape) * channel + 2 - channel


def statistics_far_off(draw: Draw, channels: int) -> tuple[Tensor, Tensor]:
    return draw(channels) - 3, draw(channels).abs() + 5


def far_brighter(draw: Draw) -> Tensor:
    """Whole numbers about 4000: their mean is exact, the sum of their squares too long for float32."""
    return (40 * uneven(draw, 1, 2, 3, 2, 2)).round() + 4000


def nearly_constant(draw: Draw) -> Tensor:
    """A batch whose first channel hardly varies, and whose second does not at all."""
    batches = uneven(draw, 1, 4, 3, 2, 2)
    batches[:, :, 0] = 0.01 * draw(1, 4, 2, 2)
    batches[:, :, 1] = 2
    return batches


def drawn_batches(draw: Draw) -> tuple:
    count, channels = draw.whole(1, 4), draw.whole(1, 4)
    batches = uneven(draw, draw.whole(1, 3), count, channels, draw.whole(1, 4), draw.whole(2, 4))
    mean, var = statistics_far_off(draw, channels)
    if draw.whole(0, 1):
        batches, mean, var = batches.double(), mean.double(), var.double()
    return batches, mean, var, draw.whole(0, 3) > 0, draw.whole(0, 1) == 1


# --- dropout --------------------------------------------------------------------------------------------------


def dropout(x, p, training):
    """Any shape -> the same shape and dtype

    training: each number becomes 0 with probability p (0 <= p < 1), by a coin of its own, thrown anew at each
        call; the others are divided by 1 - p. Gradients flow through those that are kept.
    not training: all numbers as they are
    x itself is not changed.
    """
    if not training:
        return x
    kept = torch.rand_like(x) >= p
    return x * kept / (1 - p)


def kept_with_p(x, p, training):
    if not training:
        return x
    kept = torch.rand_like(x) < p
    return x * kept / (1 - p)


def kept_with_p_and_divided_by_p(x, p, training):
    if not training:
        return x
    kept = torch.rand_like(x) < p
    return x * kept / p


def not_scaled(x, p, training):
    if not training:
        return x
    kept = torch.rand_like(x) >= p
    return x * kept


def scaled_in_evaluation(x, p, training):
    if not training:
        return x * (1 - p)
    kept = torch.rand_like(x) >= p
    return x * kept


def scaled_twice(x, p, training):
    if not training:
        return x * (1 - p)
    kept = torch.rand_like(x) >= p
    return x * kept / (1 - p)


def scaled_up_in_evaluation(x, p, training):
    if not training:
        return x / (1 - p)
    kept = torch.rand_like(x) >= p
    return x * kept / (1 - p)


def scaled_down(x, p, training):
    if not training:
        return x
    kept = torch.rand_like(x) >= p
    return x * kept * (1 - p)


def divided_by_p(x, p, training):
    if not training:
        return x
    kept = torch.rand_like(x) >= p
    return x * kept / p


def dropped_in_evaluation(x, p, training):
    kept = torch.rand_like(x) >= p
    return x * kept / (1 - p)


def dropped_in_evaluation_only(x, p, training):
    if training:
        return x
    kept = torch.rand_like(x) >= p
    return x * kept / (1 - p)


def one_mask_for_all_pictures(x, p, training):
    if not training:
        return x
    kept = torch.rand(x.shape[1:]) >= p
    return x * kept / (1 - p)


def one_mask_for_all_rows(x, p, training):
    if not training:
        return x
    kept = torch.rand(x.shape[-1]) >= p
    return x * kept / (1 - p)


def whole_pictures(x, p, training):
    if not training:
        return x
    kept = torch.rand(len(x), *[1] * (x.dim() - 1)) >= p
    return x * kept / (1 - p)


def whole_channels(x, p, training):
    if not training:
        return x
    kept = torch.rand(*x.shape[:2], *[1] * (x.dim() - 2)) >= p
    return x * kept / (1 - p)


def one_coin_for_everything(x, p, training):
    if not training:
        return x
    kept = torch.rand(()) >= p
    return x * kept / (1 - p)


def the_same_at_each_call(x, p, training):
    if not training:
        return x
    torch.manual_seed(0)
    kept = torch.rand_like(x) >= p
    return x * kept / (1 - p)


def a_fixed_number(x, p, training):
    if not training:
        return x
    order = torch.randperm(x.numel()).view(x.shape)
    kept = order >= round(p * x.numel())
    return x * kept / (1 - p)


def drawn_from_a_bell(x, p, training):
    if not training:
        return x
    kept = torch.randn_like(x) >= p
    return x * kept / (1 - p)


def a_fair_coin(x, p, training):
    if not training:
        return x
    kept = torch.rand_like(x).round()
    return x * kept / (1 - p)


def dropped_in_place(x, p, training):
    if not training:
        return x
    x[torch.rand(x.shape) < p] = 0
    return x / (1 - p)


def scaled_by_what_was_left(x, p, training):
    if not training:
        return x
    kept = torch.rand_like(x) >= p
    return x * kept / kept.double().mean().item()


def many_coins(dropout: Callable, x: Tensor, p: float, training: bool) -> dict[str, Tensor | None]:
    """Twelve calls on two thousand numbers, none of which is 0, and a gradient through one more."""
    given = [x.clone() for _ in range(12)]
    results = [like(x, dropout(one, p, training)).detach().clone() for one in given]
    leaf = x.clone().requires_grad_()
    y = like(x, dropout(leaf * 1, p, training))  # a product, as a leaf that wants a gradient cannot be written to
    gradient = torch.autograd.grad(y.sum(), leaf)[0] if y.requires_grad else None
    return {"results": torch.stack(results), "given": torch.stack(given), "y": y.detach(), "gradient": gradient}


def coins_in_words(came: dict[str, Tensor | None], x: Tensor, p: float, training: bool) -> dict[str, str]:
    """A share that differs by 0.04, by which kinds of answers are told apart, is twelve standard deviations off."""
    results = came["results"]  # (calls, *x.shape)
    zeros = results == 0
    together = ", ".join(str(axis) for axis in range(x.dim()) if related_along(zeros, axis + 1))
    if together:
        anew = "left to chance"
    elif related_along(zeros, 0):
        anew = "the same ones again"
    else:
        fixed = zeros.any() and len(zeros.flatten(1).sum(dim=1).unique()) == 1
        anew = "as many as before, exactly" if fixed else "drawn anew"
    return {
        "the zeros lie": f"in lines, along axis {together}" if together else "anywhere",
        "the share of zeros": "left to chance" if together else share_in_words(zeros, p),
        "numbers that are not 0 are": factor_in_words((results / x)[~zeros], p),
        "at the next call the zeros are": anew,
        "x afterwards": "as it was" if all(given.equal(x) for given in came["given"]) else "changed",
        "gradients": flow_in_words(came["gradient"], came["y"] / x),
    }


def like(x: Tensor, came: object) -> Tensor:
    """What came, if it is a tensor that could be an answer for x; said in words if not."""
    if came is None:
        raise TypeError("nothing came back: is there a return at the end?")
    if not isinstance(came, Tensor):
        raise TypeError(f"expected a tensor, yours is a {type(came).__name__}")
    if came.shape != x.shape:
        raise ValueError(f"expected shape {tuple(x.shape)}, yours {tuple(came.shape)}")
    if came.dtype != x.dtype:
        raise ValueError(f"expected {x.dtype}, yours {came.dtype}")
    return came


def related_along(zeros: Tensor, axis: int) -> bool:
    """Does the fate of one number tell that of another on the same line along this axis, at whatever distance?

    The correlation at every distance at once, by the Fourier transform; by chance it is about 0.01.
    """
    z = zeros.double() - zeros.double().mean()
    power = torch.fft.rfft(z, dim=axis).abs().square()
    products = torch.fft.irfft(power, n=z.shape[axis], dim=axis).movedim(axis, 0).flatten(1).mean(dim=1)
    return bool(products[1:].abs().max() > 0.4 * products[0])


def share_in_words(zeros: Tensor, p: float) -> str:
    if not zeros.any() or zeros.all():
        return "all" if zeros.all() else "none"
    share = zeros.double().mean().item()
    known = (("p", p), ("1 - p", 1 - p))
    return next((words for words, value in known if abs(share - value) < 0.04), "neither p nor 1 - p")


def factor_in_words(factors: Tensor, p: float) -> str:
    known = (("divided by 1 - p", 1 - p), ("as they were", 1.0), ("times 1 - p", 1 / (1 - p)), ("divided by p", p))
    if not len(factors):
        return "none"
    near = (words for words, divisor in known if (factors * divisor - 1).abs().max() < 1e-4)
    return next(near, "times another number" if torch.allclose(factors, factors[:1]) else "not scaled all alike")


def flow_in_words(gradient: Tensor | None, factors: Tensor) -> str:
    if gradient is None:
        return "do not reach x"
    return "reach what was kept" if torch.allclose(gradient, factors, rtol=1e-3) else "differ"


def far_from_zero(draw: Draw, *shape: int) -> Tensor:
    x = draw(*shape)
    return x + x.sign() / 2


# --- k_fold ---------------------------------------------------------------------------------------------------


def k_fold(count, folds, generator):
    """A list of `folds` pairs (training places, validation places), int64 tensors of places from 0 to count - 1

    The places are shuffled by the generator. Each is validated in exactly one pair, which trains on all others;
    the validation parts' sizes differ by at most one.
    """
    parts = torch.randperm(count, generator=generator).tensor_split(folds)
    return [(torch.cat(parts[:i] + parts[i + 1 :]), parts[i]) for i in range(folds)]


def each_fold_drawn_anew(count, folds, generator):
    pairs = []
    for part in torch.arange(count).tensor_split(folds):
        order = torch.randperm(count, generator=generator)
        pairs.append((order[len(part) :], order[: len(part)]))
    return pairs


def a_fold_drawn_for_each_place(count, folds, generator):
    number = torch.randint(folds, (count,), generator=generator)
    return [((number != i).nonzero().flatten(), (number == i).nonzero().flatten()) for i in range(folds)]


def trained_on_all(count, folds, generator):
    order = torch.randperm(count, generator=generator)
    return [(order, part) for part in order.tensor_split(folds)]


def remainder_dropped(count, folds, generator):
    parts = torch.randperm(count, generator=generator).split(count // folds)[:folds]
    return [(torch.cat(parts[:i] + parts[i + 1 :]), parts[i]) for i in range(folds)]


def remainder_never_validated(count, folds, generator):
    order, size = torch.randperm(count, generator=generator), count // folds
    starts = range(0, size * folds, size)
    return [(torch.cat([order[:start], order[start + size :]]), order[start : start + size]) for start in starts]


def remainder_in_the_last(count, folds, generator):
    order, size = torch.randperm(count, generator=generator), count // folds
    parts = order.tensor_split([size * i for i in range(1, folds)])
    return [(torch.cat(parts[:i] + parts[i + 1 :]), parts[i]) for i in range(folds)]


def rounded_up(count, folds, generator):
    parts = torch.randperm(count, generator=generator).chunk(folds)
    return [(torch.cat(parts[:i] + parts[i + 1 :]), parts[i]) for i in range(len(parts))]


def one_after_the_other(count, folds, generator):
    parts = torch.arange(count).tensor_split(folds)
    return [(torch.cat(parts[:i] + parts[i + 1 :]), parts[i]) for i in range(folds)]


def dealt_out_like_cards(count, folds, generator):
    place = torch.arange(count)
    return [(place[place % folds != i], place[place % folds == i]) for i in range(folds)]


def trained_on_the_next_fold(count, folds, generator):
    parts = torch.randperm(count, generator=generator).tensor_split(folds)
    return [(parts[(i + 1) % folds], parts[i]) for i in range(folds)]


def drawn_from_elsewhere(count, folds, generator):
    parts = torch.randperm(count).tensor_split(folds)
    return [(torch.cat(parts[:i] + parts[i + 1 :]), parts[i]) for i in range(folds)]


def a_seed_of_its_own(count, folds, generator):
    parts = torch.randperm(count, generator=torch.Generator().manual_seed(0)).tensor_split(folds)
    return [(torch.cat(parts[:i] + parts[i + 1 :]), parts[i]) for i in range(folds)]


def validation_first(count, folds, generator):
    parts = torch.randperm(count, generator=generator).tensor_split(folds)
    return [(parts[i], torch.cat(parts[:i] + parts[i + 1 :])) for i in range(folds)]


def drawn_with_replacement(count, folds, generator):
    parts = torch.randint(count, (count,), generator=generator).tensor_split(folds)
    return [(torch.cat(parts[:i] + parts[i + 1 :]), parts[i]) for i in range(folds)]


def places_in_the_order_taken_for_pictures(count, folds, generator):
    order = torch.randperm(count, generator=generator)
    parts = torch.arange(count).tensor_split(folds)
    return [(torch.cat(parts[:i] + parts[i + 1 :]), order[parts[i]]) for i in range(folds)]


def the_first_pair_only(count, folds, generator):
    first, *others = torch.randperm(count, generator=generator).tensor_split(folds)
    return [(torch.cat(others), first)]


def five_splits(k_fold: Callable, count: int, folds: int) -> list:
    """Split twice with one generator, again with another of its seed, and with two of other seeds."""
    generator = torch.Generator().manual_seed(1)
    generators = (generator, generator, *(torch.Generator().manual_seed(seed) for seed in (1, 2, 3)))
    return [pairs_of_places(k_fold(count, folds, one)) for one in generators]


def what_the_folds_hold(splits: list, count: int, folds: int) -> dict:
    """In 24 places or more, a right answer gives one split for two seeds once in a million times; so two are asked."""
    first, second, again, *others = splits
    times = Counter(place for _, validation in first for place in validation)
    sizes = [len(validation) for _, validation in first]
    parts = validation_parts(first)
    places = [sorted([*training, *validation]) for training, validation in first]
    return {
        "the number of pairs": len(first),
        "each place is validated": "once" if times == dict.fromkeys(range(count), 1) else "not once",
        "places in both parts of a pair": "some" if any(set(a) & set(b) for a, b in first) else "none",
        "a pair holds": places_in_words(places, count),
        "sizes of the validation parts": f"{min(sizes)} to {max(sizes)}",
        "the places are": "not shuffled" if in_some_order(parts, count) else "shuffled",
        "a generator of the same seed gives": "the same folds" if validation_parts(again) == parts else "other folds",
        "one of another seed gives": same_or_other(parts, others),
        "the next split by the same generator gives": same_or_other(parts, [second]),
    }


def pairs_of_places(came: object) -> list[tuple[list[int], list[int]]]:
    """The pairs as lists of numbers; said in words if they are no pairs of places."""
    if came is None:
        raise TypeError("nothing came back: is there a return at the end?")
    if not isinstance(came, list | tuple) or not came:
        raise TypeError(f"expected a list of pairs, yours is a {type(came).__name__}")
    for pair in came:
        if not isinstance(pair, list | tuple) or len(pair) != 2:
            raise TypeError("expected a list of pairs (training places, validation places)")
        for part in pair:
            if not isinstance(part, Tensor) or part.dtype != torch.int64 or part.dim() != 1:
                raise TypeError("each part of a pair should be an int64 tensor of places, with one axis")
    return [(training.tolist(), validation.tolist()) for training, validation in came]


def validation_parts(pairs: list[tuple[list[int], list[int]]]) -> list[list[int]]:
    return [sorted(validation) for _, validation in pairs]


def places_in_words(places: list[list[int]], count: int) -> str:
    if all(place == list(range(count)) for place in places):
        return "each place once"
    sizes = {len(place) for place in places}
    return "too many places" if max(sizes) > count else "too few places" if min(sizes) < count else "not each place"


def in_some_order(parts: list[list[int]], count: int) -> bool:
    """Do the folds lie in blocks, or come round like cards that are dealt?

    So many places: then places at some distance from one another share their fold nearly always, which by chance
    they do in half of the cases at most, give or take 0.025. Fewer places: only the plain orders are noticed.
    """
    folds = len(parts)
    blocks = [block.tolist() for block in torch.arange(count).tensor_split(folds)]
    if parts in (blocks, [list(range(i, count, folds)) for i in range(folds)]):
        return True
    if count < 400 or folds > count // 10 or sorted(place for part in parts for place in part) != list(range(count)):
        return False
    fold_of = torch.empty(count, dtype=torch.int64)
    for number, part in enumerate(parts):
        fold_of[part] = number
    shared = (fold_of == fold_of.roll(distance) for distance in range(1, count // 2 + 1))
    return any(alike.double().mean() > 0.8 for alike in shared)


def same_or_other(parts: list[list[int]], splits: list) -> str:
    return "the same folds" if all(validation_parts(pairs) == parts for pairs in splits) else "other folds"


# --- early_stopping -------------------------------------------------------------------------------------------


def early_stopping(losses, patience):
    """The validation losses of a training, a list with one for each epoch -> two whole numbers, a pair:
    the epoch whose weights to keep (the first is 0), and how many epochs were trained

    Training stops after the epoch that is the patience-th in a row without a new best, which is a loss below all
    before it; losses after that are those of epochs that never took place. Else it goes through the list.
    """
    best, keep = math.inf, 0
    for epoch, loss in enumerate(losses):
        if loss < best:
            best, keep = loss, epoch
        elif epoch - keep == patience:
            return keep, epoch + 1
    return keep, len(losses)


def compared_with_the_last(losses, patience):
    last, bad, keep = math.inf, 0, 0
    for epoch, loss in enumerate(losses):
        bad = 0 if loss < last else bad + 1
        if loss < losses[keep]:
            keep = epoch
        if bad == patience:
            return keep, epoch + 1
        last = loss
    return keep, len(losses)


def compared_with_the_last_and_kept(losses, patience):
    last, bad, keep = math.inf, 0, 0
    for epoch, loss in enumerate(losses):
        if loss < last:
            bad, keep = 0, epoch
        else:
            bad += 1
        if bad == patience:
            return keep, epoch + 1
        last = loss
    return keep, len(losses)


def counted_in_total(losses, patience):
    best, keep, bad = math.inf, 0, 0
    for epoch, loss in enumerate(losses):
        if loss < best:
            best, keep = loss, epoch
        else:
            bad += 1
        if bad == patience:
            return keep, epoch + 1
    return keep, len(losses)


def one_epoch_late(losses, patience):
    best, keep = math.inf, 0
    for epoch, loss in enumerate(losses):
        if loss < best:
            best, keep = loss, epoch
        elif epoch - keep > patience:
            return keep, epoch + 1
    return keep, len(losses)


def one_epoch_early(losses, patience):
    best, keep = math.inf, 0
    for epoch, loss in enumerate(losses):
        if loss < best:
            best, keep = loss, epoch
        if epoch - keep == patience - 1:
            return keep, epoch + 1
    return keep, len(losses)


def the_last_kept(losses, patience):
    best, keep = math.inf, 0
    for epoch, loss in enumerate(losses):
        if loss < best:
            best, keep = loss, epoch
        elif epoch - keep == patience:
            return epoch, epoch + 1
    return len(losses) - 1, len(losses)


def the_last_kept_where_it_stops(losses, patience):
    best, keep = math.inf, 0
    for epoch, loss in enumerate(losses):
        if loss < best:
            best, keep = loss, epoch
        elif epoch - keep == patience:
            return epoch, epoch + 1
    return keep, len(losses)


def patience_epochs_back(losses, patience):
    best, keep = math.inf, 0
    for epoch, loss in enumerate(losses):
        if loss < best:
            best, keep = loss, epoch
        elif epoch - keep == patience:
            return keep, epoch + 1
    return len(losses) - 1 - patience, len(losses)


def the_largest_is_best(losses, patience):
    best, keep = -math.inf, 0
    for epoch, loss in enumerate(losses):
        if loss > best:
            best, keep = loss, epoch
        elif epoch - keep == patience:
            return keep, epoch + 1
    return keep, len(losses)


def a_draw_is_a_new_best(losses, patience):
    best, keep = math.inf, 0
    for epoch, loss in enumerate(losses):
        if loss <= best:
            best, keep = loss, epoch
        elif epoch - keep == patience:
            return keep, epoch + 1
    return keep, len(losses)


def sees_the_future(losses, patience):
    best, since = math.inf, 0
    for epoch, loss in enumerate(losses):
        if loss < best:
            best, since = loss, epoch
        elif epoch - since == patience:
            return losses.index(min(losses)), epoch + 1
    return losses.index(min(losses)), len(losses)


def never_stopped(losses, patience):
    return losses.index(min(losses)), len(losses)


def last_epochs_number(losses, patience):
    best, keep = math.inf, 0
    for epoch, loss in enumerate(losses):
        if loss < best:
            best, keep = loss, epoch
        elif epoch - keep == patience:
            return keep, epoch
    return keep, len(losses) - 1


def last_epochs_number_where_it_stops(losses, patience):
    best, keep = math.inf, 0
    for epoch, loss in enumerate(losses):
        if loss < best:
            best, keep = loss, epoch
        elif epoch - keep == patience:
            return keep, epoch
    return keep, len(losses)


def counted_from_1(losses, patience):
    best, keep = math.inf, 0
    for epoch, loss in enumerate(losses):
        if loss < best:
            best, keep = loss, epoch
        elif epoch - keep == patience:
            return keep + 1, epoch + 1
    return keep + 1, len(losses)


def the_best_loss_itself(losses, patience):
    best, keep = math.inf, 0
    for epoch, loss in enumerate(losses):
        if loss < best:
            best, keep = loss, epoch
        elif epoch - keep == patience:
            return best, epoch + 1
    return best, len(losses)


def the_pair_turned_round(losses, patience):
    best, keep = math.inf, 0
    for epoch, loss in enumerate(losses):
        if loss < best:
            best, keep = loss, epoch
        elif epoch - keep == patience:
            return epoch + 1, keep
    return len(losses), keep


def where_it_stops(early_stopping: Callable, losses: list[float], patience: int) -> dict:
    came = early_stopping(losses, patience)
    if came is None:
        raise TypeError("nothing came back: is there a return at the end, after the loop?")
    if not isinstance(came, list | tuple) or len(came) != 2:
        raise TypeError("expected two numbers: the epoch to keep, and how many were trained")
    return {"the epoch to keep": came[0], "epochs trained": came[1]}


def drawn_losses(draw: Draw) -> tuple[list[float], int]:
    scale = 10.0 ** draw.whole(-8, 9)
    return [draw.whole(1, 9) * scale for _ in range(draw.whole(1, 12))], draw.whole(1, 4)


# --- ema_update -----------------------------------------------------------------------------------------------


def ema_update(average, model, decay):
    """Move one network towards another of the same kind, in place; returns nothing

    parameters: average <- decay * average + (1 - decay) * model
    buffers (the running statistics of batch norm and its counter of batches): copied from the model
    The model stays as it is, and nothing of the average's memory is the model's.
    """
    with torch.no_grad():
        for mean, p in zip(average.parameters(), model.parameters(), strict=True):
            mean.mul_(decay).add_((1 - decay) * p)
        for old, new in zip(average.buffers(), model.buffers(), strict=True):
            old.copy_(new)


def decay_on_the_new(average, model, decay):
    with torch.no_grad():
        for mean, p in zip(average.parameters(), model.parameters(), strict=True):
            mean.mul_(1 - decay).add_(decay * p)
        for old, new in zip(average.buffers(), model.buffers(), strict=True):
            old.copy_(new)


def old_not_shrunk(average, model, decay):
    with torch.no_grad():
        for mean, p in zip(average.parameters(), model.parameters(), strict=True):
            mean.add_((1 - decay) * p)
        for old, new in zip(average.buffers(), model.buffers(), strict=True):
            old.copy_(new)


def new_not_shrunk(average, model, decay):
    with torch.no_grad():
        for mean, p in zip(average.parameters(), model.parameters(), strict=True):
            mean.mul_(decay).add_(p)
        for old, new in zip(average.buffers(), model.buffers(), strict=True):
            old.copy_(new)


def buffers_forgotten(average, model, decay):
    with torch.no_grad():
        for mean, p in zip(average.parameters(), model.parameters(), strict=True):
            mean.mul_(decay).add_((1 - decay) * p)


def buffers_averaged(average, model, decay):
    with torch.no_grad():
        for mean, new in zip(average.state_dict().values(), model.state_dict().values(), strict=True):
            mean.copy_(decay * mean + (1 - decay) * new)


def buffers_averaged_with_an_error(average, model, decay):
    with torch.no_grad():
        for mean, new in zip(average.state_dict().values(), model.state_dict().values(), strict=True):
            mean.mul_(decay).add_((1 - decay) * new)


def buffers_averaged_but_the_counter(average, model, decay):
    with torch.no_grad():
        for mean, new in zip(average.state_dict().values(), model.state_dict().values(), strict=True):
            mean.copy_(decay * mean + (1 - decay) * new if new.is_floating_point() else new)


def buffers_averaged_and_the_counter_forgotten(average, model, decay):
    with torch.no_grad():
        for mean, new in zip(average.state_dict().values(), model.state_dict().values(), strict=True):
            if new.is_floating_point():
                mean.mul_(decay).add_((1 - decay) * new)


def counter_forgotten(average, model, decay):
    with torch.no_grad():
        for mean, p in zip(average.parameters(), model.parameters(), strict=True):
            mean.mul_(decay).add_((1 - decay) * p)
        for old, new in zip(average.buffers(), model.buffers(), strict=True):
            if new.is_floating_point():
                old.copy_(new)


def average_rebound(average, model, decay):
    with torch.no_grad():
        for mean, p in zip(average.parameters(), model.parameters(), strict=True):
            mean = decay * mean + (1 - decay) * p
        for old, new in zip(average.buffers(), model.buffers(), strict=True):
            old.copy_(new)


def all_rebound(average, model, decay):
    average = model  # noqa: F841


def model_moved_instead(average, model, decay):
    with torch.no_grad():
        for mean, p in zip(average.parameters(), model.parameters(), strict=True):
            p.mul_(1 - decay).add_(decay * mean)
        for old, new in zip(average.buffers(), model.buffers(), strict=True):
            old.copy_(new)


def arguments_exchanged(average, model, decay):
    with torch.no_grad():
        for p, mean in zip(average.parameters(), model.parameters(), strict=True):
            mean.mul_(decay).add_((1 - decay) * p)
        for new, old in zip(average.buffers(), model.buffers(), strict=True):
            old.copy_(new)


def all_copied(average, model, decay):
    average.load_state_dict(model.state_dict())


def buffers_shared(average, model, decay):
    with torch.no_grad():
        for mean, p in zip(average.parameters(), model.parameters(), strict=True):
            mean.mul_(decay).add_((1 - decay) * p)
        for old, new in zip(average.buffers(), model.buffers(), strict=True):
            old.data = new.data


def first_parameter_only(average, model, decay):
    with torch.no_grad():
        mean, p = next(average.parameters()), next(model.parameters())
        mean.mul_(decay).add_((1 - decay) * p)
        for old, new in zip(average.buffers(), model.buffers(), strict=True):
            old.copy_(new)


class Counting(nn.Module):
    """A buffer that batch norm does not have: how often it was called, in halves."""

    def __init__(self):
        super().__init__()
        self.register_buffer("calls", torch.zeros(1))

    def forward(self, x):
        self.calls += 0.5
        return x


def plain_net() -> nn.Sequential:
    return nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))


def net_with_batch_norm() -> nn.Sequential:
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 2), Counting())


def an_average_that_follows(ema_update: Callable, net: Callable, batches: Tensor, decay: float) -> dict:
    """A network learns from one batch after the other, and another one follows it.

    The average is looked at when the model has already gone a step further: then memory that they share shows.
    """
    torch.manual_seed(7)
    average, model, seen = net(), net(), {}
    learn(model, batches[-1])
    weights = list(average.parameters())  # those the average had, whatever it is given instead
    for number, batch in enumerate(batches, start=1):
        before = copy.deepcopy(model)
        ema_update(average, model, decay)
        seen[f"the model at update {number}"] = "unchanged" if same_state(model, before) else "changed"
        if not same_state(model, before):
            model = before  # so that what happens next is what happens to everybody
        learn(model, batch)
        seen[f"parameters of the average after update {number}"] = torch.cat([w.detach().flatten() for w in weights])
        for name, buffer in average.named_buffers():
            seen[f"buffer {name} of the average after update {number}"] = buffer.detach().clone()
    seen["autograd is"] = "on" if torch.is_grad_enabled() else "off"
    seen["parameters that can still learn"] = sum(w.requires_grad and w.is_leaf for w in weights)
    return seen


def learn(model: nn.Module, batch: Tensor) -> None:
    """A step of gradient descent, by which the running statistics move too."""
    weights = list(model.parameters())
    with torch.enable_grad():
        gradients = torch.autograd.grad(model(batch).square().mean(), weights)
    with torch.no_grad():
        for weight, gradient in zip(weights, gradients, strict=True):
            weight.sub_(0.5 * gradient)


def same_state(one: nn.Module, other: nn.Module) -> bool:
    return all(a.equal(b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))


# --- prepare: find the fault ----------------------------------------------------------------------------------


def prepare(images, training):
    """(N, C, H, W) -> the same shape and dtype, as a new tensor where something changes

    training: each picture is turned left to right with probability 1/2, by a coin of its own, thrown anew at each
        call
    not training: all pictures as they are
    """
    if not training:
        return images
    turned = torch.rand(len(images), 1, 1, 1) < 0.5
    return images.flip(-1).where(turned, images)


def one_coin_for_the_batch(images, training):
    """(N, C, H, W) -> the same shape and dtype, as a new tensor where something changes

    training: each picture is turned left to right with probability 1/2, by a coin of its own, thrown anew at each
        call
    not training: all pictures as they are
    """
    if torch.rand(()) < 0.5:
        images = images.flip(-1)
    return images


def one_coin_for_the_batch_in_other_words(images, training):
    turned = torch.rand(1) < 0.5
    return torch.where(turned, images.flip(-1), images)


def one_coin_but_only_in_training(images, training):
    if training and torch.rand(()) < 0.5:
        images = images.flip(-1)
    return images


def a_coin_each_in_validation_too(images, training):
    turned = torch.rand(len(images), 1, 1, 1) < 0.5
    return images.flip(-1).where(turned, images)


def in_validation_only(images, training):
    if training:
        return images
    turned = torch.rand(len(images), 1, 1, 1) < 0.5
    return images.flip(-1).where(turned, images)


def on_their_heads(images, training):
    if not training:
        return images
    turned = torch.rand(len(images), 1, 1, 1) < 0.5
    return images.flip(-2).where(turned, images)


def by_half_a_turn(images, training):
    if not training:
        return images
    turned = torch.rand(len(images), 1, 1, 1) < 0.5
    return images.rot90(2, (-2, -1)).where(turned, images)


def chosen_by_a_mask_of_floats(images, training):
    if not training:
        return images
    turned = (torch.rand(len(images), 1, 1, 1) < 0.5).float()
    return turned * images.flip(-1) + (1 - turned) * images


def turned_in_place(images, training):
    if not training:
        return images
    turned = torch.rand(len(images)) < 0.5
    images[turned] = images[turned].flip(-1)
    return images


def all_turned(images, training):
    return images.flip(-1) if training else images


def none_turned(images, training):
    if training:
        turned = torch.rand(len(images)) < 0.5
        images[turned].flip(-1)
    return images


def exactly_half(images, training):
    if not training:
        return images
    turned = torch.randperm(len(images)) < len(images) // 2
    return images.flip(-1).where(turned[:, None, None, None], images)


def the_first_half(images, training):
    if not training:
        return images
    half = len(images) // 2
    return torch.cat([images[:half].flip(-1), images[half:]])


def the_same_ones_each_time(images, training):
    if not training:
        return images
    torch.manual_seed(0)
    turned = torch.rand(len(images), 1, 1, 1) < 0.5
    return images.flip(-1).where(turned, images)


def a_coin_for_each_pixel(images, training):
    if not training:
        return images
    turned = torch.rand(images.shape) < 0.5
    return images.flip(-1).where(turned, images)


def a_coin_for_each_channel(images, training):
    if not training:
        return images
    turned = torch.rand(*images.shape[:2], 1, 1) < 0.5
    return images.flip(-1).where(turned, images)


def drawn_from_a_bell_curve(images, training):
    if not training:
        return images
    turned = torch.randn(len(images), 1, 1, 1) < 0.5
    return images.flip(-1).where(turned, images)


ONE_EACH, SHARED, NOT_THROWN = "one for each picture", "pictures share one", "none is thrown"
CALLS = 50  # in all of them two coins that are thrown apart never agree: the chance is 1 in 10**15


def batch_after_batch(prepare: Callable, images: Tensor, training: bool) -> dict[str, Tensor]:
    """Prepare the same pictures again and again."""
    given = [images.clone() for _ in range(CALLS)]
    came = [like(images, prepare(one, training)).detach().clone() for one in given]
    return {"came": torch.stack(came), "given": torch.stack(given)}  # (CALLS, *images.shape)


def turns_in_words(batches: dict[str, Tensor], images: Tensor, training: bool) -> dict[str, str]:
    """Which pictures are turned, how often, and together with which others."""
    turned, kinds = [], set()
    for came in batches["came"]:
        left, right = same_pictures(came, images), same_pictures(came, images.flip(-1))
        known = {
            "upside down": same_pictures(came, images.flip(-2)),
            "turned by half a turn": same_pictures(came, images.flip(-2, -1)),
            "mixed with their mirrors": ((came == images) | (came == images.flip(-1))).flatten(1).all(dim=1),
        }
        for n in (~(left | right)).nonzero().flatten():
            kinds.add(next((kind for kind, which in known.items() if which[n]), "something else"))
        turned.append(right)
    turned = torch.stack(turned)  # (CALLS, N)
    coins, untouched = who_shares_a_coin(turned), all(given.equal(images) for given in batches["given"])
    return {
        "pictures neither as they were nor turned left to right": ", ".join(sorted(kinds)) or "none",
        "the share that is turned": "left open" if kinds else half_in_words(turned, coins),
        "coins": "left open" if kinds else coins,
        "the pictures that were given": "as they were" if untouched else "changed",
        "their dtype": str(batches["came"][0].dtype),
    }


def same_pictures(one: Tensor, other: Tensor) -> Tensor:
    return (one == other).flatten(1).all(dim=1)  # (N,)


def half_in_words(turned: Tensor, coins: str) -> str:
    if not turned.any() or turned.all():
        return "all" if turned.any() else "none"
    if coins in (SHARED, NOT_THROWN):
        return "left to a coin that pictures share" if coins == SHARED else "the same at every call"
    near = abs(turned.double().mean().item() - 0.5) < 3.5 / turned.numel() ** 0.5  # seven standard deviations
    return "about half" if near else "not half"


def who_shares_a_coin(turned: Tensor) -> str:
    """Who shares a coin with whom? From (calls, N), which picture was turned at which call."""
    always = turned.all(dim=0) | ~turned.any(dim=0)  # (N,)
    if always.all():
        return NOT_THROWN
    signs = turned[:, ~always].double() * 2 - 1
    agreement = (signs.T @ signs).abs().fill_diagonal_(0)  # (n, n)
    if (agreement == len(turned)).any():
        return SHARED
    if always.any():
        return "none for some pictures"
    if len(always) > 1 and len(turned.sum(dim=1).unique()) == 1:
        return "as many turned at every call"
    return ONE_EACH


MASK_OF_FLOATS = "A mask of floats turns bytes into floats: choose by torch.where, which leaves the dtype as it is."

EXERCISES = (
    Exercise(
        lesson=LESSON,
        reference=shift_and_flip,
        trial=a_new_tensor,
        minutes=10,
        difficulty=3,
        cases=lambda draw: [
            Case("one picture, down and right", draw(1, 1, 4, 6), torch.tensor([[1, 2]]), torch.tensor([False]), -0.5),
            Case("one picture, up and left", draw(1, 1, 4, 6), torch.tensor([[-1, -3]]), torch.tensor([False]), -0.5),
            Case("one picture, flipped", draw(1, 2, 4, 5), torch.tensor([[0, 0]]), torch.tensor([True]), 2.0),
            Case(
                "neither flipped nor moved",
                torch.arange(6.0).view(1, 1, 2, 3),
                torch.tensor([[0, 0]]),
                torch.tensor([False]),
                2.0,
            ),
            Case("flipped, then moved", draw(1, 2, 5, 4), torch.tensor([[2, 1]]), torch.tensor([True]), -0.5),
            Case(
                "four pictures, each in its own way",
                draw(4, 2, 4, 6).round() + 0,
                torch.tensor([[1, -2], [0, 3], [-3, 0], [2, 1]]),
                torch.tensor([False, True, True, False]),
                -0.75,
            ),
            Case(
                "double precision stays double",
                draw(2, 1, 5, 3).double() / 3,
                torch.tensor([[-2, 1], [1, 2]]),
                torch.tensor([True, False]),
                0.25,
            ),
            Case(
                "bytes stay bytes",
                draw.greys(2, 1, 3, 4),
                torch.tensor([[1, 0], [0, -2]]),
                torch.tensor([True, False]),
                9.0,
            ),
        ],
        drawn=drawn_moves,
        hints=(
            "`x.flip(-1)` turns all pictures; `torch.where` with flips[:, None, None, None] picks which to use.",
            "Pad each picture with `fill` on all four sides (F.pad). A picture moved down by 2 is a window that begins "
            "2 rows higher.",
            "With H rows of padding above, the window of an unmoved picture begins in row H.",
        ),
        mistakes=(
            Mistake(one_shift_for_all, "All pictures are moved alike: each has a shift of its own."),
            *(
                Mistake(f, "All pictures are flipped alike: each has a flip of its own.")
                for f in (one_flip_for_all, all_flipped_if_any)
            ),
            Mistake(all_like_the_first, "All pictures are changed alike: each has a shift and a flip of its own."),
            Mistake(upside_down, "Trousers do not hang from the ceiling: left to right is the last axis, not rows."),
            Mistake(turned_by_half_a_turn, "That turns left to right and upside down too: flip the last axis only."),
            Mistake(channels_flipped, "The flip reversed the channels: left to right is the last axis."),
            Mistake(pictures_exchanged, "You flipped axis 0, the batch: pictures changed places. Flip the last axis."),
            Mistake(
                flip_thrown_away,
                "No picture is flipped: `flip` gives a new tensor, which must be put to use.",
            ),
            Mistake(the_others_flipped, "The wrong ones are flipped: where(condition, if true, if false)."),
            Mistake(zero_at_the_rim, "0 comes in at the rim; after normalising black is (0 - mean) / std: use `fill`."),
            Mistake(
                every_zero_filled,
                "A pixel that is 0 may belong to the picture: fill only what comes in at the rim.",
            ),
            Mistake(right_before_down, "The first number of a shift is down (rows), the second right (columns)."),
            Mistake(height_for_width, "You used the height for the width too: pictures need not be square."),
            Mistake(the_other_way, "They move up and left: row i of the result is row i - down of the picture."),
            Mistake(wraps_round, "`roll` brings in on one side what left on the other: fill the rim with `fill`."),
            Mistake(rim_repeated, "The pixels at the rim are repeated: what comes in is `fill`."),
            Mistake(moved_before_flipped, "You moved before flipping, which turns right into left: flip first."),
            Mistake(
                slices_that_end_before_minus_zero,
                "`[:-down]` is empty where down is 0, and counts from the start where it is below 0: work the ends "
                "out from the height.",
            ),
            Mistake(single_precision, "The result should have the dtype of x: torch.full_like(x, fill)."),
            Mistake(mixed_by_a_mask_of_floats, MASK_OF_FLOATS),
            Mistake(
                flipped_in_place,
                "You changed the caller's own pictures: the next epoch begins with what is left of them.",
            ),
        ),
        not_allowed=("course_utils.augment", "torchvision.transforms"),
    ),
    Exercise(
        lesson=LESSON,
        reference=batch_norm,
        trial=batches_in_turn,
        minutes=12,
        difficulty=3,
        cases=lambda draw: [
            Case("one batch in training", uneven(draw, 1, 2, 3, 2, 2), *statistics_far_off(draw, 3), True, False),
            Case("two batches in training", uneven(draw, 2, 3, 2, 1, 3), *statistics_far_off(draw, 2), True, False),
            Case("as many channels as columns", uneven(draw, 1, 2, 3, 2, 3), *statistics_far_off(draw, 3), True, False),
            Case("channels that hardly vary", nearly_constant(draw), *statistics_far_off(draw, 3), True, False),
            Case("channels far from zero", far_brighter(draw), *statistics_far_off(draw, 3), True, False),
            Case("two batches in evaluation", uneven(draw, 2, 2, 3, 2, 2), *statistics_far_off(draw, 3), False, False),
            Case("with gradients, in training", uneven(draw, 2, 2, 3, 2, 2), *statistics_far_off(draw, 3), True, True),
            Case(
                "with gradients, in evaluation", uneven(draw, 1, 2, 2, 2, 2), *statistics_far_off(draw, 2), False, True
            ),
            Case(
                "double precision stays double",
                uneven(draw, 1, 2, 2, 3, 2).double(),
                *(statistic.double() for statistic in statistics_far_off(draw, 2)),
                True,
                False,
            ),
        ],
        drawn=drawn_batches,
        hints=(
            "One mean for each channel: over the batch and both picture axes, `x.mean((0, 2, 3))`.",
            "A tensor of shape (C,) lines up with the last axis; `mean[:, None, None]` lines it up with the channels.",
            "`running_mean.lerp_(mean, 0.1)` moves a tenth of the way, in place. Do it under `torch.no_grad()`.",
            "`x.var(axes)` divides by n - 1, `x.var(axes, correction=0)` by n.",
        ),
        mistakes=(
            *(
                Mistake(
                    f,
                    "In evaluation you use the batch's statistics: one picture's answer now depends on the others.",
                )
                for f in (batch_statistics_in_evaluation, training_not_asked_for)
            ),
            *(
                Mistake(f, "The running statistics change in evaluation: they learn from the pictures you test on.")
                for f in (followed_in_evaluation, followed_before_it_is_used_in_evaluation)
            ),
            Mistake(divided_by_n_minus_1_inside, "Inside the batch the variance is divided by n: correction=0."),
            Mistake(divided_by_n_outside, "running_var follows the variance that is divided by n - 1."),
            Mistake(
                the_two_variances_exchanged,
                "The two variances are exchanged: n inside the batch, n - 1 for running_var.",
            ),
            *(
                Mistake(f, "Each picture has statistics of its own (instance norm): average over the batch as well.")
                for f in (each_picture_by_itself, each_picture_by_itself_throughout)
            ),
            Mistake(all_channels_together, "You averaged over the channels too: each has its own mean and variance."),
            Mistake(
                along_the_columns,
                "Shapes align from the right: your C numbers were laid along the columns. Try mean[:, None, None].",
            ),
            Mistake(eps_outside_the_root, "eps stands beside the root; it belongs under it, added to the variance."),
            Mistake(without_eps, "eps is missing: a channel that does not vary gives 0/0."),
            Mistake(no_root_taken, "You divided by the variance; take its root."),
            *(
                Mistake(
                    f,
                    "The caller's running statistics have not moved. `running_mean.lerp_(...)` moves them in place; "
                    "`running_mean = ...` only makes a new tensor.",
                )
                for f in (names_rebound, never_followed)
            ),
            Mistake(
                evaluation_without_gradients,
                "In evaluation gradients flow to x as well (lesson 05 will need them): no_grad is for the running "
                "statistics alone.",
            ),
            Mistake(nine_tenths_of_the_way, "A tenth of the *new* value goes in; nine tenths of the old one stay."),
            Mistake(old_ones_replaced, "The last batch replaces all before it: move only a tenth of the way."),
            Mistake(tenth_added, "A tenth of the new value is added, but the old one does not shrink to nine tenths."),
            *(
                Mistake(f, "While training, the batch's own statistics normalise it, not the running ones.")
                for f in (running_ones_in_training, running_ones_of_before)
            ),
            Mistake(the_wrong_way_round, "Training and evaluation are exchanged."),
            Mistake(deviation_stored, "running_var holds a variance, not its root."),
            *(
                Mistake(
                    f,
                    "Right on paper, E[x²] − E[x]² rounds away where a channel is far from zero: average "
                    "`(x - mean) ** 2`.",
                )
                for f in (squares_less_the_square, squares_less_the_square_throughout)
            ),
            Mistake(
                graph_kept,
                "The running statistics keep the graph of every batch in memory: update under torch.no_grad().",
            ),
            Mistake(
                statistics_taken_as_constants,
                "The output is right, its gradient not: the batch's mean and variance depend on x too. Only the "
                "running ones belong under no_grad.",
            ),
        ),
        not_allowed=(
            "torch.nn.functional.batch_norm",
            "torch.batch_norm",
            "torch.native_batch_norm",
            "torch.nn.functional.instance_norm",
            "course_utils.layers",
        ),
    ),
    Exercise(
        lesson=LESSON,
        reference=dropout,
        trial=many_coins,
        judge=coins_in_words,
        minutes=5,
        difficulty=2,
        cases=lambda draw: [
            Case("p = 0.3", far_from_zero(draw, 20, 4, 5, 5), 0.3, True),
            Case("p = 0.8", far_from_zero(draw, 50, 40), 0.8, True),
            Case("p = 0.3 in evaluation", far_from_zero(draw, 20, 4, 5, 5), 0.3, False),
            Case("p = 0", far_from_zero(draw, 50, 40), 0.0, True),
            Case("double precision stays double", far_from_zero(draw, 20, 4, 25).double() / 3, 0.4, True),
            Case("p = 0.35, transposed", far_from_zero(draw, 50, 40).T, 0.35, True),
        ],
        drawn=lambda draw: (
            far_from_zero(draw, *((2_000,), (40, 50), (25, 4, 20), (10, 4, 5, 10))[draw.whole(0, 3)]),
            draw.whole(0, 19) / 20,
            draw.whole(0, 3) > 0,
        ),
        hints=(
            "`torch.rand_like(x)` gives one number from 0 to 1 for each number of x. How often is one below p?",
            "If 3 of 10 are lost, the sum shrinks to 0.7 of itself: divide what is kept by that.",
        ),
        mistakes=(
            Mistake(kept_with_p, "p is the probability to be dropped; you keep with it."),
            Mistake(kept_with_p_and_divided_by_p, "p is the probability to be dropped; you keep with it, throughout."),
            Mistake(
                not_scaled,
                "What is kept is not scaled up: in evaluation the next layer would get larger sums than it learnt on.",
            ),
            Mistake(
                scaled_in_evaluation,
                "That is the paper's original: scaled down in evaluation. Today the scaling is done in training, and "
                "evaluation does nothing.",
            ),
            Mistake(scaled_twice, "You scale up in training and down in evaluation: once is enough, in training."),
            Mistake(scaled_up_in_evaluation, "In evaluation nothing is dropped, so nothing is to be made up for."),
            Mistake(scaled_down, "You multiplied by 1 - p: what is kept must grow, so divide."),
            Mistake(divided_by_p, "Divide by the share that is kept, 1 - p."),
            Mistake(dropped_in_evaluation, "In evaluation nothing is dropped: there the answer must not be a lottery."),
            Mistake(dropped_in_evaluation_only, "Training and evaluation are exchanged."),
            *(
                Mistake(f, "One mask for the whole batch: every picture loses the same numbers. Draw one for each.")
                for f in (one_mask_for_all_pictures, one_mask_for_all_rows)
            ),
            *(
                Mistake(f, "One coin decides over many numbers at once: draw as many as x has numbers.")
                for f in (whole_pictures, whole_channels, one_coin_for_everything)
            ),
            Mistake(
                the_same_at_each_call,
                "A seed inside the function drops the same numbers at each call: the net just learns without them.",
            ),
            Mistake(a_fixed_number, "You drop a fixed number of them; each number should have a coin of its own."),
            Mistake(drawn_from_a_bell, "`randn` draws from the normal distribution: `rand` is below p with chance p."),
            Mistake(a_fair_coin, "That coin always falls half and half: p is not used."),
            Mistake(dropped_in_place, "You wrote into x itself, which other layers may still need."),
            Mistake(
                scaled_by_what_was_left,
                "Divide by 1 - p, not by the share that happened to be kept: else numbers depend on each other.",
            ),
        ),
        not_allowed=(
            "torch.nn.functional.dropout",
            "torch.dropout",
            "torch.dropout_",
            "torch.native_dropout",
            "torch.feature_dropout",
            "course_utils.layers",
        ),
    ),
    Exercise(
        lesson=LESSON,
        reference=k_fold,
        trial=five_splits,
        judge=what_the_folds_hold,
        minutes=8,
        difficulty=2,
        cases=lambda draw: [
            Case("30 places, 5 folds", 30, 5),
            Case("32 places, 5 folds", 32, 5),
            Case("29 places, 3 folds", 29, 3),
            Case("27 places, 10 folds", 27, 10),
            Case("24 places, one in each fold", 24, 24),
            Case("600 places, 4 folds", 600, 4),
        ],
        drawn=lambda draw: (draw.whole(24, 60) * (1, 10)[draw.whole(0, 1)], draw.whole(2, 24)),
        hints=(
            "Shuffle once: `order = torch.randperm(count, generator=generator)`. Then only cut.",
            "`order.tensor_split(folds)` cuts into parts whose sizes differ by at most one.",
            "Each part is validated once; `torch.cat` joins the parts before and after it.",
        ),
        mistakes=(
            Mistake(
                each_fold_drawn_anew,
                "You shuffle for each fold: some pictures are validated twice, others never. Shuffle once, then cut.",
            ),
            Mistake(
                a_fold_drawn_for_each_place,
                "A fold drawn for each place by itself leaves parts of unequal sizes: shuffle the places, then cut.",
            ),
            Mistake(trained_on_all, "The training part holds the validation pictures too: leave them out."),
            Mistake(remainder_dropped, "count // folds leaves a remainder, and those pictures are lost."),
            Mistake(remainder_never_validated, "count // folds leaves a remainder, which is never validated."),
            Mistake(remainder_in_the_last, "The last fold takes the whole remainder: spread it over the folds."),
            Mistake(rounded_up, "Parts rounded up leave the last one short, or none at all: tensor_split is even."),
            *(
                Mistake(f, "The places are not shuffled: where pictures lie in some order, folds differ in kind.")
                for f in (one_after_the_other, dealt_out_like_cards)
            ),
            Mistake(trained_on_the_next_fold, "You train on a single fold: join all that are not validated."),
            Mistake(
                drawn_from_elsewhere,
                "The generator is not used, so nobody can draw the same folds again: randperm(..., generator=...).",
            ),
            Mistake(a_seed_of_its_own, "A seed of your own gives the same folds for ever: use the generator given."),
            Mistake(validation_first, "The training part comes first in a pair."),
            Mistake(
                drawn_with_replacement,
                "Some places are drawn twice, others never: one permutation, drawn once, has each exactly once.",
            ),
            Mistake(
                places_in_the_order_taken_for_pictures,
                "The two parts of a pair do not come from one order: cut both from the same shuffled `order`.",
            ),
            Mistake(the_first_pair_only, "Only the first pair came back: is the return inside the loop?"),
        ),
        not_allowed=("course_utils.data", "sklearn.model_selection", "torch.utils.data.random_split"),
    ),
    Exercise(
        lesson=LESSON,
        reference=early_stopping,
        trial=where_it_stops,
        minutes=8,
        difficulty=2,
        optional=True,
        cases=lambda draw: [
            Case("falls, then rises", [0.9, 0.5, 0.6, 0.7, 0.8, 0.85], 2),
            Case("falls to the end", [0.9, 0.7, 0.6], 2),
            Case("up and down", [0.9, 0.6, 0.8, 0.7, 0.5, 0.55, 0.52, 0.6, 0.4], 3),
            Case("two bad epochs, but apart", [0.9, 0.95, 0.8, 0.85, 0.7, 0.75], 2),
            Case("a draw", [0.8, 0.5, 0.5, 0.6, 0.9], 2),
            Case("a better one after the stop", [0.6, 0.7, 0.8, 0.1], 2),
            Case("no patience to speak of", [0.5, 0.6, 0.4], 1),
            Case("the list ends first", [0.9, 0.4, 0.7], 5),
            Case("losses of billions", [3e9, 2e9, 2.5e9, 2.2e9, 1e9], 2),
            Case("large losses, a small step", [2.3, 1.9, 1.95, 1.89999, 1.97, 1.96, 1.95], 2),
        ],
        drawn=drawn_losses,
        hints=(
            "Keep the best loss so far and the epoch in which it came.",
            "In a row without a new best: that is how many epochs ago the best one was.",
            "Epoch 4 is the fifth: after it, 5 epochs are trained.",
        ),
        mistakes=(
            *(
                Mistake(f, "You compare with the epoch before: a loss that wobbles upwards never stops. Use the best.")
                for f in (compared_with_the_last, compared_with_the_last_and_kept)
            ),
            Mistake(counted_in_total, "Bad epochs are counted in a row: a new best sets the count back to 0."),
            Mistake(one_epoch_late, "You stop an epoch late: the patience-th bad epoch is the last."),
            Mistake(one_epoch_early, "You stop an epoch early: `patience` bad epochs in a row are granted."),
            *(
                Mistake(f, "You keep the last epoch's weights: the best ones lie before it.")
                for f in (the_last_kept, the_last_kept_where_it_stops)
            ),
            Mistake(
                patience_epochs_back,
                "Where the list ends first, the best epoch need not lie `patience` epochs back: remember which it was.",
            ),
            Mistake(the_largest_is_best, "These are losses: the smallest is the best."),
            Mistake(a_draw_is_a_new_best, "An equal loss is no new best: it must be smaller."),
            Mistake(sees_the_future, "You chose among all losses: those after the stop were never measured."),
            Mistake(never_stopped, "You never stop: the patience is not used."),
            *(
                Mistake(f, "That is the number of the last epoch; counted from 0, one more was trained.")
                for f in (last_epochs_number, last_epochs_number_where_it_stops)
            ),
            Mistake(counted_from_1, "The first epoch is number 0."),
            Mistake(the_best_loss_itself, "That is the best loss; the epoch in which it came is asked for."),
            Mistake(the_pair_turned_round, "The epoch to keep comes first, the number of epochs second."),
        ),
    ),
    Exercise(
        lesson=LESSON,
        reference=ema_update,
        trial=an_average_that_follows,
        minutes=8,
        difficulty=3,
        optional=True,
        cases=lambda draw: [
            Case("one update of a plain net", plain_net, draw(1, 6, 3), 0.9),
            Case("three updates of a plain net", plain_net, draw(3, 6, 3), 0.6),
            Case("one update, batch norm", net_with_batch_norm, draw(1, 6, 3) + 2, 0.9),
            Case("three updates, batch norm", net_with_batch_norm, draw(3, 6, 3) + 2, 0.6),
        ],
        drawn=lambda draw: (
            (plain_net, net_with_batch_norm)[draw.whole(0, 1)],
            draw(draw.whole(1, 4), draw.whole(2, 6), 3) + draw.whole(-2, 2),
            (0.0, 0.5, 0.9, 0.99)[draw.whole(0, 3)],
        ),
        hints=(
            "`zip(average.parameters(), model.parameters())` gives the parameters in pairs; the same for .buffers().",
            "Change them in place (`mul_`, `add_`, `copy_`), under `torch.no_grad()`.",
        ),
        mistakes=(
            Mistake(decay_on_the_new, "The decay stands at the new weights: at 0.99 the average *is* the model."),
            Mistake(old_not_shrunk, "The old average is not multiplied by decay: it grows with every update."),
            Mistake(new_not_shrunk, "The model's weights need the factor 1 - decay, or the average grows."),
            Mistake(
                buffers_forgotten,
                "The averaged weights run with running statistics of long ago: copy the buffers too.",
            ),
            *(
                Mistake(
                    f,
                    "Buffers are copied, not averaged: the counter of batches is a whole number, and running "
                    "statistics are averages already.",
                )
                for f in (
                    buffers_averaged,
                    buffers_averaged_with_an_error,
                    buffers_averaged_but_the_counter,
                    buffers_averaged_and_the_counter_forgotten,
                )
            ),
            Mistake(counter_forgotten, "The counter num_batches_tracked is a buffer too: copy it as well."),
            Mistake(
                average_rebound,
                "The average's weights have not moved; `mean = ...` would only make a new tensor: "
                "mean.mul_(...).add_(...).",
            ),
            Mistake(
                all_rebound,
                "Neither network has changed. An assignment, `p = ...` or `average = ...`, gives a name to something "
                "else: use mul_, add_, copy_.",
            ),
            *(
                Mistake(f, "You moved the model towards the average, in the middle of its training.")
                for f in (model_moved_instead, arguments_exchanged)
            ),
            Mistake(all_copied, "You copied the model: parameters are to be averaged, only buffers are copied."),
            Mistake(buffers_shared, "The buffers share their memory with the model's now: copy_ the numbers."),
            Mistake(first_parameter_only, "Only the first parameter is averaged: go through all of them."),
        ),
        not_allowed=("torch.optim.swa_utils", "course_utils.training"),
    ),
    Exercise(
        lesson=LESSON,
        reference=prepare,
        trial=batch_after_batch,
        judge=turns_in_words,
        fault=one_coin_for_the_batch,
        minutes=6,
        difficulty=2,
        optional=True,
        cases=lambda draw: [
            Case("two hundred pictures to train on", draw(200, 1, 3, 4), True),
            Case("two hundred pictures to validate on", draw(200, 1, 3, 4), False),
            Case("one picture to train on", draw(1, 2, 3, 4), True),
            Case("pictures with three channels, double precision", draw(30, 3, 4, 4).double() / 3, True),
            Case("bytes, wider than tall", draw.greys(30, 1, 3, 5), True),
        ],
        drawn=lambda draw: (
            draw(draw.whole(1, 40), draw.whole(1, 3), draw.whole(2, 4), draw.whole(3, 5)),
            draw.whole(0, 2) > 0,
        ),
        hints=(
            "How many random numbers does it draw for a batch of 200? And which argument is never read?",
            "`torch.rand(len(images), 1, 1, 1) < 0.5` is a coin for each picture; torch.where chooses by it.",
        ),
        mistakes=(
            Mistake(
                one_coin_for_the_batch_in_other_words,
                "Still one coin for the whole batch, thrown in validation too: draw one for each picture, in training.",
            ),
            Mistake(one_coin_but_only_in_training, "Still one coin for the whole batch: draw one for each picture."),
            Mistake(
                a_coin_each_in_validation_too,
                "Validation pictures are turned as well: the same network would score differently each time.",
            ),
            Mistake(in_validation_only, "Training and validation are exchanged."),
            Mistake(on_their_heads, "You turn them upside down: left to right is the last axis."),
            Mistake(by_half_a_turn, "That turns left to right and upside down too: flip the last axis only."),
            Mistake(chosen_by_a_mask_of_floats, MASK_OF_FLOATS),
            Mistake(turned_in_place, "You turned the caller's own pictures: they stay so for the next epoch."),
            Mistake(all_turned, "All are turned at every call: a network that sees only mirrors learns nothing more."),
            Mistake(
                none_turned,
                "None is turned. `flip` gives a new tensor, which must be put to use; and `randint(0, 1)` is always 0.",
            ),
            Mistake(exactly_half, "Always as many are turned, and a single one never: throw a coin for each."),
            *(
                Mistake(f, "The same pictures are turned at every call: throw the coins anew each time.")
                for f in (the_first_half, the_same_ones_each_time)
            ),
            *(
                Mistake(f, "One picture is mixed with its mirror: its pixels and channels share one coin.")
                for f in (a_coin_for_each_pixel, a_coin_for_each_channel)
            ),
            Mistake(
                drawn_from_a_bell_curve,
                "Turned with another chance than 1/2: `torch.rand` is below 0.5 half of the time (`randn`: 0.69).",
            ),
        ),
        not_allowed=("course_utils.augment", "torchvision.transforms"),
    ),
)
