"""What is being measured, against what, and what several metrics share of the work."""

import dataclasses
import functools
from typing import Any

import numpy as np

from keras_gen.core.errors import InvalidInput
from keras_gen.core.image_data import ImageData
from keras_gen.evaluation.translation import Backwards
from keras_gen.metrics.estimate import spelled
from keras_gen.metrics.features import ANY_IMAGES, FeatureSpace, Read, feature_space


@dataclasses.dataclass(eq=False)
class Subject:
    """A model (or artifact) and the images that it is held against.

    Args:
        model: anything that is a ``Sampler`` with an ``image_spec``.
        train, test: images that it was and was not trained on.
        real: those of the two (or a third split) that samples are compared with.
        samples: how many are drawn.
        space: of the features.
        seed: of all noise and all random subsets.
        options: of single metrics.
        validation: held-out images that a metric may choose its own settings on; None where none were given.
    """

    model: Any
    train: ImageData
    test: ImageData
    real: ImageData
    samples: int
    space: FeatureSpace
    seed: int
    options: dict[str, Any] = dataclasses.field(default_factory=dict)
    validation: ImageData | None = None

    @functools.cached_property
    def fakes(self) -> np.ndarray:
        """The samples, uint8 ``[samples, h, w, c]``: of a model that is given images, its answers to ``source_rows``."""
        return self.model.sample(self.samples, seed=self.seed, **self.shown_conditions(self.samples))

    def shown_conditions(self, count: int) -> dict[str, np.ndarray]:
        """Of so many samples: what the model is given beside noise, the test images' own where it has no default."""
        return self.model.shown_conditions(count, self.seed, self.test)

    @functools.cached_property
    def source_rows(self) -> np.ndarray:
        """Rows of the test sources that the samples are made of."""
        return np.resize(self.test.random_rows(self.samples, self.seed, "source"), self.samples)

    @functools.cached_property
    def backwards(self) -> "Subject":
        """The model's way from images back to sources, and the data the other way round."""
        sides = {name: getattr(self, name) for name in ("train", "test", "real", "validation")}
        turned = {name: data and data.reversed() for name, data in sides.items()}
        for name in ("train", "test"):  # one object again: which it is decides what scores beside it
            if self.real is sides[name]:
                turned["real"] = turned[name]
        count = min(self.samples, len(turned["real"].images), len(turned["test"].features["source"]))
        space = self.space
        try:
            space.check(turned["test"].image_spec)
        except InvalidInput:  # a classifier of the images, which cannot read the sources
            space = feature_space(ANY_IMAGES)
        return dataclasses.replace(self, model=Backwards(self.model), samples=count, space=space, **turned)

    @functools.cached_property
    def reals(self) -> np.ndarray:
        """A random subset of as many real images."""
        return self.real.random_subset(self.samples, self.seed).images

    @functools.cached_property
    def others(self) -> np.ndarray | None:
        """As many real images of another split (what a perfect model would draw), or None where it holds fewer."""
        other = self.test if self.real is self.train else self.train
        return other.random_subset(self.samples, self.seed).images if len(other.images) >= self.samples else None

    @functools.cached_property
    def fake_read(self) -> Read:
        """Features and probabilities of the samples."""
        return self._read(self.fakes, "the samples")

    @functools.cached_property
    def real_read(self) -> Read:
        """Of the real images."""
        return self._read(self.reals, f"the {self.real.split} images")

    @functools.cached_property
    def other_read(self) -> Read | None:
        """Of the other split's."""
        return None if self.others is None else self._read(self.others, "the other images")

    def _read(self, images: np.ndarray, what: str) -> Read:
        found = self.space.read(images, self.real.image_spec)
        if bad := int((~np.isfinite(found.features)).any(axis=1).sum()):
            raise InvalidInput(f"{self.space.label} gives {bad} of {what} features that are NaN or infinite.")
        return found

    @functools.cached_property
    def latent_terms(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """A VAE's ``elbo_terms`` of the test images, float64."""
        found = self.model.elbo_terms(self.test.images, seed=self.seed, **self.conditions(self.test))
        return tuple(np.asarray(part, np.float64) for part in found)

    @property
    def tail(self) -> str:
        """The end of a metric's name: sample count, split, feature space."""
        return f"{spelled(self.samples)}_{self.real.split}_{self.space.label}"

    def conditions(self, data: ImageData, rows: Any = slice(None)) -> dict[str, np.ndarray]:
        """What the model wants to know beside an image: the data's labels, say."""
        return {name: data.features[name][rows] for name, kind in self.model.condition_spec().items() if kind.of_data}
