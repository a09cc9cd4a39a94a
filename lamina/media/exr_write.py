"""OpenEXR as compositing programs want it: half float, linear light, associated alpha, named layers in one file."""

from fractions import Fraction
from functools import cache
from pathlib import Path

import numpy as np
import OpenEXR

from lamina.color import ColorDescription, srgb_to_linear
from lamina.media.landing import whole_file
from lamina.media.yuv import WHITE

# White is D65 in all of them. Names are FFmpeg's; red x y, green x y, blue x y, white x y.
_D65 = (0.3127, 0.3290)
_CHROMATICITIES = {
    "bt709": (0.64, 0.33, 0.30, 0.60, 0.15, 0.06, *_D65),
    "bt470bg": (0.64, 0.33, 0.29, 0.60, 0.15, 0.06, *_D65),
    "smpte170m": (0.630, 0.340, 0.310, 0.595, 0.155, 0.070, *_D65),
    "bt2020": (0.708, 0.292, 0.170, 0.797, 0.131, 0.046, *_D65),
    "smpte432": (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, *_D65),
}
_TITLES = {"bt709": "Rec.709", "bt470bg": "BT.470 B/G", "smpte170m": "SMPTE 170M", "bt2020": "Rec.2020"}
_TITLES |= {"smpte432": "P3 D65"}
_LARGEST_HALF = 65504.0


def write_exr(
    path: Path, main: np.ndarray, layers: dict[str, np.ndarray], rate: Fraction, color: ColorDescription
) -> None:
    """Write one frame: `main` as plain R G B A, and every layer as NAME.R NAME.G NAME.B NAME.A.

    main, layers: `h w 3` (alpha 1) or `h w 4`, straight alpha, sRGB-encoded, uint8, uint16 or float32. They are
    taken to linear light with the sRGB curve, whatever the movie said of its own, because that is how the stack was
    made and how it is shown; then colour is multiplied by alpha. Values beyond half float's 65504 are cut to it.

    Raises OutputError when the place is not writable or full.
    """
    channels = _channels("", main)
    for name, layer in layers.items():
        channels |= _channels(f"{name}.", layer)
    primaries = color.primaries if color.primaries in _CHROMATICITIES else "bt709"
    header = {
        "type": OpenEXR.scanlineimage,
        "compression": OpenEXR.ZIP_COMPRESSION,
        "framesPerSecond": rate,
        "chromaticities": _CHROMATICITIES[primaries],
        "laminaAlpha": "premultiplied (associated)",
        "laminaColor": f"premultiplied, linear {_TITLES[primaries]} primaries, decoded with the sRGB curve",
        "laminaLayers": " ".join(layers) or "none",
    }
    with whole_file(path) as part:
        try:
            OpenEXR.File(header, channels).write(str(part))
        except RuntimeError as error:  # what the library makes of a full disk
            raise OSError(str(error)) from error


def premultiplied_linear(frame: np.ndarray) -> np.ndarray:
    """`h w 3` or `h w 4` straight and sRGB-encoded to `h w 4` float32, linear light times alpha."""
    values = frame.astype(np.float32) / np.float32(WHITE[frame.dtype.name])
    alpha = values[..., 3:] if frame.shape[2] == 4 else np.ones_like(values[..., :1])
    return np.concatenate([_linear(frame[..., :3], values[..., :3]) * alpha, alpha], axis=2)


def _linear(codes: np.ndarray, values: np.ndarray) -> np.ndarray:
    return srgb_to_linear(values) if codes.dtype == np.float32 else _linear_table(codes.dtype.name)[codes]


@cache
def _linear_table(dtype: str) -> np.ndarray:
    white = WHITE[dtype]
    return srgb_to_linear(np.arange(white + 1, dtype=np.float32) / np.float32(white))


def _channels(prefix: str, frame: np.ndarray) -> dict[str, np.ndarray]:
    half = np.clip(premultiplied_linear(frame), -_LARGEST_HALF, _LARGEST_HALF).astype(np.float16)
    return {f"{prefix}{name}": np.ascontiguousarray(half[..., index]) for index, name in enumerate("RGBA")}
