"""Which pictures come: the hardest, some of the others, all of them at first; and going on after a stop."""

import math

import pytest
import torch

from course_utils import hard_examples, metrics, training
from tests.test_training import net, pictures, press_stop_after, same_weights, sgd


def batches(count=100, hard=0.4, easy=0.5, batch_size=8, **options):
    return hard_examples.HardBatches(
        *pictures(count), batch_size, torch.Generator().manual_seed(0), hard=hard, easy=easy, **options
    )


def epoch(feed):
    """The places of the pictures in one epoch."""
    places = []
    for _ in feed:
        places += feed.chosen.tolist()
    return places


def test_an_epoch_has_the_hardest_and_some_others_each_once():
    feed = batches()
    feed.losses = torch.arange(100.0)
    first, second = epoch(feed), epoch(feed)
    for places in (first, second):
        assert len(places) == len(set(places)) == 70
        assert set(range(60, 100)) < set(places)
        assert places != sorted(places) and places != sorted(places, reverse=True)
    assert set(first) != set(second), "the easy ones are drawn anew"
    assert len(feed) == math.ceil(70 / 8) == len(list(feed))


def test_what_was_never_seen_comes_first():
    feed = batches(hard=0.5, easy=0.0)
    seen = epoch(feed)
    feed.losses[seen] = 5.0
    assert set(epoch(feed)) == set(range(100)) - set(seen)


def test_batches_hold_the_pictures_they_say():
    feed = batches()
    for images, labels in feed:
        expected, classes = super(hard_examples.HardBatches, feed).batch(feed.chosen)
        assert torch.equal(images, expected) and torch.equal(labels, classes)


def test_loss_is_the_cross_entropy_and_is_kept_by_picture():
    feed, model = batches(label_smoothing=0.1), net()
    images, labels = next(iter(feed))
    model.eval()
    loss = feed.loss(model, images, labels)
    expected = metrics.cross_entropy(model(images), labels, reduction="none", label_smoothing=0.1)
    torch.testing.assert_close(loss, expected.mean())
    torch.testing.assert_close(feed.losses[feed.chosen], expected.detach())
    assert feed.losses.isinf().sum() == 100 - 8
    assert loss.requires_grad and not feed.losses.requires_grad


@pytest.mark.parametrize("stops", [[3], [9, 10], [4, 20, 25]])
def test_going_on_gives_the_same_weights_as_never_stopping(tmp_path, stops):
    def training_of(model, callbacks=(), checkpoint=None):
        feed = batches()
        history = training.fit(
            model, feed, sgd(model), steps=30, loss=feed.loss, callbacks=callbacks, checkpoint=checkpoint
        )
        return history, feed

    whole = net()
    history, feed = training_of(whole)
    for stop in [*stops, None]:
        model = net()
        parts, last = training_of(model, [press_stop_after(stop)] if stop else [], tmp_path / "run.safetensors")
    assert same_weights(model, whole) and parts == history
    assert torch.equal(last.losses, feed.losses)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (dict(hard=0.0), r"^hard must lie in \(0, 1\], got 0"),
        (dict(hard=1.5), "hard must lie"),
        (dict(easy=-0.1), r"easy must lie in \[0, 1\]"),
        (dict(easy=1.5), "easy must lie"),
        (dict(label_smoothing=-0.1), r"label_smoothing must lie in \[0, 1\]"),
        (dict(label_smoothing=1.5), "label_smoothing must lie"),
    ],
)
def test_shares_out_of_range_are_named(options, said):
    with pytest.raises(ValueError, match=said):
        batches(**options)


def test_the_ends_of_the_ranges_are_taken():
    assert sorted(epoch(batches(easy=1.0, label_smoothing=1.0))) == list(range(100))
    assert len(epoch(batches(hard=0.001, easy=0.0))) == 1, "the hardest one, however small the share"


def test_the_generator_alone_decides():
    drawn = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        feed = batches()
        first = epoch(feed)  # all are equally unknown
        feed.losses = torch.arange(100.0)
        drawn.append(first + epoch(feed))
    assert drawn[0] == drawn[1]


def test_a_generator_is_needed():
    with pytest.raises(ValueError, match=r"^generator is needed"):
        hard_examples.HardBatches(*pictures(), 8)


def test_with_all_of_them_it_is_batches():
    feed = batches(hard=1.0)
    assert sorted(epoch(feed)) == list(range(100))


def test_training_without_their_loss_is_noticed_after_an_epoch():
    feed = batches()
    assert feed.chosen.tolist() == []
    for places in feed.order().split(feed.batch_size):
        feed.order()  # until a whole epoch has been handed out, nobody is scolded
        feed.batch(places)
    with pytest.raises(ValueError, match="an epoch has passed"):
        feed.order()
    model, feed = net(), batches()
    with pytest.raises(
        ValueError, match=r"^batches: an epoch has passed and no loss is known; train with loss=batches"
    ):
        training.fit(model, feed, sgd(model), steps=30)
    next(iter(batches()))  # whoever only looks at a batch is not scolded
