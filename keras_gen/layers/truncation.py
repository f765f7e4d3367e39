"""Normal noise that ends at a bound."""

import math
from typing import Any

from keras import ops

from keras_gen.core.inputs import Truncation
from keras_gen.losses.likelihoods import log_normal_cdf, normal_of_erf


def truncated_normal(z: Any, bound: Any) -> Any:
    """Standard normal noise ``z`` as noise of the normal distribution within ``|z| <= bound``, of the same shape.

    Brock et al. 2019, section 3.1, draw again what lies beyond the bound. The same distribution comes from the same noise by
    its distribution function, ``sign(z) F^-1(2 Phi(|z|) - 1)`` with ``F = erf(z / sqrt 2) / erf(t / sqrt 2)``: rising in ``z``
    and in the bound, so that a seed's images change little by little. At ``Truncation.default`` it is ``z`` itself.

    Args:
        z: float32.
        bound: above 0, of a shape that fits ``z``.
    """
    size, half = ops.abs(z), math.sqrt(0.5)
    beyond_z, beyond_bound = ops.exp(log_normal_cdf(-size)), ops.exp(log_normal_cdf(-bound))
    # Of the result: the probability on one side beyond it, whose digits survive where x is nearly 1.
    beyond = beyond_bound + beyond_z * (1.0 - 2.0 * beyond_bound)
    x = ops.erf(size * half) * ops.erf(bound * half)
    # 1 - x^2, which is 4 beyond (1 - beyond); next to 1 only x has its digits.
    rest = ops.where(x < 0.5, (1.0 - x) * (1.0 + x), 4.0 * beyond * (1.0 - beyond))
    inside = ops.minimum(normal_of_erf(x, -ops.log(rest)), bound)
    return ops.where(bound >= Truncation.default, z, ops.sign(z) * inside)
