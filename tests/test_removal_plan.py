"""Which removals there are, what each is told, how they are grouped, and what a machine makes of it."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from toy_scenes import save, walk

from lamina.backbones.memory import MODES
from lamina.backbones.plan import Machine, Model, NetworkSizes, plan_run
from lamina.backbones.specs import WAN_1_3B, WAN_GEOMETRY
from lamina.backbones.timing import plan_timing
from lamina.errors import InputError
from lamina.masks.trimask import KEEP, REMOVE, UNKNOWN
from lamina.media.mask_source import open_mask
from lamina.media.source import open_source
from lamina.removal import plan
from lamina.removal.casper_job import casper_job
from lamina.removal.casper_options import CasperOptions
from lamina.removal.plan import Ahead, batches, check_patience, choose_way, needed_removals, trimask_of
from lamina.removal.shot import Shot

SIZES = NetworkSizes(30, 1536, 8960, 512, 4096, (1, 2, 2), False, 257)
MODEL = Model("wan", SIZES, 3 * 10**9, 10**8, 10**9, WAN_GEOMETRY)
AHEAD = Ahead(WAN_GEOMETRY, plan_timing(WAN_GEOMETRY, 81), (480, 832), 50)


def test_a_single_object_s_solo_is_the_clip():
    assert [removal.name for removal in needed_removals(["dog"])] == ["plate"]


def test_several_objects_have_a_solo_each():
    assert [(r.name, r.keep) for r in needed_removals(["a", "b", "c"])] == [
        *[("plate", ()), ("a", (0,)), ("b", (1,)), ("c", (2,))]
    ]


def squares() -> list[np.ndarray]:
    """Two objects side by side that share a column."""
    left, right = np.zeros((4, 8), bool), np.zeros((4, 8), bool)
    left[:, 1:4], right[:, 3:6] = True, True
    return [left, right]


def test_what_each_removal_is_told():
    plate, solo, _ = needed_removals(["left", "right"])
    told = trimask_of(plate, squares(), None)
    assert (told == np.where(np.any(squares(), axis=0), REMOVE, UNKNOWN)).all()
    told = trimask_of(solo, squares(), None)
    assert (told[0] == [UNKNOWN, KEEP, KEEP, REMOVE, REMOVE, REMOVE, UNKNOWN, UNKNOWN]).all()


def test_what_is_preserved_is_kept_but_for_what_is_removed():
    preserve = np.ones((4, 8), bool)
    told = trimask_of(needed_removals(["left", "right"])[0], squares(), preserve)
    assert (told == np.where(np.any(squares(), axis=0), REMOVE, KEEP)).all()


def test_a_binary_marking_knows_nothing_unknown():
    told = trimask_of(needed_removals(["left", "right"])[1], squares(), None, "binary")
    assert (told[0] == [KEEP, KEEP, KEEP, REMOVE, REMOVE, REMOVE, KEEP, KEEP]).all()


@given(st.integers(1, 9), st.integers(1, 9))
def test_batches_hold_all_in_order_and_evenly(count: int, most: int):
    removals = needed_removals([f"o{k}" for k in range(count)])
    groups = batches(removals, most)
    assert [r for group in groups for r in group] == list(removals)
    sizes = [len(group) for group in groups]
    assert max(sizes) <= most and max(sizes) - min(sizes) <= 1 and len(groups) == -(-len(removals) // most)


def machine(device_bytes: float) -> Machine:
    return Machine(1e14, int(device_bytes), 10**12)


def need(items: int, mode: str) -> int:
    return plan_run(MODEL, AHEAD.run(items), machine(0), "bf16", mode).peak_device_bytes


def test_all_at_once_where_they_fit():
    way = choose_way(MODEL, AHEAD, 5, machine(need(5, "full")), "bf16", "auto", 0)
    assert (way.mode, way.batch) == ("full", 5)
    assert way.device_bytes == need(5, "full") and way.operations > 5 * 50 * 1e14


def test_fewer_at_once_before_anything_is_given_up():
    assert need(1, "full") < need(5, "full")
    way = choose_way(MODEL, AHEAD, 5, machine(need(5, "full") - 1), "bf16", "auto", 0)
    assert way.mode == "full" and 1 <= way.batch < 5


@pytest.mark.parametrize("mode", [mode for mode in MODES if mode != "full"])
def test_then_a_mode_that_fits(mode: str):
    room = need(1, mode)
    if room >= need(1, "full"):
        pytest.skip("nothing is saved at this size")
    assert choose_way(MODEL, AHEAD, 3, machine(room), "bf16", "auto", 0).batch == 1


def test_a_long_clip_takes_no_more_memory_but_for_its_latents():
    short, long = (
        plan_run(MODEL, Ahead(WAN_GEOMETRY, plan_timing(WAN_GEOMETRY, n), (480, 832), 50, 81).run(1), machine(0))
        for n in (81, 4081)
    )
    assert long.host_bytes == short.host_bytes
    latents = 4000 * 480 * 832
    for stage in ("denoise", "decode"):
        assert 0 < long.device_bytes[stage] - short.device_bytes[stage] <= 1.2 * latents
    assert long.device_bytes["encode"] == short.device_bytes["encode"]


def test_a_job_says_how_much_of_a_clip_is_coded_at_once(tmp_path: Path):
    clip, masks = save(walk(190, (16, 16)), tmp_path)
    opened = open_source(clip)
    shot = Shot(opened, [open_mask("box", Path(masks[0].partition("=")[2]), opened.info)], None, None, tmp_path, 1)
    assert casper_job(shot, WAN_1_3B, CasperOptions(size="16x16")).ahead.coded_frames == 4 * (8 + 1 + 20 - 1) + 1
    assert casper_job(shot, WAN_1_3B, CasperOptions(size="16x16", preset="reference")).ahead.coded_frames == 197


def test_nothing_fits():
    with pytest.raises(InputError, match="memory: got 0.0 GB on the device and 1000.0 GB of host memory, wanted mode"):
        choose_way(MODEL, AHEAD, 3, machine(10**6), "bf16", "auto", 0)


def test_a_mode_that_was_asked_for_does_not_fit():
    room = need(1, "offload")
    with pytest.raises(InputError, match=r"--memory full: got .* GB on the device, wanted mode full: .* Take --memory"):
        choose_way(MODEL, AHEAD, 3, machine(room), "bf16", "full", 0)


def test_a_batch_that_was_asked_for_is_taken():
    assert choose_way(MODEL, AHEAD, 5, machine(10**12), "bf16", "auto", 2).batch == 2


def test_patience():
    check_patience("model", plan.LONG_SECONDS + 1.0, "xpu", False)
    check_patience("model", plan.LONG_SECONDS + 1.0, "cpu", True)
    check_patience("model", plan.LONG_SECONDS - 1.0, "cpu", False)
    with pytest.raises(InputError, match="model on the CPU: got a run of about 10 days, wanted an acc.*, or --yes"):
        check_patience("model", 864000.0, "cpu", False)
