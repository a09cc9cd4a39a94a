"""Pixel evidence that something changed the picture: what the looked-up background does not explain."""

import cv2
import numpy as np
from jaxtyping import Bool, Float32, UInt8

from lamina.channels import peak, total
from lamina.motion.anchor import Look
from lamina.motion.exposure import apply_tone
from lamina.motion.flow import leftover_motion, moved
from lamina.removal.frames import FREE, Small
from lamina.removal.look import tone_between

FINE = 7 / 255
"""A change of single pixels smaller than this is not told from resampling."""
SOFT = 3.0 / 255
"""A change over several pixels smaller than this is not told from compression."""
SOFT_SIGMA_PX = 2.5
FLOW_PX = 2.5
"""Shifts up to this are taken for misalignment."""
RESTLESS_FACTOR, RESTLESS = 2.5, 5 / 255
"""A median is not to be believed where one side of it spreads this much more than the other."""
SPREAD_FACTOR = 1.6
"""How many standard deviations of the honest views a change must exceed."""
EVIDENCE_ONE = 64
"""The stored number (uint8) that means: exactly at the threshold. 254 is four times that."""
UNKNOWN = 255


def evidence(target: Small, look: Look, still: bool) -> UInt8[np.ndarray, "h w"]:
    """How far each pixel is from the background, in units of what could be chance (64 = just that, 254 = four times).

    Two tests, the greater one counts. Fine: the pixel lies outside the range of the background's 3 x 3 neighbourhood,
    so that half a pixel of misalignment is no evidence. Soft: local means differ, which finds faint wide shadows that
    texture hides. Where the camera is not `still`, what a small shift of the background explains is no evidence either:
    alignment leaves some behind; and where something passed through many of the views, no difference proves nothing: a
    shadow that goes with the camera lingers in the median. `UNKNOWN` there, inside the objects, and where no trusted
    view shows the background.
    """
    known = look.trusted & (target.free > 0)
    tone = tone_between(look.rgb, target.rgb, known & (target.free == FREE))
    background = apply_tone(look.rgb, tone)
    strength = _strength(target.rgb, background, look.spread, known)
    if not still:
        flow = leftover_motion(target.rgb, background)
        again = _strength(target.rgb, moved(background, flow), look.spread, known)
        short = np.hypot(flow[..., 0], flow[..., 1]) < FLOW_PX
        strength = np.where(short, np.minimum(strength, again), strength)
        restless = look.unrest > RESTLESS_FACTOR * look.spread + RESTLESS
        known &= (strength > 1) | ~restless
    return np.where(known, (strength * EVIDENCE_ONE).clip(0, 254), UNKNOWN).astype(np.uint8)


def _strength(
    picture: Float32[np.ndarray, "h w 3"],
    background: Float32[np.ndarray, "h w 3"],
    spread: Float32[np.ndarray, "h w"],
    known: Bool[np.ndarray, "h w"],
) -> Float32[np.ndarray, "h w"]:
    weight = known.astype(np.float32)
    fine = _outside_neighbourhood(picture, background) / (FINE + SPREAD_FACTOR * spread)
    wide = _local_mean(spread[..., None], weight)[..., 0]
    soft = peak(np.abs(_local_mean(picture - background, weight))) / (SOFT + SPREAD_FACTOR * wide)
    return np.maximum(fine, soft) * _one_sided(picture - background, weight)


def _one_sided(change: Float32[np.ndarray, "h w 3"], weight: Float32[np.ndarray, "h w"]) -> Float32[np.ndarray, "h w"]:
    """1 where a neighbourhood gets darker or lighter as a whole, 0 where changes cancel: shifted texture does that."""
    change = peak(np.abs(change)) * np.sign(total(change)) * weight
    net, gross = (cv2.GaussianBlur(c, (0, 0), 2 * SOFT_SIGMA_PX) for c in (change, np.abs(change)))
    return ((np.abs(net) / np.maximum(gross, 1e-4) - 0.2) / 0.35).clip(0, 1)


def _outside_neighbourhood(
    picture: Float32[np.ndarray, "h w 3"], background: Float32[np.ndarray, "h w 3"]
) -> Float32[np.ndarray, "h w"]:
    blurred, ground = (cv2.GaussianBlur(p, (0, 0), 0.8) for p in (picture, background))
    kernel = np.ones((3, 3), np.uint8)
    return peak(np.maximum(blurred - cv2.dilate(ground, kernel), cv2.erode(ground, kernel) - blurred)).clip(0)


def _local_mean(
    values: Float32[np.ndarray, "h w c"], weight: Float32[np.ndarray, "h w"]
) -> Float32[np.ndarray, "h w c"]:
    """Gaussian mean over the pixels that count."""
    top = cv2.GaussianBlur(values * weight[..., None], (0, 0), SOFT_SIGMA_PX).reshape(values.shape)
    return top / np.maximum(cv2.GaussianBlur(weight, (0, 0), SOFT_SIGMA_PX), 1e-3)[..., None]
