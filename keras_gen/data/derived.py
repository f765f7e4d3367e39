"""Data sets made of others. Of any set of images: ``pad:NAME?size=32``, and tasks, ``colorize:NAME``, ``upscale:NAME?factor=4``,
``inpaint:NAME``, ``edges:NAME``. Of pairs: ``reverse:NAME``, ``unpaired:NAME``. Of classes:
``unpaired_classes:NAME?source=0&image=1``.

``NAME`` is any data set's, options and all; what stands behind its ``?`` and is not asked for here goes on to it.
"""

import dataclasses
from collections.abc import Callable

import numpy as np

from keras_gen import data
from keras_gen.core.errors import InvalidInput
from keras_gen.core.image_data import ImageData
from keras_gen.core.image_spec import ImageSpec
from keras_gen.core.lab import grey_of
from keras_gen.core.resizing import resized
from keras_gen.data.edges import edges
from keras_gen.data.options import own_options, positive

BLOCK = 1024  # images at once
LARGEST_FACTOR, LARGEST_SIDE = 256, 4096


def pad(argument: str, split: str, download: bool = False) -> ImageData:
    """The images in the middle of ``size`` x ``size`` ones, level 0 around them: for networks that want a power of two."""
    argument, own = own_options(argument, ("size",))
    of = _images("pad", argument, split, download)
    spec, side = of.image_spec, positive(own.get("size", ""), LARGEST_SIDE)
    if side is None or side < max(spec.shape[:2]):
        raise InvalidInput(
            f"pad:{of.name} got size={own.get('size', '')!r} for {spec}; give '?size=SIDE' of {max(spec.shape[:2])} or more."
        )
    rims = [((side - length) // 2, side - length - (side - length) // 2) for length in spec.shape[:2]]
    images = np.pad(of.images, ((0, 0), *rims, (0, 0)))
    return dataclasses.replace(
        of,
        name=f"pad:{of.name}?size={side}",
        image_spec=dataclasses.replace(spec, height=side, width=side),
        features={**of.features, "image": images},
    )


def colorize(argument: str, split: str, download: bool = False) -> ImageData:
    """The source is the grey of each colour's lightness (``core.lab.grey_of``), one channel."""
    of = _images("colorize", argument, split, download)
    if of.image_spec.channels != 3:
        raise InvalidInput(f"colorize:{of.name}: {of.image_spec} have no colours; wanted three channels.")
    spec = dataclasses.replace(of.image_spec, channels=1)
    return _made("colorize", of, spec, lambda images: grey_of(images / np.float32(spec.levels - 1)) * (spec.levels - 1))


def upscale(argument: str, split: str, download: bool = False) -> ImageData:
    """The source is the image reduced ``factor`` times (4 unless told) and enlarged again, bicubic both, with levels between.

    So it is of the image's size, and leaving it as it is means bicubic enlargement.
    """
    argument, own = own_options(argument, ("factor",))
    factor = positive(own.get("factor", "4"), LARGEST_FACTOR)
    of = _images("upscale", argument, split, download)
    spec = of.image_spec
    if factor is None or factor == 1 or spec.height % factor or spec.width % factor:
        raise InvalidInput(
            f"upscale:{of.name} got factor={own.get('factor', '4')!r}; give an integer above 1 that divides {spec.height} and "
            f"{spec.width}."
        )
    small = spec.height // factor, spec.width // factor
    name = f"upscale:{of.name}?factor={factor}"

    def reduced_and_enlarged(images: np.ndarray) -> np.ndarray:
        reduced = np.round(np.clip(resized(images, small), 0, spec.levels - 1))
        return resized(reduced, spec.shape[:2])

    return dataclasses.replace(_made("upscale", of, spec, reduced_and_enlarged), name=name)


def inpaint(argument: str, split: str, download: bool = False) -> ImageData:
    """The source is the image with its central quarter white: half its height and half its width (Isola et al. 2017)."""
    of = _images("inpaint", argument, split, download)
    spec = of.image_spec
    if min(spec.shape[:2]) < 4:
        raise InvalidInput(f"inpaint:{of.name}: {spec} are too small to cut a middle out of; wanted 4 pixels or more.")

    def holed(images: np.ndarray) -> np.ndarray:
        images, (top, left) = images.copy(), (spec.height // 4, spec.width // 4)
        images[:, top : top + spec.height // 2, left : left + spec.width // 2] = spec.levels - 1
        return images

    return _made("inpaint", of, spec, holed)


def edges_of(argument: str, split: str, download: bool = False) -> ImageData:
    """The source is a drawing of the image's edges, of one channel and two levels: 0 is line, 1 is paper."""
    of = _images("edges", argument, split, download)
    top = np.float32(of.image_spec.levels - 1)

    def lines(images: np.ndarray) -> np.ndarray:
        shares = images / top
        grey = grey_of(shares)[..., 0] if shares.shape[-1] == 3 else shares.mean(axis=-1)
        return edges(grey)[..., None]

    return _made("edges", of, dataclasses.replace(of.image_spec, channels=1, levels=2), lines)


def reverse(argument: str, split: str, download: bool = False) -> ImageData:
    """Sources and images change places: ``reverse:edges:cifar10`` draws."""
    of = _with_sources("reverse", argument, split, download)
    return dataclasses.replace(of.reversed(), name=f"reverse:{of.name}")


def unpaired(argument: str, split: str, download: bool = False) -> ImageData:
    """Pairs, each side shuffled apart in training; which belong together stays known, to measure by."""
    of = _with_sources("unpaired", argument, split, download)
    return dataclasses.replace(of.unpaired(), name=f"unpaired:{of.name}")


def unpaired_classes(argument: str, split: str, download: bool = False) -> ImageData:
    """The images of one class as sources, those of another as images: ``?source=orange&image=lemon``, names or numbers."""
    argument, own = own_options(argument, ("source", "image"))
    of = _images("unpaired_classes", argument, split, download)
    if "label" not in of.features:
        raise InvalidInput(f"unpaired_classes:{of.name}: its images have no labels; name a data set of classes.")
    labels, sides, called = of.features["label"], {}, {}
    names = of.label_names or tuple(map(str, range(int(labels.max()) + 1)))
    for side in ("source", "image"):
        word = own.get(side, "")
        number = names.index(word) if word in names else int(word) if word.isdecimal() and word.isascii() else -1
        if not 0 <= number < len(names):
            raise InvalidInput(
                f"unpaired_classes:{of.name} got {side}={word!r}; give '?source=CLASS&image=CLASS' of {', '.join(names[:20])}"
                f"{' ...' if len(names) > 20 else ''}."
            )
        sides[side], called[side] = of.images[labels == number], names[number]
        if not len(sides[side]):
            raise InvalidInput(f"{of.name} ({split}) holds no image of {names[number]!r}; choose other classes.")
    name = f"unpaired_classes:{of.name}?source={called['source']}&image={called['image']}"
    return dataclasses.replace(of, name=name, features=sides, label_names=None, source_spec=of.image_spec, paired=False)


def _images(task: str, argument: str, split: str, download: bool) -> ImageData:
    """The data set that a task is made of."""
    if not argument:
        raise InvalidInput(f"{task} is made of another data set; name it, as '{task}:cifar10'.")
    of = data.load(argument, split, download=download)
    if of.source_spec is not None:
        raise InvalidInput(f"{task}:{of.name}: it holds sources already; name a data set of images alone.")
    return of


def _with_sources(task: str, argument: str, split: str, download: bool) -> ImageData:
    if not argument:
        raise InvalidInput(f"{task} is made of another data set; name it, as '{task}:colorize:cifar10'.")
    of = data.load(argument, split, download=download)
    if of.source_spec is None:
        raise InvalidInput(
            f"{task}:{of.name}: it holds images alone; name one with sources, as '{task}:edges:{of.name}'."
        )
    return of


def _made(task: str, of: ImageData, spec: ImageSpec, source: Callable[[np.ndarray], np.ndarray]) -> ImageData:
    """The data set with the sources (in levels, not rounded yet) of its images."""
    sources = np.empty((len(of), *spec.shape), np.uint8)
    for start in range(0, len(of), BLOCK):
        part = slice(start, start + BLOCK)
        sources[part] = np.round(np.clip(source(of.images[part]), 0, spec.levels - 1))
    return dataclasses.replace(
        of, name=f"{task}:{of.name}", features={**of.features, "source": sources}, source_spec=spec
    )
