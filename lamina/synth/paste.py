"""Object paste: an object of one real clip laid over another clip, which is then the answer.

Generative Omnimatte (Lee et al., CVPR 2025), section "Training data", category Object-Paste. It teaches to remove what
casts no shadow, and to leave real backgrounds alone. Size and motion are measured on the object's mask.
"""

from collections import Counter
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, UInt8

from lamina.errors import InputError
from lamina.masks.trimask import make_trimask
from lamina.synth.cutout import Place, cut_sides, edge_colour, lay_over, mask_area, mask_motion, place_cut, soft_edge
from lamina.synth.masked_clip import MaskedClip, check_any, read_small, size_within
from lamina.synth.pair import Pair, chance

TRIES = 24
"""Objects looked at before a pair is given up."""


@dataclass(frozen=True)
class PasteConfig:
    """What is pasted and where. Scale and shift are those of the published data."""

    frames: int = 80
    """At most so many; the shorter of the two clips may have fewer."""
    short_px: int = 288
    """The target clip is shrunk to this shorter side as it is read; it is never enlarged, nor is the object."""
    scale: tuple[float, float] = (0.4, 1.0)
    """The object's whole picture is fitted into the target's, times this."""
    shift: float = 0.2
    """Up to so much of the picture's width and height off the centre, before cut-off sides are hidden."""
    area: tuple[float, float] = (0.005, 0.4)
    """Least and largest share of the target's picture the object's mask covers, the mean over frames."""
    least_motion: float = 0.1
    """Of `mask_motion`: what hardly moves or changes is often no object, or a mask that stayed behind."""
    keep_background: float = 0.5
    """How often all the rest is marked KEEP (white in the paper), not UNKNOWN (gray)."""
    keep_objects: float = 0.0
    """How often the target clip's own objects are marked KEEP, where it has masks."""
    edge_px: float = 1.5
    """Width of the soft edge, which lies inside the mask."""

    def __post_init__(self):
        if not (self.frames >= 2 and self.short_px >= 16 and 0 < self.scale[0] <= self.scale[1]):
            raise ValueError(f"Expected frames >= 2, short_px >= 16 and scales above 0, smaller one first: {self}.")
        if not (0 <= self.area[0] <= self.area[1] <= 1 and 0 <= self.least_motion <= 1 and self.edge_px >= 0):
            raise ValueError(f"Expected area and least_motion within 0..1 and edge_px not negative: {self}.")
        if not (0 <= self.keep_background <= 1 and 0 <= self.keep_objects <= 1):
            raise ValueError(f"Expected keep_background and keep_objects within 0..1: {self}.")


@dataclass(frozen=True)
class _Cutout:
    """An object chosen for a place in the target: which frames of which clip, at which size, masked by what."""

    clip: MaskedClip
    start: int
    size: tuple[int, int]
    mask: Bool[np.ndarray, "t h w"]
    place: Place


@dataclass(frozen=True)
class PasteSource:
    """Pairs of objects of `donors` over `targets`; a clip is never pasted over itself.

    Raises InputError when donors have no masks or there is nothing else to paste them on; on making a pair also when no
    object passes the filters, and what reading the clips raises.
    """

    donors: tuple[MaskedClip, ...]
    targets: tuple[MaskedClip, ...]
    config: PasteConfig = PasteConfig()
    name: str = "paste"

    def __post_init__(self):
        check_any(self.donors, "clips with masks to cut objects out of")
        check_any(self.targets, "clips to paste objects on", masks=False)
        if len({clip.video for clip in (*self.donors, *self.targets)}) < 2:
            raise InputError("clips", got="only one clip", wanted="an object and another clip", do="Give a second one.")

    def pair(self, seed: int) -> Pair:
        rng, refused = chance(self.name, seed), Counter()
        for _ in range(TRIES):
            target = self.targets[rng.integers(len(self.targets))]
            found = self._choose(target, rng)
            if isinstance(found, _Cutout):
                return self._paste(found, target, rng, seed)
            refused[found] += 1
        raise InputError(
            f"pair {seed} of {self.name!r}",
            got=", ".join(f"{count} {reason}" for reason, count in sorted(refused.items())),
            wanted="an object within the bounds of PasteConfig",
            do="Give more clips, or widen area, scale and least_motion.",
        )

    def _choose(self, target: MaskedClip, rng: np.random.Generator) -> _Cutout | str:
        """An object and its place, or why the one that was drawn will not do."""
        donors = [clip for clip in self.donors if clip.video != target.video]
        if not donors:
            return "on their own clip"
        clip = donors[rng.integers(len(donors))]
        count = min(self.config.frames, clip.info.frames, target.info.frames)
        start = int(rng.integers(clip.info.frames - count + 1))
        number = int(rng.integers(len(clip.masks)))
        outer = size_within(target.info, self.config.short_px)
        size = self._size(clip, outer, rng)
        wanted = self._shifted(size, outer, rng)
        if size[0] > clip.info.width:
            return "too small in their clip"
        mask = clip.objects(start, start + count, size, only=number)
        place = place_cut(wanted, cut_sides(mask), size, outer)
        return "cut off on both sides" if place is None else self._judge(_Cutout(clip, start, size, mask, place), outer)

    def _size(self, clip: MaskedClip, outer: tuple[int, int], rng: np.random.Generator) -> tuple[int, int]:
        scale = rng.uniform(*self.config.scale) * min(outer[0] / clip.info.width, outer[1] / clip.info.height)
        return max(1, round(clip.info.width * scale)), max(1, round(clip.info.height * scale))

    def _shifted(self, size: tuple[int, int], outer: tuple[int, int], rng: np.random.Generator) -> Place:
        shift = rng.uniform(-self.config.shift, self.config.shift, 2)
        places = ((room - own) / 2 + off * room for own, room, off in zip(size, outer, shift, strict=True))
        return Place(*map(round, places))

    def _judge(self, cutout: _Cutout, outer: tuple[int, int]) -> _Cutout | str:
        placed = placed_mask(cutout.mask, cutout.place, outer)
        least, largest = self.config.area
        if not least <= mask_area(placed) <= largest:
            return "too small" if mask_area(placed) < least else "too large"
        return cutout if mask_motion(placed) >= self.config.least_motion else "hardly moving"

    def _paste(self, cutout: _Cutout, target: MaskedClip, rng: np.random.Generator, seed: int) -> Pair:
        count, size = len(cutout.mask), size_within(target.info, self.config.short_px)
        start = int(rng.integers(target.info.frames - count + 1))
        plate = read_small(target.source.read(start, start + count), count, size)
        stop = cutout.start + count
        donor = read_small(cutout.clip.source.read(cutout.start, stop), count, cutout.size)
        pasted, covered = paste(plate, donor, cutout.mask, cutout.place, self.config.edge_px)
        white, own = rng.random(2) < (self.config.keep_background, self.config.keep_objects)
        keep = target.objects(start, start + count, size) if own else np.zeros(covered.shape, bool)
        trimask = make_trimask(covered, keep, preserve=np.full(covered.shape, white))
        return Pair(pasted, plate, trimask, self.name, seed, target.caption)


def paste(
    plate: UInt8[np.ndarray, "t h w 3"],
    donor: UInt8[np.ndarray, "t ih iw 3"],
    mask: Bool[np.ndarray, "t ih iw"],
    place: Place,
    edge_px: float,
) -> tuple[UInt8[np.ndarray, "t h w 3"], Bool[np.ndarray, "t h w"]]:
    """The clip with the masked object over it, and where it may differ: wherever the object is not transparent.

    The donor's picture lies with its corner at `place`. Edges are soft over `edge_px` inside the mask, and coloured
    from further inside, so that nothing of the donor's background comes along.
    """
    pasted, covered = np.empty_like(plate), np.empty(plate.shape[:3], bool)
    for t, inside in enumerate(mask):
        alpha: Float32[np.ndarray, "ih iw"] = soft_edge(inside, edge_px)
        pasted[t], covered[t] = lay_over(plate[t], edge_colour(donor[t], alpha), alpha, place)
    return pasted, covered


def placed_mask(
    mask: Bool[np.ndarray, "t ih iw"], place: Place, outer: tuple[int, int]
) -> Bool[np.ndarray, "t h w"]:
    """A mask in a picture of size `outer` (width, height), with its corner at `place`."""
    placed = np.zeros((len(mask), outer[1], outer[0]), bool)
    seen, there = place.parts(mask.shape[:0:-1], outer)
    placed[:, *there] = mask[:, *seen]
    return placed
