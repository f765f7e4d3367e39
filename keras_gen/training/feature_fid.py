"""The Frechet distance to held-out images while a model trains, and the best model so far."""

import math
import os
from pathlib import Path

import keras

from keras_gen.core.checks import integer
from keras_gen.core.files import check_file, written_beside
from keras_gen.core.image_data import ImageData
from keras_gen.metrics.estimate import spelled
from keras_gen.metrics.features import default_space, feature_space
from keras_gen.metrics.frechet import frechet_distance
from keras_gen.metrics.moments import Moments


class FeatureFID(keras.callbacks.Callback):
    """Logs the FID (Heusel et al. 2017) of samples against held-out images after every ``every`` epochs and the last one.

    The log is called by its protocol, ``val_fid2k_classifier-mnist``: 2,000 samples, as many validation images, the features
    of this project's classifier. Fewer samples give a larger distance: compare it with itself alone, and a report's, on test
    images, with other models'. A pure function of the model and the seed, which leaves training as it was.

    Callbacks after this one in the list see the number (``EarlyStopping(fid.metric)``).

    Args:
        held_out: images that are neither trained nor reported on.
        every: epochs from one to the next.
        samples: at most; no more than there are held-out images.
        features: the feature space, by name; None for ``default_space`` of the data set.
        seed: of the noise, and of the images' random subset.
        keep: a ``.keras`` file that is to hold the model of the smallest distance; None keeps none.
        best: the smallest distance of earlier trainings of the model.
    """

    def __init__(
        self,
        held_out: ImageData,
        every: int = 1,
        *,
        samples: int = 2_000,
        features: str | None = None,
        seed: int = 0,
        keep: str | os.PathLike | None = None,
        best: float = math.inf,
    ):
        super().__init__()
        self.every = integer("every", every, 1)
        self.held_out = held_out.random_subset(integer("samples", samples, 2), seed)
        self.space = feature_space(features or default_space(held_out.name))
        self.space.check(held_out.image_spec)
        self.seed, self.best = seed, best
        self.keep = None if keep is None else check_file(Path(keep))
        self.metric = f"val_fid{spelled(len(self.held_out))}_{self.space.label}"

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Reads the held-out images."""
        self.reference = self._moments(self.held_out.images)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Measures where it is time to."""
        done, count = epoch + 1, len(self.held_out)
        if (done % self.every and done != self.params.get("epochs")) or logs is None:
            return
        conditions = self.model.shown_conditions(count, self.seed, self.held_out)
        fakes = self.model.sample(count, seed=self.seed, **conditions)
        logs[self.metric] = distance = frechet_distance(self.reference, self._moments(fakes))
        if distance < self.best:
            self.best = distance
            if self.keep is not None:
                with written_beside(self.keep) as beside:
                    self.model.save(beside)

    def _moments(self, images: object) -> Moments:
        return Moments.of(self.space.read(images, self.held_out.image_spec).features)
