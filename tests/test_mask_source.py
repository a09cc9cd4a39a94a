from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import OpenEXR
import pytest
from media_makers import write_images, write_movie

from lamina.color import SRGB
from lamina.errors import InputError
from lamina.media.clip_info import ClipInfo, part_of
from lamina.media.image_file import png_palette
from lamina.media.mask_source import check_mask, open_labels, open_mask
from lamina.media.source import open_source


def clip(frames: int = 6, width: int = 64, height: int = 48) -> ClipInfo:
    pts, rate = tuple(range(frames)), Fraction(24)
    return ClipInfo(
        Path("clip"), "movie", frames, width, height, "uint8", 8, pts, 1 / rate, rate, 0, SRGB, has_audio=False
    )


def square(number: int, size: tuple[int, int] = (64, 48), value: int = 255) -> np.ndarray:
    """A square that moves two pixels per frame."""
    mask = np.zeros(size[::-1], np.uint8)
    mask[8:32, 2 * number : 2 * number + 20] = value
    return mask


def rgb(mask: np.ndarray) -> np.ndarray:
    return np.repeat(mask[..., None], 3, axis=2)


def test_images(tmp_path, assert_same_pixels):
    truth = [square(n) for n in range(6)]
    mask = open_mask("dog", write_images(tmp_path / "gray", truth), clip())
    assert mask.name == "dog"
    assert_same_pixels(list(mask.read()), truth)
    assert_same_pixels(list(mask.read(2, 4)), truth[2:4])
    colour = open_mask("dog", write_images(tmp_path / "rgb", [rgb(m) for m in truth]), clip())
    assert_same_pixels(list(colour.read()), truth)
    deep = open_mask("dog", write_images(tmp_path / "deep", [m.astype(np.uint16) * 257 for m in truth]), clip())
    assert_same_pixels(list(deep.read()), truth)


def test_outside_of_the_clip(tmp_path):
    mask = open_mask("dog", write_images(tmp_path, [square(n) for n in range(6)]), clip())
    with pytest.raises(ValueError, match=r"mask 'dog' has frames 0\.\.5, asked for 4\.\.6"):
        mask.read(4, 7)


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt"),
    [("a.mp4", "libx264", "yuv420p"), ("a.mkv", "ffv1", "gray"), ("a.mkv", "ffv1", "gray16le"),
     ("a.mov", "prores_ks", "yuv422p10le"), ("a.mp4", "mjpeg", "yuvj420p")],
)  # fmt: skip
def test_movies_fill_0_to_255(tmp_path, name, codec, pix_fmt):
    frames = [rgb(square(n)) for n in range(6)]
    options = {"crf": "0"} if codec == "libx264" else {}
    mask = open_mask("dog", write_movie(tmp_path / name, frames, codec, pix_fmt, options), clip())
    for found, wanted in zip(mask.read(), frames, strict=True):
        assert found.min() <= 1 and found.max() >= 254
        assert np.array_equal(found > 127, wanted[..., 0] > 127)


def test_gray_tagged_limited_is_expanded(tmp_path):
    with av.open(str(tmp_path / "a.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=24, options={"color_range": "tv"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "gray"
        levels = np.where(square(0) > 0, 235, 16).astype(np.uint8)
        frame = av.VideoFrame.from_ndarray(levels, format="gray")
        frame.color_range = 1
        for packet in [*stream.encode(frame), *stream.encode()]:
            container.mux(packet)
    assert np.array_equal(next(open_mask("dog", tmp_path / "a.mkv", clip(1)).read()), square(0))


def test_alpha_is_the_mask_if_it_says_anything(tmp_path, assert_same_pixels):
    picture = np.full((48, 64, 3), (200, 30, 90), np.uint8)
    mattes = [np.dstack([picture, square(n)]) for n in range(6)]
    mattes[0][..., 3] = 255  # opaque at first does not mean opaque for good
    truth = [m[..., 3] for m in mattes]
    images = open_mask("dog", write_images(tmp_path / "a", mattes), clip())
    assert_same_pixels(list(images.read()), truth)
    movie = open_mask("dog", write_movie(tmp_path / "a.mkv", mattes, "ffv1", "bgra"), clip())
    assert_same_pixels(list(movie.read()), truth)
    opaque = [np.dstack([rgb(square(n)), np.full((48, 64), 255, np.uint8)]) for n in range(6)]
    images = open_mask("dog", write_images(tmp_path / "b", opaque), clip())
    assert_same_pixels(list(images.read()), [square(n) for n in range(6)])


def test_exr_matte_is_not_light(tmp_path, assert_same_pixels):
    matte = np.linspace(0, 1, 48 * 64, dtype=np.float32).reshape(48, 64)
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    with OpenEXR.File(header, {"Y": matte}) as file:
        file.write(str(tmp_path / "a.1.exr"))
    found = next(open_mask("dog", tmp_path / "a.1.exr", clip()).read())
    assert_same_pixels(found, np.rint(matte * 255).astype(np.uint8))


def test_a_still_holds_for_the_whole_clip(tmp_path, assert_same_pixels):
    write_images(tmp_path, [square(3)], "still.png")
    assert_same_pixels(list(open_mask("dog", tmp_path / "still.png", clip()).read()), [square(3)] * 6)
    assert_same_pixels(list(open_mask("dog", tmp_path / "still.png", clip()).read(4)), [square(3)] * 2)


def test_same_shape_scaled(tmp_path):
    folder = write_images(tmp_path, [square(n) for n in range(6)])
    for width, height in ((128, 96), (32, 24), (63, 47)):
        for found in open_mask("dog", folder, clip(6, width, height)).read():
            assert (found.shape, found.max()) == ((height, width), 255)
    half = write_images(tmp_path / "half", [np.full((304, 542), 255, np.uint8)], "half.png")
    assert next(open_mask("dog", half / "half.png", clip(1, 1083, 607)).read()).shape == (607, 1083)


def test_other_shape(tmp_path):
    folder = write_images(tmp_path, [square(n) for n in range(6)])
    with pytest.raises(InputError, match="mask 'dog': got 64x48, wanted 80x48 as the clip, or the same shape scaled"):
        open_mask("dog", folder, clip(6, 80, 48))


def test_other_count(tmp_path):
    folder = write_images(tmp_path, [square(n) for n in range(6)])
    with pytest.raises(InputError, match="mask 'dog': got 6 frames, wanted 7, as many as the clip. Trim"):
        open_mask("dog", folder, clip(7))
    single = write_images(tmp_path / "single", [square(0)])
    with pytest.raises(InputError, match="got 1 frame, wanted 6, .* name the image file itself"):
        open_mask("dog", single, clip())


def test_part_of_a_clip(tmp_path, assert_same_pixels):
    part = part_of(clip(10), (3, 6))
    truth = [square(n) for n in range(10)]
    whole = open_mask("dog", write_images(tmp_path / "whole", truth, first=1), part)
    assert_same_pixels(list(whole.read()), truth[3:7])
    exact = open_mask("dog", write_movie(tmp_path / "a.mkv", [rgb(m) for m in truth[3:7]], "ffv1", "bgr0"), part)
    assert_same_pixels(list(exact.read()), truth[3:7])
    with pytest.raises(InputError, match=r"got 5 frames, wanted 4, as many as the clip \(or 10, as the whole clip\)"):
        open_mask("dog", write_images(tmp_path / "five", truth[:5]), part)


def test_colour_is_refused(tmp_path):
    red = [np.dstack([square(0, value=128), *[np.zeros((48, 64), np.uint8)] * 2])] * 6
    mask = open_mask("dog", write_images(tmp_path, red), clip())
    with pytest.raises(InputError, match=r"colour \(128, 0, 0\) in shot.0000.png at x=0, y=8, .* --labels"):
        list(mask.read())


@pytest.mark.parametrize(
    ("value", "error"), [(0, "an empty mask in all frames"), (255, "covers every pixel of every frame"), (5, "empty")]
)
def test_useless_masks(tmp_path, value, error):
    mask = open_mask("dog", write_images(tmp_path, [np.full((48, 64), value, np.uint8)] * 6), clip())
    with pytest.raises(InputError, match=f"mask 'dog': got .*{error}"):
        check_mask(mask)


def test_useful_masks(tmp_path):
    blank, full = np.zeros((48, 64), np.uint8), np.full((48, 64), 255, np.uint8)
    for number, frames in enumerate([[blank] * 5 + [square(0)], [full] * 5 + [square(0)], [blank, full] * 3]):
        check_mask(open_mask("dog", write_images(tmp_path / str(number), frames), clip()))


# Labels. PNG with a palette cannot be written by OpenCV; FFmpeg does.


def write_palette_png(path: Path, indices: np.ndarray, palette: list[tuple[int, int, int]]) -> None:
    table = np.zeros((256, 4), np.uint8)
    table[:, 0] = 255
    table[: len(palette), 1:] = palette
    frame = av.VideoFrame.from_ndarray((indices, table), format="pal8")
    with av.open(str(path), "w", format="image2", options={"update": "1"}) as container:
        stream = container.add_stream("png", rate=24)
        stream.height, stream.width = indices.shape
        stream.pix_fmt = "pal8"
        for packet in [*stream.encode(frame), *stream.encode()]:
            container.mux(packet)


DAVIS = [(0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0), (0, 0, 128)]


def test_palette_labels_keep_the_palettes_order(tmp_path, assert_same_pixels):
    objects = {4: [square(n) for n in range(6)], 1: [np.flipud(square(n)) for n in range(3, 9)]}
    frames = []
    for number in range(6):
        indices = np.zeros((48, 64), np.uint8)
        for label, masks in objects.items():
            if label == 4 or number >= 2:  # object 1 comes later
                indices[masks[number] > 0] = label
        write_palette_png(tmp_path / f"{number:05d}.png", indices, DAVIS)
        frames.append(indices)
    assert png_palette(tmp_path / "00000.png")[:5] == DAVIS
    first, second = open_labels(tmp_path, clip())
    assert (first.name, second.name) == ("obj_01", "obj_02")
    for mask, label in ((first, 1), (second, 4)):
        assert_same_pixels(list(mask.read()), [np.where(i == label, 255, 0).astype(np.uint8) for i in frames])


def test_gray_labels(tmp_path, assert_same_pixels):
    frames = [square(n, value=7) + np.flipud(np.fliplr(square(n, value=200))) // 200 * 3 for n in range(6)]
    frames = [np.where(frame == 10, 0, frame).astype(np.uint8) for frame in frames]
    masks = open_labels(write_images(tmp_path, frames), clip())
    assert [mask.name for mask in masks] == ["obj_01", "obj_02"]
    for mask, value in zip(masks, (3, 7), strict=True):
        assert_same_pixels(list(mask.read(1, 3)), [np.where(f == value, 255, 0).astype(np.uint8) for f in frames[1:3]])


def test_too_many_labels(tmp_path):
    soft = np.tile(np.linspace(0, 255, 64).astype(np.uint8), (48, 1))
    soft = cv2.GaussianBlur(np.kron(square(0)[:24, :32], np.ones((2, 2), np.uint8)), (0, 0), 8) | soft
    with pytest.raises(InputError, match="labels: got more than 64 values in shot.0000.png, .* soft mask"):
        open_labels(write_images(tmp_path, [soft] * 6), clip())


def test_no_labels(tmp_path):
    with pytest.raises(InputError, match="labels: got only black in all frames"):
        open_labels(write_images(tmp_path, [square(0) * 0] * 6), clip())


def test_label_movie_and_count_and_depth(tmp_path):
    with pytest.raises(InputError, match="labels: got a movie, wanted a folder"):
        open_labels(write_movie(tmp_path / "a.mp4", 6), clip())
    folder = write_images(tmp_path / "a", [square(n) for n in range(6)])
    with pytest.raises(InputError, match="labels: got 6 frames, wanted 9"):
        open_labels(folder, clip(9))
    with pytest.raises(InputError, match="labels: got 64x48, wanted 99x48"):
        open_labels(folder, replace(clip(), width=99))
    deep = write_images(tmp_path / "b", [rgb(square(n)).astype(np.uint16) for n in range(6)])
    with pytest.raises(InputError, match="got uint16 colours in shot.0000.png"):
        open_labels(deep, clip())


def test_shared_masks_fit_their_clips(shared):
    for folder in sorted(shared.glob("clips/*"))[:8]:
        inputs = [path for path in (folder / "input.mp4", folder / "frames") if path.exists()]
        for path in sorted(folder.glob("mask_*"))[:2] if inputs else []:
            check_mask(open_mask("thing", path, open_source(inputs[0]).info))
