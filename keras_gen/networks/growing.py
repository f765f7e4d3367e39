"""ProGAN's pair of networks (Karras et al. 2018, appendix A), which grow from 4x4 to their full size.

All weights are there from the start. What a network is at a moment is its ``stage`` (0 makes 4x4 images, each further one
twice the sides) and, while the newest layers fade in, their share ``fade`` of the image, a variable.
"""

from typing import Any

import keras
from keras import ops

from keras_gen.core.checks import integer, sizes
from keras_gen.layers.equalized import EqualizedConvolution, EqualizedDense
from keras_gen.layers.minibatch_deviation import MinibatchDeviation
from keras_gen.layers.pixel_normalization import PixelNormalization

SMALLEST = 4
SLOPE = 0.2


def maps_at(side: int, width: int, maps: int) -> int:
    """Feature maps where images have this side: ``maps`` halved at each doubling from 2 px, ``width`` at most."""
    return max(1, min(maps * 2 // side, width))


def halved(images: Any) -> Any:
    """Half the sides, means of 2x2 pixels."""
    return ops.average_pool(images, 2)


def doubled(images: Any) -> Any:
    """Twice the sides, each pixel four times."""
    return ops.repeat(ops.repeat(images, 2, axis=1), 2, axis=2)


class GrowingNetwork(keras.Model):
    """What both networks have.

    Args:
        stages: how often it can double. channels: of images. width: most maps of a layer. maps: see ``maps_at``.
    """

    def __init__(self, stages: int, channels: int, width: int, maps: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.stages, self.channels, self.width, self.maps = sizes(
            stages=stages, channels=channels, width=width, maps=maps
        )
        self.stage, self.fading = self.stages, False
        self.fade = self.add_weight(shape=(), initializer="ones", trainable=False, dtype="float32", name="fade")
        self.counts = [maps_at(SMALLEST << stage, self.width, self.maps) for stage in range(self.stages + 1)]

    def stand(self, stage: int, fading: bool) -> None:
        """From now on it is at this stage; calls traced before are not."""
        self.stage, self.fading = stage, fading

    def in_use(self) -> list[keras.Variable]:
        """The weights that the images of this moment are made with, or judged by."""
        images = {self.stage, *([self.stage - 1] if self.fading else [])}
        return [
            weight
            for layer in self._flatten_layers(include_self=False)
            if layer.stage <= self.stage and (layer not in self.of_images or layer.stage in images)
            for weight in layer.trainable_variables
        ]

    def _layer(self, stage: int, name: str, kind: type, *arguments: Any, takes: int, **settings: Any) -> Any:
        """A layer of a stage, built for so many maps (or numbers), under a name that says where it is."""
        side = SMALLEST << stage
        layer = kind(*arguments, name=f"{name}_{side}px", **settings)
        layer.build((None, takes) if kind is EqualizedDense else (None, side, side, takes))
        layer.stage = stage
        return layer

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        names = ("stages", "channels", "width", "maps")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


@keras.saving.register_keras_serializable("keras_gen")
class GrowingGenerator(GrowingNetwork):
    """Noise ``[b, latent_dim]`` to images ``[b, s, s, channels]`` of the stage's side, float32; linear, without a tanh.

    Of 3x3 convolutions, leaky ReLUs of slope 0.2 and pixel normalization, and a 1x1 convolution to an image at each stage.
    """

    def __init__(self, latent_dim: int, stages: int, channels: int, width: int, maps: int, **kwargs: Any):
        super().__init__(stages, channels, width, maps, **kwargs)
        self.latent_dim, counts = integer("latent_dim", latent_dim, 1), self.counts
        self.normalize = PixelNormalization(name="normalize")
        self.normalize.stage = 0
        # The gain is that of a 4x4 convolution, whose fan-in is 16 times as large.
        shape = (SMALLEST, SMALLEST, counts[0])
        self.start = self._layer(0, "start", EqualizedDense, shape, 2.0**0.5 / 4, takes=self.latent_dim)
        self.first, self.second = [None], []
        for stage, count in enumerate(counts):
            if stage:
                make = EqualizedConvolution, count
                self.first.append(self._layer(stage, "first", *make, enlarge=True, takes=counts[stage - 1]))
            self.second.append(self._layer(stage, "second", EqualizedConvolution, count, takes=count))
        image = EqualizedConvolution, self.channels, 1
        self.of_images = [
            # float32 even under a mixed policy: 256 levels need more digits than bfloat16 has.
            self._layer(stage, "to_image", *image, gain=1.0, dtype="float32", takes=count)
            for stage, count in enumerate(counts)
        ]
        self.built = True

    def call(self, z: Any, training: bool = False) -> Any:
        """The images of the moment."""
        x = self._activated(self.start(self.normalize(z)))
        x = self._activated(self.second[0](x))
        before = x
        for stage in range(1, self.stage + 1):
            before = x
            x = self._activated(self.first[stage](x))
            x = self._activated(self.second[stage](x))
        images = self.of_images[self.stage](x)
        if self.fading:
            old = doubled(self.of_images[self.stage - 1](before))
            images = old + self.fade * (images - old)
        return images

    def _activated(self, x: Any) -> Any:
        return self.normalize(ops.leaky_relu(x, SLOPE))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "latent_dim": self.latent_dim}


@keras.saving.register_keras_serializable("keras_gen")
class GrowingDiscriminator(GrowingNetwork):
    """Images ``[b, s, s, channels]`` of the stage's side to logits ``[b, 1]``; no normalization but the batch's deviation."""

    def __init__(self, stages: int, channels: int, width: int, maps: int, group: int | None = None, **kwargs: Any):
        super().__init__(stages, channels, width, maps, **kwargs)
        self.group, counts = group, self.counts
        self.of_images = [
            self._layer(stage, "from_image", EqualizedConvolution, count, 1, takes=self.channels)
            for stage, count in enumerate(counts)
        ]
        self.first, self.second = [None], [None]
        for stage, count in list(enumerate(counts))[1:]:
            self.first.append(self._layer(stage, "first", EqualizedConvolution, count, takes=count))
            self.second.append(self._layer(stage, "second", EqualizedConvolution, counts[stage - 1], takes=count))
        self.deviation = self._layer(0, "deviation", MinibatchDeviation, group, takes=counts[0])
        make = EqualizedConvolution, counts[0]
        self.last = self._layer(0, "last", *make, takes=counts[0] + 1)
        self.whole = self._layer(0, "whole", *make, SMALLEST, padding="valid", takes=counts[0])
        self.verdict = self._layer(0, "verdict", EqualizedDense, 1, 1.0, dtype="float32", takes=counts[0])
        self.built = True

    def call(self, images: Any, training: bool = False) -> Any:
        """The verdicts of the moment."""
        x = self._activated(self.of_images[self.stage](images))
        for stage in range(self.stage, 0, -1):
            x = self._activated(self.first[stage](x))
            x = halved(self._activated(self.second[stage](x)))
            if stage == self.stage and self.fading:
                old = self._activated(self.of_images[stage - 1](halved(images)))
                x = old + ops.cast(self.fade, x.dtype) * (x - old)
        x = self._activated(self.last(self.deviation(x)))
        x = self._activated(self.whole(x))
        return self.verdict(ops.reshape(x, (-1, self.counts[0])))

    def _activated(self, x: Any) -> Any:
        return ops.leaky_relu(x, SLOPE)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "group": self.group}
