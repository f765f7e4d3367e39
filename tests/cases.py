"""One tiny real configuration of every model; the contract suites run on each of them.

``arguments`` hold a value other than the default for every argument of the constructor that is not a network or a dtype, so
that a round trip can be compared with what was passed.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np

import keras_gen as kg
from keras_gen.core.captions import characters
from keras_gen.core.graphs import Graph


@dataclasses.dataclass(frozen=True)
class Case:
    name: str
    model: Callable[..., Any]
    arguments: Mapping[str, Any]
    optimizers: int  # how many the model's compile takes
    falling: str  # the metric that falls when a tiny set is learnt
    sgd_rate: float  # a step that moves weights visibly and does not blow rounding up

    @property
    def spec(self) -> kg.ImageSpec:
        return self.arguments["image_spec"]

    def build(self, make_optimizer=lambda: keras.optimizers.Adam(1e-3), **changes):
        """A compiled model with the same initial weights at every call."""
        keras.utils.set_random_seed(11)
        model = self.model(**{**self.arguments, **changes})
        model.compile(*(make_optimizer() for _ in range(self.optimizers)))
        return model

    def shaken(self):
        """A model whose images vary as a trained one's do."""
        return self.shake(self.build())

    def shake(self, model):
        """The model, every kernel moved at random."""
        generator = np.random.default_rng(0)
        for variable in model.variables:
            if "kernel" in variable.path:
                variable.assign(variable + generator.normal(0.0, 0.3, variable.shape))
        return model

    def images(self, n: int, seed: int = 0) -> np.ndarray:
        """Learnable images: a bright bar at one of four places, with a little noise."""
        generator = np.random.default_rng(seed)
        spec = self.spec
        images = generator.random((n, *spec.shape)) * 0.2
        for image, place in zip(images, generator.integers(0, 4, n)):
            image[:, place * spec.width // 4 : (place + 1) * spec.width // 4] += 0.8
        return np.round(images * (spec.levels - 1)).astype(np.uint8)

    def data(self, n: int, seed: int = 0) -> np.ndarray | dict[str, np.ndarray]:
        """What ``fit`` takes: ``images``, with the place of the bar as the label where the model is class-conditional, and with
        a source where it translates.
        """
        images = self.images(n, seed)
        if "source_spec" in self.arguments:
            return {"image": images, **self.sources(images)}
        if "vocabulary" in self.arguments:
            return {"image": images, **self.captions(images)}
        if "graph" in self.arguments:
            return {"image": images, **self.scenes(images)}
        if not self.arguments.get("classes"):
            return images
        columns = images.astype(float).sum((1, 3)).reshape(n, 4, -1).sum(2)
        return {"image": images, "label": columns.argmax(1) % self.arguments["classes"]}

    def sources(self, images: np.ndarray) -> dict[str, np.ndarray]:
        """Of a translator, what ``images`` are to be made of: the negatives of their first channel."""
        spec = self.arguments.get("source_spec")
        if spec is None:
            return {}
        top = (self.spec.levels - 1, spec.levels - 1)
        negatives = np.round((top[0] - images[..., :1].astype(float)) * (top[1] / top[0]))
        return {"source": np.repeat(negatives.astype(np.uint8), spec.channels, axis=-1)}

    def captions(self, images: np.ndarray) -> dict[str, np.ndarray]:
        """Of a model of text to image, what says where the bar is: three sentences an image."""
        words = self.arguments.get("vocabulary")
        if words is None:
            return {}
        places = images.astype(float).sum((1, 3)).reshape(len(images), 4, -1).sum(2).argmax(1)
        texts = [[form.format(words[place]) for form in ("{0}", "{0} bar", "bar {0}")] for place in places]
        rows = characters(sum(texts, []), self.arguments["length"]).reshape(len(images), 3, -1)
        return {"caption": rows[:, 0], "captions": rows}

    def scenes(self, images: np.ndarray) -> dict[str, np.ndarray]:
        """Of a model of graphs to images, the bar and the right edge: boxes, masks, two graphs an image."""
        if "graph" not in self.arguments:
            return {}
        places = images.astype(float).sum((1, 3)).reshape(len(images), 4, -1).sum(2).argmax(1)
        graph, n, side = Graph.from_any(self.arguments["graph"]), len(images), self.arguments["mask_size"]
        boxes, masks = np.full((n, 3, 4), -1, np.float32), np.full((n, 3, side, side), 2, np.uint8)
        boxes[:, 0] = np.stack([places / 4, 0 * places, (places + 1) / 4, 0 * places + 1], 1)
        boxes[::2, 1] = (0.75, 0, 1, 1)
        masks[:, 0] = 1
        pair = {"objects": ["bar", "edge"], "relations": [[0, "left of", 1], [1, "right of", 0]]}
        rows = graph.check("graph", [{"objects": ["bar", "edge"], "relations": []}, pair])
        graphs = np.repeat(rows[None], n, axis=0)
        return {"graph": graphs[:, 1], "graphs": graphs, "boxes": boxes, "masks": masks}

    def conditions(self, n: int) -> dict[str, np.ndarray]:
        """What ``sample`` has to be given beside ``n`` and a seed."""
        images = self.images(n, seed=1)
        given = {**self.captions(images), **self.scenes(images)}
        return {**self.sources(images), **{k: v for k, v in given.items() if k in ("caption", "graph")}}

    def __str__(self) -> str:
        return self.name


# Of a GAN that has DCGAN's networks, normal noise and no classes.
PLAIN_GAN = dict(
    noise="normal", networks="dcgan", classes=None, conditioning=None, class_weights=None, generator_width=None
)

# One layer of latents of a standard normal prior, the plain bound.
PLAIN_VAE = dict(
    architecture="mlp",
    width=6,
    beta=0.9,
    pixel_bias=False,
    scale=None,
    mixtures=3,
    prior="standard_normal",
    components=7,
    bound="elbo",
    samples=1,
    resample=False,
    warm_up=0,
    capacity=None,
    classes=None,
    hierarchy=None,
    lower_latent_dim=None,
    lower_hidden=None,
)


CASES = (
    Case(
        "vae_mlp_gaussian",
        kg.VAE,
        dict(
            image_spec=kg.ImageSpec(8, 8, 1, 17),
            **{**PLAIN_VAE, "beta": 0.5},
            latent_dim=3,
            likelihood="gaussian",
            hidden=(24, 16),
            activation="tanh",
            unit_inputs=False,
            free_bits=0.0,
            sample_pixels=False,
            seed=5,
        ),
        optimizers=1,
        falling="loss",
        sgd_rate=1e-4,
    ),
    Case(
        "vae_convolutional_bernoulli",
        kg.VAE,
        dict(
            image_spec=kg.ImageSpec(8, 12, 2, 2),
            **{**PLAIN_VAE, "architecture": "convolutional", "width": 4, "beta": 2.0},
            latent_dim=4,
            likelihood="bernoulli",
            hidden=(7,),
            activation="tanh",
            unit_inputs=True,
            free_bits=0.0,
            sample_pixels=True,
            seed=6,
        ),
        optimizers=1,
        falling="loss",
        sgd_rate=1e-3,
    ),
    Case(
        "vae_iwae_conditional",
        kg.VAE,
        dict(
            **{
                **PLAIN_VAE,
                "bound": "iwae",
                "samples": 3,
                "resample": True,
                "classes": 4,
                "warm_up": 3,
                "pixel_bias": True,
            },
            image_spec=kg.ImageSpec(8, 8, 1, 2),
            latent_dim=3,
            likelihood="bernoulli",
            hidden=(10, 12),
            activation="gated",
            unit_inputs=True,
            free_bits=0.0,
            sample_pixels=True,
            seed=21,
        ),
        optimizers=1,
        falling="loss",
        sgd_rate=1e-3,
    ),
    Case(
        "vae_vamp_top_down",
        kg.VAE,
        dict(
            **{**PLAIN_VAE, "prior": "vamp", "components": 3, "hierarchy": "top_down", "lower_latent_dim": 3},
            image_spec=kg.ImageSpec(8, 8, 1, 17),
            latent_dim=2,
            likelihood="logistic",
            hidden=(10, 12),
            activation="tanh",
            unit_inputs=True,
            sample_pixels=True,
            free_bits=0.05,
            seed=22,
        ),
        optimizers=1,
        falling="loss",
        sgd_rate=1e-4,
    ),
    Case(
        "pixel_vae",
        kg.PixelVAE,
        dict(
            image_spec=kg.ImageSpec(4, 4, 1, 5),
            latent_dim=2,
            filters=3,
            blocks=1,
            first_kernel=3,
            kernel_size=1,
            head=4,
            maps=5,
            output="logistic_mixture",
            mixtures=2,
            hidden=(6,),
            warm_up=2,
            sample_pixels=True,
            seed=24,
        ),
        optimizers=1,
        falling="loss",
        sgd_rate=1e-3,
    ),
    Case(
        "autoencoder_denoising",
        kg.Autoencoder,
        dict(
            image_spec=kg.ImageSpec(8, 8, 1, 17),
            latent_dim=3,
            architecture="mlp",
            hidden=(10, 12),
            activation="tanh",
            width=6,
            corruption="masking",
            noise=0.2,
            components=2,
            seed=23,
        ),
        optimizers=1,
        falling="loss",
        sgd_rate=1e-3,
    ),
    Case(
        "gan_averaged",
        kg.GAN,
        dict(
            **PLAIN_GAN,
            image_spec=kg.ImageSpec(8, 8, 1, 17),
            latent_dim=6,
            objective="minimax",
            penalty="r1",
            penalty_weight=0.3,
            penalty_target=None,
            constraint=None,
            clip=None,
            paper="dcgan",
            critic_steps=1,
            critic_schedule=None,
            order="simultaneous",
            generator_batch=1,
            fresh_noise=False,
            ema_decay=0.9,
            width=8,
            seed=7,
        ),
        optimizers=2,
        falling="discriminator_loss",
        sgd_rate=0.05,
    ),
    Case(
        "gan_critic_steps",
        kg.GAN,
        dict(
            **PLAIN_GAN,
            image_spec=kg.ImageSpec(16, 16, 3),
            latent_dim=5,
            objective="non_saturating",
            penalty=None,
            penalty_weight=None,
            penalty_target=None,
            constraint=None,
            clip=None,
            paper=None,
            critic_steps=2,
            ema_decay=None,
            width=4,
            seed=8,
        ),
        optimizers=2,
        falling="discriminator_loss",
        sgd_rate=0.05,
    ),
    Case(
        "gan_wgan_gp",
        kg.GAN,
        dict(
            **PLAIN_GAN,
            image_spec=kg.ImageSpec(8, 8, 1, 17),
            latent_dim=5,
            objective="wasserstein",
            penalty=["gradient", "drift"],
            penalty_weight=[2.0, 0.01],
            penalty_target=0.5,
            constraint=None,
            clip=None,
            paper="wgan_gp",
            critic_steps=2,
            generator_batch=2,
            width=6,
            seed=14,
        ),
        optimizers=2,
        falling="discriminator_loss",
        sgd_rate=0.005,
    ),
    Case(
        "progressive_gan",
        kg.ProgressiveGAN,
        dict(
            image_spec=kg.ImageSpec(8, 8, 1, 17),
            latent_dim=5,
            # Resumed after 384 images, in mid-fade; a run ends at full size.
            schedule={"start": 4, "steady": [64], "fade": [512]},
            width=6,
            maps=24,
            group=None,
            objective="least_squares",
            penalty=["gradient", "drift"],
            penalty_weight=[0.1, 0.01],
            penalty_target=0.5,
            order="simultaneous",
            ema_decay=0.9,
            ema_batch=8,
            restart=True,
            seed=15,
        ),
        optimizers=2,
        falling="discriminator_loss",
        sgd_rate=0.02,
    ),
    Case(
        "gan_wgan_clip",
        kg.GAN,
        dict(
            **PLAIN_GAN,
            image_spec=kg.ImageSpec(8, 8, 1, 17),
            latent_dim=5,
            objective="wasserstein",
            penalty=None,
            penalty_weight=None,
            penalty_target=None,
            constraint="clip",
            clip=0.05,
            paper="wgan",
            critic_steps=1,
            critic_schedule={"steps": 3, "first": 2, "every": 4},
            fresh_noise=True,
            width=6,
            seed=15,
        ),
        optimizers=2,
        falling="discriminator_loss",
        sgd_rate=0.02,
    ),
    Case(
        "gan_sngan_hinge",
        kg.GAN,
        dict(
            **PLAIN_GAN,
            image_spec=kg.ImageSpec(8, 8, 1, 17),
            latent_dim=5,
            objective="hinge",
            penalty=None,
            penalty_weight=None,
            penalty_target=None,
            constraint="spectral",
            clip=None,
            paper="sngan",
            critic_steps=2,
            order="generator_first",
            width=6,
            seed=16,
        ),
        optimizers=2,
        falling="discriminator_loss",
        sgd_rate=0.05,
    ),
    Case(
        "gan_relativistic",
        kg.GAN,
        dict(
            **PLAIN_GAN,
            image_spec=kg.ImageSpec(8, 8, 1, 17),
            latent_dim=5,
            objective="relativistic_average",
            penalty="r2",
            penalty_weight=0.1,
            penalty_target=None,
            constraint=None,
            clip=None,
            paper=None,
            width=6,
            seed=17,
        ),
        optimizers=2,
        falling="discriminator_loss",
        sgd_rate=0.05,
    ),
    Case(
        "gan_2014",
        kg.GAN,
        dict(
            image_spec=kg.ImageSpec(8, 8, 1, 17),
            latent_dim=4,
            noise="uniform",
            networks="maxout",
            classes=None,
            conditioning=None,
            class_weights=None,
            objective="non_saturating",
            penalty=None,
            penalty_weight=None,
            penalty_target=None,
            constraint=None,
            clip=None,
            paper="gan_2014",
            order="simultaneous",
            width=6,
            generator_width=5,
            seed=18,
        ),
        optimizers=2,
        falling="discriminator_loss",
        sgd_rate=0.05,
    ),
    Case(
        "gan_sngan_projection",
        kg.GAN,
        dict(
            image_spec=kg.ImageSpec(4, 4, 1, 17),
            latent_dim=4,
            noise="normal",
            networks="sngan_resnet",
            classes=4,
            conditioning="projection",
            class_weights=None,
            objective="hinge",
            penalty=None,
            penalty_weight=None,
            penalty_target=None,
            constraint="spectral",
            clip=None,
            paper="sngan",
            width=4,
            generator_width=5,
            seed=19,
        ),
        optimizers=2,
        falling="discriminator_loss",
        sgd_rate=0.02,
    ),
    Case(
        "gan_auxiliary",
        kg.GAN,
        dict(
            image_spec=kg.ImageSpec(8, 8, 1, 17),
            latent_dim=4,
            noise="normal",
            networks="dcgan",
            classes=4,
            conditioning="auxiliary",
            class_weights=[0.5, 0.2],
            objective="non_saturating",
            penalty=None,
            penalty_weight=None,
            penalty_target=None,
            constraint=None,
            clip=None,
            paper=None,
            width=4,
            generator_width=None,
            seed=20,
        ),
        optimizers=2,
        falling="discriminator_loss",
        sgd_rate=0.05,
    ),
    Case(
        "big_gan",
        kg.BigGAN,
        dict(
            image_spec=kg.ImageSpec(8, 8, 1, 17),
            classes=4,
            latent_dim=6,
            width=2,
            generator_width=3,
            shared_embedding=5,
            split_noise=True,
            attention=[8],
            discriminator_attention=[],
            initializer="normal",
            orthogonal_weight=0.02,
            objective="hinge",
            penalty=None,
            penalty_weight=None,
            penalty_target=None,
            critic_steps=1,
            ema_decay=0.9,
            ema_start=20,
            paper="biggan_cifar10_studiogan",
            seed=25,
        ),
        optimizers=2,
        falling="discriminator_loss",
        sgd_rate=0.02,
    ),
    Case(
        "pixel_cnn_softmax",
        kg.PixelCNN,
        dict(
            image_spec=kg.ImageSpec(4, 4, 3, 4),
            filters=6,
            blocks=2,
            first_kernel=5,
            kernel_size=5,
            head=9,
            output="softmax",
            mixtures=3,
            seed=9,
        ),
        optimizers=1,
        falling="loss",
        sgd_rate=1e-4,
    ),
    Case(
        "gated_pixel_cnn_bernoulli",
        kg.GatedPixelCNN,
        dict(
            image_spec=kg.ImageSpec(5, 4, 1, 2),
            filters=5,
            blocks=2,
            first_kernel=5,
            kernel_size=5,
            head=7,
            output="bernoulli",
            mixtures=3,
            seed=10,
        ),
        optimizers=1,
        falling="loss",
        sgd_rate=1e-3,
    ),
    Case(
        "row_lstm_mixture",
        kg.PixelRNN,
        dict(
            image_spec=kg.ImageSpec(4, 5, 1, 7),
            cell="row_lstm",
            filters=4,
            layers_deep=2,
            first_kernel=5,
            head=6,
            output="logistic_mixture",
            mixtures=2,
            seed=11,
        ),
        optimizers=1,
        falling="loss",
        sgd_rate=1e-4,
    ),
    Case(
        "diagonal_bilstm_bernoulli",
        kg.PixelRNN,
        dict(
            image_spec=kg.ImageSpec(5, 4, 2, 2),
            cell="diagonal_bilstm",
            filters=4,
            layers_deep=2,
            first_kernel=3,
            head=6,
            output="bernoulli",
            mixtures=3,
            seed=12,
        ),
        optimizers=1,
        falling="loss",
        sgd_rate=1e-3,
    ),
    Case(
        "pixel_cnn_pp",
        kg.PixelCNNPlusPlus,
        dict(
            image_spec=kg.ImageSpec(4, 4, 3, 7),
            filters=5,
            resnets=1,
            levels=2,
            dropout=0.1,
            output="logistic_mixture",
            mixtures=2,
            seed=13,
        ),
        optimizers=1,
        falling="loss",
        sgd_rate=1e-4,
    ),
    Case(
        "glow",
        kg.Glow,
        dict(
            image_spec=kg.ImageSpec(4, 4, 1, 17),
            levels=2,
            depth=1,
            width=5,
            lu=True,
            learn_top=False,
            alpha=0.01,
            memory="invert",
            seed=21,
        ),
        optimizers=1,
        falling="loss",
        sgd_rate=1e-3,
    ),
    Case(
        "real_nvp",
        kg.RealNVP,
        dict(
            image_spec=kg.ImageSpec(4, 4, 1, 17),
            scales=1,
            features=4,
            blocks=1,
            alpha=0.03,
            patch=2,
            growth=3,
            seed=22,
        ),
        optimizers=1,
        falling="loss",
        sgd_rate=1e-3,
    ),
    Case(
        "pix2pix",
        kg.Pix2Pix,
        dict(
            image_spec=kg.ImageSpec(8, 8, 3),
            source_spec=kg.ImageSpec(8, 8, 1, 17),
            width=4,
            downs=3,
            skips=True,
            patch_layers=1,
            dropout=0.25,
            conditional=True,
            predicts="image",
            objective="least_squares",
            l1_weight=20.0,
            adversarial_weight=0.5,
            discriminator_weight=0.75,
            ema_decay=0.9,
            seed=30,
        ),
        optimizers=2,
        falling="l1",
        sgd_rate=1e-3,
    ),
    Case(
        "pix2pix_colour",
        kg.Pix2Pix,
        dict(
            image_spec=kg.ImageSpec(8, 8, 3),
            source_spec=kg.ImageSpec(8, 8, 1),
            width=4,
            downs=2,
            skips=False,
            patch_layers=1,
            dropout=0.0,
            conditional=False,
            predicts="colour",
            objective="non_saturating",
            l1_weight=30.0,
            adversarial_weight=1.0,
            discriminator_weight=0.5,
            order="simultaneous",
            seed=31,
        ),
        optimizers=2,
        falling="discriminator_loss",
        sgd_rate=1e-3,
    ),
    Case(
        "cycle_gan",
        kg.CycleGAN,
        dict(
            image_spec=kg.ImageSpec(8, 8, 1, 17),
            source_spec=kg.ImageSpec(8, 8, 1),
            width=3,
            blocks=0,
            patch_layers=0,
            cycle_weight=8.0,
            identity_weight=0.25,
            pool_size=10,
            objective="least_squares",
            adversarial_weight=1.5,
            discriminator_weight=0.9,
            order="generator_first",
            ema_decay=0.8,
            seed=33,
        ),
        optimizers=2,
        falling="cycle_loss",
        sgd_rate=3e-5,
    ),
    Case(
        "text_to_image",
        kg.TextToImageGAN,
        dict(
            image_spec=kg.ImageSpec(4, 4, 1, 17),
            latent_dim=5,
            length=66,
            vocabulary=["first", "second", "third", "last", "bar"],
            matching=True,
            mixing=True,
            mixed_weight=0.8,
            captions_averaged=2,
            width=8,
            generator_width=5,
            projection=6,
            normalized_text=True,
            encoder_maps=(6, 5, 7),
            encoder_features=8,
            ema_decay=0.9,
            seed=40,
        ),
        optimizers=2,
        falling="discriminator_loss",
        sgd_rate=0.02,
    ),
    Case(
        "scene_graph_to_image",
        kg.SceneGraphToImage,
        dict(
            image_spec=kg.ImageSpec(8, 8, 1, 17),
            graph=dict(
                objects=["bar", "edge", "sky"],
                relations=["left of", "right of"],
                most_objects=3,
                most_relations=2,
            ),
            features=6,
            hidden=8,
            convolutions=2,
            mask_size=4,
            noise_channels=2,
            refinement_maps=(8, 6),
            discriminator_maps=(5,),
            object_maps=(4, 6),
            object_features=7,
            crop_size=10,
            pixel_weight=0.9,
            box_weight=5.0,
            mask_weight=0.2,
            image_weight=0.02,
            object_weight=0.03,
            class_weight=0.05,
            box_activation="linear",
            image_activation="linear",
            freeze_after=1000,
            order="simultaneous",
            ema_decay=0.9,
            seed=41,
        ),
        optimizers=2,
        falling="discriminator_loss",
        sgd_rate=0.01,
    ),
)
