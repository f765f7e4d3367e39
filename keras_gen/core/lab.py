"""CIE L*a*b* of sRGB colours, and back: lightness apart from colour, so that one can be kept and the other predicted.

Pure functions, float32, any leading shape, colour last: of NumPy arrays they give arrays, of tensors tensors, in a graph too.
RGB is sRGB (IEC 61966-2-1), gamma-encoded, in ``[0, 1]``; L is in ``[0, 100]``; a and b of sRGB colours lie within 110 of 0
(CIE 15:2004, section 8.2.1; white is D65). A grey has a = b = 0.
"""

from typing import Any

import numpy as np
from keras import ops

RGB_TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]], np.float64)
WHITE = RGB_TO_XYZ.sum(axis=1)  # of (1, 1, 1)
# Cube root above, a straight line below, with equal value and slope where they meet.
MEETING = (6 / 29) ** 3
SLOPE = (29 / 6) ** 2 / 3
HIGHEST_AB = 110.0  # pix2pix divides a and b by this to come into [-1, 1]
HALVINGS = 10  # of the search for the largest share of a colour that the screen can show
TINY = 1e-4  # of linear light, a third of a level at the dark end: rounding must not make a colour unshowable
_TO_WHITES = (RGB_TO_XYZ / WHITE[:, None]).T.astype(np.float32)  # row vectors times it: X/Xn, Y/Yn, Z/Zn
_FROM_WHITES = np.linalg.inv(RGB_TO_XYZ / WHITE[:, None]).T.astype(np.float32)
_TO_LAB = np.array([[0, 116, 0], [500, -500, 0], [0, 200, -200]], np.float32).T
_FROM_LAB = np.linalg.inv(_TO_LAB.astype(np.float64)).astype(np.float32)


def rgb_to_lab(rgb: Any) -> Any:
    """``[..., 3]`` in ``[0, 1]`` to L, a, b."""
    xp, rgb = _namespace(rgb)
    return xp.matmul(_root(xp, xp.matmul(_linear(xp, rgb), _TO_WHITES)), _TO_LAB) - _offset()


def lab_to_rgb(lab: Any) -> Any:
    """``[..., 3]`` L, a, b to RGB, clipped to ``[0, 1]``: a colour that no screen shows changes its lightness with that."""
    xp, lab = _namespace(lab)
    return _encoded(xp, xp.clip(_linear_of_lab(xp, lab), 0.0, 1.0))


def grey_of(rgb: Any) -> Any:
    """``[..., 3]`` to the grey of the same lightness, ``[..., 1]`` in ``[0, 1]``: what ``lightness`` gives L of."""
    xp, rgb = _namespace(rgb)
    return _encoded(xp, xp.clip(xp.matmul(_linear(xp, rgb), _TO_WHITES[:, 1:2]), 0.0, 1.0))


def lightness(grey: Any) -> Any:
    """L ``[..., 1]`` of greys ``[..., 1]`` in ``[0, 1]``."""
    xp, grey = _namespace(grey)
    return 116.0 * _root(xp, _linear(xp, grey)) - 16.0


def coloured(grey: Any, ab: Any) -> Any:
    """RGB ``[..., 3]`` of the lightness of ``grey`` ``[..., 1]`` (in ``[0, 1]``) and the colour ``ab`` ``[..., 2]``.

    ``grey_of`` of it is ``grey`` again, whatever the colour: where no screen shows this one so light or dark, it is made
    paler until one does (a and b shrink alike, so the hue stays).
    """
    xp, light = _namespace(lightness(grey))
    # Where the wish can be shown the search is not asked; its share would be 1 - 2^-10.
    pale, lab = xp.concatenate([light, 0.0 * ab], axis=-1), xp.concatenate([light, ab], axis=-1)
    share = 0.0 * light
    for halving in range(1, HALVINGS + 1):
        tried = share + 0.5**halving
        share = xp.where(_is_shown(xp, pale + tried * (lab - pale)), tried, share)
    share = xp.where(_is_shown(xp, lab), 1.0, share)
    return lab_to_rgb(pale + share * (lab - pale))


def _is_shown(xp: Any, lab: Any) -> Any:
    linear = _linear_of_lab(xp, lab)
    return xp.all((linear >= -TINY) & (linear <= 1.0 + TINY), axis=-1, keepdims=True)


def _namespace(values: Any) -> tuple[Any, Any]:
    """Whose functions compute, NumPy's or Keras', and the values as float32 of theirs."""
    if isinstance(values, np.ndarray):
        return np, values.astype(np.float32, copy=False)
    return ops, ops.cast(values, "float32")


def _offset() -> np.ndarray:
    return np.array([16, 0, 0], np.float32)


def _linear_of_lab(xp: Any, lab: Any) -> Any:
    """Linear RGB, not clipped."""
    f = xp.matmul(lab + _offset(), _FROM_LAB)
    whites = xp.where(f > 6 / 29, f * f * f, (f - 4 / 29) / SLOPE)
    return xp.matmul(whites, _FROM_WHITES)


def _root(xp: Any, whites: Any) -> Any:
    # The branch not taken needs a finite gradient too: the root's at 0 is infinite.
    root = xp.power(xp.maximum(whites, MEETING), np.float32(1 / 3))
    return xp.where(whites > MEETING, root, SLOPE * whites + 4 / 29)


def _linear(xp: Any, encoded: Any) -> Any:
    """Gamma-encoded to linear."""
    curve = xp.power((xp.maximum(encoded, 0.04045) + 0.055) / 1.055, np.float32(2.4))
    return xp.where(encoded > 0.04045, curve, encoded / 12.92)


def _encoded(xp: Any, linear: Any) -> Any:
    """Linear to gamma-encoded."""
    curve = 1.055 * xp.power(xp.maximum(linear, 0.0031308), np.float32(1 / 2.4)) - 0.055
    return xp.where(linear > 0.0031308, curve, linear * 12.92)
