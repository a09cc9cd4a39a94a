"""Every delivery format read back: colour, alpha, names, numbers, times, sound."""

import json
import resource
import warnings
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import OpenEXR
import pytest

from lamina.color import PRIMARIES_NAMES, SRGB, TRANSFER_NAMES, ColorDescription, srgb_to_linear
from lamina.errors import InputError, MediaError, OutputError
from lamina.media.export import FORMATS, ExportConfig, export, write_movie
from lamina.media.exr_write import linear_parts
from lamina.media.ffv1 import write_segment
from lamina.media.fingerprint import source_fingerprint
from lamina.media.stack import (
    PARTS,
    LayerRecord,
    OrderRun,
    SourceRecord,
    StackManifest,
    read_manifest,
    write_manifest,
)

FILM = Fraction(1, 24000)
FRAMES = 6
WHITE = {"uint8": 255, "uint16": 65535, "float32": 1}


def smooth(count: int, height: int, width: int, channels: int, seed: int = 0) -> np.ndarray:
    """A soft picture with values over all of 0..1 that drifts by one pixel per frame."""
    grid = np.random.default_rng(seed).random((3, 4, channels)).astype(np.float32)
    grid[0, 0], grid[-1, -2] = 0, 1
    wide = cv2.resize(grid, (width + count, height), interpolation=cv2.INTER_CUBIC).clip(0, 1)
    return np.stack([wide[:, index : index + width] for index in range(count)])


def as_type(values: np.ndarray, dtype: str) -> np.ndarray:
    return values.astype(np.float32) if dtype == "float32" else np.rint(values * WHITE[dtype]).astype(dtype)


def write_source(path: Path, sound: str = "aac", frames: int = 72, rate: int = 24) -> None:
    """A small movie with a tone."""
    with av.open(str(path), "w") as out:
        video, audio = out.add_stream("mpeg4", rate=rate), out.add_stream(sound, rate=48000, layout="stereo")
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        for index in range(frames):
            picture = np.full((48, 64, 3), index * 3, np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, "rgb24")
            frame.pts, frame.time_base = index, Fraction(1, rate)
            out.mux(video.encode(frame))
        tone = np.sin(np.arange(frames * 48000 // rate) / 20).astype(np.float32) * 0.5
        for index in range(0, len(tone), 1024):
            piece = np.stack([tone[index : index + 1024]] * 2)
            frame = av.AudioFrame.from_ndarray(piece, "fltp", "stereo")
            frame.sample_rate, frame.pts, frame.time_base = 48000, index, Fraction(1, 48000)
            out.mux(audio.encode(frame))
        out.mux(video.encode())
        out.mux(audio.encode())


def write_stack(
    folder: Path,
    dtype: str = "uint8",
    size: tuple[int, int] = (96, 128),
    pts: tuple[int, ...] | None = None,
    source: SourceRecord | None = None,
    color: ColorDescription = SRGB,
) -> dict[str, np.ndarray]:
    pts = pts or tuple(range(0, 1001 * FRAMES, 1001))
    pixels = {"plate": as_type(smooth(len(pts), *size, 3), dtype)}
    for seed, name in enumerate(("dog", "car_2"), 1):
        pixels[name] = as_type(smooth(len(pts), *size, 4, seed), dtype)
    write_segment(folder / "plate.mkv", pixels["plate"], pts, FILM)
    for name in ("dog", "car_2"):
        write_segment(folder / f"layers/{name}.mkv", pixels[name], pts, FILM)
    record = source or SourceRecord("shot.%04d.png", "00", 0, len(pts), first_number=1001, padding=4)
    layers = (LayerRecord("dog", "layers/dog.mkv"), LayerRecord("car_2", "layers/car_2.mkv"))
    manifest = StackManifest(record, size[1], size[0], dtype, pts, FILM, color, "propagate", {}, layers)
    write_manifest(folder, manifest)
    return pixels


def decode(path: Path, pixels: str, decoder: str | None = None) -> np.ndarray:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        if decoder is None:
            return np.stack([frame.to_ndarray(format=pixels) for frame in container.decode(stream)])
        context = av.CodecContext.create(decoder, "r")
        context.extradata = stream.codec_context.extradata
        packets = [*container.demux(stream)]
        return np.stack([f.to_ndarray(format=pixels) for packet in packets for f in context.decode(packet)])


def plane(path: Path, index: int, top: int, decoder: str | None = None) -> np.ndarray:
    """One plane as the decoder gives it, 0..1."""
    found = []
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        context = stream.codec_context if decoder is None else av.CodecContext.create(decoder, "r")
        for packet in container.demux(stream):
            for frame in context.decode(packet):
                lines = np.frombuffer(memoryview(frame.planes[index]), np.uint8 if top == 255 else np.uint16)
                found.append(lines.reshape(frame.height, -1)[:, : frame.width] / top)
    return np.stack(found)


def rgb_from_yuv444(path: Path, bits: int) -> np.ndarray:
    """BT.709 limited range back to RGB 0..1, written out longhand."""
    unit = 2 ** (bits - 8)
    y, cb, cr = (plane(path, index, 2**bits - 1) * (2**bits - 1) / unit for index in range(3))
    y, cb, cr = (y - 16) / 219, (cb - 128) / 224, (cr - 128) / 224
    red, blue = y + 1.5748 * cr, y + 1.8556 * cb
    return np.stack([red, (y - 0.2126 * red - 0.0722 * blue) / 0.7152, blue], axis=-1)


def times_of(path: Path) -> list[Fraction]:
    with av.open(str(path)) as container:
        return [frame.pts * frame.time_base for frame in container.decode(video=0)]


def sound_packets(path: Path) -> list[tuple[bytes, Fraction]]:
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        return [(bytes(packet), packet.pts * stream.time_base) for packet in container.demux(stream) if packet.size]


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_prores_keeps_colour_and_alpha(tmp_path, dtype):
    pixels = write_stack(tmp_path / "stack", dtype)
    files = export(ExportConfig(tmp_path / "stack", "prores4444", tmp_path / "out"))
    assert [file.name for file in files] == ["car_2.mov", "dog.mov", "plate.mov"]
    for name, wanted in pixels.items():
        path = tmp_path / "out" / f"{name}.mov"
        with av.open(str(path)) as container:
            stream = container.streams.video[0].codec_context
            assert stream.codec_tag == "ap4h"
            assert (stream.colorspace, stream.color_range, stream.color_trc, stream.color_primaries) == (1, 1, 13, 1)
        assert np.abs(rgb_from_yuv444(path, 12) - wanted[..., :3] / WHITE[dtype]).max() <= 2 / 255
        if name != "plate":
            assert np.abs(plane(path, 3, 4095) - wanted[..., 3] / WHITE[dtype]).max() <= 80 / 65535


def test_movies_keep_variable_time_stamps(tmp_path):
    pts = (500, 1501, 2502, 9000, 9001, 12000)
    write_stack(tmp_path / "stack", pts=pts)
    exact = [(stamp - pts[0]) * FILM for stamp in pts]
    export(ExportConfig(tmp_path / "stack", "prores4444", tmp_path / "mov"))
    assert times_of(tmp_path / "mov/dog.mov") == exact
    export(ExportConfig(tmp_path / "stack", "webm", tmp_path / "webm"))
    rounded = times_of(tmp_path / "webm/dog.webm")
    assert max(abs(found - wanted) for found, wanted in zip(rounded, exact, strict=True)) <= Fraction(1, 1000)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("size", [(96, 128), (17, 33)])
def test_webm_keeps_alpha(tmp_path, dtype, size):
    pixels = write_stack(tmp_path / "stack", dtype, size)
    export(ExportConfig(tmp_path / "stack", "webm", tmp_path / "out"))
    for name in ("dog", "car_2"):
        path = tmp_path / "out" / f"{name}.webm"
        # FFmpeg's own VP9 decoder drops alpha without a word.
        alpha = plane(path, 3, 255, decoder="libvpx-vp9")
        assert np.abs(alpha - pixels[name][..., 3] / WHITE[dtype]).max() < 3 / 255
        colour = decode(path, "rgb24", decoder="libvpx-vp9")
        assert np.abs(colour / 255 - pixels[name][..., :3] / WHITE[dtype]).mean() < 2 / 255


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_png_is_exact_and_keeps_numbers(tmp_path, dtype):
    pixels = write_stack(tmp_path / "stack", dtype)
    files = export(ExportConfig(tmp_path / "stack", "png", tmp_path / "out"))
    assert len(files) == 3 * FRAMES
    for name, frames in pixels.items():
        for index, wanted in enumerate(frames):
            found = cv2.imread(str(tmp_path / f"out/{name}/{name}.{1001 + index}.png"), cv2.IMREAD_UNCHANGED)
            assert found.dtype == dtype
            order = cv2.COLOR_BGRA2RGBA if found.shape[2] == 4 else cv2.COLOR_BGR2RGB
            assert np.array_equal(cv2.cvtColor(found, order), wanted)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_exr_holds_all_layers_premultiplied_in_linear_light(tmp_path, dtype):
    pixels = write_stack(tmp_path / "stack", dtype)
    files = export(ExportConfig(tmp_path / "stack", "exr", tmp_path / "out"))
    assert [file.name for file in files] == [f"stack.{1001 + index}.exr" for index in range(FRAMES)]
    file = OpenEXR.File(str(files[2]), separate_channels=True)
    header, channels = file.header(), file.channels()
    assert header["framesPerSecond"] == Fraction(24000, 1001)
    assert header["chromaticities"][:2] == pytest.approx((0.64, 0.33))
    assert header["compression"] == OpenEXR.ZIP_COMPRESSION
    assert header["laminaColor"].startswith("premultiplied, linear Rec.709 primaries")
    assert set(channels) == {f"{layer}{name}" for layer in ("", "dog.", "car_2.") for name in "RGBA"}
    plate = pixels["plate"][2].astype(np.float32) / WHITE[dtype]
    shown, light = plate, srgb_to_linear(plate)
    for prefix, name in (("", "plate"), ("dog.", "dog"), ("car_2.", "car_2")):
        found = np.stack([channels[prefix + letter].pixels for letter in "RGB"], -1).astype(np.float32)
        alpha = channels[prefix + "A"].pixels.astype(np.float32)[..., None]
        assert channels[prefix + "R"].pixels.dtype == np.float16
        if name == "plate":
            np.testing.assert_allclose(found, light, rtol=2**-10, atol=2**-14)
            assert (alpha == 1).all()
            continue
        straight = pixels[name][2].astype(np.float32) / WHITE[dtype]
        assert (alpha[straight[..., 3:] == 0] == 0).all() and (found[straight[..., 3] == 0] == 0).all()
        assert (alpha >= straight[..., 3:] - 2**-11).all(), "alpha grows where mixing light needs more of it"
        shown = straight[..., :3] * straight[..., 3:] + shown * (1 - straight[..., 3:])
        light = found + light * (1 - alpha)
        np.testing.assert_allclose(light, srgb_to_linear(shown), rtol=2**-8, atol=2**-10)


def test_exr_per_layer_has_one_file_for_each(tmp_path):
    write_stack(tmp_path / "stack", size=(17, 33))
    export(ExportConfig(tmp_path / "stack", "exr-per-layer", tmp_path / "out"))
    channels = OpenEXR.File(str(tmp_path / "out/dog/dog.1004.exr"), separate_channels=True).channels()
    assert set(channels) == set("RGBA")
    assert channels["R"].pixels.shape == (17, 33)


def test_values_above_white_survive_in_exr_and_are_announced_elsewhere(tmp_path):
    bright = np.full((2, 8, 8, 3), 3.5, np.float32)
    write_stack(tmp_path / "stack", "float32", (8, 8), pts=(0, 1000))
    write_segment(tmp_path / "stack/plate.mkv", bright, (0, 1000), FILM)
    export(ExportConfig(tmp_path / "stack", "exr", tmp_path / "exr"))
    red = OpenEXR.File(str(tmp_path / "exr/stack.1001.exr"), separate_channels=True).channels()["R"].pixels
    assert red.max() == pytest.approx(srgb_to_linear(np.array([3.5]))[0], rel=1e-3)
    with pytest.warns(UserWarning, match="png ends at white: brighter values of this stack are cut"):
        export(ExportConfig(tmp_path / "stack", "png", tmp_path / "png"))
    assert cv2.imread(str(tmp_path / "png/plate/plate.1001.png"), cv2.IMREAD_UNCHANGED).max() == 65535


@pytest.mark.parametrize("sound", ["aac", "pcm_s16le"])
def test_sound_is_copied_packet_by_packet(tmp_path, sound):
    source = tmp_path / "source.mov"
    write_source(source, sound)
    pts = tuple(1000 * index for index in range(72))
    record = SourceRecord(str(source), source_fingerprint(source), 0, 72)
    write_stack(tmp_path / "stack", size=(16, 16), pts=pts, source=record)
    export(ExportConfig(tmp_path / "stack", "prores4444", tmp_path / "out"))
    assert sound_packets(tmp_path / "out/plate.mov") == sound_packets(source)
    with av.open(str(tmp_path / "out/dog.mov")) as layer:
        assert not layer.streams.audio


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_sound_of_a_part_stays_in_step(tmp_path, suffix):
    write_source(tmp_path / "source.mov")
    pts = range(24000, 48000, 1000)  # the second second
    write_movie(tmp_path / f"out{suffix}", np.zeros((24, 16, 16, 3), np.uint8), pts, FILM, tmp_path / "source.mov")
    wanted = dict(sound_packets(tmp_path / "source.mov"))
    found = sound_packets(tmp_path / f"out{suffix}")
    first = times_of(tmp_path / f"out{suffix}")[0]
    assert 45 <= len(found) <= 49
    assert all(abs((time - first) - (wanted[data] - 1)) <= Fraction(1, 900) for data, time in found)


def test_sound_beside_images_is_exact_to_the_sample(tmp_path):
    source = tmp_path / "source.mov"
    write_source(source, "pcm_s16le")
    record = SourceRecord(str(source), "00", 24, 30)
    write_stack(tmp_path / "stack", size=(8, 8), pts=tuple(range(24000, 30000, 1000)), source=record)
    export(ExportConfig(tmp_path / "stack", "png", tmp_path / "out"))
    whole = np.sin(np.arange(3 * 48000) / 20) * 0.5
    with av.open(str(tmp_path / "out/plate.wav")) as container:
        assert container.streams.audio[0].codec_context.name == "pcm_s24le"
        found = np.concatenate([frame.to_ndarray().reshape(-1, 2)[:, 0] for frame in container.decode(audio=0)])
    assert len(found) == 12000
    assert np.abs(found / 2**31 - whole[48000:60000]).max() < 2**-14


def test_sound_that_a_container_cannot_hold_is_written_beside(tmp_path):
    write_source(tmp_path / "source.mov")
    frames = np.zeros((24, 16, 16, 3), np.uint8)
    with pytest.warns(UserWarning, match=r"out\.webm cannot hold the source's sound, it is in out\.wav beside it"):
        write_movie(tmp_path / "out.webm", frames, range(0, 24000, 1000), FILM, tmp_path / "source.mov")
    with av.open(str(tmp_path / "out.wav")) as container:
        assert sum(frame.samples for frame in container.decode(audio=0)) == 48000


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm"])
@pytest.mark.parametrize("size", [(96, 128), (17, 33)])
def test_movies_to_look_at(tmp_path, suffix, size):
    wanted = as_type(smooth(FRAMES, *size, 3), "uint8")
    path = tmp_path / f"out{suffix}"
    write_movie(path, iter(wanted), range(0, 1001 * FRAMES, 1001), FILM)
    found = decode(path, "rgb24")
    assert found.shape == wanted.shape
    assert np.abs(found.astype(int) - wanted).mean() < 3
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.average_rate == Fraction(24000, 1001)
        assert (stream.codec_context.colorspace, stream.codec_context.color_range) == (1, 1)
    if suffix in (".mp4", ".mov"):
        assert times_of(path) == [index * Fraction(1001, 24000) for index in range(FRAMES)]


@pytest.mark.parametrize("name", [*TRANSFER_NAMES.values(), *PRIMARIES_NAMES.values()])
def test_every_colour_name_can_be_written(tmp_path, name):
    is_curve = name in TRANSFER_NAMES.values()
    tags = ColorDescription(transfer=name) if is_curve else ColorDescription(primaries=name)
    write_movie(tmp_path / "out.mkv", np.zeros((2, 16, 16, 3), np.uint8), (0, 1), Fraction(1, 24), color=tags)
    with av.open(str(tmp_path / "out.mkv")) as container:
        stream = container.streams.video[0].codec_context
        assert (TRANSFER_NAMES if is_curve else PRIMARIES_NAMES)[
            stream.color_trc if is_curve else stream.color_primaries
        ] == name


def test_unknown_suffix(tmp_path):
    with pytest.raises(InputError, match=r"out\.avi: got suffix '\.avi', wanted \.mp4, \.mov, \.mkv, \.webm"):
        write_movie(tmp_path / "out.avi", [], (0,), FILM)


def test_unknown_format(tmp_path):
    write_stack(tmp_path / "stack", size=(4, 4))
    config = ExportConfig(tmp_path / "stack", "png", tmp_path / "out")
    object.__setattr__(config, "format", "gif")  # past the check of types that only runs in tests
    with pytest.raises(InputError, match="got 'gif', wanted one of prores4444, png, exr, exr-per-layer, webm"):
        export(config)


@pytest.mark.parametrize("count, got", [(3, "3 frames"), (7, "more frames")])
def test_frames_and_time_stamps_must_fit(tmp_path, count, got):
    with pytest.raises(InputError, match=f"got {got}, wanted 6, one per time stamp"):
        write_movie(tmp_path / "out.mp4", np.zeros((count, 16, 16, 3), np.uint8), range(6), FILM)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("format", list(FORMATS))
def test_nothing_is_left_after_an_error(tmp_path, format):
    write_stack(tmp_path / "stack", size=(8, 8))
    (tmp_path / "stack/layers/dog.mkv").write_bytes((tmp_path / "stack/layers/dog.mkv").read_bytes()[:-100])
    with pytest.raises(MediaError, match=r"dog\.mkv: got \d+ of \d+ bytes"):
        export(ExportConfig(tmp_path / "stack", format, tmp_path / "out"))
    assert [entry.name for entry in tmp_path.iterdir()] == ["stack"]


def test_stopping_leaves_nothing(tmp_path):
    def frames():
        yield np.zeros((16, 16, 3), np.uint8)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_movie(tmp_path / "out.mp4", frames(), range(6), FILM)
    assert not any(tmp_path.iterdir())


def test_a_folder_with_files_is_not_replaced(tmp_path):
    write_stack(tmp_path / "stack", size=(4, 4))
    (tmp_path / "out").mkdir()
    (tmp_path / "out/precious.txt").write_text("mine")
    with pytest.raises(OutputError, match="got a folder that holds files, wanted a new name or an empty folder"):
        export(ExportConfig(tmp_path / "stack", "png", tmp_path / "out"))
    with pytest.raises(OutputError, match="got a place inside the stack"):
        export(ExportConfig(tmp_path / "stack", "png", tmp_path / "stack/png"))
    (tmp_path / "out/precious.txt").unlink()
    assert export(ExportConfig(tmp_path / "stack", "png", tmp_path / "out"))


def test_a_missing_source_is_said(tmp_path):
    write_stack(tmp_path / "stack", size=(4, 4), source=SourceRecord("gone.mp4", "00", 0, FRAMES))
    with pytest.warns(UserWarning, match=r"gone\.mp4 is no longer there: the export is without its sound"):
        files = export(ExportConfig(tmp_path / "stack", "exr", tmp_path / "out"))
    assert files[0].name == "stack.0000.exr"


def test_progress_counts_every_frame(tmp_path):
    write_stack(tmp_path / "stack", size=(4, 4))
    seen = []
    with warnings.catch_warnings():
        export(ExportConfig(tmp_path / "stack", "png", tmp_path / "out"), lambda *step: seen.append(step))
    assert seen[0] == ("export plate", 0, FRAMES)
    assert seen[-1] == ("export car_2", FRAMES, FRAMES)


@pytest.mark.parametrize("format", list(FORMATS))
def test_full_disk(tmp_path, format):
    write_stack(tmp_path / "stack")
    noise = np.random.default_rng(0).integers(0, 256, (FRAMES, 96, 128, 3), np.uint8)
    write_segment(tmp_path / "stack/plate.mkv", noise, range(FRAMES), FILM)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8_000, before[1]))
    try:
        with pytest.raises(OutputError, match="File too large.*wanted a writable place with enough free space"):
            export(ExportConfig(tmp_path / "stack", format, tmp_path / "out"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [entry.name for entry in tmp_path.iterdir()] == ["stack"]


def write_split_stack(folder: Path, dtype: str = "uint8", size: tuple[int, int] = (64, 96)) -> dict[str, np.ndarray]:
    """The stack of `write_stack` with parts for both layers: edges of every alpha, shadows, glow, black ground."""
    pixels = write_stack(folder, dtype, size)
    manifest = read_manifest(folder)
    pixels["plate"][:, :8] = 0
    pixels["plate"] = as_type(np.minimum(pixels["plate"] / WHITE[dtype], 0.7), dtype)
    write_segment(folder / "plate.mkv", pixels["plate"], manifest.pts, FILM)
    for seed, name in enumerate(("dog", "car_2"), 5):
        rgba = smooth(FRAMES, *size, 4, seed)
        rgba[..., 3] = (rgba[..., 3] * 3 - 1).clip(0, 1)
        shadow = (smooth(FRAMES, *size, 3, seed + 10) * 1.6).clip(0.15, 1)
        light = (smooth(FRAMES, *size, 3, seed + 20) - 0.6).clip(0, 0.3)
        for part, values in {"object": rgba, "shadow": shadow, "light": light}.items():
            pixels[f"{name}.{part}"] = as_type(values, dtype)
            write_segment(folder / f"layers/{name}.{part}.mkv", pixels[f"{name}.{part}"], manifest.pts, FILM)
    parts = {name: {part: f"layers/{name}.{part}.mkv" for part in PARTS} for name in ("dog", "car_2")}
    layers = tuple(replace(layer, parts=parts[layer.name]) for layer in manifest.layers)
    write_manifest(folder, replace(manifest, layers=layers))
    return pixels


def recomposed(plate: np.ndarray, rgba: np.ndarray, shadow: np.ndarray, light: np.ndarray) -> np.ndarray:
    """over(object, plate * shadow + light), all 0..1 with straight alpha."""
    return rgba[..., :3] * rgba[..., 3:] + (plate * shadow + light) * (1 - rgba[..., 3:])


def solo_of(pixels: dict[str, np.ndarray], name: str, dtype: str) -> np.ndarray:
    values = {key: array.astype(np.float64) / WHITE[dtype] for key, array in pixels.items()}
    return recomposed(values["plate"], *(values[f"{name}.{part}"] for part in PARTS))


def floats(path: Path, layer: str = "", names: str = "RGB") -> np.ndarray:
    channels = OpenEXR.File(str(path), separate_channels=True).channels()
    return np.stack([channels[layer + name].pixels.astype(np.float64) for name in names], axis=-1)


def has_channel(path: Path, name: str) -> bool:
    return name in OpenEXR.File(str(path), separate_channels=True).channels()


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("format", ["exr", "exr-per-layer"])
def test_split_exr_is_right_in_linear_light(tmp_path, format, dtype):
    pixels = write_split_stack(tmp_path / "stack", dtype)
    files = export(ExportConfig(tmp_path / "stack", format, tmp_path / "out", split=True))
    for frame, number in ((0, 1001), (2, 1003)):
        if format == "exr":
            place = {name: (tmp_path / f"out/stack.{number}.exr", f"{name}.") for name in ("dog", "car_2")}
            place |= {n + s: (place[n][0], f"{n}{s}.") for n in ("dog", "car_2") for s in ("_shadow", "_light")}
            plate = floats(place["dog"][0])
        else:
            names = [n + s for n in ("dog", "car_2") for s in ("", "_shadow", "_light")]
            place = {name: (tmp_path / f"out/{name}/{name}.{number}.exr", "") for name in names}
            plate = floats(tmp_path / f"out/plate/plate.{number}.exr")
        for name in ("dog", "car_2"):
            rgba = floats(*place[name], "RGBA")
            shadow, light = floats(*place[f"{name}_shadow"]), floats(*place[f"{name}_light"])
            found = rgba[..., :3] + (1 - rgba[..., 3:]) * (plate * shadow + light)
            wanted = srgb_to_linear(solo_of(pixels, name, dtype)[frame])
            np.testing.assert_allclose(found, wanted, rtol=2**-9, atol=2**-11)
            assert shadow.max() == 1 and shadow.min() >= 0 and light.min() == 0
            assert rgba.min() >= -(2**-12) and (rgba[..., :3] <= rgba[..., 3:] + 2**-10).all()
            stored = pixels[f"{name}.object"][frame].astype(np.float64) / WHITE[dtype]
            opaque = stored[..., 3] == 1
            np.testing.assert_allclose(
                rgba[opaque][:, :3], srgb_to_linear(stored[opaque][:, :3]), rtol=2**-10, atol=2**-14
            )
            assert (rgba[stored[..., 3] == 0] == 0).all()
            assert not has_channel(place[f"{name}_shadow"][0], f"{place[f'{name}_shadow'][1]}A") or format == "exr"
    assert len(files) == (6 if format == "exr" else 6 * 7)


def test_linear_parts_keep_values_above_white():
    plate, light = np.full((4, 5, 3), 2.5, np.float32), np.full((4, 5, 3), 0.5, np.float32)
    rgba = smooth(1, 4, 5, 4)[0] * np.array([3, 3, 3, 1], np.float32)
    shadow = smooth(1, 4, 5, 3, 1)[0]
    parts = linear_parts(plate, {"object": rgba, "shadow": shadow, "light": light})
    layer = parts["object"]
    found = layer[..., :3] + (1 - layer[..., 3:]) * (srgb_to_linear(plate) * parts["shadow"] + parts["light"])
    np.testing.assert_allclose(found, srgb_to_linear(recomposed(plate, rgba, shadow, light)), rtol=1e-4, atol=1e-5)
    assert {part: (values.dtype, values.shape[2]) for part, values in parts.items()} == {
        part: (np.float32, channels) for part, channels in PARTS.items()
    }


def test_split_exr_names_its_layers(tmp_path):
    write_split_stack(tmp_path / "stack")
    export(ExportConfig(tmp_path / "stack", "exr", tmp_path / "out", split=True))
    file = OpenEXR.File(str(tmp_path / "out/stack.1001.exr"), separate_channels=True)
    colors = {f"{n}{s}.{c}" for n in ("dog", "car_2") for s in ("", "_shadow", "_light") for c in "RGB"}
    assert set(file.channels()) == colors | set("RGBA") | {"dog.A", "car_2.A"}
    assert file.header()["laminaLayers"] == "dog_shadow dog_light dog car_2_shadow car_2_light car_2"
    assert file.header()["laminaRecipe"] == "below * NAME_shadow + NAME_light, then NAME over it"


def test_a_black_plate_takes_the_factor_of_a_white_one(tmp_path):
    pixels = write_split_stack(tmp_path / "stack")
    export(ExportConfig(tmp_path / "stack", "exr-per-layer", tmp_path / "out", split=True))
    factor = floats(tmp_path / "out/dog_shadow/dog_shadow.1001.exr")[:8]
    np.testing.assert_allclose(factor, srgb_to_linear(pixels["dog.shadow"][0, :8] / 255), rtol=2**-10)
    nothing = (pixels["dog.shadow"][0] == 255) & (pixels["dog.light"][0] == 0)
    assert nothing.any()
    assert (floats(tmp_path / "out/dog_shadow/dog_shadow.1001.exr")[nothing] == 1).all()
    assert (floats(tmp_path / "out/dog_light/dog_light.1001.exr")[nothing] == 0).all()


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_split_png_recomposes(tmp_path, dtype):
    pixels = write_split_stack(tmp_path / "stack", dtype)
    export(ExportConfig(tmp_path / "stack", "png", tmp_path / "out", split=True))

    def read(name: str) -> np.ndarray:
        image = cv2.imread(str(tmp_path / f"out/{name}/{name}.1002.png"), cv2.IMREAD_UNCHANGED)
        return image[..., [2, 1, 0, 3][: image.shape[2]]] / WHITE[dtype]

    for name in ("dog", "car_2"):
        assert read(name).shape[2] == 4 and read(f"{name}_shadow").shape[2] == read(f"{name}_light").shape[2] == 3
        found = recomposed(read("plate"), *(read(name + suffix) for suffix in ("", "_shadow", "_light")))
        assert np.abs(found - solo_of(pixels, name, dtype)[1]).mean() < 1e-6


def test_split_prores_recomposes(tmp_path):
    pixels = write_split_stack(tmp_path / "stack")
    files = export(ExportConfig(tmp_path / "stack", "prores4444", tmp_path / "out", split=True))
    assert sorted(f.stem for f in files) == sorted(
        ["plate", *(name + suffix for name in ("dog", "car_2") for suffix in ("", "_shadow", "_light"))]
    )
    with av.open(str(tmp_path / "out/dog_shadow.mov")) as container:
        assert container.streams.video[0].pix_fmt == "yuv444p12le"  # no alpha
    for name in ("dog", "car_2"):
        read = {key: rgb_from_yuv444(tmp_path / f"out/{key}.mov", 12) for key in ("plate", name)}
        read |= {key: rgb_from_yuv444(tmp_path / f"out/{name}_{key}.mov", 12) for key in ("shadow", "light")}
        rgba = np.concatenate([read[name], plane(tmp_path / f"out/{name}.mov", 3, 4095)[..., None]], axis=-1)
        found = recomposed(read["plate"], rgba, read["shadow"], read["light"])
        assert np.abs(found - solo_of(pixels, name, "uint8")).mean() < 1 / 255


def test_split_webm_recomposes(tmp_path):
    pixels = write_split_stack(tmp_path / "stack")
    export(ExportConfig(tmp_path / "stack", "webm", tmp_path / "out", split=True))
    read = {
        key: decode(tmp_path / f"out/{key}.webm", "rgb24", "libvpx-vp9") / 255
        for key in ("plate", "dog", "dog_shadow", "dog_light")
    }
    alpha = plane(tmp_path / "out/dog.webm", 3, 255, "libvpx-vp9")[..., None]
    found = recomposed(read["plate"], np.concatenate([read["dog"], alpha], -1), read["dog_shadow"], read["dog_light"])
    assert np.abs(found - solo_of(pixels, "dog", "uint8")).mean() < 2.5 / 255
    with av.open(str(tmp_path / "out/dog_light.webm")) as container:
        assert container.streams.video[0].pix_fmt == "yuv420p"


def test_without_split_the_layers_stay_whole(tmp_path):
    write_split_stack(tmp_path / "stack")
    files = export(ExportConfig(tmp_path / "stack", "webm", tmp_path / "out"))
    assert [file.name for file in files] == ["car_2.webm", "dog.webm", "plate.webm"]


@pytest.mark.parametrize("format", list(FORMATS))
def test_a_stack_in_one_piece_cannot_be_split(tmp_path, format):
    write_stack(tmp_path / "stack", size=(4, 4))
    with pytest.raises(InputError, match="--split: got a stack whose layer dog is in one piece, .* with --split"):
        export(ExportConfig(tmp_path / "stack", format, tmp_path / "out", split=True))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("other", ["dog_shadow", "Dog_Light"])
def test_names_of_parts_must_be_free(tmp_path, other):
    write_split_stack(tmp_path / "stack")
    manifest = read_manifest(tmp_path / "stack")
    dog, car = manifest.layers
    changed = replace(manifest, layers=(dog, replace(car, name=other)), order=())
    write_manifest(tmp_path / "stack", changed)
    with pytest.raises(InputError, match=f"layer names: got an object called {other}, as a part of another one will"):
        export(ExportConfig(tmp_path / "stack", "png", tmp_path / "out", split=True))
    assert not (tmp_path / "out").exists()
    assert export(ExportConfig(tmp_path / "stack", "png", tmp_path / "out"))


@pytest.mark.parametrize("format", list(FORMATS))
def test_a_change_of_order_is_written_beside(tmp_path, format):
    write_stack(tmp_path / "stack", size=(8, 8))
    manifest = read_manifest(tmp_path / "stack")
    assert tmp_path / "one/order.json" not in export(ExportConfig(tmp_path / "stack", format, tmp_path / "one"))
    order = (OrderRun(0, ("dog", "car_2")), OrderRun(4, ("car_2", "dog")))
    write_manifest(tmp_path / "stack", replace(manifest, order=order))
    assert tmp_path / "two/order.json" in export(ExportConfig(tmp_path / "stack", format, tmp_path / "two"))
    assert json.loads((tmp_path / "two/order.json").read_text()) == {
        "order": [
            {"first": 0, "number": 1001, "back_to_front": ["dog", "car_2"]},
            {"first": 4, "number": 1005, "back_to_front": ["car_2", "dog"]},
        ]
    }
    if format == "exr":
        headers = [OpenEXR.File(str(tmp_path / f"two/stack.{n}.exr")).header() for n in (1004, 1005)]
        assert [header["laminaLayers"] for header in headers] == ["dog car_2", "car_2 dog"]


def test_prores_frames_say_what_their_file_says(tmp_path):
    """Bytes 14 to 16 of the frame header are primaries, curve and matrix (SMPTE RDD 36, 5.1.1)."""
    bt709 = ColorDescription(matrix="bt709", range="tv", transfer="bt709", primaries="bt709")
    write_stack(tmp_path / "stack", size=(16, 16), color=bt709)
    export(ExportConfig(tmp_path / "stack", "prores4444", tmp_path / "out"))
    for name in ("plate", "dog"):
        with av.open(str(tmp_path / f"out/{name}.mov")) as container:
            packet = next(bytes(packet) for packet in container.demux(video=0))
            stream = container.streams.video[0].codec_context
            assert packet[4:8] == b"icpf"
            assert tuple(packet[8 + 14 : 8 + 17]) == (1, 1, 1)
            assert (stream.color_primaries, stream.color_trc, stream.colorspace) == (1, 1, 1)
