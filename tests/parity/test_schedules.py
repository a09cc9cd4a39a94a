"""Padded lengths, windows, and levels of noise at the published sizes."""

import numpy as np
import pytest
from recorded import Recorded
from recorded_backbones import windowed_geometry

from lamina.backbones.interface import Geometry
from lamina.backbones.specs import COG_GEOMETRY, WAN_GEOMETRY
from lamina.backbones.timing import Timing, plan_timing
from lamina.schedule import DdimSchedule, FlowSchedule

GEOMETRIES = {"cogvideox": COG_GEOMETRY, "wan": WAN_GEOMETRY}


@pytest.mark.parametrize("kind", GEOMETRIES)
def test_lengths_and_windows(schedules: Recorded, kind: str):
    geometry, cap = geometry_of(schedules, kind)
    plans = [plan_timing(geometry, int(n), "reference", cap) for n in schedules["in/n_frames"]]
    schedules.compare(f"out/{kind}/padded_frames", np.array([plan.padded_frames for plan in plans]))
    slots = schedules[f"out/{kind}/windows"].shape[1]
    schedules.compare(f"out/{kind}/windows", np.array([padded_windows(plan, slots) for plan in plans]))
    for name in schedules.under(f"out/{kind}/padding_index_n"):
        shown = plan_timing(geometry, int(name), "reference", cap).shown
        schedules.compare(f"out/{kind}/padding_index_n{name}", np.array(shown))


def test_levels_of_cogvideox(schedules: Recorded):
    schedule = DdimSchedule.from_config(schedules.text["config"]["cogvideox_scheduler"])
    for steps in schedules.under("out/cogvideox/timesteps_"):
        levels = [move.start for move in schedule.moves(int(steps))]
        schedules.compare(f"out/cogvideox/timesteps_{steps}", np.array([level.timestep for level in levels]))
        schedules.compare(f"out/cogvideox/alphas_cumprod_{steps}", np.array([level.signal**2 for level in levels]))


def test_levels_of_wan(schedules: Recorded):
    config = schedules.text["config"]["wan_scheduler"]
    schedule = FlowSchedule(config["num_train_timesteps"], config["shift"])
    for steps in schedules.under("out/wan/timesteps_"):
        moves = schedule.moves(int(steps))
        levels = [moves[0].start, *(move.stop for move in moves)]
        schedules.compare(f"out/wan/timesteps_{steps}", np.array([move.start.timestep for move in moves]))
        schedules.compare(f"out/wan/sigmas_{steps}", np.array([level.noise for level in levels]))


def test_all_of_it(schedules: Recorded):
    for kind in GEOMETRIES:
        test_lengths_and_windows(schedules, kind)
    test_levels_of_cogvideox(schedules)
    test_levels_of_wan(schedules)
    schedules.assert_all_compared()


def geometry_of(schedules: Recorded, kind: str) -> tuple[Geometry, int]:
    config = schedules.text["config"][kind]
    geometry = windowed_geometry(GEOMETRIES[kind], config["temporal_window_size"], config["overlap_latents"])
    return geometry, config["max_video_length"]


def padded_windows(plan: Timing, slots: int) -> list[tuple[int, int]]:
    found = [(window.start, window.stop) for window in plan.windows.windows]
    return found + [(-1, -1)] * (slots - len(found))
