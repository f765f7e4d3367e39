"""What a case is: one tiny real configuration of a model, and what it is trained on."""

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
