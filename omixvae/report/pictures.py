"""Plots of `omixvae.pl` as images that stand in the page itself."""

import base64
import io
from collections.abc import Callable

import matplotlib as mpl
import numpy as np
from matplotlib import style
from matplotlib.axes import Axes

from omixvae.report.page import Picture

__all__ = ["draw"]

CSS_PIXELS = 96
"""Per inch."""

DENSITY = 144
"""Dots per inch of what is drawn as points: sharp on paper and on fine screens, a third of a megabyte at most."""


def draw(plot: Callable[[], Axes | np.ndarray], alt: str, caption: str = "", *, points: bool = False) -> Picture:
    """Draw a plot into an image.

    Parameters
    ----------
    plot
        Draws it into a new figure, which is closed again.
    alt
        What it shows, for those who do not see it.
    caption
        How to read it.
    points
        Whether it consists of so many points, or of colours that run into one another, that pixels are better.

    Returns
    -------
    Picture
        As SVG, or PNG where `points` is true.
    """
    from matplotlib import pyplot as plt  # only here: it needs a second, and looks for a screen

    # The page looks the same whatever the user has set for their own plots, and opens no window.
    with plt.ioff(), style.context("default"), mpl.rc_context({"svg.hashsalt": "omixvae", "font.size": 10}):
        figure = np.asarray(plot(), dtype=object).ravel()[0].figure
        image = io.BytesIO()
        try:
            if points:
                figure.savefig(image, format="png", dpi=DENSITY)
            else:
                figure.savefig(image, format="svg", dpi=DENSITY, metadata={"Date": None})
            width, height = figure.get_size_inches() * CSS_PIXELS
        finally:
            plt.close(figure)
    content = base64.b64encode(image.getvalue()).decode("ascii")
    kind = "png" if points else "svg+xml"
    return Picture(f"data:image/{kind};base64,{content}", alt, caption, round(width), round(height))
