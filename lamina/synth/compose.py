"""From ground and cards to pictures, layer by layer, in such a way that the layers make the picture again."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from lamina.synth.effects import Cast, cast, seen, veil_seen
from lamina.synth.ground import Ground, lay_ground
from lamina.synth.stage import Stage

TINY = 1e-6


@dataclass(frozen=True, eq=False)
class Drawn:
    """One object in `f` frames."""

    card: Float[Tensor, "f 4 h w"]
    """Premultiplied RGBA."""
    shadow: Float[Tensor, "f 3 h w"]
    light: Float[Tensor, "f 3 h w"]
    veil: Float[Tensor, "f 1 h w"] | None
    tint: Float[Tensor, "f 3 1 1"]
    """Colour of the veil."""
    solo: Float[Tensor, "f 3 h w"]


@dataclass(frozen=True, eq=False)
class Lit:
    """The ground after some objects: how much light of each kind is left, and what has been added."""

    passes: tuple[Tensor, ...]
    """Per lamp, `f h w`."""
    open_sky: Tensor
    clear: Tensor | None
    """Share of the mirrored backdrop that no mirrored object hides, `f 1 h w`."""
    images: Tensor | None
    """Mirrored objects as they are seen, `f 3 h w`."""
    glow: Tensor | None


@dataclass(frozen=True, eq=False)
class Set:
    """The empty scene with its scenery."""

    ground: Ground
    lit: Lit
    scenery: Tensor | None
    """Premultiplied colour of the scenery, `f 3 h w`; what is behind it is already taken out of the ground."""


def draw(stage: Stage) -> Iterator[Float[Tensor, "f 3 h w"] | Drawn]:
    """The plate, then every object back to front, then the picture."""
    base = _set_scenery(stage, lay_ground(stage))
    plate = _picture(stage, base, base.lit).clamp_max(1)
    yield plate
    lit, below, fronts = base.lit, plate, []
    for slot in range(stage.order.shape[1]):
        effect = cast(stage, base.ground, stage.cards, slot)
        light = _light(base.ground, effect)
        lit = _after(lit, effect, base.ground)
        full = _picture(stage, base, lit)
        ground = full.clamp_max(1)
        # What would pass white is taken from the light, so that the parts still make the picture.
        light = (light - (full - ground)).clamp_min(0)
        shadow = ((ground - light) / below.clamp_min(TINY)).clamp(0, 1)
        alone = ground if slot == 0 else _picture(stage, base, _after(base.lit, effect, base.ground)).clamp_max(1)
        front = (
            seen(stage.rays, stage.exposure, stage.cards, slot),
            veil_seen(stage.rays, stage.cards, slot),
            (stage.cards.veil[:, slot, 1:4, None, None] * stage.exposure).clamp(0, 1),
        )
        yield Drawn(front[0], shadow, light, front[1], front[2], _in_front(alone, *front))
        below = ground
        fronts.append(front)
    for front in fronts:
        below = _in_front(below, *front)
    yield below


def _picture(stage: Stage, base: Set, lit: Lit) -> Tensor:
    """The ground under this light, as displayed: linear light by its square root."""
    lamps = stage.lamps
    light = lamps.ambient[..., None, None] * lit.open_sky[:, None]
    full = lamps.ambient[..., None, None]
    for lamp, (passing, fall) in enumerate(zip(lit.passes, base.ground.falls, strict=True)):
        colour = lamps.colour[:, lamp, :, None, None]
        light = light + (passing * fall)[:, None] * colour
        full = full + fall[:, None] * colour
    factor = (light / full).sqrt()
    picture = base.ground.matte * (factor if lit.glow is None else factor + lit.glow)
    if lit.clear is not None and base.ground.mirrored is not None and lit.images is not None:
        picture = picture + base.ground.mirrored * lit.clear + lit.images
    return picture if base.scenery is None else picture + base.scenery


def _after(lit: Lit, effect: Cast, ground: Ground) -> Lit:
    """The ground after one more object. A lamp's light that is gone cannot be taken away again."""
    passes = tuple(a * b for a, b in zip(lit.passes, effect.passes, strict=True))
    # Beside the feet some light of the lamps is lost too, because they are not points.
    passes = tuple(passing * (0.5 + 0.5 * effect.open_sky) for passing in passes)
    clear, images, glow = lit.clear, lit.images, lit.glow
    if effect.image is not None and clear is not None and images is not None:
        hides = 1 - effect.image[:, 3:]
        clear, images = clear * hides, images * hides + _image_light(ground, effect)
    if effect.glow is not None:
        glow = effect.glow if glow is None else glow + effect.glow
    return Lit(passes, lit.open_sky * effect.open_sky, clear, images, glow)


def _light(ground: Ground, effect: Cast) -> Tensor:
    light = torch.zeros_like(ground.matte) if effect.image is None else _image_light(ground, effect)
    return light if effect.glow is None else light + ground.matte * effect.glow


def _image_light(ground: Ground, effect: Cast) -> Tensor:
    assert effect.image is not None and ground.share is not None
    return effect.image[:, :3] * ground.share[:, None]


def _in_front(below: Tensor, card: Tensor, veil: Tensor | None, tint: Tensor) -> Tensor:
    picture = card[:, :3] + below * (1 - card[:, 3:])
    return picture if veil is None else torch.lerp(picture, tint.expand_as(picture), veil.expand_as(picture))


def _set_scenery(stage: Stage, ground: Ground) -> Set:
    """Put scenery in its place: it casts shadows, is mirrored, and hides what is behind it."""
    bare = torch.ones_like(ground.x)
    clear = None if ground.share is None else bare[:, None]
    images = None if ground.share is None else torch.zeros_like(ground.matte)
    lit = Lit((bare,) * len(ground.falls), bare, clear, images, None)
    count = stage.scenery.side.shape[1]
    if not count:
        return Set(ground, lit, None)
    scenery, open_ = torch.zeros_like(ground.matte), bare[:, None]
    for slot in range(count):
        lit = _after(lit, replace(cast(stage, ground, stage.scenery, slot), glow=None), ground)
        card = seen(stage.rays, stage.exposure, stage.scenery, slot)
        scenery, open_ = card[:, :3] + scenery * (1 - card[:, 3:]), open_ * (1 - card[:, 3:])
    ground = replace(
        ground,
        matte=ground.matte * open_,
        mirrored=None if ground.mirrored is None else ground.mirrored * open_,
        share=None if ground.share is None else ground.share * open_[:, 0],
    )
    images = None if lit.images is None else lit.images * open_
    return Set(ground, replace(lit, images=images), scenery)
