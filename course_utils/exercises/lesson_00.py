"""The exercises of lesson 00: shapes, broadcasting, and a gradient by hand."""

import torch

from .exercise import Case, Draw, Exercise, Mistake

LESSON = "00_start_here"


# --- to_float -------------------------------------------------------------------------------------------------


def to_float(images):
    """(N, H, W) uint8, 0 to 255 -> (N, 1, H, W) float32, 0 to 1"""
    return images.unsqueeze(1) / 255


def unscaled(images):
    return images.unsqueeze(1).float()


def by_256(images):
    return images.unsqueeze(1) / 256


def by_the_brightest(images):
    return images.unsqueeze(1) / images.max()


def divided_if_any_is_above_one(images):
    return images.unsqueeze(1) / 255 if images.max() > 1 else images.unsqueeze(1).float()


def between_darkest_and_lightest(images):
    low, high = images.min().float(), images.max().float()
    return (images.unsqueeze(1) - low) / (high - low)


def rounded_down(images):
    return (images.unsqueeze(1) // 255).float()


def channel_last(images):
    return images.unsqueeze(-1) / 255


def channel_first_of_all(images):
    return images.unsqueeze(0) / 255


def no_channel(images):
    return images / 255


# --- standardize ----------------------------------------------------------------------------------------------


def standardize(x):
    """(N, C, H, W) -> the same shape, each channel with mean 0 and torch.std 1"""
    mean = x.mean((0, 2, 3), keepdim=True)  # (1, C, 1, 1)
    std = x.std((0, 2, 3), keepdim=True)
    return (x - mean) / std


def each_pixel_apart(x):
    return (x - x.mean(0)) / x.std(0)


def one_for_all(x):
    return (x - x.mean()) / x.std()


def each_picture_apart(x):
    return (x - x.mean((2, 3), keepdim=True)) / x.std((2, 3), keepdim=True)


def each_picture_apart_all_channels(x):
    return (x - x.mean((1, 2, 3), keepdim=True)) / x.std((1, 2, 3), keepdim=True)


def over_the_channels(x):
    return (x - x.mean(1, keepdim=True)) / x.std(1, keepdim=True)


def keepdim_forgotten(x):
    return (x - x.mean((0, 2, 3))) / x.std((0, 2, 3))


def only_scaled(x):
    return x / x.std((0, 2, 3), keepdim=True)


def by_the_variance(x):
    return (x - x.mean((0, 2, 3), keepdim=True)) / x.var((0, 2, 3), keepdim=True)


def only_centred(x):
    return x - x.mean((0, 2, 3), keepdim=True)


def eps_under_the_root(x):
    return (x - x.mean((0, 2, 3), keepdim=True)) / (x.var((0, 2, 3), keepdim=True) + 1e-3).sqrt()


def little_eps_under_the_root(x):
    return (x - x.mean((0, 2, 3), keepdim=True)) / (x.var((0, 2, 3), keepdim=True) + 1e-5).sqrt()


def eps_beside_the_deviation(x):
    return (x - x.mean((0, 2, 3), keepdim=True)) / (x.std((0, 2, 3), keepdim=True) + 1e-5)


def between_its_ends(x):
    low, high = x.amin((0, 2, 3), keepdim=True), x.amax((0, 2, 3), keepdim=True)
    return (x - low) / (high - low)


def between_the_ends_of_all(x):
    return (x - x.min()) / (x.max() - x.min())


def deviation_with_n(x):
    return (x - x.mean((0, 2, 3), keepdim=True)) / x.std((0, 2, 3), keepdim=True, correction=0)


def by_the_mean_square(x):
    n, mean = x.numel() // x.shape[1], x.mean((0, 2, 3), keepdim=True)
    variance = (x.square().mean((0, 2, 3), keepdim=True) - mean.square()) * n / (n - 1)
    return (x - mean) / variance.sqrt()


def uneven_channels(draw: Draw, *shape: int) -> torch.Tensor:
    """Channels of different brightness and contrast, so that one statistic for all shows."""
    channel = torch.arange(1.0, shape[1] + 1).view(-1, 1, 1)
    return draw(*shape) * channel + 3 * channel


# --- distances ------------------------------------------------------------------------------------------------


def distances(a, b):
    """(N, D), (M, D) -> (N, M): the distance of every row of a to every row of b"""
    return (a[:, None] - b[None]).square().sum(-1).sqrt()  # (N, 1, D) - (1, M, D) -> (N, M, D) -> (N, M)


def partners_only(a, b):
    return (a - b).square().sum(-1).sqrt()


def rows_of_b(a, b):
    return (b[:, None] - a[None]).square().sum(-1).sqrt()


def squared(a, b):
    return (a[:, None] - b[None]).square().sum(-1)


def city_block(a, b):
    return (a[:, None] - b[None]).abs().sum(-1)


def by_the_binomial(a, b):
    squares = a.square().sum(-1)[:, None] + b.square().sum(-1) - 2 * a @ b.T
    return squares.sqrt()


# --- numerical_gradient ---------------------------------------------------------------------------------------


def numerical_gradient(f, x):
    """The slope of f (to one number) along each number of x, two-sided; shaped like x"""
    step = 1e-2 if x.dtype == torch.float32 else 1e-5  # float32 keeps 7 digits: a smaller step drowns in them
    gradient = torch.zeros_like(x)
    for place in range(x.numel()):
        nudge = torch.zeros_like(x)
        nudge.view(-1)[place] = step
        gradient.view(-1)[place] = (f(x + nudge) - f(x - nudge)) / (2 * step)
    return gradient


def all_at_once(f, x):
    return torch.full_like(x, float(f(x + 1e-2) - f(x - 1e-2)) / 2e-2)


def one_sided(f, x):
    steps = 0.1 * torch.eye(x.numel(), dtype=x.dtype).view(-1, *x.shape)
    return torch.stack([(f(x + step) - f(x)) / 0.1 for step in steps]).view(x.shape)


def one_sided_by_a_hundredth(f, x):
    steps = 1e-2 * torch.eye(x.numel(), dtype=x.dtype).view(-1, *x.shape)
    return torch.stack([(f(x + step) - f(x)) / 1e-2 for step in steps]).view(x.shape)


def one_sided_by_a_thousandth(f, x):
    steps = 1e-3 * torch.eye(x.numel(), dtype=x.dtype).view(-1, *x.shape)
    return torch.stack([(f(x + step) - f(x)) / 1e-3 for step in steps]).view(x.shape)


def one_sided_by_a_ten_thousandth(f, x):
    steps = 1e-4 * torch.eye(x.numel(), dtype=x.dtype).view(-1, *x.shape)
    return torch.stack([(f(x + step) - f(x)) / 1e-4 for step in steps]).view(x.shape)


def one_sided_by_a_hundred_thousandth(f, x):
    steps = 1e-5 * torch.eye(x.numel(), dtype=x.dtype).view(-1, *x.shape)
    return torch.stack([(f(x + step) - f(x)) / 1e-5 for step in steps]).view(x.shape)


def one_sided_by_a_millionth(f, x):
    steps = 1e-6 * torch.eye(x.numel(), dtype=x.dtype).view(-1, *x.shape)
    return torch.stack([(f(x + step) - f(x)) / 1e-6 for step in steps]).view(x.shape)


def one_sided_by_the_dtype(f, x):
    step = 1e-3 if x.dtype == torch.float32 else 1e-6
    steps = step * torch.eye(x.numel(), dtype=x.dtype).view(-1, *x.shape)
    return torch.stack([(f(x + step) - f(x)) / steps.max() for step in steps]).view(x.shape)


def by_a_hundred_thousandth(f, x):
    steps = 1e-5 * torch.eye(x.numel(), dtype=x.dtype).view(-1, *x.shape)
    return torch.stack([(f(x + step) - f(x - step)) / 2e-5 for step in steps]).view(x.shape)


def by_a_millionth(f, x):
    steps = 1e-6 * torch.eye(x.numel(), dtype=x.dtype).view(-1, *x.shape)
    return torch.stack([(f(x + step) - f(x - step)) / 2e-6 for step in steps]).view(x.shape)


def by_a_ten_millionth(f, x):
    steps = 1e-7 * torch.eye(x.numel(), dtype=x.dtype).view(-1, *x.shape)
    return torch.stack([(f(x + step) - f(x - step)) / 2e-7 for step in steps]).view(x.shape)


def step_relative_to_x(f, x):
    gradient = torch.zeros_like(x)
    for place in range(x.numel()):
        nudge = torch.zeros_like(x)
        nudge.view(-1)[place] = 1e-3 * x.view(-1)[place].abs()
        gradient.view(-1)[place] = (f(x + nudge) - f(x - nudge)) / (2 * nudge.view(-1)[place])
    return gradient


def step_too_large(f, x):
    gradient = torch.zeros_like(x)
    for place in range(x.numel()):
        nudge = torch.zeros_like(x)
        nudge.view(-1)[place] = 0.1
        gradient.view(-1)[place] = (f(x + nudge) - f(x - nudge)) / 0.2
    return gradient


def twice_too_large(f, x):
    step = 1e-2 if x.dtype == torch.float32 else 1e-5
    gradient = torch.zeros_like(x)
    for place in range(x.numel()):
        nudge = torch.zeros_like(x)
        nudge.view(-1)[place] = step
        gradient.view(-1)[place] = (f(x + nudge) - f(x - nudge)) / step
    return gradient


def by_a_hundred_millionth(f, x):
    steps = 1e-8 * torch.eye(x.numel(), dtype=x.dtype).view(-1, *x.shape)
    return torch.stack([(f(x + step) - f(x - step)) / 2e-8 for step in steps]).view(x.shape)


def step_too_small(f, x):
    gradient = torch.zeros_like(x)
    for place in range(x.numel()):
        nudge = torch.zeros_like(x)
        nudge.view(-1)[place] = 1e-10
        gradient.view(-1)[place] = (f(x + nudge) - f(x - nudge)) / 2e-10
    return gradient


def left_moved_by_a_hundredth(f, x):
    moved, slopes = x.clone(), torch.zeros_like(x)
    for place in range(x.numel()):
        moved.view(-1)[place] += 1e-2
        above = f(moved)
        moved.view(-1)[place] -= 2e-2
        slopes.view(-1)[place] = (above - f(moved)) / 2e-2
    return slopes


def left_moved_by_a_thousandth(f, x):
    moved, slopes = x.clone(), torch.zeros_like(x)
    for place in range(x.numel()):
        moved.view(-1)[place] += 1e-3
        above = f(moved)
        moved.view(-1)[place] -= 2e-3
        slopes.view(-1)[place] = (above - f(moved)) / 2e-3
    return slopes


def left_moved_by_a_ten_thousandth(f, x):
    moved, slopes = x.clone(), torch.zeros_like(x)
    for place in range(x.numel()):
        moved.view(-1)[place] += 1e-4
        above = f(moved)
        moved.view(-1)[place] -= 2e-4
        slopes.view(-1)[place] = (above - f(moved)) / 2e-4
    return slopes


def two_copies_left_moved(f, x):
    above, below, slopes = x.clone(), x.clone(), torch.zeros_like(x)
    for place in range(x.numel()):
        above.view(-1)[place] += 1e-3
        below.view(-1)[place] -= 1e-3
        slopes.view(-1)[place] = (f(above) - f(below)) / 2e-3
    return slopes


def two_copies_left_moved_by_little(f, x):
    step = 1e-2 if x.dtype == torch.float32 else 1e-5
    above, below, slopes = x.clone(), x.clone(), torch.zeros_like(x)
    for place in range(x.numel()):
        above.view(-1)[place] += step
        below.view(-1)[place] -= step
        slopes.view(-1)[place] = (f(above) - f(below)) / (2 * step)
    return slopes


def left_moved_by_little(f, x):
    step = 1e-2 if x.dtype == torch.float32 else 1e-5
    moved, slopes = x.clone(), torch.zeros_like(x)
    for place in range(x.numel()):
        moved.view(-1)[place] += step
        above = f(moved)
        moved.view(-1)[place] -= 2 * step
        slopes.view(-1)[place] = (above - f(moved)) / (2 * step)
    return slopes


def with_products(x):
    """Each slope depends on the other numbers too, so moving all at once shows."""
    return (x[..., :-1] * x[..., 1:]).sum() + 4 * x.square().sum()


def steep_valley(x):
    """Strongly curved and nearly flat at the bottom: there a one-sided slope shows its error."""
    return 1000 * x.square().sum()


def saddle(x):
    """Straight along each number, and steep across: a number that is left moved shows in the next one's slope."""
    return 1e5 * (x[..., :-1] * x[..., 1:]).sum()


def kink(x):
    """Flat at 0 for whoever looks to both sides; a step to one side, however small, finds 1 or -1."""
    return x.abs().sum()


def quick_waves(x):
    """Bends within a tenth: a step of that size steps over the bends."""
    return torch.sin(20 * x).sum()


def high_up(x):
    """Seven digits from a hundred on: there a step of 1e-5 is a handful of roundings in float32."""
    return 100 + x.square().sum()


def around_two(draw: Draw, *shape: int) -> torch.Tensor:
    """Numbers near 2: there a step of 1e-10 is lost in float32."""
    return 2 + draw(*shape).clamp(-1, 1) / 4


EXERCISES = (
    Exercise(
        lesson=LESSON,
        reference=to_float,
        minutes=4,
        difficulty=1,
        cases=lambda draw: [
            Case("greys 0, 1, 254 and 255", torch.tensor([[[0, 1], [254, 255], [7, 128]]], dtype=torch.uint8)),
            Case("two pictures, wider than tall", draw.greys(2, 3, 5)),
            Case("a single picture", draw.greys(1, 4, 4)),
            Case("nothing lighter than 1", torch.tensor([[[0, 1], [1, 0]]], dtype=torch.uint8)),
        ],
        drawn=lambda draw: (draw.greys(draw.whole(1, 4), draw.whole(1, 6), draw.whole(1, 6)),),
        hints=(
            "The type and the scale are two things: white is stored as 255 and should become 1.",
            "`images / 255` does both at once: dividing turns whole numbers into floats.",
            "The missing axis is the channel, in second place: `unsqueeze(1)`.",
        ),
        mistakes=(
            Mistake(unscaled, "You changed the type, not the scale: the largest grey value should come out as 1."),
            Mistake(by_256, "White comes out as 0.996: there are 256 values, but the largest is 255."),
            Mistake(by_the_brightest, "You divided by this batch's brightest pixel; white is always 255."),
            Mistake(between_darkest_and_lightest, "You stretched this batch's greys; black is always 0, white 255."),
            Mistake(divided_if_any_is_above_one, "A dark picture is on the scale 0 to 255 too: divide always."),
            Mistake(
                rounded_down,
                "Everything but white became 0: something rounded down (`//`, or whole numbers) before you had floats.",
            ),
            Mistake(channel_last, "PyTorch reads (N, C, H, W): the channel stands second."),
            Mistake(channel_first_of_all, "The new axis stands before the pictures: it comes second, after them."),
            Mistake(no_channel, "The channel axis is missing: one grey channel is still a channel."),
        ),
        not_allowed=("torchvision.transforms.functional.to_tensor",),
    ),
    Exercise(
        lesson=LESSON,
        reference=standardize,
        minutes=8,
        difficulty=2,
        tolerance=1e-4,  # a millionth beside the deviation, against 0/0, is no mistake
        cases=lambda draw: [
            Case("channels of different brightness", uneven_channels(draw, 4, 2, 5, 6)),
            Case("as many channels as columns", uneven_channels(draw, 4, 3, 5, 3)),
            Case("one picture", uneven_channels(draw, 1, 3, 4, 5)),
            Case("channels of little contrast", 0.05 * uneven_channels(draw, 3, 2, 4, 3)),
            Case("double precision stays double", uneven_channels(draw, 2, 2, 3, 4).double()),
            Case("far from 0", 100 + draw(2, 2, 4, 5)),
        ],
        drawn=lambda draw: (
            uneven_channels(draw, draw.whole(1, 4), draw.whole(1, 4), draw.whole(2, 6), draw.whole(2, 6)),
        ),
        hints=(
            "How many means do you need? One for each channel: over which axes do you average?",
            "`x.mean((0, 2, 3))` has shape (C,). Shapes align from the right: where would C numbers be laid?",
            "`keepdim=True` keeps the averaged axes with length 1, so that (1, C, 1, 1) meets (N, C, H, W).",
        ),
        mistakes=(
            Mistake(
                each_pixel_apart,
                "You averaged over the pictures only: each pixel got its own mean. One for each channel is wanted.",
            ),
            Mistake(one_for_all, "You averaged over the channels too: each channel has its own brightness."),
            *(
                Mistake(
                    f, "You kept the batch axis: each picture got its own mean, so a dark and a bright item look alike."
                )
                for f in (each_picture_apart, each_picture_apart_all_channels)
            ),
            Mistake(
                over_the_channels,
                "dim names the axes that are averaged away: yours are the channels, which should stay.",
            ),
            Mistake(
                keepdim_forgotten,
                "Shapes align from the right: your C numbers were laid along the columns. keepdim=True keeps the axes.",
            ),
            Mistake(by_the_variance, "You divided by the spread squared; take its root."),
            Mistake(
                by_the_mean_square, "E[x²] − mean² loses its digits far from 0: subtract the mean first, then square."
            ),
            Mistake(only_scaled, "The spread is 1, the mean is still there: subtract it first."),
            Mistake(only_centred, "The mean is gone, the spread is still there: divide by the standard deviation."),
            *(
                Mistake(f, "You laid the smallest number on 0 and the largest on 1; mean 0 and torch.std 1 are wanted.")
                for f in (between_its_ends, between_the_ends_of_all)
            ),
            *(
                Mistake(f, "You changed the spread, which shows where it is small: take torch.std as it is.")
                for f in (eps_under_the_root, little_eps_under_the_root, eps_beside_the_deviation)
            ),
            Mistake(
                deviation_with_n,
                "Another convention: you divide by n inside the root, torch.std (asked for here) by n - 1.",
            ),
        ),
        not_allowed=("torch.batch_norm", "torch.instance_norm"),
    ),
    Exercise(
        lesson=LESSON,
        reference=distances,
        minutes=8,
        difficulty=3,
        optional=True,
        cases=lambda draw: [
            Case("three points and five", draw(3, 2), draw(5, 2)),
            Case("four points and four others", draw(4, 3), draw(4, 3)),
            Case("one point and two", draw(1, 4), draw(2, 4)),
            Case("points and themselves, far from 0", 100 + (a := draw(3, 2)), 100 + a),
        ],
        drawn=lambda draw: (draw(draw.whole(1, 5), d := draw.whole(1, 4)), draw(draw.whole(1, 5), d)),
        hints=(
            "The result has an axis for a and one for b: give each of them an axis the other lacks.",
            "`a[:, None]` is (N, 1, D) and `b[None]` is (1, M, D). What shape has their difference?",
        ),
        mistakes=(
            Mistake(partners_only, "You compared partners, not all pairs: give one of them an extra axis."),
            Mistake(rows_of_b, "Rows should belong to a; yours belong to b."),
            Mistake(squared, "These are squared distances: the root is missing."),
            Mistake(city_block, "That is the city-block distance; square, add, take the root."),
            Mistake(
                by_the_binomial,
                "a² + b² − 2ab loses its digits far from 0 (nan where it falls below 0): subtract first, then square.",
            ),
        ),
        not_allowed=("torch.cdist", "torch.nn.functional.pairwise_distance", "scipy.spatial.distance.cdist"),
    ),
    Exercise(
        lesson=LESSON,
        reference=numerical_gradient,
        minutes=12,
        difficulty=3,
        optional=True,
        tolerance=2e-2,
        cases=lambda draw: [
            Case("three rows of two, double precision", with_products, around_two(draw, 3, 2).double()),
            Case("three rows of two, single precision", with_products, around_two(draw, 3, 2)),
            Case("a line of four", with_products, around_two(draw, 4).double()),
            Case("quick waves", quick_waves, torch.tensor([0.0, 0.3, 1.0]).double()),
            Case("quick waves, single precision", quick_waves, torch.tensor([0.0, 0.3, 1.0])),
            Case("high up, single precision", high_up, torch.tensor([1.6, 1.95, 2.2])),
            Case("the bottom of a steep valley", steep_valley, torch.tensor([0.0, 0.003, -0.004]).double()),
            Case("a steep saddle", saddle, torch.tensor([0.0, 3e-5, -4e-5]).double()),
            Case("a kink, up on both sides", kink, torch.tensor([0.0, 0.5, -0.5]).double()),
            Case("a steep saddle, single precision", saddle, torch.tensor([0.0, 3e-5, -4e-5])),
        ],
        drawn=lambda draw: (with_products, around_two(draw, draw.whole(1, 3), draw.whole(2, 4)).double()),
        hints=(
            "Move one number of x by a small step, both ways, and see how far f moves.",
            "The two points lie two steps apart: divide by that.",
            "float32 keeps seven digits. What is 2 + 1e-8 in it?",
        ),
        mistakes=(
            Mistake(all_at_once, "You measured one slope along the diagonal: move one number at a time."),
            *(
                Mistake(
                    one_sided_by,
                    "One-sided: its error shrinks like the step, the two-sided one's like the step squared.",
                )
                for one_sided_by in (
                    one_sided,
                    one_sided_by_a_hundredth,
                    one_sided_by_a_thousandth,
                    one_sided_by_a_ten_thousandth,
                    one_sided_by_the_dtype,
                )
            ),
            *(
                Mistake(
                    left_moved,
                    "The numbers you moved before are still moved: put each back before you move the next.",
                )
                for left_moved in (
                    left_moved_by_a_hundredth,
                    left_moved_by_a_thousandth,
                    left_moved_by_a_ten_thousandth,
                    left_moved_by_little,
                    two_copies_left_moved,
                    two_copies_left_moved_by_little,
                )
            ),
            Mistake(step_relative_to_x, "Where x is 0 your step is 0 too, and 0/0 is nan: take a fixed step."),
            Mistake(step_too_large, "Your step is longer than the bends of f: take a smaller one."),
            Mistake(twice_too_large, "The two points are two steps apart: divide by twice the step."),
            *(
                Mistake(
                    drowned,
                    "float32 keeps seven digits, and so small a step drowns in them: take a larger one there.",
                )
                for drowned in (
                    one_sided_by_a_hundred_thousandth,
                    one_sided_by_a_millionth,
                    by_a_hundred_thousandth,
                    by_a_millionth,
                    by_a_ten_millionth,
                )
            ),
            *(
                Mistake(f, "In float32, 2 + 1e-8 is 2 and the difference is 0: take a larger step there.")
                for f in (by_a_hundred_millionth, step_too_small)
            ),
        ),
        not_allowed=(
            "torch.autograd.grad",
            "torch.autograd.backward",
            "torch.autograd.forward_ad.make_dual",
            "torch.func.grad",
            "torch.func.jvp",
            "torch.func.jacfwd",
            "torch.func.jacrev",
        ),
    ),
)
