"""The explorers: one a lesson or more, a picture and the controls that move it.

Each is made of ipywidgets alone; only where a pen draws, there is a canvas of ipycanvas. Without a kernel (on a page,
or before the cell is run) a still is left in its place: the picture as it was when the cell was run, and its sentence
below. When its kernel goes, it says so.
"""

from .drawing import DrawYourOwn
from .lesson_00 import Broadcasting
from .lesson_01 import Convolution
from .lesson_02 import SoftLookup
from .lesson_03 import Ravine
from .lesson_04 import Augmentations
from .lesson_05 import Looking
from .lesson_06 import Patches
from .lesson_07 import LatentWalk, OneDimensionalGame
from .lesson_08 import Corruptions
from .lesson_09 import LatentMap

__all__ = [
    "Augmentations",
    "Broadcasting",
    "Convolution",
    "Corruptions",
    "DrawYourOwn",
    "LatentMap",
    "LatentWalk",
    "Looking",
    "OneDimensionalGame",
    "Patches",
    "Ravine",
    "SoftLookup",
]
