"""Scene graph to image: sg2im (Johnson et al. 2018), with boxes and masks on the way from one to the other."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_gen.core.checks import integer, integers, number, sizes
from keras_gen.core.endpoint import Endpoint
from keras_gen.core.errors import InvalidInput
from keras_gen.core.given_network import checked_network
from keras_gen.core.graphs import Boxes, Graph, Masks
from keras_gen.core.image_spec import ImageSpec
from keras_gen.core.inputs import Input
from keras_gen.core.noise import NoiseSpec, Normal, Uniform
from keras_gen.layers.object_layout import ObjectLayout, cropped
from keras_gen.losses.adversarial import (
    minimax_discriminator_loss,
    non_saturating_generator_loss,
    per_example,
)
from keras_gen.losses.scene_graphs import box_loss, mask_loss, over_objects
from keras_gen.models.adversarial.adversarial_model import ACCURACIES, AdversarialModel, Batch
from keras_gen.models.adversarial.conditional_networks import checked_ports
from keras_gen.models.conditional.choices import chosen
from keras_gen.models.generative_model import dtype_policy
from keras_gen.networks.cascaded_refinement import cascaded_refinement
from keras_gen.networks.object_discriminator import image_discriminator, object_discriminator
from keras_gen.networks.scene_graph import box_network, graph_network, mask_network
from keras_gen.training.adam import Adam

WHOLE = (0.0, 0.0, 1.0, 1.0)  # the box of the image's own node
WEIGHTS = ("pixel_weight", "box_weight", "mask_weight", "image_weight", "object_weight", "class_weight")
TERMS = ("l1", "box_loss", "mask_loss")
OBJECT_ACCURACIES = ("object_class_accuracy_on_reals", "object_class_accuracy_on_fakes")


@keras.saving.register_keras_serializable("keras_gen")
class SceneGraphToImage(AdversarialModel):
    """sg2im of Johnson et al. 2018: images of scene graphs.

    Convolutions over the graph give each object a vector; of that come its box and its mask; vectors wherever masks lie in boxes
    are the layout, and a cascaded network refines it, with noise of each pixel, into the image. One discriminator judges patches
    of images, one objects cut out of them, which it also names.

    ``fit`` wants for each image a ``graph``, and ``boxes`` and ``masks`` of its objects; those are what the layout is made of in
    training, as published, so that boxes and masks are only regressed beside it. A box of four times -1, or a mask of 2, is not
    known: the model's own takes its place. Where the batch holds ``graphs`` (several an image), one of them is drawn each time.
    ``sample(n, graph=...)`` places the objects by itself, ``sample(n, graph=..., boxes=...)`` where it is told.

    The defaults are the paper's for COCO at 64 px; where its code has settings that are quirks (``box_activation="relu"``,
    ``image_activation="linear"``, ``mask_weight=0``, ``freeze_after=100_000``) the defaults are other ones.

    Args:
        image_spec: the images.
        graph: the names that graphs are made of, and how many of them one may have: ``data.kinds["graph"]``, a
            ``core.graphs.Graph`` or its ``get_config()``.
        generator: Keras model of layout ``[b, h, w, features]`` and noise ``[b, h, w, noise_channels]`` to images ``[b, h, w,
            c]`` in ``[-1, 1]``; default: ``networks.cascaded_refinement``.
        discriminator: Keras model of images to logits ``[b, ...]``.
        features: of the vectors of objects and relations.
        hidden: inner layers of the graph's convolutions and of the box network.
        convolutions: of the graph; 0: none, each object is seen alone (the published ablation).
        mask_size: pixels of a mask's side, a power of two.
        noise_channels: normal numbers for each pixel.
        refinement_maps: of the refinement's modules, the coarsest first, each at twice the size of the one before.
        discriminator_maps, object_maps: of the discriminators' convolutions. object_features: of the latter's dense layer.
        crop_size: pixels that objects are cut out to.
        pixel_weight, box_weight, mask_weight: of the L1 distance of images in [-1, 1], of the squared error of boxes, and of the
            cross-entropy of masks.
        image_weight, object_weight, class_weight: of what the generator pays for the verdicts on the image and its objects, and
            for the objects' classes. With an ``image_weight`` of 0 there is no discriminator of images, with both others 0 none
            of objects.
        box_activation: behind the box network: ``"sigmoid"``, ``"relu"`` or ``"linear"``.
        image_activation: behind the refinement: ``"tanh"`` or ``"linear"``, which is clipped.
        freeze_after: steps after which the generator's batch normalization takes its moving statistics in training too; None:
            never.
        **kwargs: turns, order (here ``"generator_first"``, as published) and average, see ``AdversarialModel``; ``seed``,
            ``dtype``, ``name``.
    """

    draws_images = True

    def __init__(
        self,
        image_spec: ImageSpec | Sequence[int],
        graph: Graph | Mapping[str, Any],
        *,
        generator: keras.Model | None = None,
        discriminator: keras.Model | None = None,
        features: int = 128,
        hidden: int = 512,
        convolutions: int = 5,
        mask_size: int = 16,
        noise_channels: int = 32,
        refinement_maps: Sequence[int] = (1024, 512, 256, 128, 64),
        discriminator_maps: Sequence[int] = (64, 128, 256),
        object_maps: Sequence[int] = (64, 128, 256),
        object_features: int = 1024,
        crop_size: int = 32,
        pixel_weight: float = 1.0,
        box_weight: float = 10.0,
        mask_weight: float = 0.1,
        image_weight: float = 0.01,
        object_weight: float = 0.01,
        class_weight: float = 0.1,
        box_activation: str = "sigmoid",
        image_activation: str = "tanh",
        freeze_after: int | None = None,
        order: str = "generator_first",
        **kwargs: Any,
    ):
        super().__init__(image_spec, order=order, **kwargs)
        self.graph = Graph.from_any(graph)
        self.features, self.hidden, self.mask_size, self.noise_channels = sizes(
            features=features, hidden=hidden, mask_size=mask_size, noise_channels=noise_channels
        )
        self.object_features, self.crop_size = sizes(object_features=object_features, crop_size=crop_size)
        self.convolutions = integer("convolutions", convolutions, 0)
        self.refinement_maps = integers("refinement_maps", refinement_maps, 1)
        self.discriminator_maps = integers("discriminator_maps", discriminator_maps, 1)
        self.object_maps = integers("object_maps", object_maps, 1)
        given = (pixel_weight, box_weight, mask_weight, image_weight, object_weight, class_weight)
        for name, value in zip(WEIGHTS, given, strict=True):
            setattr(self, name, number(name, value, 0.0))
        self.box_activation, self.image_activation = box_activation, image_activation
        self.freeze_after = None if freeze_after is None else integer("freeze_after", freeze_after, 0)
        self.normalizes_by_batch = True
        self._make_networks(generator, discriminator)
        self.track(*TERMS)
        if self.discriminator is not None:
            self.track(*ACCURACIES)
        if self.object_discriminator is not None:
            self.track(*OBJECT_ACCURACIES)
        self.finish()

    def _make_networks(self, generator: Any, discriminator: Any) -> None:
        spec, features = self.image_spec, self.features
        with dtype_policy(self.dtype_policy.name):
            self.graph_network = graph_network(self.graph, features, self.hidden, self.convolutions)
            self.box_network = box_network(features, self.hidden, self.box_activation)
            self.mask_network = mask_network(features, self.mask_size)
            self.layout = ObjectLayout(spec.height, spec.width)
            generator = generator or cascaded_refinement(
                spec, features, self.noise_channels, self.refinement_maps, self.image_activation
            )
            self.discriminator = self.object_discriminator = None
            if self.image_weight:
                discriminator = discriminator or image_discriminator(spec.shape, self.discriminator_maps)
                self.discriminator = checked_network(discriminator, "discriminator", spec.shape, None)
            if self.object_weight or self.class_weight:
                self.object_discriminator = object_discriminator(
                    self.crop_size, spec.channels, len(self.graph.objects) + 1, self.object_maps, self.object_features
                )
        sides = {name: (*spec.shape[:2], count) for name, count in self._channels().items()}
        self.generator = checked_ports(generator, "generator", sides, {"images": spec.shape})

    def _channels(self) -> dict[str, int]:
        return {"layout": self.features, "noise": self.noise_channels}

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        names = ("features", "hidden", "convolutions", "mask_size", "noise_channels", "refinement_maps", "freeze_after")
        names += ("discriminator_maps", "object_maps", "object_features", "crop_size", "box_activation")
        own = {name: getattr(self, name) for name in (*names, "image_activation", *WEIGHTS)}
        networks = self.config_of(generator=self.generator, discriminator=self.discriminator)
        return {**super().get_config(), **networks, **own, "graph": self.graph.get_config()}

    @property
    def generator_side(self) -> list[keras.Model]:
        """Graph, boxes, masks, refinement."""
        return [self.graph_network, self.box_network, self.mask_network, self.generator]

    @property
    def discriminator_side(self) -> list[keras.Model]:
        """Of images and of objects, those that there are."""
        return [network for network in (self.discriminator, self.object_discriminator) if network is not None]

    def default_optimizers(self) -> tuple[keras.optimizers.Optimizer, keras.optimizers.Optimizer]:
        """Adam 1e-4, beta1 0.9 (Johnson et al. 2018, section 3)."""
        return Adam(1e-4), Adam(1e-4)

    # --- sampling ---------------------------------------------------------------------------------------------------

    def noise_spec(self) -> NoiseSpec:
        """``{"noise": Normal([h, w, noise_channels])}``."""
        return {"noise": Normal((self.image_spec.height, self.image_spec.width, self.noise_channels))}

    def condition_spec(self) -> Mapping[str, Input]:
        """``graph``, and where its objects lie: ``boxes`` and ``masks``, the model's own where they are left out."""
        count = self.graph.most_objects
        return {"graph": self.graph, "boxes": Boxes(count), "masks": Masks(count, self.mask_size)}

    def generate(self, noise: Mapping[str, Any], conditions: Mapping[str, Any] | None = None) -> tf.Tensor:
        """The averaged networks' image of ``noise``, ``graph``, ``boxes`` and ``masks``: uint8 ``[n, h, w, c]``."""
        given = {name: conditions[name] for name in self.condition_spec()}
        return self.image_spec.from_unit(self.call({"noise": noise["noise"], **given}))

    def endpoints(self) -> dict[str, Endpoint]:
        """``sample``, and ``layout``: of ``graph`` the ``boxes`` ``[n, most_objects, 4]`` and ``masks`` ``[n, most_objects, side,
        side]`` in [0, 1] that the model would take, zeros of objects that are none.
        """

        def layout(inputs: Mapping[str, Any]) -> dict[str, tf.Tensor]:
            _, boxes, masks = self._read(inputs["graph"], training=False, averaged=True)
            there = tf.cast(self._numbers(inputs["graph"])[:, :-1] > 0, tf.float32)[..., None]
            return {"boxes": boxes * there, "masks": tf.sigmoid(masks) * there[..., None]}

        ranges = {"boxes": None, "masks": (0, 1)}
        return {**super().endpoints(), "layout": Endpoint(layout, {"graph": self.graph}, ranges)}

    def predict_layout(self, graph: Any) -> tuple[np.ndarray, np.ndarray]:
        """The boxes ``[n, most_objects, 4]`` and masks ``[n, most_objects, side, side]``, float32, that the model gives the
        objects of a graph, of n graphs or of n rows.
        """
        rows = self.graph.check("graph", [graph] if isinstance(graph, Mapping) else graph)
        found = self.endpoints()["layout"].function({"graph": tf.constant(rows)})
        return found["boxes"].numpy(), found["masks"].numpy()

    # On noise and graphs, not on images: Keras' own.
    predict, predict_on_batch = keras.Model.predict, keras.Model.predict_on_batch
    predict_step = keras.Model.predict_step

    def call(self, inputs: Any, training: bool = False) -> tf.Tensor:
        """The images ``[n, h, w, c]`` around ``[-1, 1]`` of a dict of ``noise``, ``graph``, ``boxes`` and ``masks`` (as rows and
        arrays; the latter two may be left out): those of ``sample`` before rounding; with ``training=True`` not the averaged
        networks'.
        """
        spec = {**self.noise_spec(), **self.condition_spec()}
        if not isinstance(inputs, Mapping) or not {"noise", "graph"} <= set(inputs) <= set(spec):
            raise InvalidInput(f"{type(self).__name__} wants a dict of noise and graph, and maybe of boxes and masks.")
        inputs = {name: tf.convert_to_tensor(value) for name, value in inputs.items()}
        rows = inputs["graph"]
        vectors, boxes, masks = self._read(rows, training, averaged=not training)
        placed, shapes = self._placed(inputs, rows, boxes, masks)
        return self._drawn(vectors, placed, shapes, inputs["noise"], training, averaged=not training)

    # --- on the way -------------------------------------------------------------------------------------------------

    def _numbers(self, rows: tf.Tensor) -> tf.Tensor:
        """What each object is, from 1, the image's own node last: int32 ``[b, most_objects + 1]``; 0 of none."""
        numbers = tf.cast(rows[:, : self.graph.most_objects], tf.int32)
        return tf.concat([numbers, tf.zeros_like(numbers[:, :1]) + len(self.graph.objects) + 1], axis=1)

    def _read(self, rows: tf.Tensor, training: bool, averaged: bool) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Of graphs the vectors ``[b, most_objects + 1, features]``, the boxes of the objects and the logits of their masks."""
        graphs, boxes, masks = (self._network(which, averaged) for which in self.generator_side[:3])
        training = training and self.normalizes_by_batch
        vectors = graphs(rows, training=training)
        of_objects = vectors[:, :-1]
        flat = tf.reshape(of_objects, [-1, self.features])
        there = tf.cast(tf.reshape(rows[:, : self.graph.most_objects] > 0, [-1, 1]), tf.float32)
        shapes = masks([flat, there], training=training)
        shape = [-1, self.graph.most_objects, self.mask_size, self.mask_size]
        return vectors, boxes(of_objects, training=training), tf.reshape(shapes, shape)

    def _placed(
        self, given: Mapping[str, Any], rows: tf.Tensor, boxes: tf.Tensor, masks: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Boxes and masks of all nodes: the given ones, the model's own where there are none, the whole of the image's node."""
        masks = tf.sigmoid(masks)
        if "boxes" in given:
            told = tf.cast(given["boxes"], tf.float32)
            boxes = tf.where(tf.reduce_all(told >= 0, axis=-1, keepdims=True), told, boxes)
        if "masks" in given:
            told = tf.cast(given["masks"], tf.float32)
            masks = tf.where(told > 1.5, masks, told)
        masks *= tf.cast(rows[:, : self.graph.most_objects, None, None] > 0, tf.float32)
        whole = tf.zeros_like(boxes[:, :1]) + tf.constant(WHOLE)
        return tf.concat([boxes, whole], axis=1), tf.concat([masks, tf.ones_like(masks[:, :1])], axis=1)

    def _drawn(
        self, vectors: tf.Tensor, boxes: tf.Tensor, masks: tf.Tensor, noise: tf.Tensor, training: bool, averaged: bool
    ) -> tf.Tensor:
        network = self._network(self.generator, averaged)
        return network([self.layout([vectors, boxes, masks]), noise], training=training and self.normalizes_by_batch)

    def _network(self, network: keras.Model, averaged: bool) -> keras.Model:
        return self.averaged(network) if averaged else network

    # --- the game ---------------------------------------------------------------------------------------------------

    def phase(self) -> Hashable:
        """Steps before and after ``freeze_after`` are compiled apart."""
        steps = super().phase()
        if self.freeze_after is None:
            return steps
        self.normalizes_by_batch = int(self.generator_optimizer.iterations.numpy()) < self.freeze_after
        return steps, self.normalizes_by_batch

    def step_spec(self) -> Mapping[str, Input]:
        """The noise, and which of an image's graphs is drawn."""
        return {**self.noise_spec(), "graphs": Uniform((1,))}

    def make_fakes(self, batch: Batch, noise: Mapping[str, tf.Tensor], training: bool) -> dict[str, tf.Tensor]:
        """``"image"`` of the graphs, laid out by the batch's boxes and masks; ``"boxes"`` and ``"masks"`` (logits) that the model
        would have taken; ``"graph"``, the rows; ``"placed"``, the boxes of all nodes.
        """
        rows = chosen(batch, "graph", "graphs", noise["graphs"], self.graph.shape[0])[:, 0]
        vectors, boxes, masks = self._read(rows, training, averaged=False)
        placed, shapes = self._placed(batch, rows, boxes, masks)
        image = self._drawn(vectors, placed, shapes, noise["noise"], training, averaged=False)
        return {"image": image, "boxes": boxes, "masks": masks, "graph": rows, "placed": tf.stop_gradient(placed)}

    def discriminator_loss(self, batch: Batch, fakes: Batch, training: bool) -> tf.Tensor:
        """Both discriminators' cross-entropies, and those of the classes of real objects and of fake ones: ``[b]``."""
        sides = [self.image_spec.to_unit(batch["image"]), tf.cast(fakes["image"], tf.float32)]
        loss = tf.zeros(tf.shape(sides[0])[0])
        if self.discriminator is not None:
            real, fake = (self.discriminator(images, training=training) for images in sides)
            for name, right in zip(ACCURACIES, (real > 0, fake < 0), strict=True):
                self.observe(name, per_example(right))
            loss += minimax_discriminator_loss(real, fake)
        if self.object_discriminator is None:
            return loss
        for images, name, sign in zip(sides, OBJECT_ACCURACIES, (-1.0, 1.0), strict=True):
            verdicts, classes, numbers = self._judged(images, fakes, training)
            terms = tf.nn.softplus(sign * verdicts) + _class_loss(classes, numbers)
            loss += over_objects(terms, numbers > 0, training)
            right = tf.cast(tf.argmax(classes, axis=-1, output_type=tf.int32) == numbers - 1, tf.float32)
            there = tf.cast(numbers > 0, tf.float32)
            self.observe(name, tf.reduce_sum(right * there, 1) / tf.reduce_sum(there, 1))
        return loss

    def generator_loss(self, batch: Batch, fakes: Batch, training: bool) -> tf.Tensor:
        """All its terms, weighted: ``[b]``."""
        reals = self.image_spec.to_unit(batch["image"])
        there = self._numbers(fakes["graph"])[:, :-1] > 0
        terms = {
            "l1": per_example(tf.abs(tf.cast(fakes["image"], tf.float32) - reals)),
            "box_loss": box_loss(batch["boxes"], fakes["boxes"], there, training),
            "mask_loss": mask_loss(batch["masks"], fakes["masks"], there, training),
        }
        for name, values in terms.items():
            self.observe(name, values)
        loss = sum(w * terms[name] for name, w in zip(TERMS, (self.pixel_weight, self.box_weight, self.mask_weight)))
        if self.discriminator is not None:
            verdicts = self.discriminator(fakes["image"], training=training)
            loss += self.image_weight * non_saturating_generator_loss(verdicts)
        if self.object_discriminator is not None:
            verdicts, classes, numbers = self._judged(fakes["image"], fakes, training)
            paid = self.object_weight * tf.nn.softplus(-verdicts) + self.class_weight * _class_loss(classes, numbers)
            loss += over_objects(paid, numbers > 0, training)
        return loss

    def _judged(self, images: tf.Tensor, fakes: Batch, training: bool) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Of the objects cut out of images (the image's own node too) the logits of being real ``[b, n]`` and of their classes
        ``[b, n, classes]``; and what they are, from 1: ``[b, n]``.
        """
        numbers, channels = self._numbers(fakes["graph"]), self.image_spec.channels
        crops = cropped(images, fakes["placed"], self.crop_size)
        flat = tf.reshape(crops, [-1, self.crop_size, self.crop_size, channels])
        there = tf.cast(tf.reshape(numbers > 0, [-1, 1]), tf.float32)
        verdicts, classes = self.object_discriminator([flat, there], training=training)
        shape = tf.shape(numbers)
        return tf.reshape(verdicts, shape), tf.reshape(classes, [shape[0], shape[1], classes.shape[-1]]), numbers


def _class_loss(logits: tf.Tensor, numbers: tf.Tensor) -> tf.Tensor:
    """Cross-entropy of each object's class, ``[b, n]``."""
    return tf.nn.sparse_softmax_cross_entropy_with_logits(tf.maximum(numbers - 1, 0), logits)
