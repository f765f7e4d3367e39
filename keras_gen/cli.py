"""The command ``keras-gen``: reads arguments and calls the runner. Nothing heavy is imported before it is needed."""

import functools
import json
import logging
import os
from collections.abc import Callable
from typing import Any

import click

import keras_gen
from keras_gen.core.checks import LARGEST_SEED
from keras_gen.core.errors import ExportFailed, InvalidInput, OutputFailed, TrainingDiverged
from keras_gen.core.files import check_name
from keras_gen.core.input_kinds import INPUT_KINDS, texts_of


class _Name(click.ParamType):
    """A path, or a name that may hold one (``image_folder:PATH``): refused at once if no file system could take it."""

    name = "path"

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> str:
        """The text as it was given."""
        check_name(value)
        return value


_PATH, _NAME = _Name(), _Name()
_SEEDS = click.IntRange(0, LARGEST_SEED)


class CleanErrors(click.Group):
    """Turns the project's own errors into one line and exit status 2; anything else is a defect and keeps its traceback."""

    def invoke(self, context: click.Context) -> Any:
        """Runs the command."""
        try:
            return super().invoke(context)
        except (InvalidInput, OutputFailed, TrainingDiverged, ExportFailed) as error:
            # Names of files may hold bytes that no terminal shows.
            click.echo(f"error: {error}".encode("utf-8", "backslashreplace").decode(), err=True)
            context.exit(2)


@click.group(cls=CleanErrors, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(keras_gen.__version__, prog_name="keras-gen")
def main() -> None:
    """Generative models for Keras 3: train a recipe, sample, measure, export and prove the export."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")


def _download(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option("--download", is_flag=True, help="Allow downloading the data set if it is not prepared.")(
        command
    )


@main.command("list")
def list_() -> None:
    """The recipes, data sets and export formats there are."""
    from keras_gen import data, runner
    from keras_gen.recipes import catalogue

    catalogue.show()
    click.echo()
    click.echo("Presets: preset:NAME in place of RUN, in every command that takes one")
    click.echo(f"Data sets: {', '.join(data.SOURCES)} (image_folder:PATH[?size=64])")
    click.echo(f"Export formats: {', '.join(runner.FORMATS)}")


@main.command()
@click.argument("recipe")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Change a setting; may be repeated.")
@click.option("--data", type=_NAME, metavar="NAME", help="Train on another data set.")
@click.option("--out", type=_PATH, help="Run folder  [default: runs/RECIPE-TIME]")
@click.option("--resume", is_flag=True, help="Go on from the newest checkpoint in --out.")
@click.option("--dry-run", is_flag=True, help="Print every resolved setting and stop.")
@click.option("--fit-only", is_flag=True, help="Leave out the report and the export.")
@click.option("--tensorboard", is_flag=True, help="Also write event files for TensorBoard into the run folder.")
@_download
def train(recipe: str, settings: tuple[str, ...], data: str | None, dry_run: bool, **options: Any) -> None:
    """Train RECIPE, measure it and export it, into one run folder."""
    from keras_gen import runner

    given = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals:
            raise InvalidInput(f"--set {setting} has no '='; write --set KEY=VALUE.")
        given[key] = value
    if dry_run:
        click.echo(json.dumps(runner.resolve(recipe, given, data), indent=2, allow_nan=False))
        return
    if options["resume"] and not options["out"]:
        raise InvalidInput("--resume needs to know which run: give its folder as --out.")
    folder = runner.train(recipe, given, data=data, **options)
    if not options["fit_only"]:
        _print_report(json.loads((folder / "report.json").read_text(encoding="utf-8")))
    click.echo(f"Run folder: {folder}")


def _conditions(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--condition NAME=VALUE`` and the shorthands of the kinds of inputs, as the one argument ``conditions``: name -> text."""
    shorthands = INPUT_KINDS.shorthands

    @functools.wraps(command)
    def gathered(condition: tuple[str, ...], **options: Any) -> Any:
        words = {name: options.pop(f"condition_{name}") for name in shorthands}
        return command(conditions=texts_of(words, condition), **options)

    text = "What all images are drawn under, for models that take a condition; may be repeated."
    gathered = click.option("--condition", multiple=True, metavar="NAME=VALUE", help=text)(gathered)
    for name, shorthand in shorthands.items():
        gathered = click.option(f"--{name}", f"condition_{name}", metavar=shorthand.value, help=shorthand.help)(
            gathered
        )
    return gathered


@main.command()
@click.argument("run", type=_PATH)
@click.option("-n", default=64, show_default=True, help="How many images.")
@click.option("--seed", type=_SEEDS, default=0, show_default=True, help="A seed gives the same images everywhere.")
@click.option("--out", type=_PATH, required=True, help="The PNG file to write.")
@_conditions
def sample(run: str, n: int, seed: int, out: str, conditions: dict[str, str]) -> None:
    """Draw images of RUN (a run folder, a .keras file or preset:NAME) into one picture."""
    from keras_gen import runner

    click.echo(f"Wrote {runner.sample(run, n, seed, out, conditions)}")


@main.command()
@click.argument("target", metavar="RUN_OR_ARTIFACT", type=_PATH)
@click.option("--images", type=_PATH, required=True, help="Folder of the pictures, or one picture, of any sizes.")
@click.option("--out", type=_PATH, required=True, help="Folder that the translations are written to, as PNG.")
@click.option("--direction", metavar="ab|ba", help="Which way, of a CycleGAN  [default: ab]")
@click.option("--deterministic", is_flag=True, help="pix2pix: leave its dropout out.")
@click.option("--overlap", type=click.IntRange(min=0), help="Pixels that tiles share  [default: a quarter of a tile]")
@click.option("--seed", type=_SEEDS, default=0, show_default=True, help="Of the noise: a seed gives the same pictures.")
@_conditions
def translate(
    target: str, images: str, out: str, deterministic: bool, conditions: dict[str, str], **options: Any
) -> None:
    """Turn pictures into others by a pix2pix or CycleGAN: a run, a .keras file, preset:NAME or an exported artifact."""
    from keras_gen import picture_translation

    given = {**conditions, **({"deterministic": "1"} if deterministic else {})}
    written = picture_translation.translate(target, images, out, conditions=given, **options)
    click.echo(f"Wrote {len(written)} pictures to {out}.")


@main.command()
@click.argument("target", metavar="RUN_OR_ARTIFACT", type=_PATH)
@click.option("--metrics", metavar="NAMES", help="Names of metrics, separated by commas  [default: all that apply]")
@click.option("--samples", type=click.IntRange(min=4), help="How many samples to measure  [default: the recipe's]")
@click.option(
    "--reference",
    type=_NAME,
    metavar="SPLIT",
    help="Split that samples are compared with  [default: test, if large enough]",
)
@click.option(
    "--features",
    type=_NAME,
    metavar="NAME",
    help="Feature space, as random_conv, classifier_mnist, inception_v3:WEIGHTS.h5.",
)
@click.option("--data", type=_NAME, metavar="NAME", help="Data set to measure on  [default: the recipe's]")
@click.option("--out", type=_PATH, help="Folder of the report  [default: RUN, or ARTIFACT-report]")
@click.option("--seed", type=_SEEDS, default=0, show_default=True)
@_download
def evaluate(target: str, metrics: str | None, **options: Any) -> None:
    """Measure a run or an exported artifact: writes report.json, report.html and pictures and prints the table."""
    from keras_gen import runner

    names = [name.strip() for name in metrics.split(",")] if metrics is not None else None
    _print_report(runner.evaluate(target, metrics=names, **options))


@main.command()
@click.argument("run", type=_PATH)
@click.option("--to", "formats", default="saved_model,onnx", show_default=True, help="Formats, separated by commas.")
@click.option("--out", type=_PATH, help="Artifact folder  [default: RUN/artifact]")
def export(run: str, formats: str, out: str | None) -> None:
    """Export RUN as SavedModel and ONNX; written only if the files, loaded back, agree with the model."""
    from keras_gen import runner

    _print_parity(runner.export(run, [name.strip() for name in formats.split(",")], out)["parity"])


@main.command()
@click.argument("artifact", type=_PATH)
def verify(artifact: str) -> None:
    """Check an exported ARTIFACT: checksums of all files, then its numbers against the ones stored at export."""
    from keras_gen.exporters.parity import verify as check

    found = check(artifact)
    _print_parity(found["formats"])
    click.echo(f"verified: {found['files']} files of {found['artifact']} ({found['model']})")


@main.command()
@click.argument("artifacts", metavar="ARTIFACT...", nargs=-1, required=True, type=_NAME)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at; others can reach 0.0.0.0.")
@click.option("--port", type=click.IntRange(0, 65535), default=8501, show_default=True, help="0: one that is free.")
@click.option("--threads", type=click.IntRange(1, 1024), default=1, show_default=True, help="Of one run of a model.")
@click.option("--batch", type=click.IntRange(1, 4096), default=64, show_default=True, help="Most images of one run.")
@click.option("--waiting", type=click.IntRange(1), default=1024, show_default=True, help="Most images asked at a time.")
@click.option("--body", type=click.IntRange(1, 1024), default=8, show_default=True, help="Longest request, in MiB.")
@click.option(
    "--poll",
    type=click.FloatRange(0.05, 86400),
    default=2.0,
    show_default=True,
    help="Seconds between looks for new versions.",
)
def serve(artifacts: tuple[str, ...], batch: int, waiting: int, body: int, poll: float, **options: Any) -> None:
    """Serve exported artifacts over HTTP with ONNX Runtime, without TensorFlow, for trying things and small loads.

    ARTIFACT is FOLDER or NAME=FOLDER: what keras-gen export wrote, or a folder of versions 1, 2 ... of which the newest is
    served as soon as it is there. TensorFlow Serving's REST below /v1, KServe's protocol below /v2, pictures at
    /models/NAME/sample.png?seed=0&n=16, counters at /metrics, the description of all at /openapi.json.
    """
    try:
        from keras_gen.serving import limits, server
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] not in ("starlette", "uvicorn", "prometheus_client", "h11"):
            raise
        raise InvalidInput(f"Serving needs {error.name}; run: pip install 'keras_gen[serve]'") from error
    bounds = limits.Limits(
        run_rows=batch,
        waiting_rows=waiting,
        body_bytes=body * limits.MIB,
        held_bytes=4 * body * limits.MIB,
        poll_seconds=poll,
    )
    server.serve(artifacts, limits=bounds, say=click.echo, **options)


@main.group()
def latent() -> None:
    """Draw a latent space: walks, single dimensions, the plane, sums of concepts.

    For models that take a latent vector z, such as VAE and GAN.
    """


def _integers(_: click.Context, option: click.Parameter, text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    try:
        return tuple(int(word) for word in text.split(",")) if text.strip() else ()
    except ValueError as error:
        given = f"{option.opts[0]} {text!r}"
        raise InvalidInput(f"{given} is no list of integers; separate them by commas: 3,17,41.") from error


_RUN = click.argument("run", type=_PATH)
_PICTURE = click.option("--out", type=_PATH, required=True, help="The PNG file to write.")
_SEED = click.option(
    "--seed", type=_SEEDS, default=0, show_default=True, help="Of the noise: a seed gives the same picture."
)


@main.command()
@_RUN
@click.argument("file", metavar="FILE.json")
@_PICTURE
@_SEED
def graphs(run: str, file: str, out: str, seed: int) -> None:
    """Draw the scene graphs in FILE.json, one or a list: graph, layout and four samples of RUN side by side."""
    from keras_gen.evaluation import scene_pictures

    click.echo(f"Wrote {out}: {scene_pictures.draw_file(run, file, out, seed)} graphs.")


@latent.command()
@_RUN
@_PICTURE
@click.option("--pairs", default=6, show_default=True, help="How many walks, one a row.")
@click.option("--steps", default=10, show_default=True, help="Images a walk, ends included.")
@click.option("--path", metavar="NAME", help="linear or spherical  [default: spherical; of uniform noise linear]")
@_SEED
@_conditions
def interpolate(run: str, out: str, **options: Any) -> None:
    """Walk between pairs of noise points."""
    from keras_gen.evaluation import latent_pictures

    click.echo(f"Wrote {out}: {latent_pictures.interpolate(run, out, **options)}.")


@latent.command()
@_RUN
@_PICTURE
@click.option("--from", "first", metavar="TEXT", required=True, help="The sentence to begin with.")
@click.option("--to", "second", metavar="TEXT", required=True, help="The sentence to end with.")
@click.option("--rows", default=6, show_default=True, help="How many walks, each of noise of its own.")
@click.option("--steps", default=8, show_default=True, help="Images a walk, ends included.")
@_SEED
def captions(run: str, out: str, **options: Any) -> None:
    """Walk from one sentence to another, of a model of text to images (Reed et al. 2016, figure 8)."""
    from keras_gen.evaluation import latent_pictures

    click.echo(f"Wrote {out}: {latent_pictures.captions(run, out, **options)}.")


@latent.command()
@_RUN
@_PICTURE
@click.option("--dimensions", callback=_integers, metavar="I,J,...", help="Which, from 0  [default: the first ten]")
@click.option("--steps", default=10, show_default=True, help="Images a dimension.")
@click.option("--reach", default=3.0, show_default=True, help="Normal noise goes from -REACH to REACH.")
@_SEED
@_conditions
def traverse(run: str, out: str, **options: Any) -> None:
    """Move single dimensions of z, one a row; the rest stays one draw."""
    from keras_gen.evaluation import latent_pictures

    click.echo(f"Wrote {out}: {latent_pictures.traverse(run, out, **options)}.")


@latent.command()
@_RUN
@_PICTURE
@click.option("--side", default=20, show_default=True, help="Images a side.")
def manifold(run: str, out: str, **options: Any) -> None:
    """Decode the plane of a 2-d latent, evenly in probability."""
    from keras_gen.evaluation import latent_pictures

    click.echo(f"Wrote {out}: {latent_pictures.manifold(run, out, **options)}.")


@latent.command()
@_RUN
@_PICTURE
@click.option("--plus", callback=_integers, required=True, metavar="I,J,K", help="Draws that show the first concept.")
@click.option("--minus", callback=_integers, required=True, metavar="I,J,K", help="Draws of what is taken from it.")
@click.option("--add", callback=_integers, required=True, metavar="I,J,K", help="Draws of what is added.")
@click.option("--draws", default=100, show_default=True, help="From how many draws of the seed they are chosen.")
@click.option("--scale", default=0.25, show_default=True, help="How far the neighbours of the sum may lie from it.")
@_SEED
@_conditions
def arithmetic(run: str, out: str, **options: Any) -> None:
    """Add and subtract concepts, each the mean of a few draws (Radford et al. 2016, figure 7).

    Choose the draws from the report's pictures/samples.png, which shows those of seed 0, ten a row: row r, column c, both
    from 0, is draw 10 r + c.
    """
    from keras_gen.evaluation import latent_pictures

    click.echo(f"Wrote {out}: {latent_pictures.arithmetic(run, out, **options)}.")


@latent.command()
@_RUN
@_PICTURE
@click.option("--probe", type=_PATH, required=True, help="Run of a classifier of the same images.")
@click.option("--from", "source", type=int, required=True, help="Its label of the samples that are moved.")
@click.option("--to", "target", type=int, required=True, help="Its label of what they become.")
@click.option("--rows", default=6, show_default=True, help="Samples, one a row.")
@click.option("--steps", default=6, show_default=True, help="Images a row.")
@click.option("--draws", default=2000, show_default=True, help="Among how many draws the probe looks for samples.")
@click.option("--reach", default=1.0, show_default=True, help="Times the vector that the last step adds.")
@_SEED
@_conditions
def attribute(run: str, out: str, **options: Any) -> None:
    """Move an attribute by the difference of two means, of samples that a classifier chose (Radford et al. 2016, 6.3.2).

    And tell how often the classifier then finds the other one.
    """
    from keras_gen.evaluation import latent_pictures

    click.echo(f"Wrote {out}: {latent_pictures.attribute(run, out, **options)}.")


@main.group()
def preset() -> None:
    """Trained models that come with the package; every command that takes RUN takes preset:NAME."""


@preset.command("draw")
@click.option("--out", type=_PATH, required=True, help="Folder of the pictures, NAME.png each.")
@click.option("-n", default=64, show_default=True, help="Images of each.")
@click.option("--seed", type=_SEEDS, default=0, show_default=True, help="A seed gives the same images everywhere.")
def draw_presets(out: str, n: int, seed: int) -> None:
    """Draw a grid of every preset; of those that make images of other images, where their test data are here."""
    from keras_gen import presets, runner

    for name in presets.names():
        made = runner.draw_preset(name, n, seed, os.path.join(out, f"{name}.png"))
        missing = f"Left out preset:{name}: the test images that it would be shown are not on this machine"
        click.echo(missing if made is None else f"Wrote {made}")


@preset.command("make")
@click.argument("run", type=_PATH)
@click.option("--name", help="Of the preset  [default: the recipe's]")
@_download
def make_preset(run: str, name: str | None, download: bool) -> None:
    """Write RUN's model, kernels rounded to bfloat16, into this package as preset:NAME, measured as it is written."""
    from keras_gen import preset_making

    card = preset_making.make(run, name, download=download)
    _print_report(json.loads(card.read_text(encoding="utf-8"))["report"])
    click.echo(f"Wrote {card.with_suffix('.keras')} and {card.name}")


@main.command()
@click.argument("runs", nargs=-1, type=_PATH)
@click.option("--folder", type=_PATH, help="Also keep the runs' reports and pictures in this folder.")
@click.option("--out", type=_PATH, help="Write the table of all reports in --folder as Markdown to this file.")
def results(runs: tuple[str, ...], folder: str | None, out: str | None) -> None:
    """The table of measured numbers: of RUNS on the terminal, of all kept reports as Markdown."""
    from keras_gen.evaluation import results_table

    results_table.update(runs, folder, out)


def _print_report(report: dict[str, Any]) -> None:
    from keras_gen.evaluation.results_table import print_table

    print_table([report])


def _print_parity(parity: dict[str, Any]) -> None:
    for format_, endpoints in parity.items():
        for endpoint, found in endpoints.items():
            click.echo(
                f"{format_:12}{endpoint:10} agrees with the model at batch sizes {found['batch_sizes']}: largest error "
                f"{found['max_abs_error']:.2g}, {found['differing_fraction']:.2%} of values differ by a level"
            )


if __name__ == "__main__":
    main()
