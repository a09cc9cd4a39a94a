"""Endless training clips with a truth for everything: a 2.5-D renderer on tensors.

    samples = stream(SpriteConfig(frames=24), seed=1)
    sample = next(samples)          # input, plate, solos, masks, objects, effects, order

What every picture consists of, `flatten_sample` puts together again:

    ground = plate;  for every object back to front:  ground = ground * shadow + light
    picture = ground; for every object back to front:  picture = over(object, picture), then over(veil, picture)

A shadow lies on the ground, not on other objects. Where shadows of one lamp overlap, light is missing once only: the
object in front has in `shadows` what it takes in addition to those behind it. In its solo it has all of its shadow.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from lamina.composite import over
from lamina.errors import InputError
from lamina.synth.compose import Drawn, draw
from lamina.synth.degrade import block_codec, noise_like
from lamina.synth.drawing import draw_scene
from lamina.synth.scene import Scene, SpriteConfig, Wear
from lamina.synth.stage import Stage, paint_scenes, set_stage

Stored = Literal["float32", "float16", "uint8"]
WHITE = {"float32": 1, "float16": 1, "uint8": 255}
PIXELS_AT_ONCE = {"cpu": 1 << 18}
"""Small enough for a processor's cache; an accelerator takes `PIXELS_ELSEWHERE`."""
PIXELS_ELSEWHERE = 1 << 24
TINY = 1e-6
HALF = torch.tensor(0.5)


@dataclass(frozen=True, eq=False)
class Sample:
    """One or several clips with their truth; levels 0..1, or 0..255 in uint8. n objects, listed as in the scene.

    Objects that a clip of a batch does not have are empty: alpha 0, shadow 1, light 0, solo = plate.
    """

    input: Tensor
    """`b t 3 h w`, with wear: noise and compression as `wear` says."""
    plate: Tensor
    """`b t 3 h w`, with the same noise, and compressed as the input is."""
    solos: Tensor
    """`b n t 3 h w`, likewise: the plate with one object and all of its effects."""
    clean_input: Tensor
    """`b t 3 h w` without wear: what the parts below make of `clean_plate`."""
    clean_plate: Tensor
    masks: Tensor
    """`b n t 1 h w`: the visible part of each object, soft at its edge."""
    silhouettes: Tensor
    """`b n t 1 h w`: all of the object that is in the picture, also where another one hides it."""
    colours: Tensor
    """`b n t 3 h w`: straight colour of the objects; their alpha is `silhouettes`."""
    shadows: Tensor
    """`b n t 3 h w`: factor on the ground, 1 where there is none."""
    lights: Tensor
    """`b n t 3 h w`: added to the ground after it."""
    veils: Tensor
    """`b n t 4 h w`: splash and dust, straight RGBA in front of the object."""
    order: Tensor
    """`b t n`, int64: objects back to front, by number."""
    counts: tuple[int, ...]
    seeds: tuple[int, ...]
    wear: tuple[Wear, ...]

    def one(self, place: int) -> "Sample":
        """The clip at `place`, still with a leading axis of 1, and only the objects it has."""
        own, count = slice(place, place + 1), self.counts[place]
        parts = {f.name: getattr(self, f.name)[own] for f in fields(self)}
        for name in BY_OBJECT:
            parts[name] = parts[name][:, :count]
        parts["order"] = parts["order"][..., :count]
        return Sample(**parts)


PICTURES = {"input": 3, "plate": 3, "clean_input": 3, "clean_plate": 3}
BY_OBJECT = {"solos": 3, "masks": 1, "silhouettes": 1, "colours": 3, "shadows": 3, "lights": 3, "veils": 4}
"""Channels of each."""


def stream(
    config: SpriteConfig,
    seed: int = 0,
    device: torch.device | str = "cpu",
    stored: Stored = "float32",
    batch: int = 8,
) -> Iterator[Sample]:
    """Samples without end, one after another; sample k is made from the seed `seed + k`. Memory stays flat.

    Raises:
        InputError, MediaError: an asset of the config cannot be used.
    """
    while True:
        made = render([draw_scene(seed + k, config) for k in range(batch)], device, stored)
        for place in range(batch):
            yield made.one(place)
        seed += batch


def render(scenes: Sequence[Scene], device: torch.device | str = "cpu", stored: Stored = "float32") -> Sample:
    """Draw scenes as one batch. The same scenes give the same bytes on the same device.

    Raises:
        InputError: no scene, or scenes that differ in size or length.
    """
    _check(scenes)
    device, most = torch.device(device), max(len(scene.actors) for scene in scenes)
    made = _empty(scenes, most, device, stored)
    # Scenes with the same number of objects are drawn together: nothing is spent on objects that are not there.
    for count in sorted({len(scene.actors) for scene in scenes}):
        places = [place for place, scene in enumerate(scenes) if len(scene.actors) == count]
        at_once = _frames_at_once(scenes[0], device)
        step = max(1, at_once // scenes[0].frames)
        for first in range(0, len(places), step):
            _render_group(scenes, places[first : first + step], at_once, made)
    return _add_wear(scenes, made)


def _check(scenes: Sequence[Scene]) -> None:
    shapes = {(scene.width, scene.height, scene.frames) for scene in scenes}
    if len(shapes) != 1:
        told = ", ".join(f"{w}x{h} with {t} frames" for w, h, t in sorted(shapes)) or "no scene"
        raise InputError("sprite scenes", got=told, wanted="one size", do="Draw a batch from one SpriteConfig.")


def _frames_at_once(scene: Scene, device: torch.device) -> int:
    return max(1, PIXELS_AT_ONCE.get(device.type, PIXELS_ELSEWHERE) // (scene.width * scene.height))


def _empty(scenes: Sequence[Scene], most: int, device: torch.device, stored: Stored) -> Sample:
    first, kind = scenes[0], getattr(torch, stored)
    shape = (len(scenes), first.frames)
    room = lambda *axes: torch.empty(*axes, first.height, first.width, dtype=kind, device=device)  # noqa: E731
    pictures = {name: room(*shape, channels) for name, channels in PICTURES.items() if name.startswith("clean")}
    pictures |= {"input": pictures["clean_input"], "plate": pictures["clean_plate"]}
    parts = {name: room(shape[0], most, shape[1], channels) for name, channels in BY_OBJECT.items()}
    order = torch.arange(most, device=device).expand(*shape, most).clone()
    return Sample(**pictures, **parts, order=order, counts=tuple(len(scene.actors) for scene in scenes),
                  seeds=tuple(scene.seed for scene in scenes), wear=tuple(scene.wear for scene in scenes))  # fmt: skip


def _render_group(scenes: Sequence[Scene], places: list[int], at_once: int, made: Sample) -> None:
    group, device = [scenes[place] for place in places], made.order.device
    painted = paint_scenes(group, device)
    step = max(1, at_once // len(group))
    for start in range(0, group[0].frames, step):
        stop = min(start + step, group[0].frames)
        _render_frames(set_stage(group, start, stop, painted, device), made, places, slice(start, stop))
    for name in BY_OBJECT if made.solos.shape[1] > len(group[0].actors) else ():
        _clear(name, made, places, len(group[0].actors))


def _clear(name: str, made: Sample, places: list[int], count: int) -> None:
    room = getattr(made, name)
    for place in places:
        if name == "solos":
            room[place, count:] = made.plate[place]
        else:
            room[place, count:] = (255 if room.dtype == torch.uint8 else 1) if name == "shadows" else 0


def _render_frames(stage: Stage, made: Sample, places: list[int], frames: slice) -> None:
    """Draw some frames and put them where they belong in the batch."""
    count, drawing = stage.order.shape[1], draw(stage)
    room = _Room(places, frames, stage.order)
    plate = next(drawing)
    assert isinstance(plate, Tensor)
    room.put_picture(made.clean_plate, plate)
    alphas: list[Tensor] = []
    for slot in range(count):
        drawn = next(drawing)
        assert isinstance(drawn, Drawn)
        alpha = drawn.card[:, 3:]
        alphas = [behind * (1 - alpha) for behind in alphas] + [alpha]
        room.put(made.silhouettes, slot, alpha)
        room.put(made.colours, slot, torch.where(alpha > TINY, drawn.card[:, :3] / alpha.clamp_min(TINY), 0))
        room.put(made.shadows, slot, drawn.shadow)
        room.put(made.lights, slot, drawn.light)
        room.put(made.solos, slot, drawn.solo)
        tint = drawn.tint.expand_as(drawn.light)
        veil = torch.zeros_like(alpha) if drawn.veil is None else drawn.veil
        room.put(made.veils, slot, torch.cat([tint, veil], 1))
    for slot, alpha in enumerate(alphas):
        room.put(made.masks, slot, alpha)
    picture = next(drawing)
    assert isinstance(picture, Tensor)
    room.put_picture(made.clean_input, picture)
    made.order[places, frames, :count] = stage.order.view(len(places), -1, count).to(made.order.device)


class _Room:
    """Where in the batch the frames of a stage go: cards are drawn back to front, objects are kept by number."""

    def __init__(self, places: list[int], frames: slice, order: Tensor):
        self._places, self._frames, self._order = places, frames, order
        self._steady = bool((order == order[:1]).all()) and len(places) == 1
        times = torch.arange(frames.start, frames.stop)
        self._rows, self._times = torch.tensor(places).repeat_interleave(len(times)), times.repeat(len(places))

    def put(self, whole: Tensor, slot: int, part: Tensor) -> None:
        part = to_stored(part, whole.dtype)
        if self._steady:
            whole[self._places[0], int(self._order[0, slot]), self._frames] = part
        else:
            where = (self._rows, self._order[:, slot], self._times)
            whole[tuple(index.to(whole.device) for index in where)] = part

    def put_picture(self, whole: Tensor, part: Tensor) -> None:
        part = to_stored(part, whole.dtype)
        whole[self._places, self._frames] = part.view(len(self._places), -1, *part.shape[1:])


def to_stored(levels: Tensor, kind: torch.dtype) -> Tensor:
    """Levels 0..1 in the number type samples are kept in."""
    # Cutting off after the decimals makes half a step above white white again.
    return torch.add(HALF, levels, alpha=255).to(kind) if kind == torch.uint8 else levels.clamp(0, 1).to(kind)


def to_levels(stored: Tensor) -> Tensor:
    """The inverse of `to_stored`, float32."""
    return stored.float() / 255 if stored.dtype == torch.uint8 else stored.float()


def _add_wear(scenes: Sequence[Scene], made: Sample) -> Sample:
    worn = [place for place, scene in enumerate(scenes) if scene.wear.noise > 0 or scene.wear.quality < 1]
    if not worn:
        return made
    made = replace(made, input=made.clean_input.clone(), plate=made.clean_plate.clone())
    for place in worn:
        scene, plate = scenes[place], to_levels(made.clean_plate[place])
        noise = noise_like(plate, scene.wear.noise, scene.seed)
        made.input[place] = _worn(made.clean_input[place], noise, scene.wear)
        made.plate[place] = _worn(made.clean_plate[place], noise, scene.wear)
        for solo in made.solos[place, : len(scene.actors)]:
            solo.copy_(_worn(solo, noise, scene.wear))
        made.solos[place, len(scene.actors) :] = made.plate[place]
    return made


def _worn(picture: Tensor, noise: Tensor, wear: Wear) -> Tensor:
    noisy = (to_levels(picture) + noise).clamp(0, 1)
    return to_stored(block_codec(noisy, wear.quality) if wear.quality < 1 else noisy, picture.dtype)


def flatten_sample(sample: Sample, plate: Float[Tensor, "b t 3 h w"] | None = None) -> Float[Tensor, "b t 3 h w"]:
    """Lay a sample's layers over its clean plate, or over another ground of its size: the clean input again."""
    ground = to_levels(sample.clean_plate if plate is None else plate)
    for slot in range(sample.order.shape[2]):
        ground = ground * _by_rank(sample.shadows, sample.order, slot) + _by_rank(sample.lights, sample.order, slot)
    for slot in range(sample.order.shape[2]):
        alpha, veil = _by_rank(sample.silhouettes, sample.order, slot), _by_rank(sample.veils, sample.order, slot)
        ground = over(_by_rank(sample.colours, sample.order, slot), alpha, ground)
        ground = over(veil[:, :, :3], veil[:, :, 3:], ground)
    return ground


def _by_rank(parts: Tensor, order: Int[Tensor, "b t n"], slot: int) -> Tensor:
    """Of every frame the part of the object that is number `slot` from the back."""
    index = order[:, None, :, slot, None, None, None].expand(-1, -1, -1, *parts.shape[3:])
    return to_levels(parts.gather(1, index)[:, 0])
