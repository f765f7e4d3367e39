"""The variational autoencoder, of replaceable parts."""

import logging
import math
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_gen.core.checks import integer, integers, number
from keras_gen.core.endpoint import Endpoint
from keras_gen.core.errors import InvalidInput
from keras_gen.core.given_network import checked_network
from keras_gen.core.image_spec import ImageSpec
from keras_gen.core.inputs import Images, Labels, check_inputs
from keras_gen.core.noise import NoiseSpec, Normal, Uniform, draw
from keras_gen.core.replicas import global_mean
from keras_gen.losses.decoder_likelihoods import LIKELIHOODS, DecoderLikelihood
from keras_gen.losses.latent_distributions import DiagonalGaussian
from keras_gen.metrics.active_units import ActiveUnits
from keras_gen.metrics.likelihood import importance_weighted_log_prob
from keras_gen.models.adversarial.conditional_networks import checked_ports
from keras_gen.models.generative_model import GenerativeModel, dtype_policy
from keras_gen.models.variational.objective import Objective, Parts, Terms
from keras_gen.models.variational.priors import PRIORS, Prior
from keras_gen.models.variational.stochastic_layers import HIERARCHIES, OneLayer
from keras_gen.networks.encoder_decoder import EncoderDecoder

log = logging.getLogger(__name__)


@keras.saving.register_keras_serializable("keras_gen")
class VAE(GenerativeModel):
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
            ``"logistic_mixture"`` or ``"softmax"`` (a probability a level); default by levels.
        architecture: ``"mlp"`` or ``"convolutional"`` default networks.
        hidden: units of the MLP's hidden layers. activation: theirs; ``"gated"``: gated layers.
        width: maps of the convolutional networks' layer next to the image.
        beta: weight of the KL term in training (Higgins et al. 2017); bounds are always reported with weight 1.
        sample_pixels: whether ``generate`` draws each pixel from the decoder's distribution or takes its mean. Default:
            draws where the images are binary, whose mean is no image; the mean otherwise, as papers show it.
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
        likelihood: str | None = None,
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
        self.distribution = self._make_likelihood(scale, mixtures)
        if pixel_bias and self.likelihood != "bernoulli":
            raise InvalidInput(f"pixel_bias starts at logits, which {self.likelihood} has not; leave it out.")
        self.networks = EncoderDecoder(spec, architecture, hidden, activation, width, classes, pixel_bias)
        self.classes, self.unit_inputs = self.networks.classes, bool(unit_inputs)
        self.objective = Objective(bound, samples, beta, warm_up, free_bits, capacity, resample)
        self.sample_pixels = self.likelihood == "bernoulli" if sample_pixels is None else bool(sample_pixels)
        with dtype_policy(self.dtype_policy.name):
            self.latents = self._make_latents(hierarchy, lower_latent_dim, lower_hidden)
            outputs, inputs = 2 * self.latents.encoder_outputs, self.latents.decoder_inputs
            parameters = self.distribution.parameters
            encoder = encoder or self.networks.encoder(outputs)
            decoder = decoder or self.networks.decoder(inputs, parameters)
        self.encoder = self._checked(encoder, "encoder", {"image": spec.shape}, (outputs,))
        self.decoder = self._checked(decoder, "decoder", {"z": (inputs,)}, (spec.height, spec.width, parameters))
        self.prior = self._make_prior(prior)
        self.reconstruction_tracker = keras.metrics.Mean("reconstruction")
        self.kl_tracker = keras.metrics.Mean("kl")
        self.active_units_tracker = ActiveUnits(self.epsilon_dim)
        self._terms_function = None
        self.built = True

    # --- the parts --------------------------------------------------------------------------------------------------

    def _make_likelihood(self, scale: float | None, mixtures: int) -> DecoderLikelihood:
        self.scale = None if scale is None else number("scale", scale, 0, above=True)
        self.mixtures = integer("mixtures", mixtures, 1)
        if scale is not None and self.likelihood != "gaussian":
            raise InvalidInput(
                f"scale={scale!r} is of a Gaussian likelihood, this one is {self.likelihood}; leave it out."
            )
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
            "likelihood",
            "sample_pixels",
            "unit_inputs",
            "scale",
            "mixtures",
            "components",
            "hierarchy",
        )
        own = {name: getattr(self, name) for name in (*names, "lower_latent_dim", "lower_hidden")}
        prior = self.prior_name or keras.saving.serialize_keras_object(self.prior)
        networks = self.config_of(encoder=self.encoder, decoder=self.decoder)
        parts = {**self.networks.get_config(), **self.objective.get_config()}
        return {**super().get_config(), **networks, **parts, **own, "prior": prior}

    @property
    def beta(self) -> float:
        """Weight of the KL term in training, when it is warmed up."""
        return self.objective.beta

    @property
    def epsilon_dim(self) -> int:
        """Latents of all layers: the size of a draw's noise."""
        return sum(self.latents.sizes)

    # --- the distributions ------------------------------------------------------------------------------------------

    def _encoded(self, image: Any, label: Any = None, training: bool = False) -> DiagonalGaussian:
        """The encoder's q of images in ``[-1, 1]``: ``[b, d]``."""
        image = 0.5 * image + 0.5 if self.unit_inputs else image
        return DiagonalGaussian.of(self.encoder(_with(image, label), training=training))

    def posterior(self, images: Any, training: bool = False, label: Any = None) -> tuple[tf.Tensor, tf.Tensor]:
        """q(z|x) of uint8 images: mean and log-variance ``[b, latent_dim]``; of two layers, of the upper."""
        q = self.latents.top(self._encoded(self.image_spec.to_unit(images), label, training))
        return q.mean, q.log_variance

    def _decoded(self, latents: Any, label: Any = None, training: bool = False) -> tf.Tensor:
        return self.decoder(_with(latents, label), training=training)

    def prior_distribution(self, training: bool = False) -> Any:
        """p(z), as the weights have it now."""
        return self.prior.distribution(lambda image: self._encoded(image, training=training))

    def pixel_log_prob(self, images: Any, decoded: tf.Tensor) -> tf.Tensor:
        """log p(x|z) of the discrete images under the decoder's output: ``[b]`` nats."""
        return self.distribution.log_prob(images, decoded)

    def pixel_mean(self, decoded: tf.Tensor) -> tf.Tensor:
        """E[x|z] as a fraction of the highest level: float32 ``[b, h, w, c]`` in ``[0, 1]``."""
        return self.distribution.mean(decoded)

    def pixel_draw(self, decoded: tf.Tensor, uniform: tf.Tensor, component: tf.Tensor | None = None) -> tf.Tensor:
        """x ~ p(x|z) by inverting its distribution function at ``uniform``: uint8 ``[b, h, w, c]``."""
        return self.distribution.draw(decoded, uniform, component)

    # --- the contract -----------------------------------------------------------------------------------------------

    def noise_spec(self) -> NoiseSpec:
        """``{"z": Normal([latent_dim])}``; ``"z_component"`` of mixtures, ``"z_lower"`` of two layers, ``"u"`` of pixels."""
        latent = {**self.prior.noise_spec(self.latent_dim), **self.latents.noise_spec()}
        return {**latent, **self.distribution.noise_spec()} if self.sample_pixels else latent

    def condition_spec(self) -> dict[str, Labels]:
        """``{"label": Labels(classes)}`` for conditional models."""
        return {} if self.classes is None else {"label": Labels(self.classes)}

    def _label(self, conditions: Mapping[str, Any] | None) -> Any:
        return None if self.classes is None else (conditions or {}).get("label")

    def _drawn(self, noise: Mapping[str, Any], conditions: Mapping[str, Any] | None) -> tf.Tensor:
        """What the decoder says of latents from the prior."""
        z = self.prior_distribution().draw(noise["z"], noise.get("z_component"))
        return self._decoded(self.latents.below(z, noise), self._label(conditions))

    def generate(self, noise: Mapping[str, Any], conditions: Mapping[str, Any] | None = None) -> tf.Tensor:
        """Images of latents from the prior (and of pixel noise): uint8 ``[n, h, w, c]``."""
        decoded = self._drawn(noise, conditions)
        if self.sample_pixels:
            return self.pixel_draw(decoded, noise["u"], noise.get("component"))
        return self.image_spec.from_unit(2.0 * self.pixel_mean(decoded) - 1.0)

    def mean_images(self, noise: Mapping[str, Any], conditions: Mapping[str, Any] | None = None) -> np.ndarray:
        """E[x|z] of the noise's latents, float32 ``[n, h, w, c]`` in ``[0, 1]``: what is shown where pixels are drawn."""
        return self.pixel_mean(self._drawn(noise, conditions)).numpy()

    def encode(self, images: np.ndarray, batch_size: int = 256, **conditions: Any) -> tuple[np.ndarray, np.ndarray]:
        """Mean and log-variance of q(z|x), float32 ``[n, latent_dim]`` each, of uint8 images."""
        found = self._in_batches(lambda x, label: self.posterior(x, label=label), images, batch_size, conditions)
        return found[0], found[1]

    def decode(self, z: np.ndarray, **conditions: Any) -> np.ndarray:
        """E[x|z] as a fraction of the highest level: float32 ``[n, h, w, c]`` in ``[0, 1]``; of lower latents at their mean."""
        z = np.asarray(z, np.float32)
        if z.ndim != 2 or z.shape[1] != self.latent_dim:
            raise InvalidInput(f"z has shape {list(z.shape)}; wanted [n, {self.latent_dim}].")
        return self._decoded_mean(z, self._own_labels(conditions, len(z))).numpy()

    def _decoded_mean(self, z: Any, label: Any = None) -> tf.Tensor:
        return self.pixel_mean(self._decoded(self.latents.below(z), label))

    def reconstruct(self, images: np.ndarray, batch_size: int = 256, **conditions: Any) -> np.ndarray:
        """The mean image of the posterior's mean: float32 ``[n, h, w, c]`` in ``[0, 1]``."""
        return self._in_batches(lambda x, label: (self._reconstructed(x, label),), images, batch_size, conditions)[0]

    def _reconstructed(self, images: Any, label: Any = None) -> tf.Tensor:
        unit = self.image_spec.to_unit(images)
        latents = self.latents.reconstructed(self._encoded(unit, label), unit)
        return self.pixel_mean(self._decoded(latents, label))

    def _own_labels(self, conditions: Mapping[str, Any], n: int) -> np.ndarray | None:
        checked = check_inputs(self.condition_spec(), conditions, type(self).__name__, n)
        return None if self.classes is None else checked["label"]

    def _in_batches(
        self, function: Any, images: np.ndarray, batch_size: int, conditions: Mapping[str, Any], *rows: np.ndarray
    ) -> list[np.ndarray]:
        """The outputs of ``function(images, label, *rows)`` of all images."""
        images, size = self.image_spec.check(images), integer("batch_size", batch_size, 1)
        label = self._own_labels(conditions, len(images))
        parts = [
            function(images[p], None if label is None else label[p], *(row[p] for row in rows))
            for p in (slice(start, start + size) for start in range(0, len(images), size))
        ]
        return [np.concatenate([np.asarray(part) for part in column]) for column in zip(*parts, strict=True)]

    def endpoints(self) -> dict[str, Endpoint]:
        """``sample``; ``encode``: image -> mean, log_variance; ``decode``: z, ``reconstruct``: image -> mean image in ``[0, 1]``;
        ``elbo`` and ``log_weight``: image, epsilon -> nats.
        """
        given, labels = {"image": Images(self.image_spec)}, self.condition_spec()
        epsilon = {"epsilon": Normal((self.epsilon_dim,))}

        def terms(inputs: Mapping[str, Any]) -> Terms:
            return self.terms(inputs["image"], inputs["epsilon"][:, None], self._label(inputs))

        def encode(inputs: Mapping[str, Any]) -> dict[str, tf.Tensor]:
            found = self.posterior(inputs["image"], label=self._label(inputs))
            return dict(zip(("mean", "log_variance"), found, strict=True))

        def decode(inputs: Mapping[str, Any]) -> dict[str, tf.Tensor]:
            return {"mean_image": self._decoded_mean(inputs["z"], self._label(inputs))}

        def reconstruct(inputs: Mapping[str, Any]) -> dict[str, tf.Tensor]:
            return {"mean_image": self._reconstructed(inputs["image"], self._label(inputs))}

        unit, nats = {"mean_image": (0.0, 1.0)}, {**given, **epsilon, **labels}
        return {
            **super().endpoints(),
            "encode": Endpoint(encode, {**given, **labels}, {"mean": None, "log_variance": None}),
            "decode": Endpoint(decode, {"z": Normal((self.latent_dim,)), **labels}, unit),
            "reconstruct": Endpoint(reconstruct, {**given, **labels}, unit),
            "elbo": Endpoint(lambda inputs: {"elbo": tf.subtract(*terms(inputs).parts())}, nats, {"elbo": None}),
            "log_weight": Endpoint(
                lambda inputs: {"log_weight": terms(inputs).log_weight[:, 0]}, nats, {"log_weight": None}
            ),
        }

    # --- the bound --------------------------------------------------------------------------------------------------

    def terms(self, images: Any, epsilon: Any, label: Any = None, training: bool = False) -> Terms:
        """Of uint8 images ``[b, h, w, c]`` and noise ``[b, k, epsilon_dim]`` of N(0, I); each image is encoded once."""
        unit, count = self.image_spec.to_unit(images), tf.shape(epsilon)[1]
        q = self._encoded(unit, label, training).expanded(1)
        latents, layers = self.latents.infer(q, unit, self.prior_distribution(training), epsilon)
        flat = tf.reshape(latents, (-1, self.latents.decoder_inputs))
        if epsilon.shape[1] != 1:
            images = tf.repeat(images, count, axis=0)
            label = None if label is None else tf.repeat(label, count, axis=0)
        log_likelihood = self.pixel_log_prob(images, self._decoded(flat, label, training))
        return Terms(
            tf.reshape(log_likelihood, (-1, count)),
            tf.concat([tf.reduce_mean(layer.kl, axis=1) for layer in layers], -1),
            tf.add_n([layer.log_ratio for layer in layers]),
            tf.concat([tf.reduce_mean(layer.mean, axis=1) for layer in layers], -1),
        )

    def bound_terms(self, images: Any, epsilon: Any, training: bool = False) -> tuple[tf.Tensor, tf.Tensor]:
        """One-sample estimate of E_q[log p(x|z)], and KL(q(z|x) || p(z)): nats, ``[b]`` each; ``epsilon`` ~ N(0, I)."""
        return self.terms(images, epsilon[:, None], training=training).parts()

    def log_weight(self, images: Any, epsilon: Any, label: Any = None) -> tf.Tensor:
        """log p(x, z) - log q(z|x) at the posterior's draws: nats ``[b, k]`` of images ``[b, h, w, c]``.

        ``epsilon`` ~ N(0, I), ``[b, k, epsilon_dim]``: k latents an image, which is encoded once. The mean over k of the
        exponentials estimates P(x) without bias (Burda et al. 2016, eq. 8).
        """
        return self.terms(images, epsilon, label).log_weight

    def elbo(self, images: np.ndarray, seed: int = 0, batch_size: int = 256, **conditions: Any) -> np.ndarray:
        """The evidence lower bound on log P of the discrete images, one latent sample each: float32 ``[n]`` nats.

        The weight of its KL is 1, whatever was trained.
        """
        log_likelihood, kl, _ = self.elbo_terms(images, seed, batch_size, **conditions)
        return log_likelihood - kl.sum(axis=-1)

    def elbo_terms(
        self, images: np.ndarray, seed: int = 0, batch_size: int = 256, **conditions: Any
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Of each image log p(x|z) ``[n]`` and KL by groups ``[n, groups]``, nats; the posterior's means ``[n, epsilon_dim]``.

        A group is a latent, the upper layer's first; of a mixture prior, whose KL does not split, all latents of the layer.
        """
        if self._terms_function is None:
            self._terms_function = tf.function(
                lambda x, label, e: self.terms(x, e[:, None], label), reduce_retracing=True
            )
        noise = draw({"epsilon": Normal((self.epsilon_dim,))}, len(images), seed)["epsilon"]
        terms = Terms(*self._in_batches(self._terms_function, images, batch_size, conditions, noise))
        return terms.log_likelihood[:, 0], terms.kl, terms.means

    def log_prob_bound(self, images: np.ndarray, k: int = 5_000, *, seed: int = 0, **conditions: Any) -> np.ndarray:
        """The bound on log P of k weighted latents an image (Burda et al. 2016): float64 ``[n]`` nats; the ELBO at k = 1."""
        images = self.image_spec.check(images)
        label = self._own_labels(conditions, len(images))
        rows = () if label is None else (label,)
        return importance_weighted_log_prob(self.log_weight, images, (self.epsilon_dim,), k, seed=seed, rows=rows)

    # --- training ---------------------------------------------------------------------------------------------------

    def call(self, inputs: Any, training: bool = False) -> Parts:
        """E_q[log p(x|z)] and KL(q || p), nats ``[b]`` each.

        Args:
            inputs: a batch, dict with ``"image"`` or images, which meets the call's own noise.
        """
        return self._terms_of(self.batch_of(inputs), training).parts()

    def _terms_of(self, batch: Mapping[str, Any], training: bool) -> Terms:
        images, count, label = batch["image"], self.objective.samples, self._label(batch)
        size = images.shape[0] or tf.shape(images)[0]
        shape = (self.epsilon_dim,) if count == 1 else (count, self.epsilon_dim)
        spec: dict[str, Any] = {"epsilon": Normal(shape)}
        if not (training and self.objective.resample):
            epsilon = self.call_noise(spec, size, training)["epsilon"]
            return self.terms(images, epsilon[:, None] if count == 1 else epsilon, label, training)
        noise = self.call_noise({**spec, "choice": Uniform((1,))}, size, training)
        return self.resampled_terms(images, noise["epsilon"], noise["choice"], label)

    def resampled_terms(self, images: Any, epsilon: Any, choice: Any, label: Any = None) -> Terms:
        """``terms`` of k draws whose gradient is that of one, which the uniform ``choice`` ``[b, 1]`` picks by its weight.

        The weighted bound's gradient is ``sum_i w~_i grad log w_i``, of which this is an estimate without bias: k passes forward,
        one back (Burda et al. 2016, section 3).
        """
        every = Terms(*map(tf.stop_gradient, self.terms(images, epsilon, label, training=True)))
        weight = self.objective.kl_weight(self._step())
        shares = tf.cumsum(tf.nn.softmax(every.log_likelihood - weight * every.log_ratio), axis=1)
        index = tf.reduce_sum(tf.cast(shares[:, :-1] <= choice, tf.int32), axis=1)
        one = self.terms(images, tf.gather(epsilon, index, batch_dims=1)[:, None], label, training=True)
        return Terms(
            every.log_likelihood + one.log_likelihood - tf.stop_gradient(one.log_likelihood),
            every.kl,
            every.log_ratio + one.log_ratio - tf.stop_gradient(one.log_ratio),
            every.means,
        )

    def _step(self) -> Any:
        """The training step that is being made, from 0: the count of calls has this one in it."""
        return self.training_calls.state.value[1] - 1

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> tf.Tensor:
        """The negative bound as the objective has it, this replica's share of the global mean."""
        terms = y_pred.terms
        log_likelihood, kl = terms.parts()
        self.reconstruction_tracker.update_state(-log_likelihood)
        self.kl_tracker.update_state(kl)
        self.active_units_tracker.update_state(terms.means)
        loss = self.objective.loss(terms, self._step(), training)
        for penalty in self.losses:
            loss += global_mean(penalty)
        return loss

    def fit(self, x: Any = None, y: Any = None, *arguments: Any, **kwargs: Any) -> keras.callbacks.History:
        """See ``GenerativeModel``; warns where the posterior has collapsed onto the prior, so that nothing is encoded.

        A ``PixelBias`` of the decoder starts at the mean of the images before the first step.
        """
        if not self.compiled:
            self.compile()
        if not self.steps_made():
            self.start_at_mean((self.decoder,), x, y)
        history = super().fit(x, y, *arguments, **kwargs)
        if history.history.get("active_units", [1.0])[-1] == 0.0:
            log.warning(
                "The posterior has collapsed: none of %s's %d latents depends on the image, and samples come from the decoder "
                "alone. Warm the KL up (warm_up=), give it free_bits=, or train longer at a smaller beta.",
                type(self).__name__,
                self.epsilon_dim,
            )
        return history


def _with(x: Any, label: Any) -> Any:
    """What a network with or without labels takes."""
    return x if label is None else [tf.convert_to_tensor(x), tf.convert_to_tensor(label)]
