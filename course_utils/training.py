"""The workshop: train a model on pictures, stop and go on, and measure what it has learnt.

A model computes, ``data.Batches`` (or any loader of pictures and labels) feeds it, an optimizer moves it; none knows
of the others, and ``fit`` is the loop in which they meet.
"""

import contextlib
import copy
import itertools
import json
import math
import numbers
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from tqdm.auto import tqdm

from . import checkpoints, metrics

Loss = Callable[[nn.Module, Tensor, Tensor], Tensor]


@dataclass
class History:
    """What a training went through: loss and rate at each step, and accuracy on the validation pictures, if any.

    ``validation`` holds one accuracy for each of the steps in ``validated``, which counts from 1.
    """

    loss: list[float] = field(default_factory=list)
    rate: list[float] = field(default_factory=list)
    validation: list[float] = field(default_factory=list)
    validated: list[int] = field(default_factory=list)

    def __repr__(self) -> str:
        best = f", best validation accuracy {max(self.validation):.4f}" if self.validation else ""
        return f"History of {len(self.loss)} steps{best}"


def seed_everything(seed: int) -> torch.Generator:
    """Let Python, NumPy and torch draw from this seed on; returns a generator of the same seed for ``Batches``."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    return torch.Generator().manual_seed(seed)


def classify(model: nn.Module, images: Tensor, labels: Tensor, label_smoothing: float = 0.0) -> Tensor:
    """The loss of a classifier on a batch, (): the cross-entropy of its logits.

    Args:
        model: images (N, C, H, W) -> logits (N, classes).
        images, labels: the batch; labels (N,).
        label_smoothing: as in ``metrics.cross_entropy``.
    """
    return metrics.cross_entropy(model(images), labels, label_smoothing=label_smoothing)


def one_cycle(step: int, steps: int, warm_up: float = 0.2) -> float:
    """The share of the peak rate at a step: up in a straight line, then down in a longer one, never 0.

    Args:
        step: counted from 0.
        steps: in all.
        warm_up: the share of the steps that lead up to the peak.

    Raises:
        ValueError: if ``warm_up`` does not lie in [0, 1].

    Source: Smith and Topin, "Super-convergence" (2019), without their last, smaller slope.
    """
    if not 0 <= warm_up <= 1:
        raise ValueError(f"warm_up must lie in [0, 1], got {warm_up}")
    up = max(1, round(warm_up * steps))
    return min((step + 1) / up, (steps - step) / (steps - up + 1))


def constant(step: int, steps: int) -> float:
    """The same rate at every step, however many steps there are."""
    return 1.0


def hold_then_fall(step: int, steps: int) -> float:
    """The full rate for half of the steps, then down in a straight line, never 0; step counts from 0."""
    return min(1.0, 2 * (steps - step) / steps)


def parameter_groups(model: nn.Module, weight_decay: float, but: Iterable[nn.Parameter] = ()) -> list[dict]:
    """Parameters for an optimizer, in two groups: weights, which decay, and biases and norms, which do not.

    A bias or a norm's scale is one number a channel (one axis); decay would only pull the outputs to 0.

    Args:
        model: any.
        weight_decay: of the weights.
        but: parameters to leave out, because another optimizer moves them.

    Raises:
        ValueError: if the model has no parameters.
    """
    others = {id(p) for p in but}
    parameters = [p for p in model.parameters() if id(p) not in others]
    if not parameters:
        raise ValueError("model has no parameters: there is nothing to train")
    return [
        {"params": [p for p in parameters if p.dim() > 1], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.dim() <= 1], "weight_decay": 0.0},
    ]


@torch.no_grad()
def ema_update(average: nn.Module, model: nn.Module, decay: float) -> None:
    """Move an average of weights towards the model's: ``average = decay * average + (1 - decay) * model``.

    Buffers, such as the running statistics of batch normalisation, are copied.

    Args:
        average, model: two models of one kind; the first is changed.
        decay: how much of the average stays, in [0, 1).

    Source: Polyak and Juditsky, "Acceleration of stochastic approximation by averaging" (1992), with weights that
    fade.
    """
    for mean, p in zip(average.parameters(), model.parameters(), strict=True):
        mean.lerp_(p, 1 - decay)
    for mean, buffer in zip(average.buffers(), model.buffers(), strict=True):
        mean.copy_(buffer)


def fit(
    model: nn.Module,
    batches: Iterable[tuple[Tensor, Tensor]],
    optimizer: Optimizer | Sequence[Optimizer],
    steps: int,
    *,
    loss: Loss = classify,
    schedule: Callable[[int, int], float] = one_cycle,
    clip: float | None = None,
    average: float | None = None,
    validation: Iterable[tuple[Tensor, Tensor]] | None = None,
    patience: int | None = None,
    callbacks: Sequence[Callable[[int, nn.Module, History], None]] = (),
    checkpoint: Path | str | None = None,
) -> History:
    """Train a model for so many steps, on the device it lies on.

    The stop button (Ctrl-C) ends it after the step under way, and the model keeps what it has learnt; press it twice
    to raise KeyboardInterrupt at once.

    Args:
        model: trained in place, all its parts in training mode, and left in the modes it came in.
        batches: pictures and labels, gone through again and again; ``len(batches)`` steps are an epoch.
        optimizer: one, or several for different parameters; their rates are the peaks of the schedule.
        steps: how often the parameters are moved. The environment variable COURSE_MAX_STEPS may cap it.
        loss: of the model on a batch.
        schedule: the share of the peak rate at a step of so many.
        clip: the largest length the gradient of all parameters together may have.
        average: the decay of an average of the weights, which is what the model ends with.
        validation: measured after each epoch and at the end; the model ends with the weights that did best.
        patience: early stopping: training ends when so many epochs in a row have brought no better accuracy on the
            validation pictures. Prechelt, "Early stopping - but when?" (1998).
        callbacks: called after each step with the number of steps done, the model and the history.
        checkpoint: a file, written after each epoch and where training stops. If it is there already, training goes
            on from it as if it had never stopped: to the bit, on one machine, where what is drawn comes from torch's
            global generator on the CPU or from that of the batches.

    Returns:
        The history.

    Raises:
        ValueError, TypeError: if the model cannot take the batches, or an argument is out of its range.
        FloatingPointError: if the loss, or at the end of an epoch a weight, is infinite or no number.
        CheckpointError: if ``checkpoint`` cannot be written, or belongs to another training: other steps, batches,
            optimizers or options than this one (loss, schedule and augmentation are not compared).
    """
    optimizers = [optimizer] if isinstance(optimizer, Optimizer) else list(optimizer)
    _check(model, batches, optimizers, steps, clip, average, validation, patience)
    steps = capped(steps)
    run = _Run(model, batches, optimizers, steps, average, validation, patience)
    if checkpoint is not None:
        run.restore(checkpoint) if Path(checkpoint).exists() else run.save(checkpoint)
    device = _device(model)
    with run.rates_put_back(), in_mode(model, True), stop_button() as pressed, bar(run.step, steps) as show:
        for images, labels in run.batches_to_come():
            rate = run.set_rates(schedule(run.step, steps))
            value = _on_batch(loss, model, images.to(device), labels.to(device))
            number = value.item()
            if not math.isfinite(number):
                raise _diverged(f"the loss is {number}", run.step, rate)
            model.zero_grad()
            value.backward()
            if clip is not None:
                nn.utils.clip_grad_norm_(model.parameters(), clip)
            for each in optimizers:
                each.step()
            run.count(number, rate)
            epoch_ends = run.step % len(batches) == 0 or run.step == steps
            if epoch_ends:
                run.end_epoch()
            for callback in callbacks:
                callback(run.step, model, run.history)
            show(loss=number, rate=rate)
            stop = bool(pressed)
            if checkpoint is not None and (epoch_ends or stop):
                run.save(checkpoint)
            if stop:
                break
    if run.step < steps and run.ended():
        print(f"Stopped early, after step {run.step} of {steps}: {patience} epochs brought no better accuracy.")
    elif run.step < steps:
        go_on = "" if checkpoint is None else f" To go on, run it again: {Path(checkpoint).name} remembers."
        print(f"Stopped after step {run.step} of {steps}; the model keeps what it has learnt.{go_on}")
    run.hand_over()
    return run.history


@contextlib.contextmanager
def in_mode(model: nn.Module, training: bool) -> Iterator[None]:
    """Put a model and all its parts into training or evaluation mode, and afterwards each into the one it was in."""
    before = [(part, part.training) for part in model.modules()]
    model.train(training)
    try:
        yield
    finally:
        for part, was in before:
            part.training = was


@torch.no_grad()
def predict(model: nn.Module, batches: Iterable[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """What a model answers to every picture, in evaluation mode; afterwards it is in the mode it was in.

    Returns:
        Logits (N, C) and labels (N,), on the CPU, in the order of the batches.

    Raises:
        ValueError, TypeError: if the model cannot take the batches, or there are none.
    """
    device = _device(model)
    with in_mode(model, training=False):
        answers = [
            (_on_batch(lambda model, images, _: model(images), model, images.to(device), labels).cpu(), labels.cpu())
            for images, labels in batches
        ]
    if not answers:
        raise ValueError("batches: there are none")
    logits, labels = (torch.cat(parts) for parts in zip(*answers, strict=True))
    return logits, labels


def evaluate(model: nn.Module, batches: Iterable[tuple[Tensor, Tensor]]) -> float:
    """The accuracy of a model on batches: the share of pictures whose largest logit is the right class's.

    Raises:
        ValueError, TypeError: as ``predict``.
    """
    return metrics.accuracy(*predict(model, batches))


class Watch:
    """A callback of ``fit`` that measures loss and accuracy on some pictures every so many steps.

    Args:
        every: steps between two measurements.
        parts: batches to measure, by name.

    Attributes:
        steps: when it was measured, from 1.
        loss, accuracy: a list for each name, as long as ``steps``.

    Raises:
        ValueError: if ``every`` is below 1.
    """

    def __init__(self, every: int, **parts: Iterable[tuple[Tensor, Tensor]]):
        if every < 1:
            raise ValueError(f"every must be at least 1, got {every}")
        self.every, self.parts, self.steps = every, parts, []
        self.loss, self.accuracy = {name: [] for name in parts}, {name: [] for name in parts}

    def __call__(self, step: int, model: nn.Module, history: History) -> None:
        if step % self.every:
            return
        self.steps.append(step)
        for name, part in self.parts.items():
            logits, labels = predict(model, part)
            self.loss[name].append(metrics.cross_entropy(logits, labels).item())
            self.accuracy[name].append(metrics.accuracy(logits, labels))


def save(model: nn.Module, path: Path | str, history: History | None = None, **card: object) -> None:
    """Write a model's weights, with its history and what else is worth knowing, for ``load``.

    Args:
        model: any.
        path: the file, by custom with the ending .safetensors.
        history: as ``fit`` returned it.
        card: what JSON can hold: data, recipe, accuracy.
    """
    tensors = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    checkpoints.save(path, tensors, {"history": asdict(history or History()), "card": card})


def load(model: nn.Module, path: Path | str) -> History:
    """Give a model the weights that ``save`` or ``fit`` wrote to a path, in place of training it.

    Returns:
        The history of the training that led to them.

    Raises:
        CheckpointError: if the file is missing, damaged, or of another model; the model is left as it was.
    """
    tensors, notes = checkpoints.load(path)
    try:
        history = History(**notes["history"])
    except (KeyError, TypeError):
        raise checkpoints.CheckpointError(f"checkpoint {Path(path).name} holds no training of this course") from None
    kinds = ("best", "average", "model") if notes.get("ended") else ("average", "model")  # what fit handed over
    weights = next(filter(None, (checkpoints.part(tensors, kind) for kind in kinds)), {})
    checkpoints.put_into(model, weights, Path(path).name)
    return history


class _Run:
    """A training at one moment: all that ``fit`` must remember to go on as if it had never stopped."""

    def __init__(self, model, batches, optimizers, steps, decay, validation, patience):
        self.model, self.batches, self.optimizers, self.steps, self.decay = model, batches, optimizers, steps, decay
        self.validation, self.patience = validation, patience
        self.peaks = [float(group["lr"]) for group in self.groups()]
        self.average = copy.deepcopy(model) if decay is not None else None
        self.best: dict[str, Tensor] = {}  # the weights that did best on the validation pictures
        self.step, self.history = 0, History()
        self.epoch_start = self.randomness()

    def groups(self) -> list[dict]:
        return [group for optimizer in self.optimizers for group in optimizer.param_groups]

    def set_rates(self, share: float) -> float:
        """Every group's peak times a share; returns the first group's."""
        for group, peak in zip(self.groups(), self.peaks, strict=True):
            group["lr"] = peak * share
        return self.peaks[0] * share

    @contextlib.contextmanager
    def rates_put_back(self) -> Iterator[None]:
        """So that the optimizers can be used again."""
        try:
            yield
        finally:
            self.set_rates(1.0)

    def batches_to_come(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Epoch after epoch until the last step; in an epoch already begun, what was done is left out."""
        while not self.ended():
            done, now = self.step % len(self.batches), self.randomness()
            if done:
                self.set_randomness(self.epoch_start)  # the same shuffle as then
            else:
                self.epoch_start = now
            epoch = iter(self.batches)
            for _ in range(done):
                next(epoch, None)
            if done:
                self.set_randomness(now)
            before = self.step
            yield from itertools.islice(epoch, self.steps - self.step)
            if self.step < self.steps and (self.step == before or self.step % len(self.batches)):
                came = self.step - before + done
                raise ValueError(
                    f"batches: an epoch ended after {came} of {len(self.batches)}; can they be gone through only once?"
                )

    def ended(self) -> bool:
        """Whether all steps are done, or the validation pictures have not been named better for too long."""
        if self.step == self.steps:
            return True
        accuracies = self.history.validation
        if self.patience is None or not accuracies:
            return False
        return len(accuracies) - 1 - accuracies.index(max(accuracies)) >= self.patience

    def randomness(self) -> dict[str, Tensor]:
        """What the draws to come depend on: torch's state, and the batches' own, if they tell it."""
        states = {"torch": torch.get_rng_state()}
        if hasattr(self.batches, "state_dict"):
            states.update({f"batches.{name}": tensor for name, tensor in self.batches.state_dict().items()})
        elif getattr(self.batches, "generator", None) is not None:  # a DataLoader
            states["generator"] = self.batches.generator.get_state()
        return states

    def set_randomness(self, states: dict[str, Tensor]) -> None:
        torch.set_rng_state(states["torch"])
        if hasattr(self.batches, "load_state_dict"):
            self.batches.load_state_dict(checkpoints.part(states, "batches"))
        elif "generator" in states:
            self.batches.generator.set_state(states["generator"])

    def count(self, loss: float, rate: float) -> None:
        """A step is done."""
        self.step += 1
        self.history.loss.append(loss)
        self.history.rate.append(rate)
        if self.average is not None:
            ema_update(self.average, self.model, self.decay)

    def end_epoch(self) -> None:
        """Look whether the weights are numbers; then measure them, and keep them if none did better before."""
        if not all(p.isfinite().all() for p in self.model.parameters()):
            raise _diverged("a weight is infinite or no number", self.step, self.history.rate[-1])
        if self.validation is None:
            return
        model = self.average or self.model
        try:
            accuracy = evaluate(model, self.validation)
        except (ValueError, TypeError) as error:
            raise type(error)(f"validation: {error}") from error
        if accuracy >= max(self.history.validation, default=0.0):
            self.best = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        self.history.validation.append(accuracy)
        self.history.validated.append(self.step)

    def hand_over(self) -> None:
        """Leave the model with what it should end with: its best weights, or their average; as they are if stopped."""
        if self.best and self.ended():
            self.model.load_state_dict(self.best)
        elif self.average is not None:
            self.model.load_state_dict(self.average.state_dict())

    def save(self, path: Path | str) -> None:
        parts = {
            "model": self.model.state_dict(),
            "average": self.average.state_dict() if self.average is not None else {},
            "best": self.best,
            "random": self.randomness(),
            "epoch_start": self.epoch_start,
        }
        numbers = []  # of the optimizers' states; their tensors go with the others
        for place, optimizer in enumerate(self.optimizers):
            numbers.append({})
            for key, state in optimizer.state_dict()["state"].items():
                tensors = {name: value for name, value in state.items() if isinstance(value, Tensor)}
                parts[f"optimizer{place}.{key}"] = tensors
                numbers[place][key] = {name: value for name, value in state.items() if name not in tensors}
        checkpoints.save(
            path,
            {f"{part}.{name}": tensor for part, tensors in parts.items() for name, tensor in tensors.items()},
            {
                "step": self.step,
                "ended": self.ended(),
                "recipe": self.recipe(),
                "history": asdict(self.history),
                "optimizers": numbers,
            },
        )

    def restore(self, path: Path | str) -> None:
        tensors, notes = checkpoints.load(path)
        name = Path(path).name
        theirs, ours = notes.get("recipe", {}), self.recipe()
        if changed := [key for key in ours if theirs.get(key) != ours[key]]:
            raise checkpoints.CheckpointError(
                f"checkpoint {name} was left by another training, with other {', '.join(changed)}; delete it, or name "
                "another file"
            )
        checkpoints.put_into(self.model, checkpoints.part(tensors, "model"), name)
        if self.average is not None:
            checkpoints.put_into(self.average, checkpoints.part(tensors, "average"), name)
        self.best = checkpoints.part(tensors, "best")
        self.step, self.history = notes["step"], History(**notes["history"])
        self.epoch_start = checkpoints.part(tensors, "epoch_start")
        for place, optimizer in enumerate(self.optimizers):
            state = {
                int(key): {**numbers, **checkpoints.part(tensors, f"optimizer{place}.{key}")}
                for key, numbers in notes["optimizers"][place].items()
            }
            optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
            for p, kept in optimizer.state.items():  # in memory as the parameter lies, which fused optimizers expect
                same = {k: v for k, v in kept.items() if isinstance(v, Tensor) and v.shape == p.shape}
                kept.update({k: torch.empty_like(p).copy_(v) for k, v in same.items()})
        self.set_randomness(checkpoints.part(tensors, "random"))
        if not self.ended():
            print(f"{name}: going on after step {self.step} of {self.steps}")
        else:
            print(f"{name}: this training has ended, and is loaded; delete the file to train again")

    def recipe(self) -> dict:
        """What must not change between stopping and going on, as JSON gives it back."""
        kinds = [f"{type(optimizer).__module__}.{type(optimizer).__name__}" for optimizer in self.optimizers]
        options = [{k: v for k, v in group.items() if k not in ("params", "lr")} for group in self.groups()]
        recipe = {
            "steps": self.steps,
            "model": {name: list(tensor.shape) for name, tensor in self.model.state_dict().items()},
            "batches": [len(self.batches), len(getattr(self.batches, "images", ()))],
            "batches' state": {name: list(state.shape) for name, state in self.randomness().items()},
            "optimizers": kinds,
            "rates": self.peaks,
            "options": options,
            "parameters": [[list(p.shape) for p in group["params"]] for group in self.groups()],
            "average": self.decay,
            "validation": self.validation is not None,
            "patience": self.patience,
        }
        return json.loads(json.dumps(recipe, default=str))


def _check(model, batches, optimizers, steps, clip, average, validation, patience) -> None:
    own = set(model.parameters())
    if not own:
        raise ValueError("model has no parameters: there is nothing to train")
    if not any(p.requires_grad for p in own):
        raise ValueError("model: all its parameters are frozen (requires_grad is False)")
    for name, loader in (("batches", batches), ("validation", validation)):
        if loader is not None and not hasattr(loader, "__len__"):
            raise TypeError(f"{name} must have a length, as data.Batches, a list or a DataLoader; got {type(loader)}")
        if loader is not None and len(loader) == 0:
            raise ValueError(f"{name}: there are none")
    if not optimizers:
        raise ValueError("optimizer: there is none")
    groups = [group for optimizer in optimizers for group in optimizer.param_groups]
    if not all(p in own for group in groups for p in group["params"]):
        raise ValueError("optimizer holds parameters of another model: make it anew from this model's")
    for group in groups:
        if not group["lr"] > 0:
            raise ValueError(f"optimizer: its rate lr must be above 0, got {group['lr']}")
    if not isinstance(steps, numbers.Integral) or steps < 1:
        raise ValueError(f"steps must be a whole number from 1 up, got {steps}")
    if clip is not None and not clip > 0:
        raise ValueError(f"clip must be above 0, got {clip}")
    if average is not None and not 0 <= average < 1:
        raise ValueError(f"average must lie in [0, 1), got {average}")
    if patience is not None and (not isinstance(patience, numbers.Integral) or patience < 1):
        raise ValueError(f"patience must be a whole number of epochs from 1 up, got {patience}")
    if patience is not None and validation is None:
        raise ValueError("patience needs validation pictures: without them nothing tells whether it gets better")


def _on_batch(function: Callable, model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """Call a function on a batch; where the model cannot take it, say what was given, not where it failed."""
    if not images.is_floating_point():
        raise TypeError(f"batches: pictures should come as floats, got {images.dtype}; data.Batches normalises them")
    try:
        return function(model, images, labels)
    except RuntimeError as error:
        what = str(error).partition("\n")[0]
        raise ValueError(f"batches: model or loss failed on pictures of shape {tuple(images.shape)}: {what}") from error


def _device(model: nn.Module) -> torch.device:
    return next((p.device for p in model.parameters()), torch.device("cpu"))


def _diverged(what: str, step: int, rate: float) -> FloatingPointError:
    return FloatingPointError(
        f"{what} at step {step}, at a rate of {rate:.3g}. Try a third of the rate, a longer warm-up or clip=1.0, from "
        "a new model; and look whether the pictures are normalised"
    )


def capped(steps: int) -> int:
    """So many steps, or what the environment variable COURSE_MAX_STEPS allows; at least one."""
    return max(1, min(steps, int(os.environ.get("COURSE_MAX_STEPS", steps))))


@contextlib.contextmanager
def stop_button() -> Iterator[list[bool]]:
    """A list that is filled when the stop button is pressed, so that no step is cut in half; twice raises at once."""
    pressed: list[bool] = []
    if threading.current_thread() is not threading.main_thread():  # signals reach the main thread only
        yield pressed
        return

    def note(*_: object) -> None:
        if pressed:
            raise KeyboardInterrupt
        pressed.append(True)

    before = signal.signal(signal.SIGINT, note)
    try:
        yield pressed
    finally:
        signal.signal(signal.SIGINT, before)


def shown(items: Iterable) -> Iterable:
    """Go through items with a progress bar, for loops that take seconds; silent where COURSE_QUIET is set."""
    return tqdm(items, disable="COURSE_QUIET" in os.environ)


@contextlib.contextmanager
def bar(done: int, steps: int) -> Iterator[Callable[..., None]]:
    """A progress bar for steps, some of them done, with a forecast from the first ones; silent under COURSE_QUIET.

    Yields:
        A function to call after each step, with the numbers to show, by name.
    """
    started = time.perf_counter()
    with tqdm(total=steps, initial=done, unit="step", disable="COURSE_QUIET" in os.environ) as shown:
        here = itertools.count(1)  # steps since it began

        def show(**numbers: float) -> None:
            if (count := next(here)) == 20:
                seconds = (time.perf_counter() - started) / count * (steps - done)
                shown.set_description(f"about {seconds:.0f} s in all")
            shown.set_postfix({name: f"{number:.3g}" for name, number in numbers.items()}, refresh=False)
            shown.update()

        yield show
