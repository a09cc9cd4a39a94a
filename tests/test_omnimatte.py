"""Results of omnimatte methods as pairs: recomposed against a slow twin, both layouts, all that may not fit."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from media_makers import write_images
from pair_makers import SIZE, ground, same, walk

from lamina.color import SRGB
from lamina.errors import InputError, MediaError
from lamina.masks.trimask import KEEP, REMOVE, UNKNOWN
from lamina.media.ffv1 import write_segment
from lamina.media.stack import LayerRecord, OrderRun, SourceRecord, StackManifest, write_manifest
from lamina.synth.omnimatte import OmnimatteConfig, OmnimatteSource, open_result

COUNT = 6
CONFIG = OmnimatteConfig(frames=4, short_px=40, solo=0.0)
PARTS = {"object": 4, "shadow": 3, "light": 3}


def layers() -> list[np.ndarray]:
    """Two RGBA layers, `t h w 4`: an object and its weak shadow below it; the second one lies over the first."""
    found = []
    for first, colour in ((-1, (200, 40, 30)), (-2, (30, 60, 210))):
        rgba = np.zeros((COUNT, SIZE[1], SIZE[0], 4), np.uint8)
        for t in range(COUNT):
            mask = walk(t, first=first) > 0
            rgba[t][np.roll(mask, 8, axis=0)] = (0, 0, 0, 90)
            rgba[t][mask] = (*colour, 255)
        found.append(rgba)
    return found


def masks() -> list[np.ndarray]:
    return [layer[..., 3] == 255 for layer in layers()]


def plates() -> np.ndarray:
    return np.stack([ground(9)] * COUNT)


def slow_over(chosen: list[np.ndarray]) -> np.ndarray:
    """Back to front over the plate, in double precision."""
    picture = plates().astype(np.float64)
    for layer in chosen:
        alpha = layer[..., 3:] / 255
        picture = layer[..., :3] * alpha + picture * (1 - alpha)
    return picture


def save_masks(folder: Path) -> Path:
    for k, mask in enumerate(masks()):
        write_images(folder / f"mask_{k:02}", list(mask.astype(np.uint8) * 255), "{:05d}.png")
    (folder / "prompt.json").write_text('{"bg": "a floor"}')
    return folder


def save_public(folder: Path) -> Path:
    write_images(folder / "bg", list(plates()), "{:05d}.png")
    for k, layer in enumerate(layers()):
        write_images(folder / f"fg{k:02}", list(layer), "{:05d}.png")
        write_images(folder / f"dt_fg{k:02}", list(layer), "{:05d}.png")
    (folder / "bg.mp4").touch()
    return folder


def save_stack(folder: Path, split: bool) -> Path:
    pts, base = range(COUNT), Fraction(1, 24)
    records = []
    for name, layer, mask in zip(("one", "two"), layers(), masks(), strict=True):
        parts = {part: f"layers/{name}.{part}.mkv" for part in PARTS} if split else {}
        records.append(LayerRecord(name, f"layers/{name}.mkv", parts=parts))
        write_segment(folder / "layers" / f"{name}.mkv", layer, pts, base)
        for part, file in parts.items():
            alone = layer * mask[..., None] if part == "object" else np.ascontiguousarray(layer[..., :3])
            write_segment(folder / file, alone, pts, base)
    write_segment(folder / "plate.mkv", plates(), pts, base)
    order = (OrderRun(0, ("one", "two")), OrderRun(3, ("two", "one")))
    manifest = StackManifest(
        SourceRecord("shot.mp4", "0" * 64, 0, COUNT), *SIZE, "uint8", tuple(pts), base, SRGB, "propagate", {},
        tuple(records), order=order,
    )  # fmt: skip
    write_manifest(folder, manifest)
    return folder


def test_the_public_layout(tmp_path):
    result = open_result(save_public(tmp_path / "out"), save_masks(tmp_path / "in"))
    whole, some = result.recompose(1, 5, [1], SIZE)
    first, second = layers()
    assert np.abs(whole - slow_over([second, first])[1:5]).max() <= 0.51  # the first object is in front
    assert np.abs(some - slow_over([second])[1:5]).max() <= 0.51
    pair = OmnimatteSource((result,), CONFIG).pair(0)
    assert (pair.caption, pair.input.shape) == ("a floor", (4, 40, 64, 3))
    turned = open_result(tmp_path / "out", tmp_path / "in", order=[1, 0]).recompose(0, 6, [], SIZE)[0]
    assert np.abs(turned - slow_over([first, second])).max() <= 0.51


@pytest.mark.parametrize("split", [True, False])
def test_a_stack(tmp_path, split: bool):
    folder = save_stack(tmp_path / "stack", split)
    result = open_result(folder, None if split else save_masks(tmp_path / "in"))
    assert np.array_equal(result.clip.objects(0, COUNT, SIZE, only=0), masks()[0])
    whole, _ = result.recompose(0, COUNT, [], SIZE)
    first, second = layers()
    assert np.abs(whole[:3] - slow_over([first, second])[:3]).max() <= 0.51
    assert np.abs(whole[3:] - slow_over([second, first])[3:]).max() <= 0.51


@pytest.mark.parametrize("seed", range(6))
def test_what_stays_is_kept(tmp_path, seed: int):
    result = open_result(save_public(tmp_path / "out"), save_masks(tmp_path / "in"))
    source = OmnimatteSource((result,), OmnimatteConfig(frames=COUNT, short_px=40, solo=1.0))
    pair = source.pair(seed)
    assert same(pair, source.pair(seed)) and pair.caption == ""
    first, second = masks()
    kept = next(k for k in (0, 1) if np.abs(pair.target - slow_over([layers()[k]])).max() <= 0.51)
    second = second & ~first  # the first object is in front
    removed, stays = (second, first) if kept == 0 else (first, second)
    assert np.array_equal(pair.trimask == REMOVE, removed)
    assert np.array_equal(pair.trimask == KEEP, stays)


def test_all_objects_are_removed(tmp_path):
    result = open_result(save_public(tmp_path / "out"), save_masks(tmp_path / "in"))
    pair = OmnimatteSource((result,), OmnimatteConfig(frames=COUNT, short_px=40, solo=0.0)).pair(3)
    assert np.array_equal(pair.target, plates())
    assert np.array_equal(pair.trimask, np.where(np.logical_or(*masks()), np.uint8(REMOVE), np.uint8(UNKNOWN)))


def test_results_are_shrunk_when_they_are_whole(tmp_path):
    result = open_result(save_public(tmp_path / "out"), save_masks(tmp_path / "in"))
    whole, _ = result.recompose(0, 1, [], (32, 20))
    blocks = slow_over(layers()[::-1])[0].reshape(20, 2, 32, 2, 3).mean((1, 3))
    assert np.abs(whole[0] - blocks).max() <= 0.51


def test_neither_layout(tmp_path):
    with pytest.raises(InputError, match="got neither stack.json nor bg/ with fg00/, wanted a stack of `lamina decomp"):
        open_result(tmp_path)
    with pytest.raises(InputError, match="gone: got no such folder"):
        open_result(tmp_path / "gone")


def test_masks_are_needed(tmp_path):
    with pytest.raises(InputError, match="got no masks, wanted where the objects are, without their shadows"):
        open_result(save_public(tmp_path / "out"))
    with pytest.raises(InputError, match="got layers in one piece, wanted .* or make the stack with .*--split"):
        open_result(save_stack(tmp_path / "stack", split=False))
    (tmp_path / "in").mkdir()
    with pytest.raises(InputError, match="masks in .*: got 0 masks, wanted 2, one per layer"):
        open_result(tmp_path / "out", tmp_path / "in")
    with pytest.raises(InputError, match="masks in .*: got no such folder, wanted 2, one per layer"):
        open_result(tmp_path / "stack", tmp_path / "gone")


def test_an_order_of_other_layers(tmp_path):
    folder, source = save_public(tmp_path / "out"), save_masks(tmp_path / "in")
    with pytest.raises(InputError, match=r"order of .*: got 0, 2, wanted each of the layers 0..1 once"):
        open_result(folder, source, order=[0, 2])


def test_frames_that_do_not_match(tmp_path):
    folder, source = save_public(tmp_path / "out"), save_masks(tmp_path / "in")
    (folder / "fg01" / "00005.png").unlink()
    with pytest.raises(InputError, match="layer .*fg01: got 5 frames of 64x40, wanted 6 of 64x40 as in bg"):
        open_result(folder, source)
    write_images(folder / "fg01", [layers()[1][5]], "{:05d}.png", first=5)
    (source / "mask_01" / "00005.png").unlink()
    with pytest.raises(InputError, match="mask 'out_01': got 5 frames, wanted 6, as many as the clip"):
        open_result(folder, source)


def test_files_that_are_no_layers(tmp_path):
    folder, source = save_public(tmp_path / "out"), save_masks(tmp_path / "in")
    result = open_result(folder, source)
    write_images(folder / "fg00", [plates()[0]], "{:05d}.png", first=2)
    with pytest.raises(InputError, match="00002.png: got 3 channels, wanted RGBA, as the layers of an omnimatte are"):
        result.recompose(0, 4, [], SIZE)
    (folder / "fg00" / "00002.png").write_bytes(b"\x89PNG broken")
    with pytest.raises(MediaError, match="00002.png: got 11 bytes that cannot be read"):
        result.recompose(0, 4, [], SIZE)


def test_no_results():
    with pytest.raises(InputError, match=r"clips: got no clip, wanted results of open_result\(\)"):
        OmnimatteSource(())
    with pytest.raises(ValueError, match="Expected"):
        OmnimatteConfig(solo=2.0)
