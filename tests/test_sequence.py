from fractions import Fraction

import cv2
import numpy as np
import OpenEXR
import pytest
from media_makers import cut_short, picture, write_images

from lamina.color import srgb_to_linear
from lamina.errors import InputError, MediaError
from lamina.media.image_file import image_size
from lamina.media.source import open_source


def deep(number: int) -> np.ndarray:
    return picture(number).astype(np.uint16) * 257 + number


def write_exr(path, channels: dict[str, np.ndarray], **header) -> None:
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage} | header
    with OpenEXR.File(header, channels) as file:
        file.write(str(path))


def window(left: int, top: int, right: int, bottom: int) -> tuple[np.ndarray, np.ndarray]:
    return np.array([left, top], np.int32), np.array([right, bottom], np.int32)


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("make", [picture, deep])
def test_lossless_images_are_read_as_they_are(tmp_path, suffix, make, assert_same_pixels):
    truth = [make(number) for number in range(4)]
    folder = write_images(tmp_path / "shot", truth, "shot.{:04d}." + suffix, first=1001)
    source = open_source(folder)
    assert (source.info.first_number, source.info.frames) == (1001, 4)
    assert (source.info.width, source.info.height, source.info.dtype) == (64, 48, truth[0].dtype.name)
    assert_same_pixels(list(source.read()), truth)
    assert_same_pixels(list(source.read(2)), truth[2:])


def test_jpeg(tmp_path):
    folder = write_images(tmp_path / "shot", [picture(n) for n in range(3)], "{}.jpg")
    for found, wanted in zip(open_source(folder).read(), map(picture, range(3)), strict=True):
        assert np.abs(found.astype(int) - wanted).mean() < 8


def test_gray_is_spread_and_alpha_dropped(tmp_path, assert_same_pixels):
    gray = picture(0)[..., 0]
    write_images(tmp_path / "gray", [gray])
    assert_same_pixels(next(open_source(tmp_path / "gray").read()), np.repeat(gray[..., None], 3, 2))
    rgba = np.dstack([picture(0), np.full((48, 64), 100, np.uint8)])
    write_images(tmp_path / "rgba", [rgba])
    assert_same_pixels(next(open_source(tmp_path / "rgba").read()), picture(0))


def test_float_tiff_is_read_as_it_is(tmp_path, assert_same_pixels):
    pixels = np.linspace(-0.5, 3, 48 * 64 * 3, dtype=np.float32).reshape(48, 64, 3)
    source = open_source(write_images(tmp_path / "shot", [pixels], "{}.tiff"))
    assert (source.info.dtype, source.info.depth_bits) == ("float32", 32)
    assert_same_pixels(next(source.read()), pixels)


@pytest.mark.parametrize("kind", [np.float16, np.float32])
def test_exr_is_encoded_and_keeps_values_above_white(tmp_path, kind, assert_same_pixels):
    linear = np.linspace(0, 40, 12 * 16 * 3).reshape(12, 16, 3).astype(kind)
    for number in (1001, 1002):
        write_exr(tmp_path / f"a.{number}.exr", {"RGB": linear})
    source = open_source(tmp_path / "a.####.exr")
    assert (source.info.dtype, source.info.first_number, source.info.frames) == ("float32", 1001, 2)
    found = next(source.read())
    assert found.max() > 4 and found.dtype == np.float32
    assert_same_pixels(srgb_to_linear(found), linear.astype(np.float32), tolerance=40 * 1e-6)


def test_exr_takes_the_main_layer_alone(tmp_path, assert_same_pixels):
    gray = np.linspace(0, 1, 12 * 16, dtype=np.float32).reshape(12, 16)
    write_exr(tmp_path / "a.1.exr", {"Y": gray, "fx.R": gray * 0, "fx.G": gray * 0, "fx.B": gray * 0})
    found = next(open_source(tmp_path / "a.1.exr").read())
    assert_same_pixels(srgb_to_linear(found), np.repeat(gray[..., None], 3, 2), tolerance=1e-6)


def test_exr_data_window_is_laid_into_the_display_window(tmp_path):
    ones = np.ones((4, 6, 3), np.float32)
    windows = {"displayWindow": window(0, 0, 7, 7), "dataWindow": window(-2, 5, 3, 8)}
    write_exr(tmp_path / "a.1.exr", {"RGB": ones}, **windows)
    found = next(open_source(tmp_path / "a.1.exr").read())
    assert found.shape == (8, 8, 3)
    assert found[5:, :4].min() > 0.999 and found.sum() == pytest.approx(3 * 4 * 3, rel=1e-5)


def test_exr_without_a_main_layer(tmp_path):
    write_exr(tmp_path / "a.1.exr", {"depth.Z": np.ones((4, 6), np.float32)})
    with pytest.raises(MediaError, match="got channels depth.Z, wanted main channels R, G, B or Y"):
        open_source(tmp_path / "a.1.exr")


def test_exr_with_infinite_pixels(tmp_path):
    write_exr(tmp_path / "a.1.exr", {"RGB": np.full((4, 6, 3), np.inf, np.float32)})
    with pytest.raises(MediaError, match="infinite or not a number"):
        open_source(tmp_path / "a.1.exr")


def test_not_an_exr(tmp_path):
    (tmp_path / "a.1.exr").write_bytes(b"hello" * 100)
    with pytest.raises(MediaError, match="a file OpenEXR cannot read"):
        open_source(tmp_path / "a.1.exr")


@pytest.mark.parametrize("pattern", ["shot.%04d.png", "shot.####.png", "shot.%d.png", "shot.#.png"])
def test_patterns(tmp_path, pattern, assert_same_pixels):
    write_images(tmp_path, [picture(n) for n in range(3)], first=9999)
    write_images(tmp_path, [picture(9)], "other.{:04d}.png")
    source = open_source(tmp_path / pattern)
    assert (source.info.first_number, source.info.frames) == (9999, 3)
    assert_same_pixels(list(source.read()), [picture(n) for n in range(3)])


def test_numbers_count_not_letters(tmp_path, assert_same_pixels):
    write_images(tmp_path, [picture(n) for n in range(12)], "v2_frame{}.png")
    assert_same_pixels(list(open_source(tmp_path).read()), [picture(n) for n in range(12)])


def test_one_image_is_a_clip_of_one_frame(tmp_path):
    write_images(tmp_path, [picture(n) for n in range(3)], first=7)
    info = open_source(tmp_path / "shot.0008.png").info
    assert (info.frames, info.first_number) == (1, 8)
    write_images(tmp_path, [picture(0)], "still.png")
    assert open_source(tmp_path / "still.png").info.first_number == 0


def test_times_and_rate(tmp_path):
    write_images(tmp_path, [picture(n) for n in range(3)])
    assert open_source(tmp_path).info.pts_seconds == (0, Fraction(1, 24), Fraction(2, 24))
    info = open_source(tmp_path, rate=Fraction(30000, 1001)).info
    assert (info.rate, info.pts_seconds[2]) == (Fraction(30000, 1001), Fraction(2002, 30000))
    with pytest.raises(InputError, match="rate: got 0, wanted more than 0"):
        open_source(tmp_path, rate=Fraction(0))


def test_part_in_its_own_numbering(tmp_path, assert_same_pixels):
    write_images(tmp_path, [picture(n) for n in range(10)], first=1001)
    source = open_source(tmp_path, frames=(1003, 1005))
    assert (source.info.first_number, source.info.frames, source.info.pts) == (1003, 3, (2, 3, 4))
    assert_same_pixels(list(source.read()), [picture(n) for n in (2, 3, 4)])
    assert_same_pixels(list(source.read(1, 2)), [picture(3)])
    with pytest.raises(InputError, match="got 0-5, wanted a range within 1001-1010"):
        open_source(tmp_path, frames=(0, 5))


def test_missing_numbers_are_named(tmp_path):
    write_images(tmp_path, [picture(0)] * 20, first=1001)
    (tmp_path / "shot.1004.png").unlink()
    with pytest.raises(InputError, match="got 1001-1020 without 1004, wanted every number"):
        open_source(tmp_path)
    for number in range(1006, 1015):
        (tmp_path / f"shot.{number}.png").unlink()
    with pytest.raises(InputError, match="without 1004, 1006, 1007, 1008, 1009 and 5 more"):
        open_source(tmp_path)


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "exr"])
def test_mixed_sizes_are_found_at_opening(tmp_path, suffix):
    for number, size in enumerate([(64, 48), (64, 48), (32, 48)]):
        if suffix == "exr":
            write_exr(tmp_path / f"a.{number}.exr", {"RGB": np.zeros((*size[::-1], 3), np.float32)})
        else:
            write_images(tmp_path, [picture(0, size)], "a.{}." + suffix, first=number)
    with pytest.raises(InputError, match=rf"image .*a\.2\.{suffix}: got 32x48, wanted 64x48"):
        open_source(tmp_path)


def test_mixed_depths_are_found_when_read(tmp_path):
    write_images(tmp_path, [picture(0)], first=0)
    write_images(tmp_path, [deep(1)], first=1)
    with pytest.raises(InputError, match="shot.0001.png: got 64x48 uint16, wanted 64x48 uint8"):
        list(open_source(tmp_path).read())


def test_two_runs_in_one_folder(tmp_path):
    write_images(tmp_path, [picture(0)] * 3)
    write_images(tmp_path, [picture(0)] * 2, "cover.{}.png")
    with pytest.raises(InputError, match=r"got 2 runs: cover\.#\.png \(2\), shot\.#\.png \(3\), wanted one"):
        open_source(tmp_path)


def test_one_number_twice(tmp_path):
    write_images(tmp_path, [picture(0)] * 2, "a{}.png")
    write_images(tmp_path, [picture(0)], "a{:03d}.png")
    with pytest.raises(InputError, match="got a0.png and a000.png, wanted each number once"):
        open_source(tmp_path)


def test_nothing_there(tmp_path):
    with pytest.raises(InputError, match="no such file or folder"):
        open_source(tmp_path / "no" / "shot.####.png")
    with pytest.raises(InputError, match="got no matching image, wanted files ending in .png"):
        open_source(tmp_path)
    with pytest.raises(InputError, match="got no matching image"):
        open_source(tmp_path / "shot.####.png")
    with pytest.raises(InputError, match="no such file or folder"):
        open_source(tmp_path / "still.png")


def test_hidden_and_foreign_files_do_not_count(tmp_path):
    write_images(tmp_path, [picture(0)] * 2)
    (tmp_path / ".DS_Store").write_bytes(b"x")
    (tmp_path / "._shot.0001.png").write_bytes(b"x")
    (tmp_path / "notes.txt").write_text("x")
    assert open_source(tmp_path).info.frames == 2


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_truncated_image(tmp_path, suffix):
    chance = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    write_images(tmp_path, [chance], "a.{}." + suffix)
    cut_short(tmp_path / f"a.0.{suffix}").replace(tmp_path / f"a.1.{suffix}")
    with pytest.raises(MediaError, match=rf"a\.1\.{suffix}: got \d+ bytes that cannot be read as an image"):
        list(open_source(tmp_path).read())


def test_empty_image(tmp_path):
    write_images(tmp_path, [picture(0)])
    (tmp_path / "shot.0001.png").write_bytes(b"")
    with pytest.raises(MediaError, match="shot.0001.png: got an empty file"):
        open_source(tmp_path)


def test_camera_orientation_is_applied(tmp_path):
    write_images(tmp_path, [picture(0)], "a.{}.jpg")
    path = tmp_path / "a.0.jpg"
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    segment = b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif
    data = path.read_bytes()
    path.write_bytes(data[:2] + segment + data[2:])
    info = open_source(tmp_path).info
    assert (info.width, info.height) == (48, 64)
    assert image_size(path) == (64, 48)


def test_header_sizes_agree_with_the_decoder(tmp_path):
    for suffix in ("png", "jpg", "tif"):
        write_images(tmp_path, [picture(0, (33, 17))], "x{}." + suffix)
        path = tmp_path / f"x0.{suffix}"
        assert image_size(path) == (33, 17) == cv2.imread(str(path)).shape[1::-1]
    (tmp_path / "odd.png").write_bytes(b"not a png at all, but long enough")
    assert image_size(tmp_path / "odd.png") is None
