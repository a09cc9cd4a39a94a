"""A clip coded piece by piece, so that no more of its pictures are in memory than a piece holds.

A codec looks back in time. So every piece but the first is coded with some latent frames before it, which are thrown
away. A clip of one piece is coded as the published code does it; what a longer one loses is less than a codec does.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from lamina.backbones.interface import Backbone, Condition, Geometry

LEAD_LATENTS = 4
"""Even, for a codec that takes latent frames in pairs."""


@dataclass(frozen=True)
class Piece:
    """Latent frames `start` to `stop - 1` of a padded clip, coded from `coded_from` on."""

    start: int
    stop: int
    coded_from: int
    temporal: int

    @property
    def coded_frames(self) -> range:
        """Frames of the padded clip that it is coded from; the first of them counts as a clip's first."""
        return range(self.temporal * self.coded_from, self.temporal * (self.stop - 1) + 1)

    @property
    def frames(self) -> range:
        """Frames of the padded clip that are its own."""
        first = self.temporal * (self.start - 1) + 1 if self.start else 0
        return range(first, self.temporal * (self.stop - 1) + 1)

    @property
    def lead_frames(self) -> int:
        """Coded frames that are not its own."""
        return self.frames.start - self.coded_frames.start

    @property
    def lead(self) -> int:
        """Coded latent frames that are not its own."""
        return self.start - self.coded_from


def plan_pieces(geometry: Geometry, latent_frames: int, *, whole: bool = False) -> tuple[Piece, ...]:
    """Pieces of a window's length; one alone for a clip of a window, or where the `whole` clip is wanted at once."""
    size = latent_frames if whole else geometry.latent_frames(geometry.window_frames)
    starts = range(0, latent_frames, size)
    return tuple(
        Piece(start, min(start + size, latent_frames), max(0, start - LEAD_LATENTS), geometry.temporal)
        for start in starts
    )


def own_latents(piece: Piece, latents: Float[Tensor, "c t h w"]) -> Float[Tensor, "c t2 h w"]:
    """Of what a piece was encoded to."""
    return latents[:, piece.lead :]


def joined(pieces: Sequence[Piece], parts: Sequence[Condition]) -> Condition:
    """What a network is told of a whole clip, from what it is told of its pieces."""
    mask = torch.cat([part.mask[:, :, piece.lead :] for piece, part in zip(pieces, parts, strict=True)], dim=2)
    video = torch.cat([own_latents(piece, part.video) for piece, part in zip(pieces, parts, strict=True)], dim=1)
    return replace(parts[0], mask=mask, video=video)


def decode_piece(backbone: Backbone, piece: Piece, latents: Float[Tensor, "c t h w"]) -> Float[Tensor, "t2 3 h2 w2"]:
    """A piece's own frames, from the latents of the whole clip."""
    return backbone.decode(latents[:, piece.coded_from : piece.stop])[piece.lead_frames :]
