"""Which shape and which loss are best for Casper-S, each trained for the same time on the same pairs.

    python -m benchmarks.small_shapes PAIRS [--recipe recipes/casper_s.toml] [--minutes 10] [--only unet wan16]

PAIRS as `python recipes/casper_s_pairs.py` makes them; everything else is as the recipe says, but for what it starts
from, which is chance. Writes results/small_shapes.json: steps made, seconds per frame of one look, and PSNR of removal
in validation pairs: of all of the picture, and where an object or its effect was. The same of the `known` of the pairs,
without any network; and of the weights that come with Lamina, with more and fewer steps of sampling. Then it puts the
tables into docs/results.md.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import tyro
from einops import rearrange
from torch import Tensor, nn

from benchmarks.machine import circumstances
from benchmarks.tables import update_results
from lamina.backbones.checkpoint import imported
from lamina.backbones.small import Small
from lamina.backbones.small_files import open_small_network
from lamina.backbones.small_network import ANSWERED, GIVEN, mixture
from lamina.synth.pair import Pair
from lamina.train.data import Share, open_mix, validation_pairs
from lamina.train.loop import start_training, train_steps
from lamina.train.parallel import processes
from lamina.train.recipe import Recipe
from lamina.train.recipe_file import read_recipe
from lamina.train.small import changed, new_network, remove_small, small_step
from lamina.train.task import Learner
from lamina.train.validation import evaluated

ROOT = Path(__file__).resolve().parents[1]
RECIPE, RESULTS = ROOT / "recipes" / "casper_s.toml", ROOT / "benchmarks" / "results" / "small_shapes.json"
SAMPLED = (1, 2, 4, 8)
"""Steps of sampling that are compared."""
TEXT = 16
"""Channels of the one token of text that Wan's class wants to be given; it says nothing."""


class WanShape(nn.Module):
    """The transformer class of Wan on patches of pixels, with the same mixture for an answer."""

    def __init__(self, width: int, blocks: int, patch: int):
        super().__init__()
        self.inner = imported("diffusers").WanTransformer3DModel(
            patch_size=(1, patch, patch), num_attention_heads=width // 48, attention_head_dim=48, in_channels=GIVEN,
            out_channels=ANSWERED, text_dim=TEXT, freq_dim=64, ffn_dim=4 * width, num_layers=blocks,
        )  # fmt: skip

    def forward(self, given: Tensor, noise: Tensor) -> Tensor:
        nothing = torch.zeros(len(given), 1, TEXT, dtype=given.dtype)
        found = self.inner(given, 1000 * noise, nothing, return_dict=False)[0]
        flat = (rearrange(clip, "n c t h w -> (n t) c h w") for clip in (found, given))
        return rearrange(mixture(*flat), "(n t) c h w -> n c t h w", n=len(given))


def narrow(recipe: Recipe, **changes: Any) -> Recipe:
    return replace(recipe, small=replace(recipe.small, **changes))


def same(recipe: Recipe) -> Recipe:
    return recipe


@dataclass(frozen=True)
class Shape:
    """A network, and what of the recipe is changed for it."""

    network: Callable[[Recipe], nn.Module]
    change: Callable[[Recipe], Recipe] = same


SHAPES = {
    "unet": Shape(new_network),
    "unet, half as wide": Shape(new_network, partial(narrow, widths=(24, 48, 80))),
    "unet, sharp look half as wide": Shape(new_network, partial(narrow, sharp=16)),
    "unet, no transformer": Shape(new_network, partial(narrow, blocks=0)),
    "wan16": Shape(lambda recipe: WanShape(384, 12, 16)),
    "wan16, small": Shape(lambda recipe: WanShape(192, 6, 16)),
    "wan8, small": Shape(lambda recipe: WanShape(192, 6, 8)),
    "no anchor": Shape(new_network, partial(narrow, anchor=False)),
    "no effect weight": Shape(new_network, partial(narrow, effect_weight=0.0)),
}


def learner_of(recipe: Recipe, network: nn.Module) -> Learner:
    return Learner(
        network=network.float().requires_grad_(True).train(),
        blocks=(),
        connect=Small(network).with_network,
        step=partial(small_step, recipe),
        remove=partial(remove_small, recipe),
        export=lambda tensors, words, folder: folder,
        record={},
    )


def measure(shape: Shape, recipe: Recipe, data: Path, minutes: float) -> dict[str, Any]:
    """Train for so long and look at the validation pairs."""
    recipe = shape.change(recipe)
    recipe = replace(recipe, ema=0.99, data=replace(recipe.data, workers=0))
    with processes("cpu") as accelerator, torch.random.fork_rng():
        torch.manual_seed(recipe.seed)
        learner = learner_of(recipe, shape.network(recipe))
        state = start_training(learner, open_mix(recipe, data, Share()), recipe, accelerator)
        begun = time.process_time()
        for _ in train_steps(state):
            if time.process_time() - begun > 60 * minutes:
                break
        with evaluated(state):
            scores = scored(partial(learner.remove, state.backbone), validation_pairs(recipe, data))
    parameters = sum(parameter.numel() for parameter in learner.network.parameters())
    return {"parameters": parameters, "steps": state.step, "seconds_per_frame": pace(learner.network, recipe), **scores}


def sampled(recipe: Recipe, data: Path, steps: int) -> dict[str, Any]:
    """Removal with the weights that come along, in so many steps of sampling."""
    recipe = replace(recipe, validation=replace(recipe.validation, steps=steps))
    with torch.inference_mode():
        return scored(partial(remove_small, recipe, Small(open_small_network())), validation_pairs(recipe, data))


def scored(remove: Callable[[Pair], np.ndarray], pairs: list[Pair]) -> dict[str, float]:
    """Mean PSNR of removal over pairs."""
    made = [remove(pair) for pair in pairs]
    return {
        region: round(float(np.mean([psnr(one, pair, region) for one, pair in zip(made, pairs, strict=True)])), 2)
        for region in ("all", "changed")
    }


def known_of(pair: Pair) -> np.ndarray:
    """What `propagate` answers."""
    assert pair.known is not None
    return pair.known


def psnr(answer: np.ndarray, pair: Pair, region: str) -> float:
    """Of the picture, or where the input differs from the answer that is wanted."""
    error = np.square(answer.astype(np.float64) / 255 - pair.target / 255)
    chosen = error if region == "all" else error[changed(pair)]
    return float(-10 * np.log10(max(chosen.mean(), 1e-6)))


def pace(network: nn.Module, recipe: Recipe) -> float:
    """Seconds per frame of one look at a window."""
    given = torch.zeros(1, GIVEN, 16, recipe.data.height, recipe.data.width)
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        network(given, torch.ones(1))
        begun = time.perf_counter()
        network(given, torch.ones(1))
    return round((time.perf_counter() - begun) / 16, 4)


@dataclass(frozen=True)
class ShapesConfig:
    """What to compare, and for how long."""

    pairs: Annotated[Path, tyro.conf.Positional]
    recipe: Path = RECIPE
    minutes: float = 10.0
    """Of computing, all threads together, per shape."""
    only: tuple[str, ...] = tuple(SHAPES)


def main(config: ShapesConfig) -> None:
    recipe = read_recipe(config.recipe)
    told = json.loads(RESULTS.read_text()) if RESULTS.exists() else {"shapes": {}}
    told["removals"] = circumstances() | {
        "known": scored(known_of, validation_pairs(recipe, config.pairs)),
        "sampled": {str(steps): sampled(recipe, config.pairs, steps) for steps in SAMPLED},
    }
    _keep(told)
    for name in config.only:
        found = measure(SHAPES[name], recipe, config.pairs, config.minutes)
        told["shapes"][name] = circumstances() | {"minutes": config.minutes} | found
        print(name, found, flush=True)
        _keep(told)


def _keep(told: dict[str, Any]) -> None:
    RESULTS.write_text(json.dumps(told, indent=1) + "\n")
    update_results("small_shapes")


if __name__ == "__main__":
    main(tyro.cli(ShapesConfig))
