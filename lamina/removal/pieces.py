"""A clip coded piece by piece, so that no more of its pictures are in memory than a piece holds.

A codec looks back in time. So every piece but the first is coded with some latent frames before it, which are thrown
away. A clip of one piece is coded as the published code does it, and so is the first piece of a longer one.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from lamina.backbones.interface import Backbone, Condition, Geometry

LEAD_LATENTS = 8
"""About as far back as a codec looks with any force; even, for one that takes latent frames in pairs."""


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


def encoding_pieces(geometry: Geometry, latent_frames: int, *, whole: bool = False) -> tuple[Piece, ...]:
    """Pieces to encode, of at most a window's length; one alone where the `whole` clip is wanted at once."""
    return _pieces(geometry, latent_frames, first=0, whole=whole)


def decoding_pieces(geometry: Geometry, latent_frames: int, *, whole: bool = False) -> tuple[Piece, ...]:
    """Pieces to decode. CogVideoX encodes (0, 1), (2, 3) and so on together, but decodes 0 alone and then (1, 2)."""
    return _pieces(geometry, latent_frames, first=1, whole=whole)


def _pieces(geometry: Geometry, latent_frames: int, *, first: int, whole: bool) -> tuple[Piece, ...]:
    most = geometry.latent_frames(geometry.window_frames)
    if whole or latent_frames <= most:
        return (Piece(0, latent_frames, 0, geometry.temporal),)
    size = max(2, (most - first) // 2 * 2)
    starts = [0, *range(size + first, latent_frames, size)]
    stops = [*starts[1:], latent_frames]
    return tuple(
        Piece(start, stop, max(0, start - first - LEAD_LATENTS), geometry.temporal)
        for start, stop in zip(starts, stops, strict=True)
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
