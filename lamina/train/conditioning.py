"""What Casper is told of a pair while it is trained, and what is at times withheld from it.

The switches that the paper studies are here too: black where objects were, binary masks.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float, UInt8
from torch import Tensor

from lamina.backbones.interface import Condition, Geometry, Trainable
from lamina.levels import to_levels
from lamina.masks.trimask import KEEP, REMOVE, UNKNOWN
from lamina.synth.augment import take_frames
from lamina.synth.pair import Pair
from lamina.train.recipe import ConditioningConfig
from lamina.train.task import Chance

EmbedText = Callable[[str], Float[Tensor, "tokens d"]]


def told(
    backbone: Trainable, embed_text: EmbedText, pair: Pair, config: ConditioningConfig, chance: Chance
) -> Condition:
    """The condition of a pair, at times without prompt, first frame or clip.

    The first frame is that of the target, as the published networks were trained; removal tells them the input's.
    """
    withheld = config.prompt_dropped, config.image_dropped, config.blind
    no_prompt, no_image, blind = (bool(b) for b in chance.numbers.random(3) < withheld)
    text = embed_text("" if no_prompt else pair.caption or config.prompt)
    image = None if no_image else backbone.embed_image(frames_of(pair.target[:1])[0])
    frames = frames_of(pair.input).to(backbone.device)
    condition = backbone.training_condition(frames, pair.trimask, text, image, chance.noise)
    if blind and (pair.trimask == REMOVE).all():
        return replace(condition, mask=torch.zeros_like(condition.mask), video=torch.zeros_like(condition.video))
    return condition


def frames_of(pictures: UInt8[np.ndarray, "t h w 3"]) -> Float[Tensor, "t 3 h w"]:
    """As backbones take them, 0..1."""
    return rearrange(torch.from_numpy(to_levels(pictures)), "t h w c -> t c h w").contiguous()


def as_asked(pair: Pair, config: ConditioningConfig) -> Pair:
    """The pair with the masks and the input that a network is to be shown; in training as in validation."""
    if config.masks == "binary":
        pair = replace(pair, trimask=np.where(pair.trimask == UNKNOWN, np.uint8(KEEP), pair.trimask))
    if config.removed == "zeroed":
        pair = replace(pair, input=np.where(pair.trimask[..., None] == REMOVE, np.uint8(0), pair.input))
    return pair


def maybe_shorter(pair: Pair, config: ConditioningConfig, geometry: Geometry, chance: Chance) -> Pair:
    """At times the first frames of the pair only, as many as the network can take."""
    step = geometry.latent_multiple
    lengths = [geometry.frames(k) for k in range(step, geometry.latent_frames(len(pair.input)) + 1, step)]
    cut, which = chance.numbers.random() < config.shorter, chance.numbers.integers(len(lengths))
    return take_frames(pair, 0, lengths[which]) if cut else pair
