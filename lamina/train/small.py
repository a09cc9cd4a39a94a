"""Casper-S as a learner: flow matching in pixels, with more weight where an object's effects were.

The network is asked for the clean frames at a level of noise, most often at pure noise: then it removes in one step,
and its answer is the mean of all that is likely, which no sampling beats in decibels. At lower levels it learns to go
on from what it has made.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float32, UInt8
from torch import Tensor

from lamina.backbones.interface import Condition
from lamina.backbones.small import Anchor, Small, small_hash
from lamina.backbones.small_files import SMALL, open_small_network, write_small_network
from lamina.backbones.small_network import Block, SmallNetwork, SmallSizes
from lamina.errors import InputError
from lamina.levels import from_levels
from lamina.masks.binary import grow_square
from lamina.masks.trimask import REMOVE
from lamina.sampling import sample, seeded, start_noise
from lamina.synth.pair import Pair
from lamina.train.casper import check_size
from lamina.train.conditioning import frames_of
from lamina.train.recipe import ConditioningConfig, Recipe, SmallConfig
from lamina.train.task import Chance, Example, Learner, Losses

UNKNOWN_CONDITIONS = ("shorter", "masks", "removed", "strata", "most_difference")
"""Of `[conditioning]`, what neither its training nor its engine knows."""
EFFECT = 8 / 255
"""What changes by more than this where nothing was marked is an effect."""


def small_learner(recipe: Recipe, folder: Path | None, device: torch.device) -> Learner:
    """A new network, or the one there is, ready to be trained.

    Raises:
        InputError: pairs of this size do not fit it, it cannot be trained this way, or weights are given for nothing.
        WeightsError: the file to start from is not what it should be.
    """
    check_size(recipe, Small(None))
    if recipe.method != "full":
        do = 'Write method = "full": it is small.'
        raise InputError(f"recipe: method of {SMALL}", got=recipe.method, wanted="full", do=do)
    if recipe.start == "base" and folder is not None:
        do = 'Leave --weights out, or write start = "casper" to go on from them.'
        raise InputError("--weights", got=f"{folder}", wanted=f"none: {SMALL} starts from chance at base", do=do)
    _check_conditioning(recipe)
    network = new_network(recipe) if recipe.start == "base" else open_small_network(folder)
    _check_sizes(recipe, network.config)
    network.float().requires_grad_(True).train()
    return Learner(
        network=network,
        blocks=(Block,),
        connect=Small(network, device).with_network,
        step=partial(small_step, recipe),
        remove=partial(remove_small, recipe),
        export=exporter(network.config),
        record=_record(recipe, folder) | {"model": SMALL, "sizes": asdict(network.config)},
    )


def _check_conditioning(recipe: Recipe) -> None:
    """Raise InputError where a recipe asks for what only the published models are trained with."""
    asked, usual = recipe.conditioning, ConditioningConfig()
    for name in UNKNOWN_CONDITIONS:
        got, wanted = getattr(asked, name), getattr(usual, name)
        if got != wanted:
            what = f"recipe: {name} under [conditioning] of {SMALL}"
            raise InputError(what, got=f"{got}", wanted=f"{wanted}", do="Leave it out: its engine knows no such thing.")


def _check_sizes(recipe: Recipe, found: SmallSizes) -> None:
    wanted = sizes_of(recipe.small)
    if found != wanted:
        do = "Write the file's sizes under [small], or start from base."
        raise InputError(f"recipe: sizes of {SMALL}", got=f"{wanted}", wanted=f"those of the file, {found}", do=do)


def _record(recipe: Recipe, folder: Path | None) -> dict[str, Any]:
    return {} if recipe.start == "base" else {"sha256": small_hash(folder)}


def new_network(recipe: Recipe) -> SmallNetwork:
    with torch.random.fork_rng():
        torch.manual_seed(recipe.seed)
        return SmallNetwork(sizes_of(recipe.small))


def sizes_of(config: SmallConfig) -> SmallSizes:
    return SmallSizes(config.widths, config.blocks, config.heads, config.sharp)


def small_step(recipe: Recipe, backbone: Small, examples: Sequence[Example]) -> Losses:
    """The mean loss of some examples, all through the network at once."""
    config = recipe.small
    pairs = [grown(one.pair, config, one.chance) for one in examples]
    told = [pair_told(backbone, pair, config) for pair in pairs]
    noise = torch.tensor([draw_noise(one.chance, config) for one in examples])
    wanted = torch.stack([backbone.encode(frames_of(pair.target)) for pair in pairs])
    gauss = torch.stack([one.chance.noise(wanted.shape[1:]).to(wanted) for one in examples])
    share = noise.to(wanted)[:, None, None, None, None]
    video, mask = torch.stack([one.video for one in told]), torch.cat([one.mask for one in told])
    found = backbone.clean((1 - share) * wanted + share * gauss, video, mask, noise)
    weight = torch.stack([torch.from_numpy(weights_of(pair, config)) for pair in pairs]).to(found)[:, None]
    error = rounded((found - wanted) / 2, config.quadratic_below)
    total = (error * weight).sum() / (3 * weight.sum()).clamp(min=1)
    return Losses(total, {"difference": error.detach().mean()})


def rounded(difference: Tensor, below: float) -> Tensor:
    """The size of differences, but half the square over `below` where they are well below that.

    A pseudo-Huber loss (Charbonnier et al. 1994). The larger `below`, the nearer the answer that costs least is to the
    mean of all that is likely, which scores best in decibels; the smaller, the nearer to their median.
    """
    return torch.sqrt(torch.square(difference) + below**2) - below


def pair_told(backbone: Small, pair: Pair, config: SmallConfig) -> Condition:
    """What the network is told of a pair."""
    anchor = None
    if config.anchor and pair.known is not None and pair.sure is not None:
        anchor = Anchor(frames_of(pair.known), [pair.sure == 255])
    return backbone.told(frames_of(pair.input), [pair.trimask], anchor)


def grown(pair: Pair, config: SmallConfig, chance: Chance) -> Pair:
    """The pair with what is to be removed marked more or less generously, as people mark it."""
    side = 2 * int(chance.numbers.integers(config.most_grown_px + 1)) + 1
    wide = grow_square(pair.trimask == REMOVE, side)
    return replace(pair, trimask=np.where(wide, np.uint8(REMOVE), pair.trimask))


def draw_noise(chance: Chance, config: SmallConfig) -> float:
    """A level: pure noise as often as the recipe says, else any."""
    pure, other = chance.numbers.random(2)
    return 1.0 if pure < config.pure_noise else float(max(0.02, other))


def weights_of(pair: Pair, config: SmallConfig) -> Float32[np.ndarray, "t h w"]:
    """How much each pixel counts: more where an effect was, less where other frames show the answer anyway."""
    removed = pair.trimask == REMOVE
    weight = np.where(changed(pair) & ~removed, np.float32(1 + config.effect_weight), np.float32(1))
    weight = np.where(removed, np.float32(1 + config.hidden_weight), weight)
    if config.anchor and pair.sure is not None:
        weight = np.where(pair.sure == 255, np.float32(config.sure_weight), weight)
    return weight


def changed(pair: Pair) -> Bool[np.ndarray, "t h w"]:
    """Where what is to be removed can be seen: objects and their effects."""
    return np.abs(pair.input.astype(np.int16) - pair.target).max(-1) > 255 * EFFECT


def remove_small(recipe: Recipe, backbone: Small, pair: Pair) -> UInt8[np.ndarray, "t h w 3"]:
    """Removal as the engine does it: what is surely known is shown as it is."""
    condition = pair_told(backbone, pair, recipe.small)
    noise = start_noise(seeded(recipe.seed), tuple(condition.video.shape), 1).to(backbone.device)
    *_, last = sample(backbone.denoiser(condition), noise, backbone.schedule.moves(recipe.validation.steps))
    found = from_levels(backbone.decode(last.latents[0]).permute(0, 2, 3, 1).numpy(), np.dtype(np.uint8))
    if not recipe.small.anchor or pair.known is None or pair.sure is None:
        return found
    return np.where(pair.sure[..., None] == 255, pair.known, found)


def exporter(sizes: SmallSizes) -> Callable[[Mapping[str, Tensor], Mapping[str, str], Path], Path]:
    """Writes the file that the engine reads into a folder."""

    def export(tensors: Mapping[str, Tensor], words: Mapping[str, str], folder: Path) -> Path:
        return write_small_network(folder, tensors, sizes, words)

    return export
