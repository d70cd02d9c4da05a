"""The colours of the course: few, and dark enough on white to be read.

In greyscale some of them are alike, as dark as they are: where two are used together, dashes, dots or words tell them
apart as well. The hues are those of Okabe and Ito, "Color universal design" (2008), some darkened for contrast.
"""

INK = "#1f2430"  # text and axes
PAPER = "#ffffff"
GRID = "#c9ccd3"  # lines that should not speak
AREA = "#eceef2"  # an area behind dots
BLUE = "#005a9c"  # ours, the main thing
ORANGE = "#d97800"  # the other thing, what the eye should follow; too light for text
GREEN = "#00785a"  # passed
RED = "#ba2b21"  # failed, wrong
GREY = "#6b7080"  # not yet, of no account

# Colour maps: pictures are grey; signed numbers run from dark blue (negative) over grey (0) to light yellow, so that
# the sign can be read in greyscale too.
PICTURE = "gray"
SIGNED = "cividis"
