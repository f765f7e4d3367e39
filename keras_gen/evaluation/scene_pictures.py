"""The pictures of a model that is told what to draw by a scene graph: graph, layout and image beside each other."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

from keras_gen.core.errors import InvalidInput
from keras_gen.core.pictures import check_png, image_grid, save_picture
from keras_gen.evaluation.scenes import graph_of, graph_rows
from keras_gen.evaluation.subject import Subject
from keras_gen.loading import load

ROWS, COLUMNS, IMAGES = 8, 8, 4
MOST_GRAPHS = 40  # of a picture


def scene_pictures(subject: Subject) -> dict[str, tuple[Image.Image, str]]:
    """Name -> picture and what it shows."""
    model, test, graph = subject.model, subject.test, graph_of(subject.model)
    rows = graph_rows(test, ROWS, subject.seed)
    graphs = test.features["graph"][rows]
    images = model.sample(ROWS * COLUMNS, seed=subject.seed, graph=np.repeat(graphs, COLUMNS, axis=0))
    shown = np.concatenate([test.images[rows][:, None], images.reshape(ROWS, COLUMNS, *images.shape[1:])], axis=1)
    grid = image_grid(shown.reshape(-1, *images.shape[1:]), model.image_spec, columns=COLUMNS + 1)
    drawn = {"graphs": (grid, f"left: {test.split} images; beside each, samples of its graph")}
    if hasattr(model, "predict_layout"):
        picture = drawn_graphs(model, graph.named(graphs[:4]), subject.seed)
        drawn["layouts"] = (picture, "scene graphs, where the model lays their objects, and four samples of each")
    return drawn


def draw_file(run: Any, file: str, out: Any, seed: int = 0) -> int:
    """The picture ``drawn_graphs`` of the graph, or the list of graphs, in a JSON file, by the model of a run, ``.keras`` file or
    preset, as a PNG; returns how many graphs there are.
    """
    check_png(out)
    model = load(run)
    kind = graph_of(model)
    if kind is None or not hasattr(model, "predict_layout"):
        raise InvalidInput(f"{run} holds a {type(model).__name__}, which is given no scene graph; name a run of sg2im.")
    given = kind.parse("graph", file)
    graphs = kind.named(kind.check("graph", [given] if isinstance(given, Mapping) else given))
    if len(graphs) > MOST_GRAPHS:
        raise InvalidInput(f"{file} holds {len(graphs)} graphs; one picture shows at most {MOST_GRAPHS}.")
    save_picture(drawn_graphs(model, graphs, seed), out)
    return len(graphs)


def drawn_graphs(model: Any, graphs: Sequence[Mapping[str, list]], seed: int = 0) -> Image.Image:
    """A row a graph of names: the graph, the boxes and masks that the model gives its objects, and ``IMAGES`` samples."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure  # not pyplot: no display, no global state

    rows = model.condition_spec()["graph"].check("graph", list(graphs))
    boxes, masks = model.predict_layout(rows)
    images = model.sample(len(rows) * IMAGES, seed=seed, graph=np.repeat(rows, IMAGES, axis=0))
    images = images.reshape(len(rows), IMAGES, *images.shape[1:])
    figure = Figure(figsize=(3.2 + 2 * (1 + IMAGES), 2.4 * len(rows)), dpi=80, layout="constrained")
    grid = figure.subplots(len(rows), 2 + IMAGES, squeeze=False, width_ratios=[1.7, *[1] * (1 + IMAGES)])
    top = model.image_spec.levels - 1
    for line, graph, own_boxes, own_masks, samples in zip(grid, graphs, boxes, masks, images, strict=True):
        draw_graph(line[0], graph)
        draw_layout(line[1], graph, own_boxes, own_masks)
        for axes, image in zip(line[2:], samples, strict=True):
            shown = image[..., 0] if image.shape[-1] == 1 else image
            axes.imshow(shown / top, cmap="gray", vmin=0, vmax=1)
            axes.set_axis_off()
    for axes, title in zip(grid[0], ("graph", "layout", *["sample"] * IMAGES), strict=True):
        axes.set_title(title, fontsize=9)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3])


def colour_of(place: int) -> Any:
    """Of the object at this place of a graph, wherever it is drawn."""
    from matplotlib import colormaps

    return colormaps["tab10"](place % 10)


def draw_graph(axes: Any, graph: Mapping[str, list]) -> None:
    """Objects round a circle, an arrow from subject to object for each relation."""
    objects = graph["objects"]
    angles = np.pi / 2 - 2 * np.pi * np.arange(len(objects)) / len(objects)
    places = np.stack([np.cos(angles), np.sin(angles)], axis=1) * (0 if len(objects) == 1 else 1)
    for s, name, o in graph.get("relations", ()):
        axes.annotate(
            "",
            xy=places[o],
            xytext=places[s],
            arrowprops={"arrowstyle": "->", "color": "0.5", "shrinkA": 12, "shrinkB": 12},
        )
        axes.text(*(0.58 * places[s] + 0.42 * places[o]), name, fontsize=6, color="0.3", ha="center", va="center")
    for number, (name, place) in enumerate(zip(objects, places, strict=True)):
        box = {"boxstyle": "round", "facecolor": "white", "edgecolor": colour_of(number)}
        axes.text(*place, name, fontsize=7, ha="center", va="center", bbox=box)
    axes.set(xlim=(-1.7, 1.7), ylim=(-1.35, 1.35))
    axes.set_axis_off()


def draw_layout(axes: Any, graph: Mapping[str, list], boxes: np.ndarray, masks: np.ndarray) -> None:
    """The boxes ``[most, 4]`` of a graph's objects, filled where their masks ``[most, m, m]`` are, in a picture of side 1."""
    for number in range(len(graph["objects"])):
        (x0, y0, x1, y1), colour = boxes[number], colour_of(number)
        if x1 > x0 and y1 > y0:
            filled = np.zeros((*masks.shape[1:], 4))
            filled[..., :3], filled[..., 3] = colour[:3], 0.7 * masks[number]
            axes.imshow(filled, extent=(x0, x1, y1, y0), interpolation="bilinear")
        axes.plot([x0, x1, x1, x0, x0], [y0, y0, y1, y1, y0], color=colour, linewidth=1)
    axes.set(xlim=(0, 1), ylim=(1, 0), xticks=[], yticks=[], aspect="equal")
