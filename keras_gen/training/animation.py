"""A run as one moving picture, made of the grids of samples that it left."""

import logging
import os
from pathlib import Path

import numpy as np
from PIL import Image

from keras_gen.core.files import written_beside

MOST_FRAMES = 40
LONGEST_SIDE = 400  # pixels: with as many frames a few MB
FRAME, LAST_FRAME = 150, 2_000  # milliseconds
BAR = 3  # pixels at the bottom, which fill as the run goes on

log = logging.getLogger(__name__)


def write_animation(grids: str | os.PathLike, out: str | os.PathLike) -> Path | None:
    """Writes the ``epoch-*.png`` of the folder ``grids``, in their order, as an endless GIF; None if there are fewer than two.

    At most ``MOST_FRAMES``, evenly chosen, first and last included, ``LONGEST_SIDE`` pixels or less; what cannot be read is
    left out, with a warning.
    """
    paths = sorted(Path(grids).glob("epoch-*.png"))
    chosen = np.unique(np.linspace(0, len(paths) - 1, min(len(paths), MOST_FRAMES)).round().astype(int))
    frames = [_frame(paths[index], (index + 1) / len(paths)) for index in chosen]
    frames = [frame for frame in frames if frame is not None and frame.size == frames[-1].size]
    if len(frames) < 2:
        return None
    times = [FRAME] * (len(frames) - 1) + [LAST_FRAME]
    with written_beside(out) as beside:
        frames[0].save(beside, save_all=True, append_images=frames[1:], duration=times, loop=0, optimize=True)
    return Path(out)


def _frame(path: Path, share: float) -> Image.Image | None:
    try:
        with Image.open(path) as picture:
            frame = picture.convert("L" if picture.mode == "L" else "RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:  # Pillow's own of damaged files
        log.warning("%s cannot be read (%s); the animation goes without it.", path, error)
        return None
    if max(frame.size) > LONGEST_SIDE:
        frame.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.LANCZOS)
    page = Image.new(frame.mode, (frame.width, frame.height + BAR), "white")
    page.paste(frame)
    page.paste("black", (0, frame.height, round(frame.width * share), page.height))
    return page
