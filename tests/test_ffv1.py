"""The lossless files of a stack: every bit back, the same bytes twice, any frame at once."""

import os
import resource
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lamina.color import ColorDescription
from lamina.errors import InputError, MediaError, OutputError
from lamina.media.ffv1 import count_frames, join_segments, read_ffv1, write_segment
from lamina.media.stamps import milliseconds

FILM = Fraction(1, 24000)


def frames_of(dtype: str, count: int, height: int, width: int, channels: int, seed: int = 0) -> np.ndarray:
    bits = np.random.default_rng(seed).integers(0, 256, (count, height, width, channels * np.dtype(dtype).itemsize))
    return bits.astype(np.uint8).view(dtype)


def film_pts(count: int, first: int = 0) -> list[int]:
    return [1001 * (first + index) for index in range(count)]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(
    dtype=st.sampled_from(["uint8", "uint16", "float32"]),
    channels=st.sampled_from([3, 4]),
    size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    count=st.integers(1, 5),
    data=st.data(),
)
def test_every_bit_comes_back(tmp_path, dtype, channels, size, count, data):
    wanted = frames_of(dtype, count, *size, channels, seed=count)
    start = data.draw(st.integers(0, count))
    stop = data.draw(st.integers(start, count))
    write_segment(tmp_path / "a.mkv", wanted, film_pts(count), FILM)
    found = list(read_ffv1(tmp_path / "a.mkv"))
    assert all(frame.dtype == dtype and frame.shape == (*size, channels) for frame in found)
    assert b"".join(frame.tobytes() for frame in found) == wanted.tobytes()  # bytes, for NaN is not equal to itself
    part = read_ffv1(tmp_path / "a.mkv", start, stop)
    assert b"".join(frame.tobytes() for frame in part) == wanted[start:stop].tobytes()


@pytest.mark.parametrize("dtype, channels", [("uint8", 3), ("uint8", 4), ("uint16", 4), ("float32", 4)])
@pytest.mark.parametrize("height, width", [(1, 1), (17, 33), (66, 70)])
def test_joined_segments_are_the_file_written_at_once(tmp_path, dtype, channels, height, width):
    frames = frames_of(dtype, 7, height, width, channels)
    pts = [-500, 0, 1001, 1002, 1003, 1004, 90000]  # before zero, uneven, several in one millisecond
    color = ColorDescription("bt709", "tv", "bt709", "bt709")
    write_segment(tmp_path / "whole.mkv", frames, pts, FILM, color)
    parts = [(0, 1), (1, 4), (4, 7)]
    for start, stop in parts:
        write_segment(tmp_path / f"{start}.mkv", frames[start:stop], pts[start:stop], FILM, color)
    join_segments([tmp_path / f"{start}.mkv" for start, _ in parts], tmp_path / "joined.mkv", pts, FILM)
    assert (tmp_path / "joined.mkv").read_bytes() == (tmp_path / "whole.mkv").read_bytes()
    assert np.stack(list(read_ffv1(tmp_path / "joined.mkv"))).tobytes() == frames.tobytes()


def test_bytes_do_not_depend_on_the_run_or_the_cores(tmp_path, monkeypatch):
    frames = frames_of("uint8", 3, 96, 80, 4)
    write_segment(tmp_path / "a.mkv", frames, film_pts(3), FILM)
    write_segment(tmp_path / "b.mkv", iter(frames), film_pts(3), FILM)
    one_core = "import os; os.sched_setaffinity(0, {0})" if hasattr(os, "sched_setaffinity") else ""
    np.save(tmp_path / "frames.npy", frames)
    script = f"""{one_core}
import numpy as np; from fractions import Fraction; from pathlib import Path
from lamina.media.ffv1 import write_segment
folder = Path({str(tmp_path)!r})
write_segment(folder / "c.mkv", np.load(folder / "frames.npy"), [0, 1001, 2002], Fraction(1, 24000))
"""
    subprocess.run([sys.executable, "-c", script], check=True, cwd=Path(__file__).parents[1])
    assert len({(tmp_path / name).read_bytes() for name in ("a.mkv", "b.mkv", "c.mkv")}) == 1
    assert b"Lavf6" not in (tmp_path / "a.mkv").read_bytes()  # no version of the muxer


def test_outside_tools_see_rgba_rate_and_colour(tmp_path):
    frames = frames_of("uint8", 4, 24, 32, 4)
    write_segment(tmp_path / "a.mkv", frames, film_pts(4), FILM, ColorDescription("bt709", "tv", "bt709", "bt2020"))
    with av.open(str(tmp_path / "a.mkv")) as container:
        stream = container.streams.video[0]
        assert stream.average_rate == Fraction(24000, 1001)
        context = stream.codec_context
        tags = (context.colorspace, context.color_range, context.color_trc, context.color_primaries)
        assert tags == (0, 2, 1, 9)  # RGB, full, BT.709 curve, BT.2020 primaries
        found = [frame for frame in container.decode(stream)]
        assert [frame.pts for frame in found] == [0, 42, 83, 125]
        assert np.array_equal([frame.to_ndarray(format="rgba") for frame in found], frames)


def test_colour_of_float_rgba_is_the_first_stream(tmp_path):
    frames = frames_of("float32", 2, 24, 32, 4)
    write_segment(tmp_path / "a.mkv", frames, film_pts(2), FILM)
    with av.open(str(tmp_path / "a.mkv")) as container:
        found = np.stack([frame.to_ndarray(format="gbrpf32le") for frame in container.decode(video=0)])
    assert found.tobytes() == frames[..., :3].tobytes()


@given(st.lists(st.integers(-(10**6), 10**6), min_size=1, max_size=60, unique=True), st.integers(1, 100_000))
def test_milliseconds_never_repeat_and_stay_close(pts, denominator):
    pts = sorted(pts)
    stamps = [stamp.pts for stamp in milliseconds(pts, Fraction(1, denominator))]
    assert all(after > before for before, after in zip(stamps, stamps[1:], strict=False)) and stamps[0] >= 0
    exact = [Fraction((stamp - min(0, pts[0])) * 1000, denominator) for stamp in pts]
    if all(after - before > 1 for before, after in zip(exact, exact[1:], strict=False)):  # then only rounded
        assert all(abs(found - wanted) <= Fraction(1, 2) for found, wanted in zip(stamps, exact, strict=True))


def test_two_thousand_frames_per_second(tmp_path):
    frames = frames_of("uint8", 9, 8, 8, 3)
    write_segment(tmp_path / "a.mkv", frames, range(9), Fraction(1, 2000))
    assert np.array_equal(list(read_ffv1(tmp_path / "a.mkv", 6)), frames[6:])


def test_long_files_keep_their_whole_index(tmp_path):
    count = 44_000  # FFmpeg by itself thins the index out after 43,690
    frames = (np.full((2, 2, 3), index % 251, np.uint8) for index in range(count))
    write_segment(tmp_path / "a.mkv", frames, range(count), Fraction(1, 30))
    assert count_frames(tmp_path / "a.mkv") == count
    assert [frame[0, 0, 0] for frame in read_ffv1(tmp_path / "a.mkv", 43_821, 43_823)] == [43_821 % 251, 43_822 % 251]


@pytest.mark.parametrize(
    "frames, pts, message",
    [
        ([], [], "got no frame, wanted at least one"),
        (np.zeros((2, 4, 4, 3), np.uint8), [0], "got more frames, wanted 1, one per time stamp"),
        (np.zeros((2, 4, 4, 3), np.uint8), [0, 1, 2], "got 2 frames, wanted 3, one per time stamp"),
        (np.zeros((2, 4, 4, 3), np.uint8), [1, 1], "time stamps: got a step back or a repeat"),
        (np.zeros((1, 4, 4, 2), np.uint8), [0], r"got a frame of uint8 \(4, 4, 2\), wanted uint8, uint16 or float32"),
        (np.zeros((1, 4, 4, 3), np.float64), [0], r"got a frame of float64"),
        (np.zeros((1, 0, 4, 3), np.uint8), [0], r"got a frame of uint8 \(0, 4, 3\)"),
        (
            [np.zeros((4, 4, 3), np.uint8), np.zeros((4, 5, 3), np.uint8)],
            [0, 1],
            "frame 1: got uint8 .4, 5, 3., wanted",
        ),
    ],
)
def test_frames_that_do_not_fit(tmp_path, frames, pts, message):
    with pytest.raises(InputError, match=message):
        write_segment(tmp_path / "a.mkv", frames, pts, FILM)
    assert not any(tmp_path.iterdir())


def test_a_stopped_write_leaves_the_old_file(tmp_path):
    def stopped():
        yield np.zeros((4, 4, 3), np.uint8)
        raise KeyboardInterrupt

    (tmp_path / "a.mkv").write_text("old")
    with pytest.raises(KeyboardInterrupt):
        write_segment(tmp_path / "a.mkv", stopped(), [0, 1], FILM)
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.mkv"]
    assert (tmp_path / "a.mkv").read_text() == "old"


@pytest.fixture
def full_disk():
    """No file may grow beyond 20 kB."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("height", [60, 400])  # fails when closing, fails while writing
def test_full_disk(tmp_path, full_disk, height):
    with pytest.raises(OutputError, match=r"writing .*a\.mkv: got File too large, wanted .* enough free space"):
        write_segment(tmp_path / "a.mkv", frames_of("uint8", 3, height, 60, 4), film_pts(3), FILM)
    assert not any(tmp_path.iterdir())


def test_not_writable(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"got (Not a directory|File exists), wanted a writable place"):
        write_segment(tmp_path / "file/a.mkv", frames_of("uint8", 1, 4, 4, 3), [0], FILM)


def test_damaged_files_are_named(tmp_path):
    path = tmp_path / "a.mkv"
    write_segment(path, frames_of("uint8", 5, 24, 32, 3), film_pts(5), FILM)
    whole = path.read_bytes()
    with pytest.raises(MediaError, match=r"a\.mkv: got 5 frames, wanted frames 2 to 9"):
        list(read_ffv1(path, 2, 9))
    for length in (len(whole) - 1, len(whole) // 2, 100):
        path.write_bytes(whole[:length])
        with pytest.raises(MediaError, match=rf"a\.mkv: got {length} of {len(whole)} bytes"):
            list(read_ffv1(path))
    for content in (b"", b"not a movie at all"):
        path.write_bytes(content)
        with pytest.raises(MediaError, match=r"a\.mkv: got no Matroska header, wanted a Matroska file"):
            count_frames(path)
    with pytest.raises(MediaError, match=r"gone\.mkv: got No such file or directory"):
        count_frames(tmp_path / "gone.mkv")


def test_other_codecs_are_refused(tmp_path):
    with av.open(str(tmp_path / "a.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=24, width=16, height=16, pix_fmt="yuv420p")
        container.mux(stream.encode(av.VideoFrame(16, 16, "yuv420p")))
        container.mux(stream.encode())
    with pytest.raises(MediaError, match=r"got .*'ffv1', 'yuv420p'.*, wanted FFV1 as the stack stores it"):
        count_frames(tmp_path / "a.mkv")


def test_segments_that_do_not_belong_together(tmp_path):
    write_segment(tmp_path / "1.mkv", frames_of("uint8", 2, 8, 8, 3), [0, 1], FILM)
    write_segment(tmp_path / "2.mkv", frames_of("uint8", 2, 8, 9, 3), [2, 3], FILM)
    with pytest.raises(MediaError, match=r"2\.mkv: got streams .*wanted .*as this version writes them"):
        join_segments([tmp_path / "1.mkv", tmp_path / "2.mkv"], tmp_path / "out.mkv", range(4), FILM)
    with pytest.raises(InputError, match="got 2 frames in the segments, wanted 3"):
        join_segments([tmp_path / "1.mkv"], tmp_path / "out.mkv", range(3), FILM)
    with pytest.raises(InputError, match="got more frames in the segments, wanted 1"):
        join_segments([tmp_path / "1.mkv"], tmp_path / "out.mkv", range(1), FILM)
    with pytest.raises(InputError, match="got 0 frames in the segments, wanted 1"):
        join_segments([], tmp_path / "out.mkv", range(1), FILM)
    assert not (tmp_path / "out.mkv").exists()
