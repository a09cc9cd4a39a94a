"""RGB numbers as the Y'CbCr pictures that movie codecs take: BT.709, limited range, alpha untouched.

FFmpeg's scaler takes 16-bit RGB for 255 * 256 at white and is off by up to 3 of 1023 levels, and it loses a level of
alpha. So 4:4:4 is computed here, and the alpha plane is always our own. Half-size chroma of 8-bit pictures is left to
the scaler, which is exact to half a level there.
"""

import av
import cv2
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter

from lamina.color import ColorDescription

WHITE = {"uint8": 255, "uint16": 65535, "float32": 1}
_PRECISE = Interpolation.BICUBIC | Interpolation.FULL_CHR_H_INT | Interpolation.ACCURATE_RND | Interpolation.BITEXACT

# Rows Y, Cb, Cr over columns R, G, B, for values 0..1; the luma weights are those of Rec. ITU-R BT.709.
_KR, _KG, _KB = 0.2126, 0.7152, 0.0722
_BT709 = np.array(
    [
        [_KR, _KG, _KB],
        [-_KR / (2 - 2 * _KB), -_KG / (2 - 2 * _KB), 0.5],
        [0.5, -_KG / (2 - 2 * _KR), -_KB / (2 - 2 * _KR)],
    ]
)


def tags_of(color: ColorDescription) -> ColorDescription:
    """What a movie of ours says about its colour: our matrix and range, the source's curve and primaries.

    Where the source does not say, BT.709, for players guess otherwise by the size of the picture.
    """
    transfer = "bt709" if color.transfer == "unspecified" else color.transfer
    primaries = "bt709" if color.primaries == "unspecified" else color.primaries
    return ColorDescription(matrix="bt709", range="tv", transfer=transfer, primaries=primaries)


def to_integers(frame: np.ndarray, dtype: str) -> np.ndarray:
    """The frame's numbers on the scale of "uint8" or "uint16", rounded; values outside 0..1 of a float are cut."""
    if frame.dtype == dtype:
        return frame
    scaled = np.clip(frame.astype(np.float32) * np.float32(WHITE[dtype] / WHITE[str(frame.dtype)]), 0, WHITE[dtype])
    return np.rint(scaled).astype(dtype)


def to_yuv444(frame: np.ndarray, bits: int = 10) -> av.VideoFrame:
    """`h w 3` or `h w 4`, uint8, uint16 or float32, as yuv444p10le or yuva444p10le (8 bits: yuv444p, no alpha)."""
    height, width, channels = frame.shape
    unit = 2 ** (bits - 8)
    spread = _BT709 * np.array([[219], [224], [224]]) * (unit / WHITE[str(frame.dtype)])
    offset = np.array([[16], [128], [128]]) * unit
    rgb = np.clip(frame[..., :3], 0, 1) if frame.dtype == np.float32 else frame[..., :3].astype(np.float32)
    yuv = np.rint(cv2.transform(rgb, np.hstack([spread, offset])))
    dtype = np.uint8 if bits == 8 else np.uint16
    planes = [yuv[..., index].astype(dtype) for index in range(3)]
    if channels == 4:
        top = 2**bits - 1
        alpha = np.clip(frame[..., 3].astype(np.float32) * (top / WHITE[str(frame.dtype)]), 0, top)
        planes.append(np.rint(alpha).astype(dtype))
    suffix = "" if bits == 8 else f"{bits}le"
    return _picture(width, height, f"yuv{'a' * (channels == 4)}444p{suffix}", planes)


def to_yuv420(frame: np.ndarray) -> av.VideoFrame:
    """The same as 8-bit yuv420p or yuva420p. Odd sizes are allowed, their last chroma sample counts for one pixel."""
    rgba = to_integers(frame, "uint8")
    pixels, array = ("yuva420p", "rgba") if rgba.shape[2] == 4 else ("yuv420p", "rgb24")
    picture = VideoReformatter().reformat(
        av.VideoFrame.from_ndarray(np.ascontiguousarray(rgba), array),
        format=pixels,
        src_color_range=ColorRange.JPEG,
        dst_color_range=ColorRange.MPEG,
        dst_colorspace=Colorspace.ITU709,
        interpolation=_PRECISE,
    )
    if rgba.shape[2] == 4:
        _fill(picture, 3, rgba[..., 3])
    return picture


def _picture(width: int, height: int, pixels: str, planes: list[np.ndarray]) -> av.VideoFrame:
    picture = av.VideoFrame(width, height, pixels)
    for index, plane in enumerate(planes):
        _fill(picture, index, plane)
    return picture


def _fill(picture: av.VideoFrame, index: int, values: np.ndarray) -> None:
    plane = picture.planes[index]
    lines = np.frombuffer(memoryview(plane), values.dtype).reshape(plane.height, plane.line_size // values.itemsize)
    lines[:, : plane.width] = values
