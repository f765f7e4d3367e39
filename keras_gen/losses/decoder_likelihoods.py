"""What a decoder says of an image: a distribution of every value's levels, independent given the latents.

Decoded are ``[b, h, w, parameters]`` numbers. A likelihood gives the probability of the discrete image, its mean, and a draw.
"""

from typing import Any

from keras import ops

from keras_gen.core.errors import InvalidInput
from keras_gen.core.image_spec import ImageSpec
from keras_gen.core.noise import NoiseSpec, Uniform
from keras_gen.core.registry import Registry
from keras_gen.losses.likelihoods import (
    bernoulli_log_prob,
    discretized_gaussian_log_prob,
    normal_quantile,
    sum_per_image,
)
from keras_gen.losses.pixel_distributions import (
    LogisticMixture,
    PixelDistribution,
    Softmax,
    logistic_level,
    logistic_level_log_prob,
)

# A pixel's scale stays between a small part of a bin of 256 levels and the whole range.
LOG_SCALE_RANGE = (-7.0, 1.0)


class DecoderLikelihood:
    """Base.

    Args:
        spec: the images.
        log_scale: of a Gaussian whose scale is fixed, in units of images in ``[-1, 1]``; None: the decoder gives it.
        mixtures: components, where there are any.
    """

    # Whether a pixel is drawn given those before it.
    in_order = False

    def __init__(self, spec: ImageSpec, log_scale: float | None = None, mixtures: int = 5):
        self.spec, self.log_scale, self.mixtures = spec, log_scale, mixtures

    @property
    def parameters(self) -> int:
        """How many numbers a pixel needs."""
        raise NotImplementedError(f"{type(self).__name__} must say how many numbers a pixel needs.")

    def noise_spec(self) -> NoiseSpec:
        """What ``draw`` takes."""
        return {"u": Uniform(self.spec.shape)}

    def log_prob(self, images: Any, decoded: Any) -> Any:
        """log P of uint8 images: nats ``[b]``."""
        raise NotImplementedError(f"{type(self).__name__} must give the probability of images.")

    def mean(self, decoded: Any) -> Any:
        """The mean image as a fraction of the highest level: float32 ``[b, h, w, c]`` in ``[0, 1]``."""
        raise NotImplementedError(f"{type(self).__name__} must give its mean.")

    def draw(self, decoded: Any, u: Any, component: Any = None) -> Any:
        """Images of uniform noise ``[b, h, w, c]``: uint8."""
        raise NotImplementedError(f"{type(self).__name__} must say what images noise draws.")


class BernoulliLikelihood(DecoderLikelihood):
    """A logit a value, for binary images."""

    def __init__(self, spec: ImageSpec, log_scale: float | None = None, mixtures: int = 5):
        super().__init__(spec, log_scale, mixtures)
        if spec.levels != 2:
            raise InvalidInput(
                f"A Bernoulli likelihood is one of binary images; these have {spec.levels} levels. Use "
                "likelihood='gaussian', or binarize them (data.binarized(), ImageSpec(..., levels=2))."
            )

    @property
    def parameters(self) -> int:
        """A logit a channel."""
        return self.spec.channels

    def log_prob(self, images: Any, decoded: Any) -> Any:
        """Nats ``[b]``."""
        return bernoulli_log_prob(images, decoded)

    def mean(self, decoded: Any) -> Any:
        """The probability of 1."""
        return ops.sigmoid(ops.cast(decoded, "float32"))

    def draw(self, decoded: Any, u: Any, component: Any = None) -> Any:
        """1 where the uniform lies below the probability."""
        return ops.cast(u < self.mean(decoded), "uint8")


class GaussianLikelihood(DecoderLikelihood):
    """Gaussians rounded to levels: means in ``[-1, 1]``, then log-scales where these are learnt."""

    @property
    def parameters(self) -> int:
        """One or two a channel."""
        return self.spec.channels * (2 if self.log_scale is None else 1)

    def _parts(self, decoded: Any) -> tuple[Any, Any]:
        decoded = ops.cast(decoded, "float32")
        if self.log_scale is not None:
            return decoded, self.log_scale * ops.ones_like(decoded)
        mean, log_scale = ops.split(decoded, 2, axis=-1)
        return mean, ops.clip(log_scale, *LOG_SCALE_RANGE)

    def log_prob(self, images: Any, decoded: Any) -> Any:
        """Nats ``[b]``."""
        return discretized_gaussian_log_prob(images, *self._parts(decoded), self.spec.levels)

    def mean(self, decoded: Any) -> Any:
        """The Gaussians' means, clipped to the range of images."""
        return ops.clip((self._parts(decoded)[0] + 1.0) / 2.0, 0.0, 1.0)

    def draw(self, decoded: Any, u: Any, component: Any = None) -> Any:
        """The Gaussian's quantile, rounded."""
        mean, log_scale = self._parts(decoded)
        return self.spec.from_unit(mean + ops.exp(log_scale) * normal_quantile(u))


class _OfPixels(DecoderLikelihood):
    """What autoregressive models say of a pixel, of a pixel whose channels do not depend on each other."""

    distribution: PixelDistribution

    @property
    def parameters(self) -> int:
        """Those of the distribution."""
        return self.distribution.parameters

    def noise_spec(self) -> NoiseSpec:
        """That of the distribution."""
        return self.distribution.noise_spec()

    def log_prob(self, images: Any, decoded: Any) -> Any:
        """Nats ``[b]``."""
        return self.distribution.log_prob(images, ops.cast(decoded, "float32"))

    def draw(self, decoded: Any, u: Any, component: Any = None) -> Any:
        """Every pixel by itself, its channels one after the other."""
        spec, parameters = self.spec, ops.reshape(ops.cast(decoded, "float32"), (-1, self.parameters))
        noise = {"u": ops.reshape(u, (-1, spec.channels))}
        if component is not None:
            noise["component"] = ops.reshape(component, (-1, spec.channels))
        levels = [self.distribution.draw(parameters, channel, [], noise) for channel in range(spec.channels)]
        return ops.cast(ops.reshape(ops.stack(levels, axis=-1), (-1, *spec.shape)), "uint8")


class SoftmaxLikelihood(_OfPixels):
    """A free probability for every level."""

    def __init__(self, spec: ImageSpec, log_scale: float | None = None, mixtures: int = 5):
        super().__init__(spec, log_scale, mixtures)
        self.distribution = Softmax(spec)

    def mean(self, decoded: Any) -> Any:
        """The expected level."""
        logits = ops.reshape(ops.cast(decoded, "float32"), (-1, *self.spec.shape, self.spec.levels))
        fractions = ops.arange(self.spec.levels, dtype="float32") / (self.spec.levels - 1)
        return ops.sum(ops.softmax(logits, axis=-1) * fractions, axis=-1)


class LogisticMixtureLikelihood(_OfPixels):
    """A mixture of logistics rounded to levels (Salimans et al. 2017, eq. 1 and 2), one a value."""

    def __init__(self, spec: ImageSpec, log_scale: float | None = None, mixtures: int = 5):
        super().__init__(spec, log_scale, mixtures)
        self.distribution = LogisticMixture(spec, mixtures)

    def mean(self, decoded: Any) -> Any:
        """The components' means, each clipped to the range of images, by their weights."""
        parts = ops.reshape(ops.cast(decoded, "float32"), (-1, *self.spec.shape, 3 * self.mixtures))
        weights, means, _ = ops.split(parts, 3, axis=-1)
        return ops.sum(ops.softmax(weights, axis=-1) * ops.clip((means + 1.0) / 2.0, 0.0, 1.0), axis=-1)


class LogisticLikelihood(DecoderLikelihood):
    """One logistic a value, rounded to levels: means in ``[-1, 1]``, then log-scales."""

    @property
    def parameters(self) -> int:
        """Two a channel."""
        return 2 * self.spec.channels

    def log_prob(self, images: Any, decoded: Any) -> Any:
        """Nats ``[b]``."""
        mean, log_scale = ops.split(ops.cast(decoded, "float32"), 2, axis=-1)
        return sum_per_image(logistic_level_log_prob(self.spec.to_unit(images), mean, log_scale, self.spec.levels))

    def mean(self, decoded: Any) -> Any:
        """The logistics' means, clipped to the range of images."""
        return ops.clip((ops.split(ops.cast(decoded, "float32"), 2, axis=-1)[0] + 1.0) / 2.0, 0.0, 1.0)

    def draw(self, decoded: Any, u: Any, component: Any = None) -> Any:
        """The logistic's quantile, rounded."""
        mean, log_scale = ops.split(ops.cast(decoded, "float32"), 2, axis=-1)
        return ops.cast(logistic_level(mean, log_scale, u, self.spec.levels), "uint8")


LIKELIHOODS = Registry("likelihood")
LIKELIHOODS.register("bernoulli", BernoulliLikelihood)
LIKELIHOODS.register("gaussian", GaussianLikelihood)
LIKELIHOODS.register("logistic", LogisticLikelihood)
LIKELIHOODS.register("logistic_mixture", LogisticMixtureLikelihood)
LIKELIHOODS.register("softmax", SoftmaxLikelihood)
