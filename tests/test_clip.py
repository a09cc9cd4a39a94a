from fractions import Fraction

import jaxtyping
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from lamina.clip import (
    Clip,
    Layer,
    Mask,
    Stack,
    Trimask,
    check_layer_names,
    frames_to_numpy,
    numpy_to_frames,
)
from lamina.errors import InputError


def rgb(t: int = 2, h: int = 4, w: int = 6, value: float = 0.5) -> torch.Tensor:
    return torch.full((t, 3, h, w), value)


def alpha(t: int = 2, h: int = 4, w: int = 6, value: float = 1.0) -> torch.Tensor:
    return torch.full((t, 1, h, w), value)


def seconds(count: int = 2) -> tuple[Fraction, ...]:
    return tuple(Fraction(number, 24) for number in range(count))


@pytest.fixture
def without_shape_checks():
    """As users run it: only in tests does jaxtyping look at shapes first."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_every_value_survives_the_round_trip(dtype):
    values = np.arange(np.iinfo(dtype).max + 1).astype(dtype).reshape(1, 16, -1, 1)
    frames = numpy_to_frames(values)
    assert (frames.dtype, float(frames.min()), float(frames.max())) == (torch.float32, 0.0, 1.0)
    assert np.array_equal(frames_to_numpy(frames, dtype), values)


@given(arrays(np.float32, array_shapes(min_dims=4, max_dims=4, max_side=4), elements=st.floats(-1, 50, width=32)))
def test_floats_survive_unchanged(values):
    assert np.array_equal(frames_to_numpy(numpy_to_frames(values), np.float32), values)


def test_axes_and_limits():
    pixels = np.zeros((2, 3, 5, 4), np.uint8)
    pixels[1, 2, 4, 3] = 255
    assert numpy_to_frames(pixels).shape == (2, 4, 3, 5) and numpy_to_frames(pixels)[1, 3, 2, 4] == 1
    assert frames_to_numpy(torch.tensor([-1.0, 0.0, 2.0, 0.5]).view(1, 4, 1, 1)).ravel().tolist() == [0, 0, 255, 128]


def test_conversion_of_other_things():
    with pytest.raises(ValueError, match="uint8, uint16 or float32, got int64"):
        numpy_to_frames(np.zeros((1, 1, 1, 3), np.int64))
    with pytest.raises(ValueError, match=r"must be 't h w c', got the shape \(4, 6, 3\)"):
        numpy_to_frames(np.zeros((4, 6, 3), np.uint8))
    with pytest.raises(ValueError, match="got float64"):
        frames_to_numpy(rgb(), np.float64)


def test_shapes_are_printed_not_pixels():
    clip, layer = Clip(rgb(), seconds()), Layer("dog", rgb(), alpha())
    assert repr(clip) == "Clip(t=2 c=3 h=4 w=6, 0.000..0.042 s)"
    assert repr(Mask("dog", alpha())) == "Mask('dog', t=2 c=1 h=4 w=6)"
    assert repr(layer) == "Layer('dog', t=2 c=3 h=4 w=6)"
    assert repr(Stack(clip, (layer,))) == f"Stack({clip!r}, back to front: dog)"
    assert repr(Stack(clip, ())).endswith("no layers)")
    half = torch.zeros(1, 1, 2, 2, dtype=torch.bool)
    half[..., 0] = True
    assert repr(Trimask(half, half & False)) == "Trimask(t=1 c=1 h=2 w=2, remove 50%, keep 0%, unknown 50%)"


@pytest.mark.usefixtures("without_shape_checks")
def test_trimask_unknown_is_the_rest():
    remove, keep = torch.zeros(2, 1, 1, 3, dtype=torch.bool), torch.zeros(2, 1, 1, 3, dtype=torch.bool)
    remove[..., 0], keep[..., 1] = True, True
    assert Trimask(remove, keep).unknown[0, 0, 0].tolist() == [False, False, True]
    with pytest.raises(ValueError, match="Trimask: 2 pixels are both in remove and in keep"):
        Trimask(remove, remove)
    with pytest.raises(ValueError, match="Trimask: remove is t=2 c=1 h=1 w=3, keep is t=1"):
        Trimask(remove, keep[:1])


def test_clip_times():
    with pytest.raises(ValueError, match="Clip: 2 frames, but 3 time stamps"):
        Clip(rgb(), seconds(3))
    with pytest.raises(ValueError, match="Clip: frame 1 is shown at 0 s, the one before it at 0 s"):
        Clip(rgb(), (Fraction(0), Fraction(0)))


def test_high_dynamic_range_is_allowed_and_bytes_are_not():
    Clip(rgb(value=7.5), seconds())
    with pytest.raises(ValueError, match="Clip: a value of 255; white is 1. Divide by 255 or 65535"):
        Clip(rgb(value=255.0), seconds())
    with pytest.raises(ValueError, match="Clip: holds values that are infinite or not a number"):
        Clip(rgb(value=float("nan")), seconds())


def test_alpha_stays_within_0_and_1():
    for value in (-0.1, 1.1):
        with pytest.raises(ValueError, match=r"Mask 'dog': values .*, alpha is within 0\.\.1"):
            Mask("dog", alpha(value=value))


@pytest.mark.usefixtures("without_shape_checks")
def test_frames_of_other_shape_or_type():
    with pytest.raises(ValueError, match=r"Clip: must be 't 3 h w' with at least one pixel, got \(2, 1, 4, 6\)"):
        Clip(alpha(), seconds())
    with pytest.raises(ValueError, match=r"Clip: must be 't 3 h w' with at least one pixel, got \(0, 3, 4, 6\)"):
        Clip(rgb(0), ())
    with pytest.raises(ValueError, match=r"Clip: must be float32, got torch.float64. numpy_to_frames\(\) converts"):
        Clip(rgb().double(), seconds())
    with pytest.raises(ValueError, match="Trimask: remove must be bool 't 1 h w', got t=2 c=1 h=4 w=6 torch.float32"):
        Trimask(alpha(), alpha())


@pytest.mark.usefixtures("without_shape_checks")
def test_layer_and_stack_fit_together():
    with pytest.raises(ValueError, match="Layer 'dog': rgb is t=2 c=3 h=4 w=6, alpha is t=3 c=1 h=4 w=6"):
        Layer("dog", rgb(), alpha(3))
    with pytest.raises(ValueError, match="Stack: layer 'dog' is t=2 c=3 h=4 w=6, the plate is t=2 c=3 h=4 w=8"):
        Stack(Clip(rgb(w=8), seconds()), (Layer("dog", rgb(), alpha()),))
    with pytest.raises(InputError, match="layer names: got 'dog' and 'Dog'"):
        Stack(Clip(rgb(), seconds()), (Layer("dog", rgb(), alpha()), Layer("Dog", rgb(), alpha())))


@pytest.mark.parametrize(
    ("name", "proposal"),
    [("2nd dog", "layer_2nd_dog"), ("my-dog", "my_dog"), ("", "layer"), ("été", "t"), ("_x", "x"), ("a/../b", "a_b"),
     ("dog\n", "dog")],
)  # fmt: skip
def test_unsafe_names_get_a_proposal(name, proposal):
    with pytest.raises(InputError, match=r"Nuke's rule: \[A-Za-z\]\[A-Za-z0-9_\]\*") as caught:
        check_layer_names([name])
    assert caught.value.do == f"Call it {proposal!r}."
    check_layer_names([proposal])


def test_names_unique_ignoring_case():
    check_layer_names(["a", "b", "a1", "A_2"])
    with pytest.raises(InputError, match="'Dog' and 'dog', wanted .* case. Call the second one 'dog_3'"):
        check_layer_names(["Dog", "dog_2", "dog"])
