"""Clips coded piece by piece: pieces fit together, one piece is the whole, and several are close to it."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from toy_backbones import cogvideox_folder, wan_folder
from toy_casper import chance

from lamina.backbones.interface import Backbone
from lamina.backbones.open import Loading, open_backbone
from lamina.backbones.specs import BACKBONES, COG_GEOMETRY, WAN_GEOMETRY
from lamina.backbones.weights import find_weights
from lamina.removal import pieces as pieces_module
from lamina.removal.pieces import LEAD_LATENTS, decode_piece, decoding_pieces, encoding_pieces, own_latents

PLANS = st.sampled_from([encoding_pieces, decoding_pieces])


@given(PLANS, st.sampled_from([COG_GEOMETRY, WAN_GEOMETRY]), st.integers(1, 200))
def test_pieces_cover_every_frame_once(plan, geometry, latent_frames: int):
    pieces = plan(geometry, latent_frames)
    assert [k for piece in pieces for k in range(piece.start, piece.stop)] == list(range(latent_frames))
    assert [t for piece in pieces for t in piece.frames] == list(range(geometry.frames(latent_frames)))
    for piece in pieces:
        assert len(piece.coded_frames) == geometry.frames(piece.stop - piece.coded_from)
        assert piece.coded_frames[piece.lead_frames :] == piece.frames
        assert bool(piece.lead) == bool(piece.start), "the first piece is coded as a clip's first frames are"
        assert piece.coded_from % 2 == 0 and piece.stop - piece.start <= 22


def test_the_whole_clip_at_once():
    [piece] = encoding_pieces(WAN_GEOMETRY, 50, whole=True)
    assert (piece.start, piece.stop, piece.lead) == (0, 50, 0)


@pytest.fixture(scope="module", params=["casper-wan-1.3b", "casper-cog-5b"])
def backbone(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Backbone:
    root: Path = tmp_path_factory.mktemp("models")
    {"casper-wan-1.3b": wan_folder, "casper-cog-5b": cogvideox_folder}[request.param](root)
    return open_backbone(find_weights(BACKBONES[request.param], root), Loading(storage="fp32"))


def decoded(backbone: Backbone, latents: torch.Tensor, lead: int, monkeypatch: pytest.MonkeyPatch) -> torch.Tensor:
    monkeypatch.setattr(pieces_module, "LEAD_LATENTS", lead)
    pieces = decoding_pieces(replace(backbone.geometry, window_frames=61), latents.shape[1])
    assert len(pieces) == 2
    return torch.cat([decode_piece(backbone, piece, latents) for piece in pieces])


def test_decoded_piece_by_piece(backbone: Backbone, monkeypatch: pytest.MonkeyPatch):
    """The first piece is exact; a later one is the nearer to it the more comes before it."""
    latents = chance(16, 26, 4, 6)
    whole = backbone.decode(latents)
    first, errors = 57, []
    for lead in (0, LEAD_LATENTS):
        found = decoded(backbone, latents, lead, monkeypatch)
        assert found.shape == whole.shape and (found[:first] - whole[:first]).abs().max() < 1e-5
        errors.append(float((found - whole)[first:].abs().mean()))
    assert errors[1] < 0.7 * errors[0]


def encoded(backbone: Backbone, frames: torch.Tensor, lead: int, monkeypatch: pytest.MonkeyPatch) -> torch.Tensor:
    monkeypatch.setattr(pieces_module, "LEAD_LATENTS", lead)
    pieces = encoding_pieces(replace(backbone.geometry, window_frames=61), backbone.geometry.latent_frames(len(frames)))
    assert len(pieces) == 2
    parts = [own_latents(p, backbone.encode(frames[p.coded_frames.start : p.coded_frames.stop])) for p in pieces]
    return torch.cat(parts, dim=1)


def test_encoded_piece_by_piece(backbone: Backbone, monkeypatch: pytest.MonkeyPatch):
    frames = chance(101, 3, 32, 48).sigmoid()
    whole = backbone.encode(frames)
    first, errors = 16, []
    for lead in (0, LEAD_LATENTS):
        found = encoded(backbone, frames, lead, monkeypatch)
        assert found.shape == whole.shape and (found[:, :first] - whole[:, :first]).abs().max() < 1e-5
        errors.append(float((found - whole)[:, first:].abs().mean()))
    assert errors[1] < 0.7 * errors[0]
