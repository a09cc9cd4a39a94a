"""Scenes of one size and one number of objects as tensors on a device, sample by sample and frame by frame."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from lamina.synth.atlas import pack
from lamina.synth.camera import Rays, rays, seen_at
from lamina.synth.scene import Actor, Scene
from lamina.synth.silhouettes import SPAN, paint, part_colours, puffs, smear
from lamina.synth.textures import Sky, Surface, noise_tile, paint_skies, paint_surfaces

TILE_PX, PATCH_PX, VEIL_PX = 256, 64, 32
LONGEST_SMEAR = 0.16
"""Of a card; further the edge of the card would be reached."""
OUT_OF_SIGHT = (0.0, -500.0, 5.0)
"""Where cards stand that a scene does not have, in a batch where others do."""


@dataclass(frozen=True, eq=False)
class Cards:
    """`f n` cards on their way through the world."""

    atlas: tuple[Tensor, ...]
    """One `f 4 height width` for each of the n."""
    size: int
    place: Float[Tensor, "f n 3"]
    side: Float[Tensor, "f n"]
    glow: Float[Tensor, "f n 3"]
    veil: Float[Tensor, "f n 8"]
    puffs: tuple[Tensor, ...]
    """One `f 1 height width` for each of the n; empty where no card has a veil."""


@dataclass(frozen=True, eq=False)
class Lamps:
    """Lamps of `f` frames; those a scene does not have are black."""

    ambient: Float[Tensor, "f 3"]
    position: Float[Tensor, "f l 4"]
    colour: Float[Tensor, "f l 3"]
    softness: Float[Tensor, "f l"]


@dataclass(frozen=True, eq=False)
class Stage:
    """Some frames, `f` = samples x frames, with all that is needed to draw them."""

    rays: Rays
    samples: int
    seconds: Float[Tensor, "f 1 1"]
    exposure: Float[Tensor, "f 1 1 1"]
    lamps: Lamps
    ground: Tensor
    """`b 3 H W` atlas of the ground, by sample and not by frame."""
    view: Tensor
    """`b 3 H W` atlas of the backdrop."""
    patches: Tensor
    """`b 1 H W` atlas of cloudy noise."""
    floor: Float[Tensor, "f 7 1 1"]
    """tile, reflects, roughness, puddles, ripples, wind, water."""
    backdrop: Float[Tensor, "f 6 1 1"]
    """distance, tile across, tile up, wind, haze, sky."""
    horizon: Float[Tensor, "f 3 1 1"]
    movie: Tensor | None
    """`f 3 h w` where backdrops are clips."""
    shows_movie: Bool[Tensor, "f 1 1 1"]
    cards: Cards
    scenery: Cards
    order: Int[Tensor, "f n"]
    """Cards of the stage are listed back to front in every frame; this is which object each of them is, on the CPU."""


def set_stage(
    scenes: list[Scene], start: int, stop: int, painted: tuple[Tensor, Tensor, Tensor], device: torch.device
) -> Stage:
    """Frames start..stop-1 of scenes that have the same size and the same number of objects."""

    def by_frame(values: list[np.ndarray]) -> Tensor:
        return _tensor(np.concatenate([value[start:stop] for value in values]), device)

    def by_sample(values: list) -> Tensor:
        return _tensor(np.repeat(np.stack(values), stop - start, 0), device)

    cameras = [scene.camera for scene in scenes]
    seen = rays(by_frame([c.position for c in cameras]), by_frame([c.angles for c in cameras]),
                by_frame([c.focal for c in cameras]), scenes[0].height, scenes[0].width)  # fmt: skip
    seconds = _tensor(np.tile(np.arange(start, stop), len(scenes)) / np.repeat([s.rate for s in scenes], stop - start),
                      device)  # fmt: skip
    lamps = _lamps(scenes, by_sample)
    order = np.stack([np.stack([actor.place[:, 2] for actor in scene.actors], 1) for scene in scenes])[:, start:stop]
    order = np.argsort(-order, axis=2, kind="stable").reshape(-1, order.shape[2])
    movie, shows = _movies(scenes, start, stop, device)
    build = lambda actors, ranks: _cards(scenes, actors, ranks, (start, stop), lamps, seconds, device)  # noqa: E731
    most = max(len(scene.scenery) for scene in scenes)
    return Stage(
        seen, len(scenes), seconds[:, None, None], by_frame([s.exposure for s in scenes])[:, None, None, None], lamps,
        *painted,
        by_sample([[f.tile_m, f.reflects, f.roughness, f.puddles, f.ripples, f.wind, f.kind == "water"]
                   for f in (scene.floor for scene in scenes)])[..., None, None],
        by_sample([_backdrop(scene) for scene in scenes])[..., None, None],
        by_sample([_horizon(scene) for scene in scenes])[..., None, None],
        movie, shows,
        build([scene.actors for scene in scenes], order),
        build([_filled(scene, most) for scene in scenes], np.tile(np.arange(most), (len(seconds), 1))),
        torch.from_numpy(order),
    )  # fmt: skip


def paint_scenes(scenes: list[Scene], device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Ground, backdrop and patches of every sample as atlases."""
    grounds = paint_surfaces([scene.floor.surface for scene in scenes], TILE_PX, device)
    views = torch.empty_like(grounds)
    for kind, painter in ((Surface, paint_surfaces), (Sky, paint_skies)):
        which = [place for place, scene in enumerate(scenes) if isinstance(scene.backdrop.view, kind)]
        if which:
            views[which] = painter([scenes[place].backdrop.view for place in which], TILE_PX, device)  # type: ignore
    lattices = [np.stack([scene.floor.surface.noise[octave] for scene in scenes]) for octave in (1, 2)]
    noise = [noise_tile(_tensor(lattice, device), PATCH_PX) for lattice in lattices]
    return pack(grounds, True), pack(views, True), pack((noise[0] + 0.5 * noise[1])[:, None], True)


def _lamps(scenes: list[Scene], by_sample: Callable[[list], Tensor]) -> Lamps:
    count = max(len(scene.lamps) for scene in scenes)
    # A lamp that is missing has no colour, but is somewhere.
    place = np.tile([0.0, 1.0, -1.0, 0.0], (len(scenes), count, 1))
    colour, soft = np.zeros((len(scenes), count, 3)), np.ones((len(scenes), count))
    for row, scene in enumerate(scenes):
        for column, lamp in enumerate(scene.lamps):
            place[row, column], colour[row, column], soft[row, column] = lamp.position, lamp.colour, lamp.softness
    return Lamps(by_sample([s.ambient for s in scenes]), by_sample([*place]), by_sample([*colour]), by_sample([*soft]))


def _backdrop(scene: Scene) -> list[float]:
    back = scene.backdrop
    sky = isinstance(back.view, Sky) or back.movie is not None
    return [back.distance, back.tile_m, back.tile_m * (0.42 if sky else 1.0), back.wind, back.haze, float(sky)]


def _horizon(scene: Scene) -> np.ndarray:
    return scene.backdrop.view.colours[0]


def _movies(scenes: list[Scene], start: int, stop: int, device: torch.device) -> tuple[Tensor | None, Tensor]:
    shows = np.repeat([scene.backdrop.movie is not None for scene in scenes], stop - start)
    given = [scene.backdrop.movie for scene in scenes if scene.backdrop.movie is not None]
    if not given:
        return None, torch.from_numpy(shows).to(device)[:, None, None, None]
    blank = np.zeros((stop - start, *given[0].shape[1:]), np.float32)
    frames = []
    for scene in scenes:
        movie = scene.backdrop.movie
        part = blank if movie is None else movie[start:stop]
        picture = torch.from_numpy(part).to(device)
        frames.append(torch.nn.functional.interpolate(picture, given[0].shape[2:], mode="bilinear"))
    return torch.cat(frames), torch.from_numpy(shows).to(device)[:, None, None, None]


def _filled(scene: Scene, most: int) -> tuple[Actor | None, ...]:
    return (*scene.scenery, *(None,) * (most - len(scene.scenery)))


def card_px(height: int) -> int:
    """Pixels of a card's side for pictures of this height: objects fill at most four fifths of them."""
    return max(32, round(height * 0.75 / 32) * 32)


def _cards(
    scenes: list[Scene], actors: list, ranks: np.ndarray, span: tuple[int, int], lamps: Lamps, seconds: Tensor,
    device: torch.device,
) -> Cards:  # fmt: skip
    """Cards of the actors of every scene, put in order by `ranks` (`f n`)."""
    size, frames = card_px(scenes[0].height), span[1] - span[0]
    count = ranks.shape[1]
    if not count:
        empty = torch.zeros(len(seconds), 0, device=device)
        return Cards((), size, empty[..., None].expand(-1, -1, 3), empty, empty[..., None].expand(-1, -1, 3),
                     empty[..., None].expand(-1, -1, 8), ())  # fmt: skip
    flat = [actor for cast in actors for actor in cast]
    there = next(actor for actor in flat if actor is not None)
    known = [there if actor is None else actor for actor in flat]
    rows = (np.repeat(np.arange(len(scenes)), frames)[:, None] * count + ranks).reshape(-1)
    moment = np.repeat(np.tile(np.arange(*span), len(scenes)), count)
    take = lambda values: np.stack(values)[rows, moment]  # noqa: E731
    capsules, outline, waves = (_tensor(take([getattr(actor.pose, part) for actor in known]), device)
            for part in ("capsules", "outline", "waves"))  # fmt: skip
    row = torch.from_numpy(rows).to(device)
    own = lambda values: _tensor(np.stack(values), device)[row]  # noqa: E731
    place = _tensor(take([actor.place for actor in known]), device)
    missing = own([float(actor is None) for actor in flat])[:, None] > 0
    place = torch.where(missing, place.new_tensor(OUT_OF_SIGHT), place)
    facing = own([actor.facing for actor in known])
    colours = part_colours(own([actor.palette for actor in known]), own([actor.pose.groups for actor in known]).long())
    skin = paint_surfaces([actor.skin for actor in known], size // 2, device)[row]
    card = paint(capsules, outline, waves, facing, colours, skin, _directions(lamps, place, count))
    card = _with_cutouts(card, known, rows)
    if any(scene.shutter for scene in scenes):
        smears = _tensor(take(_smears(scenes, actors, there, size)), device)
        card = smear(card, smears)
    atlas = pack(card, wrap=False)
    split = lambda values: values.view(-1, count, *values.shape[1:])  # noqa: E731
    veil = own([actor.veil for actor in known])
    cloud = ()
    if any(actor.veil[0] for actor in known):
        made = puffs(veil, seconds.repeat_interleave(count), facing, VEIL_PX)
        cloud = split(pack(made, wrap=False)).unbind(1)
    return Cards(split(atlas).unbind(1), size, split(place), split(own([actor.side for actor in known])),
                 split(own([actor.glow for actor in known])), split(veil), cloud)  # fmt: skip


def _directions(lamps: Lamps, place: Tensor, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """Ambient light, unit vectors to the lamps, and their light as it meets a surface that faces them."""
    ambient, position, colour = (
        values.repeat_interleave(count, 0) for values in (lamps.ambient, lamps.position, lamps.colour)
    )
    middle = place + place.new_tensor([0.0, 0.5, 0.0])
    towards = position[..., :3] - position[..., 3:] * middle[:, None]
    towards = towards / towards.norm(dim=2, keepdim=True).clamp_min(1e-6)
    return ambient, towards, colour / towards[..., 1:2].clamp_min(0.45)


def _with_cutouts(card: Tensor, known: list[Actor], rows: np.ndarray) -> Tensor:
    for row, actor in enumerate(known):
        if actor.cutout is not None:
            card[torch.from_numpy(rows == row)] = _given_card(actor, card)
    return card


def _given_card(actor: Actor, like: Tensor) -> Tensor:
    size = like.shape[-1]
    inner = round(size / SPAN)
    rgba = torch.from_numpy(actor.cutout).to(like)[None]
    rgba = torch.cat([rgba[:, :3] * rgba[:, 3:], rgba[:, 3:]], 1)
    rgba = torch.nn.functional.interpolate(rgba, (inner, inner), mode="bilinear", antialias=True)
    rim = (size - inner) // 2
    return torch.nn.functional.pad(rgba, (rim, size - inner - rim, size - inner - rim, rim))[0]


def _smears(scenes: list[Scene], actors: list, there: Actor, size: int) -> list[np.ndarray]:
    """How far every actor moves over its card while the shutter is open, `t 2` in card pixels."""
    found = []
    for scene, cast in zip(scenes, actors, strict=True):
        for actor in cast:
            actor = there if actor is None else actor
            at = seen_at(scene.camera, actor.place + np.array([0.0, 0.5 * actor.side, 0.0]))
            step = np.gradient(at, axis=0) if len(at) > 1 else np.zeros_like(at)
            depth = np.maximum(actor.place[:, 2] - scene.camera.position[:, 2], 0.5) / scene.camera.focal
            way = step * (scene.shutter * depth / actor.side * size / SPAN)[:, None]
            length = np.linalg.norm(way, axis=1, keepdims=True)
            found.append(way * np.minimum(1, LONGEST_SMEAR * size / np.maximum(length, 1e-6)))
    return found


def _tensor(values: np.ndarray, device: torch.device) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32)).to(device)
