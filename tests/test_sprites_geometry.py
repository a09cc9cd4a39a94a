"""Rays, planes, shadows, look-ups and shapes against slow twins and against what must be true of them."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lamina.synth.atlas import level_count, look_up, look_up_level, pack
from lamina.synth.camera import rays, seen_at
from lamina.synth.degrade import block_codec, noise_like
from lamina.synth.drawing import draw_scene
from lamina.synth.effects import cast, occluded, seen
from lamina.synth.ground import lay_ground
from lamina.synth.motions import SHAPES, Gait
from lamina.synth.scene import CameraPath, SpriteConfig
from lamina.synth.silhouettes import MARGIN
from lamina.synth.stage import Lamps, paint_scenes, set_stage
from tests.twins.sprites_slow import hit_slow, ray_slow, read_slow, shadow_slow

ANGLES = st.tuples(st.floats(-0.5, 0.5), st.floats(-0.6, 0.3), st.floats(-0.2, 0.2))
CPU = torch.device("cpu")


def chance(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def stage_of(seed: int, **changes):
    scene = replace(draw_scene(seed, SpriteConfig(width=64, height=40, frames=3, objects=(1, 2))), **changes)
    return scene, set_stage([scene], 0, 3, paint_scenes([scene], CPU), CPU)


@given(ANGLES, st.floats(0.7, 1.4))
def test_rays_are_those_of_a_turned_camera(angles, focal):
    made = rays(torch.zeros(1, 3), torch.tensor([angles]), torch.tensor([focal]), 8, 12)
    for column, row in ((0, 0), (11, 7), (5, 2)):
        direction = ray_slow(np.array(angles), focal, column, row, 12, 8)
        wanted = direction[:2] / direction[2]
        np.testing.assert_allclose([made.across[0, row, column], made.up[0, row, column]], wanted, atol=1e-5)


@given(ANGLES, st.floats(0.7, 1.4))
def test_a_point_is_seen_where_its_ray_goes(angles, focal):
    path = CameraPath(np.array([[0.3, 1.5, -0.2]]), np.array([angles]), np.array([focal]))
    direction = ray_slow(np.array(angles), focal, 9, 3, 12, 8)
    at = seen_at(path, path.position + 4.0 * direction)[0]
    np.testing.assert_allclose(at, [(9.5 - 6) / 12, (3.5 - 4) / 12], atol=1e-9)


@settings(max_examples=20)
@given(st.integers(0, 10_000))
def test_pixels_lie_where_rays_hit_ground_and_backdrop(seed):
    scene, stage = stage_of(seed)
    ground, camera = lay_ground(stage), scene.camera
    for column, row in ((3, 36), (60, 30), (32, 20), (10, 2)):
        start = camera.position[1]
        direction = ray_slow(camera.angles[1], camera.focal[1], column, row, scene.width, scene.height)
        wall = hit_slow(start, direction, 2, scene.backdrop.distance)
        assert wall is not None
        point = wall if wall[1] >= 0 else hit_slow(start, direction, 1, 0.0)
        assert point is not None
        found = [float(values[1, row, column]) for values in (ground.x, ground.y, ground.z)]
        np.testing.assert_allclose(found, point, rtol=2e-3, atol=2e-3)


@settings(max_examples=30)
@given(st.floats(-1.4, 2.4), st.floats(-1.4, 2.4), st.booleans())
def test_a_look_up_reads_between_pixels(u, v, wrap):
    tile = chance(1, 2, 16, 16)
    grid_u, grid_v = torch.full((1, 1, 1), u), torch.full((1, 1, 1), v)
    found = look_up(pack(tile, wrap), 16, grid_u, grid_v, torch.zeros(1, 1, 1), wrap)[0, :, 0, 0]
    np.testing.assert_allclose(found, read_slow(tile[0].numpy().astype(np.float64), u, v, wrap), atol=2e-4)


@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize("wrap", [True, False])
def test_every_level_of_an_atlas_is_read_in_its_place(level, wrap):
    tile = chance(1, 3, 32, 32)
    halved = torch.nn.functional.avg_pool2d(tile, 2**level)[0].numpy().astype(np.float64)
    u, v = chance(1, 4, 4, seed=1), chance(1, 4, 4, seed=2)
    found = look_up_level(pack(tile, wrap), 32, u, v, level, wrap)[0]
    wanted = [[read_slow(halved, float(u[0, y, x]), float(v[0, y, x]), wrap) for x in range(4)] for y in range(4)]
    np.testing.assert_allclose(found.permute(1, 2, 0), wanted, atol=2e-4)


def test_more_blur_goes_on_between_levels():
    packed = pack(chance(1, 1, 32, 32), True)
    assert level_count(32) == 4
    u, v = chance(1, 8, 8, seed=1), chance(1, 8, 8, seed=2)
    half = look_up(packed, 32, u, v, torch.full((1, 1, 1), 1.5), True)
    sides = [look_up_level(packed, 32, u, v, level, True) for level in (1, 2)]
    torch.testing.assert_close(half, (sides[0] + sides[1]) / 2, atol=1e-5, rtol=0)


@settings(max_examples=20)
@given(st.integers(0, 10_000), st.floats(-1.0, 1.0), st.floats(0.4, 1.1), st.sampled_from([-1.0, 1.0]), st.booleans())
def test_a_hard_shadow_is_found_by_walking_to_the_lamp(seed, azimuth, height, side, near):
    _, stage = stage_of(seed)
    lamp = np.array([np.sin(azimuth) * np.cos(height), np.sin(height), side * np.cos(azimuth) * np.cos(height), 0.0])
    if near:
        lamp = np.array([2.0 * azimuth, 4.0, -1.0, 1.0])
    lamps = Lamps(stage.lamps.ambient, torch.tensor(lamp, dtype=torch.float32).expand(3, 1, 4),
                  torch.ones(3, 1, 3), torch.zeros(3, 1))  # fmt: skip
    ground, cards = lay_ground(stage), stage.cards
    found = occluded(lamps, 0, ground, cards, 0)[1]
    size = cards.size
    alpha = cards.atlas[0][1, 3, 1 : size + 1, 1 : size + 1].numpy().astype(np.float64)
    foot, tall = cards.place[1, 0].numpy().astype(np.float64), float(cards.side[1, 0])
    for row, column in [*np.argwhere(found.numpy() > 0.5)[::37], (35, 10), (25, 50), (4, 30)]:
        point = np.array([float(values[1, row, column]) for values in (ground.x, ground.y, ground.z)])
        wanted = shadow_slow(point, lamp, foot, tall, alpha, MARGIN)
        assert float(found[row, column]) == pytest.approx(wanted, abs=2e-3)


def test_a_larger_lamp_gives_a_softer_shadow_of_the_same_weight():
    _, stage = stage_of(11)
    ground = lay_ground(stage)
    soft = []
    for softness in (0.0, 0.3):
        lamps = replace(stage.lamps, softness=torch.full_like(stage.lamps.softness, softness))
        soft.append(occluded(lamps, 0, ground, stage.cards, 0))
    edge = [(part[:, :, 1:] - part[:, :, :-1]).abs().amax() for part in soft]
    assert soft[0].amax() > 0.9, "this scene shows no shadow; take another seed"
    assert edge[1] < 0.8 * edge[0]
    assert float(soft[1].sum()) == pytest.approx(float(soft[0].sum()), rel=0.35)


@pytest.mark.parametrize("kind", SHAPES)
def test_shapes_stand_on_the_ground_within_their_card(kind):
    seconds = np.arange(20) / 12
    pose = SHAPES[kind](np.random.default_rng(4), Gait(0.8 * seconds, seconds, 0.8))
    lowest = (pose.capsules[..., [1, 4]] - pose.capsules[..., [2, 5]]).min((1, 2))
    assert pose.capsules.shape == (20, 14, 6) and pose.outline.shape == (20, 6) and len(pose.groups) == 15
    assert (lowest > -1e-9).all()
    used = pose.capsules[..., 0] < 10
    tops = np.where(used, np.maximum(pose.capsules[..., 1] + pose.capsules[..., 2],
                                     pose.capsules[..., 4] + pose.capsules[..., 5]), 0)  # fmt: skip
    assert tops.max() < 1.1


def test_a_planted_foot_does_not_slide():
    """A wheel turns by what it travels: its lowest point stands still."""
    distance = np.linspace(0, 0.02, 2)
    pose = SHAPES["wheel"](np.random.default_rng(1), Gait(distance, distance, 0.5))
    spoke, centre = pose.capsules[:, 0, 3:5], pose.outline[:, :2]
    turned = np.diff(np.unwrap(np.arctan2(*(spoke - centre).T[::-1])))[0]
    assert turned == pytest.approx(-0.02 / pose.outline[0, 2], rel=1e-6)


def test_a_mirror_shows_a_card_upside_down_from_its_feet():
    scene, _ = stage_of(3)
    floor = replace(scene.floor, reflects=0.5, roughness=0.0, ripples=0.0, puddles=0.0, kind="tiles")
    pose = SHAPES["crate"](np.random.default_rng(0), Gait(np.zeros(3), np.arange(3) / 12, 0.0))
    actor = replace(scene.actors[0], pose=pose, place=np.tile([0.0, 0.0, 5.0], (3, 1)), side=1.2)
    camera = CameraPath(np.tile([0.0, 1.2, 0.0], (3, 1)), np.tile([0.0, -0.2, 0.0], (3, 1)), np.ones(3))
    _, stage = stage_of(3, floor=floor, actors=(actor,), camera=camera)
    image, card = cast(stage, lay_ground(stage), stage.cards, 0).image, seen(stage.rays, stage.exposure, stage.cards, 0)
    assert image is not None
    rows_card, rows_image = (torch.nonzero(part[0, 3].amax(1) > 0.5)[:, 0] for part in (card, image))
    foot = rows_card.max()
    assert abs(int(rows_image.min() - foot)) <= 2 and rows_image.max() > foot + 4
    across_card, across_image = (part[0, 3].amax(0) > 0.5 for part in (card, image))
    assert (across_card & across_image).sum() > 0.6 * across_card.sum()


def test_the_codec_keeps_flat_pictures_and_loses_detail():
    flat = torch.full((1, 3, 20, 28), 0.5)
    assert (block_codec(flat, 0.5) - flat).abs().amax() < 0.02
    busy = chance(1, 3, 20, 28)
    losses = [float((block_codec(busy, quality) - busy).pow(2).mean()) for quality in (1.0, 0.7, 0.4)]
    assert losses[0] < 6e-4 < losses[1] < losses[2]
    assert block_codec(busy, 0.4).shape == busy.shape


def test_noise_has_the_strength_that_is_asked_for():
    grey = torch.full((2, 3, 40, 40), 0.5)
    assert float(noise_like(grey, 0.02, 1).std()) == pytest.approx(0.02, rel=0.05)
    assert noise_like(grey * 1.8, 0.02, 1).std() > noise_like(grey * 0.1, 0.02, 1).std()
