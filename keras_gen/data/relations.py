"""How two things in a picture lie to each other, by the rule of sg2im's code (Johnson et al. 2018, section 3.2)."""

import math
from collections.abc import Sequence

RELATIONS = ("left of", "right of", "above", "below", "inside", "surrounding")
OPPOSITES = dict(zip(RELATIONS, ("right of", "left of", "below", "above", "surrounding", "inside"), strict=True))


def relation(
    subject_box: Sequence[float],
    subject_centre: Sequence[float],
    object_box: Sequence[float],
    object_centre: Sequence[float],
) -> str:
    """One of ``RELATIONS`` that holds between a subject and an object.

    A box strictly around the other is ``"surrounding"``, strictly within it ``"inside"``; otherwise the direction from the
    object's centre to the subject's decides, in four quarters that meet on the diagonals: within 45 degrees of straight left it
    is ``"left of"``, and so on. Both diagonals of the left belong to it; of the others each has the one that it begins with,
    counted clockwise on the picture from straight left.

    Args:
        subject_box, object_box: ``(x0, y0, x1, y1)``, y downwards, in any unit.
        subject_centre, object_centre: ``(x, y)``, the centres of mass of what is seen of them.
    """
    sx0, sy0, sx1, sy1 = subject_box
    ox0, oy0, ox1, oy1 = object_box
    if sx0 < ox0 and sx1 > ox1 and sy0 < oy0 and sy1 > oy1:
        return "surrounding"
    if sx0 > ox0 and sx1 < ox1 and sy0 > oy0 and sy1 < oy1:
        return "inside"
    # In eighths of a turn; y grows downwards, so what lies above has a negative angle.
    angle = math.atan2(subject_centre[1] - object_centre[1], subject_centre[0] - object_centre[0]) / (math.pi / 4)
    if angle >= 3 or angle <= -3:
        return "left of"
    if angle < -1:
        return "above"
    return "right of" if angle < 1 else "below"
