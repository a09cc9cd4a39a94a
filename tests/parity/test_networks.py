"""One pass through the transformers, and what the VAEs make of clips and latents."""

import torch
from recorded import Recorded
from recorded_backbones import CPU, cogvideox_of, condition_of, image_features, wan_of

from lamina.backbones.cogvideox import rotary_tables
from lamina.backbones.cogvideox_vae import decode_video
from lamina.backbones.posterior import encode_posterior
from lamina.backbones.text_encoders import UMT5_TOKENS, padded_text
from lamina.backbones.wan import Wan
from lamina.schedule import Level


def level_of(recorded: Recorded, item: int) -> Level:
    return Level(0.0, 1.0, recorded.of_item("in/timestep", item).item())


def swapped(tensor: torch.Tensor) -> torch.Tensor:
    """Frames and channels of an item in the other order."""
    return tensor.transpose(0, 1)


def test_cogvideox_transformer(cog_transformer: Recorded):
    config, backbone = cog_transformer.text["config"]["transformer"], cogvideox_of(cog_transformer)

    def answer(item: int) -> torch.Tensor:
        beside = swapped(cog_transformer.of_item("in/inpaint_latents", item))[None]
        text = cog_transformer.of_item("in/prompt_embeds", item)
        condition = condition_of(beside, beside.shape[1] - config["out_channels"], text, None)
        latents = swapped(cog_transformer["in/latents"][item])[None]
        return swapped(backbone.answer(latents, level_of(cog_transformer, item), condition)[0])

    cog_transformer.compare("out/model_output", cog_transformer.each("in/latents", answer))
    _, latent_frames, _, *size = cog_transformer["in/latents"].shape
    patches = config["patch_size_t"], config["patch_size"], config["patch_size"]
    frames, height, width = (n // patch for n, patch in zip((latent_frames, *size), patches, strict=True))
    tables = rotary_tables(config["attention_head_dim"], (frames, height, width), CPU)
    for name, table in zip(("cos", "sin"), tables, strict=True):
        cog_transformer.compare(f"out/rope_{name}", table)
    cog_transformer.assert_all_compared()


def test_wan_transformer(wan_transformer: Recorded):
    wan_transformer.compare("out/model_output", wan_answers(wan_transformer, wan_of(wan_transformer)))
    wan_transformer.assert_all_compared()


def wan_answers(recorded: Recorded, backbone: Wan) -> torch.Tensor:
    """One pass for every recorded item."""

    def answer(item: int) -> torch.Tensor:
        beside = recorded.of_item("in/condition", item)[None]
        text = padded_text(recorded.of_item("in/prompt_embeds", item), UMT5_TOKENS)
        mask_channels = beside.shape[1] - recorded.text["config"]["transformer"]["out_dim"]
        condition = condition_of(beside, mask_channels, text, image_features(recorded, item))
        return backbone.answer(recorded["in/latents"][item][None], level_of(recorded, item), condition)[0]

    return recorded.each("in/latents", answer)


def test_cogvideox_vae(cog_vae: Recorded):
    backbone = cogvideox_of(cog_vae)
    scale = cog_vae.text["config"]["vae"]["scaling_factor"]
    for name in cog_vae.under("in/video_"):
        videos = cog_vae[f"in/video_{name}"]
        posteriors = [encode_posterior(backbone.vae, video) for video in videos]
        cog_vae.compare(f"out/mean_{name}", torch.stack([posterior.mean for posterior in posteriors]))
        cog_vae.compare(f"out/logvar_{name}", torch.stack([posterior.logvar for posterior in posteriors]))
        latents = [backbone.encode(frames_of(video)) for video in videos]
        cog_vae.compare(f"out/latents_{name}", torch.stack(latents))
        if f"in/eps_{name}" in cog_vae.tensors:
            pairs = zip(videos, cog_vae[f"in/eps_{name}"], strict=True)
            drawn = [backbone.encode(frames_of(video), lambda _, eps=eps: eps) for video, eps in pairs]
            cog_vae.compare(f"out/sampled_latents_{name}", torch.stack(drawn))
    for name in cog_vae.under("in/z_"):
        latents = [swapped(item) / scale for item in cog_vae[f"in/z_{name}"]]
        cog_vae.compare(f"out/decoded_{name}", torch.stack([decode_video(backbone.vae, item) for item in latents]))
    cog_vae.assert_all_compared()


def test_wan_vae(wan_vae: Recorded):
    backbone = wan_of(wan_vae)
    for name in wan_vae.under("in/video_"):
        videos = wan_vae[f"in/video_{name}"]
        wan_vae.compare(f"out/latents_{name}", torch.stack([backbone.encode(frames_of(video)) for video in videos]))
        logvars = [encode_posterior(backbone.vae, video).logvar for video in videos]
        wan_vae.compare(f"out/logvar_{name}", torch.stack(logvars))
    for name in wan_vae.under("in/z_"):
        decoded = [swapped(2 * backbone.decode(latents) - 1) for latents in wan_vae[f"in/z_{name}"]]
        wan_vae.compare(f"out/decoded_{name}", torch.stack(decoded))
    wan_vae.assert_all_compared()


def test_lengths(cog_vae: Recorded):
    """So many latent frames are decoded to 4 k + 1 frames, whether their number is odd or even."""
    geometry = cogvideox_of(cog_vae).geometry
    for name, latents in cog_vae.under("in/z_").items():
        assert cog_vae[f"out/decoded_{name}"].shape[2] == geometry.frames(latents.shape[1])


def frames_of(video: torch.Tensor) -> torch.Tensor:
    """-1..1 `3 t h w` as frames 0..1."""
    return (video.transpose(0, 1) + 1) / 2
