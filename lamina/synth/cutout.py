"""Objects cut out of clips with their masks and laid over other pictures; what a mask says about its object."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float32, UInt8

FULL = 0.98
"""A blurred mask of more than this is opaque."""


def mask_area(mask: Bool[np.ndarray, "t h w"]) -> float:
    """Share of the picture an object covers, the mean over frames, 0..1."""
    return float(mask.mean())


def mask_motion(mask: Bool[np.ndarray, "t h w"]) -> float:
    """How much an object moves or changes its shape, 0..1: one minus the overlap of masks half a clip apart.

    The mean of 1 - |A and B| / |A or B| over all pairs of frames t, t + n // 2 of which one shows the object. 0 for a
    single frame and for a mask that is empty throughout.
    """
    half = len(mask) // 2
    if half == 0:
        return 0.0
    before, after = mask[:-half], mask[half:]
    either = (before | after).sum((1, 2))
    both = (before & after).sum((1, 2))
    seen = either > 0
    return float((1 - both[seen] / either[seen]).mean()) if seen.any() else 0.0


def soft_edge(inside: Bool[np.ndarray, "h w"], edge_px: float) -> Float32[np.ndarray, "h w"]:
    """An alpha that rises from the mask's outline inwards over about `edge_px` pixels; nothing of it is outside.

    alpha = (blurred - 1/2) / (FULL - 1/2), cut to 0..1, where `blurred` is the mask under a Gaussian of deviation
    edge_px / 2, which is 1/2 along a straight outline. So a mask that takes in a little background does not show it,
    and its stairs do not show either. The picture's border is no outline. 0 is a hard edge.
    """
    hard = inside.astype(np.float32)
    if edge_px <= 0:
        return hard
    blurred = cv2.GaussianBlur(hard, (0, 0), edge_px / 2, borderType=cv2.BORDER_REPLICATE)
    return np.clip((blurred - 0.5) / (FULL - 0.5), 0, 1) * hard


def edge_colour(rgb: UInt8[np.ndarray, "h w 3"], alpha: Float32[np.ndarray, "h w"]) -> UInt8[np.ndarray, "h w 3"]:
    """The picture with the colour of the nearest opaque pixel wherever alpha is between 0 and 1.

    There the object is mixed with what was behind it. Without any opaque pixel the picture is returned as it is.
    """
    edge, opaque = (alpha > 0) & (alpha < 1), alpha >= 1
    if not edge.any() or not opaque.any():
        return rgb
    not_opaque = (~opaque).astype(np.uint8)
    labels = cv2.distanceTransformWithLabels(not_opaque, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)[1]
    labels = labels.astype(np.int64)
    colour_of = np.zeros((int(labels.max()) + 1, 3), np.uint8)
    colour_of[labels[opaque]] = rgb[opaque]
    mended = rgb.copy()
    mended[edge] = colour_of[labels[edge]]
    return mended


@dataclass(frozen=True)
class Place:
    """Where the upper left corner of a picture of another size goes; may lie outside."""

    x: int
    y: int

    def parts(self, inner: tuple[int, int], outer: tuple[int, int]) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
        """Rows and columns of the inner picture (width, height) that are seen in the outer one, and where there."""
        columns, rows = (
            (max(0, -at), max(0, min(size, room - at)))
            for at, size, room in zip((self.x, self.y), inner, outer, strict=True)
        )
        seen = slice(*rows), slice(*columns)
        there = slice(rows[0] + self.y, rows[1] + self.y), slice(columns[0] + self.x, columns[1] + self.x)
        empty = (slice(0, 0), slice(0, 0))
        return (seen, there) if rows[0] < rows[1] and columns[0] < columns[1] else (empty, empty)


def cut_sides(mask: Bool[np.ndarray, "t h w"]) -> tuple[bool, bool, bool, bool]:
    """Whether an object is cut off by its own picture's left, upper, right, lower border in any frame."""
    return (
        bool(mask[:, :, 0].any()),
        bool(mask[:, 0].any()),
        bool(mask[:, :, -1].any()),
        bool(mask[:, -1].any()),
    )


def place_cut(
    wanted: Place, cut: tuple[bool, bool, bool, bool], inner: tuple[int, int], outer: tuple[int, int]
) -> Place | None:
    """The place nearest to `wanted` at which no straight cut of the object shows: cut sides lie at the border or past.

    None where there is no such place: an object cut off on two opposite sides in a picture smaller than the other.
    """
    found = []
    for at, before, after, size, room in (
        (wanted.x, cut[0], cut[2], inner[0], outer[0]),
        (wanted.y, cut[1], cut[3], inner[1], outer[1]),
    ):
        if before and after and size < room:
            return None
        at = min(at, 0) if before else at
        found.append(max(at, room - size) if after else at)
    return Place(*found)


def lay_over(
    below: UInt8[np.ndarray, "h w 3"],
    rgb: UInt8[np.ndarray, "ih iw 3"],
    alpha: Float32[np.ndarray, "ih iw"],
    place: Place,
) -> tuple[UInt8[np.ndarray, "h w 3"], Bool[np.ndarray, "h w"]]:
    """Lay a cut-out over a picture, display-referred: rgb * alpha + below * (1 - alpha), and where alpha is not 0."""
    picture, covered = below.copy(), np.zeros(below.shape[:2], bool)
    seen, there = place.parts(alpha.shape[::-1], below.shape[1::-1])
    share = alpha[seen]
    mixed = cv2.blendLinear(rgb[seen], below[there], share, 1 - share) if share.size else below[there]
    picture[there] = np.where((share > 0)[..., None], mixed, below[there])
    covered[there] = share > 0
    return picture, covered
