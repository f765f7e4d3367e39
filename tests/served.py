"""Artifacts to serve, made once a process, and a client of an application that serves them."""

import asyncio
import contextlib
import functools
import io
import json
import tempfile
from pathlib import Path

import httpx
import numpy as np
import onnxruntime
import tensorflow as tf
from PIL import Image

from keras_gen.core.captions import Caption
from keras_gen.core.endpoint import Endpoint
from keras_gen.core.inputs import Images, KnownPixels, Labels
from keras_gen.core.noise import Normal, Uniform
from keras_gen.models.generative_model import GenerativeModel
from keras_gen.serving.app import application
from keras_gen.serving.limits import Limits
from keras_gen.serving.metrics import Metrics
from keras_gen.serving.versions import Models


class Everything(GenerativeModel):
    """Takes every kind of input at once: noise, a class, a sentence, a source, and to complete it a mask."""

    def __init__(self, gain=1.0, **kwargs):
        super().__init__((4, 5, 1, 17), **kwargs)
        self.gain = self.add_weight(shape=(), initializer="ones", name="gain")
        self.gain.assign(gain)
        self.built = True

    def noise_spec(self):
        return {"u": Uniform((4, 5, 1)), "z": Normal((2,))}

    def condition_spec(self):
        caption = Caption(20, ("a", "blue", "red", "square"))
        return {"label": Labels(3), "caption": caption, "source": Images(self.image_spec)}

    def generate(self, noise, conditions=None):
        floats = {name: tf.cast(value, tf.float32) for name, value in conditions.items()}
        value = noise["u"] + 0.1 * noise["z"][:, :1, None, None] - 0.3 * floats["label"][:, None, None, None]
        value += 0.02 * (floats["source"] + tf.reduce_mean(floats["caption"], axis=1)[:, None, None, None])
        return self.image_spec.from_unit(self.gain * value)

    def completed(self, inputs):
        return tf.where(inputs["known_mask"] > 0, inputs["known_image"], self.generate(inputs, inputs))

    def endpoints(self):
        images, mask = Images(self.image_spec), KnownPixels(self.image_spec)
        complete = {"known_image": images, "known_mask": mask, **self.noise_spec(), **self.condition_spec()}
        mean = Endpoint(
            lambda inputs: {"mean": tf.reduce_mean(tf.cast(inputs["image"], tf.float32), axis=(1, 2, 3)) * self.gain},
            {"image": images},
            {"mean": None},
        )
        whole = Endpoint(lambda inputs: {"image": self.completed(inputs)}, complete, {"image": (0, 16)})
        return {**super().endpoints(), "complete": whole, "mean": mean}


class Coder(GenerativeModel):
    """Noise alone, and two endpoints of one input: ``encode`` with two outputs, ``decode`` with images that are fractions."""

    def __init__(self, gain=1.0, **kwargs):
        super().__init__((8, 8, 1, 17), **kwargs)
        values = gain * np.random.default_rng(0).normal(size=(2, 64))
        self.kernel = self.add_weight(shape=(2, 64), name="kernel", initializer=lambda shape, dtype: values)
        self.built = True

    def noise_spec(self):
        return {"z": Normal((2,))}

    def decoded(self, inputs):
        return {"mean_image": tf.sigmoid(tf.reshape(inputs["z"] @ self.kernel, (-1, 8, 8, 1)))}

    def generate(self, noise, conditions=None):
        return self.image_spec.from_unit(2.0 * self.decoded(noise)["mean_image"] - 1.0)

    def encoded(self, inputs):
        mean = tf.reshape(tf.cast(inputs["image"], tf.float32), (-1, 64)) @ tf.transpose(self.kernel)
        return {"mean": mean, "log_variance": -tf.abs(mean)}

    def endpoints(self):
        encode = Endpoint(self.encoded, {"image": Images(self.image_spec)}, {"mean": None, "log_variance": None})
        decode = Endpoint(self.decoded, self.noise_spec(), {"mean_image": (0, 1)})
        return {**super().endpoints(), "encode": encode, "decode": decode}


@functools.cache
def artifact(name: str) -> Path:
    """The folder of one of ``MODELS``."""
    folder = Path(tempfile.mkdtemp(prefix="served-")) / name
    MODELS[name]().export(folder, "onnx")
    return folder


MODELS = {"everything": Everything, "coder": Coder, "brighter": lambda: Coder(3.0)}


def direct(name: str, endpoint: str, inputs) -> dict[str, np.ndarray]:
    """What ONNX Runtime gives, asked without the server."""
    session = onnxruntime.InferenceSession(artifact(name) / "onnx" / f"{endpoint}.onnx")
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, inputs), strict=True))


@contextlib.asynccontextmanager
async def client_of(places, **limits):
    """A client of an application in this process, and its models."""
    places = {name: artifact(name) for name in places} if isinstance(places, (tuple, list)) else places
    bounds, metrics = Limits(**limits), Metrics()
    models = Models(places, bounds, metrics, threads=1, cores=2)
    app = application(models, bounds, metrics)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://here") as client,
    ):
        client.models, client.app = models, app
        yield client


def with_client(*places, **limits):
    """Runs an asynchronous test that takes a client."""

    def decorate(test):
        @functools.wraps(test)
        def run(**arguments):
            async def go():
                async with client_of(places, **limits) as client:
                    await test(client, **arguments)

            asyncio.run(go())

        del run.__wrapped__  # which pytest would ask for its fixtures: the client is none
        return run

    return decorate


def png(pixels) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def listed(inputs) -> dict:
    """Arrays as what JSON holds."""
    return json.loads(json.dumps({name: values.tolist() for name, values in inputs.items()}))
