"""The encoders of Wan written out from their papers, on tensors under their published names."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def umt5_slow(weights: dict[str, Tensor], numbers: list[int], padded_to: int) -> Tensor:
    """T5 (Raffel et al. 2020) with relative positions of its own in every layer (Chung et al. 2023).

    Padded with zeros up to a length, which a mask hides from attention; the prompt's own tokens are given back.
    """
    real = len(numbers)
    x = weights["token_embedding.weight"][torch.tensor(numbers + [0] * (padded_to - real))]
    hidden = torch.zeros(padded_to).masked_fill(torch.arange(padded_to) >= real, -torch.inf)
    for k in range(sum(name.endswith("attn.q.weight") for name in weights)):
        own = {name.removeprefix(f"blocks.{k}."): w for name, w in weights.items() if name.startswith(f"blocks.{k}.")}
        x = x + _t5_attention(own, _rms(x, own["norm1.weight"]), hidden)
        y = _rms(x, own["norm2.weight"])
        gate = F.gelu(y @ own["ffn.gate.0.weight"].T, approximate="tanh")
        x = x + (gate * (y @ own["ffn.fc1.weight"].T)) @ own["ffn.fc2.weight"].T
    return _rms(x, weights["norm.weight"])[:real]


def _t5_attention(own: dict[str, Tensor], x: Tensor, hidden: Tensor) -> Tensor:
    """Without scaling, and with a learned number for how far apart two tokens are."""
    table = own["pos_embedding.embedding.weight"]
    buckets, heads = table.shape
    q, k, v = (x @ own[f"attn.{part}.weight"].T for part in "qkv")
    width = q.shape[1] // heads
    out = torch.zeros_like(q)
    for head in range(heads):
        at = slice(head * width, (head + 1) * width)
        scores = q[:, at] @ k[:, at].T + hidden
        for i in range(len(x)):
            for j in range(len(x)):
                scores[i, j] += table[_bucket(j - i, buckets), head]
        out[:, at] = scores.softmax(-1) @ v[:, at]
    return out @ own["attn.o.weight"].T


def _bucket(distance: int, buckets: int, farthest: int = 128) -> int:
    """Half for each direction; of those half exact, the rest on a logarithmic scale."""
    half = buckets // 2
    first, distance = (half if distance > 0 else 0), abs(distance)
    exact = half // 2
    if distance < exact:
        return first + distance
    far = exact + int(math.log(distance / exact) / math.log(farthest / exact) * (half - exact))
    return first + min(far, half - 1)


def _rms(x: Tensor, weight: Tensor) -> Tensor:
    return x / (x.pow(2).mean(-1, keepdim=True) + 1e-6).sqrt() * weight


def clip_slow(weights: dict[str, Tensor], picture: Tensor, heads: int) -> Tensor:
    """ViT (Dosovitskiy et al. 2021) of CLIP, `3 h w` normalised, without its last block and last norm."""
    weights = {name.removeprefix("visual."): w for name, w in weights.items()}
    patches = F.conv2d(
        picture[None], weights["patch_embedding.weight"], stride=weights["patch_embedding.weight"].shape[-1]
    )
    x = torch.cat([weights["cls_embedding"][0], patches[0].flatten(1).T]) + weights["pos_embedding"][0]
    x = _layer_norm(x, weights, "pre_norm")
    for k in range(sum(name.endswith("attn.proj.weight") for name in weights) - 1):
        block = f"transformer.{k}."
        x = x + _vit_attention(_layer_norm(x, weights, block + "norm1"), weights, block + "attn.", heads)
        y = F.gelu(_linear(_layer_norm(x, weights, block + "norm2"), weights, block + "mlp.0"))
        x = x + _linear(y, weights, block + "mlp.2")
    return x


def _vit_attention(x: Tensor, weights: dict[str, Tensor], name: str, heads: int) -> Tensor:
    q, k, v = (
        part.unflatten(1, (heads, -1)).transpose(0, 1) for part in _linear(x, weights, name + "to_qkv").chunk(3, 1)
    )
    attended = (q @ k.transpose(1, 2) / math.sqrt(q.shape[-1])).softmax(-1) @ v
    return _linear(attended.transpose(0, 1).flatten(1), weights, name + "proj")


def _layer_norm(x: Tensor, weights: dict[str, Tensor], name: str) -> Tensor:
    return F.layer_norm(x, x.shape[-1:], weights[name + ".weight"], weights[name + ".bias"], 1e-5)


def _linear(x: Tensor, weights: dict[str, Tensor], name: str) -> Tensor:
    return x @ weights[name + ".weight"].T + weights[name + ".bias"]
