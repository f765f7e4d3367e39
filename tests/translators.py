"""Tiny models that turn an image into another: whatever takes two images in a batch is tested with them."""

import keras
import tensorflow as tf

import keras_gen as kg
from keras_gen.core.inputs import Images
from keras_gen.core.noise import Normal
from keras_gen.core.replicas import global_mean
from keras_gen.models.generative_model import GenerativeModel


@keras.saving.register_keras_serializable("tests")
class Translator(GenerativeModel):
    """One 1x1 convolution from source to image, paid by L1; its noise moves the brightness a little."""

    def __init__(self, image_spec, source_spec, seed=0, noisy=0.1, **kwargs):
        super().__init__(image_spec, seed, **kwargs)
        self.source_spec, self.noisy = kg.ImageSpec.from_any(source_spec), noisy
        self.network = keras.Sequential(
            [keras.Input(self.source_spec.shape), keras.layers.Conv2D(self.image_spec.channels, 1)]
        )
        self.loss_tracker = keras.metrics.Mean("loss")
        self.built = True

    def noise_spec(self):
        return {"z": Normal((1,))}

    def condition_spec(self):
        return {"source": Images(self.source_spec)}

    def call(self, inputs, training=False):
        return self.network(self.source_spec.to_unit(self.batch_of(inputs)["source"]), training=training)

    def generate(self, noise, conditions=None):
        values = self.network(self.source_spec.to_unit(conditions["source"]))
        return self.image_spec.from_unit(values + self.noisy * noise["z"][:, None, None])

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        images = self.image_spec.to_unit(self.batch_of(x)["image"])
        return global_mean(tf.reduce_mean(tf.abs(images - y_pred), axis=[1, 2, 3]))

    def get_config(self):
        return {**super().get_config(), "source_spec": self.source_spec.get_config(), "noisy": self.noisy}


class TwoWays(Translator):
    """Both sides are sets of their own; each direction is the identity, or the negative."""

    unpaired = True

    def __init__(self, image_spec, seed=0, negative=False, **kwargs):
        super().__init__(image_spec, image_spec, seed, noisy=0.0, **kwargs)
        self.negative = negative

    draws_images = True

    def noise_spec(self):
        return {}

    def generate(self, noise, conditions=None):
        source = tf.convert_to_tensor(conditions["source"])
        return self.image_spec.levels - 1 - source if self.negative else source

    def translate_ba(self, images):
        return self.generate({}, {"source": self.image_spec.check(images)}).numpy()

    def get_config(self):
        config = super().get_config()
        return {key: config[key] for key in ("image_spec", "seed", "name", "dtype")} | {"negative": self.negative}
