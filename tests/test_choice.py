"""What `auto` goes by, and work that is begun before its turn."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from toy_scenes import Toy, save, walk

import lamina
from lamina.layers.inputs import open_inputs
from lamina.removal.choice import UNSURE_MOST, choose, count_unsure
from lamina.removal.confidence import ALIKE
from lamina.removal.records import FrameArrays
from lamina.removal.shot import Shot
from lamina.removal.turns import in_turn


def test_hidden_and_changed_places_are_counted():
    mask = np.zeros((8, 10), np.uint8)
    mask[2:4, 2:6] = 255
    effects = np.zeros((2, 8, 10), np.uint8)
    effects[1, 3:5, 2:6] = 255
    seen = np.full((8, 10), 255, np.uint8)
    seen[:, :3], seen[7] = 0, 0
    assert count_unsure([mask], effects, seen, (10, 8)) == (3, 12)
    assert count_unsure([mask, mask], effects[:0], seen, (10, 8)) == (2, 8)
    seen[:, :3] = ALIKE
    assert count_unsure([mask], effects, seen, (10, 8)) == (0, 12), "looked up, and found to be the same"
    assert count_unsure([mask * 0], effects * 0, seen, (10, 8)) == (0, 0)


def shot_of(toy: Toy, folder: Path) -> Shot:
    clip, masks = save(toy, folder)
    return open_inputs(lamina.DecomposeConfig(input=clip, mask=masks, out=folder / "out")).shot(folder / "work", 1)


@pytest.mark.parametrize(("off", "engine"), [(-1, "propagate"), (1, "casper-s")])
def test_a_share_may_be_unknown(off: int, engine: str, tmp_path: Path):
    """In every frame a little less than may be is not sure, or a little more."""
    toy = walk(40)
    shot = shot_of(toy, tmp_path)
    effects, seen = (FrameArrays(tmp_path, name, 16) for name in ("effects", "seen"))
    maps = []
    for mask in toy.masks["box"]:
        places = np.flatnonzero(mask)
        sure = np.full(mask.size, 255, np.uint8)
        sure[places[: round(UNSURE_MOST * len(places)) + off]] = 0
        maps.append(sure.reshape(1, *mask.shape))
    for start in (0, 16, 32):
        effects.write(start, [np.zeros_like(one) for one in maps[start : start + 16]])
        seen.write(start, maps[start : start + 16])
    choice = choose(shot, effects, seen)
    assert choice.engine == engine and abs(choice.unsure - UNSURE_MOST) < 0.05
    assert f"{choice}".startswith(f"{engine}, for other frames surely show ")
    assert f"{choice}".endswith("only") == (off > 0)


@given(st.integers(0, 12), st.integers(0, 5))
def test_things_come_in_order_and_never_much_before(count: int, most: int):
    begun: list[int] = []

    def begin():
        for number in range(count):
            begun.append(number)
            yield number

    for number, one in enumerate(in_turn(begin(), most)):
        assert one == number and len(begun) == min(count, number + most + 1)
    assert begun == list(range(count))
