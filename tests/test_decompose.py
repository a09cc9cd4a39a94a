"""The whole job on tiny clips: what lies on the disk afterwards, and what the flags do."""

import json
import warnings
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import OpenEXR
import pytest
from media_makers import write_images, write_movie
from toy_scenes import Toy, psnr, save, walk

import lamina
from lamina.alpha import lay_over
from lamina.levels import to_levels

NAMES = ("box", "disc")


def run(clip: Path, out: Path, mask: tuple[str, ...] = (), **more) -> lamina.StackReader:
    return lamina.open_stack(lamina.decompose(lamina.DecomposeConfig(input=clip, out=out, mask=mask, **more)))


def decomposed(toy: Toy, folder: Path, first: int = 0, **more) -> lamina.StackReader:
    clip, mask = save(toy, folder, first)
    return run(clip, folder / "out", mask, **more)


def plates(stack: lamina.StackReader) -> np.ndarray:
    return np.stack(list(stack.read_plate()))


def recomposed(stack: lamina.StackReader) -> np.ndarray:
    """Levels `t h w 3`."""
    layers = [list(stack.read_layer(name)) for name in stack.manifest.layer_names]
    pictures = []
    for t, plate in enumerate(stack.read_plate()):
        picture = to_levels(plate)
        for layer in layers:
            picture = lay_over(layer[t], picture)
        pictures.append(picture)
    return np.stack(pictures)


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> tuple[Toy, lamina.StackReader]:
    toy = walk(20, (64, 48), names=NAMES)
    return toy, decomposed(toy, tmp_path_factory.mktemp("two"))


# ------------------------------------------------------------------------------------------------- the stack on disk


def test_the_folder_holds_what_the_contract_says_and_nothing_else(two):
    _, stack = two
    names = {str(path.relative_to(stack.folder)) for path in stack.folder.rglob("*")}
    assert names == {"stack.json", "plate.mkv", "sheet.png", "layers", "layers/box.mkv", "layers/disc.mkv"}


def test_stack_json(two):
    toy, stack = two
    said = json.loads((stack.folder / "stack.json").read_text())
    assert said["version"] == 2 and said["size"] == {"width": 64, "height": 48}
    assert {layer["name"] for layer in said["layers"]} == set(NAMES)
    assert [layer["file"] for layer in said["layers"]] == [f"layers/{layer['name']}.mkv" for layer in said["layers"]]
    assert said["time"] == {"base": "1/24", "pts": list(range(20))}
    assert said["engine"] == "auto" and said["figures"]["auto"]["engine"] in ("propagate", "casper-s")
    assert said["config"]["solve"]["edge_px"] > 0
    assert said["source"]["start"] == 0 and said["source"]["stop"] == 20 and len(said["source"]["hash"]) == 64
    assert said["figures"]["recompose_psnr_db"] > 40
    assert said["figures"]["changed_share"] == pytest.approx(np.mean(toy.changed), rel=0.7)


def test_files_are_lossless_and_of_the_source_s_size(two):
    _, stack = two
    for file, pixels in (("plate.mkv", "bgr0"), ("layers/box.mkv", "bgra"), ("layers/disc.mkv", "bgra")):
        with av.open(str(stack.folder / file)) as container:
            (stream,) = container.streams.video
            found = [frame.time for frame in container.decode(stream)]
            assert (stream.codec_context.name, stream.pix_fmt) == ("ffv1", pixels)
            assert (stream.width, stream.height) == (64, 48)
            assert found == pytest.approx([t / 24 for t in range(20)], abs=0.0006)


def test_the_object_lower_in_the_picture_is_the_nearer_one(two):
    assert two[1].manifest.layer_names == NAMES


def test_layers_over_the_plate_are_the_input(two):
    toy, stack = two
    wanted = to_levels(np.stack(toy.frames))
    assert -10 * np.log10(np.mean(np.square(recomposed(stack) - wanted))) > 45
    assert np.abs(recomposed(stack) - wanted).max() < 12 / 255


def test_every_layer_holds_its_object_and_leaves_the_other(two):
    toy, stack = two
    alphas = {name: np.stack(list(stack.read_layer(name)))[..., 3] for name in NAMES}
    for name, other in (NAMES, NAMES[::-1]):
        core = np.stack([cv2.erode(m, np.ones((5, 5))) for m in toy.masks[name]]) > 0
        assert (alphas[name][core] == 255).all() and alphas[other][core].mean() < 10
    touched = np.stack([cv2.dilate(c.astype(np.uint8), np.ones((17, 17))) for c in toy.changed]) > 0
    assert not any(alpha[~touched].any() for alpha in alphas.values())


def test_the_plate_is_clean(two):
    toy, stack = two
    assert psnr(plates(stack), np.stack(toy.truth)) > 40


def test_the_sheet_is_a_picture_of_all_rows(two):
    sheet = cv2.imread(str(two[1].folder / "sheet.png"))
    rows = 2 + len(NAMES) + 1
    assert sheet.shape == (rows * (48 + 22), 5 * (64 + 4), 3) and sheet.std() > 10


# ----------------------------------------------------------------------------------------------- sizes, depths, times


@pytest.mark.parametrize("size", [(33, 17), (107, 61), (61, 107), (8, 6)])
def test_odd_and_tiny_sizes(size: tuple[int, int], tmp_path: Path):
    toy = walk(6, size)
    stack = decomposed(toy, tmp_path)
    assert (stack.manifest.width, stack.manifest.height) == size
    assert plates(stack).shape == (6, size[1], size[0], 3)
    assert np.abs(recomposed(stack) - to_levels(np.stack(toy.frames))).mean() < 2 / 255


def test_a_clip_larger_than_every_working_size(tmp_path: Path):
    toy = walk(3, (1083, 607))
    stack = decomposed(toy, tmp_path)
    assert plates(stack).shape == (3, 607, 1083, 3)
    assert psnr(plates(stack), np.stack(toy.truth)) > psnr(np.stack(toy.frames), np.stack(toy.truth))
    far = np.stack([cv2.dilate(c.astype(np.uint8), np.ones((101, 101))) for c in toy.changed]) == 0
    same = (plates(stack) == np.stack(toy.frames)).all(-1)
    assert same[far].mean() > 0.995, "three frames prove little, so a few places may be taken for an effect"


def test_sixteen_bit_images_stay_sixteen_and_keep_their_numbers(tmp_path: Path):
    toy = walk(6, (64, 48), "uint16")
    stack = decomposed(toy, tmp_path, first=1001)
    assert stack.manifest.dtype == "uint16" and plates(stack).dtype == np.uint16
    assert (stack.manifest.source.first_number, stack.manifest.source.padding) == (1001, 4)
    layer = np.stack(list(stack.read_layer("box")))
    assert layer.dtype == np.uint16 and len(np.unique(layer[..., :3] % 257)) > 100
    assert np.abs(recomposed(stack) - to_levels(np.stack(toy.frames))).max() < 12 / 255
    lamina.export(lamina.ExportConfig(stack=stack.folder, format="png", out=tmp_path / "png"))
    assert list((tmp_path / "png").rglob("*1001*")) and not list((tmp_path / "png").rglob("*1007*"))


def test_variable_time_stamps_are_kept(tmp_path: Path):
    toy = walk(5, (64, 48))
    stamps = [3, 4, 9, 10, 30]
    mux = {"video_track_timescale": "30"}
    movie = write_movie(tmp_path / "a.mov", toy.frames, "png", "rgb24", pts=(stamps, Fraction(1, 30)), mux=mux)
    _, mask = save(toy, tmp_path)
    source = lamina.open_source(movie).info
    stack = run(movie, tmp_path / "out", mask)
    assert (stack.manifest.pts, stack.manifest.time_base) == (source.pts, source.time_base)
    assert [b - a for a, b in zip(stamps, stamps[1:], strict=False)] == [
        (b - a) * source.time_base * 30 for a, b in zip(source.pts, source.pts[1:], strict=False)
    ]
    for file in ("plate.mkv", "layers/box.mkv"):
        with av.open(str(stack.folder / file)) as container:
            times = [frame.time for frame in container.decode(video=0)]
        wanted = [float(p * source.time_base) for p in source.pts]
        assert np.diff(times) == pytest.approx(np.diff(wanted), abs=0.0011)


def test_one_frame_works_and_warns(tmp_path: Path):
    clip, mask = save(walk(1, (64, 48)), tmp_path)
    with pytest.warns(UserWarning, match="the clip has one frame: no other shows what is behind the objects"):
        stack = run(clip, tmp_path / "out", mask)
    assert plates(stack).shape == (1, 48, 64, 3)


def test_two_frames_work(tmp_path: Path):
    assert plates(decomposed(walk(2, (64, 48)), tmp_path)).shape == (2, 48, 64, 3)


def test_an_object_that_comes_and_goes(tmp_path: Path):
    """Masks that are empty in most frames, and a second object that is only in the last one."""
    toy = walk(18, (64, 48), names=NAMES)
    for name, shown in (("box", range(5, 12)), ("disc", range(17, 18))):
        for t in set(range(18)) - set(shown):
            toy.masks[name][t][:] = 0
    stack = decomposed(toy, tmp_path)
    assert np.abs(recomposed(stack) - to_levels(np.stack(toy.frames))).mean() < 2 / 255
    box = np.stack(list(stack.read_layer("box")))[..., 3]
    assert box[8].max() == 255 and not box[0].any() and not box[-1].any()


# --------------------------------------------------------------------------------------------------------- the flags


def test_a_part_of_the_clip_in_its_own_numbers(tmp_path: Path):
    toy = walk(20, (64, 48))
    stack = decomposed(toy, tmp_path, first=1001, frames="1005-1012", engine="propagate")
    assert (stack.manifest.source.start, stack.manifest.source.stop) == (4, 12)
    assert stack.manifest.source.first_number == 1005 and stack.manifest.pts == tuple(range(4, 12))
    untouched = ~np.stack(toy.changed[4:12]) & (np.arange(48)[:, None] > 40)
    np.testing.assert_array_equal(plates(stack)[untouched], np.stack(toy.frames[4:12])[untouched])


def test_preview_works_small(tmp_path: Path):
    toy = walk(4, (640, 96))
    stack = decomposed(toy, tmp_path, preview=True)
    assert (stack.manifest.width, stack.manifest.height) == (416, 62)
    assert json.loads((stack.folder / "stack.json").read_text())["config"]["preview"] is True
    small = np.stack([cv2.resize(f, (416, 62), interpolation=cv2.INTER_AREA) for f in toy.frames])
    assert np.abs(recomposed(stack) - to_levels(small)).mean() < 2 / 255


def test_label_images_name_the_objects(tmp_path: Path):
    toy = walk(6, (64, 48), names=NAMES)
    labels = [
        np.where(box > 0, 1, 0).astype(np.uint8) + np.where(disc > 0, 2, 0).astype(np.uint8)
        for box, disc in zip(*toy.masks.values(), strict=True)
    ]
    clip, mask = save(toy, tmp_path)
    stack = run(clip, tmp_path / "out", labels=write_images(tmp_path / "labels", labels))
    assert sorted(stack.manifest.layer_names) == ["obj_01", "obj_02"]
    by_mask = run(clip, tmp_path / "masks", mask)
    np.testing.assert_array_equal(plates(stack), plates(by_mask))
    for label, name in (("obj_01", "box"), ("obj_02", "disc")):
        np.testing.assert_array_equal(np.stack(list(stack.read_layer(label))), np.stack(list(by_mask.read_layer(name))))


def test_preserved_regions_stay_bit_for_bit_outside_the_objects(tmp_path: Path):
    toy = walk(12, (96, 72))
    preserve = np.zeros((72, 96), np.uint8)
    preserve[20:] = 255
    kept = write_images(tmp_path / "preserve", [preserve]) / "shot.0000.png"
    stack = decomposed(toy, tmp_path, preserve=kept)
    outside = (preserve > 0) & (np.stack(toy.masks["box"]) == 0)
    np.testing.assert_array_equal(plates(stack)[outside], np.stack(toy.frames)[outside])
    free = decomposed(toy, tmp_path / "again")
    assert (plates(free)[outside] != np.stack(toy.frames)[outside]).any(), "without the flag the shadow goes"


@pytest.mark.parametrize("form", ["still", "clip"])
def test_a_true_plate_is_taken(form: str, tmp_path: Path):
    """It shows what no frame does: the object stands still."""
    toy = walk(5, (64, 48))
    frozen = Toy([toy.frames[2]] * 5, {"box": [toy.masks["box"][2]] * 5}, toy.truth, [toy.changed[2]] * 5)
    given = write_images(tmp_path / "given", toy.truth[:1] if form == "still" else toy.truth)
    stack = decomposed(frozen, tmp_path, plate=given / "shot.0000.png" if form == "still" else given)
    assert psnr(plates(stack), np.stack(toy.truth)) > 45
    assert np.abs(recomposed(stack) - to_levels(np.stack(frozen.frames))).max() < 12 / 255


def test_a_true_plate_of_another_exposure_is_brought_to_the_clip_s(tmp_path: Path):
    toy = walk(5, (64, 48))
    brighter = np.rint(toy.truth[0].astype(np.float32) * 1.1).astype(np.uint8)
    given = write_images(tmp_path / "given", [brighter]) / "shot.0000.png"
    assert psnr(plates(decomposed(toy, tmp_path, plate=given)), np.stack(toy.truth)) > 40


def test_masks_may_be_movies_and_stills_of_another_size(tmp_path: Path):
    toy = walk(5, (64, 48))
    large = [cv2.resize(m, (128, 96), interpolation=cv2.INTER_NEAREST) for m in toy.masks["box"]]
    movie = write_movie(tmp_path / "box.mov", [np.repeat(m[..., None], 3, 2) for m in large], "png", "rgb24")
    still = np.zeros((48, 64), np.uint8)
    still[38:46, 2:10] = 255
    write_images(tmp_path / "still", [still])
    clip, _ = save(toy, tmp_path)
    stack = run(clip, tmp_path / "out", (f"box={movie}", f"dot={tmp_path / 'still' / 'shot.0000.png'}"))
    dot = np.stack(list(stack.read_layer("dot")))[..., 3]
    assert (dot[:, 41:43, 5:7] == 255).all()
    assert np.abs(recomposed(stack) - to_levels(np.stack(toy.frames))).mean() < 2 / 255


def test_float_images_keep_what_is_brighter_than_white(tmp_path: Path):
    toy = walk(4, (64, 48))
    (tmp_path / "exr").mkdir()
    for t, frame in enumerate(toy.frames):
        bright = (frame / 255).astype(np.float32)
        bright[44:, :4] = 5.5
        header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
        OpenEXR.File(header, {"RGB": bright}).write(str(tmp_path / "exr" / f"a.{t:04d}.exr"))
    _, mask = save(toy, tmp_path)
    stack = run(tmp_path / "exr", tmp_path / "out", mask)
    source = np.stack(list(lamina.open_source(tmp_path / "exr").read()))
    assert plates(stack).dtype == np.float32 and source[:, 44:, :4].min() > 1.5
    np.testing.assert_array_equal(plates(stack)[:, 44:, :4], source[:, 44:, :4])
    assert np.abs(recomposed(stack) - source).max() < 12 / 255


def test_nothing_is_said_and_no_warning_is_given(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        decomposed(walk(3, (48, 36)), tmp_path)
    assert capsys.readouterr() == ("", "")


def test_every_stage_is_reported_from_start_to_end(tmp_path: Path):
    clip, mask = save(walk(20, (48, 36)), tmp_path)
    told: list[tuple[str, int, int]] = []
    config = lamina.DecomposeConfig(input=clip, mask=mask, out=tmp_path / "out")
    lamina.decompose(config, lambda *event: told.append(event))
    stages = list(dict.fromkeys(stage for stage, _, _ in told))
    assert stages == ["survey", "first look", "second look", "plate", "layers"]
    for stage in stages:
        done = [d for s, d, _ in told if s == stage]
        assert done == sorted(done) and done[-1] == 20 and {t for s, _, t in told if s == stage} == {20}
