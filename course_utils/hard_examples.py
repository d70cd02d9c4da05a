"""Batches that leave out much of what the model knows already.

After an epoch most pictures are named rightly, and those whose loss is small have little more to teach: whoever has
a minute should spend it on the others.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from . import metrics
from .data import Batches


@dataclass
class HardBatches(Batches):
    """As ``Batches``, but an epoch goes only through the pictures with the largest loss, and some of the others.

    The loss of a picture is the one it had when it was last trained on, so knowing it costs nothing; a picture that
    was never trained on comes first. Train with ``fit(model, batches, ..., loss=batches.loss)``.

    Args:
        hard: the share of the pictures that are taken for their loss, in (0, 1].
        easy: the share of the others, drawn anew in each epoch, in [0, 1]; so that none is forgotten.
        label_smoothing: of the loss.
        images, labels, batch_size, generator, augment, mean, std: as in ``Batches``; the generator is needed.

    Raises:
        ValueError: as ``Batches``; if a share is out of its range or the generator is missing; and in ``order``,
            after an epoch whose losses nobody told.

    Source: in the manner of Loshchilov and Hutter, "Online batch selection for faster training of neural networks"
    (2016), and Shrivastava, Gupta and Girshick, "Training region-based object detectors with online hard example
    mining" (2016).
    """

    hard: float = 0.4
    easy: float = 0.3
    label_smoothing: float = 0.0

    def __post_init__(self):
        super().__post_init__()
        if self.generator is None:
            raise ValueError("generator is needed: which of the easy pictures come is drawn from it")
        if not 0 < self.hard <= 1:
            raise ValueError(f"hard must lie in (0, 1], got {self.hard}")
        if not 0 <= self.easy <= 1:
            raise ValueError(f"easy must lie in [0, 1], got {self.easy}")
        if not 0 <= self.label_smoothing <= 1:
            raise ValueError(f"label_smoothing must lie in [0, 1], got {self.label_smoothing}")
        self.losses = torch.full((len(self.images),), math.inf)  # of each picture, when it was last trained on
        self.chosen = torch.arange(0)  # the pictures of the last batch
        self.handed_out = 0  # batches
        self._hard = max(1, round(self.hard * len(self.images)))
        self._easy = round(self.easy * (len(self.images) - self._hard))

    def __len__(self) -> int:
        return math.ceil((self._hard + self._easy) / self.batch_size)

    def order(self) -> Tensor:
        """The places of the hardest pictures and of some of the others, shuffled, (n,)."""
        if self.handed_out >= len(self) and self.losses.isinf().all():
            raise ValueError("batches: an epoch has passed and no loss is known; train with loss=batches.loss")
        shuffled = torch.randperm(len(self.images), generator=self.generator)  # so that equal losses come in any order
        by_loss = shuffled[self.losses[shuffled].argsort(descending=True, stable=True)]
        hard, others = by_loss[: self._hard], by_loss[self._hard :]
        drawn = others[torch.randperm(len(others), generator=self.generator)[: self._easy]]
        order = torch.cat([hard, drawn])
        return order[torch.randperm(len(order), generator=self.generator)]

    def batch(self, chosen: Tensor) -> tuple[Tensor, Tensor]:
        """As ``Batches.batch``, and remembers that the losses of those ``chosen`` come next."""
        self.chosen = chosen
        self.handed_out += 1
        return super().batch(chosen)

    def loss(self, model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        """The mean cross-entropy of the last batch, (); the loss of each of its pictures is kept.

        Args: model, images and labels as in ``training.classify``.
        """
        losses = metrics.cross_entropy(model(images), labels, reduction="none", label_smoothing=self.label_smoothing)
        self.losses[self.chosen] = losses.detach().cpu()
        return losses.mean()

    def state_dict(self) -> dict[str, Tensor]:
        return {**super().state_dict(), "losses": self.losses.clone()}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        super().load_state_dict(state)
        self.losses.copy_(state["losses"])
