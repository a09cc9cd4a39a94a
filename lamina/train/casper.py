"""Casper as a learner: its loss, its removal for validation, and where it is started from.

Generative Omnimatte (Lee et al., CVPR 2025) and its public implementation: CogVideoX learns a velocity v at timesteps
of a diffusion, all as likely; Wan the velocity of a flow, on a grid whose noise is shifted.
"""

from collections.abc import Sequence
from functools import cache, partial
from typing import Any

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from lamina.backbones.interface import Trainable
from lamina.errors import InputError
from lamina.levels import from_levels
from lamina.sampling import sample, seeded, start_noise
from lamina.schedule import Level, Schedule
from lamina.synth.pair import Pair
from lamina.train.conditioning import EmbedText, as_asked, frames_of, maybe_shorter, told
from lamina.train.export import exporter
from lamina.train.lora import add_lora, load_lora
from lamina.train.recipe import Recipe
from lamina.train.start import Start
from lamina.train.task import Example, Learner, Losses


def casper_learner(recipe: Recipe, start: Start) -> Learner:
    """Get a backbone ready to be trained as the recipe says.

    Raises:
        InputError: pairs of this size do not fit the backbone, or it cannot be trained this way.
        WeightsError: a LoRA to start from is of another rank.
    """
    backbone = start.backbone
    check_size(recipe, backbone)
    network = backbone.transformer.requires_grad_(False).train()
    if recipe.method == "lora":
        add_lora(network, recipe.lora, recipe.seed)
        load_lora(network, start.lora, start.names, recipe.lora)
    else:
        network.float().requires_grad_(True)
    if recipe.checkpointing:
        network.enable_gradient_checkpointing()
    embed_text = remembered(backbone)
    return Learner(
        network=network,
        blocks=blocks_of(network),
        connect=backbone.with_network,
        step=partial(casper_step, recipe, embed_text),
        remove=partial(remove, recipe, embed_text),
        export=exporter(recipe, start),
        record=dict(backbone.record),
    )


def check_size(recipe: Recipe, backbone: Trainable) -> None:
    """Raise InputError when the network cannot take pairs of the recipe's size."""
    data, geometry = recipe.data, backbone.geometry
    latents = geometry.latent_frames(data.frames)
    multiple = geometry.size_multiple
    if (
        geometry.frames(latents) == data.frames
        and latents % geometry.latent_multiple == 0
        and data.height % multiple == data.width % multiple == 0
    ):
        return
    step = geometry.temporal * geometry.latent_multiple
    raise InputError(
        "recipe: data",
        got=f"{data.frames} frames of {data.width}x{data.height}",
        wanted=f"{geometry.frames(geometry.latent_multiple)} frames, or {step} k more; sides that {multiple} divides",
        do=f"{recipe.model} was published with {geometry.window_frames} frames.",
    )


def blocks_of(network: nn.Module) -> tuple[type[nn.Module], ...]:
    """The kinds of parts that diffusers says belong together."""
    names = getattr(network, "_no_split_modules", None) or ()
    return tuple({type(module) for module in network.modules() if type(module).__name__ in names})


def remembered(backbone: Trainable) -> EmbedText:
    """The backbone's text encoder, asked once for each prompt."""

    @cache
    def embed(prompt: str) -> Tensor:
        return backbone.embed_text(prompt).cpu()

    return embed


def casper_step(recipe: Recipe, embed_text: EmbedText, backbone: Trainable, examples: Sequence[Example]) -> Losses:
    """The mean loss of some examples, each through the network by itself."""
    levels = train_levels(backbone.schedule)
    drawn = [draw_level(levels, example, recipe.conditioning.strata) for example in examples]
    losses = [
        casper_loss(recipe, embed_text, backbone, example, level)
        for example, level in zip(examples, drawn, strict=True)
    ]
    total = torch.stack(losses).mean()
    return Losses(total, {"noise": torch.tensor([level.noise for level in drawn]).mean()})


@cache
def train_levels(schedule: Schedule) -> tuple[Level, ...]:
    return schedule.train_levels()


def draw_level(levels: Sequence[Level], example: Example, strata: int) -> Level:
    """A level of the part of all levels whose turn it is at the example's place.

    The published code gives each of its processes one part; with as many parts as it has processes this is the same.
    """
    part, count = example.place % strata, len(levels)
    return levels[int(example.chance.numbers.integers(part * count // strata, (part + 1) * count // strata))]


def casper_loss(
    recipe: Recipe, embed_text: EmbedText, backbone: Trainable, example: Example, level: Level
) -> Float[Tensor, ""]:
    """How far the network's answer is from what it should say, for one pair."""
    config, chance = recipe.conditioning, example.chance
    pair = maybe_shorter(as_asked(example.pair, config), config, backbone.geometry, chance)
    condition = told(backbone, embed_text, pair, config, chance)
    clean = backbone.encode(frames_of(pair.target), chance.noise).float()
    gauss = chance.noise(clean.shape).to(clean)
    answer = backbone.answer((level.signal * clean + level.noise * gauss)[None], level, condition)[0]
    return squared_error(answer.float(), backbone.schedule.answer(clean, gauss, level), config.most_difference).mean()


def squared_error(
    answer: Float[Tensor, "*s"], wanted: Float[Tensor, "*s"], most_difference: float | None
) -> Float[Tensor, "*s"]:
    """Of every number; 0 where they differ by more than that."""
    error = torch.square(answer - wanted)
    return error if most_difference is None else error * ((answer - wanted).abs() <= most_difference)


def remove(recipe: Recipe, embed_text: EmbedText, backbone: Trainable, pair: Pair) -> UInt8[np.ndarray, "t h w 3"]:
    """Removal as a user would have it done, in few steps; the same noise whenever it is called."""
    pair = as_asked(pair, recipe.conditioning)
    frames = frames_of(pair.input)
    text, image = embed_text(pair.caption or recipe.conditioning.prompt), backbone.embed_image(frames[0])
    condition = backbone.condition(frames, [pair.trimask], text, image, seeded(recipe.seed))
    noise = start_noise(seeded(recipe.seed), tuple(condition.video.shape), 1).to(backbone.device)
    *_, last = sample(backbone.denoiser(condition), noise, backbone.schedule.moves(recipe.validation.steps))
    levels: Any = rearrange(backbone.decode(last.latents[0]), "t c h w -> t h w c").numpy()
    return from_levels(levels, np.dtype(np.uint8))
