"""Recipes, pairs and learners so small that a run takes a second."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from pair_makers import ToySource
from torch import Tensor, nn

from lamina.synth.augment import AugmentConfig
from lamina.synth.mix import MixConfig, PairMix
from lamina.synth.pair import Pair
from lamina.synth.shards import make_shards
from lamina.train.loop import TrainState, start_training
from lamina.train.recipe import DataConfig, OptimizerConfig, Recipe, SourceConfig, ValidationConfig
from lamina.train.task import Example, Learner, Losses

SIZE = (32, 48)
"""Height and width."""


def toy_shards(root: Path, name: str = "pairs", count: int = 4, frames: int = 9, first_seed: int = 0) -> Path:
    source = ToySource(name, frames=frames, size=(SIZE[1] + 8, SIZE[0] + 8))
    make_shards(source, root / name, count, recipe={}, first_seed=first_seed)
    return root


def toy_recipe(model: str = "casper-wan-1.3b", **changes: Any) -> Recipe:
    """Full training on shards in `pairs`, from the Casper file."""
    source = SourceConfig("pairs", "tripod", "shards", 1.0, Path("pairs"))
    data = DataConfig((source,), 9 if "wan" in model else 5, *SIZE, workers=0)
    recipe = Recipe(
        model=model,
        method="full",
        steps=4,
        batch=2,
        data=data,
        start="casper",
        precision="fp32",
        save_every=2,
        optimizer=OptimizerConfig(rate=1e-3, warmup_steps=2, clip_norm=1.0),
        validation=ValidationConfig(every=2, pairs=1, steps=1),
    )
    return replace(recipe, **changes)


def toml_of(recipe: Recipe) -> str:
    """What a user would write for a recipe of this form."""
    [source] = recipe.data.sources
    tables = {
        "": {k: getattr(recipe, k) for k in ("model", "method", "steps", "batch", "start", "seed", "at_once")}
        | {k: getattr(recipe, k) for k in ("precision", "checkpointing", "sharding", "save_every")}
        | ({} if recipe.ema is None else {"ema": recipe.ema}),
        "[data]": {k: getattr(recipe.data, k) for k in ("frames", "height", "width", "workers")},
        "[[data.sources]]": vars(source),
        "[lora]": vars(recipe.lora),
        "[optimizer]": vars(recipe.optimizer),
        "[conditioning]": vars(recipe.conditioning),
        "[small]": vars(recipe.small),
        "[validation]": vars(recipe.validation),
    }
    return "\n".join("\n".join([head, *map(_line, table.items())]) for head, table in tables.items())


def _line(item: tuple[str, Any]) -> str:
    key, value = item
    if value is None:
        return ""
    if isinstance(value, bool):
        return f"{key} = {str(value).lower()}"
    if isinstance(value, tuple):
        return f"{key} = {list(value)}"
    return f'{key} = "{value}"' if isinstance(value, str | Path) else f"{key} = {value}"


class Brightness(nn.Module):
    """A network of pixels, without latents, noise or words: what the loop must be able to train as well."""

    def __init__(self):
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.mix = nn.utils.skip_init(nn.Linear, 4, 3)
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.3)

    def forward(self, given: Tensor) -> Tensor:
        return self.mix(given)


def pixel_step(network: Any, examples: Sequence[Example]) -> Losses:
    """The target from the input and the trimask, a little noise on it, all pairs at once."""
    given, wanted = zip(*map(_tensors, examples), strict=True)
    noise = torch.stack([example.chance.noise(g.shape) for example, g in zip(examples, given, strict=True)])
    answer = network(torch.stack(given) + 0.01 * noise)
    return Losses(torch.square(answer - torch.stack(wanted)).mean(), {"brightness": answer.detach().mean()})


def _tensors(example: Example) -> tuple[Tensor, Tensor]:
    pair = example.pair
    given = np.concatenate([pair.input / 255, pair.trimask[..., None] / 2], axis=-1)
    return torch.tensor(given, dtype=torch.float32), torch.tensor(pair.target / 255, dtype=torch.float32)


def pixel_learner(step: Any = pixel_step) -> Learner:
    network = Brightness()
    return Learner(network, (nn.Linear,), lambda answering: answering, step, pixel_removal, no_export, {})


def pixel_removal(network: Any, pair: Pair) -> np.ndarray:
    given, _ = _tensors(Example(pair, 0, None))  # type: ignore[arg-type]
    return (network(given).detach().clamp(0, 1) * 255).to(torch.uint8).numpy()


def no_export(tensors: Any, words: Any, folder: Path) -> Path:
    return folder


def pixel_state(step: Any = pixel_step, **changes: Any) -> TrainState:
    recipe = toy_recipe(**changes)
    mix = PairMix([(ToySource(), 1.0)], MixConfig(recipe.seed, AugmentConfig(3, 8, 12)))
    return start_training(pixel_learner(step), mix, recipe, Accelerator(cpu=True))
