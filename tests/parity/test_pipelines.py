"""Whole removal passes: from frames and masks through trimask, latents and all steps to frames."""

import numpy as np
import torch
from recorded import Recorded
from recorded_backbones import cogvideox_of, image_features, wan_of, windowed_geometry

from lamina.backbones.inputs import model_frames, model_trimask
from lamina.backbones.interface import Backbone, Condition
from lamina.backbones.specs import COG_GEOMETRY, WAN_GEOMETRY
from lamina.backbones.timing import Timing, plan_timing
from lamina.masks.published import published_trimask
from lamina.masks.trimask import published_levels
from lamina.sampling import sample, windowed


def test_cogvideox(cog_pipeline: Recorded):
    run = cog_pipeline.text["run"]
    geometry = windowed_geometry(COG_GEOMETRY, run["temporal_window_size"], run["overlap_latents"])
    backbone = cogvideox_of(cog_pipeline, geometry)
    timing, condition = conditioned(cog_pipeline, backbone, None)
    moves = backbone.schedule.moves(run["num_inference_steps"])
    cog_pipeline.compare("out/alphas_cumprod", np.array([move.start.signal**2 for move in moves]))
    denoised(cog_pipeline, backbone, timing, condition, frames_first=True)


def test_wan(wan_pipeline: Recorded):
    run = wan_pipeline.text["run"]
    geometry = windowed_geometry(WAN_GEOMETRY, run["temporal_window_size"], run["overlap_latents"])
    backbone = wan_of(wan_pipeline, geometry)
    timing, condition = conditioned(wan_pipeline, backbone, image_features(wan_pipeline))
    moves = backbone.schedule.moves(run["num_inference_steps"])
    levels = [moves[0].start, *(move.stop for move in moves)]
    wan_pipeline.compare("out/sigmas", np.array([level.noise for level in levels]))
    denoised(wan_pipeline, backbone, timing, condition, frames_first=False)


def conditioned(recorded: Recorded, backbone: Backbone, image: torch.Tensor | None) -> tuple[Timing, Condition]:
    """What the network is told, compared on the way."""
    run, (height, width) = recorded.text["run"], recorded.text["run"]["sample_size"]
    frames = recorded["in/frames"].numpy()
    masks = [mask.numpy() for _, mask in sorted(recorded.under("in/mask_").items())]
    timing = plan_timing(backbone.geometry, len(frames), "reference", run["max_video_length"])
    kept = [number for number in run["keep_fg_ids"] if number >= 0]
    trimask = published_trimask(masks, kept, (height, width), run["dilate_width"])
    trimask = model_trimask(trimask, timing)
    recorded.compare("out/trimask_u8", published_levels(trimask))
    clip = model_frames(frames, (height, width), timing)
    condition = backbone.condition(
        clip, [trimask], recorded["in/prompt_embeds"][0], image, lambda shape: noise(recorded, shape)
    )
    recorded.compare("out/mask_latent", condition.mask)
    recorded.compare("out/video_latent", condition.video[None])
    return timing, condition


def noise(recorded: Recorded, shape) -> torch.Tensor:
    return recorded["in/video_noise"].reshape(shape)


def denoised(
    recorded: Recorded, backbone: Backbone, timing: Timing, condition: Condition, *, frames_first: bool
) -> None:
    def as_recorded(latents: torch.Tensor) -> torch.Tensor:
        return latents.transpose(1, 2) if frames_first else latents

    moves = backbone.schedule.moves(recorded.text["run"]["num_inference_steps"])
    recorded.compare("out/timesteps", np.array([move.start.timestep for move in moves]))
    latents = as_recorded(recorded["in/initial_noise"])
    first = timing.windows.windows[0]
    answer = backbone.answer(latents[:, :, : len(first)], moves[0].start, condition.window(first))
    recorded.compare("out/first_model_output", as_recorded(answer))
    denoise = windowed(lambda window: backbone.denoiser(condition.window(window)), timing.windows)
    steps = [step.latents for step in sample(denoise, latents, moves)]
    recorded.compare("out/latents_per_step", torch.cat([as_recorded(step) for step in steps]))
    recorded.compare("out/latents", as_recorded(steps[-1]))
    recorded.compare("out/frames", backbone.decode(steps[-1][0]).transpose(0, 1)[None])
    recorded.assert_all_compared()


def test_a_resumed_run_is_the_same(wan_pipeline: Recorded):
    run = wan_pipeline.text["run"]
    geometry = windowed_geometry(WAN_GEOMETRY, run["temporal_window_size"], run["overlap_latents"])
    backbone = wan_of(wan_pipeline, geometry)
    timing, condition = conditioned(wan_pipeline, backbone, image_features(wan_pipeline))
    moves = backbone.schedule.moves(run["num_inference_steps"])
    denoise = windowed(lambda window: backbone.denoiser(condition.window(window)), timing.windows)
    for done in range(1, len(moves)):
        *_, last = sample(denoise, wan_pipeline["out/latents_per_step"][done - 1 : done], moves, done)
        assert last.done == last.total == len(moves)
        wan_pipeline.compare("out/latents", last.latents)
