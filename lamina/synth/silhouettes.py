"""Shapes painted on cards: soft-edged, coloured, and lit from where the scene's lamps are.

A card is a square picture around a shape's unit square, `MARGIN` wider on every side, colour multiplied by alpha.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from lamina.synth.motions import CAPSULES, HARMONICS

MARGIN = 0.1
SPAN = 1 + 2 * MARGIN
BLUR_TAPS = 7


def paint(
    capsules: Float[Tensor, "o 14 6"],
    outline: Float[Tensor, "o 6"],
    waves: Float[Tensor, "o 2 8"],
    facing: Float[Tensor, " o"],
    colours: Float[Tensor, "o 15 3"],
    skin: Float[Tensor, "o 3 half half"],
    lamps: tuple[Float[Tensor, "o 3"], Float[Tensor, "o l 3"], Float[Tensor, "o l 3"]],
) -> Float[Tensor, "o 4 size size"]:
    """Cards of twice the size of `skin`, as premultiplied RGBA; the shape's parts lie over each other in their order.

    `lamps` are the ambient light, the directions to the lamps (unit vectors) and the lamps' light. Distances and
    colours are found at half size; the edge is drawn at full size, which a distance allows.
    """
    half = skin.shape[-1]
    along = ((torch.arange(half, device=skin.device) + 0.5) / half - 0.5) * SPAN
    x, y = facing[:, None] * along, (0.5 - along).expand(len(facing), -1)
    distance, lean_x, lean_y, radius = _parts(capsules, outline, waves, x, y)
    rank = torch.arange(CAPSULES + 1, device=skin.device, dtype=distance.dtype)[:, None, None]
    front = torch.where(distance < 0, rank, -1 - distance).argmax(1, keepdim=True)
    pick = lambda values: values.gather(1, front)[:, 0]  # noqa: E731
    radius = pick(radius).clamp_min(1e-3)
    light = _light(pick(lean_x) / radius * facing[:, None, None], pick(lean_y) / radius, lamps)
    albedo = colours.gather(1, front.flatten(1)[..., None].expand(-1, -1, 3)).transpose(1, 2).reshape(skin.shape)
    colour = (albedo * (skin * 2)).clamp(0.02, 0.95) * light.clamp_min(1e-4).sqrt()
    smooth = F.interpolate(
        torch.cat([colour, distance.amin(1, keepdim=True)], 1), scale_factor=2, mode="bilinear", align_corners=False
    )
    alpha = (0.5 - smooth[:, 3:] * (2 * half / SPAN)).clamp(0, 1)
    return torch.cat([smooth[:, :3].clamp(0, 1) * alpha, alpha], 1)


def _parts(
    capsules: Tensor, outline: Tensor, waves: Tensor, x: Tensor, y: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """For the outline and each capsule: signed distance, vector from its middle line, and radius there."""
    ax, ay, ra, bx, by, rb = (capsules[..., part, None, None] for part in range(6))
    long, high = bx - ax, by - ay
    from_x, from_y = x[:, None, None, :] - ax, y[:, None, :, None] - ay
    length = (long * long + high * high).clamp_min(1e-9)
    share = (from_x * (long / length) + from_y * (high / length)).clamp(0, 1)
    lean_x, lean_y = from_x - share * long, from_y - share * high
    radius = ra + share * (rb - ra)
    distance = (lean_x * lean_x + lean_y * lean_y).sqrt() - radius
    round_ = _round(outline, waves, x, y)
    joined = (torch.cat([a, b], 1) for a, b in zip(round_, (distance, lean_x, lean_y, radius), strict=True))
    return tuple(joined)  # type: ignore[return-value]


def _round(outline: Tensor, waves: Tensor, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    cx, cy, rx, ry, turn, hole = (outline[:, part, None, None] for part in range(6))
    right, above = x[:, None, :] - cx, y[:, :, None] - cy
    along, across = right * turn.cos() + above * turn.sin(), above * turn.cos() - right * turn.sin()
    along, across = along / rx, across / ry
    far = (along * along + across * across).sqrt()
    angle = torch.atan2(across, along)
    edge = torch.ones_like(far)
    for k in range(HARMONICS):
        edge = edge + waves[:, 0, k, None, None] * ((k + 1) * angle).cos()
        edge = edge + waves[:, 1, k, None, None] * ((k + 1) * angle).sin()
    size = torch.minimum(rx, ry)
    inside = (far - edge) * size
    rim = (hole * edge - far) * size
    distance = torch.where(hole > 0, torch.maximum(inside, rim), inside)
    # A ring leans out of the middle of its own width, a disc out of its centre.
    lean = torch.where(hole > 0, 2 * (far / edge - hole) / (1 - hole).clamp_min(1e-3) - 1, (far / edge) ** 2)
    scale = lean * size / far.clamp_min(1e-4)
    return distance[:, None], (scale * along)[:, None], (scale * across)[:, None], size.expand_as(far)[:, None]


def _light(lean_x: Tensor, lean_y: Tensor, lamps: tuple[Tensor, Tensor, Tensor]) -> Tensor:
    """Linear light `o 3 h w` on a rounded surface that leans right and up by these shares of 1."""
    ambient, towards, colour = lamps
    lean_x, lean_y = lean_x.clamp(-0.95, 0.95), lean_y.clamp(-0.95, 0.95)
    facing = (1 - lean_x * lean_x - lean_y * lean_y).clamp_min(0.05).sqrt()
    light = ambient[..., None, None] * (0.8 + 0.2 * lean_y)[:, None]
    for lamp in range(towards.shape[1]):
        x, y, z = (towards[:, lamp, axis, None, None] for axis in range(3))
        # Light that wraps a little around the form, as skin, cloth and leaves let it.
        fall = ((lean_x * x + lean_y * y - facing * z + 0.15) / 1.15).clamp_min(0)
        light = light + fall[:, None] * colour[:, lamp, :, None, None]
    return light


def smear(card: Float[Tensor, "o 4 s s"], along: Float[Tensor, "o 2"]) -> Float[Tensor, "o 4 s s"]:
    """Motion blur: the mean of the card over a way of `along` pixels, right and down."""
    size = card.shape[-1]
    eye = torch.eye(2, 3, device=card.device).expand(1, -1, -1)
    still = F.affine_grid(eye, [1, 1, size, size], align_corners=False)
    way = along[:, None, None] * (2 / size)
    total = torch.zeros_like(card)
    for tap in range(BLUR_TAPS):
        total += F.grid_sample(card, still + way * (tap / (BLUR_TAPS - 1) - 0.5), align_corners=False)
    return total / BLUR_TAPS


def puffs(
    veil: Float[Tensor, "o 8"], seconds: Float[Tensor, " o"], facing: Float[Tensor, " o"], size: int
) -> Float[Tensor, "o 1 {size} {size}"]:
    """Alpha of splash or dust low behind the feet, on cards too: clumps that rise, spread and thin out."""
    strength, wide, high, drift, seed = (veil[:, part, None, None] for part in (0, 4, 5, 6, 7))
    along = ((torch.arange(size, device=veil.device) + 0.5) / size - 0.5) * SPAN
    x, y = facing[:, None, None] * along, (0.5 - along)[None, :, None]
    density = torch.zeros(1, 1, 1, device=veil.device)
    for clump in range(6):
        first = torch.frac(torch.sin(seed * 12.9 + clump * 78.2) * 437.5).abs()
        age = torch.frac(seconds[:, None, None] * (0.9 + 0.3 * first) + clump / 6 + first)
        side = 1.0 if clump % 2 == 0 else -0.6
        cx = -drift * age + side * wide * (first - 0.2) * 0.7
        cy = high * (0.15 + 2.4 * age * (1 - 0.55 * age)) * (0.5 + first)
        spread = (0.2 + 0.5 * age) * high + 0.015
        reach = ((x - cx) / (wide * 0.5 * (0.4 + age))) ** 2 + ((y - cy) / spread) ** 2
        density = density + (1 - age) * (age * 8).clamp(0, 1) * torch.exp(-2 * reach)
    # Nothing of it is below the ground or at the edges of the card.
    fade = ((y + 0.02) * 25).clamp(0, 1) * ((0.5 * SPAN - 0.02 - along.abs()) * 12).clamp(0, 1)
    return (strength * (1 - torch.exp(-1.6 * density)) * fade)[:, None]


def part_colours(palette: Float[Tensor, "o 4 3"], groups: Int[Tensor, "o 15"]) -> Float[Tensor, "o 15 3"]:
    """The colour of the outline and of every capsule; `groups` names the outline last, as a pose does."""
    order = torch.cat([groups[:, -1:], groups[:, :-1]], 1)
    return palette.gather(1, order[..., None].expand(-1, -1, 3))
