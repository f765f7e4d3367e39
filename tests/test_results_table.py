"""RESULTS.md over several seeds: which file holds which run, what stands in the table, what is refused."""

import json
import statistics

import pytest
from PIL import Image

import keras_gen as kg
from keras_gen.evaluation.kept_reports import by_recipe, kept_reports, seed_of
from keras_gen.evaluation.results_table import markdown, over_seeds, rows, update

FID, KID, PRECISION = "fid10k_test_classifier-mnist", "kid_100x1000_10k_test", "precision_k3_10k_test"


def report_of(fid, **more):
    """A report as it was written before reports told their settings."""
    metrics = [
        {"name": FID, "value": fid, "stderr": 0.111, "real_images_score": 0.0531, "unit": "distance"},
        {"name": KID, "value": 1.05, "stderr": 0.01, "unit": "distance"},
        {"name": PRECISION, "value": 0.6907, "real_images_score": 0.9, "unit": "fraction"},
        {"name": "nearest_train_distance_ratio", "value": 1.27, "interval": [1.24, 1.304], "unit": "ratio"},
    ]
    return {
        "schema": "keras_gen/report/1",
        "recipe": "dcgan_mnist",
        "model": {"name": "dcgan_mnist", "class": "GAN", "parameters": 383618},
        "data": {"name": "mnist", "train": 55000, "test": 10000},
        "versions": {"keras": "3.15.1", "tensorflow": "2.21.0"},
        "command": "keras-gen train dcgan_mnist",
        "epochs": 12,
        "training_seconds": 226.6,
        "seconds": 180.0,
        "seed": 0,
        "hardware": "2 CPU cores",
        "metrics": metrics,
        "published": [],
        **more,
    }


@pytest.fixture
def run(tmp_path):
    """Makes a measured run folder, out of a real report."""

    def make(seed, fid, folder=None, settings=None, drop=(), recipe="dcgan_mnist"):
        folder = tmp_path / (folder or f"run-{recipe}-{seed}")
        (folder / "pictures").mkdir(parents=True, exist_ok=True)
        report = report_of(fid, recipe=recipe, history=[{}])
        report["metrics"] = [metric for metric in report["metrics"] if metric["name"] not in drop]
        (folder / "report.json").write_text(json.dumps(report))
        settings = {"data": "mnist", "epochs": 12, "seed": seed, **(settings or {})}
        (folder / "recipe.json").write_text(json.dumps({"settings": settings}))
        Image.new("L", (40, 40), seed).save(folder / "pictures" / "samples.png")
        return folder

    return make


def files(folder):
    return sorted(path.name for path in folder.glob("*.json"))


def fid_of(path):
    report = json.loads(path.read_text())
    return seed_of(report), next(metric["value"] for metric in report["metrics"] if metric["name"] == FID)


def row_of(text, metric):
    return next(line for line in text.splitlines() if line.startswith(f"| dcgan_mnist | mnist | {metric} |"))


def test_three_seeds_are_one_row_with_mean_and_spread(run, tmp_path):
    kept, out, values = tmp_path / "results", tmp_path / "RESULTS.md", {2: 8.25, 0: 8.0, 5: 9.5}
    update([run(seed, value, drop=(KID,) * (seed == 5)) for seed, value in values.items()], kept, out)
    assert files(kept) == ["dcgan_mnist-seed2.json", "dcgan_mnist-seed5.json", "dcgan_mnist.json"]
    assert fid_of(kept / "dcgan_mnist.json") == (0, 8.0) and fid_of(kept / "dcgan_mnist-seed5.json") == (5, 9.5)
    assert Image.open(kept / "dcgan_mnist-samples.png").getpixel((0, 0)) == 0  # those of the lowest seed
    assert not list(kept.glob("*seed*.png")) and "history" not in json.loads((kept / "dcgan_mnist.json").read_text())
    text = out.read_text()
    mean, spread = statistics.fmean(values.values()), statistics.stdev(values.values())
    assert f"| {mean:.2f} ± {spread:.2f} over 3 seeds (real 0.053) |" in row_of(text, FID)
    assert "over 2 seeds |" in row_of(text, KID)
    assert text.count(f"| dcgan_mnist | mnist | {FID} |") == 1 and text.count("\n## dcgan_mnist\n") == 1
    assert "| metric | seed 0 | seed 2 | seed 5 |" in text
    assert f"| {FID} | 8.00 ± 0.11 | 8.25 ± 0.11 | 9.50 ± 0.11 |" in text
    assert f"| {PRECISION} | 0.6907 | 0.6907 | 0.6907 |" in text and "n seeds`, the sample standard deviation" in text


def test_of_data_that_may_not_be_passed_on_numbers_alone_are_kept(run, tmp_path):
    kept, out, folder = tmp_path / "results", tmp_path / "RESULTS.md", run(0, 8.0)
    report = json.loads((folder / "report.json").read_text())
    report["data"]["redistributable"] = False
    (folder / "report.json").write_text(json.dumps(report))
    update([folder], kept, out)
    assert files(kept) == ["dcgan_mnist.json"] and not list(kept.glob("*samples*"))
    assert "8.00" in out.read_text() and "samples.png" not in out.read_text()


def test_a_run_measured_again_replaces_its_own_seed(run, tmp_path):
    kept = tmp_path / "results"
    update([run(1, 2.0), run(3, 4.0)], kept, None)
    assert fid_of(kept / "dcgan_mnist.json") == (1, 2.0)
    update([run(3, 5.0)], kept, None)
    assert fid_of(kept / "dcgan_mnist.json") == (1, 2.0) and fid_of(kept / "dcgan_mnist-seed3.json") == (3, 5.0)
    update([run(0, 1.0)], kept, None)  # a lower seed: the first place is its own, nothing else is lost
    assert files(kept) == ["dcgan_mnist-seed1.json", "dcgan_mnist-seed3.json", "dcgan_mnist.json"]
    assert [fid_of(path)[0] for path in sorted(kept.glob("*.json"))] == [1, 3, 0]
    assert Image.open(kept / "dcgan_mnist-samples.png").getpixel((0, 0)) == 0
    (kept / "dcgan_mnist.json").unlink()
    update([run(1, 2.5)], kept, None)
    assert files(kept) == ["dcgan_mnist-seed3.json", "dcgan_mnist.json"]
    update([run(0, 7.0, recipe="lsgan_mnist")], kept, None)  # another recipe is no seed of this one
    assert files(kept) == ["dcgan_mnist-seed3.json", "dcgan_mnist.json", "lsgan_mnist.json"]


def test_a_report_that_tells_no_seed_is_read_as_before_and_replaced(run, tmp_path):
    kept = tmp_path / "results"
    kept.mkdir()
    before = report_of(8.26)
    (kept / "dcgan_mnist.json").write_text(json.dumps(before))
    assert over_seeds([before]) is before and [row[:2] for row in rows(before)][::3] == [
        (FID, "8.26 ± 0.11 (real 0.053)"),
        ("nearest_train_distance_ratio", "1.27 [1.24, 1.304]"),
    ]
    preset = run(0, 3.0)
    (preset / "recipe.json").unlink()
    update([preset], kept, None)
    assert files(kept) == ["dcgan_mnist.json"] and fid_of(kept / "dcgan_mnist.json") == (None, 3.0)
    update([run(4, 6.0)], kept, None)
    assert files(kept) == ["dcgan_mnist.json"] and fid_of(kept / "dcgan_mnist.json") == (4, 6.0)
    with pytest.raises(kg.InvalidInput, match="does not say its seed"):
        update([run(0, 1.0, "plain"), preset], kept, None)
    with pytest.raises(kg.InvalidInput, match="does not say its seed"):
        update([preset], kept, None)


def test_runs_that_differ_in_more_than_the_seed_have_no_mean(run, tmp_path):
    kept = tmp_path / "results"
    longer = run(1, 2.0, settings={"epochs": 20})
    with pytest.raises(kg.InvalidInput, match=r"(?s)run-dcgan_mnist-0.*run-dcgan_mnist-1.*\(epochs=12 and 20\)"):
        update([run(0, 1.0), longer], kept, tmp_path / "RESULTS.md")
    assert not kept.exists() and not (tmp_path / "RESULTS.md").exists()
    with pytest.raises(kg.InvalidInput, match="of one seed"):
        update([run(0, 1.0, "one"), run(0, 1.0, "two")], kept, None)
    update([run(0, 1.0), run(2, 3.0, settings={"younger": True})], kept, None)  # unknown to the older run
    with pytest.raises(kg.InvalidInput, match=r"epochs=12 and 20"):
        update([longer], kept, None)
    assert [fid_of(path) for path in sorted(kept.glob("*.json"))] == [(2, 3.0), (0, 1.0)]
    (longer / "recipe.json").write_text('{"settings": {"seed": "one"}}')
    with pytest.raises(kg.InvalidInput, match="recipe.json.*settings.seed"):
        update([longer], kept, None)


def test_what_a_kill_left_between_two_writes_counts_once(run, tmp_path):
    kept = tmp_path / "results"
    update([run(1, 2.0), run(3, 4.0)], kept, None)
    (kept / "dcgan_mnist-seed1.json").write_bytes((kept / "dcgan_mnist.json").read_bytes())
    reports = by_recipe(list(kept_reports(kept).values()))["dcgan_mnist"]
    assert [seed_of(report) for report in reports] == [1, 3]
    update([run(1, 2.0)], kept, None)
    assert files(kept) == ["dcgan_mnist-seed3.json", "dcgan_mnist.json"]


def test_numbers_published_by_another_protocol_are_told_apart(tmp_path):
    kept = tmp_path / "results"
    kept.mkdir()
    published = [("fid10k", 8.0, "here"), ("fid_inception", 49.03, "elsewhere, Inception features")]
    report = report_of(8.26, published=[dict(zip(("metric", "value", "source"), line)) for line in published])
    (kept / "dcgan_mnist.json").write_text(json.dumps(report))
    text = markdown(kept, "results")
    assert row_of(text, FID).endswith("| 8.0 | here |") and "49.03" not in text.split("\n## ")[0]
    wanted = (
        "Published by another protocol, which no number above compares with: fid_inception 49.03 (elsewhere, Inception"
    )
    assert wanted in text and text.count("elsewhere") == 1
