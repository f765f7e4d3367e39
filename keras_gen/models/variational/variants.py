"""Papers' names for some choices among a VAE's parts. Every other argument is ``VAE``'s."""

from collections.abc import Sequence
from typing import Any

import keras

from keras_gen.core.image_spec import ImageSpec
from keras_gen.models.variational.autoregressive_likelihood import AutoregressiveLikelihood
from keras_gen.models.variational.vae import VAE


@keras.saving.register_keras_serializable("keras_gen")
class BetaVAE(VAE):
    """Higgins et al. 2017: the KL weighs ``beta`` times. Below 1, what is trained is no bound; what is reported always is."""

    def __init__(
        self, image_spec: ImageSpec | Sequence[int], latent_dim: int = 10, *, beta: float = 4.0, **kwargs: Any
    ):
        super().__init__(image_spec, latent_dim, beta=beta, **kwargs)


@keras.saving.register_keras_serializable("keras_gen")
class ConditionalVAE(VAE):
    """Kingma et al. 2014 (M2 with labels given) and Sohn et al. 2015: q(z|x,y), p(x|z,y); bounds are on log P(x|y)."""

    def __init__(
        self, image_spec: ImageSpec | Sequence[int], latent_dim: int = 50, *, classes: int = 10, **kwargs: Any
    ):
        super().__init__(image_spec, latent_dim, classes=classes, **kwargs)


@keras.saving.register_keras_serializable("keras_gen")
class IWAE(VAE):
    """Burda et al. 2016: trained on the importance-weighted bound of ``samples`` draws an image."""

    def __init__(
        self,
        image_spec: ImageSpec | Sequence[int],
        latent_dim: int = 50,
        *,
        samples: int = 50,
        bound: str = "iwae",
        **kwargs: Any,
    ):
        super().__init__(image_spec, latent_dim, samples=samples, bound=bound, **kwargs)


@keras.saving.register_keras_serializable("keras_gen")
class VampVAE(VAE):
    """Tomczak and Welling 2018: a prior made of the posteriors of ``components`` learnt pseudo-images."""

    def __init__(
        self,
        image_spec: ImageSpec | Sequence[int],
        latent_dim: int = 40,
        *,
        prior: str = "vamp",
        components: int = 500,
        **kwargs: Any,
    ):
        super().__init__(image_spec, latent_dim, prior=prior, components=components, **kwargs)


@keras.saving.register_keras_serializable("keras_gen")
class HierarchicalVAE(VAE):
    """Two layers of latents, inferred from above as in Tomczak and Welling 2018, or from below as in Burda et al. 2016."""

    def __init__(
        self,
        image_spec: ImageSpec | Sequence[int],
        latent_dim: int = 40,
        *,
        hierarchy: str = "top_down",
        lower_latent_dim: int = 40,
        **kwargs: Any,
    ):
        super().__init__(image_spec, latent_dim, hierarchy=hierarchy, lower_latent_dim=lower_latent_dim, **kwargs)


@keras.saving.register_keras_serializable("keras_gen")
class PixelVAE(VAE):
    """Gulrajani et al. 2017: a decoder that draws pixel after pixel, given those before and z (``AutoregressiveLikelihood``).

    The first seven arguments are that class'. ``warm_up`` or ``free_bits`` help latents into use before the pixels do without.
    """

    def __init__(
        self,
        image_spec: ImageSpec | Sequence[int],
        latent_dim: int = 32,
        *,
        filters: int = 24,
        blocks: int = 2,
        first_kernel: int = 7,
        kernel_size: int = 3,
        head: int | None = None,
        maps: int | None = None,
        output: str | None = None,
        mixtures: int = 5,
        **kwargs: Any,
    ):
        sizes = {"first_kernel": first_kernel, "kernel_size": kernel_size, "head": head, "maps": maps}
        pixels = AutoregressiveLikelihood(filters, blocks, **sizes, output=output, mixtures=mixtures)
        super().__init__(image_spec, latent_dim, likelihood=pixels, **kwargs)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        config = {**super().get_config(), **self.distribution.settings()}
        return {name: value for name, value in config.items() if name != "likelihood"}
