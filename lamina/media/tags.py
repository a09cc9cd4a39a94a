"""Colour tags as codec options, and on single pictures for codecs that write them into every frame."""

import av

from lamina.color import MATRIX_NAMES, PRIMARIES_NAMES, RANGE_NAMES, TRANSFER_NAMES, ColorDescription


def color_options(color: ColorDescription) -> dict[str, str]:
    """The encoder options that write the tags of `color` into a stream; nothing for those it leaves open."""
    named = {
        "colorspace": color.matrix,
        "color_range": color.range,
        "color_trc": color.transfer,
        "color_primaries": color.primaries,
    }
    return {option: name for option, name in named.items() if name != "unspecified"}


def tag_picture(picture: av.VideoFrame, color: ColorDescription) -> None:
    """Write the tags of `color` on a picture; a tag it leaves open stays as it is.

    The headers of ProRes frames are filled from the picture, not from the stream, and editors read them first.
    """
    named = {
        "colorspace": (color.matrix, MATRIX_NAMES),
        "color_range": (color.range, RANGE_NAMES),
        "color_trc": (color.transfer, TRANSFER_NAMES),
        "color_primaries": (color.primaries, PRIMARIES_NAMES),
    }
    for attribute, (name, names) in named.items():
        if name != "unspecified":
            setattr(picture, attribute, next(code for code, known in names.items() if known == name))
