"""The U-Net that paints layers: that of the public implementation, key for key."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

GRID_PX = 32
"""Heights and widths must be multiples of this."""

KERNEL = 4
ENCODER = ((1, 2, 1), (2, 2, 1), (4, 2, 1), (4, 2, 1), (4, 2, 1), (4, 1, 2), (4, 1, 2))
"""Per layer: channels in units of the width, stride, dilation."""
DECODER = ((8, 4), (8, 4), (8, 2), (4, 1), (2, 1))
"""Per layer: channels in, skip included, and out, in units of the width."""


class SameConv(nn.Module):
    """A 4x4 convolution with as much zero padding as keeps height and width, divided by the stride.

    An odd amount is smaller on the left and at the top.
    """

    def __init__(self, channels_in: int, channels_out: int, stride: int, dilation: int, *, norm: bool):
        super().__init__()
        self.conv = nn.Conv2d(channels_in, channels_out, KERNEL, stride, dilation=dilation)
        self.norm = nn.BatchNorm2d(channels_out) if norm else nn.Identity()
        amount = dilation * (KERNEL - 1) + 1 - stride
        self.margins = [amount // 2, amount - amount // 2] * 2

    def forward(self, features: Float[Tensor, "t c h w"]) -> Float[Tensor, "t d h2 w2"]:
        return self.norm(self.conv(F.pad(features, self.margins)))


class Double(nn.Module):
    """A transposed 4x4 convolution to twice the height and width, with its outermost pixels cut off."""

    def __init__(self, channels_in: int, channels_out: int):
        super().__init__()
        self.conv = nn.ConvTranspose2d(channels_in, channels_out, KERNEL, 2, padding=1)
        self.norm = nn.BatchNorm2d(channels_out)

    def forward(self, features: Float[Tensor, "t c h w"]) -> Float[Tensor, "t d h2 w2"]:
        return self.norm(self.conv(features))


class UNet(nn.Module):
    """Pictures to pictures, `t in h w` to `t out h w`, without a final activation: values are unbounded.

    Generative Omnimatte's layer network; 2,629,860 parameters with 6 channels in, 4 out and a width of 32.
    """

    def __init__(self, channels_in: int, channels_out: int, width: int):
        super().__init__()
        sizes = [channels_in, *(width * units for units, _, _ in ENCODER)]
        self.encoder = nn.ModuleList(
            SameConv(sizes[i], sizes[i + 1], stride, dilation, norm=i > 0)
            for i, (_, stride, dilation) in enumerate(ENCODER)
        )
        self.decoder = nn.ModuleList(Double(width * first, width * last) for first, last in DECODER)
        self.out_conv = SameConv(width * DECODER[-1][1], channels_out, 1, 1, norm=False)

    def forward(self, pictures: Float[Tensor, "t c h w"]) -> Float[Tensor, "t d h w"]:
        features, skips = pictures, []
        for i, layer in enumerate(self.encoder):
            features = layer(features)
            features = F.relu(features) if i == 0 else F.leaky_relu(features, 0.2)
            skips.append(features)
        for layer, skip in zip(self.decoder, reversed(skips[: len(self.decoder)]), strict=True):
            features = F.relu(layer(torch.cat([features, skip], 1)))
        return self.out_conv(features)


def make_unet(channels_in: int, channels_out: int, width: int, seed: int) -> UNet:
    """A network with PyTorch's own start values for a seed; the global random state is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        return UNet(channels_in, channels_out, width)
