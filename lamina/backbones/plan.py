"""What a run will take in memory and time, said before anything is loaded. Arithmetic only.

Memory of what is computed was counted tensor by tensor on modules of the published sizes, once, and is a formula here;
a test counts again. Operations are multiplications and additions of matrix products and convolutions.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from lamina.backbones.checkpoint import read_json, reading_sizes, shards
from lamina.backbones.interface import Geometry
from lamina.backbones.memory import MODES, TILE_LATENTS, Storage
from lamina.backbones.timing import Timing
from lamina.backbones.weights import Weights
from lamina.errors import InputError

BYTES = {"fp32": 4, "bf16": 2, "fp8": 2}
"""Per number while computing."""
STORED_BYTES = {"fp32": 4, "bf16": 2, "fp8": 1}
FILE_BYTES = 2
"""Per number in the published files."""
RESERVE_BYTES, SLACK = 600 * 10**6, 1.1
"""What a device's driver and libraries take, and how much memory is lost between tensors."""
EFFICIENCY = 0.55
"""Share of the rate of large matrix products that a whole network reaches; assumed."""
HOST_PICTURES = 6
"""Of a piece of the clip in the host's memory: as read, as known, as shown to the codec and got back, what that loses,
and an answer; float32."""
BLOCKS_AT_ONCE = 2
"""When they are fetched: the one that computes and the next."""


@dataclass(frozen=True)
class NetworkSizes:
    """What a transformer's cost depends on."""

    layers: int
    width: int
    inner: int
    """Width inside a feed-forward layer."""
    text_tokens: int
    text_width: int
    patch: tuple[int, int, int]
    joint: bool
    """Text and video attend to each other as one sequence; else video attends to text and image separately."""
    image_tokens: int = 0
    modulation: int = 0
    """Width of the embedding of time from which every layer makes its own modulation."""


@dataclass(frozen=True)
class CodecSizes:
    """What a VAE's cost depends on."""

    width: int
    """Channels at full size."""
    piece_frames: int
    """Frames that are coded together."""
    live: tuple[float, float]
    """Tensors of a piece at full size that are in memory at once, encoding and decoding."""
    operations: tuple[float, float]
    """Per frame, pixel and squared width."""


NETWORK_LIVE = {"cogvideox": (13.4, 5.4), "wan": (11.2, 4.4)}
"""Tensors of a token's width that are in memory at once: in attention, and around the two inside a feed-forward."""
CODECS = {
    "cogvideox": CodecSizes(128, 8, (10.0, 22.0), (534.0, 1134.0)),
    "wan": CodecSizes(96, 4, (9.8, 13.3), (549.0, 924.0)),
}


@dataclass(frozen=True)
class Machine:
    """What a run may use."""

    operations_per_second: float
    """Of large matrix products; two for a multiplication with its addition."""
    device_bytes: int
    host_bytes: int
    transfer_bytes_per_second: float = 12e9
    """From the host's memory to the device's."""


@dataclass(frozen=True)
class Run:
    """What is to be done."""

    windows: tuple[int, ...]
    """Latent frames of each."""
    frames: int
    """Padded."""
    height: int
    width: int
    items: int
    """Trimasks that are denoised together."""
    steps: int
    coded_frames: int
    """Of them, coded together at most: all, or a piece of a long clip."""

    @classmethod
    def of(
        cls, timing: Timing, size: tuple[int, int], items: int, steps: int, coded_frames: int | None = None
    ) -> "Run":
        windows = tuple(len(window) for window in timing.windows.windows)
        return cls(windows, timing.padded_frames, *size, items, steps, coded_frames or timing.padded_frames)


@dataclass(frozen=True)
class Plan:
    """What it will take."""

    mode: str
    device_bytes: Mapping[str, int]
    """At most, in each stage: text, encode, denoise, decode."""
    host_bytes: int
    operations: float
    """Of all steps and all coding."""
    seconds: float

    @property
    def peak_device_bytes(self) -> int:
        return max(self.device_bytes.values())

    def __str__(self) -> str:
        """One line for people.

        >>> print(Plan("full", {"text": 10**10, "denoise": 2 * 10**10}, 10**9, 1e15, 125.0))
        mode full: 20.0 GB on the device (denoise), 1.0 GB of host memory, about 2 min
        """
        stage = max(self.device_bytes, key=lambda name: self.device_bytes[name])
        return (
            f"mode {self.mode}: {self.peak_device_bytes / 1e9:.1f} GB on the device ({stage}), "
            f"{self.host_bytes / 1e9:.1f} GB of host memory, about {in_words(self.seconds)}"
        )


@dataclass(frozen=True)
class Model:
    """What a plan needs to know of a model: sizes and bytes, no weights."""

    kind: Literal["cogvideox", "wan"]
    network: NetworkSizes
    transformer_bytes: int
    """In the file, as are those of the others."""
    vae_bytes: int
    encoder_bytes: int
    """Of the largest text or image encoder."""
    geometry: Geometry

    @classmethod
    def of(cls, weights: Weights) -> "Model":
        """From the headers and sizes of a model's files.

        Raises:
            WeightsError: a file of sizes is not this model's.
        """
        spec = weights.spec
        if spec.kind == "cogvideox":
            network = _sizes(weights.base / "transformer" / "config.json", cogvideox_sizes)
            vae, encoders = "vae/diffusion_pytorch_model*.safetensors", ["text_encoder/model*.safetensors"]
        else:
            network = _sizes(weights.base / "config.json", wan_sizes)
            vae, encoders = "Wan2.1_VAE.pth", ["models_t5*.pth", "models_clip*.pth"]
        transformer = shards(weights.base, "diffusion_pytorch_model*.safetensors") if spec.is_lora else weights.casper
        return cls(
            kind=spec.kind,
            network=network,
            transformer_bytes=_bytes(transformer),
            vae_bytes=_bytes(shards(weights.base, vae)),
            encoder_bytes=max(_bytes(shards(weights.base, encoder)) for encoder in encoders),
            geometry=spec.geometry,
        )


def _sizes(file: Path, read: Callable[[Mapping[str, Any]], NetworkSizes]) -> NetworkSizes:
    found = read_json(file)
    with reading_sizes(f"{file}"):
        sizes = read(found)
        if min(sizes.layers, sizes.width, sizes.inner, *sizes.patch) < 1:
            raise ValueError(f"{sizes.layers} layers of width {sizes.width}")
    return sizes


def cogvideox_sizes(config: Mapping[str, Any]) -> NetworkSizes:
    """From a published transformer/config.json."""
    width = config["num_attention_heads"] * config["attention_head_dim"]
    patch = config["patch_size_t"], config["patch_size"], config["patch_size"]
    text = config["max_text_seq_length"], config["text_embed_dim"]
    return NetworkSizes(config["num_layers"], width, 4 * width, *text, patch, True, 0, config["time_embed_dim"])


def wan_sizes(config: Mapping[str, Any]) -> NetworkSizes:
    """From a published config.json of Wan."""
    text = config.get("text_len", 512), config.get("text_dim", 4096)
    patch = tuple(config.get("patch_size", (1, 2, 2)))
    return NetworkSizes(config["num_layers"], config["dim"], config["ffn_dim"], *text, patch, False, 257)


def plan_run(model: Model, run: Run, machine: Machine, storage: Storage = "bf16", mode: str = "full") -> Plan:
    """What a run takes in one mode; whether there is so much is not asked."""
    held = MODES[mode]
    transformer = model.transformer_bytes * STORED_BYTES[storage] // FILE_BYTES
    vae, encoder = (size * BYTES[storage] // FILE_BYTES for size in (model.vae_bytes, model.encoder_bytes))
    blocks = min(1.0, BLOCKS_AT_ONCE / model.network.layers)
    resident = int(transformer * blocks) if held.offload_blocks else transformer
    latents = run.items * run.frames * run.height * run.width
    stages = {
        "text": vae + encoder,
        "encode": vae + coding_bytes(model, run, storage, held.tiles, decoding=False),
        "denoise": vae + resident + latents + network_bytes(model, run, storage),
        "decode": vae + resident + latents + coding_bytes(model, run, storage, held.tiles, decoding=True),
    }
    stages = {name: int(size * SLACK) + RESERVE_BYTES for name, size in stages.items()}
    pictures = run.coded_frames * run.height * run.width * (3 * 4 * HOST_PICTURES + 2 * run.items)
    waiting = max(encoder, transformer)  # files pass through the host's memory on their way
    step = run.items * sum(network_operations(model.network, grid(model, run, window)) for window in run.windows)
    coding = coding_operations(model, run)
    seconds = (run.steps * step + coding) / (machine.operations_per_second * EFFICIENCY)
    if held.offload_blocks:
        moved = transformer * len(run.windows) * run.steps / machine.transfer_bytes_per_second
        seconds = max(seconds, moved + coding / (machine.operations_per_second * EFFICIENCY))
    return Plan(mode, stages, waiting + pictures, run.steps * step + coding, seconds)


def choose_mode(model: Model, run: Run, machine: Machine, storage: Storage = "bf16") -> Plan:
    """The fastest mode that fits.

    Raises:
        InputError: none does; the plan of the smallest is told.
    """
    plans = [plan_run(model, run, machine, storage, mode) for mode in MODES]
    for plan in plans:
        if plan.peak_device_bytes <= machine.device_bytes and plan.host_bytes <= machine.host_bytes:
            return plan
    have = f"{machine.device_bytes / 1e9:.1f} GB on the device and {machine.host_bytes / 1e9:.1f} GB of host memory"
    least = min(plans, key=lambda plan: plan.peak_device_bytes)
    raise InputError(
        "memory",
        got=have,
        wanted=f"{least}",
        do="Take a smaller size, fewer objects at once, weights stored as fp8, or a smaller model.",
    )


def grid(model: Model, run: Run, window: int) -> int:
    """Tokens of a window."""
    t, h, w = model.network.patch
    spatial = model.geometry.spatial
    return (window // t) * (run.height // spatial // h) * (run.width // spatial // w)


def network_operations(sizes: NetworkSizes, tokens: int) -> float:
    """Of one call for one item.

    Per layer and token 8 d^2 for the four projections of attention, 4 d e for two layers of inner width e, and 4 d for
    each token that is attended to.
    """
    d, text, image = sizes.width, sizes.text_tokens, sizes.image_tokens
    feed_forward = 4 * d * sizes.inner
    if sizes.joint:
        every = tokens + text
        layer = every * (8 * d * d + feed_forward + 4 * every * d) + 24 * sizes.modulation * d
    else:
        beside = 4 * d * d * (tokens + text + image) + 4 * tokens * (text + image) * d
        layer = tokens * (8 * d * d + feed_forward + 4 * tokens * d) + beside
    return sizes.layers * float(layer) + 2.0 * text * sizes.text_width * d


def network_bytes(model: Model, run: Run, storage: Storage) -> int:
    """What is in memory at most while the largest window is denoised, weights apart."""
    attention, around = NETWORK_LIVE[model.kind]
    sizes = model.network
    tokens = grid(model, run, max(run.windows)) + (sizes.text_tokens if sizes.joint else 0)
    live = max(attention * sizes.width, around * sizes.width + 2 * sizes.inner)
    return int(run.items * tokens * live * BYTES[storage])


def coding_bytes(model: Model, run: Run, storage: Storage, tiles: bool, *, decoding: bool) -> int:
    """What is in memory at most while a VAE codes one piece of a clip, weights apart."""
    codec, side = CODECS[model.kind], TILE_LATENTS * model.geometry.spatial
    height, width = (min(size, side) if tiles else size for size in (run.height, run.width))
    piece = codec.piece_frames * height * width * codec.width
    video = run.coded_frames * run.height * run.width * 3 * (2 if decoding else 1) * (2 if tiles else 1)
    return int((codec.live[decoding] * piece + video) * BYTES[storage])


def coding_operations(model: Model, run: Run) -> float:
    """Of encoding the clip once and decoding every item."""
    codec = CODECS[model.kind]
    encode, decode = codec.operations
    return (encode + run.items * decode) * codec.width**2 * float(run.frames * run.height * run.width)


def in_words(seconds: int | float) -> str:
    """A duration as people say it.

    >>> in_words(40), in_words(1000), in_words(40_000), in_words(900_000)
    ('40 s', '17 min', '11 h', '10 days')
    """
    for unit, size, most in (("s", 1, 90), ("min", 60, 90 * 60), ("h", 3600, 36 * 3600)):
        if seconds < most:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds / 86400:.0f} days"


def _bytes(files: Sequence[Any]) -> int:
    return sum(file.stat().st_size for file in files)
