"""The whole engine with the preset `reference`, from files to the written answer, against recorded runs."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from recorded import Recorded
from recorded_backbones import cogvideox_of, image_features, wan_of, windowed_geometry

from lamina.backbones.interface import Backbone
from lamina.backbones.specs import BACKBONES
from lamina.backbones.timing import plan_timing
from lamina.media.image_write import write_png
from lamina.media.mask_source import open_mask
from lamina.media.source import open_source
from lamina.removal import casper
from lamina.removal.answers import answers_of
from lamina.removal.casper_job import CasperJob, casper_job
from lamina.removal.casper_options import CasperOptions
from lamina.removal.plan import Removal, Way
from lamina.removal.shot import Shot
from lamina.report import no_report

ROUNDED = 1 / 65535
"""What writing with 16 bits loses, both ways."""


def test_cogvideox(cog_pipeline: Recorded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    ran(cog_pipeline, "casper-cog-5b", tmp_path, monkeypatch)


def test_wan(wan_pipeline: Recorded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    ran(wan_pipeline, "casper-wan-1.3b", tmp_path, monkeypatch)


def ran(recorded: Recorded, engine: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job, backbone = prepared(recorded, engine, folder)
    frames_first = engine == "casper-cog-5b"
    noise = recorded["in/initial_noise"]
    monkeypatch.setattr(casper, "starting_noise", lambda *_: noise.transpose(1, 2) if frames_first else noise)
    monkeypatch.setattr(casper, "speak", lambda *_: (recorded["in/prompt_embeds"][0], image_features(recorded)))
    monkeypatch.setattr(casper, "piece_noise", lambda *_: lambda shape: recorded["in/video_noise"].reshape(shape))
    casper.remove(job, backbone, Way("full", 1, 0.0), lambda: None, no_report)
    [found] = answers_of(job).values()
    written = np.stack(list(found.read())).astype(np.float64) / 65535
    wanted = recorded["out/frames"][0].permute(1, 2, 3, 0).double().numpy()[: len(written)]
    assert np.abs(written - wanted).max() <= recorded.tolerance("out/frames") + ROUNDED


def prepared(recorded: Recorded, engine: str, folder: Path) -> tuple[CasperJob, Backbone]:
    """The recorded run as a job; its clip and masks as files."""
    run = recorded.text["run"]
    spec = BACKBONES[engine]
    geometry = windowed_geometry(spec.geometry, run["temporal_window_size"], run["overlap_latents"])
    spec = replace(spec, geometry=geometry)
    backbone = (cogvideox_of if spec.kind == "cogvideox" else wan_of)(recorded, geometry)
    height, width = run["sample_size"]
    options = CasperOptions(
        preset="reference",
        size=f"{height}x{width}",
        steps=run["num_inference_steps"],
        grow=run["dilate_width"],
        storage="fp32",
        device="cpu",
    )
    job = casper_job(opened(recorded, folder), spec, options)
    timing = plan_timing(geometry, job.shot.frames, "reference", run["max_video_length"])
    pieces = tuple(replace(piece, stop=timing.latent_frames) for piece in job.encoded)
    kept = tuple(number for number in run["keep_fg_ids"] if number >= 0)
    removals = (Removal("plate", kept),)
    return replace(job, timing=timing, encoded=pieces, decoded=pieces, removals=removals), backbone


def opened(recorded: Recorded, folder: Path) -> Shot:
    cap = recorded.text["run"]["max_video_length"]
    clip = open_source(written(folder / "clip", recorded["in/frames"][:cap].numpy()))
    masks = [
        open_mask(f"object{number}", written(folder / f"mask_{number}", mask[:cap].numpy()), clip.info)
        for number, mask in sorted(recorded.under("in/mask_").items())
    ]
    return Shot(clip, masks, None, None, folder / "work", 1)


def written(folder: Path, pictures: np.ndarray) -> Path:
    folder.mkdir(parents=True)
    for number, picture in enumerate(pictures):
        shown = cv2.cvtColor(picture, cv2.COLOR_GRAY2RGB) if picture.ndim == 2 else picture
        write_png(folder / f"shot.{number:04d}.png", shown)
    return folder
