"""Rendered scenes as pairs: which answer belongs to which trimask, and folders that do not fit."""

from pathlib import Path

import numpy as np
import pytest
from media_makers import write_images
from pair_makers import SIZE, ground, walk

from lamina.errors import InputError
from lamina.masks.trimask import KEEP, REMOVE, UNKNOWN
from lamina.synth.rendered import RenderedConfig, RenderedSource, find_scenes

COUNT = 6
EXACT = RenderedConfig(frames=4, short_px=min(SIZE), solo=0.5)


def save_scene(folder: Path, objects: int) -> Path:
    """Grounds 3 (plate), 1 (input) and 10 + k (solo k), so that every clip can be told from the others."""
    for name, number in (("input", 1), ("background", 3)):
        write_images(folder / name, [ground(number)] * COUNT, "{:04d}.png")
    for k in range(objects):
        masks = [(walk(t, first=-1 - k) > 0).astype(np.uint8) * 255 for t in range(COUNT)]
        write_images(folder / f"mask_{k:02}", masks, "{:04d}.png")
        if objects > 1:
            write_images(folder / f"solo_{k:02}", [ground(10 + k)] * COUNT, "{:04d}.png")
    return folder


def test_one_object_is_removed_from_the_plate(tmp_path: Path):
    source = RenderedSource(find_scenes(save_scene(tmp_path, 1)), EXACT)
    pair = source.pair(5)
    assert pair.input.shape == pair.target.shape == (4, SIZE[1], SIZE[0], 3)
    assert (pair.input == ground(1)).all() and (pair.target == ground(3)).all()
    assert set(np.unique(pair.trimask)) == {REMOVE, UNKNOWN}


def test_a_solo_keeps_its_object(tmp_path: Path):
    source = RenderedSource(find_scenes(save_scene(tmp_path, 2)), EXACT)
    answers = set()
    for seed in range(24):
        pair = source.pair(seed)
        answer = next(number for number in (3, 10, 11) if (pair.target == ground(number)).all())
        answers.add(answer)
        assert (KEEP in pair.trimask) == (answer != 3) and REMOVE in pair.trimask
    assert answers == {3, 10, 11}


def test_a_solo_of_the_only_object_is_not_an_answer(tmp_path: Path):
    folder = save_scene(tmp_path, 1)
    write_images(folder / "solo_00", [ground(10)] * COUNT, "{:04d}.png")
    source = RenderedSource(find_scenes(folder), EXACT)
    assert all((source.pair(seed).target == ground(3)).all() for seed in range(8))


def test_folders_that_do_not_fit(tmp_path: Path):
    folder = save_scene(tmp_path / "a", 2)
    (folder / "solo_01").rename(folder / "solo")
    with pytest.raises(InputError, match="1 backgrounds and 1 solos for 2 masks, wanted one background"):
        find_scenes(folder)
    folder = save_scene(tmp_path / "b", 1)
    (folder / "background" / "0005.png").unlink()
    with pytest.raises(InputError, match=f"5 frames of {SIZE[0]}x{SIZE[1]}, wanted 6 of .* as in its input"):
        find_scenes(folder)


def test_settings_out_of_range():
    with pytest.raises(ValueError, match="Expected frames >= 1, short_px >= 16 and solo within 0..1"):
        RenderedConfig(solo=1.5)
