"""`lamina evaluate` on tiny data sets in every layout: figures, files, means, and what it says of wrong folders."""

import json
import shutil
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import get_args, get_type_hints

import cv2
import numpy as np
import pytest
from evaluate_folders import (
    FRAMES,
    MAKERS,
    ROWS,
    SIZE,
    ground,
    layers,
    make_mattes,
    object_masks,
    plates,
    removal_clip,
    rough_alphas,
    with_object,
    write_extras,
    write_lossless,
    write_stack,
)
from media_makers import write_images, write_movie

from lamina import EvaluateConfig, evaluate_results, open_source
from lamina.cli.main import main
from lamina.errors import InputError, MediaError
from lamina.evaluate import evaluate as task
from lamina.evaluate import layer_metrics, matting, pixels, tally, temporal
from lamina.evaluate.averages import mean_over_frames_first
from lamina.evaluate.columns import COLUMNS
from lamina.evaluate.layer_tally import LAYER_SCORES, LayerTally, SceneFrame, layer_figure
from lamina.evaluate.lpips import NOT_MEASURED, TOO_SMALL
from lamina.evaluate.pixels import MOST_DB
from lamina.evaluate.protocols import PROTOCOLS
from lamina.evaluate.regions import changed, find_regions

ROOT = Path(__file__).parents[1]
REMOVAL = ("omnimatterf", "rose-bench", "beyondmasks", "vor")
MATTES = ("videomatte", "youtubematte", "crgnn")


def made(folder: Path, protocol: str) -> EvaluateConfig:
    MAKERS[protocol](folder / "data", folder / "results")
    return EvaluateConfig(protocol, folder / "data", folder / "results", folder / "out")  # type: ignore[arg-type]


def run(config: EvaluateConfig) -> dict:
    evaluate_results(config)
    assert config.out is not None
    return json.loads((config.out / "rows.json").read_text())


def test_every_protocol_has_a_folder_to_try_and_a_place_in_the_flags():
    assert set(MAKERS) == set(PROTOCOLS) == set(get_args(get_type_hints(EvaluateConfig)["protocol"]))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_protocol_writes_rows_table_and_picture(tmp_path: Path, protocol: str):
    config = made(tmp_path, protocol)
    found = run(config)
    assert found["protocol"] == protocol and found["trap"] == PROTOCOLS[protocol].trap
    for row in found["rows"]:
        assert (row["width"], row["height"]) == SIZE and row["frames"] >= FRAMES - 1
        assert row["command"] == found["command"] and set(row["versions"]) >= {"lamina", "numpy", "opencv", "av"}
        assert set(row["scores"]) <= set(COLUMNS) and all(Path(path).exists() for path in row["files"].values())
    table, picture = (tmp_path / "out/table.md").read_text(), cv2.imread(str(tmp_path / "out/worst.png"))
    assert PROTOCOLS[protocol].trap in table and f"| {PROTOCOLS[protocol].baseline} |" in table
    assert picture is not None and picture.shape[1] == 4 * (360 + 4)
    assert picture.shape[0] == len(found["rows"]) * (SIZE[1] + 24)


@pytest.mark.parametrize("protocol", REMOVAL)
def test_removal_figures_are_those_of_the_metrics(tmp_path: Path, protocol: str):
    row = run(made(tmp_path, protocol))["rows"][-1]
    clip = removal_clip(0 if "movies" in row["case"] else 1)
    found, truth, pictures = (np.stack(clip[role]) for role in ("result", "truth", "input"))
    frames = zip(pictures, truth, clip["mask"], strict=True)
    parts = [find_regions(p, g, mask > 127) for p, g, mask in frames]
    where = {name: np.stack([getattr(part, name) for part in parts]) for name in ("object", "effect", "rest")}
    scores = row["scores"]
    assert scores["psnr"] == pytest.approx(np.mean([pixels.psnr(a, b) for a, b in zip(found, truth, strict=True)]))
    assert scores["ssim"] == pytest.approx(np.mean([pixels.ssim(a, b) for a, b in zip(found, truth, strict=True)]))
    assert scores["flicker"] == pytest.approx(temporal.flicker(found, truth))
    for name, region in where.items():
        assert scores[f"psnr_{name}"] == pytest.approx(pixels.psnr(found, truth, region))
        assert row["regions_percent"][name] == pytest.approx(100 * region.mean(), abs=1e-3)
    gone = [1 - np.abs(v.astype(float) - truth)[where["effect"]].sum() for v in (found, pictures)]
    assert scores["removed_effect"] == pytest.approx(1 - (1 - gone[0]) / (1 - gone[1]))
    assert row["baseline"]["psnr"] == pytest.approx(
        np.mean([pixels.psnr(a, b) for a, b in zip(pictures, truth, strict=True)])
    )
    motion = [temporal.dense_motion(truth[t], truth[t - 1]) for t in range(1, FRAMES)]
    forth = [temporal.dense_motion(truth[t - 1], truth[t]) for t in range(1, FRAMES)]
    errors = [temporal.warping_error(found[t + 1], found[t], motion[t], forth[t]) for t in range(FRAMES - 1)]
    assert scores["warping"] == pytest.approx(np.mean(errors))
    assert scores["lpips"] is None and NOT_MEASURED in row["notes"]


def test_golden_rows(tmp_path: Path):
    """Pictures without chance in them; a change of any figure is a change of what rows of today mean."""
    (row, _) = run(made(tmp_path, "vor"))["rows"]
    wanted = json.loads((Path(__file__).parent / "published" / "golden_vor_row.json").read_text())
    for part in ("scores", "baseline", "regions_percent"):
        assert row[part].pop("lpips", None) is wanted[part].pop("lpips", None) is None
        assert row[part] == pytest.approx(wanted[part], rel=1e-4), part
    assert {key: row[key] for key in ("case", "frames", "width", "height", "notes")} == wanted["facts"]


@pytest.mark.parametrize("protocol", REMOVAL)
def test_the_untouched_input_gains_nothing_and_the_truth_everything(tmp_path: Path, protocol: str):
    config = made(tmp_path, protocol)
    before = run(config)
    free = before["baseline_mean"]
    assert free["removed_effect"] == free["removed_object"] == 0 and free["psnr_rest"] == pytest.approx(MOST_DB)
    assert before["mean"]["psnr"] > free["psnr"]
    for row in before["rows"]:
        replace(Path(row["files"]["result"]), Path(row["files"]["truth"]))
    after = run(config)
    perfect = after["mean"]
    assert perfect["removed_effect"] == perfect["removed_object"] == 1
    assert perfect["psnr"] == pytest.approx(MOST_DB) and perfect["ssim"] == 1 and perfect["flicker"] == 0
    for row in after["rows"]:
        replace(Path(row["files"]["result"]), Path(row["files"]["input"]))
    untouched = run(config)
    same = {name: value for name, value in untouched["mean"].items() if name != "lpips"}
    assert same == pytest.approx({name: untouched["baseline_mean"][name] for name in same})


def replace(target: Path, source: Path) -> None:
    shutil.rmtree(target) if target.is_dir() else target.unlink()
    target = target.parent / target.stem
    shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target.with_suffix(source.suffix))


@pytest.mark.parametrize("size", [SIZE, (520, 40)])
def test_matte_figures_are_those_of_the_metrics(tmp_path: Path, size: tuple[int, int]):
    make_mattes(("videomatte_motion",), "com", size)(tmp_path / "data", tmp_path / "results")
    (row,) = run(EvaluateConfig("videomatte", tmp_path / "data", tmp_path / "results", tmp_path / "out"))["rows"]
    truth = object_masks(FRAMES, size)
    found, low = rough_alphas(truth), size == SIZE
    for name, metric in (("mad", matting.mad), ("mse", matting.mse), ("mad_t", matting.mad_t)):
        assert row["per_frame"][name] == pytest.approx([metric(*pair) for pair in zip(found, truth, strict=True)])
    grads = [matting.gradient_error(*pair, stretched=low) for pair in zip(found, truth, strict=True)]
    assert row["per_frame"]["grad"] == pytest.approx(grads)
    steps = [matting.dtssd(np.stack(found[t - 1 : t + 1]), np.stack(truth[t - 1 : t + 1])) for t in range(1, FRAMES)]
    assert row["per_frame"]["dtssd"] == pytest.approx([0, *steps])
    assert ("conn" in row["scores"]) == low
    if low:
        conns = [matting.connectivity_error(*pair) for pair in zip(found, truth, strict=True)]
        assert row["scores"]["conn"] == pytest.approx(np.mean(conns))


def test_matte_means_are_taken_over_frame_numbers(tmp_path: Path):
    """Clips of 4 and 5 frames: the last frame number counts as much as the others, though only one clip has it."""
    found = run(made(tmp_path, "videomatte"))
    first, second = (row["per_frame"]["mad"] for row in found["rows"])
    wanted = [np.mean(pair) for pair in zip(first, second, strict=False)] + [second[-1]]
    assert found["mean"]["mad"] == pytest.approx(np.mean(wanted))
    assert set(found["group_means"]) == {"videomatte_motion", "videomatte_static"}
    assert found["group_means"]["videomatte_motion"]["mad"] == pytest.approx(np.mean(first))
    assert PROTOCOLS["vor"].average is not mean_over_frames_first is PROTOCOLS["crgnn"].average


def test_crgnn_compares_every_tenth_frame(tmp_path: Path):
    (row,) = run(made(tmp_path, "crgnn"))["rows"]
    truth = object_masks(23)
    found, labels = rough_alphas(truth)[::10], truth[::10]
    assert row["frames"] == 3 and "conn" not in row["scores"]
    assert row["per_frame"]["mad"] == pytest.approx([matting.mad(*pair) for pair in zip(found, labels, strict=True)])
    assert row["per_frame"]["dtssd"][1] == pytest.approx(matting.dtssd(np.stack(found[:2]), np.stack(labels[:2])))


@pytest.mark.parametrize(
    "kind", ["rgba", "opaque rgba", "movie", "movie with alpha", "gray in the clip's folder", "16 bits"]
)
def test_alphas_of_any_kind_are_read(tmp_path: Path, kind: str):
    config = made(tmp_path, "crgnn")
    wanted = run(config)["mean"]
    place = tmp_path / "results" / "clip01"
    shutil.rmtree(place)
    alphas = rough_alphas(object_masks(23))
    if kind == "rgba":
        write_images(place, [np.dstack([255 - a, a // 2, a * 0, a]) for a in alphas])
    elif kind == "opaque rgba":
        write_images(place, [np.dstack([a, a, a, np.full_like(a, 255)]) for a in alphas])
    elif kind == "movie with alpha":
        write_lossless(place.with_suffix(".mkv"), [np.dstack([255 - a, a * 0, a // 3, a]) for a in alphas])
    elif kind == "16 bits":
        write_images(place / "pha", [a.astype(np.uint16) * 257 for a in alphas])
    elif kind == "movie":
        write_lossless(place.with_suffix(".mkv"), [np.repeat(a[..., None], 3, -1) for a in alphas])
    else:
        write_images(place, alphas)
    assert run(config)["mean"] == pytest.approx(wanted)


def test_preservation_looks_outside_only(tmp_path: Path):
    config = made(tmp_path, "davis")
    found = run(config)
    assert found["baseline_mean"] == pytest.approx({"psnr_outside": MOST_DB, "ssim_outside": 1, "change_inside": 0})
    for row in found["rows"]:
        pictures = list(open_source(row["files"]["input"]).read())
        masks = removal_clip(("bear", "cows").index(row["case"]))["mask"]
        shutil.rmtree(tmp_path / "results" / row["case"])
        inside_only = [np.where(m[..., None] > 0, 255 - p, p) for p, m in zip(pictures, masks, strict=True)]
        write_images(tmp_path / "results" / row["case"], inside_only)
    found = run(config)["mean"]
    assert found["psnr_outside"] == pytest.approx(MOST_DB) and found["ssim_outside"] == 1
    assert found["change_inside"] > 50


def test_a_perfect_stack_is_perfect(tmp_path: Path):
    """One object: the clip itself is its solo. Layers of a black shadow are exact but for rounding."""
    grounds, masks = ground(), object_masks(row=10)
    pictures = with_object(grounds, masks)
    scene, results = tmp_path / "data" / "one", tmp_path / "results" / "one"
    for name, frames in (("frames", pictures), ("mask_00", masks)):
        write_images(scene / name, frames)
    write_lossless(scene / "background.mkv", grounds)
    (scene / "scene.json").write_text(json.dumps({"objects": ["dog"]}))
    write_stack(results, grounds, {"dog": layers(grounds, masks)})
    scores = run(EvaluateConfig("scene", tmp_path / "data", tmp_path / "results", tmp_path / "out"))["mean"]
    assert scores["plate"] == pytest.approx(MOST_DB) and scores["removed_effect"] == 1
    assert scores["effect_recall"] == scores["effect_precision"] == 1 and scores["leak"] == 0
    assert min(scores["solo"], scores["recompose"], scores["solo_effect"]) > 50


def test_truth_that_only_some_scenes_have(tmp_path: Path):
    config = made(tmp_path, "scene")
    assert "transplant" not in run(config)["mean"]
    write_extras(tmp_path / "data" / "toy", tuple(ROWS))
    scores, other, wanted = run(config)["mean"], ground(seed=5), []
    for k, row in enumerate(ROWS.values()):
        masks = object_masks(row=row)
        found = [np.roll(rgba, 1, axis=1) for rgba in layers(other, masks, 230 - 60 * k)]
        there = with_object(other, masks, 230 - 60 * k)
        wanted.append(layer_metrics.transplant_psnr(np.stack(found), np.stack(other), np.stack(there)))
    assert scores["transplant"] == pytest.approx(np.mean(wanted))
    assert scores["alpha_object"] > 0 and scores["alpha_effect"] > 0


def test_what_others_hide_of_an_object_is_no_effect_of_it():
    """An object of which a part is hidden, a soft edge, and a shadow beside it, partly below the object."""
    shape = (12, 20)
    object_alpha, effect_alpha, mask = (np.zeros(shape, np.uint8) for _ in range(3))
    object_alpha[4:8, 4:12], object_alpha[4:8, 12], effect_alpha[4:8, 10:18] = 255, 100, 128
    mask[4:8, 4:8] = 255
    plate = np.full((*shape, 3), 200, np.uint8)
    o, e = object_alpha[..., None] / 255, effect_alpha[..., None] / 255
    solo = np.rint(o * 60 + (1 - o) * (1 - e) * plate).astype(np.uint8)
    alpha = o + (1 - o) * e
    whole = np.dstack([np.repeat(np.rint(o * 60 / np.maximum(alpha, 1e-9)), 3, -1), np.rint(255 * alpha)])
    extras = {"object_alpha": [object_alpha], "effect_alpha": [effect_alpha]}
    frame = SceneFrame(plate, plate, [mask > 127], [solo], plate, {}, extras, None)
    scores = {}
    for name, part in {"whole": whole, "seen": whole * (np.arange(20) < 8)[None, :, None], "none": whole * 0}.items():
        tally = LayerTally()
        tally.add(frame, 0, part.astype(np.uint8), changed(solo, plate), np.ones(shape, bool))
        scores[name] = {figure: layer_figure(tally, figure) for figure in LAYER_SCORES}
    assert scores["whole"]["alpha_object"] < 1 > scores["whole"]["alpha_effect"]
    assert scores["whole"]["effect_recall"] == scores["whole"]["effect_precision"] == 1
    assert scores["seen"]["alpha_object"] == pytest.approx(500, abs=1)
    edge, shadow = 100 / 255 + 155 / 255 * 128 / 255, 128 / 255
    assert scores["none"]["alpha_effect"] == pytest.approx(1000 * (edge + 5 * shadow) / 6)
    assert scores["seen"]["effect_recall"] == 0 and scores["none"]["alpha_object"] == 1000


def test_a_shot_scene_of_several_objects_has_no_layer_figures(tmp_path: Path):
    """Without scene.json and solos: names are obj_00 .., the rim of a mask counts nowhere."""
    config = made(tmp_path, "scene")
    for path in (tmp_path / "data" / "toy").glob("s*"):
        path.unlink()
    (row,) = run(config)["rows"]
    assert "solo" not in row["scores"] and "several objects without their solos" in row["notes"][-1]
    assert sum(row["regions_percent"].values()) < 95 and len(row["masks"]) == 2
    assert row["scores"]["recompose"] is not None


def test_only_the_worst_cases_are_shown_the_worst_first(tmp_path: Path):
    for k in range(8):
        clip = removal_clip(0)
        for role, folder in (("input", "FG_BG"), ("truth", "BG"), ("mask", "MASK")):
            write_images(tmp_path / "data" / folder / str(k), clip[role])
        dark = [np.maximum(frame, 8 * (k + 1)) - 8 * k for frame in clip["truth"]]
        dark[2] = dark[2] // 2
        write_images(tmp_path / "results" / str(k), dark)
    rows = run(EvaluateConfig("vor", tmp_path / "data", tmp_path / "results", tmp_path / "out"))["rows"]
    assert {row["worst_frame"] for row in rows} == {2}
    picture = cv2.imread(str(tmp_path / "out/worst.png"))
    lines = np.split(picture, 6)
    errors = [line[22:62, 3 * 364 + 2 : 3 * 364 + 50].mean() for line in lines]
    assert errors == sorted(errors, reverse=True) and errors[0] > errors[-1] > 4 * 55


SCENES = {"bench/dev_walk": 5, "clips/uu_seated_cam1": 2}


@pytest.mark.parametrize("name", SCENES)
def test_scene_figures_are_those_of_the_published_script(shared: Path, tmp_path: Path, name: str):
    """A rendered and a shot scene, their first frames, with a crude stack."""
    script = shared / "tools" / "score.py"
    source = shared / name
    if not (script.exists() and source.exists()):
        pytest.skip("no such scene beside the checkout")
    scene, count = tmp_path / "data" / source.name, SCENES[name]
    shutil.copytree(source, scene, ignore=shutil.ignore_patterns("*.mp4", "mask_*", "*.jpg", "sheet.png"))
    frames = {role: _first(source / f"{role}.mp4", count) for role in ("input", "background") if _there(source, role)}
    mask = next(path for path in sorted(source.glob("mask_00*")))
    masks = [frame[..., 1] for frame in _first(mask, count)]
    for role, pictures in frames.items():
        write_lossless(scene / f"{role}.mkv", pictures).rename(scene / f"{role}.mp4")
    write_images(scene / "mask_00", masks)
    described = scene / "scene.json"
    objects = json.loads(described.read_text())["objects"] if described.exists() else ["obj_00"]
    blurred = [cv2.GaussianBlur(frame, (0, 0), 3) for frame in frames["input"]]
    soft = [np.dstack([f, cv2.GaussianBlur(m, (0, 0), 3)]) for f, m in zip(frames["input"], masks, strict=True)]
    write_stack(tmp_path / "results" / source.name, blurred, {objects[0]: soft})
    (row,) = run(EvaluateConfig("scene", tmp_path / "data", tmp_path / "results", tmp_path / "out"))["rows"]
    command = [sys.executable, str(script), str(scene), str(tmp_path / "results" / source.name), "--json"]
    theirs = json.loads(subprocess.run(command, capture_output=True, check=True, text=True).stdout)
    theirs.pop("scene")
    assert len(theirs) == 12
    assert {key: row["scores"][key] for key in theirs} == pytest.approx(theirs, abs=1e-3)


def _there(folder: Path, role: str) -> bool:
    return (folder / f"{role}.mp4").exists()


def _first(path: Path, count: int) -> list[np.ndarray]:
    return list(open_source(path).read(0, count))


def test_results_may_be_stacks_of_ours_or_movies(tmp_path: Path):
    config = made(tmp_path, "vor")
    wanted = run(config)["mean"]
    for name in ("1", "2"):
        plate = tmp_path / "results" / f"{name}.mkv"
        frames = list(open_source(plate).read())
        plate.unlink()
        write_stack(tmp_path / "results" / name, frames, {})
    found = run(config)["mean"]
    assert {k: v for k, v in found.items() if v is not None} == pytest.approx({k: v for k, v in wanted.items() if v})


def test_memory_is_flat(tmp_path: Path):
    peaks = []
    for frames in (4, 40):
        data, results = tmp_path / f"data{frames}", tmp_path / f"results{frames}"
        size = (96, 64)
        grounds, masks = ground(frames, size), object_masks(4, size) * (frames // 4)
        pictures = with_object(grounds, masks)
        for folder, images in (("FG_BG", pictures), ("BG", grounds), ("MASK", masks)):
            write_images(data / folder / "clip", images)
        write_images(results / "clip", plates(grounds, pictures))
        tracemalloc.start()
        evaluate_results(EvaluateConfig("vor", data, results, tmp_path / "out"))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 96 * 64 * 3 * 8  # one more frame of levels, for 36 more frames of the clip


def test_lpips_is_in_the_rows_when_its_weights_are_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Made-up weights: it is what the rows do with the distance that is tried here."""
    asked = []

    def distance(found: np.ndarray, truth: np.ndarray) -> float:
        asked.append((found, truth))
        return 0.25 if found is not truth else 0.0

    monkeypatch.setattr(task, "open_lpips", lambda weights: distance)
    config = made(tmp_path, "omnimatterf")
    weights = tmp_path / "alex.pth"
    found = run(EvaluateConfig(config.protocol, config.data, config.results, config.out, weights))
    assert all(row["scores"]["lpips"] is None and TOO_SMALL in row["notes"] for row in found["rows"]) and not asked
    assert found["command"].endswith(f"--lpips {weights}")
    monkeypatch.setattr(tally, "LEAST_LPIPS_PX", 8)
    found = run(EvaluateConfig(config.protocol, config.data, config.results, config.out, weights))
    assert found["mean"]["lpips"] == found["baseline_mean"]["lpips"] == 0.25
    assert len(asked) == 2 * 2 * FRAMES and NOT_MEASURED not in found["rows"][0]["notes"]


def drop(place: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        for path in folder.glob(place):
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    return change


def cut(place: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        sorted((folder / place).glob("*"))[-1].unlink()

    return change


def resized(place: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        shutil.rmtree(folder / place)
        write_images(folder / place, [frame[:-4] for frame in plates(ground(), ground())])

    return change


def text(place: str, content: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        (folder / place).write_text(content)

    return change


def extra(name: str, frames: int) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        write_images(folder / "data/toy" / name, object_masks(frames))

    return change


def short_extras(folder: Path) -> None:
    for name in ("object_alpha_00", "object_alpha_01"):
        extra(name, FRAMES - 1)(folder)


def coloured(folder: Path) -> None:
    write_images(folder / "results/videomatte_motion/0000/pha", ground(), "{:04d}.png")


def opaque(folder: Path) -> None:
    write_lossless(folder / "results/toy/layers/dog.mkv", ground())


def renamed(folder: Path) -> None:
    write_stack(folder / "results/toy", ground(), {"dog": layers(ground(), object_masks())})


def only(layout: str) -> str:
    return "wanted " + layout.replace("(", r"\(").replace(")", r"\)").replace(".", r"\.")


FAULTS: dict[str, tuple[str, Callable[[Path], None], str]] = {
    f"{name} in no layout": (name, drop("data/*"), f"data of {name} in .*data: got no .*{only(protocol.layout)}")
    for name, protocol in PROTOCOLS.items()
}
FAULTS |= {
    f"{name} without results": (name, drop("results"), "results .*results: got no such folder, wanted .*Run the method")
    for name in PROTOCOLS
}
FAULTS |= {
    "no data": ("vor", drop("data"), "--data .*data: got no such folder, wanted FG_BG"),
    "one result missing": ("vor", drop("results/2.mkv"), r"results .*: got no output for '2', wanted 2\.mp4 .*a mean"),
    "one folder missing": ("vor", drop("data/BG"), "data of vor in .*: got no folder BG, wanted FG_BG/CLIP"),
    "no clip": ("beyondmasks", drop("data/objects_added/*"), "got no clip in objects_added"),
    "one mask missing": ("beyondmasks", drop("data/masks/2.*"), "data of beyondmasks in .*masks: got no clip '2'"),
    "no true plate": ("omnimatterf", drop("data/movies/chicken/bg"), "in .*chicken: got no clip 'bg'"),
    "no masks": ("omnimatterf", drop("data/movies/chicken/masks"), "got no folder masks/mask/00"),
    "no gt": ("rose-bench", drop("data/*/*/gt"), "data of rose-bench in .*0001: got no clip 'gt'"),
    "no pha": ("youtubematte", drop("data/*/*/pha"), "data of youtubematte in .*0000: got no clip 'pha'"),
    "no annotations": ("davis", drop("data/Annotations/480p/bear"), "data of davis in .*480p: got no clip 'bear'"),
    "a short result": ("omnimatterf", cut("results/movies/chicken"), "result .*chicken: got 3 frames, wanted 4, as"),
    "a short truth": ("omnimatterf", cut("data/kubric/car/bg"), "truth .*bg: got 3 frames, wanted 4, as .*rgb_1x"),
    "a short mask": ("omnimatterf", cut("data/kubric/car/masks/mask/00"), "mask '00': got 3 frames, wanted 4"),
    "a small result": ("omnimatterf", resized("results/movies/chicken"), "got 48 x 36, wanted 48 x 40, as .*rgb_1x"),
    "a short matte": ("videomatte", cut("results/videomatte_motion/0000/pha"), "result .*pha: got 3 frames, wanted 4"),
    "a coloured matte": ("videomatte", coloured, r"alpha .*pha: got a coloured picture \(channels .*wanted gray"),
    "too few frames": ("crgnn", drop("results/clip01/*2[0-9].png"), "got 20 frames, wanted 21 to 30, for 3 labels"),
    "short annotations": ("davis", cut("data/Annotations/480p/bear"), "labels .*bear: got 3 frames, wanted 4"),
    "no stack.json": (
        "scene",
        drop("results/toy/stack.json"),
        "got no output for 'toy', wanted a folder toy with",
    ),
    "stack.json is prose": ("scene", text("results/toy/stack.json", "Dear"), "stack.json: got text that is not JSON"),
    "no list of layers": (
        "scene",
        text("results/toy/stack.json", '{"layers": [1]}'),
        "got no list of layers",
    ),
    "a layer is missing": ("scene", renamed, "got the layers dog, wanted one for each object of the scene: dog, cat"),
    "a layer has no alpha": ("scene", opaque, r"layer .*dog\.mkv: got 3 channels, wanted RGBA"),
    "no masks in a scene": ("scene", drop("data/toy/mask_*"), "scene .*toy: got no mask_00, wanted mask_00"),
    "one solo": ("scene", drop("data/toy/solo_01.mp4"), "got 1 solos, wanted 2, as many as masks"),
    "one true alpha": ("scene", extra("effect_alpha_00", FRAMES), "got 1 files effect_alpha_NN, wanted 2, as many as"),
    "names": ("scene", text("data/toy/scene.json", '{"objects": ["dog"]}'), "got 1 names of objects in scene.json"),
    "short true alphas": ("scene", short_extras, "object_alpha .*object_alpha_00: got 3 frames, wanted 4"),
    "no weights": ("vor", lambda folder: None, "--lpips .*alex.pth: got no such file, wanted alexnet-owt"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_wrong_is_said(tmp_path: Path, fault: str, capsys: pytest.CaptureFixture[str]):
    protocol, change, message = FAULTS[fault]
    config = made(tmp_path, protocol)
    change(tmp_path)
    lpips = tmp_path / "alex.pth" if fault == "no weights" else None
    with pytest.raises(InputError, match=message):
        evaluate_results(EvaluateConfig(config.protocol, config.data, config.results, config.out, lpips))
    assert not (tmp_path / "out").exists()


def test_a_broken_stack_of_ours_is_a_media_error(tmp_path: Path):
    config = made(tmp_path, "scene")
    text("results/toy/stack.json", '{"version": 2, "layers": []}')(tmp_path)
    with pytest.raises(MediaError, match="stack.json: got no .* in stack.json"):
        evaluate_results(config)


def test_an_unknown_protocol_is_named(tmp_path: Path):
    config = EvaluateConfig("vor", tmp_path, tmp_path)
    object.__setattr__(config, "protocol", "imagenet")  # as a caller without a type checker may
    with pytest.raises(InputError, match="protocol: got 'imagenet', wanted omnimatterf, rose-bench"):
        evaluate_results(config)


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    config = made(tmp_path, "vor")
    words = ["evaluate", "vor", "--data", str(config.data), "--results", str(config.results)]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "input untouched" in said and "removed_effect ↑" in said and "leaving the picture alone" in said
    written = tmp_path / "results" / "evaluation"
    assert {path.name for path in written.iterdir()} == {"rows.json", "table.md", "worst.png"}
    assert json.loads((written / "rows.json").read_text())["command"] == " ".join(["lamina", *words])
    assert main([*words, "--json"]) == 0
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert last["event"] == "result" and last["mean"]["psnr"] > last["baseline_mean"]["psnr"]
    assert main(["evaluate", "vor", "--data", str(tmp_path / "no"), "--results", str(config.results)]) == 2


def test_lossy_movies_and_odd_files_beside_them_are_no_hindrance(tmp_path: Path):
    config = made(tmp_path, "vor")
    clip = removal_clip(0)
    (tmp_path / "results" / "1.mkv").unlink()
    write_movie(tmp_path / "results" / "1.mp4", clip["result"])
    (tmp_path / "data" / "FG_BG" / "readme.txt").write_text("hello")
    (tmp_path / "data" / "FG_BG" / ".cache").mkdir()
    assert [row["case"] for row in run(config)["rows"]] == ["1", "2"]


def test_the_page_names_every_protocol_and_figure():
    page = (ROOT / "docs" / "evaluate.md").read_text()
    assert not [name for name in PROTOCOLS if f"`{name}`" not in page]
    assert not [name for name in COLUMNS if f"`{name}`" not in page]
