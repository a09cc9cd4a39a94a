"""The known models in one table: of which files they are made, where these come from, and how they are best run.

Sizes and names are those of the published files (Generative Omnimatte, Lee et al., CVPR 2025, public implementation).
"""

from dataclasses import dataclass, replace
from typing import Literal, Protocol, runtime_checkable

from lamina.backbones.interface import Geometry
from lamina.masks.published import DILATE_PX

GB = 10**9


@runtime_checkable
class ModelSpec(Protocol):
    """What a run needs to know of a model, published or ours, before any file is opened."""

    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def geometry(self) -> Geometry: ...
    @property
    def size(self) -> tuple[int, int]:
        """Height and width that it was made for."""
        ...

    @property
    def steps(self) -> int:
        """Of denoising."""
        ...

    @property
    def grow(self) -> int:
        """Side of the square that masks grow by, in pixels of its pictures."""
        ...

    @property
    def dtype(self) -> Literal["fp32", "bf16", "fp8"]:
        """How weights are best held."""
        ...


@dataclass(frozen=True)
class File:
    """A file, or a pattern of files, of a published model."""

    pattern: str
    """Path in the model's folder; `*` stands for the numbers of shards."""
    what: str
    bytes: int
    """About how large, all shards together."""
    needed: bool = True
    """False: part of what is published, but not read."""


@dataclass(frozen=True)
class BackboneSpec:
    """One published model: a base, whose transformer is replaced or patched by a Casper file."""

    name: str
    kind: Literal["cogvideox", "wan"]
    base: str
    """Name of the base on huggingface.co, and of its folder."""
    base_license: str
    files: tuple[File, ...]
    """Of the base."""
    casper: File
    casper_source: str
    """Where the Casper file is from."""
    casper_license: str
    is_lora: bool
    """The Casper file patches the base's transformer; else it is a whole transformer, and the base's is not read."""
    parameters: float
    """Of the transformer, about, to be able to say something before any file is there."""
    geometry: Geometry
    size: tuple[int, int]
    """Height and width that it was published for."""
    steps: int = 50
    few_steps: int = 4
    """For a quick look."""
    grow: int = DILATE_PX
    dtype: Literal["fp32", "bf16", "fp8"] = "bf16"


DRIVE = "https://drive.google.com/file/d/"
COG_GEOMETRY = Geometry(window_frames=85, latent_multiple=2, reference_last="short")
WAN_GEOMETRY = Geometry(window_frames=81, latent_multiple=1, reference_last="moved")

COG_FILES = (
    File("transformer/config.json", "sizes of the transformer", 887),
    File("vae/config.json", "sizes of the VAE", 839),
    File("vae/diffusion_pytorch_model*.safetensors", "VAE", int(0.431 * GB)),
    File("text_encoder/config.json", "sizes of the text encoder", 782),
    File("text_encoder/model*.safetensors", "T5 text encoder", int(9.52 * GB)),
    File("tokenizer/*", "tokenizer", 800_000),
    File("scheduler/scheduler_config.json", "noise schedule", 482),
    File(
        "transformer/diffusion_pytorch_model*.safetensors", "the base's own transformer", int(11.1 * GB), needed=False
    ),
)
WAN_FILES = (
    File("config.json", "sizes of the transformer", 500),
    File("Wan2.1_VAE.pth", "VAE", int(0.508 * GB)),
    File("models_t5_umt5-xxl-enc-bf16.pth", "UMT5 text encoder", int(11.4 * GB)),
    File("models_clip_open-clip-xlm-roberta-large-vit-huge-14.pth", "CLIP image encoder", int(4.77 * GB)),
    File("google/umt5-xxl/*", "tokenizer", 21_000_000),
)
WAN_BASE_TRANSFORMER = File("diffusion_pytorch_model*.safetensors", "transformer", int(3.13 * GB), needed=False)

COG_5B = BackboneSpec(
    name="casper-cog-5b",
    kind="cogvideox",
    base="alibaba-pai/CogVideoX-Fun-V1.5-5b-InP",
    base_license="CogVideoX License",
    files=COG_FILES,
    casper=File("casper-cog-5b.safetensors", "Casper transformer", int(11.1 * GB)),
    casper_source=DRIVE + "1KTHGtlJPCDhQGRX5xbF3U63AyI_2T_cJ",
    casper_license="CogVideoX License",
    is_lora=False,
    parameters=5.57e9,
    geometry=COG_GEOMETRY,
    size=(384, 672),
)
WAN_1_3B = BackboneSpec(
    name="casper-wan-1.3b",
    kind="wan",
    base="alibaba-pai/Wan2.1-Fun-1.3B-InP",
    base_license="Apache-2.0",
    files=(*WAN_FILES, WAN_BASE_TRANSFORMER),
    casper=File("casper-wan-1.3b.safetensors", "Casper transformer", int(3.13 * GB)),
    casper_source=DRIVE + "1n3Sv4d0pbTjfa5UhypEhTaylrSy2X4C1",
    casper_license="Apache-2.0",
    is_lora=False,
    parameters=1.56e9,
    geometry=WAN_GEOMETRY,
    size=(480, 832),
)
WAN_14B = replace(
    WAN_1_3B,
    name="casper-wan-14b",
    base="alibaba-pai/Wan2.1-Fun-14B-InP",
    files=(*WAN_FILES, replace(WAN_BASE_TRANSFORMER, bytes=int(32.8 * GB), needed=True)),
    casper=File("casper-wan-14b.safetensors", "Casper LoRA", int(1.46 * GB)),
    casper_source=DRIVE + "1ojrscv60h2Hx__tfLTuO680_QGYRpL-V",
    is_lora=True,
    parameters=16.4e9,
)

BACKBONES = {spec.name: spec for spec in (COG_5B, WAN_1_3B, WAN_14B)}
