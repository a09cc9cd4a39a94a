"""Every convention of docs/conventions.md, proved by the test that it names."""

import re
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import torch

from lamina.alpha import lay_over
from lamina.clip import Clip, Layer, Stack, frames_to_numpy, numpy_to_frames
from lamina.color import ColorDescription
from lamina.composite import flatten, over
from lamina.errors import InputError
from lamina.masks.trimask import KEEP, REMOVE, UNKNOWN, make_trimask
from lamina.media.ffv1 import read_ffv1, write_segment
from lamina.media.source import open_source

RED, GREEN, BLUE = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)


def plain(color: tuple[float, float, float]) -> torch.Tensor:
    return torch.tensor(color).reshape(1, 3, 1, 1).expand(1, 3, 2, 2).clone()


def layer(name: str, color: tuple[float, float, float], alpha: float = 1.0) -> Layer:
    return Layer(name, plain(color), torch.full((1, 1, 2, 2), alpha))


def flat(stack: Stack) -> tuple[float, ...]:
    """Colour of the first pixel of a stack laid together."""
    frames = flatten(stack.plate.frames, [(layer.rgb, layer.alpha) for layer in stack.layers])
    return tuple(frames[0, :, 0, 0].tolist())


def test_the_page_names_the_tests_of_this_file():
    page = (Path(__file__).parents[1] / "docs" / "conventions.md").read_text()
    named = set(re.findall(r"`(test_\w+)`", page))
    here = {name for name in globals() if name.startswith("test_")} - {"test_the_page_names_the_tests_of_this_file"}
    assert named == here


def test_clips_are_t_c_h_w_float32_from_0_to_1():
    pixels = np.zeros((4, 2, 5, 3), np.uint8)
    pixels[0, 0, 0] = (255, 128, 0)
    clip = Clip(numpy_to_frames(pixels), tuple(Fraction(k, 24) for k in range(4)))
    assert clip.frames.shape == (4, 3, 2, 5) and clip.frames.dtype == torch.float32
    assert clip.frames[0, :, 0, 0].tolist() == pytest.approx([1, 128 / 255, 0])
    assert np.array_equal(frames_to_numpy(clip.frames), pixels)


@pytest.mark.parametrize(("dtype", "white"), [("uint8", 255), ("uint16", 65535)])
def test_frames_below_the_door_are_h_w_c_red_first(tmp_path: Path, dtype: str, white: int):
    frame = np.zeros((6, 4, 3), dtype)
    frame[..., 0], frame[0, 0] = white, white // 3
    cv2.imwrite(str(tmp_path / "shot.1001.png"), frame[..., ::-1])
    source = open_source(tmp_path)
    read = next(source.read())
    assert read.dtype == frame.dtype and np.array_equal(read, frame)
    assert source.info.first_number == 1001


def test_alpha_is_straight(tmp_path: Path):
    """Half-transparent red is full red with alpha 0.5, in memory and in the stack's files."""
    half_red = layer("ball", RED, alpha=0.5)
    assert over(half_red.rgb, half_red.alpha, plain(BLUE))[0, :, 0, 0].tolist() == [0.5, 0, 0.5]
    stored = np.zeros((4, 4, 4), np.uint8)
    stored[..., 0], stored[..., 3] = 255, 128
    write_segment(tmp_path / "ball.mkv", [stored], [0], Fraction(1, 24))
    assert np.array_equal(next(read_ffv1(tmp_path / "ball.mkv")), stored)
    assert lay_over(stored, np.zeros((4, 4, 3), np.float32))[0, 0, 0] == pytest.approx(128 / 255)


def test_stack_is_back_to_front():
    stack = Stack(Clip(plain(BLUE), (Fraction(0),)), (layer("far", GREEN), layer("near", RED)))
    assert flat(stack) == RED


def test_layers_are_laid_on_values_as_stored():
    """Half of white over black is 0.5, not the 0.735 that laying in linear light would give."""
    stack = Stack(Clip(plain((0.0, 0.0, 0.0)), (Fraction(0),)), (layer("veil", (1.0, 1.0, 1.0), alpha=0.5),))
    assert flat(stack) == (0.5, 0.5, 0.5)


def test_untagged_movies_are_read_as_ffmpeg_reads_them(tmp_path: Path):
    path = tmp_path / "untagged.mp4"
    picture = np.random.default_rng(1).integers(0, 256, (32, 48, 3), np.uint8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", 24, options={"qp": "0"})
        stream.width, stream.height, stream.pix_fmt = 48, 32, "yuv444p"
        for packet in [*stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")), *stream.encode()]:
            container.mux(packet)
    with av.open(str(path)) as container:
        ffmpeg = next(container.decode(video=0)).to_ndarray(format="rgb24")
    source = open_source(path)
    assert source.info.color.matrix == ColorDescription().matrix == "unspecified"
    assert np.array_equal(next(source.read()), ffmpeg)


def test_times_are_exact(tmp_path: Path):
    """23.976 frames per second stay 24000/1001, and a pause stays where it was."""
    path, stamps = tmp_path / "pause.mp4", [0, 1001, 2002, 9009]
    with av.open(str(path), "w", options={"video_track_timescale": "24000"}) as container:
        stream = container.add_stream("libx264", 24)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 24000)
        for stamp in stamps:
            frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
            frame.pts, frame.time_base = stamp, Fraction(1, 24000)
            for packet in stream.encode(frame):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    info = open_source(path).info
    assert info.pts_seconds == tuple(Fraction(stamp, 24000) for stamp in stamps)
    assert info.rate is None


def test_trimask_values_have_names():
    remove, keep = np.array([[1, 1, 0, 0]], bool), np.array([[0, 1, 1, 0]], bool)
    assert make_trimask(remove, keep).tolist() == [[REMOVE, REMOVE, KEEP, UNKNOWN]]


@pytest.mark.parametrize("name", ["2_dog", "dog.1", "dög", "", "a b", "_dog"])
def test_layer_names_are_safe_everywhere(name: str):
    with pytest.raises(InputError, match="layer name: got .*, wanted a letter, then letters, digits and _"):
        layer(name, RED)
    with pytest.raises(InputError, match="wanted names that differ by more than upper and lower case"):
        Stack(Clip(plain(BLUE), (Fraction(0),)), (layer("dog", RED), layer("Dog", RED)))
