"""From a model's files to a backbone that runs."""

import gc
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lamina.backbones import cogvideox, wan, wan_names
from lamina.backbones.checkpoint import load_strictly, open_checkpoint, read_json, reading_sizes
from lamina.backbones.cogvideox import CogVideoX
from lamina.backbones.image_encoder import embed_with_clip, load_clip
from lamina.backbones.interface import Backbone
from lamina.backbones.lora import Merged
from lamina.backbones.memory import COMPUTE, MODES, Storage, place_transformer
from lamina.backbones.renaming import Renamed
from lamina.backbones.text_encoders import UMT5_TOKENS, embed_with_t5, embed_with_umt5, load_t5, load_umt5
from lamina.backbones.tokenizer import open_tokenizer
from lamina.backbones.tuning import TUNINGS, tuned_transformer, tuned_vae
from lamina.backbones.wan import Wan
from lamina.backbones.wan_vae import build_vae, vae_sizes
from lamina.backbones.weights import Weights, cache_folder, sha256_of
from lamina.schedule import DdimSchedule, FlowSchedule

SIZES, DIFFUSERS_WEIGHTS = "config.json", "diffusion_pytorch_model*.safetensors"
WAN_TOKENIZER = "google/umt5-xxl"
Use = Callable[[Callable[[nn.Module], Tensor]], Tensor]
"""Has a function applied to an encoder."""


@dataclass(frozen=True)
class Loading:
    """How a model is held."""

    device: str = "cpu"
    """Where it computes, in torch's words."""
    storage: Storage = "bf16"
    """How weights of the transformer are stored; fp8 halves their memory and costs some quality."""
    mode: str = "full"
    """One of `MODES`."""
    lora_strength: float = 1.0
    """Of a Casper file that is a LoRA."""
    tuning: str = "plain"
    """One of `TUNINGS`."""
    hold_encoders: bool = False
    """Keep encoders of text and image on the device once they were used, for training asks them again and again."""

    @property
    def dtype(self) -> torch.dtype:
        return COMPUTE[self.storage]


def open_backbone(weights: Weights, loading: Loading) -> Backbone:
    """Read a model's files.

    Transformer and VAE are read at once, encoders of text and image whenever one is asked for. The transformer comes
    to the device with the first latents, when the encoders are gone.

    Raises:
        WeightsError: a file is not what it should be; the first differences are named.
        MissingExtra: the extra `models` is not installed.
    """
    return OPENERS[weights.spec.kind](weights, loading)


def check_encoders(weights: Weights, loading: Loading) -> None:
    """Open also what `open_backbone` leaves for later: encoders of text and image, and the tokenizer.

    Raises:
        WeightsError: a file is not what it should be.
    """
    folder, encoders = ENCODERS[weights.spec.kind]
    open_tokenizer(weights.base / folder, UMT5_TOKENS)
    for open_encoder in encoders:
        open_encoder(weights, loading)


def open_cogvideox(weights: Weights, loading: Loading) -> CogVideoX:
    sizes = read_json(weights.base / "transformer" / SIZES)
    with reading_sizes(f"{weights.base / 'transformer' / SIZES}"):
        text_tokens = int(sizes["max_text_seq_length"])
    transformer = cogvideox.build_transformer(sizes)
    load_strictly(transformer, open_checkpoint(weights.casper), _named(weights), loading.dtype)
    vae = cogvideox.build_vae(read_json(weights.base / "vae" / SIZES))
    load_strictly(
        vae, open_checkpoint(weights.files(f"vae/{DIFFUSERS_WEIGHTS}")), f"{weights.base / 'vae'}", loading.dtype
    )
    return CogVideoX(
        transformer=transformer,
        vae=_placed_vae(vae, loading),
        geometry=weights.spec.geometry,
        schedule=DdimSchedule.from_config(read_json(weights.base / "scheduler" / "scheduler_config.json")),
        device=torch.device(loading.device),
        mode=MODES[loading.mode],
        place=_place(loading),
        text_encoder=partial(_embed_with_t5, weights, _use(_open_t5, weights, loading), text_tokens),
        record=record_of(weights, loading),
        video_noise=cogvideox.VIDEO_NOISE if sizes.get("add_noise_in_inpaint_model") else 0.0,
        tuning=TUNINGS[loading.tuning],
    )


def open_wan(weights: Weights, loading: Loading) -> Wan:
    tensors = open_checkpoint(weights.casper)
    if weights.spec.is_lora:
        base = open_checkpoint(weights.files(DIFFUSERS_WEIGHTS))
        tensors = Merged(base, tensors, loading.lora_strength, _named(weights))
    transformer = load_wan_transformer(read_json(weights.base / SIZES), tensors, _named(weights), loading.dtype)
    [vae_file] = weights.files("Wan2.1_VAE.pth")
    return Wan(
        transformer=transformer,
        vae=_placed_vae(load_wan_vae(open_checkpoint([vae_file]), f"{vae_file}", loading.dtype), loading),
        geometry=weights.spec.geometry,
        schedule=FlowSchedule(),
        device=torch.device(loading.device),
        mode=MODES[loading.mode],
        place=_place(loading),
        text_encoder=partial(_embed_with_umt5, weights, _use(_open_umt5, weights, loading)),
        image_encoder=partial(_embed_with_clip, _use(_open_clip, weights, loading)),
        record=record_of(weights, loading),
        tuning=TUNINGS[loading.tuning],
    )


def load_wan_transformer(
    sizes: Mapping[str, Any], tensors: Mapping[str, Tensor], source: str, dtype: torch.dtype
) -> nn.Module:
    """Wan's transformer from tensors under the names of Wan.

    Raises:
        WeightsError: they are not those of this model.
    """
    module = wan.build_transformer(sizes, wan.image_width(tensors, source))
    return load_strictly(module, Renamed(tensors, wan_names.TRANSFORMER), source, dtype)


def load_wan_vae(tensors: Mapping[str, Tensor], source: str, dtype: torch.dtype) -> nn.Module:
    """Wan's VAE from tensors under the names of Wan.

    Raises:
        WeightsError: they are not those of this model.
    """
    sizes = vae_sizes(tensors, source)
    table = wan_names.vae(len(sizes.multiples), sizes.residuals + 1)
    return load_strictly(build_vae(sizes, source), Renamed(tensors, table), source, dtype)


def record_of(weights: Weights, loading: Loading) -> dict[str, Any]:
    """What a result is to be told it came from."""
    held = vars(replace(loading, lora_strength=loading.lora_strength if weights.spec.is_lora else 1.0)).copy()
    del held["hold_encoders"]  # the same comes out
    hashes = sha256_of(weights.all_files(), cache_folder() / "sha256.json")
    return {"model": weights.spec.name, "base": weights.spec.base, **held, "sha256": hashes}


def _named(weights: Weights) -> str:
    return ", ".join(map(str, weights.casper))


def _place(loading: Loading) -> Callable[[Any], Any]:
    device, mode, tuning = torch.device(loading.device), MODES[loading.mode], TUNINGS[loading.tuning]
    return lambda made: tuned_transformer(place_transformer(made, device, loading.storage, mode), tuning)


def _placed_vae(vae: nn.Module, loading: Loading) -> nn.Module:
    return tuned_vae(vae.to(loading.device), TUNINGS[loading.tuning])


def _embed_with_t5(weights: Weights, use: Use, length: int, prompt: str) -> Float[Tensor, "tokens d"]:
    tokenize = open_tokenizer(weights.base / "tokenizer", length)
    return use(lambda placed: embed_with_t5(placed, tokenize, prompt, length))


def _embed_with_umt5(weights: Weights, use: Use, prompt: str) -> Float[Tensor, "tokens d"]:
    tokenize = open_tokenizer(weights.base / WAN_TOKENIZER, UMT5_TOKENS)
    return use(lambda placed: embed_with_umt5(placed, tokenize, prompt))


def _embed_with_clip(use: Use, frame: Float[Tensor, "3 h w"]) -> Float[Tensor, "image_tokens e"]:
    return use(lambda placed: embed_with_clip(placed, frame))


def _open_t5(weights: Weights, loading: Loading) -> nn.Module:
    sizes = read_json(weights.base / "text_encoder" / SIZES)
    files = weights.files("text_encoder/model*.safetensors")
    return load_t5(sizes, open_checkpoint(files), f"{weights.base / 'text_encoder'}", loading.dtype)


def _open_umt5(weights: Weights, loading: Loading) -> nn.Module:
    [file] = weights.files("models_t5_umt5-xxl-enc-bf16.pth")
    return load_umt5(open_checkpoint([file]), f"{file}", loading.dtype)


def _open_clip(weights: Weights, loading: Loading) -> nn.Module:
    [file] = weights.files("models_clip_open-clip-xlm-roberta-large-vit-huge-14.pth")
    return load_clip(open_checkpoint([file]), f"{file}", loading.dtype)


def _use(opener: Callable[[Weights, Loading], nn.Module], weights: Weights, loading: Loading) -> Use:
    """A way to use an encoder on the device: its memory is let go after each use, unless encoders are to be held."""
    held = cache(opener)

    def use(apply: Callable[[nn.Module], Tensor]) -> Tensor:
        if loading.hold_encoders:
            return apply(held(weights, loading).to(loading.device)).clone()
        made = apply(opener(weights, loading).to(loading.device)).clone()
        gc.collect()
        if torch.device(loading.device).type != "cpu":
            torch.accelerator.empty_cache()
        return made

    return use


ENCODERS = {"cogvideox": ("tokenizer", [_open_t5]), "wan": (WAN_TOKENIZER, [_open_umt5, _open_clip])}
OPENERS: dict[str, Callable[[Weights, Loading], Backbone]] = {"cogvideox": open_cogvideox, "wan": open_wan}
