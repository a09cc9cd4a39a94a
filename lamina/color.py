"""How a clip's numbers become light: the four tags a movie may carry, and the sRGB curve."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class ColorDescription:
    """Colour tags in FFmpeg's names; "unspecified" where the file does not say.

    An unspecified matrix is read as BT.601 and an unspecified range as limited (YUV) or full (RGB), which is what
    FFmpeg-based readers do, so that our numbers are theirs.
    """

    matrix: str = "unspecified"
    range: str = "unspecified"
    transfer: str = "unspecified"
    primaries: str = "unspecified"


def linear_to_srgb(linear: np.ndarray) -> np.ndarray:
    """IEC 61966-2-1 encoding, continued above 1 and mirrored below 0 so that no value is lost."""
    size = np.abs(linear)
    encoded = np.where(size <= 0.0031308, size * 12.92, 1.055 * np.power(size, 1 / 2.4) - 0.055)
    return np.copysign(encoded, linear).astype(np.float32)


def srgb_to_linear(encoded: np.ndarray) -> np.ndarray:
    """The inverse of `linear_to_srgb`, on the same unlimited range."""
    size = np.abs(encoded)
    linear = np.where(size <= 0.04045, size / 12.92, np.power((size + 0.055) / 1.055, 2.4))
    return np.copysign(linear, encoded).astype(np.float32)


# The codes are those of ISO/IEC 23091-2 (H.273), which movie files store; the names are FFmpeg's.
# Code 2, and every code not listed, is "unspecified".
MATRIX_NAMES = {
    0: "rgb",
    1: "bt709",
    4: "fcc",
    5: "bt470bg",
    6: "smpte170m",
    7: "smpte240m",
    8: "ycgco",
    9: "bt2020nc",
    10: "bt2020c",
    14: "ictcp",
}
RANGE_NAMES = {1: "tv", 2: "pc"}
PRIMARIES_NAMES = {
    1: "bt709",
    4: "bt470m",
    5: "bt470bg",
    6: "smpte170m",
    7: "smpte240m",
    8: "film",
    9: "bt2020",
    10: "smpte428",
    11: "smpte431",
    12: "smpte432",
    22: "ebu3213",
}
TRANSFER_NAMES = {
    1: "bt709",
    4: "gamma22",
    5: "gamma28",
    6: "smpte170m",
    7: "smpte240m",
    8: "linear",
    9: "log100",
    10: "log316",
    11: "iec61966-2-4",
    12: "bt1361e",
    13: "iec61966-2-1",
    14: "bt2020-10",
    15: "bt2020-12",
    16: "smpte2084",
    17: "smpte428",
    18: "arib-std-b67",
}

SRGB = ColorDescription(matrix="rgb", range="pc", transfer="iec61966-2-1", primaries="bt709")


def describe_codes(matrix: int, range: int, transfer: int, primaries: int) -> ColorDescription:
    """Name the four codes a movie carries; a code without a name is "unspecified".

    >>> describe_codes(matrix=1, range=1, transfer=1, primaries=1)
    ColorDescription(matrix='bt709', range='tv', transfer='bt709', primaries='bt709')
    """
    return ColorDescription(
        matrix=MATRIX_NAMES.get(matrix, "unspecified"),
        range=RANGE_NAMES.get(range, "unspecified"),
        transfer=TRANSFER_NAMES.get(transfer, "unspecified"),
        primaries=PRIMARIES_NAMES.get(primaries, "unspecified"),
    )
