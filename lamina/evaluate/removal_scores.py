"""Scoring removal: a plate against the true one, beside the input left as it is."""

import numpy as np

from lamina.evaluate.case import Case, Figures, Scored
from lamina.evaluate.levels64 import picture_levels
from lamina.evaluate.lpips import LEAST_PX as LEAST_LPIPS_PX
from lamina.evaluate.lpips import NOT_MEASURED, TOO_SMALL, Distance
from lamina.evaluate.pixels import WINDOW_PX, ssim_map
from lamina.evaluate.reading import open_beside, open_inside, read_labels
from lamina.evaluate.regions import Regions, find_regions
from lamina.evaluate.tally import Mean, MotionTally, PictureTally, Pool, RegionTally, WorstTally
from lamina.evaluate.temporal import LEAST_PX as LEAST_FLOW_PX
from lamina.media.clip_info import ClipInfo
from lamina.media.source import open_source


def score_removal(case: Case, lpips: Distance | None) -> Scored:
    """A clip of a data set with true plates; files "input", "truth", "result", and masks."""
    clip = open_source(case.files["input"])
    truth = open_beside("truth", case.files["truth"], clip.info)
    result = open_beside("result", case.files["result"], clip.info)
    found, untouched = PictureTally(lpips), PictureTally(lpips)
    motion, covers, worst, removed = MotionTally(), RegionTally(), WorstTally(), RemovedTally()
    frames = zip(clip.read(), truth.read(), result.read(), open_inside(case.masks, clip.info), strict=True)
    for picture, ground, plate, masks in frames:
        regions, moved = find_regions(picture, ground, np.any(masks, axis=0)), motion.add(ground)
        found.add(plate, ground, regions, moved)
        untouched.add(picture, ground, regions, moved)
        covers.add(regions)
        removed.add(plate, picture, ground, regions)
        worst.add(picture, ground, plate)
    return Scored(
        clip.info,
        scores=found.figures | removed.figures,
        baseline=untouched.figures | removed.untouched,
        worst=worst.moment,
        regions=covers.percent,
        notes=left_out(clip.info, lpips),
    )


class RemovedTally:
    """How much of what had to be changed was changed rightly: 1 - |plate - truth| / |input - truth|, by region.

    0 for an untouched input and 1 for the truth, whatever the size of the object: the figure that whole-frame scores
    hide. Below 0 where the plate is farther from the truth than the input was.
    """

    def __init__(self):
        self.apart = {name: Mean() for name in ("object", "effect")}
        self.was_apart = {name: Mean() for name in ("object", "effect")}

    def add(self, plate: np.ndarray, picture: np.ndarray, ground: np.ndarray, regions: Regions) -> None:
        levels = [picture_levels("picture", p) for p in (plate, picture, ground)]
        now, before = (np.abs(levels[k] - levels[2]).sum(-1) for k in (0, 1))
        for name in self.apart:
            where = getattr(regions, name)
            self.apart[name].add_sum(float(now[where].sum()), 1)
            self.was_apart[name].add_sum(float(before[where].sum()), 1)

    @property
    def figures(self) -> Figures:
        return {
            f"removed_{name}": 1 - self.apart[name].total / was.total if was.total else None
            for name, was in self.was_apart.items()
        }

    @property
    def untouched(self) -> Figures:
        """The same for the input left as it is."""
        return {name: None if value is None else 0.0 for name, value in self.figures.items()}


def score_preservation(case: Case, lpips: Distance | None) -> Scored:
    """A clip without a true plate; files "input", "labels", "result". Only what lies outside the mask has a truth.

    LPIPS is not measured: the inside cannot be left out of it.
    """
    clip = open_source(case.files["input"])
    result = open_beside("result", case.files["result"], clip.info)
    outside, likeness, changed = Pool(), Mean(), Mean()
    covers, worst = RegionTally(), WorstTally()
    frames = zip(clip.read(), result.read(), read_labels(case.files["labels"], clip.info), strict=True)
    for picture, plate, mask in frames:
        levels, wanted = picture_levels("result", plate), picture_levels("input", picture)
        outside.add_pictures(plate, picture, ~mask)
        likeness.add(_ssim_where(levels, wanted, ~mask))
        changed.add_sum(255 * float(np.abs(levels - wanted)[mask].sum()), 3 * int(np.count_nonzero(mask)))
        covers.add(Regions(mask, np.zeros_like(mask), ~mask))
        worst.add(picture, np.where(mask[..., None], levels, wanted), plate)
    return Scored(
        clip.info,
        scores={"psnr_outside": outside.db, "ssim_outside": likeness.value, "change_inside": changed.value},
        baseline={"psnr_outside": Pool(0.0, 1).db, "ssim_outside": 1.0, "change_inside": 0.0},
        worst=worst.moment,
        regions={name: share for name, share in covers.percent.items() if name != "effect"},
        notes=["LPIPS is not part of this protocol."] if lpips else [],
    )


def _ssim_where(found: np.ndarray, truth: np.ndarray, where: np.ndarray) -> float | None:
    """SSIM over a region, at pixels whose whole window is in it: what is inside the mask must not reach out."""
    if min(where.shape) < WINDOW_PX:
        return None
    edge, clear = WINDOW_PX // 2, _windows_within(where)
    inner = (slice(edge, -edge), slice(edge, -edge))
    return float(ssim_map(found, truth)[inner][clear].mean()) if clear.any() else None


def _windows_within(where: np.ndarray) -> np.ndarray:
    """bool, smaller by the window's rim: every pixel of the window is in the region."""
    windows = np.lib.stride_tricks.sliding_window_view(where, WINDOW_PX, axis=0).all(-1)
    return np.asarray(np.lib.stride_tricks.sliding_window_view(windows, WINDOW_PX, axis=1).all(-1))


def left_out(info: ClipInfo, lpips: Distance | None) -> list[str]:
    """What could not be measured of a clip, in words."""
    least = min(info.width, info.height)
    notes = [] if lpips else [NOT_MEASURED]
    notes += [TOO_SMALL] * bool(lpips and least < LEAST_LPIPS_PX)
    notes += [f"SSIM was not measured: pictures of less than {WINDOW_PX} pixels."] * (least < WINDOW_PX)
    return notes + [f"Warping was not measured: pictures of less than {LEAST_FLOW_PX} pixels."] * (
        least < LEAST_FLOW_PX
    )
