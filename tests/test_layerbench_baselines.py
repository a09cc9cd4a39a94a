"""LayerBench's baselines do what its README says of them, and its scores, table and sheet come out of a tiny one."""

import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from evaluate_folders import FRAMES, SIZE, ground, layers, make_layerbench, object_masks
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import tables
from benchmarks.layerbench import baselines, score, sheet
from benchmarks.machine import ROOT, command
from lamina.evaluate.stack_folder import open_stack_folder
from lamina.layers.sheet import CAPTION_PX
from lamina.masks.binary import grow, union
from lamina.media.source import open_source


@pytest.fixture
def bench(tmp_path: Path) -> Path:
    make_layerbench(tmp_path / "data", tmp_path / "made")
    return tmp_path / "data"


def clip(frames: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Any frames and masks, `t h w 3` and `t h w`."""
    chance = np.random.default_rng(seed)
    return chance.integers(0, 256, (frames, 9, 11, 3), np.uint8), chance.random((frames, 9, 11)) < 0.4


@given(st.integers(1, 6), st.integers(0, 50))
def test_the_median_is_that_of_unmasked_frames(frames: int, seed: int):
    pictures, masks = clip(frames, seed)
    found = np.stack(list(baselines.median(pictures, masks)))
    assert (found == found[0]).all() and len(found) == frames
    for row, column in np.argwhere(~masks.all(0)):
        seen = pictures[~masks[:, row, column], row, column]
        assert found[0, row, column].tolist() == [round(float(m)) for m in np.median(seen, axis=0)]


@given(st.integers(0, 50))
def test_the_median_finds_the_plate_where_most_frames_show_it(seed: int):
    """Of the frames in which a pixel is unmasked, fewer than half are spoiled by an effect."""
    chance = np.random.default_rng(seed)
    pictures, masks = clip(7, seed)
    plate = chance.integers(0, 256, pictures.shape[1:], np.uint8)
    order = np.argsort(chance.random(masks.shape) + masks, axis=0).argsort(0)  # unmasked frames first, shuffled
    spoiled = order < ((~masks).sum(0) - 1) // 2
    shown = np.where((spoiled | masks)[..., None], pictures, plate)
    found = next(baselines.median(shown, masks))
    somewhere = ~masks.all(0)
    assert (found[somewhere] == plate[somewhere]).all() and spoiled.any()


def test_what_no_frame_shows_is_filled_from_beside():
    plate = np.full((3, 20, 20, 3), 90, np.uint8)
    masks = np.zeros((3, 20, 20), bool)
    masks[:, 8:12, 8:12] = True
    shown = np.where(masks[..., None], 250, plate).astype(np.uint8)
    found = np.stack(list(baselines.median(shown, masks)))
    assert (found[~masks] == 90).all() and np.abs(found[masks].astype(int) - 90).max() <= 2  # OpenCV's rounding


@given(st.integers(0, 50))
def test_inpainting_touches_nothing_but_the_masks(seed: int):
    pictures, masks = clip(3, seed)
    found = np.stack(list(baselines.inpaint(pictures, masks)))
    assert (found[~masks] == pictures[~masks]).all() and (found[masks] != pictures[masks]).any()


@pytest.mark.parametrize("name", baselines.BASELINES)
def test_baselines_write_stacks_of_the_whole_scene(bench: Path, tmp_path: Path, name: str):
    baselines.main([str(bench), "--out", str(tmp_path / "out"), "--only", name])
    source = open_source(bench / "mirror" / "input.mp4")
    frames = np.stack(list(source.read()))
    stack = open_stack_folder(tmp_path / "out" / name / "mirror", source.info)
    masks = {"dog": np.stack(object_masks(row=4)), "cat": np.stack(object_masks(row=22))}
    grown = grow(union(*masks.values()), baselines.GROW_PX)
    plate = np.stack(list(stack.read_plate()))
    assert (plate == np.stack(list(baselines.BASELINES[name](frames, grown)))).all() and stack.names == ("dog", "cat")
    for layer, mask in masks.items():
        rgba = np.stack(list(stack.read_layer(layer)))
        assert (rgba[..., 3] == mask).all()
        assert (rgba[..., :3] == np.where(mask[..., None] > 0, frames, 0)).all()
    before = (tmp_path / "out" / name / "mirror" / "plate.mkv").stat().st_mtime_ns
    baselines.main([str(bench), "--out", str(tmp_path / "out")])
    assert (tmp_path / "out" / name / "mirror" / "plate.mkv").stat().st_mtime_ns == before


def test_methods_are_scored_into_one_table(bench: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """A peer's stacks, made elsewhere, are scored beside ours without a time."""
    out, stacks = tmp_path / "results.json", tmp_path / "stacks"
    stacks.mkdir()
    (tmp_path / "made").rename(stacks / "peer")
    words = [str(bench), "--stacks", str(stacks), "--out", str(out), "--methods"]
    score.main([*words, "peer", "median"])
    score.main([*words, "inpaint"])
    methods = json.loads(out.read_text())["methods"]
    assert [entry["method"] for entry in methods] == ["inpaint", "median", "peer"]
    for entry in methods:
        assert [(s["scene"], s["family"], s["frames"]) for s in entry["scenes"]] == [
            ("mirror", "reflection", FRAMES),
            ("lamp", "static-object", FRAMES),
        ]
        assert all((s["seconds_per_frame"] is None) == (entry["method"] == "peer") for s in entry["scenes"])
    shown = capsys.readouterr().out.rpartition("```")[2]
    titles = re.findall(r"^### (.*)$", shown, re.MULTILINE)
    assert titles == ["All scenes (2)", "reflection", "static-object"]
    lines = [line.split(" | ") for line in shown.splitlines() if line.startswith("| ")]
    assert [line[0] for line in lines] == ["| method", "| ---", "| input", "| inpaint", "| median", "| peer"] * 3
    assert len({len(line) for line in lines}) == 1 == len({*lines[0]} & {"plate ↑"})
    assert lines[2][lines[0].index("effect_recall ↑")] == lines[3][lines[0].index("effect_recall ↑")] == "0.000"
    found = [scene["scores"]["transplant"] for scene in methods[2]["scenes"]]
    assert lines[5][lines[0].index("transplant ↑")] == f"{np.mean(found):.2f}"
    assert lines[11][lines[6].index("transplant ↑")] == f"{found[0]:.2f}"


def test_the_command_beside_the_table_is_the_one_that_was_given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    words = [str(ROOT / "benchmarks/layerbench/score.py"), str(tmp_path / "LB"), "--methods", "median"]
    monkeypatch.setattr("sys.argv", words)
    assert command() == "python -m benchmarks.layerbench.score .../LB --methods median"
    monkeypatch.setattr("sys.argv", [str(ROOT / "benchmarks/quality.py"), "../scenes"])
    assert command() == "python -m benchmarks.quality ../scenes"


def test_entries_of_other_scenes_do_not_stay(tmp_path: Path):
    file, order = tmp_path / "results.json", ("median", "inpaint")
    score.keep(file, {"method": "inpaint", "scenes": [{"scene": "a"}]}, order)
    both = score.keep(file, {"method": "median", "scenes": [{"scene": "a"}]}, order)
    assert [entry["method"] for entry in both["methods"]] == ["median", "inpaint"]
    assert json.loads(file.read_text()) == both
    alone = score.keep(file, {"method": "inpaint", "scenes": [{"scene": "b"}]}, order)
    assert [entry["scenes"] for entry in alone["methods"]] == [[{"scene": "b"}]]


def test_an_engine_is_run_and_timed(bench: Path, tmp_path: Path):
    score.make("propagate", bench / "lamp", tmp_path / "propagate")
    described = json.loads((tmp_path / "propagate" / "lamp" / "stack.json").read_text())
    assert described["engine"] == "propagate" and [layer["name"] for layer in described["layers"]] == ["dog"]
    times = (tmp_path / "propagate" / "seconds.json").read_text()
    assert json.loads(times)["lamp"] > 0
    score.make("propagate", bench / "lamp", tmp_path / "propagate")
    assert (tmp_path / "propagate" / "seconds.json").read_text() == times


def test_an_unknown_method_is_named(bench: Path, tmp_path: Path):
    known = ", ".join([*baselines.BASELINES, *score.ENGINES])
    with pytest.raises(SystemExit, match=f"'magic' is not known here: wanted one of {known}, or a"):
        score.make("magic", bench / "lamp", tmp_path)


def test_the_sheet_shows_every_scene(bench: Path, tmp_path: Path):
    sheet.main([str(bench), "--out", str(tmp_path / "sheet.png"), "--columns", "1", "--width-px", str(SIZE[0])])
    picture = cv2.imread(str(tmp_path / "sheet.png"))[..., ::-1]
    width, height = SIZE
    assert picture.shape == (2 * (height + CAPTION_PX), 5 * (width + 4), 3)
    middle = FRAMES // 2

    def cell(row: int, column: int) -> np.ndarray:
        top, left = row * (height + CAPTION_PX) + CAPTION_PX, column * (width + 4) + 2
        return picture[top : top + height, left : left + width]

    assert (cell(0, 1) == ground()[middle]).all()
    alpha = layers(ground(seed=5), object_masks())[middle]
    assert (cell(1, 0) == cell(1, 2)).all() and (cell(0, 0) != cell(0, 2)).any()
    assert cell(1, 3).max() == alpha[..., 3].max() == 255 and np.ptp(cell(1, 3), axis=-1).max() == 0
    two = sheet.make_sheet(sheet.SheetConfig(bench, columns=2, width_px=SIZE[0]))
    assert two.shape == (height + CAPTION_PX, 10 * (width + 4), 3)


def test_a_scene_without_extras_is_left_dark(bench: Path):
    for path in (bench / "lamp").glob("transplant_00/*"):
        path.unlink()
    (bench / "lamp" / "transplant_00").rmdir()
    shown = sheet.make_sheet(sheet.SheetConfig(bench, columns=1, width_px=SIZE[0]))
    assert not shown[-SIZE[1] :, -SIZE[0] - 2 : -2].any()


def test_the_readme_has_a_place_for_the_table():
    page = tables.LAYERBENCH_PAGE.read_text()
    assert page.count("<!-- layerbench: generated -->") == page.count("<!-- layerbench: end -->") == 1
    if not score.RESULTS.exists():
        assert "Not measured yet." in page
        return
    assert tables.layerbench(json.loads(score.RESULTS.read_text())) in page
