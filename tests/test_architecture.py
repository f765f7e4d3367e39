"""The floor plan as a fact: every import goes down, none sideways, none in a circle."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "keras_gen"

# The house, from the ground up. A file's floor is that of its longest matching prefix; files of one floor may import each
# other only inside `core` (in the order below) and where a package names its base here.
FLOORS = {
    "core.errors": 0.0,
    "core.checks": 0.1,
    "core.registry": 0.1,
    "core.exchange": 0.1,
    "core.locks": 0.1,
    "core.files": 0.15,
    "core.image_spec": 0.2,
    "core.noise": 0.3,
    "core.image_data": 0.3,
    "core.pictures": 0.3,
    "core.endpoint": 0.4,
    "core.sampler": 0.4,
    "core.completion": 0.5,
    "core.replicas": 0.4,
    "layers.causal": 1.0,
    "layers.dropout": 1.0,
    "layers.lstm_scan": 1.0,
    "layers.batch_normalization": 1.0,
    "layers.masked_convolution": 1.1,
    "layers.causal_pyramid": 1.3,
    "layers": 1.2,
    "losses.likelihoods": 1.0,
    "losses": 1.1,
    "metrics.estimate": 1.0,
    "metrics.feature_sets": 1.0,
    "metrics.features": 1.1,
    "metrics.moments": 1.1,
    "metrics.precision_recall": 1.1,
    "metrics": 1.2,
    "data": 1.1,
    "data.__init__": 1.0,
    "networks": 2.0,
    "training": 2.0,
    "models.generative_model": 3.0,
    "models.adversarial.adversarial_model": 3.1,
    "models.autoregressive.cached_sampler": 3.0,
    "models.autoregressive.autoregressive_model": 3.1,
    "models": 3.2,
    "loading": 3.9,
    "evaluation": 4.0,
    "evaluation.latent_arithmetic": 4.05,
    "evaluation.latent_pictures": 4.1,
    "evaluation.subject": 4.05,
    "evaluation.measurements": 4.1,
    "evaluation.report_pictures": 4.1,
    "evaluation.report_html": 4.1,
    "evaluation.report": 4.2,
    "evaluation.__init__": 4.3,
    "exporters.float32_twin": 4.0,
    "exporters.manifest": 4.0,
    "exporters.formats": 4.0,
    "exporters.conversion": 4.0,
    "exporters.saved_model": 4.1,
    "exporters.onnx": 4.1,
    "exporters.feature_network": 4.1,
    "exporters.parity": 4.2,
    "exporters.loaded_artifact": 4.2,
    "exporters.artifact": 4.3,
    "recipes.__init__": 5.0,
    "recipes.recipe": 5.1,
    "recipes.optimizer": 5.1,
    "recipes.dcgan": 5.2,
    "recipes.autoregressive": 5.2,
    "recipes.classifier": 5.2,
    "recipes": 5.3,
    "run_folder": 5.9,
    "runner": 6.0,
    "cli": 7.0,
}
# What may be imported from anywhere: the package itself (names that load late) and the empty roots.
GROUND = {"__init__", *(f"{name}.__init__" for name in ("core", "layers", "losses", "metrics", "networks", "training"))}
GROUND |= {
    "models.__init__",
    "models.variational.__init__",
    "models.adversarial.__init__",
    "models.autoregressive.__init__",
    "exporters.__init__",
}

FILES = sorted(PACKAGE.rglob("*.py"))


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


def floor_of(name: str) -> float:
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        if (prefix := ".".join(parts[:end])) in FLOORS:
            return FLOORS[prefix]
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
        assert floor_of(imported) < floor_of(name), (
            f"{name} (floor {floor_of(name)}) imports {imported} ({floor_of(imported)})"
        )


def test_core_imports_nothing_of_the_project_but_itself():
    for path in PACKAGE.joinpath("core").glob("*.py"):
        assert all(imported.startswith("core.") for imported in imports_of(path)), path


def test_the_check_sees_an_upward_edge(tmp_path):
    assert "models.generative_model" in imports_of(PACKAGE / "models" / "variational" / "vae.py")
    assert floor_of("models.variational.vae") > floor_of("models.generative_model") > floor_of("networks.mlp")


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
