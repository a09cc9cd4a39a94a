"""Small movies and images for tests: content whose every frame can be told from every other one."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

RATE = 24


def picture(number: int, size: tuple[int, int] = (64, 48)) -> np.ndarray:
    """`h w 3` uint8: blocks of colour that change slowly, so that lossy codecs keep them."""
    width, height = size
    columns, rows = np.meshgrid(np.arange(width) // 8, np.arange(height) // 8)
    red = (columns * 29 + number * 5) % 200 + 20
    green = (rows * 37 + number * 3) % 200 + 20
    blue = ((columns + rows) * 17 + number * 7) % 200 + 20
    return np.stack([red, green, blue], axis=-1).astype(np.uint8)


def write_movie(
    path: Path,
    frames: Sequence[np.ndarray] | int = 12,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    options: dict[str, str] | None = None,
    pts: tuple[Sequence[int], Fraction] | None = None,
    mux: dict[str, str] | None = None,
    rotation: int = 0,
) -> Path:
    """Encode pictures (or that many of `picture`); `pts` are time stamps and their base, else 24 frames per second."""
    pictures = [picture(number) for number in range(frames)] if isinstance(frames, int) else frames
    with av.open(str(path), "w", options=mux or {}) as container:
        stream = container.add_stream(codec, rate=RATE, options=options or {})
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = pix_fmt
        if rotation:
            stream.set_display_rotation(rotation)
        if pts:
            stream.time_base = stream.codec_context.time_base = pts[1]
        for number, pixels in enumerate(pictures):
            frame = _frame(pixels)
            if pts:
                frame.pts, frame.time_base = pts[0][number], pts[1]
            for packet in stream.encode(frame):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return path


def _frame(pixels: np.ndarray) -> av.VideoFrame:
    if pixels.dtype == np.uint16:
        return av.VideoFrame.from_ndarray(pixels, format="rgb48le")
    return av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgba" if pixels.shape[2] == 4 else "rgb24")


def write_images(folder: Path, images: Sequence[np.ndarray], name: str = "shot.{:04d}.png", first: int = 0) -> Path:
    """Write RGB(A) or gray images as a numbered run."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, image in enumerate(images, first):
        assert cv2.imwrite(str(folder / name.format(number)), stored_order(image))
    return folder


def stored_order(image: np.ndarray) -> np.ndarray:
    """What OpenCV wants to be handed: BGR(A)."""
    return image if image.ndim == 2 else image[..., [2, 1, 0, 3][: image.shape[2]]]


def cut_short(path: Path, share: float = 0.6) -> Path:
    """A copy of a file that broke off."""
    part = path.with_name("cut" + path.suffix)
    data = path.read_bytes()
    part.write_bytes(data[: int(len(data) * share)])
    return part


def decoded(path: Path) -> list[np.ndarray]:
    """The slow, obvious twin of reading an 8-bit movie: PyAV from start to end."""
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
