"""The convolutional networks of the course, from a tutorial's to the one that trains in a minute.

They are made of ``torch.nn``'s layers, which compute what ``course_utils.convolution`` and ``course_utils.layers``
do (the tests put ours in their place and compare), two to three times as fast.
"""

from torch import Tensor, nn


class TutorialNet(nn.Module):
    """Two 5x5 convolutions with 6 and 16 filters, each pooled, then three linear layers: LeNet with ReLU.

    Args:
        channels: of the pictures.
        size: pixels along each side of the pictures, at least 16.
        classes: logits in the answer.

    Source: LeCun, Bottou, Bengio and Haffner, "Gradient-based learning applied to document recognition" (1998),
    section II, as tutorials simplify it.
    """

    def __init__(self, channels: int = 1, size: int = 28, classes: int = 10):
        super().__init__()
        if size < 16:
            raise ValueError(f"size must be at least 16, got {size}: two convolutions and poolings leave nothing")
        rows = ((size - 4) // 2 - 4) // 2  # of the last maps
        self.layers = nn.Sequential(
            nn.Conv2d(channels, 6, kernel_size=5),  # (N, C, 28, 28) -> (N, 6, 24, 24)
            nn.ReLU(),
            nn.MaxPool2d(2),  # -> (N, 6, 12, 12)
            nn.Conv2d(6, 16, kernel_size=5),  # -> (N, 16, 8, 8)
            nn.ReLU(),
            nn.MaxPool2d(2),  # -> (N, 16, 4, 4)
            nn.Flatten(),  # -> (N, 256)
            nn.Linear(16 * rows * rows, 120),
            nn.ReLU(),
            nn.Linear(120, 84),
            nn.ReLU(),
            nn.Linear(84, classes),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, size, size) -> logits (N, classes)"""
        return self.layers(x)
