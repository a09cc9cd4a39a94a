"""What the engine keeps between its passes comes back as it was."""

from pathlib import Path

import numpy as np
import pytest
from small_frames import small
from toy_scenes import walk

from lamina.motion.camera import CameraPath
from lamina.motion.relief import Relief
from lamina.removal.effects import place_of
from lamina.removal.frames import Sizes, shrink_frame
from lamina.removal.look import Alignment
from lamina.removal.records import Alignments, FrameArrays
from lamina.removal.survey import Survey, load_survey, save_survey, survey


def test_frame_arrays_come_back_by_frame(tmp_path: Path, assert_same_pixels):
    arrays = FrameArrays(tmp_path, "evidence", 4)
    pictures = [np.full((3, 5), t, np.uint8) for t in range(6)]
    arrays.write(4, pictures[4:])
    assert arrays.has(4) and not arrays.has(0)
    arrays.write(0, pictures[:4])
    for t, picture in enumerate(pictures):
        assert_same_pixels(FrameArrays(tmp_path, "evidence", 4)[t], picture)
    assert not FrameArrays(tmp_path, "other", 4).has(0)


def test_the_same_arrays_give_the_same_bytes(tmp_path: Path):
    for name in ("a", "b"):
        FrameArrays(tmp_path / name, "x", 2).write(0, [np.eye(3, dtype=np.float32)] * 2)
    first, second = (next((tmp_path / name).iterdir()) for name in ("a", "b"))
    assert first.read_bytes() == second.read_bytes() and not list(tmp_path.rglob("*.part"))


def test_a_window_that_is_not_there_is_an_error(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match="0000004"):
        _ = FrameArrays(tmp_path, "evidence", 4)[5]


def test_alignments_come_back_by_frame(tmp_path: Path):
    chance = np.random.default_rng(1)
    kept = [
        Alignment(
            Relief(tuple(range(n)), chance.normal(size=(n, 3, 4)), chance.normal(size=(m, 2)), chance.normal(size=m)),
            chance.random((4, 6), np.float32),
        )
        for n, m in [(3, 7), (2, 0), (5, 1)]
    ]
    Alignments(tmp_path, "align", 2).write(0, kept[:2])
    Alignments(tmp_path, "align", 2).write(2, kept[2:])
    found = Alignments(tmp_path, "align", 2)
    for t, wanted in enumerate(kept):
        assert found[t].relief.frames == wanted.relief.frames and found[t].relief.is_planar == wanted.relief.is_planar
        for name in ("cameras", "points", "values"):
            np.testing.assert_array_equal(getattr(found[t].relief, name), getattr(wanted.relief, name))
        np.testing.assert_array_equal(found[t].depth, wanted.depth)


def test_a_survey_finds_objects_and_camera_and_comes_back(tmp_path: Path):
    toy = walk(6, (96, 72), names=("one", "two"))
    sizes, told = Sizes.of(96, 72), []
    frames = (
        shrink_frame(t, frame, [toy.masks[name][t] for name in ("one", "two")], sizes)
        for t, frame in enumerate(toy.frames)
    )
    found = survey(frames, 2, told.append)
    assert told == [1, 2, 3, 4, 5, 6] and found.path.is_tripod
    assert [one[3] for one in found.places] == [place_of(toy.masks[name][3]) for name in ("one", "two")]
    save_survey(tmp_path / "survey.npz", found)
    again = load_survey(tmp_path / "survey.npz")
    assert again.places == found.places
    np.testing.assert_array_equal(again.path.from_first, found.path.from_first)
    np.testing.assert_array_equal(again.path.drift_px, found.path.drift_px)


def test_a_survey_keeps_what_is_not_known(tmp_path: Path):
    blank = small(np.full((60, 80, 3), 0.5))
    found = survey([blank, blank], 2, lambda done: None)
    assert np.isnan(found.path.drift_px[1]) and found.places[0][0].area_px == 0
    save_survey(tmp_path / "survey.npz", found)
    again = load_survey(tmp_path / "survey.npz")
    assert isinstance(again, Survey) and isinstance(again.path, CameraPath)
    np.testing.assert_array_equal(again.path.drift_px, found.path.drift_px)
