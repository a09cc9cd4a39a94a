"""Names of tensors in the published files of Wan, and what the same tensors are called in diffusers and transformers.

`{}` stands for a number, None for what is left out on purpose, several names for equal parts along the first axis.
"""

from lamina.backbones.renaming import Table

TRANSFORMER: Table = {
    "patch_embedding": "patch_embedding",
    "text_embedding.0": "condition_embedder.text_embedder.linear_1",
    "text_embedding.2": "condition_embedder.text_embedder.linear_2",
    "time_embedding.0": "condition_embedder.time_embedder.linear_1",
    "time_embedding.2": "condition_embedder.time_embedder.linear_2",
    "time_projection.1": "condition_embedder.time_proj",
    "img_emb.proj.0": "condition_embedder.image_embedder.norm1",
    "img_emb.proj.1": "condition_embedder.image_embedder.ff.net.0.proj",
    "img_emb.proj.3": "condition_embedder.image_embedder.ff.net.2",
    "img_emb.proj.4": "condition_embedder.image_embedder.norm2",
    "head.head": "proj_out",
    "head.modulation": "scale_shift_table",
    "blocks.{}.modulation": "blocks.{}.scale_shift_table",
    **{
        f"blocks.{{}}.{theirs}_attn.{part}": f"blocks.{{}}.{ours}.{name}"
        for theirs, ours in (("self", "attn1"), ("cross", "attn2"))
        for part, name in {"q": "to_q", "k": "to_k", "v": "to_v", "o": "to_out.0"}.items()
    },
    **{
        f"blocks.{{}}.{theirs}_attn.{norm}": f"blocks.{{}}.{ours}.{norm}"
        for theirs, ours in (("self", "attn1"), ("cross", "attn2"))
        for norm in ("norm_q", "norm_k")
    },
    "blocks.{}.cross_attn.k_img": "blocks.{}.attn2.add_k_proj",
    "blocks.{}.cross_attn.v_img": "blocks.{}.attn2.add_v_proj",
    "blocks.{}.cross_attn.norm_k_img": "blocks.{}.attn2.norm_added_k",
    # their third norm stands before cross-attention, where diffusers has its second; the others hold no weights
    "blocks.{}.norm3": "blocks.{}.norm2",
    "blocks.{}.ffn.0": "blocks.{}.ffn.net.0.proj",
    "blocks.{}.ffn.2": "blocks.{}.ffn.net.2",
}

_RESIDUAL = {"residual.0": "norm1", "residual.2": "conv1", "residual.3": "norm2", "residual.6": "conv2"}
_RESIDUAL |= {"shortcut": "conv_shortcut"}
_RESAMPLE = ("resample.1", "time_conv")


def _vae_middle(side: str) -> Table:
    return {
        **{
            f"{side}.middle.{theirs}.{part}": f"{side}.mid_block.resnets.{ours}.{name}"
            for theirs, ours in ((0, 0), (2, 1))
            for part, name in _RESIDUAL.items()
        },
        **{f"{side}.middle.1.{part}": f"{side}.mid_block.attentions.0.{part}" for part in ("norm", "to_qkv", "proj")},
        f"{side}.conv1": f"{side}.conv_in",
        f"{side}.head.0": f"{side}.norm_out",
        f"{side}.head.2": f"{side}.conv_out",
    }


def _vae_up(level: int, residuals: int) -> Table:
    """Their decoder counts through all levels, residual blocks and then the up-sampler of each."""
    first = level * (residuals + 1)
    up = f"decoder.up_blocks.{level}.upsamplers.0"
    return {
        f"decoder.upsamples.{first + j}.{part}": f"decoder.up_blocks.{level}.resnets.{j}.{name}"
        for j in range(residuals)
        for part, name in _RESIDUAL.items()
    } | {f"decoder.upsamples.{first + residuals}.{part}": f"{up}.{part}" for part in _RESAMPLE}


def vae(levels: int = 4, residuals: int = 3) -> Table:
    """Of a VAE whose decoder has so many residual blocks in each of so many levels; published: 3 and 4."""
    return {
        "conv1": "quant_conv",
        "conv2": "post_quant_conv",
        **_vae_middle("encoder"),
        **_vae_middle("decoder"),
        **{f"encoder.downsamples.{{}}.{part}": f"encoder.down_blocks.{{}}.{name}" for part, name in _RESIDUAL.items()},
        **{f"encoder.downsamples.{{}}.{part}": f"encoder.down_blocks.{{}}.{part}" for part in _RESAMPLE},
        **{name: to for level in range(levels) for name, to in _vae_up(level, residuals).items()},
    }


_T5_BLOCK = "encoder.block.{}.layer."
UMT5: Table = {
    "token_embedding": "shared",
    "norm": "encoder.final_layer_norm",
    "blocks.{}.norm1": _T5_BLOCK + "0.layer_norm",
    **{f"blocks.{{}}.attn.{part}": f"{_T5_BLOCK}0.SelfAttention.{part}" for part in "qkvo"},
    "blocks.{}.pos_embedding.embedding": _T5_BLOCK + "0.SelfAttention.relative_attention_bias",
    "blocks.{}.norm2": _T5_BLOCK + "1.layer_norm",
    "blocks.{}.ffn.gate.0": _T5_BLOCK + "1.DenseReluDense.wi_0",
    "blocks.{}.ffn.fc1": _T5_BLOCK + "1.DenseReluDense.wi_1",
    "blocks.{}.ffn.fc2": _T5_BLOCK + "1.DenseReluDense.wo",
}

_CLIP_LAYER = "encoder.layers.{}."
CLIP: Table = {
    "visual.cls_embedding": "embeddings.class_embedding",
    "visual.pos_embedding": "embeddings.position_embedding.weight",
    "visual.patch_embedding": "embeddings.patch_embedding",
    "visual.pre_norm": "pre_layrnorm",
    "visual.post_norm": "post_layernorm",
    "visual.transformer.{}.norm1": _CLIP_LAYER + "layer_norm1",
    "visual.transformer.{}.norm2": _CLIP_LAYER + "layer_norm2",
    "visual.transformer.{}.attn.to_qkv": tuple(f"{_CLIP_LAYER}self_attn.{part}_proj" for part in "qkv"),
    "visual.transformer.{}.attn.proj": _CLIP_LAYER + "self_attn.out_proj",
    "visual.transformer.{}.mlp.0": _CLIP_LAYER + "mlp.fc1",
    "visual.transformer.{}.mlp.2": _CLIP_LAYER + "mlp.fc2",
    # the text tower and the projection into the space of both towers
    "visual.head": None,
    "log_scale": None,
    "textual.*": None,
}
