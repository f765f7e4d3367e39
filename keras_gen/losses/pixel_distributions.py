"""What an autoregressive model says of a pixel: the distribution of its channels' levels, given all that came before.

A distribution knows how many numbers a pixel needs, the exact log-probability of an image under them, and how uniforms
become levels. Channels come in order, so that a draw is exact ancestral sampling.
"""

from collections.abc import Mapping
from typing import Any

from keras import ops

from keras_gen.core.errors import InvalidInput
from keras_gen.core.image_spec import ImageSpec
from keras_gen.core.noise import NoiseSpec, Uniform
from keras_gen.core.registry import Registry
from keras_gen.losses.likelihoods import bernoulli_log_prob, sum_per_image

# A logistic's scale stays above a small part of a bin of 256 levels (Salimans et al. 2017, their code), and below what makes
# all levels alike.
LOG_SCALE_RANGE = (-7.0, 5.0)
# The least uniform that is taken literally: draws are multiples of 2^-24, 0 among them.
LEAST_UNIFORM = 2.0**-25


class PixelDistribution:
    """Base. Parameters are ``[..., parameters]`` floats a pixel; those of channel c follow those of channel c - 1.

    Args:
        spec: the images.
        mixtures: components, where there are any.
    """

    # Whether a pixel's channels depend on each other here; otherwise they do in the network, channel after channel.
    couples_channels = False

    def __init__(self, spec: ImageSpec, mixtures: int = 10):
        self.spec, self.mixtures = spec, mixtures

    @property
    def parameters(self) -> int:
        """How many numbers a pixel needs."""
        raise NotImplementedError(f"{type(self).__name__} must say how many numbers a pixel needs.")

    def noise_spec(self) -> NoiseSpec:
        """The uniforms that ``draw`` takes, ``[h, w, ...]`` an image."""
        return {"u": Uniform(self.spec.shape)}

    def log_prob(self, images: Any, parameters: Any) -> Any:
        """log P of uint8 images ``[b, h, w, c]`` under ``[b, h, w, parameters]``: nats ``[b]``."""
        raise NotImplementedError(f"{type(self).__name__} must give the probability of images.")

    def draw(self, parameters: Any, channel: int, earlier: list[Any], noise: Mapping[str, Any]) -> Any:
        """The level of one channel, float ``[b]``, of parameters ``[b, parameters]`` and noise ``[b, ...]`` at a pixel.

        ``earlier`` are the pixel's earlier channels, scaled to ``[-1, 1]``, ``[b]`` each.
        """
        raise NotImplementedError(f"{type(self).__name__} must say what level a uniform draws.")


class Bernoulli(PixelDistribution):
    """One logit a channel, for binary images."""

    def __init__(self, spec: ImageSpec, mixtures: int = 10):
        super().__init__(spec, mixtures)
        if spec.levels != 2:
            raise InvalidInput(
                f"A Bernoulli output is one of binary images; these have {spec.levels} levels. Use output='softmax' or "
                "'logistic_mixture', or binarize the images (data.binarized(), ImageSpec(..., levels=2))."
            )

    @property
    def parameters(self) -> int:
        """A logit a channel."""
        return self.spec.channels

    def log_prob(self, images: Any, parameters: Any) -> Any:
        """Nats ``[b]``."""
        return bernoulli_log_prob(images, parameters)

    def draw(self, parameters: Any, channel: int, earlier: list[Any], noise: Mapping[str, Any]) -> Any:
        """1 where the uniform lies below the probability."""
        return ops.cast(noise["u"][:, channel] < ops.sigmoid(parameters[:, channel]), "float32")


class Softmax(PixelDistribution):
    """A free probability for every level (van den Oord et al. 2016, section 3.4)."""

    @property
    def parameters(self) -> int:
        """A logit a level and channel."""
        return self.spec.channels * self.spec.levels

    def log_prob(self, images: Any, parameters: Any) -> Any:
        """Nats ``[b]``."""
        logits = ops.reshape(parameters, (-1, *self.spec.shape, self.spec.levels))
        labels = ops.cast(images, "int32")
        return -sum_per_image(ops.sparse_categorical_crossentropy(labels, logits, from_logits=True))

    def draw(self, parameters: Any, channel: int, earlier: list[Any], noise: Mapping[str, Any]) -> Any:
        """The first level whose distribution function exceeds the uniform."""
        levels = self.spec.levels
        below = ops.cumsum(ops.softmax(parameters[:, channel * levels : (channel + 1) * levels], axis=-1), axis=-1)
        return _count_below(below, noise["u"][:, channel])


class LogisticMixture(PixelDistribution):
    """A mixture of logistics rounded to levels, one a channel: the network itself sees the earlier channels.

    Salimans et al. 2017, eq. 1 and 2: a level owns the bin half a level to each side, the outermost own the tails.
    """

    @property
    def parameters(self) -> int:
        """Weight, mean and log-scale of each component and channel."""
        return 3 * self.mixtures * self.spec.channels

    def noise_spec(self) -> NoiseSpec:
        """``component`` chooses the logistic, ``u`` the level."""
        return {"component": Uniform(self.spec.shape), "u": Uniform(self.spec.shape)}

    def log_prob(self, images: Any, parameters: Any) -> Any:
        """Nats ``[b]``."""
        by_channel = ops.reshape(parameters, (-1, *self.spec.shape, 3 * self.mixtures))
        weights, means, log_scales = ops.split(by_channel, 3, axis=-1)
        each = logistic_level_log_prob(self.spec.to_unit(images)[..., None], means, log_scales, self.spec.levels)
        return sum_per_image(ops.logsumexp(ops.log_softmax(weights, axis=-1) + each, axis=-1))

    def draw(self, parameters: Any, channel: int, earlier: list[Any], noise: Mapping[str, Any]) -> Any:
        """The chosen logistic's quantile, rounded."""
        count = self.mixtures
        weights, means, log_scales = (
            parameters[:, (3 * channel + part) * count : (3 * channel + part + 1) * count] for part in range(3)
        )
        chosen = _chosen_component(weights, noise["component"][:, channel])
        mean, log_scale = ops.sum(chosen * means, axis=-1), ops.sum(chosen * log_scales, axis=-1)
        return logistic_level(mean, log_scale, noise["u"][:, channel], self.spec.levels)


class CoupledLogisticMixture(PixelDistribution):
    """PixelCNN++'s: one mixture a pixel, each component's means a linear function of the pixel's earlier channels.

    Salimans et al. 2017, eq. 3, for any number of channels; the network sees whole earlier pixels alone.
    """

    couples_channels = True

    @property
    def parameters(self) -> int:
        """A weight a component; a mean and a log-scale for each channel; a coefficient for each pair of channels."""
        channels = self.spec.channels
        return self.mixtures * (1 + 2 * channels + channels * (channels - 1) // 2)

    def noise_spec(self) -> NoiseSpec:
        """``component`` chooses the logistics, ``u`` the levels."""
        return {"component": Uniform((self.spec.height, self.spec.width, 1)), "u": Uniform(self.spec.shape)}

    def log_prob(self, images: Any, parameters: Any) -> Any:
        """Nats ``[b]``."""
        x = self.spec.to_unit(images)
        total = ops.log_softmax(self._part(parameters, 0), axis=-1)
        for channel in range(self.spec.channels):
            earlier = [x[..., before, None] for before in range(channel)]
            mean, log_scale = self._logistic(parameters, channel, earlier)
            total = total + logistic_level_log_prob(x[..., channel, None], mean, log_scale, self.spec.levels)
        return sum_per_image(ops.logsumexp(total, axis=-1))

    def draw(self, parameters: Any, channel: int, earlier: list[Any], noise: Mapping[str, Any]) -> Any:
        """The chosen logistic's quantile, rounded; the component is chosen once a pixel."""
        chosen = _chosen_component(self._part(parameters, 0), noise["component"][:, 0])
        means, log_scales = self._logistic(parameters, channel, [value[:, None] for value in earlier])
        mean, log_scale = ops.sum(chosen * means, axis=-1), ops.sum(chosen * log_scales, axis=-1)
        return logistic_level(mean, log_scale, noise["u"][:, channel], self.spec.levels)

    def _part(self, parameters: Any, index: int) -> Any:
        return parameters[..., index * self.mixtures : (index + 1) * self.mixtures]

    def _logistic(self, parameters: Any, channel: int, earlier: list[Any]) -> tuple[Any, Any]:
        """Means and log-scales ``[..., mixtures]`` of a channel."""
        mean, log_scale = self._part(parameters, 1 + 2 * channel), self._part(parameters, 2 + 2 * channel)
        first = 1 + 2 * self.spec.channels + channel * (channel - 1) // 2
        for index, value in enumerate(earlier):
            mean = mean + ops.tanh(self._part(parameters, first + index)) * value
        return mean, log_scale


OUTPUTS = Registry("output")
OUTPUTS.register("bernoulli", Bernoulli)
OUTPUTS.register("softmax", Softmax)
OUTPUTS.register("logistic_mixture", LogisticMixture)


def logistic_level_log_prob(x: Any, mean: Any, log_scale: Any, levels: int) -> Any:
    """log P of the level at ``x`` in ``[-1, 1]`` under a logistic rounded to levels; all shapes broadcast.

    Between the outermost, ``s(b) - s(a) = s(b) s(-a) (1 - e^(a - b))`` for bin borders a < b and the logistic function s:
    no digits are lost, however far the tail.
    """
    half = 1.0 / (levels - 1)
    inverse_scale = ops.exp(-ops.clip(log_scale, *LOG_SCALE_RANGE))
    low, high = (x - half - mean) * inverse_scale, (x + half - mean) * inverse_scale
    below, above = -ops.softplus(-high), -ops.softplus(low)  # log s(high), log(1 - s(low))
    # 1 - e^-d = 2 t / (1 + t) with t = tanh(d / 2): exact for small d, and ONNX has no expm1.
    t = ops.tanh(half * inverse_scale)
    inside = below + above + ops.log(2.0 * t / (1.0 + t))
    return ops.where(x < half - 1.0, below, ops.where(x > 1.0 - half, above, inside))


def logistic_level(mean: Any, log_scale: Any, uniform: Any, levels: int) -> Any:
    """The level, a float, at the uniform's quantile of a logistic rounded to levels; all shapes broadcast."""
    uniform = ops.maximum(uniform, LEAST_UNIFORM)
    standard = ops.log(uniform) - ops.log(1.0 - uniform)
    x = mean + ops.exp(ops.clip(log_scale, *LOG_SCALE_RANGE)) * standard
    return ops.round((ops.clip(x, -1.0, 1.0) + 1.0) * ((levels - 1) / 2.0))


def _chosen_component(weights: Any, uniform: Any) -> Any:
    """One-hot ``[b, mixtures]`` float."""
    index = _count_below(ops.cumsum(ops.softmax(weights, axis=-1), axis=-1), uniform)
    return ops.cast(ops.arange(weights.shape[-1], dtype="float32")[None] == index[:, None], "float32")


def _count_below(cumulative: Any, uniform: Any) -> Any:
    """How many of the cumulative probabilities ``[b, k]`` do not exceed the uniform ``[b]``; the last, which is 1, never."""
    return ops.sum(ops.cast(cumulative[:, :-1] <= uniform[:, None], "float32"), axis=-1)
