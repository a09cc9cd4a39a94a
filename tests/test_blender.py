"""Scenes through Blender: consistent truth, same again, going on after a stop, and what cannot be rendered."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from blender_probe import PROBE

from lamina.errors import InputError, MissingExtra, OutputError
from lamina.media.source import open_source
from lamina.synth.blender import render
from lamina.synth.blender.consistency import measure_consistency
from lamina.synth.blender.families import DrawConfig, draw_recipe
from lamina.synth.blender.recipe import Recipe, recipe_text
from lamina.synth.blender.render import Quality, render_scenes

ROOT = Path(__file__).resolve().parents[1]
SMALL = DrawConfig(frames=3, width=96, height=64, fps=6, objects=(2, 2))
ROUGH = Quality(samples=4, denoise=False, crf=2)


def _blender_works() -> bool:
    """Whether `bpy` can be imported: it needs a Python and system libraries of its own. Never in this process."""
    return subprocess.run([sys.executable, "-c", "import bpy"], capture_output=True).returncode == 0


pytestmark = pytest.mark.skipif(not _blender_works(), reason="needs the extra `render` (bpy, Python 3.11)")


@pytest.fixture(scope="module")
def recipes() -> list[Recipe]:
    return [draw_recipe("tripod-shadow", 2, SMALL), draw_recipe("reflection", 5, SMALL)]


@pytest.fixture(scope="module")
def rendered(recipes, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("scenes")
    render_scenes(recipes, out, ROUGH, workers=2)
    return out


def frames(path: Path) -> np.ndarray:
    return np.stack(list(open_source(path).read()))[..., :3].astype(int)


def test_a_scene_is_whole_and_its_layers_give_it_back(rendered: Path, recipes):
    told = json.loads((rendered / "scenes.json").read_text())
    for recipe in recipes:
        folder = rendered / recipe.name
        scene = json.loads((folder / "scene.json").read_text())
        assert scene["objects"] == [actor.name for actor in recipe.objects] and scene["frames"] == 3
        found = measure_consistency(folder)
        assert found.in_place < 2 and found.in_place < found.alone < 5
        assert (folder / "recipe.json").read_text() == recipe_text(recipe)
        names = ["input", "background", "transplant_background"]
        for k in range(2):
            parts = ("mask", "object_alpha", "effect_alpha", "effects", "transplant", "solo")
            names += [f"{part}_{k:02}" for part in parts]
        movies = {path.stem: frames(path).shape for path in folder.glob("*.mp4")}
        assert movies == {name: (3, 64, 96, 3) for name in names}
        assert len(list((folder / "depth").glob("*.exr"))) == 3
        assert set(told["scenes"][recipe.name]["files"]) >= {"scene.json", "input.mp4", "depth/0000.exr"}


def test_pairs_to_train_on_need_less(rendered: Path, recipes, tmp_path: Path):
    render_scenes(recipes[:1], tmp_path, dataclasses.replace(ROUGH, depth=False, layers=False))
    folder, whole = (out / recipes[0].name for out in (tmp_path, rendered))
    names = {f"{part}_{k:02}" for part in ("mask", "object_alpha", "solo") for k in range(2)} | {"input", "background"}
    assert {path.stem for path in folder.glob("*.mp4")} == names
    for name in sorted(names):
        assert abs(frames(folder / f"{name}.mp4") - frames(whole / f"{name}.mp4")).mean() < 0.5


def test_truth_is_consistent(rendered: Path, recipes):
    folder = rendered / recipes[0].name
    picture, plate = frames(folder / "input.mp4"), frames(folder / "background.mp4")
    masks = [frames(folder / f"mask_{k:02}.mp4")[..., 0] > 127 for k in range(2)]
    effects = [frames(folder / f"effect_alpha_{k:02}.mp4")[..., 0] > 8 for k in range(2)]
    assert all(mask.any() for mask in masks) and all(effect.any() for effect in effects)
    clear = ~np.any([*masks, *effects], axis=0)
    assert np.abs(picture - plate)[clear].mean() < 1 < 5 < np.abs(picture - plate)[masks[0]].mean()
    assert np.abs(plate - plate[:1]).max() <= 3, "a still scene's plate does not change"
    other = frames(folder / "transplant_background.mp4")
    assert np.abs(other - plate).mean() > 5, "the other ground looks different"
    for k, mask in enumerate(masks):
        alone, there = frames(folder / f"object_alpha_{k:02}.mp4")[..., 0], frames(folder / f"transplant_{k:02}.mp4")
        assert (alone[mask] > 100).all(), "what is seen of an object is part of it"
        deep = alone > 250
        assert np.abs(there - frames(folder / f"solo_{k:02}.mp4"))[deep].mean() < 6, "an object looks alike on both"


def test_same_recipe_same_pictures(rendered: Path, recipes, tmp_path: Path):
    """Nearly always the same bytes; but Blender sets scenes up in parallel, and may round a ray's end otherwise."""
    again = render_scenes(recipes[:1], tmp_path, ROUGH, workers=1)["scenes"][recipes[0].name]["files"]
    first = json.loads((rendered / "scenes.json").read_text())["scenes"][recipes[0].name]["files"]
    assert again.keys() == first.keys()
    assert all(again[name] == first[name] for name in ("recipe.json", "scene.json"))
    for name in (name for name in again if name.endswith(".mp4")):
        here, there = frames(tmp_path / recipes[0].name / name), frames(rendered / recipes[0].name / name)
        assert np.abs(here - there).mean() < 0.02, name


def test_what_is_there_is_not_rendered_again(rendered: Path, recipes, monkeypatch):
    monkeypatch.setattr(subprocess, "Popen", None)
    (rendered / "scenes.json").unlink()
    said = []
    told = render_scenes(recipes, rendered, ROUGH, report=lambda *step: said.append(step))
    assert sorted(told["scenes"]) == sorted(recipe.name for recipe in recipes)
    assert said == [("scenes", 1, 2), ("scenes", 2, 2)]


def test_folders_that_hold_something_else(rendered: Path, recipes):
    with pytest.raises(OutputError, match="quality .*wanted quality .*'samples': 5.*Take another folder"):
        render_scenes(recipes, rendered, Quality(samples=5))
    changed = dataclasses.replace(recipes[0], fps=7)
    with pytest.raises(OutputError, match="of another recipe, wanted the scene of seed 2. Remove it"):
        render_scenes([changed], rendered, ROUGH)
    with pytest.raises(InputError, match="'tripod-shadow-0002' twice, wanted each name once"):
        render_scenes([recipes[0]] * 2, rendered, ROUGH)


@pytest.mark.parametrize(
    ("place", "said"),
    [("actor", "asset .*toy.glb: got .*wanted a GLB or glTF file"), ("sky", "HDR picture .*toy.glb: got .*image file")],
)
def test_assets_that_cannot_be_read(tmp_path: Path, recipes, place: str, said: str):
    broken = tmp_path / "toy.glb"
    broken.write_bytes(b"no such thing")
    recipe = recipes[0]
    if place == "actor":
        recipe = dataclasses.replace(recipe, actors=(dataclasses.replace(recipe.actors[0], kind=str(broken)),))
    else:
        recipe = dataclasses.replace(recipe, light=dataclasses.replace(recipe.light, hdri=str(broken)))
    with pytest.raises(InputError, match=said):
        render_scenes([recipe], tmp_path / "out", ROUGH)
    assert not (tmp_path / "out" / recipe.name).exists()


def test_a_picture_of_the_sky_lights_the_scene(tmp_path: Path, recipes, rendered: Path):
    cv2.imwrite(str(tmp_path / "red.hdr"), np.full((8, 16, 3), (0.0, 0.0, 3.0), np.float32))
    recipe = dataclasses.replace(recipes[0], frames=1)
    recipe = dataclasses.replace(recipe, light=dataclasses.replace(recipe.light, hdri=str(tmp_path / "red.hdr")))
    render_scenes([recipe], tmp_path / "out", ROUGH)
    red = frames(tmp_path / "out" / recipe.name / "background.mp4")[0] - frames(
        rendered / recipe.name / "background.mp4"
    )[0]
    assert red[..., 0].mean() > 10 + red[..., 2].mean()


def test_without_blender(tmp_path: Path, recipes, monkeypatch):
    monkeypatch.setattr(render, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match="no package 'bpy', wanted the extra `render`. Run, with Python 3.11: pip"):
        render_scenes(recipes, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def probed(tmp_path_factory) -> dict:
    """What was measured inside Blender, in a process of its own."""
    work = tmp_path_factory.mktemp("probe")
    command = [sys.executable, "-c", PROBE, str(work)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads((work / "probe.json").read_text())


def test_a_box_renders_the_pixels_of_the_whole_picture(probed: dict):
    assert probed["box_difference"] == 0


def test_where_nothing_is_rendered_anew_nothing_changed(probed: dict):
    assert probed["missed_levels"] <= 2 and probed["rendered_share"] < 0.8


def test_thrown_things_obey_gravity(probed: dict):
    flight = np.array(probed["flight"])
    fall = np.diff(flight[:, 2], 2) * 24**2
    assert np.allclose(fall[:4], -9.81, atol=0.35), "free fall first"
    assert probed["lowest"] > -0.02, "nothing sinks into the ground"
    speed = np.linalg.norm(np.diff(flight, axis=0), axis=1) * 24
    assert speed[-1] < 0.5 * speed.max(), "friction takes speed away"


def test_a_glb_file_stands_on_the_ground_one_metre_large(probed: dict):
    low, high = np.array(probed["glb"])
    assert abs(low[2]) < 1e-4 and abs((high - low).max() - 1) < 1e-4 and abs(low[0] + high[0]) < 1e-4
