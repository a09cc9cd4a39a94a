"""How a clip is laid out in time for a backbone: padded by running back, encoded, cut into windows of latents."""

from dataclasses import dataclass
from typing import Literal

from lamina.backbones.interface import Geometry
from lamina.errors import InputError
from lamina.windows import WindowPlan, WindowRule, ping_pong

Rule = Literal["ours", "reference"]

REFERENCE_CAP_FRAMES = 197
"""The published loader reads no more frames than this."""


@dataclass(frozen=True)
class Timing:
    """A clip's frames, padding and windows."""

    frames: int
    """Of the clip."""
    shown: tuple[int, ...]
    """Which of them stands at each place of the padded clip; what is beyond `frames` is cut off in the end."""
    latent_frames: int
    windows: WindowPlan
    """Over latent frames."""

    @property
    def padded_frames(self) -> int:
        return len(self.shown)


def plan_timing(geometry: Geometry, frames: int, rule: Rule = "ours", cap_frames: int = REFERENCE_CAP_FRAMES) -> Timing:
    """Lay out a clip of `frames` frames.

    With the rule `reference` as the public implementation does: padded to a whole window at least, and always to an
    even number of latent frames; longer clips than `cap_frames` are cut; the last window of CogVideoX is short, that of
    Wan is moved back. With ours the clip is padded only to what the backbone needs, any length goes, and all windows
    are of one length, so that a clip a little longer than a window does not cost two.

    Raises:
        InputError: windows are too short to overlap.
    """
    length = LENGTHS[rule](geometry, frames, cap_frames)
    shown = ping_pong(min(frames, cap_frames) if rule == "reference" else frames, length)
    latent_frames = geometry.latent_frames(length)
    windows = _window_rule(geometry, rule)
    if latent_frames > windows.size <= windows.overlap:
        raise InputError(
            f"window of {geometry.window_frames} frames",
            got=f"{windows.size} latent frames",
            wanted=f"more than the {windows.overlap} that windows share, for a clip of {frames} frames",
            do="Make the window longer, or the clip shorter.",
        )
    return Timing(frames, shown, latent_frames, windows.plan(latent_frames))


def needed_frames(geometry: Geometry, frames: int, cap_frames: int) -> int:
    """The next length that the backbone can encode and denoise."""
    step = geometry.temporal * geometry.latent_multiple
    least = geometry.frames(geometry.latent_multiple)
    return least + max(0, -(-(frames - least) // step)) * step


def reference_frames(geometry: Geometry, frames: int, cap_frames: int) -> int:
    """The length that the published loader makes of a clip, for either backbone.

    That is 4k + 1 with k odd, so that latent frames are even in number, but at least a window and at most the cap.
    """
    groups = -(-(min(frames, cap_frames) - 1) // 4)
    return max(geometry.window_frames, min(4 * (groups + 1 - groups % 2) + 1, cap_frames))


LENGTHS = {"ours": needed_frames, "reference": reference_frames}


def _window_rule(geometry: Geometry, rule: Rule) -> WindowRule:
    multiple = geometry.latent_multiple
    size = geometry.latent_frames(geometry.window_frames) // multiple * multiple
    overlap = geometry.overlap_frames // geometry.temporal
    if rule == "reference":
        return WindowRule(size, overlap, geometry.reference_last, "ramp")
    return WindowRule(size, overlap, "balanced", "whole", multiple)
