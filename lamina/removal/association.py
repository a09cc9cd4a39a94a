"""Which places a model links with an object: maps for every block, and how strongly blocks sense effects.

The clip's latents are made noisy to one level, and the network is asked once per window, told to remove everything. Two
figures per block and object: how much attention places pay to the object (Lee et al. 2025, equation 1), and, where it
is known where its effects are, how much the object pays to these. The latter, divided by its sum over blocks, is the
block's sensitivity to effects (EasyOmnimatte, 2025, block-wise analysis): mean over the object's tokens of the share of
their attention to the video that falls on the effects'.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from einops import rearrange, reduce, repeat
from jaxtyping import Bool, Float, Float32
from torch import Tensor

from lamina.backbones.attention import attention_shares, blocks_of, network_of, patch_of
from lamina.backbones.interface import Backbone, Condition, Geometry
from lamina.errors import WeightsError
from lamina.schedule import Level, Schedule
from lamina.windows import Window

MEMBER = 0.5
"""How much of a token's pixels an object must cover for the token to be its, as a share of what it covers of any."""
LEVELS = 50
"""Steps of the schedule of which the level of noise is chosen."""


@dataclass(frozen=True)
class Association:
    """Of every block: maps of the padded clip at the size of tokens, and figures per object."""

    maps: Float32[np.ndarray, "blocks objects lt th tw"]
    """The share of a token's attention that falls on the object."""
    inside: Float32[np.ndarray, "blocks objects"]
    """Mean of the map on the object, on its effects (NaN where none are known), and elsewhere."""
    on_effect: Float32[np.ndarray, "blocks objects"]
    elsewhere: Float32[np.ndarray, "blocks objects"]
    to_effect: Float32[np.ndarray, "blocks objects"]
    """Mean over the object's tokens of their attention to its effects, of all they pay to the video; NaN as above."""

    @property
    def sensitivity(self) -> Float32[np.ndarray, "blocks objects"]:
        """`to_effect` as a share of its sum over blocks."""
        total = self.to_effect.sum(0, keepdims=True)
        return self.to_effect / np.where(total > 0, total, np.nan)


@dataclass(frozen=True)
class Regions:
    """Which tokens are an object's and which its effects', of a padded clip or a window: 0 or 1, `objects t h w`."""

    objects: Float[Tensor, "k t h w"]
    effects: Float[Tensor, "k t h w"]

    def window(self, start: int, stop: int) -> "Regions":
        return Regions(self.objects[:, start:stop], self.effects[:, start:stop])

    @property
    def sets(self) -> Float[Tensor, "sets tokens"]:
        """Objects, effects, and last the whole video."""
        flat = rearrange(torch.cat([self.objects, self.effects]), "k t h w -> k (t h w)")
        return torch.cat([flat, torch.ones_like(flat[:1])])


def tokens_of(
    masks: Bool[np.ndarray, "k t h w"], geometry: Geometry, patch: tuple[int, int, int]
) -> Float[Tensor, "k lt th tw"]:
    """1 for tokens that a mask of a padded clip covers by half, or by half as much as it covers of any at that time: so
    nothing is too small to have one.
    """
    side_h, side_w = patch[1] * geometry.spatial, patch[2] * geometry.spatial
    pixels = torch.from_numpy(masks.astype(np.float32))
    small = reduce(pixels, "k t (h a) (w b) -> k t h w", "mean", a=side_h, b=side_w)
    rest = reduce(small[:, 1:], "k (t j) h w -> k t h w", "mean", j=geometry.temporal)
    latents = torch.cat([small[:, :1], rest], dim=1)
    covered = reduce(latents, "k (t p) h w -> k t h w", "mean", p=patch[0])
    return ((covered > 0) & (covered >= MEMBER * covered.amax((2, 3), keepdim=True))).float()


def level_near(schedule: Schedule, noise: float) -> Level:
    """The level of a schedule that has about so much noise."""
    return min((move.start for move in schedule.moves(LEVELS)), key=lambda level: abs(level.noise - noise))


def associate(
    backbone: Backbone,
    condition: Condition,
    windows: Sequence[tuple[Window, np.ndarray]],
    regions: Regions,
    level: Level,
    gauss: Float[Tensor, "c t h w"],
) -> Association:
    """Ask the network about a clip once per window.

    condition: of one item, whose video latents are those looked at. windows: with their weights. gauss: the noise.

    Raises:
        WeightsError: the network pays no attention, or what it says is no number.
    """
    noisy = level.signal * condition.video.float() + level.noise * gauss.to(condition.video.device)
    network = network_of(backbone)
    patch_t = patch_of(network)[0]
    sums = None
    for window, weights in windows:
        part = regions.window(window.start // patch_t, window.stop // patch_t)
        with torch.inference_mode(), attention_shares(network, part.sets) as found:
            answer = backbone.answer(noisy[None, :, window.start : window.stop], level, condition.window(window))
        _check_found(found, answer)
        weight = torch.from_numpy(weights).float().reshape(-1, patch_t).mean(1)
        sums = _Sums.of(len(blocks_of(network)), regions) if sums is None else sums
        sums.add(torch.stack(found)[:, 0], part, weight, window.start // patch_t)
    assert sums is not None
    return sums.association(patch_t)


def _check_found(shares: Sequence[Tensor], answer: Tensor) -> None:
    if not shares:
        do = "Take a model that was trained with blocks."
        raise WeightsError("attention", got="a network without blocks", wanted="blocks that pay attention", do=do)
    if not all(torch.isfinite(part).all() for part in (answer, *shares)):
        do = "Take other weights, and leave --storage out."
        raise WeightsError("attention", got="NaN or infinity from the network", wanted="finite numbers", do=do)


@dataclass(frozen=True)
class _Sums:
    """Weighted sums over windows."""

    maps: Float[Tensor, "b k t h w"]
    named: dict[str, Float[Tensor, "two b k"]]
    """Of each figure the sum and the sum of weights."""

    @classmethod
    def of(cls, blocks: int, regions: Regions) -> "_Sums":
        count = len(regions.objects)
        named = {name: torch.zeros(2, blocks, count) for name in ("inside", "on_effect", "elsewhere", "to_effect")}
        return cls(torch.zeros(blocks, *regions.objects.shape), named)

    def add(self, shares: Float[Tensor, "b sets tokens"], part: Regions, weight: Tensor, start: int) -> None:
        count, (frames, height, width) = len(part.objects), part.objects.shape[1:]
        shaped = rearrange(shares, "b k (t h w) -> b k t h w", t=frames, h=height, w=width)
        to_objects, to_effects, to_video = shaped[:, :count], shaped[:, count : 2 * count], shaped[:, -1:]
        weighed = repeat(weight, "t -> t h w", h=height, w=width)
        self.maps[:, :, start : start + frames] += to_objects * weighed
        free = 1 - torch.cat([part.objects, part.effects]).amax(0)
        for name, values, where in (
            ("inside", to_objects, part.objects),
            ("on_effect", to_objects, part.effects),
            ("elsewhere", to_objects, free.expand_as(part.objects)),
            ("to_effect", to_effects / to_video.clamp(min=1e-12), part.objects),
        ):
            self.named[name][0] += (values * where * weighed).sum((2, 3, 4))
            self.named[name][1] += (where * weighed).sum((1, 2, 3))

    def association(self, patch_t: int) -> Association:
        means = {name: (total / weight).numpy() for name, (total, weight) in self.named.items()}
        means["to_effect"][np.isnan(means["on_effect"])] = np.nan
        maps = repeat(self.maps, "b k t h w -> b k (t p) h w", p=patch_t).numpy()
        return Association(maps=maps, **means)
