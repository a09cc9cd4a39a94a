"""What CLIP sees in a first frame, as Wan is told it."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from lamina.backbones import wan_names
from lamina.backbones.checkpoint import build_on_meta, imported, load_strictly, require_names
from lamina.backbones.renaming import Renamed

EmbedImage = Callable[[Float[Tensor, "3 h w"]], Float[Tensor, "image_tokens e"]]

HEAD_WIDTH = 80
"""Channels per attention head of ViT-H/14; tensors do not tell."""
TELLING = ("visual.patch_embedding.weight", "visual.pos_embedding", "visual.transformer.0.mlp.0.weight")
"""Tensors whose shapes tell the sizes of the encoder."""
MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)
"""Of the pictures that CLIP was trained on (Radford et al. 2021, public code)."""


def load_clip(tensors: Mapping[str, Tensor], source: str, dtype: torch.dtype) -> nn.Module:
    """The picture tower of CLIP; tensors under the names of Wan's file. Its sizes are those of the tensors."""
    transformers = imported("transformers")
    require_names(tensors, TELLING, source)
    config = clip_config(tensors)
    module = build_on_meta(lambda: transformers.CLIPVisionModel(transformers.CLIPVisionConfig(**config)), source)
    return load_strictly(module, Renamed(tensors, wan_names.CLIP), source, dtype)


def clip_config(tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    """Sizes that the file says; all else is that of XLM-Roberta CLIP ViT-H/14."""
    width, _, patch, _ = tensors["visual.patch_embedding.weight"].shape
    places = tensors["visual.pos_embedding"].shape[-2]
    return {
        "hidden_size": width,
        "intermediate_size": len(tensors["visual.transformer.0.mlp.0.weight"]),
        "num_hidden_layers": sum(name.endswith(".attn.proj.weight") for name in tensors if name.startswith("visual.")),
        "num_attention_heads": max(1, width // HEAD_WIDTH),
        "image_size": round((places - 1) ** 0.5) * patch,
        "patch_size": patch,
        "hidden_act": "gelu",
        "layer_norm_eps": 1e-5,
    }


def embed_with_clip(encoder: Any, frame: Float[Tensor, "3 h w"]) -> Float[Tensor, "image_tokens e"]:
    """Features before the last block, the class token among them.

    The frame, 0..1, is squeezed into a square without regard to its shape, and not blurred before it is made smaller.
    """
    weight = next(encoder.parameters())
    square = (encoder.config.image_size, encoder.config.image_size)
    picture = (2 * frame[None] - 1).to(weight)
    picture = F.interpolate(picture, square, mode="bicubic", align_corners=False) / 2 + 0.5
    mean, std = (torch.tensor(values).to(weight)[:, None, None] for values in (MEAN, STD))
    with torch.inference_mode():
        seen = encoder(pixel_values=(picture - mean) / std, output_hidden_states=True)
    return seen.hidden_states[-2][0]
