"""What the documents show is run: the README's Python, the notebook's cells, and every file they point to."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parent.parent
SMALL = {
    "epochs=30": "epochs=1",
    "epochs=10": "epochs=1",
    'kg.data.load("binarized_mnist")': 'kg.data.load("digits").binarized()',
    'kg.data.load("binarized_mnist", "test")': 'kg.data.load("digits", "test").binarized()',
    "filters=32, blocks=7, first_kernel=27": "filters=4, blocks=1, first_kernel=5",
    "np.repeat(np.arange(28) < 14, 28).reshape(28, 28)": "np.repeat(np.arange(8) < 4, 8).reshape(8, 8)",
}
# What is said in each notebook, and what is run in its place.
SMALL_NOTEBOOKS = {
    "first_use": {"epochs=30": "epochs=1"},
    "latents_and_flows": {"epochs=80": "epochs=1", "rvs((4000, k)": "rvs((9, k)", "sample(300": "sample(100"},
    "text_and_scenes": {"[:400]": "[:60]"},
    "translation": {"epochs=30": "epochs=1", "epochs=20": "epochs=1", "range(8)": "range(2)"},
    "gans": {"epochs=120": "epochs=1", "turns=3000": "turns=2", "turns=500": "turns=2", "turns=100": "turns=2"},
}


def test_the_readmes_python_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    program = "\n".join(blocks)
    # The same program, small: another size of digits, which needs no data set, few epochs and few weights.
    for shown, small in SMALL.items():
        assert shown in program, f"README.md does not say {shown!r} any more; mend SMALL"
        program = program.replace(shown, small)
    names = {}
    exec(compile(program, "README.md", "exec"), names)
    assert names["images"].shape == (16, 8, 8, 1) and names["images"].dtype == np.uint8
    assert (tmp_path / "artifact" / "onnx" / "complete.onnx").is_file() and (tmp_path / "vae.keras").is_file()


@pytest.mark.parametrize("notebook", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda path: path.stem)
def test_notebooks_run(notebook, monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "agg")
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    program = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    for shown, small in SMALL_NOTEBOOKS[notebook.stem].items():
        assert shown in program, f"{notebook.name} does not say {shown!r} any more; mend SMALL_NOTEBOOKS"
        program = program.replace(shown, small)
    exec(compile(program, notebook.name, "exec"), {})


def test_notebooks_keep_their_outputs_small():
    for notebook in (ROOT / "notebooks").glob("*.ipynb"):
        assert notebook.stat().st_size < 600_000
        outputs = [
            o for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"] for o in cell.get("outputs", ())
        ]
        assert not any(output["output_type"] == "error" or output.get("name") == "stderr" for output in outputs)


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md", "RESULTS.md", "benchmarks/README.md"])
def test_links_lead_somewhere(document):
    path = ROOT / document
    for target in re.findall(r"\]\(([^)#]+?)\)", path.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (path.parent / target).exists(), f"{document} points to {target}"


def test_the_results_table_is_what_the_command_writes(tmp_path):
    from keras_gen.evaluation.results_table import update

    update([], ROOT / "results", tmp_path / "RESULTS.md")
    written = (tmp_path / "RESULTS.md").read_text(encoding="utf-8")
    # Pictures are named relative to the table's own place.
    names = re.compile(r"\([^)]*results/")
    assert names.sub("(results/", written) == (ROOT / "RESULTS.md").read_text(encoding="utf-8")
