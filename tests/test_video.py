import gc
import hashlib
from fractions import Fraction

import av
import numpy as np
import pytest
from media_makers import cut_short, decoded, picture, write_movie

from lamina.errors import InputError, MediaError
from lamina.media.movie_index import build_index
from lamina.media.orientation import Orientation
from lamina.media.source import open_source
from lamina.media.video import rgb_of


def digest(frames) -> str:
    total = hashlib.sha256()
    for frame in frames:
        total.update(frame.tobytes())
    return total.hexdigest()


KINDS = {
    "h264-b-frames": ("a.mp4", {"options": {"g": "7", "bf": "3"}}),
    "h264-open-gop": ("a.mp4", {"options": {"g": "8", "bf": "3", "x264-params": "open-gop=1:scenecut=0"}}),
    "h264-mkv": ("a.mkv", {"options": {"g": "6", "bf": "2"}}),
    "h264-ts": ("a.ts", {"options": {"g": "6", "bf": "2"}}),
    "h264-raw": ("a.h264", {"options": {"g": "6", "bf": "2"}}),
    "h264-gbrp": ("a.mov", {"codec": "libx264rgb", "pix_fmt": "rgb24", "options": {"g": "6"}}),
    "h264-422": ("a.mp4", {"pix_fmt": "yuv422p"}),
    "mpeg4-avi": ("a.avi", {"codec": "mpeg4", "options": {"g": "6", "bf": "2"}}),
    "vp9-hidden-frames": ("a.webm", {"codec": "libvpx-vp9", "options": {"lag-in-frames": "12", "g": "9"}}),
    "ffv1-rgba": ("a.mkv", {"codec": "ffv1", "pix_fmt": "bgra"}),
    "ffv1-gray": ("a.mkv", {"codec": "ffv1", "pix_fmt": "gray"}),
    "nv12": ("a.nut", {"codec": "rawvideo", "pix_fmt": "nv12"}),
    "full-range": ("a.mp4", {"codec": "mjpeg", "pix_fmt": "yuvj444p"}),
    "palette": ("a.gif", {"codec": "gif", "pix_fmt": "rgb8"}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_8_bit_is_what_pyav_gives_from_every_start(tmp_path, kind, assert_same_pixels):
    name, how = KINDS[kind]
    path = write_movie(tmp_path / name, 20, **how)
    source, truth = open_source(path), decoded(path)
    assert (source.info.frames, source.info.dtype, source.info.depth_bits) == (20, "uint8", 8)
    assert_same_pixels(list(source.read()), truth)
    for start in range(20):
        assert_same_pixels(list(source.read(start, min(start + 3, 20))), truth[start : start + 3])


def test_shared_movies_are_what_pyav_gives(shared):
    paths = sorted(shared.glob("bench/*/input.mp4")) + sorted(shared.glob("clips/*/input.mp4"))[:6]
    assert paths
    for path in paths:
        assert digest(open_source(path).read(0, 25)) == digest(decoded(path)[:25]), path


def test_reading_twice_and_at_once_gives_the_same(tmp_path):
    source = open_source(write_movie(tmp_path / "a.mp4", 20))
    pairs = list(zip(source.read(), source.read(), strict=True))
    assert len(pairs) == 20 and all(np.array_equal(a, b) for a, b in pairs)


def test_an_abandoned_read_closes_its_file(tmp_path):
    frames = open_source(write_movie(tmp_path / "a.mp4")).read()
    next(frames)
    frames.close()


def test_memory_is_flat_without_the_garbage_collector(tmp_path):
    path = write_movie(tmp_path / "a.mp4", 40, rotation=90)
    gc.collect()
    gc.disable()
    try:
        for _ in open_source(path).read():
            pass
        left = [thing for thing in gc.get_objects() if type(thing) is av.VideoFrame]
        assert len(left) <= 2, "frames are kept alive by reference cycles"
    finally:
        gc.enable()


def test_matrix_tag_is_obeyed():
    frames = [av.VideoFrame(16, 16, "yuv444p") for _ in range(2)]
    for frame, colorspace in zip(frames, (1, 5), strict=True):
        for plane, value in zip(frame.planes, (100, 90, 200), strict=True):
            np.frombuffer(plane, np.uint8)[...] = value
        frame.colorspace = colorspace
    assert rgb_of(frames[0])[0, 0].tolist() == [227, 68, 18]
    assert rgb_of(frames[1])[0, 0].tolist() == [213, 54, 21]


def yuv_frame(fmt: str, bits: int, full: bool) -> tuple[av.VideoFrame, np.ndarray]:
    """A BT.709 frame of random colours and its RGB by exact arithmetic, 0..1."""
    chance, unit = np.random.default_rng(bits), 2 ** (bits - 8)
    frame = av.VideoFrame(64, 32, fmt)
    frame.colorspace, frame.color_range = 1, 2 if full else 1
    low, high = (0, 2**bits - 1) if full else (16 * unit, 235 * unit)
    planes = [chance.integers(low, high + 1, (32, 64))]
    planes += [128 * unit + chance.integers(-20 * unit, 20 * unit, (32, 64)) for _ in range(2)]
    for plane, values in zip(frame.planes, planes, strict=True):
        np.frombuffer(plane, np.uint16).reshape(32, -1)[:, :64] = values
    y_span, c_span = (2**bits - 1, 2**bits - 1) if full else (219 * unit, 224 * unit)
    y, cb, cr = (planes[0] - low) / y_span, (planes[1] - 128 * unit) / c_span, (planes[2] - 128 * unit) / c_span
    red, blue = y + 1.5748 * cr, y + 1.8556 * cb
    green = (y - 0.2126 * red - 0.0722 * blue) / 0.7152
    return frame, np.clip(np.stack([red, green, blue], -1), 0, 1)


@pytest.mark.parametrize("bits", [10, 12, 16])
@pytest.mark.parametrize("full", [False, True])
def test_deep_yuv_fills_16_bits(bits, full, assert_same_pixels):
    frame, truth = yuv_frame(f"yuv444p{bits}le", bits, full)
    assert_same_pixels(rgb_of(frame), np.rint(truth * 65535).astype(np.uint16), tolerance=4)


@pytest.mark.parametrize("fmt", ["gray10le", "gray12le", "gray16le", "gbrp10le", "gbrp12le", "gbrp16le", "x2rgb10le"])
def test_white_is_white_at_every_depth(fmt):
    frame = av.VideoFrame(16, 16, fmt)
    bits = max(part.bits for part in frame.format.components)
    for plane in frame.planes:
        kind, value = (np.uint32, 0x3FFFFFFF) if fmt == "x2rgb10le" else (np.uint16, 2**bits - 1)
        np.frombuffer(plane, kind)[...] = value
    assert rgb_of(frame).min() == 65535


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt", "bits", "error"),
    [
        ("a.mov", "prores_ks", "yuv422p10le", 10, 3000),
        ("a.mkv", "ffv1", "yuv444p12le", 12, 280),  # FFmpeg writes white of rgb48 as 235.9, which is our 65535 too
        ("a.mkv", "ffv1", "gbrp10le", 10, 64),
        ("a.mkv", "ffv1", "gbrp16le", 16, 0),
        ("a.mkv", "ffv1", "gray16le", 16, None),
    ],
)
def test_deep_movies(tmp_path, name, codec, pix_fmt, bits, error):
    pictures = [np.repeat(np.linspace(0, 65535, 64)[None, :, None], 48, 0).repeat(3, 2).astype(np.uint16)] * 3
    source = open_source(write_movie(tmp_path / name, pictures, codec, pix_fmt))
    assert (source.info.dtype, source.info.depth_bits) == ("uint16", bits)
    for found, wanted in zip(source.read(), pictures, strict=True):
        assert (found.dtype, found.shape) == (np.uint16, (48, 64, 3))
        if error is not None:
            assert np.abs(found.astype(int) - wanted.astype(int)).max() <= error


def test_float_movies_keep_every_bit(tmp_path):
    pixels = np.linspace(-1, 4, 16 * 24 * 3, dtype=np.float32).reshape(16, 24, 3)
    with av.open(str(tmp_path / "a.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=24, options={"level": "4", "strict": "experimental"})
        stream.width, stream.height, stream.pix_fmt = 24, 16, "gbrpf32le"
        frame = av.VideoFrame.from_ndarray(pixels, format="gbrpf32le")
        for packet in [*stream.encode(frame), *stream.encode()]:
            container.mux(packet)
    source = open_source(tmp_path / "a.mkv")
    assert source.info.dtype == "float32"
    assert np.array_equal(next(source.read()), pixels)


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_display_rotation(tmp_path, rotation, assert_same_pixels):
    path = write_movie(tmp_path / "a.mp4", 3, rotation=rotation)
    info = open_source(path).info
    assert (info.width, info.height) == ((64, 48) if rotation == 180 else (48, 64))
    # FFmpeg counts a display matrix counter-clockwise, as np.rot90 does.
    for found, stored in zip(open_source(path).read(), decoded(path), strict=True):
        assert_same_pixels(found, np.rot90(stored, rotation // 90))


def test_orientation_covers_mirrors():
    corner = np.arange(6).reshape(2, 3, 1)
    assert Orientation(down=-1).upright(corner)[..., 0].tolist() == [[3, 4, 5], [0, 1, 2]]
    assert Orientation(transposed=True).upright(corner)[..., 0].tolist() == [[0, 3], [1, 4], [2, 5]]
    assert Orientation(transposed=True, right=-1).upright(corner)[..., 0].tolist() == [[3, 0], [4, 1], [5, 2]]


def test_slanted_display_matrix(tmp_path):
    path = write_movie(tmp_path / "a.mp4", 3, rotation=30)
    with pytest.raises(
        MediaError, match=r"a.mp4: got a picture to be shown turned by -?\d+ degrees, wanted quarter turns"
    ):
        open_source(path)


def test_variable_frame_rate_keeps_its_times(tmp_path):
    stamps = [0, 1001, 2002, 9000, 9100, 12000, 20000, 20500]
    path = write_movie(tmp_path / "a.mp4", 8, pts=(stamps, Fraction(1, 24000)))
    info = open_source(path).info
    assert info.rate is None
    assert info.pts_seconds == tuple(Fraction(stamp, 24000) for stamp in stamps)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_ntsc_rate_is_exact(tmp_path, name):
    stamps = [1001 * number for number in range(30)]
    path = write_movie(tmp_path / name, 30, pts=(stamps, Fraction(1, 24000)))
    assert open_source(path).info.rate == Fraction(24000, 1001)


def test_no_time_stamps_at_all(tmp_path):
    info = open_source(write_movie(tmp_path / "a.h264", 12)).info
    assert (info.frames, info.rate) == (12, 24)
    assert build_index(tmp_path / "a.h264").key_pts == ()


def test_color_and_sound(tmp_path):
    options = {"color_primaries": "bt709", "color_trc": "bt709", "colorspace": "bt709", "color_range": "tv"}
    info = open_source(write_movie(tmp_path / "a.mp4", 3, options=options)).info
    assert (info.color.matrix, info.color.range, info.color.transfer) == ("bt709", "tv", "bt709")
    assert not info.has_audio
    write_movie_with_sound(tmp_path / "b.mp4")
    assert open_source(tmp_path / "b.mp4").info.has_audio


def write_movie_with_sound(path):
    with av.open(str(path), "w") as container:
        video, audio = container.add_stream("libx264", rate=24), container.add_stream("aac", rate=48000)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        sound.sample_rate = 48000
        for stream, frame in ((video, av.VideoFrame.from_ndarray(picture(0), format="rgb24")), (audio, sound)):
            for packet in [*stream.encode(frame), *stream.encode()]:
                container.mux(packet)


def test_part_of_a_movie(tmp_path, assert_same_pixels):
    path = write_movie(tmp_path / "a.mp4", 20, options={"g": "5"})
    part, truth = open_source(path, frames=(6, 11)), decoded(path)
    assert (part.info.frames, part.info.first_number, part.info.source_frames) == (6, 6, 20)
    assert part.info.pts == open_source(path).info.pts[6:12]
    assert_same_pixels(list(part.read()), truth[6:12])
    assert_same_pixels(list(part.read(2, 4)), truth[8:10])
    assert list(part.read(3, 3)) == []


@pytest.mark.parametrize("frames", [(-1, 3), (5, 20), (7, 6)])
def test_part_outside_of_the_movie(tmp_path, frames):
    path = write_movie(tmp_path / "a.mp4", 20)
    with pytest.raises(InputError, match=rf"frames of a.mp4: got {frames[0]}-{frames[1]}, wanted a range within 0-19"):
        open_source(path, frames=frames)


def test_reading_outside_of_the_movie(tmp_path):
    source = open_source(write_movie(tmp_path / "a.mp4", 5))
    with pytest.raises(ValueError, match=r"a.mp4 has frames 0\.\.4, asked for 3\.\.5"):
        list(source.read(3, 6))


def test_sizes_odd_and_tiny(tmp_path):
    for size in ((33, 17), (1, 1)):
        path = write_movie(tmp_path / "a.mkv", [picture(0, size)], "ffv1", "bgr0")
        assert np.array_equal(next(open_source(path).read()), picture(0, size))


def test_missing_file(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        open_source(tmp_path / "nothing.mp4")


@pytest.mark.parametrize(("name", "data"), [("a.mp4", b"hello\n" * 100), ("a.txt", b"hello\n" * 100), ("a.mov", b"")])
def test_not_a_movie(tmp_path, name, data):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(MediaError, match=f"movie .*{name}: got .*, wanted a movie"):
        open_source(tmp_path / name)


def test_sound_only(tmp_path):
    with av.open(str(tmp_path / "a.wav"), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        frame.sample_rate = 8000
        for packet in [*stream.encode(frame), *stream.encode()]:
            container.mux(packet)
    with pytest.raises(MediaError, match="got no video stream"):
        open_source(tmp_path / "a.wav")


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("a.mp4", {"mux": {"movflags": "faststart"}}),
        ("a.mkv", {}),
        ("a.mkv", {"codec": "ffv1", "pix_fmt": "bgr0"}),
        ("a.webm", {"codec": "libvpx-vp9"}),
        ("a.avi", {"codec": "mpeg4", "options": {"b": "2000000"}}),
        ("a.mov", {"codec": "prores_ks", "pix_fmt": "yuv422p10le", "mux": {"movflags": "faststart"}}),
    ],
)
def test_truncated(tmp_path, name, how):
    path = cut_short(write_movie(tmp_path / name, 40, **how), share=0.75)
    with pytest.raises(MediaError, match=r"truncated or damaged file, \d+ frames are readable") as caught:
        open_source(path)
    assert 5 < int(caught.value.got.split(",")[1].split()[0]) < 35


def test_truncated_before_its_table(tmp_path):
    with pytest.raises(MediaError, match="bytes that FFmpeg cannot open"):
        open_source(cut_short(write_movie(tmp_path / "a.mp4", 40)))


def test_zero_frames(tmp_path):
    whole = write_movie(tmp_path / "a.mp4", 3)
    options = {"movflags": "empty_moov"}
    with av.open(str(whole)) as source, av.open(str(tmp_path / "b.mp4"), "w", options=options) as container:
        container.add_stream_from_template(source.streams.video[0])
        container.start_encoding()
    with pytest.raises(MediaError, match="got no frame, wanted at least one"):
        open_source(tmp_path / "b.mp4")


def test_damaged_in_the_middle(tmp_path):
    path = write_movie(tmp_path / "a.mov", 40, "prores_ks", "yuv422p10le")
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle - 2500 : middle + 2500] = bytes(5000)
    path.write_bytes(data)
    with pytest.raises(MediaError, match=r"truncated or damaged file, \d+ frames are readable"):
        list(open_source(path).read())


def test_one_frame(tmp_path):
    source = open_source(write_movie(tmp_path / "a.mp4", 1))
    assert (source.info.frames, source.info.rate, len(list(source.read()))) == (1, 24, 1)


def test_cover_image_is_not_the_clip(tmp_path):
    write_movie(tmp_path / "cover.png", 1, "png", "rgb24", mux={"update": "1"})
    write_movie(tmp_path / "a.mp4", 5)
    with (
        av.open(str(tmp_path / "cover.png")) as cover,
        av.open(str(tmp_path / "a.mp4")) as clip,
        av.open(str(tmp_path / "b.mp4"), "w") as out,
    ):
        pairs = [(source, out.add_stream_from_template(source.streams.video[0])) for source in (cover, clip)]
        pairs[0][1].disposition = av.stream.Disposition.attached_pic
        for source, stream in pairs:
            for packet in source.demux(video=0):
                if packet.size:
                    packet.stream = stream
                    out.mux(packet)
    assert open_source(tmp_path / "b.mp4").info.frames == 5
