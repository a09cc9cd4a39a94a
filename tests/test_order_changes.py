"""Objects that change places: the order of every frame, told from masks and solos of toy clips."""

from collections.abc import Callable, Sequence
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from order_scenes import Drawn, box, disk, draw

from lamina.layers.contact import Pair, contacts_of
from lamina.layers.order import order_per_frame, usual_order
from lamina.media.stack import OrderRun

Order = Callable[[int], Sequence[str]]


def at(runs: list[OrderRun], frame: int) -> tuple[str, ...]:
    return next(run.back_to_front for run in reversed(runs) if run.first <= frame)


def assert_true(runs: list[OrderRun], drawn: Drawn, order: Order) -> None:
    """In every frame in which two objects touch, the one that is drawn over the other is in front of it."""
    for a, b in combinations(drawn.masks, 2):
        for t, touch in enumerate(drawn.touching(a, b)):
            if touch:
                found, wanted = at(runs, t), order(t)
                assert (found.index(a) < found.index(b)) == (wanted.index(a) < wanted.index(b)), (t, runs)


def assert_changes_apart(runs: list[OrderRun], drawn: Drawn) -> None:
    """Two objects change places in a frame in which they are apart."""
    for before, after in zip(runs[:-1], runs[1:], strict=True):
        for a, b in combinations(drawn.masks, 2):
            if (at(runs, before.first).index(a) < at(runs, before.first).index(b)) != (
                after.back_to_front.index(a) < after.back_to_front.index(b)
            ):
                touching = drawn.touching(a, b)
                assert not (touching[after.first] and touching[after.first - 1]), after


def circling(radius: float = 40.0, frames: int = 80, turns: float = 2.0) -> tuple[Drawn, Order]:
    """Two disks on one circle, seen edge-on: each time they meet the other one is in front."""
    turn = 2 * np.pi * turns / frames

    def order(t: int) -> Sequence[str]:
        return ("moon", "sun") if np.sin(0.3 + turn * t) > 0 else ("sun", "moon")

    shapes = {
        "sun": lambda t: disk((80 + radius * np.cos(0.3 + turn * t), 45), 12),
        "moon": lambda t: disk((80 - radius * np.cos(0.3 + turn * t), 45), 12),
    }
    return draw(shapes, order, frames), order


def there_and_back() -> tuple[Drawn, Order]:
    """A walker passes in front of a pole, turns round beyond it, and comes back behind it."""

    def order(t: int) -> Sequence[str]:
        return ("pole", "walker") if t < 20 else ("walker", "pole")

    def place(t: int) -> float:
        return 10 + 5 * (t if t < 20 else 40 - t)

    shapes = {
        "walker": lambda t: box(place(t), 40, place(t) + 16, 70),
        "pole": lambda t: box(66, 10, 74, 70),
    }
    return draw(shapes, order, 40), order


def in_turn() -> tuple[Drawn, Order]:
    """Three that meet two at a time, a over b, b over c, c over a: no single order is true of all three meetings."""

    def order(t: int) -> Sequence[str]:
        return ("b", "a", "c") if t < 25 else ("a", "c", "b") if t < 45 else ("b", "a", "c")

    def hop(t: int, start: int, high: float, low: float) -> float:
        return high + (low - high) * np.clip(1.2 - abs(t - start) / 8, 0, 1)

    shapes = {
        "a": lambda t: disk((30 + 60 * np.clip((t - 40) / 10, 0, 1), hop(t, 14, 16, 50)), 12),
        "b": lambda t: disk((38, 60), 12),
        "c": lambda t: disk((140 - hop(t, 34, 0, 92) - hop(t, 58, 0, 42), 62 - hop(t, 58, 0, 40)), 12),
    }
    return draw(shapes, order, 70), order


SCENES = {"circling": circling, "there and back": there_and_back, "in turn": in_turn}


@pytest.mark.parametrize("with_solos", [False, True])
@pytest.mark.parametrize("scene", SCENES)
def test_objects_that_change_places(scene: str, with_solos: bool):
    drawn, order = SCENES[scene]()
    seen = {"solos": drawn.solos, "plate": drawn.plate} if with_solos else {}
    runs = order_per_frame(drawn.masks, **seen)
    assert_true(runs, drawn, order)
    assert_changes_apart(runs, drawn)
    assert len(runs) == {"circling": 4, "there and back": 2}.get(scene, len(runs))


def test_a_change_is_in_the_middle_of_the_gap():
    drawn, _ = there_and_back()
    runs = order_per_frame(drawn.masks)
    touching = np.flatnonzero(drawn.touching("walker", "pole"))
    before, after = touching[touching < 20].max(), touching[touching > 20].min()
    assert abs(runs[1].first - (before + after + 1) / 2) <= 1


@pytest.mark.parametrize("with_solos", [False, True])
def test_those_that_never_part_change_where_they_touch_least(with_solos: bool):
    drawn, order = circling(radius=12.4, frames=100, turns=1.3)
    assert all(drawn.touching("sun", "moon"))  # the disks' radius is 12
    seen = {"solos": drawn.solos, "plate": drawn.plate} if with_solos else {}
    runs = order_per_frame(drawn.masks, **seen)
    beside = [t for t in range(1, 100) if order(t) != order(t - 1)]  # farthest apart
    assert [run.back_to_front for run in runs] == [order(0), order(beside[0]), order(beside[1])]
    assert all(abs(run.first - t) <= 2 for run, t in zip(runs[1:], beside, strict=True))


def test_one_that_is_hidden_for_a_while_is_behind():
    shapes = {
        "wall": lambda t: box(50, 20, 110, 80),
        "cat": lambda t: disk((10 + 5 * t, 62), 8),
    }
    drawn = draw(shapes, lambda t: ("cat", "wall"), 30)
    assert sum(not mask.any() for mask in drawn.masks["cat"]) >= 5
    assert order_per_frame(drawn.masks) == [OrderRun(0, ("cat", "wall"))]


def test_one_that_vanishes_for_good_is_behind():
    shapes = {
        "wall": lambda t: box(100, 5, 150, 61),
        "cat": lambda t: disk((min(10 + 8 * t, 125), 52), 8),
    }
    drawn = draw(shapes, lambda t: ("cat", "wall"), 30)
    assert not drawn.masks["cat"][-1].any()
    assert order_per_frame(drawn.masks) == [OrderRun(0, ("cat", "wall"))]


def test_three_that_cross_have_one_order():
    shapes = {
        "far": lambda t: box(5 + 4 * t, 20, 25 + 4 * t, 60),
        "middle": lambda t: box(130 - 4 * t, 30, 150 - 4 * t, 64),
        "near": lambda t: disk((75, 10 + 2.5 * t), 12),
    }
    order = ("far", "middle", "near")
    drawn = draw(shapes, lambda t: order, 30)
    assert order_per_frame(drawn.masks) == [OrderRun(0, order)]


def test_a_circle_at_one_time_is_broken_where_least_is_seen():
    """Four bars, each over the next one in one corner: not all of it can be true of layers."""
    over = [("a", "b"), ("b", "d"), ("d", "c"), ("c", "a")]
    masks: dict[str, list[np.ndarray]] = {name: [] for name in "abcd"}
    for t in range(32):
        aside = 4 * (max(0, 8 - t) + max(0, t - 23))  # b and c come from the sides, and leave again
        whole = {"a": box(26, 20, 134, 32), "d": box(26, 62, 134, 66)}
        whole |= {"b": box(108 + aside, 10, 124 + aside, 80), "c": box(34 - aside, 14, 50 - aside, 76)}
        for name, shape in whole.items():
            above = [whole[near] for near, far in over if far == name]
            masks[name].append((shape & ~np.any(above, 0)).astype(np.uint8) * 255)
    runs = order_per_frame(masks)
    found = at(runs, 16)
    assert [pair for pair in over if found.index(pair[0]) < found.index(pair[1])] == [("d", "c")] and len(runs) == 1


def test_a_shadow_on_another_object_does_not_bring_that_one_to_the_front():
    """The solo of the one in front darkens the ground where the other one is seen."""
    shapes = {"near": lambda t: box(20 + 3 * t, 30, 40 + 3 * t, 80), "far": lambda t: box(80, 20, 110, 60)}
    drawn = draw(shapes, lambda t: ("far", "near"), 25)
    for t, solo in enumerate(drawn.solos["near"]):
        shadow = box(30 + 3 * t, 20, 75 + 3 * t, 40) & ~shapes["near"](t)
        solo[shadow] = (solo[shadow] * 0.4).astype(np.uint8)
    runs = order_per_frame(drawn.masks, solos=drawn.solos, plate=drawn.plate)
    assert runs == [OrderRun(0, ("far", "near"))]


def test_solos_tell_what_masks_do_not():
    """From first to last frame one covers a part of the other: there is nothing to compare its area with."""
    shapes = {"lower": lambda t: disk((60, 60), 20), "higher": lambda t: disk((80, 50), 20)}
    drawn = draw(shapes, lambda t: ("lower", "higher"), 6)
    assert order_per_frame(drawn.masks) == [OrderRun(0, ("higher", "lower"))]  # by its place in the picture
    runs = order_per_frame(drawn.masks, solos=drawn.solos, plate=drawn.plate)
    assert runs == [OrderRun(0, ("lower", "higher"))]


def test_samples_of_a_long_clip():
    drawn, order = there_and_back()
    times = [5 * t for t in range(40)]
    runs = order_per_frame(drawn.masks, times)
    assert [run.back_to_front for run in runs] == [order(0), order(39)]
    # between two samples in which the walker is seen to stand free
    assert not any(drawn.touching("walker", "pole")[t] for t in (runs[1].first // 5, -(-runs[1].first // 5)))


def test_depth_counts_for_more_than_position_and_less_than_sight():
    masks = {"high": [box(20, 5, 40, 20).astype(np.uint8) * 255] * 4, "low": [box(90, 60, 120, 80) * np.uint8(255)] * 4}
    assert order_per_frame(masks) == [OrderRun(0, ("high", "low"))]
    near = {"high": [0.8] * 4, "low": [0.3, np.nan, 0.3, 0.3]}
    assert order_per_frame(masks, depth=near) == [OrderRun(0, ("low", "high"))]
    alike = {"high": [0.5] * 4, "low": [0.5] * 4}
    assert order_per_frame(masks, depth=alike) == [OrderRun(0, ("high", "low"))]
    drawn, order = there_and_back()
    wrong = {"walker": [0.9] * 40, "pole": [0.1] * 40}
    assert_true(order_per_frame(drawn.masks, depth=wrong), drawn, order)


def wandering(places: list[list[tuple[int, int]]]) -> dict[str, list[np.ndarray]]:
    """Objects that walk from place to place, the later in the list in front of the earlier."""
    count = 4 * (len(places[0]) - 1) + 1
    whole = []
    for path in places:
        track = np.array(path, float)
        moves = [track[k] + (track[k + 1] - track[k]) * f / 4 for k in range(len(track) - 1) for f in range(4)]
        whole.append([disk((x, y), 6 + len(whole)) for x, y in [*moves, track[-1]]])
    masks: dict[str, list[np.ndarray]] = {}
    for k, shapes in enumerate(whole):
        covered = [np.any([other[t] for other in whole[k + 1 :]], 0) for t in range(count)]
        masks["abcd"[k]] = [(s & ~c).astype(np.uint8) * 255 for s, c in zip(shapes, covered, strict=True)]
    return masks


PATHS = st.lists(
    st.lists(st.tuples(st.integers(10, 70), st.integers(10, 60)), min_size=4, max_size=4), min_size=2, max_size=4
).map(wandering)


def contact_count(masks: dict[str, list[np.ndarray]]) -> int:
    whole = {name: np.stack(frames) > 0 for name, frames in masks.items()}
    hint = np.zeros(len(next(iter(whole.values()))))
    return sum(len(contacts_of(Pair(whole[a], whole[b], hint))) for a, b in combinations(whole, 2))


@given(PATHS)
def test_no_more_changes_than_contacts(masks):
    runs = order_per_frame(masks)
    assert len(runs) <= contact_count(masks) + 1
    assert runs[0].first == 0 and all(a.first < b.first for a, b in zip(runs[:-1], runs[1:], strict=True))
    assert all(sorted(run.back_to_front) == sorted(masks) for run in runs)
    assert all(a.back_to_front != b.back_to_front for a, b in zip(runs[:-1], runs[1:], strict=True))


@given(PATHS, st.permutations(range(4)), st.sampled_from(["abcd", "dcba", "badc"]))
def test_names_and_their_order_do_not_matter(masks, shuffled, called):
    names = [list(masks)[k] for k in shuffled if k < len(masks)]
    new_name = dict(zip("abcd", called, strict=True))
    runs = order_per_frame({new_name[name]: masks[name] for name in names})
    wanted = order_per_frame(masks)
    assert runs == [OrderRun(run.first, tuple(new_name[name] for name in run.back_to_front)) for run in wanted]


@given(PATHS)
def test_backwards_it_is_the_same_order(masks):
    count = len(next(iter(masks.values())))
    forward, backward = order_per_frame(masks), order_per_frame({name: m[::-1] for name, m in masks.items()})
    assert [run.back_to_front for run in forward] == [run.back_to_front for run in reversed(backward)]
    moved = [count - run.first for run in reversed(backward[1:])]
    assert all(abs(a.first - b) <= 1 for a, b in zip(forward[1:], moved, strict=True))


def test_the_usual_order_is_the_one_of_most_frames():
    runs = [OrderRun(0, ("a", "b")), OrderRun(4, ("b", "a")), OrderRun(9, ("a", "b"))]
    assert usual_order(runs, 10) == ("a", "b")
    assert usual_order(runs[:2], 10) == ("b", "a")
    assert usual_order(runs[:2], 8) == ("a", "b")


@pytest.mark.parametrize(
    ("given_wrong", "message"),
    [
        ({"times": [0, 1]}, "needs as many samples as there are times"),
        ({"times": [0, 2, 1]}, "Times must rise"),
        ({"plate": [np.zeros((9, 9, 3), np.uint8)] * 3}, "Solos and plate are needed together"),
        ({"depth": {"a": [0.5] * 3}}, "needed for the same objects"),
        ({"depth": {"a": [0.5] * 3, "b": [0.5] * 2}}, "needs as many samples"),
        (
            {"plate": [np.zeros((9, 9, 3), np.uint8)] * 3, "solos": dict.fromkeys("ab", [np.zeros((8, 9, 3))] * 3)},
            "must have the masks' size",
        ),
    ],
)
def test_what_does_not_fit_is_refused(given_wrong, message):
    masks = {name: [np.full((9, 9), 255, np.uint8)] * 3 for name in "ab"}
    with pytest.raises(ValueError, match=message):
        order_per_frame(masks, **given_wrong)


def test_no_sample_is_refused():
    with pytest.raises(ValueError, match="at least one"):
        order_per_frame({"a": [], "b": []})
