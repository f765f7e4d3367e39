"""The variational autoencoder, of replaceable parts."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import keras

from keras_gen.core.checks import integer, integers, number
from keras_gen.core.errors import InvalidInput
from keras_gen.core.given_network import checked_network
from keras_gen.core.image_spec import ImageSpec
from keras_gen.losses.decoder_likelihoods import LIKELIHOODS, DecoderLikelihood
from keras_gen.models.adversarial.conditional_networks import checked_ports
from keras_gen.models.generative_model import dtype_policy
from keras_gen.models.variational.autoregressive_likelihood import AutoregressiveLikelihood
from keras_gen.models.variational.objective import Objective
from keras_gen.models.variational.priors import PRIORS, Prior
from keras_gen.models.variational.stochastic_layers import HIERARCHIES, OneLayer
from keras_gen.models.variational.variational_model import VariationalModel
from keras_gen.networks.encoder_decoder import EncoderDecoder


@keras.saving.register_keras_serializable("keras_gen")
class VAE(VariationalModel):
    """Kingma and Welling 2014: diagonal Gaussian posterior, KL in closed form, likelihood of the discrete image.

    Prior, likelihood, bound, the KL's weight, conditions and a second layer of latents are arguments; ``variants`` holds the
    papers' names of some choices. Log-variances of the latents are bounded to [-14, 10], beyond which float32 overflows.

    On a CPU, long runs of small networks gain from ``compile(jit_compile=True, steps_per_execution=8)``: about two thirds of
    the time a step (benchmarks/vae_step.py), after some seconds of compilation.

    Args:
        image_spec: the images.
        latent_dim: size of the latent ``z``; of two layers, of the upper one.
        encoder: Keras model ``[b, h, w, c]`` in ``[-1, 1]`` ``-> [b, 2 d]``, mean and log-variance of the d latents that are
            inferred first. With ``classes``, a functional one of image and label; the decoder then of z and label.
        decoder: Keras model ``[b, latent_dim] -> [b, h, w, parameters]``: of a Bernoulli c logits, of a Gaussian means in
            ``[-1, 1]`` and log-scales (``losses.decoder_likelihoods``).
        likelihood: ``"bernoulli"`` (binary images alone), ``"gaussian"`` (discretized to the levels), ``"logistic"``,
            ``"logistic_mixture"``, ``"softmax"`` (a probability a level) or an ``AutoregressiveLikelihood``; default by levels.
        architecture: ``"mlp"`` or ``"convolutional"`` default networks.
        hidden: units of the MLP's hidden layers. activation: theirs; ``"gated"``: gated layers.
        width: maps of the convolutional networks' layer next to the image.
        beta: weight of the KL term in training (Higgins et al. 2017); bounds are always reported with weight 1.
        sample_pixels: whether ``generate`` draws each pixel from the decoder's distribution or takes its mean. Default:
            draws where the images are binary, whose mean is no image, or the decoder autoregressive; the mean otherwise, as
            papers show it.
        unit_inputs: the encoder sees images in ``[0, 1]`` in place of ``[-1, 1]``: dark images then leave tanh units unsaturated.
        pixel_bias: default decoders of binary images end in a bias a pixel, which ``fit`` starts at the training images' mean.
        scale: of a Gaussian likelihood, where it is fixed: in units of images in ``[-1, 1]``.
        mixtures: components of the logistic mixture.
        prior: ``"standard_normal"``, ``"mixture"`` (learnt), ``"vamp"`` (Tomczak and Welling 2018) or a ``Prior``.
        components: of the two mixtures.
        bound: ``"elbo"``, or ``"iwae"`` (Burda et al. 2016), of ``samples`` draws an image; the ELBO averages them.
        resample: the gradient of ``"iwae"`` goes through one draw, chosen by its weight: unbiased, in half the time.
        warm_up: training steps over which the KL's weight rises from 0 to ``beta``.
        free_bits: nats below which a latent's KL, in the batch's mean, costs no more (Kingma et al. 2016).
        capacity: ``{"nats", "steps", "weight"}``: ``weight |KL - C|``, C rising to ``nats`` over the steps (Burgess et al. 2018).
        classes: for conditional models, how many; labels are then part of training data and of every method.
        hierarchy: None, ``"top_down"`` or ``"bottom_up"``: a second layer of latents (``stochastic_layers``).
        lower_latent_dim: its size. lower_hidden: units of the networks between latents; default: ``hidden``.
    """

    def __init__(
        self,
        image_spec: ImageSpec | Sequence[int],
        latent_dim: int = 50,
        *,
        encoder: keras.Model | None = None,
        decoder: keras.Model | None = None,
        likelihood: str | AutoregressiveLikelihood | None = None,
        architecture: str = "mlp",
        hidden: Sequence[int] = (500, 500),
        activation: str = "relu",
        width: int = 32,
        beta: float = 1.0,
        sample_pixels: bool | None = None,
        unit_inputs: bool = False,
        pixel_bias: bool = False,
        scale: float | None = None,
        mixtures: int = 5,
        prior: str | Prior = "standard_normal",
        components: int = 100,
        bound: str = "elbo",
        samples: int = 1,
        resample: bool = False,
        warm_up: int = 0,
        free_bits: float = 0.0,
        capacity: Mapping[str, float] | None = None,
        classes: int | None = None,
        hierarchy: str | None = None,
        lower_latent_dim: int | None = None,
        lower_hidden: Sequence[int] | None = None,
        **kwargs: Any,
    ):
        super().__init__(image_spec, **kwargs)
        spec = self.image_spec
        self.latent_dim, self.components = integer("latent_dim", latent_dim, 1), integer("components", components, 1)
        self.likelihood = likelihood or ("bernoulli" if spec.levels == 2 else "gaussian")
        if pixel_bias and self.likelihood != "bernoulli":
            raise InvalidInput(f"pixel_bias starts at logits, which {_named(self.likelihood)} has not; leave it out.")
        self.networks = EncoderDecoder(spec, architecture, hidden, activation, width, classes, pixel_bias)
        self.classes, self.unit_inputs = self.networks.classes, bool(unit_inputs)
        self.objective = Objective(bound, samples, beta, warm_up, free_bits, capacity, resample)
        with dtype_policy(self.dtype_policy.name):
            self.distribution = self._make_likelihood(scale, mixtures)
            self.latents = self._make_latents(hierarchy, lower_latent_dim, lower_hidden)
            outputs, inputs = 2 * self.latents.encoder_outputs, self.latents.decoder_inputs
            parameters = self.distribution.parameters
            encoder = encoder or self.networks.encoder(outputs)
            decoder = decoder or self.networks.decoder(inputs, parameters)
        self.encoder = self._checked(encoder, "encoder", {"image": spec.shape}, (outputs,))
        self.decoder = self._checked(decoder, "decoder", {"z": (inputs,)}, (spec.height, spec.width, parameters))
        self.prior = self._make_prior(prior)
        drawn = self.likelihood == "bernoulli" or self.distribution.in_order
        self.sample_pixels = drawn if sample_pixels is None else bool(sample_pixels)
        self.finish()

    # --- the parts --------------------------------------------------------------------------------------------------

    def _make_likelihood(self, scale: float | None, mixtures: int) -> DecoderLikelihood | AutoregressiveLikelihood:
        self.scale = None if scale is None else number("scale", scale, 0, above=True)
        self.mixtures = integer("mixtures", mixtures, 1)
        if scale is not None and self.likelihood != "gaussian":
            raise InvalidInput(
                f"scale={scale!r} is of a Gaussian likelihood, this one is {_named(self.likelihood)}; leave it out."
            )
        if isinstance(self.likelihood, AutoregressiveLikelihood):
            self.likelihood.prepare(self.image_spec)
            return self.likelihood
        log_scale = None if scale is None else math.log(scale)
        return LIKELIHOODS.get(self.likelihood)(self.image_spec, log_scale, self.mixtures)

    def _make_latents(self, hierarchy: str | None, size: int | None, hidden: Sequence[int] | None) -> Any:
        self.hierarchy, self.lower_latent_dim, self.lower_hidden = hierarchy, size, hidden
        if hierarchy is None:
            if size is not None or hidden is not None:
                raise InvalidInput("lower_latent_dim and lower_hidden are of a second layer; give hierarchy= too.")
            return OneLayer(self.latent_dim)
        if hierarchy not in HIERARCHIES:
            raise InvalidInput(f"hierarchy={hierarchy!r} is unknown; give one of {', '.join(HIERARCHIES)}, or None.")
        if self.classes:
            raise InvalidInput("A second layer of latents takes no labels here; leave classes or hierarchy out.")
        size = integer("lower_latent_dim", size, 1)
        between = self.networks.hidden if hidden is None else integers("lower_hidden", hidden, 1)
        self.lower_hidden = None if hidden is None else list(between)
        activation, pixels = self.networks.activation, self.image_spec.dimensions
        return HIERARCHIES[hierarchy](self.latent_dim, size, between, activation, pixels)

    def _make_prior(self, given: str | Prior) -> Prior:
        self.prior_name = given if isinstance(given, str) else None
        if self.prior_name is None and not isinstance(given, Prior):
            raise InvalidInput(f"prior={given!r}; give one of {', '.join(PRIORS)}, or a Prior of yours.")
        if self.prior_name:
            kind = PRIORS.get(given)
            given = kind(self.components) if kind.mixes else kind()
        if given.pseudo_images_encoded and (self.classes or self.hierarchy == "bottom_up"):
            what = "labels" if self.classes else "hierarchy='bottom_up'"
            raise InvalidInput(
                f"The VampPrior is made of the encoder's posteriors of z, which {what} do not leave it; give prior='mixture'."
            )
        given.prepare(self.image_spec, self.latent_dim, self.seed)
        return given

    def _checked(self, network: Any, what: str, takes: dict[str, tuple], gives: tuple[int, ...]) -> keras.Model:
        if self.classes is None:
            return checked_network(network, what, next(iter(takes.values())), gives)
        return checked_ports(network, what, {**takes, "label": ()}, {"parameters": gives})

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        names = (
            "latent_dim",
            "sample_pixels",
            "unit_inputs",
            "scale",
            "mixtures",
            "components",
            "hierarchy",
        )
        own = {name: getattr(self, name) for name in (*names, "lower_latent_dim", "lower_hidden")}
        prior = self.prior_name or keras.saving.serialize_keras_object(self.prior)
        named = isinstance(self.likelihood, str)
        own["likelihood"] = self.likelihood if named else keras.saving.serialize_keras_object(self.likelihood)
        networks = self.config_of(encoder=self.encoder, decoder=self.decoder)
        parts = {**self.networks.get_config(), **self.objective.get_config()}
        return {**super().get_config(), **networks, **parts, **own, "prior": prior}

    @property
    def beta(self) -> float:
        """Weight of the KL term in training, when it is warmed up."""
        return self.objective.beta


def _named(likelihood: Any) -> str:
    """What messages call it."""
    return likelihood if isinstance(likelihood, str) else type(likelihood).__name__
