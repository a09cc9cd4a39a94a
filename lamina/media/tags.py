"""Colour tags as codec options."""

from lamina.color import ColorDescription


def color_options(color: ColorDescription) -> dict[str, str]:
    """The encoder options that write the tags of `color` into a stream; nothing for those it leaves open."""
    named = {
        "colorspace": color.matrix,
        "color_range": color.range,
        "color_trc": color.transfer,
        "color_primaries": color.primaries,
    }
    return {option: name for option, name in named.items() if name != "unspecified"}
