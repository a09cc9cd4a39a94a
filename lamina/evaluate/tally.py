"""Figures that grow frame by frame, so that no clip is ever whole in memory."""

import math
from dataclasses import dataclass, field

import numpy as np

from lamina.evaluate.case import Figures, Moment
from lamina.evaluate.lpips import LEAST_PX as LEAST_LPIPS_PX
from lamina.evaluate.lpips import Distance
from lamina.evaluate.pixels import MOST_DB, WINDOW_PX, decibels, squared_error, ssim
from lamina.evaluate.regions import Regions
from lamina.evaluate.temporal import LEAST_PX as LEAST_FLOW_PX
from lamina.evaluate.temporal import can_be_followed, dense_motion, flicker, followed_error
from lamina.evaluate.thumbnails import moment

Motion = tuple[np.ndarray, np.ndarray]
"""From a frame to the one before, `h w 2`, and where it can be followed, bool `h w`."""


@dataclass
class Mean:
    """A running mean; None as long as nothing was added."""

    total: float = 0.0
    count: int = 0

    def add(self, value: float | None) -> None:
        """Add one value; None and NaN say that there was nothing to measure."""
        if value is not None and not math.isnan(value):
            self.total += value
            self.count += 1

    def add_sum(self, total: float, count: int) -> None:
        """Add many values at once: their sum, and how many they are."""
        self.total += total
        self.count += count

    @property
    def value(self) -> float | None:
        return self.total / self.count if self.count else None


@dataclass
class Pool(Mean):
    """Squared errors of levels 0..1, pooled over frames."""

    def add_pictures(self, found: np.ndarray, truth: np.ndarray, where: np.ndarray | None = None) -> None:
        self.add_sum(*squared_error(found, truth, where))

    @property
    def db(self) -> float | None:
        return None if self.value is None else at_most(decibels(self.value))


def at_most(db: float) -> float:
    """PSNR as rows say it: equal pictures have the value of the smallest error that is told apart."""
    return min(db, MOST_DB)


@dataclass
class PictureTally:
    """Figures of one clip against its truth, frame by frame."""

    lpips: Distance | None = None
    frame_db: Mean = field(default_factory=Mean)
    ssim: Mean = field(default_factory=Mean)
    distance: Mean = field(default_factory=Mean)
    pools: dict[str, Pool] = field(default_factory=lambda: {name: Pool() for name in ("object", "effect", "rest")})
    flicker: Mean = field(default_factory=Mean)
    warping: Mean = field(default_factory=Mean)
    before: tuple[np.ndarray, np.ndarray] | None = None

    def add(self, found: np.ndarray, truth: np.ndarray, regions: Regions, motion: Motion | None) -> None:
        """One frame; `motion` leads from it to the one before."""
        pool = Pool()
        pool.add_pictures(found, truth)
        self.frame_db.add(pool.db)
        if min(found.shape[:2]) >= WINDOW_PX:
            self.ssim.add(ssim(found, truth))
        if self.lpips and min(found.shape[:2]) >= LEAST_LPIPS_PX:
            self.distance.add(self.lpips(found, truth))
        for name, region_pool in self.pools.items():
            region_pool.add_pictures(found, truth, getattr(regions, name))
        if self.before is not None:
            self.flicker.add(flicker(np.stack([self.before[0], found]), np.stack([self.before[1], truth])))
            if motion is not None:
                self.warping.add(followed_error(found, self.before[0], *motion))
        self.before = found, truth

    @property
    def figures(self) -> Figures:
        return {
            "psnr": self.frame_db.value,
            "ssim": self.ssim.value,
            "lpips": self.distance.value,
            **{f"psnr_{name}": pool.db for name, pool in self.pools.items()},
            "flicker": self.flicker.value,
            "warping": self.warping.value,
        }


@dataclass
class MotionTally:
    """Motion of a reference clip from every frame to the one before it."""

    before: np.ndarray | None = None

    def add(self, picture: np.ndarray) -> Motion | None:
        """The motion between the last picture and this one; None for the first, and for pictures too small."""
        before, self.before = self.before, picture
        if before is None or min(picture.shape[:2]) < LEAST_FLOW_PX:
            return None
        back = dense_motion(picture, before)
        return back, can_be_followed(back, dense_motion(before, picture))


@dataclass
class RegionTally:
    """How much of the picture each region covers."""

    pixels: dict[str, int] = field(default_factory=lambda: {"object": 0, "effect": 0, "rest": 0})
    total: int = 0

    def add(self, regions: Regions) -> None:
        for name in self.pixels:
            self.pixels[name] += int(np.count_nonzero(getattr(regions, name)))
        self.total += regions.object.size

    @property
    def percent(self) -> dict[str, float]:
        return {name: round(100 * count / self.total, 3) for name, count in self.pixels.items()}


@dataclass
class WorstTally:
    """The frame that is farthest from the truth."""

    found: Moment | None = None
    frame: int = 0

    def add(self, picture: np.ndarray, truth: np.ndarray, result: np.ndarray) -> None:
        """One frame: levels or stored numbers, `h w 3` each."""
        now = moment(self.frame, picture, truth, result, self.found.error if self.found else -1.0)
        self.found, self.frame = now or self.found, self.frame + 1

    @property
    def moment(self) -> Moment:
        assert self.found is not None, "nothing was added"
        return self.found
