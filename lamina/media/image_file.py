"""Single image files (PNG, JPEG, TIFF, EXR) as arrays, and their sizes without decoding them."""

import struct
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np

from lamina.color import linear_to_srgb
from lamina.errors import MediaError
from lamina.media.exr_read import exr_size, read_exr

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".exr")


def read_image(path: Path) -> np.ndarray:
    """One image as `h w c` in its own numbers: c is 1 (gray), 3 (RGB) or 4 (RGBA); uint8, uint16 or float32.

    Palettes are spelled out as colours. EXR is scene-linear with associated alpha, everything else as stored.

    Raises:
        MediaError: not an image, cut short, or of a number type that pictures do not have.
    """
    if path.suffix.lower() == ".exr":
        return read_exr(path)
    # IMREAD_UNCHANGED would ignore the orientation a camera writes into a JPEG, which has no alpha or depth to lose.
    flags = cv2.IMREAD_COLOR if path.suffix.lower() in (".jpg", ".jpeg") else cv2.IMREAD_UNCHANGED
    # Through memory, because OpenCV's own file access fails on non-ASCII paths on Windows.
    encoded = np.fromfile(path, np.uint8)
    image = cv2.imdecode(encoded, flags) if encoded.size else None
    if image is None:
        raise _unreadable(path, f"{encoded.size} bytes that cannot be read as an image, or not to their end")
    if image.dtype == np.float64:
        image = image.astype(np.float32)
    if image.dtype not in (np.uint8, np.uint16, np.float32):
        raise _unreadable(path, f"pixels of type {image.dtype}")
    return _rgb_order(image)


def _rgb_order(image: np.ndarray) -> np.ndarray:
    if image.ndim == 2:
        return image[..., None]
    if image.shape[2] == 2:  # gray and alpha
        return image[..., [0, 0, 0, 1]]
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB if image.shape[2] == 3 else cv2.COLOR_BGRA2RGBA)


def picture_of(path: Path) -> np.ndarray:
    """One image as `h w 3` RGB, display-referred: gray is spread, alpha dropped, EXR encoded with the sRGB curve."""
    image = read_image(path)
    rgb = np.repeat(image, 3, axis=2) if image.shape[2] == 1 else np.ascontiguousarray(image[..., :3])
    return linear_to_srgb(rgb) if path.suffix.lower() == ".exr" else rgb


def image_size(path: Path) -> tuple[int, int] | None:
    """Stored width and height, read from the header; None where the header is not one this function knows.

    Raises:
        MediaError: the file is empty, or an EXR image that cannot be opened.
    """
    suffix = path.suffix.lower()
    if suffix == ".exr":
        return exr_size(path)
    with path.open("rb") as file:
        head = file.read(26)
        if not head:
            raise _unreadable(path, "an empty file")
        if head.startswith(b"\x89PNG"):
            return _pair(">II", head[16:24])
        if head.startswith(b"\xff\xd8"):
            return _jpeg_size(file)
        if head.startswith((b"II*\0", b"MM\0*")):
            return _tiff_size(file, "<" if head.startswith(b"II") else ">")
    return None


def _pair(layout: str, data: bytes) -> tuple[int, int] | None:
    if len(data) < struct.calcsize(layout):
        return None
    first, second = struct.unpack(layout, data)
    return first, second


def _jpeg_size(file: BinaryIO) -> tuple[int, int] | None:
    file.seek(2)
    while len(marker := file.read(4)) == 4 and marker[0] == 0xFF:
        length = struct.unpack(">H", marker[2:])[0]
        # Start-of-frame markers are C0..CF without C4 (Huffman), C8 (reserved) and CC (arithmetic) tables.
        if 0xC0 <= marker[1] <= 0xCF and marker[1] not in (0xC4, 0xC8, 0xCC):
            body = file.read(5)
            height_width = _pair(">HH", body[1:])
            return (height_width[1], height_width[0]) if height_width else None
        file.seek(length - 2, 1)
    return None


def _tiff_size(file: BinaryIO, order: str) -> tuple[int, int] | None:
    file.seek(4)
    try:
        file.seek(struct.unpack(order + "I", file.read(4))[0])
        entries = struct.unpack(order + "H", file.read(2))[0]
        found = {}
        for _ in range(entries):
            tag, kind, _, raw = struct.unpack(order + "HHI4s", file.read(12))
            found[tag] = struct.unpack(order + ("H2x" if kind == 3 else "I"), raw)[0]
    except struct.error:
        return None
    return (found[256], found[257]) if {256, 257} <= found.keys() else None


def png_palette(path: Path) -> list[tuple[int, int, int]]:
    """The colours of a palette PNG in the order of their indices; empty for every other image."""
    data = path.read_bytes()
    if not data.startswith(b"\x89PNG") or len(data) < 26 or data[25] != 3:
        return []
    at = 8
    while at + 8 <= len(data):
        length, name = struct.unpack(">I4s", data[at : at + 8])
        if name == b"PLTE":
            colours = data[at + 8 : at + 8 + length]
            return [(colours[i], colours[i + 1], colours[i + 2]) for i in range(0, len(colours) - 2, 3)]
        at += 12 + length
    return []


def _unreadable(path: Path, got: str) -> MediaError:
    return MediaError(
        f"image {path}",
        got=got,
        wanted="a whole PNG, JPEG or TIFF of 8 or 16 bits or float",
        do="Render or copy this frame again.",
    )
