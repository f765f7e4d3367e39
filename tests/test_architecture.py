"""The floor plan as a fact: every import goes down, none sideways, none in a circle."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "keras_gen"

# The house, from the ground up: a list of floors, each a list of its rooms in order, each room a list of files. Position
# gives the height: a file may import what stands in a room before its own, never its room-mates, never what comes later.
# A file's room is that of its longest matching prefix.
FLOORS = [
    [  # 0: core: imports nothing of the project
        [
            "core.errors",
        ],
        [
            "core.backend",
            "core.tiles",
            "core.finite",
            "core.given_network",
            "core.checks",
            "core.registry",
            "core.exchange",
            "core.lab",
            "core.locks",
            "core.own_functions",
            "core.resizing",
        ],
        [
            "core.files",
            "core.input_kinds",
        ],
        [
            "core.image_spec",
        ],
        [
            "core.inputs",
        ],
        [
            "core.captions",
            "core.noise",
            "core.image_data",
            "core.pictures",
        ],
        [
            "core.endpoint",
            "core.sampler",
            "core.border",
            "core.graphs",
            "core.replicas",
        ],
        [
            "core.completion",
            "core.translation",
        ],
    ],
    [  # 1: layers, losses, metrics, data
        [
            "layers.causal",
            "layers.dropout",
            "layers.invertible",
            "layers.lstm_scan",
            "layers.matrix_convolution",
            "layers.batch_normalization",
            "layers.resampling_convolution",
            "losses.likelihoods",
            "losses.adversarial",
            "losses.orthogonality",
            "metrics.estimate",
            "metrics.feature_sets",
            "data.__init__",
            "data.folder_layout",
            "data.image_files",
            "data.options",
            "data.edges",
            "data.drawing",
            "data.relations",
            "presets",
        ],
        [
            "layers.masked_convolution",
            "layers.coupling",
            "losses",
            "metrics.features",
            "metrics.moments",
            "metrics.precision_recall",
            "data.decoding",
            "data.scenes",
            "data.tensorflow_datasets",
        ],
        [
            "data.annotations",
            "data.captioned_sets",
            "data.graph_making",
            "data.scene_captions",
        ],
        [
            "data.scene_graphs",
        ],
        [
            "layers",
            "metrics",
            "losses.decoder_likelihoods",
            "data",
        ],
        [
            "layers.causal_pyramid",
            "layers.self_attention",
        ],
    ],
    [  # 2: networks, training
        [
            "networks.class_conditioning",
            "networks.labelled",
            "networks.residual",
            "training",
        ],
        [
            "networks",
        ],
        [
            "networks.encoder_decoder",
            "networks.gan_pairs",
        ],
    ],
    [  # 3: models
        [
            "models.requirements",
            "models.batch_methods",
        ],
        [
            "models.generative_model",
            "models.adversarial.turns",
            "models.adversarial.growth",
            "models.conditional.choices",
            "models.adversarial.conditional_networks",
            "models.adversarial.constraints",
            "models.adversarial.papers",
            "models.autoregressive.cached_sampler",
            "models.translation.image_pool",
            "models.translation.predictions",
            "models.flows.multi_scale",
            "models.variational.code_density",
            "models.variational.priors",
            "models.variational.objective",
            "models.variational.stochastic_layers",
        ],
        [
            "models.adversarial.adversarial_model",
            "models.autoregressive.autoregressive_model",
            "models.flows.flow_model",
            "models.variational.autoregressive_likelihood",
            "models.variational.latent_model",
        ],
        [
            "models.variational.variational_model",
        ],
        [
            "models.variational.vae",
            "models.adversarial.gan",
        ],
        [
            "models.translation.translation_model",
            "models.classifier",
            "models.conditional.captions",
        ],
        [
            "models.conditional.text_encoder",
        ],
        [
            "models.conditional.text_to_image",
        ],
        [
            "models",
        ],
        [
            "loading",
        ],
    ],
    [  # 4: evaluation, exporters
        [
            "evaluation",
            "exporters.float32_twin",
            "exporters.manifest_fields",
            "exporters.formats",
            "exporters.conversion",
        ],
        [
            "evaluation.latent_arithmetic",
            "evaluation.latent_attributes",
            "evaluation.results_table",
            "evaluation.captions",
            "evaluation.scenes",
            "evaluation.translation",
            "exporters.manifest",
        ],
        [
            "evaluation.subject",
        ],
        [
            "evaluation.latent_pictures",
            "evaluation.measurement",
            "evaluation.translation_pictures",
            "evaluation.caption_pictures",
            "evaluation.scene_pictures",
            "evaluation.report_html",
            "exporters.saved_model",
            "exporters.onnx",
            "exporters.small_file",
        ],
        [
            "evaluation.style",
        ],
        [
            "evaluation.measurements",
            "evaluation.translation_measurements",
            "evaluation.caption_measurements",
            "evaluation.scene_measurements",
            "evaluation.report_pictures",
        ],
        [
            "evaluation.report",
            "exporters.parity",
            "exporters.opened_artifact",
        ],
        [
            "exporters.loaded_artifact",
        ],
        [
            "evaluation.__init__",
            "exporters.artifact",
        ],
    ],
    [  # 5: recipes, serving
        [
            "serving.limits",
            "serving.metrics",
            "serving.patience",
            "serving.examples",
        ],
        [
            "serving.batching",
            "serving.bodies",
            "serving.served_artifact",
        ],
        [
            "serving.versions",
        ],
        [
            "serving.answering",
        ],
        [
            "serving.kserve_v2",
            "serving.openapi",
            "serving.pictures",
            "serving.rest_v1",
        ],
        [
            "serving.app",
        ],
        [
            "serving.server",
        ],
        [
            "recipes.__init__",
            "recipes.problems",
        ],
        [
            "recipes.recipe",
        ],
        [
            "recipes.optimizer",
            "recipes.catalogue",
        ],
        [
            "recipes.adversarial",
            "recipes.autoregressive",
            "recipes.flow",
            "recipes.variational",
        ],
        [
            "recipes.translation",
            "recipes.text_encoder",
        ],
        [
            "recipes",
        ],
    ],
    [  # 6: runner
        [
            "run_folder",
        ],
        [
            "target",
        ],
        [
            "runner",
            "picture_translation",
        ],
        [
            "preset_making",
        ],
    ],
    [  # 7: cli
        [
            "cli",
        ],
    ],
]
HEIGHTS = {
    name: (floor, room) for floor, rooms in enumerate(FLOORS) for room, names in enumerate(rooms) for name in names
}
# What may be imported from anywhere: the package itself (names that load late), what it needs before any name is loaded, and
# the empty roots.
GROUND = {
    "__init__",
    "core.quiet",
    *(f"{name}.__init__" for name in ("core", "layers", "losses", "metrics", "networks", "training")),
}
GROUND |= {
    "models.__init__",
    "models.variational.__init__",
    "models.adversarial.__init__",
    "models.autoregressive.__init__",
    "models.flows.__init__",
    "models.translation.__init__",
    "models.conditional.__init__",
    "exporters.__init__",
    "serving.__init__",
}

FILES = sorted(PACKAGE.rglob("*.py"))


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


def height_of(name: str) -> tuple[int, int]:
    """Floor and room of a file, both counted from the ground."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        if (prefix := ".".join(parts[:end])) in HEIGHTS:
            return HEIGHTS[prefix]
    raise AssertionError(f"keras_gen/{name.replace('.', '/')}.py stands on no floor; give it one in this test")


def imports_of(path: Path) -> set[str]:
    """The project's files that a file imports, at its top or inside a function."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "keras_gen":
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names if alias.name.split(".")[0] == "keras_gen"]
        else:
            continue
        for name in names:
            parts = name.split(".")[1:]
            for end in range(len(parts), -1, -1):
                base = PACKAGE.joinpath(*parts[:end])
                if end and base.with_suffix(".py").is_file():
                    found.add(".".join(parts[:end]))
                    break
                if (base / "__init__.py").is_file():
                    found.add(".".join([*parts[:end], "__init__"]))
                    break
    return found


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_imports_go_down(path):
    name = name_of(path)
    if name in GROUND:
        assert not {i for i in imports_of(path) if i not in GROUND}
        return
    for imported in imports_of(path) - GROUND:
        assert height_of(imported) < height_of(name), (
            f"{name} (floor, room {height_of(name)}) imports {imported} {height_of(imported)}"
        )


def test_every_entry_names_a_file_or_folder_once():
    names = [name for rooms in FLOORS for room in rooms for name in room]
    assert len(names) == len(set(names))
    for name in names:
        place = PACKAGE.joinpath(*name.split("."))
        assert place.is_dir() or place.with_suffix(".py").is_file(), name


def test_core_imports_nothing_of_the_project_but_itself():
    for path in PACKAGE.joinpath("core").glob("*.py"):
        assert all(imported.startswith("core.") for imported in imports_of(path)), path


def test_the_check_sees_an_upward_edge(tmp_path):
    assert "models.generative_model" in imports_of(PACKAGE / "models" / "variational" / "vae.py")
    assert height_of("models.variational.vae") > height_of("models.generative_model") > height_of("networks.mlp")


def test_what_runs_artifacts_never_imports_what_made_them():
    runners = list((ROOT / "export").rglob("*.py"))
    assert runners
    for path in runners:
        roots = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                roots |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                roots.add((node.module or "").split(".")[0])
        assert not roots & {"keras_gen", "tensorflow", "keras", "tf2onnx"}, path


def test_installing_gives_no_top_level_export():
    from setuptools import find_packages

    packages = find_packages(str(ROOT), include=["keras_gen", "keras_gen.*"])
    assert {package.split(".")[0] for package in packages} == {"keras_gen"}
