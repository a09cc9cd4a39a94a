"""The first made-up background of a clip is kept, and all later ones are made from it."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from lamina.motion.anchor import Look
from lamina.removal import completed, fill
from lamina.removal.completed import Completed

SIZE = (48, 64)
HOLE = np.s_[16:32, 24:42]
BRIGHTER = np.float32(6 / 255)


def leaves() -> np.ndarray:
    noise = np.random.default_rng(0).normal(0, 1, (*SIZE, 3)).astype(np.float32)
    return (0.5 + 0.6 * cv2.GaussianBlur(noise, (0, 0), 1.5)).clip(0, 1)


def look_of(rgb: np.ndarray, place: tuple[slice, slice] = HOLE, doubtful: tuple[slice, slice] | None = None) -> Look:
    """A look that has not seen `place`: what it holds there is bright red and must not matter."""
    seen = np.ones(SIZE, bool)
    seen[place] = False
    trusted = seen.copy()
    if doubtful is not None:
        trusted[doubtful] = False
    still = np.zeros(SIZE, np.float32)
    return Look(np.where(seen[..., None], rgb, np.float32([1, 0, 0])), still, still, trusted, seen)


@pytest.fixture
def guesses(monkeypatch: pytest.MonkeyPatch) -> list[np.ndarray | None]:
    """The guesses that completions are made from, in order."""
    asked: list[np.ndarray | None] = []

    def complete(rgb: np.ndarray, unseen: np.ndarray, avoid: np.ndarray, guess: np.ndarray | None) -> np.ndarray:
        asked.append(guess)
        return fill.complete(rgb, unseen, avoid, guess)

    monkeypatch.setattr(completed, "complete", complete)
    return asked


def test_nothing_unseen_gives_the_look_as_it_is_and_keeps_nothing(tmp_path: Path):
    look = look_of(leaves(), place=np.s_[0:0, 0:0])
    assert Completed(tmp_path).complete(0, look) is look
    assert not list(tmp_path.iterdir())


def test_only_the_unseen_is_filled_and_all_counts_as_seen(tmp_path: Path):
    look = look_of(leaves())
    whole = Completed(tmp_path).complete(0, look)
    np.testing.assert_array_equal(whole.rgb[look.seen], look.rgb[look.seen])
    assert whole.seen.all() and whole.rgb[HOLE][..., 1:].min() > 0.05
    np.testing.assert_array_equal(whole.trusted, look.trusted)
    assert not look.seen.all(), "the look that was given stays as it was"


def test_the_first_completion_is_kept_and_no_later_one_takes_its_place(tmp_path: Path):
    first = Completed(tmp_path).complete(7, look_of(leaves()))
    (file,) = tmp_path.iterdir()
    kept = file.read_bytes()
    with np.load(file) as stored:
        assert int(stored["key"]) == 7
        np.testing.assert_array_equal(stored["rgb"], first.rgb)
    Completed(tmp_path).complete(8, look_of(leaves() + BRIGHTER))
    assert list(tmp_path.iterdir()) == [file] and file.read_bytes() == kept


def test_later_keys_are_made_from_the_first(tmp_path: Path, guesses: list[np.ndarray | None]):
    store = Completed(tmp_path)
    first = store.complete(0, look_of(leaves()))
    later = [store.complete(key, look_of(leaves() + BRIGHTER)) for key in (1, 2)]
    assert guesses[0] is None
    for guess, whole in zip(guesses[1:], later, strict=True):
        np.testing.assert_array_equal(guess, first.rgb)
        np.testing.assert_allclose(whole.rgb[HOLE], first.rgb[HOLE] + BRIGHTER, atol=1 / 255)


def test_a_resumed_run_fills_like_an_uninterrupted_one(tmp_path: Path):
    store = Completed(tmp_path)
    looks = {key: look_of(leaves() + key * BRIGHTER) for key in (0, 1)}
    whole = {key: store.complete(key, look).rgb for key, look in looks.items()}
    for key in (0, 1, 0):  # the key that was kept is made anew, never from itself
        np.testing.assert_array_equal(Completed(tmp_path).complete(key, looks[key]).rgb, whole[key])


def test_doubtful_places_are_not_copied(tmp_path: Path):
    red = np.s_[10:38, 42:56]
    picture = leaves() * np.float32([0.2, 1, 1])
    picture[red] = [1, 0.1, 0.1]
    whole = Completed(tmp_path).complete(0, look_of(picture, doubtful=red))
    assert whole.rgb[HOLE][..., 0].max() < 0.35
    np.testing.assert_array_equal(whole.rgb[red], picture[red])
