"""What the renderer's pictures say about layers: true alphas, and what the true layers give back."""

from collections.abc import Sequence

import numpy as np

from lamina.alpha import closed_form, color_for, least_alpha
from lamina.levels import to_levels


def effect_alpha(effects: np.ndarray, plate: np.ndarray) -> np.ndarray:
    """The smallest alpha, `h w` uint8, with which a layer over the plate shows what an object does to it.

    effects, plate: `h w 3` uint8; the scene with the object invisible but its shadow and reflection there, and without
    it. For a shadow this is the share of light it takes, at any colour of the ground.
    """
    return np.rint(255 * least_alpha(to_levels(effects), to_levels(plate))).astype(np.uint8)


def recompose(plate: np.ndarray, stacked: Sequence[np.ndarray]) -> np.ndarray:
    """True layers over the plate, `h w 3` float32.

    A layer is what an object and its effects change in the scene with all that lies behind it, also where its shadow
    falls on other objects; stored as 8-bit RGBA with straight alpha.

    plate, stacked: `h w 3` uint8; the empty scene, and the scene with one object more each time, back to front.
    """
    below, seen = to_levels(plate), to_levels(plate)
    for picture in map(to_levels, stacked):
        alpha = np.ceil(255 * least_alpha(picture, below)) / 255
        color = np.rint(255 * color_for(picture, below, alpha)) / 255
        seen = color * alpha[..., None] + seen * (1 - alpha[..., None])
        below = picture
    return seen


def recompose_alone(
    plate: np.ndarray, objects: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]], order: Sequence[int]
) -> np.ndarray:
    """The same with layers that know nothing of each other: all effects on the ground first, then the objects.

    objects: solo, effects (`h w 3` uint8) and the object's alpha (`h w` uint8) of each.
    """
    ground = to_levels(plate)
    below = ground
    for _, effects, _ in objects:
        color, alpha = closed_form(to_levels(effects), ground)
        below = color * alpha[..., None] + below * (1 - alpha[..., None])
    for number in order:
        solo, effects, alpha = objects[number]
        share = to_levels(alpha)[..., None]
        covering = to_levels(solo) - (1 - share) * to_levels(effects)  # colour times alpha
        below = np.clip(covering, 0, 1) + (1 - share) * below
    return below


def back_to_front(depths: Sequence[np.ndarray], alphas: Sequence[np.ndarray]) -> list[int]:
    """Numbers of the objects, the farthest first, by the mean depth of what they cover; first those out of view."""
    far = [
        float(depth[alpha > 127].mean()) if (alpha > 127).any() else np.inf
        for depth, alpha in zip(depths, alphas, strict=True)
    ]
    return sorted(range(len(far)), key=lambda number: -far[number])
