"""What the moving pin-hole camera sees: for every pixel the ray it looks along, as slopes per unit of depth.

A pixel sees the point `position + depth * (across, up, 1)`. On a plane of constant depth, that is on every card and on
the backdrop, this is the plane's homography; the ground is where `up` leads down to height 0.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from lamina.synth.scene import CameraPath


@dataclass(frozen=True, eq=False)
class Rays:
    """Of `f` frames."""

    position: Float[Tensor, "f 3"]
    across: Float[Tensor, "f h w"]
    up: Float[Tensor, "f h w"]
    pixel: Float[Tensor, "f 1 1"]
    """Width of a pixel at depth 1."""

    def x(self) -> Float[Tensor, "f 1 1"]:
        return self.position[:, 0, None, None]

    def y(self) -> Float[Tensor, "f 1 1"]:
        return self.position[:, 1, None, None]

    def z(self) -> Float[Tensor, "f 1 1"]:
        return self.position[:, 2, None, None]


def rays(
    position: Float[Tensor, "f 3"], angles: Float[Tensor, "f 3"], focal: Float[Tensor, " f"], height: int, width: int
) -> Rays:
    """Rays of all pixels; `angles` are yaw, pitch, roll in radians, `focal` is in picture widths."""
    device = position.device
    x = (torch.arange(width, device=device) + 0.5 - width / 2) / width
    y = (height / 2 - 0.5 - torch.arange(height, device=device)) / width
    yaw, pitch, roll = (angles[:, axis, None, None] for axis in range(3))
    x, y = x[None, None] / focal[:, None, None], y[None, :, None] / focal[:, None, None]
    right, above = x * roll.cos() - y * roll.sin(), x * roll.sin() + y * roll.cos()
    ahead = pitch.cos() - above * pitch.sin()
    depth = ahead * yaw.cos() - right * yaw.sin()
    across = (right * yaw.cos() + ahead * yaw.sin()) / depth
    up = (above * pitch.cos() + pitch.sin()) / depth
    return Rays(position, across, up, 1 / (focal * width)[:, None, None])


def seen_at(path: CameraPath, points: np.ndarray) -> np.ndarray:
    """Where points `t 3` are in the picture, `t 2`: right and down of its middle, in picture widths."""
    x, y, z = (points - path.position).T
    yaw, pitch, roll = path.angles.T
    right, ahead = x * np.cos(yaw) - z * np.sin(yaw), x * np.sin(yaw) + z * np.cos(yaw)
    above, depth = y * np.cos(pitch) - ahead * np.sin(pitch), y * np.sin(pitch) + ahead * np.cos(pitch)
    depth = np.maximum(depth, 0.1)
    h, v = path.focal * right / depth, path.focal * above / depth
    return np.stack([h * np.cos(roll) + v * np.sin(roll), -(v * np.cos(roll) - h * np.sin(roll))], 1)
