"""What a training run does, as values: a recipe file says them, and the record of a run keeps them."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from lamina.errors import InputError

LEVELS = 1000
"""Levels of noise that the models were trained with, and that are drawn from."""
Category = Literal["omnimatte", "tripod", "rendered", "pasted"]
CATEGORIES: tuple[Category, ...] = ("omnimatte", "tripod", "rendered", "pasted")
"""Of the paper; omnimatte and tripod together are the kind `real` of `paper_mix`."""


@dataclass(frozen=True)
class LoraConfig:
    """Hu et al. 2022; adapters on every linear layer, as Casper 14B was published."""

    rank: int = 128
    alpha: float = 64.0
    """What adapters add is multiplied by alpha / rank."""

    def __post_init__(self):
        _require(self.rank >= 1 and self.alpha > 0, "lora", self, "rank >= 1 and alpha > 0")


@dataclass(frozen=True)
class OptimizerConfig:
    """How parameters move. The rate rises linearly for `warmup_steps`, then stays, unless it is to fall."""

    kind: Literal["adamw", "adafactor"] = "adamw"
    """adafactor keeps far less beside the parameters."""
    rate: float = 2e-5
    warmup_steps: int = 100
    fall_steps: tuple[int, int] | None = None
    """From the first of these steps to the second the rate falls linearly to nothing; None lets it stay."""
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-10
    """Of AdamW; Adafactor has its own."""
    weight_decay: float = 0.03
    clip_norm: float = 0.05
    """Gradients longer than this are shortened to it."""
    clip_start: float = 5.0
    """At the first step so many times longer ones are let through, ever shorter ones until `clip_settled_step`."""
    clip_settled_step: int = 1000

    def __post_init__(self):
        fits = self.rate > 0 and self.warmup_steps >= 0 and self.weight_decay >= 0 and self.eps > 0
        _require(fits, "optimizer", self, "rate and eps above 0, warmup_steps and weight_decay of at least 0")
        first, last = self.fall_steps or (self.warmup_steps, self.warmup_steps + 1)
        fits = self.warmup_steps <= first < last
        _require(fits, "optimizer", self.fall_steps, "fall_steps that rise and begin after the warm-up")
        fits = self.clip_norm > 0 and self.clip_start >= 1 and self.clip_settled_step >= 0
        _require(fits, "optimizer", self, "clip_norm above 0, clip_start >= 1, clip_settled_step >= 0")
        _require(all(0 <= beta < 1 for beta in self.betas), "optimizer", self, "betas within 0..1")


@dataclass(frozen=True)
class SourceConfig:
    """Where pairs of one category come from."""

    name: str
    category: Category
    kind: Literal["shards", "sprites"]
    """shards: pairs on disk, made from whatever material. sprites: drawn while training, without data."""
    weight: float
    """Share of the pairs; of all sources together they need not make 1."""
    path: Path | None = None
    """Folder of the shards, in the folder that the command is given as `--data`."""

    def __post_init__(self):
        fits = (self.path is not None) == (self.kind == "shards")
        _require(fits, f"source {self.name!r}", self, "a path for shards, and none for sprites")


@dataclass(frozen=True)
class DataConfig:
    """Which pairs, and what is made of them."""

    sources: tuple[SourceConfig, ...]
    frames: int
    height: int
    width: int
    categories: tuple[Category, ...] = CATEGORIES
    """Sources of other categories are left out; the rest keep their proportions."""
    flip: float = 0.5
    reverse: float = 0.5
    forget_keep: float = 0.5
    grade: float = 0.0
    """How often left and right change places, time runs backwards, KEEP becomes UNKNOWN, the colours are graded."""
    workers: int = 4
    """Processes that make pairs, for each process that trains; 0 makes them in between."""

    def __post_init__(self):
        _require(bool(self.used), "data", self.categories, "a category that one of the sources has")
        _require(self.workers >= 0, "data", f"workers = {self.workers}", "at least 0")
        fits = min(self.frames, self.height, self.width) >= 1
        _require(fits, "data", f"{self.frames} frames of {self.width}x{self.height}", "at least 1")
        shares = self.flip, self.reverse, self.forget_keep, self.grade
        wanted = "flip, reverse, forget_keep and grade within 0..1"
        _require(all(0 <= share <= 1 for share in shares), "data", shares, wanted)

    @property
    def used(self) -> tuple[SourceConfig, ...]:
        return tuple(source for source in self.sources if source.category in self.categories)


@dataclass(frozen=True)
class ConditioningConfig:
    """What a network is told while it is trained. Shares are of pairs, 0..1."""

    prompt: str = "empty scene"
    """Where a pair has no caption."""
    prompt_dropped: float = 0.1
    """How often the prompt is "" instead."""
    image_dropped: float = 0.1
    """How often nothing is told of the first frame, for networks that look at one."""
    blind: float = 0.9
    """How often nothing is told of the clip where everything is to be removed."""
    shorter: float = 0.0
    """How often a pair is cut to a random length that the network can take."""
    masks: Literal["trimask", "binary"] = "trimask"
    """binary: what is not removed is kept, effects or not."""
    removed: Literal["kept", "zeroed"] = "kept"
    """zeroed: the clip is black where the trimask says REMOVE."""
    strata: int = 1
    """Levels of noise are drawn from so many equal parts of all levels in turn, pair by pair."""
    most_difference: float | None = None
    """Where an answer differs by more than this, it is not learned from."""

    def __post_init__(self):
        shares = self.prompt_dropped, self.image_dropped, self.blind, self.shorter
        _require(all(0 <= share <= 1 for share in shares), "conditioning", self, "shares within 0..1")
        _require(1 <= self.strata <= LEVELS, "conditioning", f"strata = {self.strata}", f"1..{LEVELS}")
        fits = self.most_difference is None or self.most_difference > 0
        _require(fits, "conditioning", f"most_difference = {self.most_difference}", "above 0, or left out")


@dataclass(frozen=True)
class SmallConfig:
    """What only Casper-S has: how large it is, and what its loss weighs. Weights are of pixels, beside 1 elsewhere."""

    widths: tuple[int, int, int] = (48, 96, 160)
    """Channels at a quarter, an eighth and a sixteenth of the picture."""
    blocks: int = 4
    """Of the transformer at a sixteenth."""
    heads: int = 4
    sharp: int = 32
    """Channels at half the picture."""
    anchor: bool = True
    """Whether it is told what other frames show."""
    effect_weight: float = 4.0
    """Added where an object's effect was."""
    hidden_weight: float = 0.0
    """Added where an object was."""
    sure_weight: float = 0.2
    """In the place of all others where other frames show the answer."""
    quadratic_below: float = 0.01
    """Differences well below this, of a range of 1, count by their square, those above it by their size."""
    most_grown_px: int = 3
    """What is to be removed is marked by up to so much too generously."""
    pure_noise: float = 0.7
    """How often it is asked at pure noise."""

    def __post_init__(self):
        fits = min(*self.widths, self.heads, self.sharp) >= 1 and min(self.blocks, self.most_grown_px) >= 0
        _require(fits, "small", self, "widths, heads and sharp of at least 1, blocks and most_grown_px of at least 0")
        fits = self.widths[-1] % (2 * self.heads) == 0
        _require(fits, "small", self, f"a last width that {2 * self.heads}, twice the heads, divides")
        fits = min(self.effect_weight, self.hidden_weight, self.sure_weight) >= 0 and 0 <= self.pure_noise <= 1
        _require(fits, "small", self, "weights of at least 0, pure_noise within 0..1")
        _require(self.quadratic_below > 0, "small", self, "quadratic_below above 0")


@dataclass(frozen=True)
class ValidationConfig:
    """Removal in a few fixed pairs, again and again: PSNR, and a picture of each."""

    every: int = 500
    """Steps."""
    pairs: int = 4
    """0 leaves validation out."""
    steps: int = 4
    """Of sampling."""
    path: Path | None = None
    """Folder of shards in `--data` that are not trained on; None draws others of the training's own sources."""

    def __post_init__(self):
        fits = self.every >= 1 and self.pairs >= 0 and self.steps >= 1
        _require(fits, "validation", self, "every and steps >= 1, pairs >= 0")


@dataclass(frozen=True)
class Recipe:
    """A whole training run."""

    model: str
    """casper-s, casper-cog-5b, casper-wan-1.3b or casper-wan-14b."""
    method: Literal["full", "lora"]
    steps: int
    batch: int
    """Pairs of one step, of all processes together. How many processes share them makes no difference."""
    data: DataConfig
    start: Literal["base", "casper"] = "base"
    """base: from the base model, as Casper was made. casper: from the Casper file there is."""
    seed: int = 0
    at_once: int = 1
    """Pairs that go through a step function together; a batch is made of such groups one after another."""
    precision: Literal["bf16", "fp32"] = "bf16"
    """bf16: computed in bfloat16, what is trained is held in float32."""
    checkpointing: bool = True
    """Gradient checkpointing: activations are computed again rather than kept."""
    sharding: Literal["ddp", "fsdp2"] = "ddp"
    """With several processes: everything in each, or parameters and what the optimiser keeps shared out."""
    ema: float | None = 0.999
    """Decay of the average of parameters over steps, which is what is validated and exported; None keeps none."""
    save_every: int = 1000
    """Steps between checkpoints; the last two are kept."""
    lora: LoraConfig = field(default_factory=LoraConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    conditioning: ConditioningConfig = field(default_factory=ConditioningConfig)
    small: SmallConfig = field(default_factory=SmallConfig)
    validation: ValidationConfig = field(default_factory=ValidationConfig)

    def __post_init__(self):
        counts = self.steps, self.batch, self.at_once, self.save_every
        _require(min(counts) >= 1, "steps, batch, at_once, save_every", counts, "at least 1 each")
        _require(0 <= self.seed < 2**63, "seed", f"{self.seed}", "0..2**63-1")
        fits = self.ema is None or 0 <= self.ema < 1
        _require(fits, "ema", f"{self.ema}", "at least 0, less than 1; 0.0 averages nothing")
        fits = not (self.sharding == "fsdp2" and self.optimizer.kind == "adafactor")
        _require(fits, "optimizer", "adafactor with fsdp2", "adamw where parameters are shared out")


def _require(fits: bool, what: str, got: object, wanted: str) -> None:
    if not fits:
        raise InputError(f"recipe: {what}", got=str(got), wanted=wanted, do="See docs/training.md.")
