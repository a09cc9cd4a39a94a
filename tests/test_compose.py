"""A stack becomes a movie: layers in order, without some of them, over another background, with the source's sound."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from media_makers import picture, write_images
from media_makers import write_movie as make_movie

from lamina.color import ColorDescription
from lamina.errors import InputError, OutputError
from lamina.layers.compose import ComposeConfig, compose
from lamina.media.ffv1 import write_segment
from lamina.media.source import open_source
from lamina.media.stack import LayerRecord, OrderRun, SourceRecord, StackManifest, read_manifest, write_manifest

FRAMES, WIDTH, HEIGHT = 5, 64, 48
PTS = (0, 1001, 2002, 4004, 5005)
BASE = Fraction(1, 24000)


def rgba(color: tuple[int, int, int], where: tuple[slice, slice], alpha: int = 255) -> np.ndarray:
    image = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
    image[..., :3] = color
    image[(*where, 3)] = alpha
    return image


PLATE = np.full((HEIGHT, WIDTH, 3), (40, 80, 120), np.uint8)
FAR = rgba((200, 30, 30), np.s_[8:32, 8:32])
NEAR = rgba((30, 200, 30), np.s_[16:40, 16:40], alpha=128)


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    folder = tmp_path / "stack"
    write_segment(folder / "plate.mkv", [PLATE] * FRAMES, PTS, BASE)
    for name, image in (("far", FAR), ("near", NEAR)):
        write_segment(folder / "layers" / f"{name}.mkv", [image] * FRAMES, PTS, BASE)
    source = make_movie(tmp_path / "source.mp4", [picture(k, (WIDTH, HEIGHT)) for k in range(FRAMES)])
    manifest = StackManifest(
        source=SourceRecord(str(source), "0" * 64, 0, FRAMES),
        width=WIDTH,
        height=HEIGHT,
        dtype="uint8",
        pts=PTS,
        time_base=BASE,
        color=ColorDescription(),
        engine="propagate",
        config={},
        layers=tuple(LayerRecord(name, f"layers/{name}.mkv") for name in ("far", "near")),
    )
    write_manifest(folder, manifest)
    return folder


def slow_over(layers: list[np.ndarray], below: np.ndarray) -> np.ndarray:
    """Exact arithmetic, one pixel at a time, rounded once at the end."""
    result = np.empty_like(below)
    for y, x, c in np.ndindex(below.shape):
        value = Fraction(int(below[y, x, c]))
        for image in layers:
            alpha = Fraction(int(image[y, x, 3]), 255)
            value = alpha * int(image[y, x, c]) + (1 - alpha) * value
        result[y, x, c] = round(value)
    return result


def made(path: Path) -> list[np.ndarray]:
    return list(open_source(path).read())


def assert_looks_like(frames: list[np.ndarray], wanted: np.ndarray):
    """H.264 with half the colour resolution: edges of saturated colour differ, flat parts must not."""
    assert len(frames) == FRAMES
    for frame in frames:
        difference = np.abs(frame.astype(int) - wanted)
        assert np.median(difference) <= 1 and np.mean(difference) < 3


def test_layers_lie_back_to_front_over_the_plate(stack: Path, tmp_path: Path):
    out = compose(ComposeConfig(stack=stack, out=tmp_path / "out.mp4"))
    assert out == tmp_path / "out.mp4"
    assert_looks_like(made(out), slow_over([FAR, NEAR], PLATE))


def test_layers_may_change_places(stack: Path, tmp_path: Path):
    order = (OrderRun(0, ("far", "near")), OrderRun(2, ("near", "far")), OrderRun(4, ("far", "near")))
    write_manifest(stack, replace(read_manifest(stack), order=order))
    frames = made(compose(ComposeConfig(stack, tmp_path / "out.mp4")))
    one, other = slow_over([FAR, NEAR], PLATE), slow_over([NEAR, FAR], PLATE)
    for frame, wanted in zip(frames, [one, one, other, other, one], strict=True):
        assert np.abs(frame[18:30, 18:30].astype(int) - wanted[18:30, 18:30]).mean() < 3  # where both are
    frames = made(compose(ComposeConfig(stack, tmp_path / "far.mp4", without=("near",))))
    assert_looks_like(frames, slow_over([FAR], PLATE))


def test_sound_that_the_movie_cannot_hold_is_said(stack: Path, tmp_path: Path):
    source = tmp_path / "source.mp4"
    with av.open(str(source), "w") as out:
        video, audio = out.add_stream("mpeg4", rate=24), out.add_stream("aac", rate=48000, layout="mono")
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        out.mux(video.encode(av.VideoFrame.from_ndarray(PLATE, "rgb24")))
        tone = av.AudioFrame.from_ndarray(np.zeros((1, 24000), np.float32), "fltp", "mono")
        tone.sample_rate, tone.pts, tone.time_base = 48000, 0, Fraction(1, 48000)
        out.mux([*audio.encode(tone), *audio.encode(), *video.encode()])
    with pytest.warns(UserWarning, match=r"out\.webm cannot hold the source's sound, it is in out\.wav beside it"):
        compose(ComposeConfig(stack, tmp_path / "out.webm"))
    assert (tmp_path / "out.wav").exists()


def test_times_are_the_source_s(stack: Path, tmp_path: Path):
    info = open_source(compose(ComposeConfig(stack=stack, out=tmp_path / "out.mp4"))).info
    start = info.pts_seconds[0]
    assert [stamp - start for stamp in info.pts_seconds] == [stamp * BASE for stamp in PTS]


def test_a_layer_can_be_left_out(stack: Path, tmp_path: Path):
    out = compose(ComposeConfig(stack=stack, out=tmp_path / "out.mp4", without=("near",)))
    assert_looks_like(made(out), slow_over([FAR], PLATE))
    out = compose(ComposeConfig(stack=stack, out=tmp_path / "plate.mp4", without=("near", "far")))
    assert_looks_like(made(out), PLATE)


def test_a_still_background_holds(stack: Path, tmp_path: Path):
    ground = np.full((HEIGHT, WIDTH, 3), (220, 210, 40), np.uint8)
    still = write_images(tmp_path / "still", [ground])
    out = compose(ComposeConfig(stack=stack, out=tmp_path / "out.mp4", background=still))
    assert_looks_like(made(out), slow_over([FAR, NEAR], ground))


def test_a_moving_background_moves(stack: Path, tmp_path: Path):
    grounds = [np.full((HEIGHT, WIDTH, 3), 40 * k + 20, np.uint8) for k in range(FRAMES)]
    out = compose(ComposeConfig(stack, tmp_path / "out.mp4", background=write_images(tmp_path / "run", grounds)))
    corners = [frame[-2, -2].mean() for frame in made(out)]
    assert corners == pytest.approx([40 * k + 20 for k in range(FRAMES)], abs=3)


def test_a_deeper_background_is_scaled(stack: Path, tmp_path: Path):
    ground = np.full((HEIGHT, WIDTH, 3), 0x8080, np.uint16)
    still = write_images(tmp_path / "deep", [ground])
    out = compose(ComposeConfig(stack, tmp_path / "out.mp4", background=still, without=("far", "near")))
    assert_looks_like(made(out), np.full((HEIGHT, WIDTH, 3), 128, np.uint8))


def test_progress_is_reported(stack: Path, tmp_path: Path):
    seen: list[tuple[str, int, int]] = []
    compose(ComposeConfig(stack, tmp_path / "out.mp4"), lambda *event: seen.append(event))
    assert seen == [("compose", done, FRAMES) for done in range(FRAMES + 1)]


def test_a_missing_source_is_said(stack: Path, tmp_path: Path):
    (tmp_path / "source.mp4").unlink()
    with pytest.warns(UserWarning, match="The source clip .*source.mp4 is no longer there: .* without its sound"):
        compose(ComposeConfig(stack, tmp_path / "out.mp4"))


def test_an_unknown_layer_is_refused(stack: Path, tmp_path: Path):
    with pytest.raises(InputError, match="--without: got 'Far', wanted one of far, near"):
        compose(ComposeConfig(stack, tmp_path / "out.mp4", without=("Far",)))


@pytest.mark.parametrize(
    ("count", "size", "message"),
    [
        (1, (32, 48), "background .*: got 32x48, wanted 64x48, as the stack. Scale or crop it first."),
        (3, (WIDTH, HEIGHT), "background .*: got 3 frames, wanted 5, as the stack, or a single still. Trim it first."),
    ],
)
def test_a_background_that_does_not_fit_is_refused(
    stack: Path, tmp_path: Path, count: int, size: tuple[int, int], message: str
):
    images = write_images(tmp_path / "ground", [np.zeros((size[1], size[0], 3), np.uint8)] * count)
    with pytest.raises(InputError, match=message):
        compose(ComposeConfig(stack, tmp_path / "out.mp4", background=images))
    assert not (tmp_path / "out.mp4").exists()


@pytest.mark.parametrize("name", ["source.mp4", "stack/out.mp4", "stack"])
def test_nothing_that_is_read_is_written_over(stack: Path, tmp_path: Path, name: str):
    with pytest.raises(OutputError, match="got a file that the movie is made from, or one inside the stack"):
        compose(ComposeConfig(stack, tmp_path / name))
