"""The workshop: its loop, stopping and going on, what it refuses, and what it leaves behind."""

import contextlib
import copy
import itertools
import os
import signal
import time
from functools import partial
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_utils import augment, checkpoints, data, optimizers, training


def pictures(count=60, channels=1, size=8):
    """Noise in two classes, the second one brighter, so that a small net learns them in a few steps."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(count) % 2
    images = torch.randint(0, 128, (count, channels, size, size), generator=generator, dtype=torch.uint8)
    return data.Pictures(images + 100 * labels.byte()[:, None, None, None], labels)


def batches(batch_size=8, seed=0, **options):
    return data.Batches(*pictures(), batch_size, torch.Generator().manual_seed(seed), **options)


def net(seed=0):
    """All that makes going on difficult: dropout, running statistics, channels last."""
    torch.manual_seed(seed)
    second = nn.Sequential(nn.Conv2d(4, 4, 2), nn.Flatten())
    layers = [nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.3), second, nn.Linear(100, 2)]
    return nn.Sequential(*layers).to(memory_format=torch.channels_last)


def sgd(model, lr=0.05):
    return optimizers.SGD(training.parameter_groups(model, 1e-3), lr=lr, momentum=0.9, nesterov=True)


def same_weights(one, other):
    pairs = zip(one.state_dict().items(), other.state_dict().items(), strict=True)
    return all(a == b and torch.equal(p, q) for (a, p), (b, q) in pairs)


# ---- The loop


def test_fit_is_the_loop_written_out():
    """Against PyTorch's own optimizer, schedule, loss and clipping, with no augmentation, no average."""
    ours, theirs = net(), net()
    training.seed_everything(3)
    history = training.fit(
        ours, batches(), sgd(ours), steps=20, clip=0.5, loss=partial(training.classify, label_smoothing=0.1)
    )

    training.seed_everything(3)
    optimizer = torch.optim.SGD(training.parameter_groups(theirs, 1e-3), lr=0.05, momentum=0.9, nesterov=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        max_lr=0.05,
        total_steps=20,
        pct_start=0.2,
        anneal_strategy="linear",
        cycle_momentum=False,
        div_factor=4,
        final_div_factor=17 / 4,
    )
    losses, feed = [], batches()
    theirs.train()
    while len(losses) < 20:
        for images, labels in feed:
            if len(losses) == 20:
                break
            loss = F.cross_entropy(theirs(images), labels, label_smoothing=0.1)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(theirs.parameters(), 0.5)
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
    torch.testing.assert_close(history.loss, losses, rtol=1e-4, atol=1e-5)
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("warm_up", [0.0, 0.2, 0.5, 1.0])
@pytest.mark.parametrize("steps", [1, 2, 7, 100])
def test_one_cycle_rises_to_the_peak_once_and_is_never_0(steps, warm_up):
    shares = [training.one_cycle(step, steps, warm_up) for step in range(steps)]
    assert max(shares) == 1.0
    assert min(shares) > 0
    peak = shares.index(1.0)
    assert shares[: peak + 1] == sorted(shares[: peak + 1])
    assert shares[peak:] == sorted(shares[peak:], reverse=True)


def test_biases_and_norms_do_not_decay():
    model = net()
    decaying, others = training.parameter_groups(model, 0.5)
    assert [tuple(p.shape) for p in decaying["params"]] == [(4, 1, 3, 3), (4, 4, 2, 2), (2, 100)]
    assert {p.dim() for p in others["params"]} == {1}
    assert (decaying["weight_decay"], others["weight_decay"]) == (0.5, 0.0)
    assert sum(p.numel() for g in (decaying, others) for p in g["params"]) == sum(p.numel() for p in model.parameters())


def test_parameters_that_another_optimizer_moves_are_left_out():
    model = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    decaying, others = training.parameter_groups(model, 0.5, but=[model[0].weight, model[1].bias])
    assert decaying["params"] == [model[1].weight]
    assert others["params"] == [model[0].bias]


def test_several_optimizers_each_keep_their_own_peak():
    model = net()
    first, second = optimizers.SGD(model[0].parameters(), lr=0.1), optimizers.AdamW(model[5].parameters(), lr=0.001)
    before = copy.deepcopy(model)
    training.fit(model, batches(), [first, second], steps=5)
    assert first.param_groups[0]["lr"] == 0.1 and second.param_groups[0]["lr"] == 0.001  # ready for another fit
    moved = [not torch.equal(p, q) for p, q in zip(model.parameters(), before.parameters(), strict=True)]
    assert [moved[i] for i in (0, 2, 3, 4, 5, 6, 7)] == [
        True,
        False,
        False,
        False,
        False,
        True,
        True,
    ]  # a bias before a norm does nothing


def test_average_follows_and_is_what_the_model_ends_with():
    plain, averaged = net(), net()
    weights = []
    training.seed_everything(0)
    training.fit(plain, batches(), sgd(plain), steps=6, callbacks=[lambda *a: weights.append(a[1][0].weight.clone())])
    training.seed_everything(0)
    training.fit(averaged, batches(), sgd(averaged), steps=6, average=0.7)
    expected = net()[0].weight
    for weight in weights:
        expected = 0.7 * expected + 0.3 * weight
    torch.testing.assert_close(averaged[0].weight, expected)
    assert torch.equal(averaged[1].running_mean, plain[1].running_mean)


def test_the_model_ends_with_the_weights_that_did_best():
    """A rate that ruins the model after some epochs: what was best before is what comes back."""
    model, kept = net(), {}
    check = data.Batches(*pictures(), 60)

    def ruin(step, model, history):
        kept[step] = copy.deepcopy(model.state_dict())
        if step == 22:
            with torch.no_grad():
                model[5].weight.neg_()

    history = training.fit(model, batches(), sgd(model), steps=24, validation=check, callbacks=[ruin])
    assert history.validated == [8, 16, 24]
    best = max(range(3), key=lambda i: (history.validation[i], i))
    assert best < 2
    assert training.evaluate(model, check) == history.validation[best]
    assert all(torch.equal(kept[history.validated[best]][k], v) for k, v in model.state_dict().items())


def test_patience_ends_a_training_that_gets_no_better(tmp_path, capsys):
    """Measured on wrong labels, accuracy falls from the first epoch on; so it ends two epochs after it."""
    images, labels = pictures()
    options = dict(steps=80, validation=data.Batches(images, 1 - labels, 60), checkpoint=tmp_path / "run.safetensors")
    stopped, loaded, seen = net(), net(1), {}

    def remember(step, model, history):
        seen[step] = copy.deepcopy(model.state_dict())

    history = training.fit(stopped, batches(), sgd(stopped, 0.001), patience=2, callbacks=[remember], **options)
    assert history.validated == [8, 16, 24] and history.validation[0] > max(history.validation[1:])
    assert "Stopped early, after step 24 of 80: 2 epochs brought no better accuracy." in capsys.readouterr().out
    assert all(torch.equal(seen[8][name], tensor) for name, tensor in stopped.state_dict().items())
    assert training.load(loaded, options["checkpoint"]) == history  # it counts as ended: the best weights are loaded
    assert same_weights(loaded, stopped)
    again = net(2)
    assert training.fit(again, batches(), sgd(again, 0.001), patience=2, **options) == history
    assert same_weights(again, stopped)


def test_patience_does_not_end_a_training_that_gets_better():
    check, model = data.Batches(*pictures(), 60), net()
    history = training.fit(model, batches(), sgd(model, 0.0005), 40, validation=check, patience=5)
    assert len(history.loss) == 40


def test_watch_measures_what_it_is_given_and_leaves_no_trace():
    parts = {"known": data.Batches(*pictures(), 7), "other": data.Batches(*pictures(20), 20)}
    plain, watched, watch = net(), net(), training.Watch(3, **parts)
    training.seed_everything(0)
    training.fit(plain, batches(), sgd(plain), 10)
    training.seed_everything(0)
    training.fit(watched, batches(), sgd(watched), 10, callbacks=[watch])
    assert same_weights(plain, watched)
    assert watch.steps == [3, 6, 9]
    training.seed_everything(0)
    model = net()
    training.fit(model, batches(), sgd(model), 10, callbacks=[watch := training.Watch(10, **parts)])
    for name, part in parts.items():
        logits, labels = training.predict(model, part)
        assert watch.accuracy[name] == [training.evaluate(model, part)]
        assert watch.loss[name] == [pytest.approx(nn.functional.cross_entropy(logits, labels).item(), rel=1e-4)]
    with pytest.raises(ValueError, match=r"^every must be at least 1"):
        training.Watch(0)


def test_what_a_history_says():
    assert repr(training.History([0.5, 0.25, 0.1], [0.1] * 3)) == "History of 3 steps"
    measured = training.History([0.5, 0.25], [0.1] * 2, [0.5, 0.75, 0.6], [1, 2, 3])
    assert repr(measured) == "History of 2 steps, best validation accuracy 0.7500"


def test_the_rate_is_held_for_half_of_the_steps_and_falls():
    assert [training.hold_then_fall(step, 8) for step in range(8)] == [1, 1, 1, 1, 1, 0.75, 0.5, 0.25]


def test_callbacks_see_the_step_the_model_and_the_history():
    seen, model = [], net()
    training.fit(model, batches(), sgd(model), 3, callbacks=[lambda *each: seen.append((each[:2], len(each[2].loss)))])
    assert seen == [((step, model), step) for step in (1, 2, 3)]


def test_of_an_error_in_the_model_the_first_line_is_told():
    model = net()

    def stumbles(*_):
        raise RuntimeError("one\ntwo")

    with pytest.raises(ValueError, match=r"^batches: model or loss failed on pictures of shape \(8, 1, 8, 8\): one$"):
        training.fit(model, batches(), sgd(model), 3, loss=stumbles)


def test_a_model_without_parameters_can_be_asked():
    logits, labels = training.predict(nn.Flatten(), batches())
    assert logits.shape == (60, 64) and labels.shape == (60,)


@pytest.mark.parametrize(("cap", "left"), [("1", 1), ("3", 3), ("9", 5), ("0", 1), (None, 5)])
def test_steps_as_capped(monkeypatch, cap, left):
    monkeypatch.delenv("COURSE_MAX_STEPS", raising=False)
    if cap is not None:
        monkeypatch.setenv("COURSE_MAX_STEPS", cap)
    assert training.capped(5) == left


def test_steps_may_be_capped_from_outside(monkeypatch):
    monkeypatch.setenv("COURSE_MAX_STEPS", "3")
    model = net()
    assert len(training.fit(model, batches(), sgd(model), steps=50).loss) == 3


def test_modes_are_put_back_part_by_part():
    model = net().eval()
    model[3].train()
    training.fit(model, batches(), sgd(model), steps=2, validation=batches())
    assert [part.training for part in model] == [False, False, False, True, False, False]


def test_seeds():
    draws = []
    for _ in range(2):
        generator = training.seed_everything(5)
        import random

        import numpy as np

        draws.append(
            (random.random(), np.random.rand(), torch.rand(1).item(), torch.rand(1, generator=generator).item())
        )
    assert draws[0] == draws[1]


def test_predict_and_evaluate_agree_with_a_loop_and_change_nothing():
    model = net()
    training.fit(model, batches(), sgd(model), steps=5)
    before = copy.deepcopy(model)
    feed = data.Batches(*pictures(), 7)  # the last batch is shorter
    model.train()
    logits, labels = training.predict(model, feed)
    assert all(part.training for part in model.modules())
    assert same_weights(model, before)
    before.eval()
    with torch.no_grad():
        expected = before(data.normalize(feed.images))
    torch.testing.assert_close(logits, expected)
    assert torch.equal(labels, feed.labels)
    assert training.evaluate(model, feed) == (expected.argmax(1) == feed.labels).double().mean().item()


# ---- Stopping and going on


class Crash(Exception):
    pass


def crash_after(step):
    def callback(done, model, history):
        if done == step:
            raise Crash

    return callback


def press_stop_after(step, times=1):
    def callback(done, model, history):
        if done == step:
            for _ in range(times):
                os.kill(os.getpid(), signal.SIGINT)

    return callback


@pytest.mark.parametrize(
    "make",
    [
        sgd,
        lambda m: optimizers.AdamW(m.parameters(), lr=0.01),
        lambda m: torch.optim.Adam(m.parameters(), lr=0.01),
        lambda m: torch.optim.Adam(m.parameters(), lr=0.01, fused=True),
    ],
)
@pytest.mark.parametrize("stops", [[5], [8], [3, 4, 15]])
def test_going_on_gives_the_same_weights_as_never_stopping(tmp_path, make, stops):
    """Stopped in an epoch, between two, and often; with all that draws or remembers."""
    check = data.Batches(*pictures(), 60)
    options = dict(steps=20, clip=1.0, average=0.9, validation=check)

    def training_of(model, callbacks=(), checkpoint=None):
        feed = batches(augment=lambda x: augment.flip(augment.shift(x, 2)))
        return training.fit(model, feed, make(model), callbacks=callbacks, checkpoint=checkpoint, **options)

    training.seed_everything(1)
    whole = net()
    history = training_of(whole)

    training.seed_everything(1)
    file = tmp_path / "run.safetensors"
    for number, stop in enumerate([*stops, None]):
        model = net()
        if number:
            training.seed_everything(99 + number)  # what a new kernel brings is of no account
        parts = training_of(model, [press_stop_after(stop)] if stop else [], file)
        assert len(parts.loss) == (stop or 20)
    assert same_weights(model, whole)
    assert parts == history


def test_the_best_weights_so_far_survive_a_stop(tmp_path):
    """Measured on wrong labels, the first epoch is the best; after a stop its weights can only come from the file."""
    images, labels = pictures()
    check, file, seen = data.Batches(images, 1 - labels, 60), tmp_path / "run.safetensors", {}

    def remember(step, model, history):
        seen[step] = copy.deepcopy(model.state_dict())

    for callbacks in [[remember, press_stop_after(10)], []]:
        model = net()
        history = training.fit(
            model, batches(), sgd(model, 0.001), 24, validation=check, callbacks=callbacks, checkpoint=file
        )
    assert history.validation[0] > max(history.validation[1:])
    assert all(torch.equal(seen[8][name], tensor) for name, tensor in model.state_dict().items())


def test_a_finished_training_is_only_loaded(tmp_path, capsys):
    file = tmp_path / "run.safetensors"
    first, second = net(), net(1)
    history = training.fit(first, batches(), sgd(first), steps=10, validation=batches(), checkpoint=file)
    again = training.fit(second, batches(), sgd(second), steps=10, validation=batches(), checkpoint=file)
    assert again == history
    assert same_weights(first, second)
    assert "run.safetensors: this training has ended, and is loaded; delete the file" in capsys.readouterr().out


def test_the_stop_button_ends_after_the_step_and_says_so(capsys):
    model = net()
    history = training.fit(model, batches(), sgd(model), steps=50, callbacks=[press_stop_after(7)])
    assert len(history.loss) == 7
    assert capsys.readouterr().out.endswith("Stopped after step 7 of 50; the model keeps what it has learnt.\n")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_where_there_is_a_checkpoint_it_says_how_to_go_on(tmp_path, capsys):
    model, file = net(), tmp_path / "run.safetensors"
    training.fit(model, batches(), sgd(model), 50, callbacks=[press_stop_after(7)], checkpoint=file)
    assert capsys.readouterr().out.endswith(" To go on, run it again: run.safetensors remembers.\n")
    training.fit(model, batches(), sgd(model), 50, callbacks=[press_stop_after(1)], checkpoint=file)
    assert "run.safetensors: going on after step 7 of 50" in capsys.readouterr().out


def test_pressed_twice_it_raises():
    model = net()
    with pytest.raises(KeyboardInterrupt):
        training.fit(model, batches(), sgd(model), steps=50, callbacks=[press_stop_after(3, times=2)])
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_weights_of_a_training_under_way_can_be_loaded(tmp_path):
    file = tmp_path / "run.safetensors"
    model, other = net(), net(1)
    training.fit(model, batches(), sgd(model), steps=30, average=0.8, checkpoint=file, callbacks=[press_stop_after(9)])
    history = training.load(other, file)
    assert len(history.loss) == 9
    assert same_weights(model, other)


OTHERS = {
    "steps": dict(steps=6),
    "rates": dict(optimizer=lambda m: sgd(m, lr=0.1)),
    "batches": dict(feed=lambda: batches(4)),
    "batches' state": dict(feed=lambda: data.Batches(*pictures(), 8)),
    "optimizers": dict(
        optimizer=lambda m: torch.optim.SGD(training.parameter_groups(m, 1e-3), lr=0.05, momentum=0.9, nesterov=True)
    ),
    "options": dict(optimizer=lambda m: optimizers.SGD(training.parameter_groups(m, 0.1), lr=0.05, momentum=0.9)),
    "average": dict(average=0.9),
    "validation": dict(validation=True),
    "model": dict(model=lambda: nn.Sequential(nn.Flatten(), nn.Linear(64, 2))),
}


@pytest.mark.parametrize("what", OTHERS)
def test_another_training_is_refused_and_nothing_is_changed(tmp_path, what):
    file = tmp_path / "run.safetensors"

    def start(model=net, optimizer=sgd, feed=batches, steps=20, average=None, validation=False, callbacks=()):
        made, chosen = model(), feed()
        moves = optimizer(made)
        check = data.Batches(*pictures(), 60) if validation else None
        state = copy.deepcopy((made.state_dict(), moves.state_dict(), torch.get_rng_state()))
        try:
            training.fit(
                made, chosen, moves, steps, average=average, validation=check, callbacks=callbacks, checkpoint=file
            )
        finally:
            after = (made.state_dict(), moves.state_dict(), torch.get_rng_state())
            unchanged.append(str(state) == str(after) and torch.equal(state[2], after[2]))

    unchanged = []
    start(callbacks=[press_stop_after(5)])
    with pytest.raises(checkpoints.CheckpointError, match=f"left by another training, with other .*{what}"):
        start(**OTHERS[what])
    assert unchanged == [False, True]


def test_a_checkpoint_that_cannot_be_written_is_known_before_the_first_step(tmp_path):
    (tmp_path / "file").write_text("no folder")
    for place in (tmp_path / "file" / "run.safetensors", tmp_path):
        model = net()
        with pytest.raises(checkpoints.CheckpointError):
            training.fit(model, batches(), sgd(model), steps=9, checkpoint=place)
        assert same_weights(model, net())


def test_a_loader_of_torchs_own_goes_on_too(tmp_path):
    images, labels = pictures()
    dataset = torch.utils.data.TensorDataset(data.normalize(images), labels)

    def training_of(callbacks=(), checkpoint=None):
        model = net()
        feed = torch.utils.data.DataLoader(dataset, 8, shuffle=True, generator=torch.Generator().manual_seed(4))
        history = training.fit(model, feed, sgd(model), 20, callbacks=callbacks, checkpoint=checkpoint)
        return model, history

    whole, history = training_of()
    training_of([press_stop_after(11)], tmp_path / "run.safetensors")
    parts, again = training_of(checkpoint=tmp_path / "run.safetensors")
    assert same_weights(whole, parts) and history == again


def test_what_load_gives_is_what_fit_handed_over(tmp_path):
    """Of a training that was stopped after its best epoch, with an average: the average."""
    file = tmp_path / "run.safetensors"
    model, other = net(), net(1)
    options = dict(average=0.8, validation=data.Batches(*pictures(), 60), checkpoint=file)
    training.fit(model, batches(), sgd(model), 30, callbacks=[press_stop_after(12)], **options)
    training.load(other, file)
    assert same_weights(model, other)


@pytest.mark.parametrize("average", [None, 0.8])
def test_what_load_gives_of_a_training_that_has_ended(tmp_path, average):
    file = tmp_path / "run.safetensors"
    model, other = net(), net(1)
    training.fit(model, batches(), sgd(model), 12, average=average, checkpoint=file)
    training.load(other, file)
    assert same_weights(model, other)


def test_a_file_of_weights_alone_is_no_training_to_go_on_with(tmp_path):
    model, file = net(), tmp_path / "weights.safetensors"
    training.save(model, file)
    with pytest.raises(checkpoints.CheckpointError, match=r"^checkpoint weights.safetensors was left by another"):
        training.fit(model, batches(), sgd(model), 3, checkpoint=file)


def test_an_exception_leaves_modes_rates_and_the_stop_button_as_they_were():
    model = net().eval()
    optimizer = sgd(model)
    with pytest.raises(Crash):
        training.fit(model, batches(), optimizer, steps=9, callbacks=[crash_after(3)])
    assert not any(part.training for part in model.modules())
    assert [group["lr"] for group in optimizer.param_groups] == [0.05, 0.05]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    with pytest.raises(ValueError, match="pictures of shape"):
        training.evaluate(model.train(), [(torch.zeros(2, 3, 8, 8), torch.zeros(2, dtype=torch.int64))])
    assert all(part.training for part in model.modules())


def killed(work, after=None):
    """Run something in a process of its own, killed without warning after so many seconds if it does not die before."""
    child = os.fork()
    if not child:
        try:
            work()
        finally:
            os._exit(0)
    if after is not None:
        time.sleep(after)
        os.kill(child, signal.SIGKILL)
    return os.waitpid(child, 0)[1]


def commit_suicide(*_):
    os.kill(os.getpid(), signal.SIGKILL)


def write_half(file, content):
    file.write(content[: len(content) // 2])
    file.flush()
    commit_suicide()


needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork and no kill -9")


@needs_fork
@pytest.mark.parametrize("moment", ["half written", "before it is on the disk", "before it is renamed"])
def test_kill_at_any_moment_of_a_write_leaves_the_old_file(tmp_path, moment):
    file = tmp_path / "run.safetensors"
    checkpoints.save(file, {"a": torch.ones(1000)}, {"number": 1})

    def write():
        if moment == "half written":
            to_disk = Path.open
            Path.open = lambda *a, **k: HalfFile(to_disk(*a, **k))
        elif moment == "before it is on the disk":
            os.fsync = commit_suicide
        else:
            os.replace = commit_suicide
        checkpoints.save(file, {"a": torch.zeros(1000)}, {"number": 2})

    assert killed(write) == signal.SIGKILL
    assert Path(f"{file}.part").exists()  # the write had begun
    tensors, notes = checkpoints.load(file)
    assert notes == {"number": 1} and (tensors["a"] == 1).all()
    checkpoints.save(file, {"a": torch.zeros(1000)}, {"number": 2})
    assert checkpoints.load(file)[1] == {"number": 2}
    assert os.listdir(tmp_path) == [file.name]


class HalfFile(contextlib.AbstractContextManager):
    def __init__(self, file):
        self.file = file

    def __exit__(self, *error):
        self.file.close()

    def write(self, content):
        write_half(self.file, content)


@needs_fork
def test_kill_at_random_moments_leaves_a_whole_file(tmp_path):
    file = tmp_path / "run.safetensors"
    checkpoints.save(file, {"a": torch.zeros(1_000_000)}, {"number": 0})

    def write_for_ever():
        for number in itertools.count(1):
            checkpoints.save(file, {"a": torch.full((1_000_000,), float(number))}, {"number": number})

    numbers = []
    for number in range(30):
        assert killed(write_for_ever, after=0.05 + 0.001 * number) == signal.SIGKILL
        tensors, notes = checkpoints.load(file)
        assert (tensors["a"] == notes["number"]).all()
        numbers.append(notes["number"])
    assert max(numbers) > 0


def test_a_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    file = tmp_path / "a.safetensors"
    checkpoints.save(file, {"a": torch.ones(2)}, {"number": 1})

    def no_room(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "fsync", no_room)
    with pytest.raises(checkpoints.CheckpointError, match=r"a\.safetensors cannot be written: no space"):
        checkpoints.save(file, {"a": torch.zeros(2)}, {"number": 2})
    assert checkpoints.load(file)[1] == {"number": 1}


# ---- Files that are none


def spoiled(content):
    return [content[:-5], content[:20], b"", b"PK\x03\x04 a zip file", b"\x00" * 64, os.urandom(64)]


@pytest.mark.parametrize("number", range(6))
def test_a_damaged_or_foreign_file_gets_a_sentence_and_changes_nothing(tmp_path, number):
    file = tmp_path / "run.safetensors"
    model = net()
    training.save(model, file)
    file.write_bytes(spoiled(file.read_bytes())[number])
    before = copy.deepcopy(model)
    with pytest.raises(
        checkpoints.CheckpointError, match=r"^checkpoint run\.safetensors is cut short, or none of this course"
    ):
        training.load(model, file)
    with pytest.raises(checkpoints.CheckpointError, match="cut short"):
        training.fit(model, batches(), sgd(model), steps=5, checkpoint=file)
    assert same_weights(model, before)


def test_a_file_by_others_is_foreign(tmp_path):
    import safetensors.torch

    safetensors.torch.save_file({"weight": torch.ones(2)}, tmp_path / "theirs.safetensors")
    with pytest.raises(checkpoints.CheckpointError, match="none of this course"):
        training.load(net(), tmp_path / "theirs.safetensors")


def test_a_missing_file_gets_a_sentence(tmp_path):
    with pytest.raises(checkpoints.CheckpointError, match=r"^there is no checkpoint none\.safetensors to read"):
        training.load(net(), tmp_path / "none.safetensors")


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (
            lambda: nn.Sequential(nn.Conv2d(1, 4, 3)),
            r"it has, and the model has not, 1\.bias, 1\.num_batches_tracked, 1\.running_mean and 6 more$",
        ),
        (lambda: nn.Sequential(*net(), nn.Linear(2, 2)), r"it has no 6\.bias, 6\.weight$"),
        (lambda: nn.Sequential(nn.Conv2d(3, 4, 3), *net()[1:]), r"it has in another shape 0\.weight$"),
    ],
)
def test_a_checkpoint_of_another_model_names_what_differs(tmp_path, other, said):
    training.save(net(), tmp_path / "a.safetensors")
    model = other()
    before = copy.deepcopy(model)
    with pytest.raises(checkpoints.CheckpointError, match=said):
        training.load(model, tmp_path / "a.safetensors")
    assert same_weights(model, before)


def test_up_to_three_names_are_given_and_the_rest_counted():
    def refused(names):
        with pytest.raises(checkpoints.CheckpointError) as said:
            checkpoints.put_into(nn.Sequential(), dict.fromkeys(names, torch.zeros(1)), "a")
        return str(said.value).partition("not, ")[2]

    assert refused("cab") == "a, b, c"
    assert refused("dcab") == "a, b, c and 1 more"


def test_folders_on_the_way_are_made(tmp_path):
    checkpoints.save(tmp_path / "one" / "two" / "a.safetensors", {"x": torch.ones(1)}, {})
    assert checkpoints.load(tmp_path / "one" / "two" / "a.safetensors")[0]["x"] == 1


def test_save_keeps_weights_history_and_card(tmp_path):
    model, other = net(), net(1)
    history = training.fit(model, batches(), sgd(model), steps=8, validation=batches())
    training.save(model, tmp_path / "a.safetensors", history, accuracy=0.5)
    assert training.load(other, tmp_path / "a.safetensors") == history
    assert same_weights(model, other)
    assert checkpoints.load(tmp_path / "a.safetensors")[1]["card"] == {"accuracy": 0.5}


# ---- What it refuses


@pytest.mark.parametrize("what", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_stops_at_once(what):
    model = net()

    def breaks(model, images, labels):
        breaks.calls += 1
        return training.classify(model, images, labels) * (what if breaks.calls == 4 else 1)

    breaks.calls = 0
    with pytest.raises(FloatingPointError, match=r"the loss is (nan|inf) at step 3, at a rate of 0\.05\. Try"):
        training.fit(model, batches(), sgd(model), steps=10, loss=breaks, schedule=training.constant)
    assert all(p.isfinite().all() for p in model.parameters())


def test_a_rate_far_too_high_is_found_by_the_same():
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 2))
    feed = data.Batches(*pictures(), 8, mean=0, std=1e-9)
    with pytest.raises(FloatingPointError):
        training.fit(model, feed, optimizers.SGD(model.parameters(), lr=1e30), steps=50)


def uint8_loader():
    return [(pictures().images, pictures().labels)]


def shifted_labels():
    images, labels = pictures()
    return [(data.normalize(images), labels + 1)]


def uneven():
    images, labels = pictures()
    return [(data.normalize(images), labels[:-1])]


@pytest.mark.parametrize(
    ("loader", "said"),
    [
        (uint8_loader, r"^batches: pictures should come as floats, got torch\.uint8"),
        (
            lambda: data.Batches(*pictures(channels=3), 8),
            r"^batches: model or loss failed on pictures of shape \(8, 3, 8, 8\): .*channels",
        ),
        (
            lambda: data.Batches(*pictures(size=9), 8),
            r"^batches: model or loss failed on pictures of shape \(8, 1, 9, 9\)",
        ),
        (shifted_labels, r"^target must lie between 0 and 1, got 1 to 2"),
        (uneven, r"^target must hold a label for each of the 60 rows of input, got 59"),
        (list, r"^batches: there are none"),
    ],
)
def test_batches_that_do_not_fit_are_named(loader, said):
    model = net()
    before = copy.deepcopy(model)
    with pytest.raises((ValueError, TypeError), match=said):
        training.fit(model, loader(), sgd(model), steps=3)
    assert all(torch.equal(p, q) for p, q in zip(model.parameters(), before.parameters(), strict=True))
    with pytest.raises((ValueError, TypeError), match=said):
        training.evaluate(model, loader())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (dict(steps=0), "^steps must be"),
        (dict(steps=2.5), "^steps must be"),
        (dict(clip=0), "^clip must be"),
        (dict(average=1.0), "^average must lie"),
        (dict(optimizer=[]), "^optimizer: there is none"),
        (dict(validation=[]), "^validation: there are none"),
        (dict(validation=[(torch.zeros(2, 3, 8, 8), torch.zeros(2))]), "^validation: batches: model or loss failed"),
        (
            dict(optimizer=torch.optim.SGD([nn.Parameter(torch.ones(1))], lr=0.1)),
            "^optimizer holds parameters of another",
        ),
    ],
)
def test_arguments_out_of_range_are_named(options, said):
    model = net()
    with pytest.raises(ValueError, match=said):
        training.fit(model, batches(), **{"optimizer": sgd(model), "steps": 5, **options})


def test_a_rate_of_0_is_named():
    model = net()
    with pytest.raises(ValueError, match=r"^optimizer: its rate lr must be above 0, got 0"):
        training.fit(model, batches(), torch.optim.SGD(model.parameters(), lr=0.0), steps=5)


def test_a_model_without_parameters_is_named():
    with pytest.raises(ValueError, match=r"^model has no parameters"):
        training.parameter_groups(nn.Flatten(), 0.1)
    with pytest.raises(ValueError, match=r"^model has no parameters"):
        training.fit(nn.Flatten(), batches(), [], steps=5)


# ---- What it says


def test_the_bar_forecasts_from_the_first_steps(monkeypatch, capsys):
    monkeypatch.delenv("COURSE_QUIET")
    model = net()
    training.fit(model, batches(), sgd(model), steps=30)
    said = capsys.readouterr().err
    assert "s in all" in said and "loss=" in said and "rate=" in said


@pytest.mark.parametrize("quiet", [True, False])
def test_a_loop_is_shown_unless_it_is_to_be_silent(quiet, monkeypatch, capsys):
    if not quiet:
        monkeypatch.delenv("COURSE_QUIET")
    assert list(training.shown({"a": 1, "b": 2}.items())) == [("a", 1), ("b", 2)]
    said = capsys.readouterr()
    assert ("2/2" in said.err) is not quiet and said.out == ""


def test_it_is_silent_when_asked(capsys):
    model = net()
    training.fit(model, batches(), sgd(model), steps=30)
    captured = capsys.readouterr()
    assert captured.err == "" and captured.out == ""


@pytest.mark.parametrize("patience", [0, 1.5])
def test_patience_out_of_range_is_named(patience):
    model, check = net(), data.Batches(*pictures(), 60)
    with pytest.raises(ValueError, match=r"^patience must be a whole number of epochs from 1 up"):
        training.fit(model, batches(), sgd(model), 2, validation=check, patience=patience)
    with pytest.raises(ValueError, match=r"^patience needs validation pictures"):
        training.fit(model, batches(), sgd(model), 2, patience=2)


@pytest.mark.parametrize("warm_up", [-0.1, 2.0])
def test_a_warm_up_out_of_range_is_named(warm_up):
    with pytest.raises(ValueError, match=r"^warm_up must lie in \[0, 1\]"):
        training.one_cycle(0, 10, warm_up)


class Once:
    """Says that it has 8 batches, and can be gone through once."""

    def __init__(self):
        self.batches = iter(batches())

    def __len__(self):
        return 8

    def __iter__(self):
        return self.batches


def test_batches_that_end_too_soon_do_not_hang():
    model = net()
    with pytest.raises(ValueError, match=r"^batches: an epoch ended after 0 of 8; can they be gone through only once"):
        training.fit(model, Once(), sgd(model), steps=12)
    with pytest.raises(TypeError, match=r"^batches must have a length"):
        training.fit(model, iter(batches()), sgd(model), steps=12)


def test_a_frozen_model_is_named():
    model = net().requires_grad_(False)
    with pytest.raises(ValueError, match=r"^model: all its parameters are frozen"):
        training.fit(model, batches(), torch.optim.SGD(model.parameters(), lr=0.1), steps=2)


def test_weights_that_are_no_numbers_after_the_last_step_are_found(tmp_path):
    model, file = nn.Sequential(nn.Flatten(), nn.Linear(64, 2)), tmp_path / "run.safetensors"
    feed = data.Batches(*pictures(), 8, mean=0, std=1e-9)
    optimizer = optimizers.SGD(model.parameters(), lr=3e38)
    with pytest.raises(FloatingPointError, match=r"^a weight is infinite or no number at step 1, at a rate of"):
        training.fit(model, feed, optimizer, steps=1, checkpoint=file)
    assert len(training.load(nn.Sequential(nn.Flatten(), nn.Linear(64, 2)), file).loss) == 0


def test_tied_and_frozen_parameters_and_double_precision(tmp_path):
    """A training with all three goes on as if it had never stopped."""

    def training_of(callbacks=(), checkpoint=None):
        torch.manual_seed(0)
        shared = nn.Linear(64, 64)
        model = nn.Sequential(nn.Flatten(), shared, nn.ReLU(), shared, nn.Linear(64, 2)).double()
        model[4].bias.requires_grad_(False)
        images, labels = pictures()
        feed = [(data.normalize(images[i::3]).double(), labels[i::3]) for i in range(3)]
        optimizer = torch.optim.AdamW((p for p in model.parameters() if p.requires_grad), lr=0.01, amsgrad=True)
        history = training.fit(model, feed, optimizer, 10, callbacks=callbacks, checkpoint=checkpoint)
        return model, history

    whole, history = training_of()
    training_of([press_stop_after(4)], tmp_path / "run.safetensors")
    parts, again = training_of(checkpoint=tmp_path / "run.safetensors")
    assert same_weights(whole, parts) and history == again
