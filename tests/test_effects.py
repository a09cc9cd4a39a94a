"""What changed with an object, frame after frame, is its effect; what did not is none."""

import numpy as np
import pytest
from small_frames import small
from toy_scenes import texture

from lamina.removal.effects import (
    LASTING_MOVING,
    LASTING_TRIPOD,
    Place,
    attribute_effects,
    clear_places,
    mark_suspects,
    persistence,
    place_of,
    reach_of,
)
from lamina.removal.evidence import EVIDENCE_ONE, UNKNOWN
from lamina.removal.frames import FREE, SUSPECT

SHAPE = (90, 160)
FRAMES = range(40)
HERE = 20
CHANGED = int(1.8 * EVIDENCE_ONE)


def object_at(t: int, speed: float = 3, y: int = 30) -> np.ndarray:
    """A mask of 12 x 12 pixels that moves to the right (left when `speed` is negative) and is in the middle at HERE."""
    mask = np.zeros(SHAPE, np.uint8)
    x = round(80 + speed * (t - HERE))
    mask[y : y + 12, max(0, x - 6) : max(0, x + 6)] = 255
    return mask


def below(mask: np.ndarray) -> np.ndarray:
    """Where the object's shadow falls: right below it."""
    return np.roll(mask, 12, axis=0) > 0


def seen(masks: list[np.ndarray], *changes: np.ndarray) -> np.ndarray:
    """A frame's evidence: little everywhere, strong where changed, unknown inside objects."""
    found = np.full(SHAPE, 6, np.uint8)
    for change in changes:
        found[change] = CHANGED
    found[np.max(masks, axis=0) > 0] = UNKNOWN
    return found


def attributed(
    evidence: dict[int, np.ndarray], masks: dict[int, list[np.ndarray]], lasting: float = LASTING_TRIPOD
) -> np.ndarray:
    places = [{t: place_of(m[k]) for t, m in masks.items()} for k in range(len(masks[HERE]))]
    maps = [persistence(evidence, one, HERE) for one in places]
    return attribute_effects(evidence[HERE], maps, np.stack(masks[HERE]), [one[HERE] for one in places], lasting)


def overlap(found: np.ndarray, wanted: np.ndarray) -> float:
    return float((found & wanted).sum() / (found | wanted).sum())


# -------------------------------------------------------------------------------------------------------- attribution


@pytest.mark.parametrize("lasting", [LASTING_TRIPOD, LASTING_MOVING])
def test_a_shadow_that_moves_along_is_the_object_s(lasting: float):
    masks = {t: [object_at(t)] for t in FRAMES}
    evidence = {t: seen(m, below(m[0])) for t, m in masks.items()}
    (region,) = attributed(evidence, masks, lasting)
    assert overlap(region, below(masks[HERE][0])) > 0.75
    assert not region[masks[HERE][0] > 0].any()


def test_an_equally_strong_change_that_stays_behind_is_not():
    """A flag that waves in one place, a second walker that has no mask: both near the object in this frame."""
    masks = {t: [object_at(t)] for t in FRAMES}
    waving = np.zeros(SHAPE, bool)
    waving[20:40, 95:110] = True
    for walker in ({t: np.zeros(SHAPE, bool) for t in FRAMES}, {t: object_at(t, -3, 60) > 0 for t in FRAMES}):
        evidence = {t: seen(m, below(m[0]), waving, walker[t]) for t, m in masks.items()}
        (region,) = attributed(evidence, masks)
        others = (waving | walker[HERE]) & (masks[HERE][0] == 0) & ~below(masks[HERE][0])
        assert overlap(region & ~others, below(masks[HERE][0])) > 0.7
        assert region[others].mean() < 0.1


def test_every_object_gets_its_own_shadow():
    masks = {t: [object_at(t, 3, 15), object_at(t, -3, 50)] for t in FRAMES}
    evidence = {t: seen(m, below(m[0]), below(m[1])) for t, m in masks.items()}
    first, second = attributed(evidence, masks)
    assert not (first & second).any()
    assert overlap(first, below(masks[HERE][0])) > 0.7 and overlap(second, below(masks[HERE][1])) > 0.7


def test_a_change_far_away_is_nobody_s():
    """It moves as the object does, but ten object sizes off."""
    masks = {t: [object_at(t, 1, 5)] for t in FRAMES}
    far = {t: np.roll(m[0], 65, axis=0) > 0 for t, m in masks.items()}
    evidence = {t: seen(m, far[t]) for t, m in masks.items()}
    (region,) = attributed(evidence, masks)
    assert not region[far[HERE]].any()


def test_no_evidence_no_effect():
    masks = {t: [object_at(t)] for t in FRAMES}
    assert not attributed({t: seen(m) for t, m in masks.items()}, masks).any()


def test_an_absent_object_has_no_effect():
    masks = {t: [object_at(t), np.zeros(SHAPE, np.uint8)] for t in FRAMES}
    evidence = {t: seen(m, below(m[0])) for t, m in masks.items()}
    assert not attributed(evidence, masks)[1].any()


# -------------------------------------------------------------------------------------------------------- persistence


def test_one_frame_alone_proves_little():
    masks = {HERE: object_at(HERE)}
    places = {t: place_of(m) for t, m in masks.items()}
    once = persistence({HERE: seen([masks[HERE]], below(masks[HERE]))}, places, HERE)
    assert 0 < once[below(masks[HERE])].mean() < 1


def test_unknown_frames_have_no_say():
    """Half the frames cannot see the place: the others decide as they would alone."""
    masks = {t: object_at(t) for t in FRAMES}
    places = {t: place_of(m) for t, m in masks.items()}
    full = {t: seen([m], below(m)) for t, m in masks.items()}
    half = {t: e if t % 4 == 0 else np.full(SHAPE, UNKNOWN, np.uint8) for t, e in full.items()}
    shadow = below(masks[HERE])
    assert persistence(half, places, HERE)[shadow].mean() > 0.75 * persistence(full, places, HERE)[shadow].mean()


def test_what_few_frames_see_at_the_border_may_count_less():
    """The change lies beyond the border in all frames before: as if alone, or as if nothing had been there."""
    masks = {t: object_at(t, 3, 20) for t in FRAMES}
    places = {t: place_of(m) for t, m in masks.items()}
    ahead = np.zeros(SHAPE, bool)
    ahead[:, -12:] = True
    evidence = {t: seen([m], ahead if t >= HERE else np.zeros(SHAPE, bool)) for t, m in masks.items()}
    alone, doubted = (persistence(evidence, places, HERE, outside)[:, -4:].mean() for outside in (UNKNOWN, 0))
    assert doubted < 0.7 * alone
    inside = np.s_[20:60, 80:100]
    np.testing.assert_array_equal(*(persistence(evidence, places, HERE, o)[inside] for o in (UNKNOWN, 0)))


def test_glare_in_one_frame_does_not_speak_for_the_others():
    masks = {t: object_at(t) for t in FRAMES}
    places = {t: place_of(m) for t, m in masks.items()}
    evidence = {t: seen([m]) for t, m in masks.items()}
    evidence[HERE] = np.where(evidence[HERE] == UNKNOWN, UNKNOWN, 254).astype(np.uint8)
    assert persistence(evidence, places, HERE)[below(masks[HERE])].mean() < 0.3


# ------------------------------------------------------------------------------------------------- places and suspects


def test_place_of():
    mask = np.zeros(SHAPE, np.uint8)
    mask[10:20, 30:50] = 255
    assert place_of(mask) == Place(39.5, 14.5, 200.0, False)
    mask[10:20, :50] = 255
    assert place_of(mask).cut
    assert place_of(np.zeros(SHAPE, np.uint8)).area_px == 0


def test_reach_is_in_sizes_of_the_object():
    mask = object_at(HERE)
    reach = reach_of(mask, place_of(mask))
    assert not reach[mask > 0].any() and reach[41 + 24, 80] == pytest.approx(2, abs=0.1)


def test_suspects_are_marked_near_objects_only_unless_cleared():
    frame = small(texture(SHAPE[::-1]), object_at(HERE))
    persistent = np.where(below(object_at(HERE)), 1, 0).astype(np.float32)
    persistent[85:, :10] = 1
    places = [place_of(frame.masks[0])]
    marked = mark_suspects(frame, [persistent], places)
    shadow = np.s_[46:54, 76:84]
    assert (marked.free[shadow] == SUSPECT).all() and (marked.free[85:, :10] == FREE).all()
    cleared = mark_suspects(frame, [persistent], places, np.ones(SHAPE, bool))
    assert (cleared.free[shadow] == FREE).all()


def test_places_are_cleared_by_what_is_known_all_around():
    evidence = np.full(SHAPE, 3, np.uint8)
    evidence[40, 60], evidence[70:80, 100:120] = CHANGED, UNKNOWN
    clear = clear_places(evidence)
    assert clear[5, 5] and not clear[39:42, 59:62].any() and not clear[70:80, 100:120].any()
