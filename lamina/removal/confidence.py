"""How sure it is that a looked-up background is background truly seen, pixel by pixel.

Where an object was or changed the picture, trusted views of the place must agree, and must show the change. Elsewhere
the frame's own pixel is background when other frames confirm it, but not close to an object that hardly moves: what it
throws on the ground stays too, and the frames would confirm a shadow. It takes frames there that it has left.
"""

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from jaxtyping import Bool, Float32, UInt8

from lamina.channels import peak
from lamina.masks.binary import grow
from lamina.motion.anchor import Look
from lamina.motion.coordinates import homography_in_pixels
from lamina.removal.effects import LEAST_SIZE, REACH, Place, clear_places, reach_of
from lamina.removal.frames import Small
from lamina.removal.scene import Scene

STEADY, RESTFUL = 8 / 255, 14 / 255
"""Spread of views, of the quieter and of the noisier side, above which a place is not known well enough."""
SURE, ALIKE = 255, 128
CHANGE_LEAST = np.float32(8 / 255)
"""What is looked up for a place that has changed must differ from it by more to be sure: else the views have the same
effect on them, or there was none, and which of the two cannot be seen from here."""
BESIDE_PX = 3
"""So far beside what is hidden that is not asked for: what is hidden is shown as it was seen, up to its edge."""
AWAY = 0.6
"""Share of the frames looked at in which an object must be elsewhere, for them to confirm what is close to it."""
WITNESSES = 0.2
"""The same share for one pixel, where only frames count in which the object is away from that pixel too."""
FAR = 2.5
"""Sizes of the object between its middle and a pixel, from which on it is away from it."""
MARGIN_PX = 3
"""Around a kept object and its effects at detection size, where its solo is not the background."""


def seen_background(
    scene: Scene, small: Small, effects: Bool[np.ndarray, "k d v"], look: Look | None
) -> UInt8[np.ndarray, "r d v"]:
    """255 where the plate shows background truly seen; and, with several objects, where each one's solo shows it too.

    `ALIKE` where a change was looked up to be none: that is not sure, but no reason to look for more either. look: what
    was looked up for the changed part of the frame; None where nothing was.
    """
    changed = effects.any(0) | (small.free == 0)
    reaches = [reach_of(mask, place) for mask, place in zip(small.masks, scene.places(small.index), strict=True)]
    seen = np.where(~changed & _confirmed(scene, small, reaches), SURE, 0).astype(np.uint8)
    if look is not None:
        known = changed & look.trusted & (look.spread < STEADY) & (look.unrest < RESTFUL)
        shown = grow(small.free == 0, BESIDE_PX) | (peak(np.abs(look.rgb - small.rgb)) > CHANGE_LEAST)
        seen[known] = np.where(shown, SURE, ALIKE)[known]
    maps = [seen]
    if len(reaches) > 1:
        maps += [np.where(_own(small, effects, changed, k, reach), 0, seen) for k, reach in enumerate(reaches)]
    return np.stack(maps).astype(np.uint8)


def _own(small: Small, effects: np.ndarray, changed: np.ndarray, k: int, reach: np.ndarray) -> Bool[np.ndarray, "d v"]:
    """Where object k may have changed the picture: seen to, or hidden by others where its effects could be."""
    touched = grow(effects[k] | (small.masks[k] > 20), MARGIN_PX)
    return touched | (changed & (reach < REACH))


def _confirmed(scene: Scene, small: Small, reaches: list[np.ndarray]) -> Bool[np.ndarray, "d v"]:
    """Where other frames show the same, and were not taken with an object in its place."""
    sure = clear_places(scene.second[small.index])
    for places, reach in zip(scene.found.places, reaches, strict=True):
        here = places[small.index]
        if not here.area_px:
            continue
        elsewhere = list(_elsewhere(scene, places, small))
        if np.mean([off >= _size(here, small) for _, off, _ in elsewhere]) < AWAY:
            sure &= (reach >= REACH) | (_witnesses(elsewhere, here, small) >= WITNESSES)
    return sure


def _elsewhere(scene: Scene, places: dict[int, Place], small: Small) -> Iterator[tuple[Place, float, np.ndarray]]:
    """Of each frame looked at: the object's place there, how far from its place here that is, and where it is here."""
    here, size = places[small.index], small.free.shape[1::-1]
    for frame in scene.others(small.index):
        there = places[frame]
        camera = homography_in_pixels(scene.found.path.between(frame, small.index), size, size)
        middle = cv2.perspectiveTransform(np.array([[[there.x, there.y]]]), camera)[0, 0]
        off = np.hypot(*(middle - (here.x, here.y))) if there.area_px else np.inf
        yield there, float(off), middle


def _witnesses(
    elsewhere: Sequence[tuple[Place, float, np.ndarray]], here: Place, small: Small
) -> Float32[np.ndarray, "d v"]:
    """For every pixel the share of frames in which the object has left, and left it far behind."""
    height, width = small.free.shape
    y, x = np.mgrid[:height, :width].astype(np.float32)
    far = np.zeros(small.free.shape, np.float32)
    for there, off, middle in elsewhere:
        if off >= _size(here, small):
            far += np.hypot(x - middle[0], y - middle[1]) >= FAR * _size(there, small)
    return far / np.float32(max(1, len(elsewhere)))


def _size(place: Place, small: Small) -> float:
    return max(place.area_px**0.5, LEAST_SIZE * small.free.shape[1])
