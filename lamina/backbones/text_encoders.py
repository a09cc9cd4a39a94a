"""What text encoders make of a prompt, as the published models want it. Encoders are built, used once, and let go."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lamina.backbones import wan_names
from lamina.backbones.checkpoint import build_on_meta, imported, load_strictly, require_names
from lamina.backbones.renaming import Renamed
from lamina.backbones.tokenizer import Tokenize

EmbedText = Callable[[str], Float[Tensor, "tokens d"]]

TIED = {"encoder.embed_tokens.weight": "shared.weight"}
PADDING_ID = 0
UMT5_MAX_DISTANCE = 128
UMT5_TOKENS = 512
UMT5_TELLING = ("token_embedding.weight", "blocks.0.pos_embedding.embedding.weight", "blocks.0.ffn.fc1.weight")
"""Tensors whose shapes tell the sizes of the encoder."""


def build_t5(config: Mapping[str, Any]) -> nn.Module:
    """T5EncoderModel without weights, from a published config.json."""
    transformers = imported("transformers")
    return build_on_meta(lambda: transformers.T5EncoderModel(transformers.T5Config(**config)), "the text encoder")


def load_t5(config: Mapping[str, Any], tensors: Mapping[str, Tensor], source: str, dtype: torch.dtype) -> nn.Module:
    """T5 of a CogVideoX base; tensors under the names of transformers."""
    return load_strictly(build_t5(config), tensors, source, dtype, TIED)


def embed_with_t5(encoder: nn.Module, tokenize: Tokenize, prompt: str, length: int) -> Float[Tensor, "tokens d"]:
    """CogVideoX: padded to `length` tokens, and the padding is read like words, for no mask hides it."""
    numbers = tokenize(prompt)
    return _encoded(encoder, numbers + [PADDING_ID] * (length - len(numbers)))


def load_umt5(tensors: Mapping[str, Tensor], source: str, dtype: torch.dtype) -> nn.Module:
    """UMT5 of a Wan base; tensors under the names of Wan. Its sizes are those of the tensors."""
    transformers = imported("transformers")
    require_names(tensors, UMT5_TELLING, source)
    config = umt5_config(tensors)
    module = build_on_meta(lambda: transformers.UMT5EncoderModel(transformers.UMT5Config(**config)), source)
    return load_strictly(module, Renamed(tensors, wan_names.UMT5), source, dtype, TIED)


def umt5_config(tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    """Sizes that the file says; all else is that of google/umt5-xxl."""
    vocabulary, width = tensors["token_embedding.weight"].shape
    buckets, heads = tensors["blocks.0.pos_embedding.embedding.weight"].shape
    return {
        "vocab_size": vocabulary,
        "d_model": width,
        "d_kv": len(tensors["blocks.0.attn.q.weight"]) // heads,
        "d_ff": len(tensors["blocks.0.ffn.fc1.weight"]),
        "num_layers": sum(name.endswith(".attn.q.weight") for name in tensors),
        "num_heads": heads,
        "relative_attention_num_buckets": buckets,
        "relative_attention_max_distance": UMT5_MAX_DISTANCE,
        "feed_forward_proj": "gated-gelu",
        "layer_norm_epsilon": 1e-6,
        "dropout_rate": 0.0,
    }


def embed_with_umt5(encoder: nn.Module, tokenize: Tokenize, prompt: str) -> Float[Tensor, "tokens d"]:
    """Wan: the prompt's own tokens. Padding is hidden from this encoder, so none is made."""
    return _encoded(encoder, tokenize(prompt))


def padded_text(text: Float[Tensor, "tokens d"], length: int) -> Float[Tensor, "length d"]:
    """Zeros after the tokens, up to `length`."""
    return torch.cat([text, text.new_zeros(length - len(text), text.shape[1])])


def _encoded(encoder: nn.Module, numbers: list[int]) -> Tensor:
    device = next(encoder.parameters()).device
    with torch.inference_mode():
        return encoder(input_ids=torch.tensor([numbers], device=device)).last_hidden_state[0]
