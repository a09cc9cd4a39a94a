"""Model folders laid out as the published ones are, at toy size, with weights by chance."""

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from lamina.backbones import cogvideox, wan, wan_names
from lamina.backbones.checkpoint import build_on_meta
from lamina.backbones.renaming import Table, renamed
from lamina.backbones.text_encoders import build_t5

SCHEDULER = {
    **{"_class_name": "CogVideoXDDIMScheduler", "beta_start": 0.00085, "beta_end": 0.012},
    **{"beta_schedule": "scaled_linear", "clip_sample": False, "num_train_timesteps": 1000},
    **{"prediction_type": "v_prediction", "rescale_betas_zero_snr": True, "set_alpha_to_one": True},
    **{"snr_shift_scale": 1.0, "steps_offset": 0, "timestep_spacing": "trailing", "trained_betas": None},
}
COG_TRANSFORMER = {
    **{"_class_name": "CogVideoXTransformer3DModel", "add_noise_in_inpaint_model": True},
    **{"attention_head_dim": 16, "num_attention_heads": 2, "num_layers": 2, "time_embed_dim": 16},
    **{"in_channels": 33, "out_channels": 16, "patch_size": 2, "patch_size_t": 2, "patch_bias": False},
    **{"max_text_seq_length": 10, "text_embed_dim": 24, "use_rotary_positional_embeddings": True},
}
COG_VAE = {
    **{"_class_name": "AutoencoderKLCogVideoX", "block_out_channels": [8] * 4, "layers_per_block": 1},
    **{"latent_channels": 16, "norm_num_groups": 4, "norm_eps": 1e-6, "scaling_factor": 0.7},
    **{"down_block_types": ["CogVideoXDownBlock3D"] * 4, "up_block_types": ["CogVideoXUpBlock3D"] * 4},
}
PIECES = ("<pad>", "</s>", "<unk>", "▁", *"abcdefghijklmnopqrstuvwxyz", "▁empty", "▁scene")
T5 = {
    **{"model_type": "t5", "vocab_size": 192, "d_model": 24, "d_kv": 8, "num_heads": 2, "num_layers": 2},
    **{"d_ff": 32, "feed_forward_proj": "gated-gelu", "dropout_rate": 0.1},
}
WAN_TRANSFORMER = {
    **{"_class_name": "WanModel", "model_type": "i2v", "dim": 32, "num_heads": 2, "num_layers": 2, "ffn_dim": 48},
    **{"freq_dim": 32, "in_dim": 36, "out_dim": 16, "text_dim": 24, "text_len": 512, "eps": 1e-6},
}
IMAGE_WIDTH, RANK = 80, 4
CLIP_LAYERS, CLIP_INNER = 3, 96


def cogvideox_folder(root: Path) -> Path:
    """DIR with casper-cog-5b.safetensors and the base in the layout of diffusers, its text encoder in two shards."""
    base = root / "CogVideoX-Fun-V1.5-5b-InP"
    write_json(base / "transformer" / "config.json", COG_TRANSFORMER)
    write_json(base / "vae" / "config.json", COG_VAE)
    write_json(base / "text_encoder" / "config.json", T5)
    write_json(base / "scheduler" / "scheduler_config.json", SCHEDULER)
    save_file(random_weights(cogvideox.build_transformer(COG_TRANSFORMER), 1), root / "casper-cog-5b.safetensors")
    vae = random_weights(cogvideox.build_vae(COG_VAE), 2)
    save_file(vae, base / "vae" / "diffusion_pytorch_model.safetensors")
    encoder = random_weights(build_t5(T5), 3)
    encoder.pop("encoder.embed_tokens.weight")
    save_sharded(encoder, base / "text_encoder", "model")
    (base / "tokenizer").mkdir()
    (base / "tokenizer" / "spiece.model").write_bytes(sentencepiece_file())
    return root


def wan_folder(root: Path, *, lora: bool = False) -> Path:
    """DIR with a Casper file and the base in the flat layout of Wan; with a LoRA its transformer in two shards."""
    base = root / ("Wan2.1-Fun-14B-InP" if lora else "Wan2.1-Fun-1.3B-InP")
    write_json(base / "config.json", WAN_TRANSFORMER)
    transformer = published(
        random_weights(wan.build_transformer(WAN_TRANSFORMER, IMAGE_WIDTH), 1), wan_names.TRANSFORMER
    )
    if lora:
        names = sorted(transformer)
        for number, part in enumerate((names[:20], names[20:]), 1):
            file = base / f"diffusion_pytorch_model-{number:05}-of-00002.safetensors"
            save_file({name: transformer[name] for name in part}, file)
        save_file(random_lora(transformer), root / "casper-wan-14b.safetensors")
    else:
        save_file(transformer, root / "casper-wan-1.3b.safetensors")
    torch.save(wan_vae(), base / "Wan2.1_VAE.pth")
    torch.save(umt5(), base / "models_t5_umt5-xxl-enc-bf16.pth")
    torch.save(clip(), base / "models_clip_open-clip-xlm-roberta-large-vit-huge-14.pth")
    write_tokenizer_json(base / "google" / "umt5-xxl")
    return root


def wan_vae() -> dict[str, Tensor]:
    import diffusers

    module = build_on_meta(lambda: diffusers.AutoencoderKLWan(base_dim=3, z_dim=16), "toy")
    return published(random_weights(module, 2), wan_names.vae())


def umt5(layers: int = 2, width: int = 24, inner: int = 32, heads: int = 2) -> dict[str, Tensor]:
    """Under the names of Wan, spelled out: no table of ours stands between."""
    shapes: dict[str, tuple[int, ...]] = {"token_embedding.weight": (192, width), "norm.weight": (width,)}
    for k in range(layers):
        block = f"blocks.{k}."
        shapes |= {block + f"attn.{part}.weight": (width, width) for part in "qkvo"}
        shapes |= {block + "norm1.weight": (width,), block + "norm2.weight": (width,)}
        shapes |= {block + "pos_embedding.embedding.weight": (32, heads), block + "ffn.gate.0.weight": (inner, width)}
        shapes |= {block + "ffn.fc1.weight": (inner, width), block + "ffn.fc2.weight": (width, inner)}
    return random_tensors(shapes, 3)


def clip(width: int = IMAGE_WIDTH, layers: int = CLIP_LAYERS, inner: int = CLIP_INNER) -> dict[str, Tensor]:
    """Under the names of Wan's file, spelled out, with some of what it holds beside the picture tower."""
    shapes: dict[str, tuple[int, ...]] = {
        "visual.cls_embedding": (1, 1, width),
        "visual.pos_embedding": (1, 257, width),
        "visual.patch_embedding.weight": (width, 3, 14, 14),
        **{f"visual.{norm}.{part}": (width,) for norm in ("pre_norm", "post_norm") for part in ("weight", "bias")},
        **{"visual.head": (width, 16), "log_scale": (), "textual.final.weight": (4, 4)},
    }
    linears = {"attn.to_qkv": (3 * width, width), "attn.proj": (width, width)}
    linears |= {"mlp.0": (inner, width), "mlp.2": (width, inner)}
    for k in range(layers):
        layer = f"visual.transformer.{k}."
        shapes |= {f"{layer}{norm}.{part}": (width,) for norm in ("norm1", "norm2") for part in ("weight", "bias")}
        shapes |= {f"{layer}{name}.weight": shape for name, shape in linears.items()}
        shapes |= {f"{layer}{name}.bias": shape[:1] for name, shape in linears.items()}
    return random_tensors(shapes, 4)


def random_lora(base: Mapping[str, Tensor], seed: int = 5) -> dict[str, Tensor]:
    """For every Linear of a transformer under the names of Wan."""
    shapes: dict[str, tuple[int, ...]] = {}
    for name, weight in base.items():
        if name.endswith(".weight") and weight.ndim == 2:
            module = "lora_unet__" + name.removesuffix(".weight").replace(".", "_")
            shapes[module + ".lora_down.weight"] = (RANK, weight.shape[1])
            shapes[module + ".lora_up.weight"] = (weight.shape[0], RANK)
    found = random_tensors(shapes, seed)
    alphas = {name.replace(".lora_up.weight", ".alpha"): torch.tensor(2.0) for name in shapes if "lora_up" in name}
    return found | alphas


def random_weights(module: nn.Module, seed: int) -> dict[str, Tensor]:
    return random_tensors({name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}, seed)


def random_tensors(shapes: Mapping[str, tuple[int, ...]], seed: int) -> dict[str, Tensor]:
    """Small numbers, near one for what scales after a norm, so that nothing grows without bounds."""
    generator = torch.Generator().manual_seed(seed)
    near_one = ("norm", "gamma")
    return {
        name: torch.randn(shape, generator=generator) * 0.1
        + (1.0 if len(shape) == 1 and name.endswith("weight") or any(n in name for n in near_one[1:]) else 0.0)
        for name, shape in shapes.items()
    }


def published(tensors: Mapping[str, Tensor], table: Table) -> dict[str, Tensor]:
    """Tensors under our names brought back under the published ones."""
    back = {ours: theirs for theirs, ours in table.items() if isinstance(ours, str)}
    return {renamed(back, name)[0]: tensor for name, tensor in tensors.items()}


def save_sharded(tensors: Mapping[str, Tensor], folder: Path, stem: str) -> None:
    names = sorted(tensors)
    half, places = len(names) // 2, {}
    for number, part in enumerate((names[:half], names[half:]), 1):
        file = f"{stem}-{number:05}-of-00002.safetensors"
        save_file({name: tensors[name].contiguous() for name in part}, folder / file)
        places |= dict.fromkeys(part, file)
    write_json(folder / f"{stem}.safetensors.index.json", {"metadata": {}, "weight_map": places})


def write_json(path: Path, values: Mapping) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(values))


def write_tokenizer_json(folder: Path) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    tokenizer = Tokenizer(models.Unigram([(piece, score(piece)) for piece in PIECES], unk_id=2))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(single=["$A", "</s>"], special_tokens=[("</s>", 1)])
    folder.mkdir(parents=True)
    tokenizer.save(str(folder / "tokenizer.json"))


def score(piece: str) -> float:
    """Long pieces are liked better than their letters."""
    return 0.0 if piece.startswith("<") else -4.0 + len(piece)


def sentencepiece_file() -> bytes:
    """What sentencepiece_model.proto says: pieces are field 1, of a text (1), a float (2) and a kind (3)."""
    import struct

    pieces = b""
    for piece in PIECES:
        text = piece.encode()
        inner = b"\x0a" + bytes([len(text)]) + text + b"\x15" + struct.pack("<f", score(piece)) + b"\x18\x01"
        pieces += b"\x0a" + bytes([len(inner)]) + inner
    trainer = b"\x12\x03\x18\xac\x02"
    return pieces + trainer
