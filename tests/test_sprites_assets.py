"""Pictures, cut-outs and clips of the user in sprite samples."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from lamina.errors import InputError, MediaError
from lamina.synth.assets import open_assets
from lamina.synth.drawing import draw_scene
from lamina.synth.scene import SpriteConfig
from lamina.synth.sprites import flatten_sample, render

SMALL = SpriteConfig(width=64, height=40, frames=3, degraded=0.0)


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    red = np.zeros((60, 90, 3), np.uint8)
    red[..., 2] = 200
    cv2.imwrite(str(folder / "red.png"), red)
    return folder


@pytest.fixture
def cutouts(tmp_path):
    folder = tmp_path / "cutouts"
    folder.mkdir()
    image = np.zeros((50, 40, 4), np.uint8)
    image[10:45, 12:30] = (250, 40, 30, 255)
    cv2.imwrite(str(folder / "box.png"), image)
    return folder


@pytest.fixture
def clip(tmp_path):
    folder = tmp_path / "clip"
    folder.mkdir()
    for number in range(2):
        cv2.imwrite(str(folder / f"shot.{number:04d}.png"), np.full((30, 50, 3), (0, 60 + 120 * number, 0), np.uint8))
    return folder


def test_pictures_become_surfaces(pictures):
    scene = draw_scene(1, replace(SMALL, assets=open_assets(textures=pictures, share=1.0)))
    assert scene.floor.surface.picture is not None and scene.floor.surface.picture.shape[0] == 3
    plate = render([scene]).plate[0, 0]
    assert plate[0, -6:].mean() > 4 * plate[1:, -6:].mean()


def test_cutouts_become_objects_that_stand_on_the_ground(cutouts):
    scene = draw_scene(2, replace(SMALL, objects=(1, 1), assets=open_assets(cutouts=cutouts, share=1.0)))
    cutout = scene.actors[0].cutout
    assert cutout is not None and cutout[3, -1].max() > 0.9
    sample = render([scene])
    inside = sample.silhouettes[0, 0] > 0.9
    assert inside.any()
    blue = sample.colours[0, 0].permute(0, 2, 3, 1)[inside[:, 0]]
    assert (blue[:, 2] > blue[:, 0] + 0.3).all()
    assert (flatten_sample(sample) - sample.clean_input).abs().amax() < 1e-3


def test_clips_are_shown_on_the_backdrop_to_and_fro(clip):
    scene = draw_scene(3, replace(SMALL, frames=4, assets=open_assets(clips=[clip], share=1.0)))
    movie = scene.backdrop.movie
    assert movie is not None and movie.shape == (4, 3, 30, 50)
    np.testing.assert_allclose(movie[:, 1].mean((1, 2)) * 255, [60, 180, 60, 180], atol=1)
    assert torch.isfinite(render([scene]).input).all()


def test_assets_leave_the_rest_of_a_scene_as_it_is(cutouts):
    bare = draw_scene(4, SMALL)
    with_assets = draw_scene(4, replace(SMALL, assets=open_assets(cutouts=cutouts, share=0.5)))
    np.testing.assert_array_equal(bare.camera.position, with_assets.camera.position)
    assert [actor.kind for actor in bare.actors] == [actor.kind for actor in with_assets.actors]


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(InputError, match="textures .*nowhere: got no such folder, wanted a folder of pictures"):
        open_assets(textures=tmp_path / "nowhere")


def test_a_folder_without_pictures_is_named(tmp_path):
    with pytest.raises(InputError, match="cutouts .*: got no picture, wanted files ending in .png"):
        open_assets(cutouts=tmp_path)


def test_a_missing_clip_is_named(tmp_path):
    with pytest.raises((InputError, MediaError), match="gone.mp4"):
        open_assets(clips=[tmp_path / "gone.mp4"])


def test_the_share_is_a_share():
    with pytest.raises(InputError, match="share of assets: got 2.0, wanted 0..1"):
        open_assets(share=2.0)


def test_an_unreadable_picture_is_named(tmp_path):
    (tmp_path / "broken.png").write_bytes(b"\x89PNG nothing else")
    config = replace(SMALL, assets=open_assets(textures=tmp_path, share=1.0))
    with pytest.raises(MediaError, match="broken.png: got 17 bytes that cannot be read as an image"):
        draw_scene(0, config)


@pytest.mark.parametrize(("channels", "message"), [(3, "no alpha"), (4, "an alpha that is empty")])
def test_a_cutout_needs_alpha(tmp_path, channels, message):
    cv2.imwrite(str(tmp_path / "flat.png"), np.zeros((20, 20, channels), np.uint8))
    config = replace(SMALL, assets=open_assets(cutouts=tmp_path, share=1.0))
    with pytest.raises(InputError, match=f"flat.png: got {message}, wanted a picture with alpha of one object"):
        draw_scene(0, config)
