"""One pass through the transformers, and what the VAEs make of clips and latents."""

import re

import torch
from recorded import Recorded
from recorded_backbones import CPU, cogvideox_of, condition_of, wan_of

from lamina.backbones.cogvideox import rotary_tables
from lamina.backbones.cogvideox_vae import decode_video
from lamina.backbones.posterior import encode_posterior
from lamina.backbones.text_encoders import UMT5_TOKENS, padded_text
from lamina.schedule import Level


def level_of(recorded: Recorded) -> Level:
    return Level(0.0, 1.0, recorded["in/timestep"].item())


def swapped(tensor: torch.Tensor) -> torch.Tensor:
    """Frames and channels in the other order."""
    return tensor.transpose(1, 2)


def test_cogvideox_transformer(cog_transformer: Recorded):
    config = cog_transformer.text["config"]["transformer"]
    beside, text = swapped(cog_transformer["in/inpaint_latents"]), cog_transformer["in/prompt_embeds"][0]
    latents = swapped(cog_transformer["in/latents"])
    condition = condition_of(beside, beside.shape[1] - config["out_channels"], text, None)
    answer = cogvideox_of(cog_transformer).answer(latents, level_of(cog_transformer), condition)
    cog_transformer.compare("out/model_output", swapped(answer))
    _, _, *lengths = latents.shape
    patches = config["patch_size_t"], config["patch_size"], config["patch_size"]
    frames, height, width = (n // patch for n, patch in zip(lengths, patches, strict=True))
    tables = rotary_tables(config["attention_head_dim"], (frames, height, width), CPU)
    for name, table in zip(("cos", "sin"), tables, strict=True):
        cog_transformer.compare(f"out/rope_{name}", table)
    cog_transformer.assert_all_compared()


def test_wan_transformer(wan_transformer: Recorded):
    beside, image = wan_transformer["in/condition"], wan_transformer["in/clip_features"][0]
    text = padded_text(wan_transformer["in/prompt_embeds"][0], UMT5_TOKENS)
    mask_channels = beside.shape[1] - wan_transformer.text["config"]["transformer"]["out_dim"]
    condition = condition_of(beside, mask_channels, text, image)
    answer = wan_of(wan_transformer).answer(wan_transformer["in/latents"], level_of(wan_transformer), condition)
    wan_transformer.compare("out/model_output", answer)
    wan_transformer.assert_all_compared()


def test_cogvideox_vae(cog_vae: Recorded):
    backbone = cogvideox_of(cog_vae)
    scale = cog_vae.text["config"]["vae"]["scaling_factor"]
    for name in cog_vae.under("in/video_"):
        video = cog_vae[f"in/video_{name}"][0]
        posterior = encode_posterior(backbone.vae, video)
        cog_vae.compare(f"out/mean_{name}", posterior.mean[None])
        cog_vae.compare(f"out/logvar_{name}", posterior.logvar[None])
        cog_vae.compare(f"out/latents_{name}", backbone.encode(frames_of(video))[None])
        if f"in/eps_{name}" in cog_vae.tensors:
            drawn = backbone.encode(frames_of(video), lambda shape, name=name: cog_vae[f"in/eps_{name}"].reshape(shape))
            cog_vae.compare(f"out/sampled_latents_{name}", drawn[None])
    for name in cog_vae.under("in/z_"):
        latents = swapped(cog_vae[f"in/z_{name}"])[0]
        cog_vae.compare(f"out/decoded_{name}", decode_video(backbone.vae, latents / scale)[None])
    cog_vae.assert_all_compared()


def test_wan_vae(wan_vae: Recorded):
    backbone = wan_of(wan_vae)
    for name in wan_vae.under("in/video_"):
        video = wan_vae[f"in/video_{name}"][0]
        wan_vae.compare(f"out/latents_{name}", backbone.encode(frames_of(video))[None])
        wan_vae.compare(f"out/logvar_{name}", encode_posterior(backbone.vae, video).logvar[None])
    for name in wan_vae.under("in/z_"):
        decoded = backbone.decode(wan_vae[f"in/z_{name}"][0])
        wan_vae.compare(f"out/decoded_{name}", (2 * decoded - 1).transpose(0, 1)[None])
    wan_vae.assert_all_compared()


def test_names_say_lengths(cog_vae: Recorded):
    """So many latent frames are decoded to 4 k + 1 frames, whether their number is odd or even."""
    geometry = cogvideox_of(cog_vae).geometry
    for name, decoded in cog_vae.under("out/decoded_").items():
        latent_frames = int(re.sub(r"\D", "", name))
        assert decoded.shape[2] == geometry.frames(latent_frames)


def frames_of(video: torch.Tensor) -> torch.Tensor:
    """-1..1 `3 t h w` as frames 0..1."""
    return (video.transpose(0, 1) + 1) / 2
