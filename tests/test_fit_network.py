"""The layer network: its table of layers, its arithmetic, its start values."""

import numpy as np
import pytest
import torch
from twins.fit_slow import double_slow, same_conv_slow, unet_slow

from lamina.layers.fit_network import Double, SameConv, UNet, make_unet

TABLE = [
    ("encoder.0", 6, 32, 2),
    ("encoder.1", 32, 64, 4),
    ("encoder.2", 64, 128, 8),
    ("encoder.3", 128, 128, 16),
    ("encoder.4", 128, 128, 32),
    ("encoder.5", 128, 128, 32),
    ("encoder.6", 128, 128, 32),
    ("decoder.0", 256, 128, 16),
    ("decoder.1", 256, 128, 8),
    ("decoder.2", 256, 64, 4),
    ("decoder.3", 128, 32, 2),
    ("decoder.4", 64, 32, 1),
    ("out_conv", 32, 4, 1),
]
"""Name, channels in and out, and by what the picture's size is divided after the layer."""


def test_the_published_number_of_parameters():
    assert sum(p.numel() for p in make_unet(6, 4, 32, 0).parameters()) == 2_629_860


def test_layers_are_those_of_the_table():
    network, found = make_unet(6, 4, 32, 0), []
    for name, layer in network.named_modules():
        if isinstance(layer, SameConv | Double):
            layer.register_forward_hook(lambda _, given, out, name=name: found.append((name, given[0], out)))
    network(torch.zeros(2, 6, 64, 96))
    assert [(n, x.shape[1], out.shape[1], 96 // out.shape[3]) for n, x, out in found] == TABLE
    assert all(out.shape[2] * 96 == out.shape[3] * 64 for _, _, out in found)


def test_only_the_first_and_the_last_layer_have_no_norm():
    norms = {name.rsplit(".", 1)[0] for name in make_unet(6, 4, 2, 0).state_dict() if ".norm." in name}
    assert norms == {f"{name}.norm" for name, *_ in TABLE[1:-1]}


def test_the_network_equals_its_twin():
    network = make_unet(6, 4, 1, 5)
    pictures = torch.rand(2, 6, 64, 32, generator=torch.Generator().manual_seed(1))
    weights = {name: value.double().numpy() for name, value in network.state_dict().items()}
    found = network(pictures).detach().numpy()
    np.testing.assert_allclose(found, unet_slow(weights, pictures.double().numpy()), atol=2e-4)


@pytest.mark.parametrize(("stride", "dilation"), [(1, 1), (2, 1), (1, 2)])
def test_padding_keeps_the_size(stride: int, dilation: int):
    layer = SameConv(2, 3, stride, dilation, norm=False)
    layer.requires_grad_(False)
    chance = torch.Generator().manual_seed(2)
    layer.conv.weight.copy_(torch.randn(layer.conv.weight.shape, generator=chance))
    x = torch.randn(1, 2, 8, 6, generator=chance)
    wanted = same_conv_slow(x.numpy(), layer.conv.weight.numpy(), layer.conv.bias.numpy(), stride, dilation)
    assert wanted.shape[2:] == (8 // stride, 6 // stride)
    np.testing.assert_allclose(layer(x), wanted, atol=1e-5)


@pytest.fixture(autouse=True)
def quiet_chance():
    """PyTorch's layers draw their start values from the global state, which tests must leave alone."""
    with torch.random.fork_rng(devices=[]):
        yield


def test_doubling_cuts_one_pixel_off_each_side():
    layer = Double(2, 3).eval()
    x = torch.arange(12.0).reshape(1, 2, 2, 3) / 12
    weight, bias = (p.detach().numpy() for p in (layer.conv.weight, layer.conv.bias))
    np.testing.assert_allclose(layer.conv(x).detach(), double_slow(x.numpy(), weight, bias), atol=1e-5)


def test_the_seed_decides_the_start_values_and_nothing_else():
    before = torch.get_rng_state()
    first, again, other = (make_unet(6, 4, 2, seed).state_dict() for seed in (7, 7, 8))
    assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["out_conv.conv.weight"], other["out_conv.conv.weight"])


def test_values_are_not_limited():
    network = UNet(6, 4, 2)
    network.out_conv.conv.bias.data.fill_(5.0)
    assert network(torch.zeros(2, 6, 32, 32)).max() > 1
