"""Plates and solos from elsewhere carried to the clip's size, detail and depth.

Removal models answer small, soft or in eight bits. Where an object changed nothing the clip itself is the answer, to
the bit; where it only shaded the ground, the ground's detail is still there to see, darker or lighter; and where only
this object changed the picture, the clip is its solo. So only what was hidden, or what several objects changed, is
taken from the model's pixels. (Generative Omnimatte, section 3.4, transfers detail to where opacity reaches 1.)
"""

from dataclasses import dataclass

import cv2
import numpy as np

from lamina.motion.coordinates import resize_area

GAIN_LEAST, GAIN_MOST = np.float32(0.4), np.float32(2.5)
"""How much stronger or weaker the ground's detail may be without its shade. More than that is not a shade."""
DARKEST = np.float32(4 / 255)
NEAR = (3, 3)
"""The neighbourhood of a line, in the model's pixels."""
FLAT = np.float32(1e-4)
"""Variance below which a neighbourhood says little of a slope: that of light alone is taken then, so grain stays."""
BARE_LEAST = np.float32(1e-4)
"""What a pixel full of objects still counts in a line, lest there be none."""
RETURNS = 2
"""How often what the result, made small, lacks of the model's picture is added to it (Irani and Peleg 1991)."""


@dataclass(frozen=True)
class Place:
    """An object in a frame: its influence, 0..1, where it may be seen and where nothing else can be, bool `h w`."""

    influence: np.ndarray
    maybe: np.ndarray
    surely: np.ndarray


@dataclass(frozen=True)
class Known:
    """Background truly seen, float32 `h w 3` of the frame's size, and where it is, 0..1 `h w`."""

    picture: np.ndarray
    share: np.ndarray


def enlarged(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A float picture at (width, height), with cubic interpolation; as it is when it has that size."""
    if picture.shape[1::-1] == size:
        return picture
    return np.clip(cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC), picture.min(), picture.max())


def relit(picture: np.ndarray, frame: np.ndarray, covered: np.ndarray) -> np.ndarray:
    """A small picture of what a frame would look like, float32 `h w 3`, at its size and with its detail.

    covered: bool, of the frame's size; there the frame's detail belongs to something else and is left out.
    """
    size = frame.shape[1::-1]
    wide = enlarged(picture, size)
    if picture.shape == frame.shape:
        return wide
    slope, offset = (cv2.resize(part, size, interpolation=cv2.INTER_LINEAR) for part in _lines(picture, frame, covered))
    found, bare = slope * frame + offset, ~covered[..., None]
    for _ in range(RETURNS):
        found = np.where(bare, found, wide)
        lacking = picture - resize_area(found, picture.shape[1::-1])
        found = found + cv2.resize(lacking, size, interpolation=cv2.INTER_CUBIC)
    return np.where(bare, found, wide)


def _lines(picture: np.ndarray, frame: np.ndarray, covered: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Slope and offset of the small picture as a line of the frame, both small, means over their neighbourhood."""
    size = picture.shape[1::-1]
    guide = resize_area(frame, size)
    bare = (1 - resize_area(covered.astype(np.float32), size))[..., None] ** 2 + BARE_LEAST
    share = cv2.blur(bare, NEAR)[..., None]

    def mean(values: np.ndarray) -> np.ndarray:
        return cv2.blur(values * bare, NEAR) / share

    level, wanted = mean(guide), mean(picture)
    variance, together = mean(guide**2) - level**2, mean(guide * picture) - level * wanted
    light = np.clip((wanted + DARKEST) / (level + DARKEST), GAIN_LEAST, GAIN_MOST)
    slope = np.clip((together + FLAT * light) / (variance + FLAT), 0, GAIN_MOST)
    return cv2.blur(slope, NEAR), cv2.blur(wanted - slope * level, NEAR)


def lift_plate(plate: np.ndarray, frame: np.ndarray, places: list[Place], known: Known | None = None) -> np.ndarray:
    """The plate, float32 `h w 3` of any smaller size, at the frame's size and with its detail where that is seen.

    known: what is shown instead where objects are.
    """
    wide = relit(plate, frame, np.any([place.maybe for place in places], axis=0))
    if known is not None:
        wide = _blend(wide, known.picture, known.share)
    return _blend(frame, wide, np.max([place.influence for place in places], axis=0))


def lift_solo(
    solo: np.ndarray, frame: np.ndarray, plate: np.ndarray, own: Place, others: list[Place], fronts: list[Place]
) -> np.ndarray:
    """One object's solo, float32 `h w 3` of any smaller size, at the size and with the detail of `frame` and `plate`.

    plate: already lifted. others: all other objects; fronts: those of them in front of this one. The object's own
    pixels are the frame's unless something in front changes them; its effects are unless any other object does.
    """
    wide = relit(solo, frame, np.any([place.maybe for place in others], axis=0)) if others else frame
    meddled = _most([place.influence for place in others], wide)
    shaded = _most([place.influence for place in fronts], wide)
    apart = np.where(own.surely, shaded, meddled)
    return _blend(plate, _blend(frame, wide, apart), own.influence)


def _most(parts: list[np.ndarray], like: np.ndarray) -> np.ndarray:
    return np.max(parts, axis=0) if parts else np.zeros(like.shape[:2], np.float32)


def _blend(base: np.ndarray, over: np.ndarray, share: np.ndarray) -> np.ndarray:
    """`base` to the bit where the share is 0, `over` where it is 1."""
    weight = share[..., None]
    return np.where(weight >= 1, over, np.where(weight > 0, base + weight * (over - base), base))
