"""LayerBench as a protocol: means per family, the same figures as `scene`, and what it says of other files."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from evaluate_folders import make_layerbench

from lamina import EvaluateConfig, evaluate_results
from lamina.cli.main import main
from lamina.errors import InputError
from lamina.evaluate.layerbench import FAMILIES


def made(folder: Path) -> EvaluateConfig:
    make_layerbench(folder / "data", folder / "results")
    return EvaluateConfig("layerbench", folder / "data", folder / "results", folder / "out")


def run(config: EvaluateConfig) -> dict[str, Any]:
    evaluate_results(config)
    assert config.out is not None
    return json.loads((config.out / "rows.json").read_text())


def test_means_are_given_per_family_in_a_fixed_order_and_over_all(tmp_path: Path):
    """Neither names nor the manifest decide the order: here both are the other way round."""
    found = run(made(tmp_path))
    assert [(row["case"], row["group"]) for row in found["rows"]] == [
        ("mirror", "reflection"),
        ("lamp", "static-object"),
    ]
    assert list(found["group_means"]) == list(found["group_baseline_means"]) == ["reflection", "static-object"]
    for row, mean, free in zip(
        found["rows"], found["group_means"].values(), found["group_baseline_means"].values(), strict=True
    ):
        assert mean == pytest.approx(row["scores"]) and free == pytest.approx(row["baseline"])
    for name, value in found["mean"].items():
        values = [row["scores"][name] for row in found["rows"]]
        assert value is None or value == pytest.approx(np.mean(values))
    lines = (tmp_path / "out/table.md").read_text().splitlines()
    heads = [line.split(" | ")[0] for line in lines if line.startswith("| ")]
    assert heads[2:] == [
        "| reflection/mirror",
        "| static-object/lamp",
        "| **mean of reflection**",
        "| input untouched, reflection",
        "| **mean of static-object**",
        "| input untouched, static-object",
        "| **mean**",
        "| input untouched",
    ]


def test_every_figure_of_the_benchmark_is_measured(tmp_path: Path):
    for row in run(made(tmp_path))["rows"]:
        measured = {name for name, value in row["scores"].items() if value is not None}
        assert measured >= {"plate", "plate_mask", "plate_effect", "plate_rest", "solo", "transplant", "leak"}
        assert measured >= {"effect_recall", "effect_precision", "alpha_object", "alpha_effect", "flicker", "recompose"}


def test_figures_are_those_of_scenes(tmp_path: Path):
    config = made(tmp_path)
    wanted = run(EvaluateConfig("scene", config.data, config.results, config.out))["rows"]
    found = run(config)["rows"]
    assert {row["case"]: row["scores"] for row in found} == {row["case"]: row["scores"] for row in wanted}


def test_a_part_of_it_is_scored_alike(tmp_path: Path):
    config = made(tmp_path)
    whole = {row["case"]: row["scores"] for row in run(config)["rows"]}
    change(lambda manifest: manifest["scenes"].pop("mirror"))(config.data)
    shutil.rmtree(config.data / "mirror")
    part = run(config)
    assert [row["case"] for row in part["rows"]] == ["lamp"] and part["rows"][0]["scores"] == whole["lamp"]
    assert part["group_means"] == {} and part["rows"][0]["group"] == "static-object"


def test_hidden_files_are_no_hindrance(tmp_path: Path):
    config = made(tmp_path)
    (config.data / "lamp" / ".DS_Store").write_text("x")
    (config.data / "lamp" / ".cache").mkdir()
    (config.data / "lamp" / ".cache" / "x").write_text("x")
    assert len(run(config)["rows"]) == 2


def change(edit: Callable[[dict[str, Any]], Any]) -> Callable[[Path], None]:
    def apply(data: Path) -> None:
        manifest = json.loads((data / "layerbench.json").read_text())
        edit(manifest)
        (data / "layerbench.json").write_text(json.dumps(manifest))

    return apply


def damage(data: Path) -> None:
    """One bit of a file, its size unchanged."""
    path = data / "mirror" / "mask_01.mp4"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


FAULTS: dict[str, tuple[Callable[[Path], Any], str]] = {
    "prose": (lambda data: (data / "layerbench.json").write_text("Dear"), "layerbench.json: got text that is not JSON"),
    "a list": (lambda data: (data / "layerbench.json").write_text("[]"), "layerbench.json: got no version, wanted the"),
    "no version": (change(lambda m: m.pop("version")), "got no version, wanted the layerbench.json that version 1"),
    "later": (change(lambda m: m.update(version=2)), "got version 2, wanted version 1. Score it with the release"),
    "no scenes": (change(lambda m: m.update(scenes={})), "layerbench.json: got no scenes"),
    "a path": (change(lambda m: m["scenes"].update({"../x": m["scenes"]["lamp"]})), r"got a scene called '\.\./x'"),
    "a foreign family": (
        change(lambda m: m["scenes"]["lamp"].update(family="water")),
        f"got the family 'water' of scene lamp, wanted {', '.join(FAMILIES)}",
    ),
    "no entry": (change(lambda m: m["scenes"].update(lamp=3)), "got the family None of scene lamp"),
    "no files": (change(lambda m: m["scenes"]["lamp"].pop("files")), "no files with their SHA-256 of scene lamp"),
    "no scene.json": (
        change(lambda m: m["scenes"]["lamp"]["files"].pop("scene.json")),
        "got no scene.json of scene lamp",
    ),
    "a scene is missing": (lambda data: shutil.rmtree(data / "lamp"), r"lamp/.*: got no such file, wanted the file"),
    "a file is missing": (
        lambda data: (data / "mirror" / "solo_01.mp4").unlink(),
        r"LayerBench file .*mirror/solo_01\.mp4: got no such file, wanted the file that the manifest lists\. Fetch",
    ),
    "an image is missing": (
        lambda data: next((data / "lamp" / "transplant_00").iterdir()).unlink(),
        r"lamp/transplant_00/.*\.png: got no such file",
    ),
    "a file has changed": (damage, r"mirror/mask_01\.mp4: got SHA-256 [0-9a-f]{64}, wanted [0-9a-f]{64}, as published"),
    "a file too many": (
        lambda data: (data / "lamp" / "mask_01.mp4").write_text("x"),
        r"lamp/mask_01\.mp4: got a file that the manifest does not list",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_wrong_is_said(tmp_path: Path, fault: str):
    """Further faults, those that every protocol knows, are in test_evaluate.py."""
    config = made(tmp_path)
    spoil, message = FAULTS[fault]
    spoil(config.data)
    with pytest.raises(InputError, match=message):
        evaluate_results(config)
    assert not (tmp_path / "out").exists()


def test_a_scene_without_result_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    config = made(tmp_path)
    shutil.rmtree(config.results / "lamp")
    assert main(["evaluate", "layerbench", "--data", str(config.data), "--results", str(config.results)]) == 2
    assert "got no output for 'lamp', wanted a folder lamp with stack.json" in " ".join(
        capsys.readouterr().err.split()
    )
