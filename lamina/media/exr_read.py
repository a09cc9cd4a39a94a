"""OpenEXR images as they are: scene-linear float numbers of the main layer."""

from pathlib import Path

import numpy as np
import OpenEXR

from lamina.errors import MediaError


def exr_size(path: Path) -> tuple[int, int]:
    """Width and height of the display window, from the header alone.

    Raises:
        MediaError: the file is not an OpenEXR image.
    """
    with _open(path, header_only=True) as file:
        return _extent(file.header()["displayWindow"])


def read_exr(path: Path) -> np.ndarray:
    """Scene-linear `h w c` float32 of the display window: c is 3 or 4 (RGB, RGBA) or 1 (Y).

    Pixels the file has beyond the display window are cut off, pixels it lacks are 0. Alpha, where there is one, is
    associated (colour is premultiplied), as OpenEXR has it. Other layers in the file are not looked at.

    Raises:
        MediaError: not an OpenEXR image, no main RGB or Y channels, or numbers that are not finite.
    """
    with _open(path) as file:
        for part in file.parts:
            names = _main_channels(part.channels)
            if names:
                pixels = [_floats(part.channels[name]) for name in names]
                image = _in_display_window(np.stack(pixels, axis=-1), part.header)
                break
        else:
            found = sorted({name for part in file.parts for name in part.channels})
            raise _bad(path, "channels " + ", ".join(found[:8]), "main channels R, G, B or Y")
    if not np.isfinite(image).all():
        raise _bad(path, "pixels that are infinite or not a number", "finite numbers")
    return image


def _open(path: Path, header_only: bool = False) -> OpenEXR.File:
    try:
        return OpenEXR.File(str(path), separate_channels=True, header_only=header_only)
    except (RuntimeError, ValueError, TypeError) as error:
        raise _bad(path, f"a file OpenEXR cannot read ({error})", "an OpenEXR image") from error


def _bad(path: Path, got: str, wanted: str) -> MediaError:
    return MediaError(f"image {path}", got=got, wanted=wanted, do="Render this frame again.")


def _main_channels(channels: dict[str, OpenEXR.Channel]) -> list[str]:
    for names in (["R", "G", "B"], ["Y"]):
        is_chroma = names == ["Y"] and "RY" in channels
        if all(name in channels for name in names) and not is_chroma:
            return names + (["A"] if "A" in channels and len(names) == 3 else [])
    return []


def _floats(channel: OpenEXR.Channel) -> np.ndarray:
    return channel.pixels.astype(np.float32)


def _extent(window: tuple[np.ndarray, np.ndarray]) -> tuple[int, int]:
    (left, top), (right, bottom) = window
    return int(right - left + 1), int(bottom - top + 1)


def _in_display_window(data: np.ndarray, header: dict) -> np.ndarray:
    width, height = _extent(header["displayWindow"])
    left, top = header["dataWindow"][0] - header["displayWindow"][0]
    if (left, top) == (0, 0) and data.shape[:2] == (height, width):
        return data
    image = np.zeros((height, width, data.shape[2]), np.float32)
    rows = slice(max(top, 0), max(min(top + data.shape[0], height), 0))
    columns = slice(max(left, 0), max(min(left + data.shape[1], width), 0))
    part = data[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
    image[rows, columns] = part
    return image
