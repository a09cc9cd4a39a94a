"""OpenEXR as compositing programs want it: half float, linear light, associated alpha, named layers in one file."""

from collections.abc import Mapping
from fractions import Fraction
from functools import cache
from pathlib import Path

import numpy as np
import OpenEXR

from lamina.alpha import least_alpha
from lamina.color import ColorDescription, srgb_to_linear
from lamina.levels import to_levels
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
_BLACK = np.float32(1e-4)  # of linear light: below a third of the darkest 8-bit gray
_RECIPE = "below * NAME_shadow + NAME_light, then NAME over it"


def write_exr(
    path: Path, main: np.ndarray, layers: Mapping[str, np.ndarray], rate: Fraction, color: ColorDescription
) -> None:
    """Write one frame: `main` as plain R G B and A, and every layer, back to front, as NAME.R NAME.G NAME.B and NAME.A.

    main, layers: `h w 4` (colour multiplied by alpha) or `h w 3` (no alpha is written), float32, linear light, as
    `premultiplied_linear`, `linear_layer` and `linear_parts` make them. Values beyond half float's 65504 are cut to it.
    color: only its primaries are written; the curve has gone.

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
    if any(name.endswith("_shadow") for name in layers):
        header["laminaRecipe"] = _RECIPE
    with whole_file(path) as part:
        try:
            OpenEXR.File(header, channels).write(str(part))
        except RuntimeError as error:  # what the library makes of a full disk
            raise OSError(str(error)) from error


def premultiplied_linear(frame: np.ndarray) -> np.ndarray:
    """`h w 3` (alpha 1) or `h w 4`, straight and sRGB-encoded, to `h w 4` float32, linear light times alpha.

    The sRGB curve is taken whatever the movie said of its own, because that is how the stack was made and is shown.
    """
    values = frame.astype(np.float32) / np.float32(WHITE[frame.dtype.name])
    alpha = values[..., 3:] if frame.shape[2] == 4 else np.ones_like(values[..., :1])
    return np.concatenate([_linear(frame[..., :3], values[..., :3]) * alpha, alpha], axis=2)


def linear_parts(plate: np.ndarray, parts: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """A split layer for linear light: "shadow" and "light" `h w 3`, "object" `h w 4` premultiplied, float32.

    plate, parts: as stored, display values. Products and sums of display values are others in linear light, so each
    part is made anew such that the same picture comes out over the plate,

        object + (1 - alpha) * (linear(plate) * shadow + light) = linear(over(object, plate * shadow + light))

    and colours stay within 0..alpha: alpha grows at edges where the object is darker or brighter than what mixing light
    by the stored alpha can explain. Where the plate is black any factor would do, and it is that of a white plate.
    """
    ground, shadow, light, rgba = (to_levels(p) for p in (plate, parts["shadow"], parts["light"], parts["object"]))
    bright, dark, shaded = (srgb_to_linear(p) for p in (ground, ground * shadow, ground * shadow + light))
    factor = np.where(bright > _BLACK, dark / np.maximum(bright, _BLACK), srgb_to_linear(shadow))
    return {"shadow": factor, "light": shaded - dark, "object": linear_layer(ground * shadow + light, rgba)}


def linear_layer(below: np.ndarray, rgba: np.ndarray) -> np.ndarray:
    """A layer for linear light, `h w 4` premultiplied, float32: over linear(below) it gives linear(over(rgba, below)).

    below: `h w 3`, rgba: `h w 4` straight, both float32 display values. Mixing light by a display value's alpha is
    another mixture, so soft shadows would come out too light: alpha grows where the picture is darker or brighter than
    what it can explain.
    """
    alpha, ground = rgba[..., 3:], srgb_to_linear(below)
    picture = srgb_to_linear(rgba[..., :3] * alpha + below * (1 - alpha))
    alpha = np.where(alpha > 0, np.maximum(alpha, least_alpha(picture, ground)[..., None]), 0)
    return np.concatenate([picture - (1 - alpha) * ground, alpha], axis=2) * (alpha > 0)


def _linear(codes: np.ndarray, values: np.ndarray) -> np.ndarray:
    return srgb_to_linear(values) if codes.dtype == np.float32 else _linear_table(codes.dtype.name)[codes]


@cache
def _linear_table(dtype: str) -> np.ndarray:
    white = WHITE[dtype]
    return srgb_to_linear(np.arange(white + 1, dtype=np.float32) / np.float32(white))


def _channels(prefix: str, pixels: np.ndarray) -> dict[str, np.ndarray]:
    half = np.clip(pixels, -_LARGEST_HALF, _LARGEST_HALF).astype(np.float16)
    names = "RGBA"[: pixels.shape[2]]
    return {f"{prefix}{name}": np.ascontiguousarray(half[..., index]) for index, name in enumerate(names)}
