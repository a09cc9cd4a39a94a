"""The source's own pixels in layers and plate: exact at every depth, nowhere else, and refused where sizes differ."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lamina.clip import numpy_to_frames
from lamina.composite import flatten
from lamina.errors import InputError
from lamina.layers.detail import object_masks, published_masks, transfer_detail, transfer_to_plate, visible_shares
from lamina.levels import WHITE

KINDS = ("uint8", "uint16", "float32")
SHAPE = (2, 3, 4)


def pixels(seed: int, channels: int, kind: str, shape: tuple[int, int, int] = SHAPE) -> np.ndarray:
    values = np.random.default_rng(seed).random((*shape, channels))
    return (values * WHITE[kind]).astype(kind)


def layer(seed: int, kind: str, alpha: float) -> np.ndarray:
    out = pixels(seed, 4, kind)
    out[..., 3] = np.array(alpha * WHITE[kind]).astype(kind)
    return out


@pytest.mark.parametrize("frame_kind", KINDS)
@pytest.mark.parametrize("layer_kind", KINDS)
def test_opaque_layers_hold_the_source_itself(frame_kind: str, layer_kind: str):
    frames = pixels(1, 3, frame_kind)
    [done] = transfer_detail(frames, [layer(2, layer_kind, 1.0)], [0])
    finer = max(frame_kind, layer_kind, key=KINDS.index)
    assert done.dtype == finer and (done[..., 3] == WHITE[finer]).all()
    step = WHITE[finer] // WHITE[frame_kind] if finer != "float32" else 1 / WHITE[frame_kind]
    np.testing.assert_allclose(done[..., :3], frames.astype(np.float64) * step, rtol=0 if step == 1 else 1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_not_opaque_stays(kind: str):
    before = [layer(1, kind, 0.9), layer(2, kind, 1.0)]
    done = transfer_detail(pixels(3, 3, kind), before, [0, 1])
    for old, new in zip(before, done, strict=True):
        np.testing.assert_array_equal(new, old)


def test_the_order_decides_what_can_be_seen():
    frames, layers = pixels(1, 3, "uint8"), [layer(2, "uint8", 1.0), layer(3, "uint8", 1.0)]
    for front, back in ((0, 1), (1, 0)):
        done = transfer_detail(frames, layers, [front, back])
        np.testing.assert_array_equal(done[front][..., :3], frames)
        np.testing.assert_array_equal(done[back], layers[back])


def test_the_threshold_itself_is_not_enough():
    frames, half = pixels(1, 3, "float32"), layer(2, "float32", 0.5)
    assert np.array_equal(transfer_detail(frames, [half], [0], threshold=0.5)[0], half)
    assert not np.array_equal(transfer_detail(frames, [half], [0], threshold=0.4999)[0], half)


def test_masks_take_the_source_whatever_the_alpha():
    frames, clear = pixels(1, 3, "uint8"), layer(2, "uint8", 0.0)
    mask = np.zeros(SHAPE, bool)
    mask[1, 2] = True
    [done] = transfer_detail(frames, [clear], [0], [mask])
    np.testing.assert_array_equal(done[..., :3], np.where(mask[..., None], frames, clear[..., :3]))


def test_layers_given_are_not_written_to():
    before = layer(2, "uint8", 1.0)
    kept = before.copy()
    transfer_detail(pixels(1, 3, "uint8"), [before], [0])
    np.testing.assert_array_equal(before, kept)


def test_a_larger_source_is_averaged():
    frames = np.array([[0, 100], [200, 100]], np.uint8)[None, ..., None].repeat(3, -1)
    [done] = transfer_detail(frames, [np.full((1, 1, 1, 4), 255, np.uint8)], [0])
    assert done[0, 0, 0].tolist() == [100, 100, 100, 255]


@given(st.lists(arrays(np.uint8, (*SHAPE, 4)), min_size=1, max_size=4), arrays(np.uint8, (*SHAPE, 3)))
def test_shares_add_up_and_weigh_the_composite(layers, plate):
    shares = visible_shares(layers)
    np.testing.assert_allclose(sum(shares), 1, atol=1e-5)
    assert min(share.min() for share in shares) >= 0
    colors = [*(one[..., :3] for one in layers), plate]
    summed = sum(share[..., None] * color / 255.0 for share, color in zip(shares, colors, strict=True))
    frames = [numpy_to_frames(one) for one in reversed(layers)]
    laid = flatten(numpy_to_frames(plate), [(f[:, :3], f[:, 3:]) for f in frames])
    np.testing.assert_allclose(laid.permute(0, 2, 3, 1), summed, atol=1e-5)


@given(st.lists(arrays(np.uint8, (*SHAPE, 4)), min_size=1, max_size=3), arrays(np.uint8, (*SHAPE, 3)))
def test_only_what_is_visible_alone_changes_and_never_alpha(layers, frames):
    order = list(reversed(range(len(layers))))
    shares = dict(zip(order, visible_shares([layers[k] for k in order]), strict=False))
    for k, done in enumerate(transfer_detail(frames, layers, order)):
        taken = (shares[k] > np.float32(0.98))[..., None]
        np.testing.assert_array_equal(done[..., :3], np.where(taken, frames, layers[k][..., :3]))
        np.testing.assert_array_equal(done[..., 3], layers[k][..., 3])


def test_the_plate_takes_the_source_where_it_is_bare():
    frames, plate, above = pixels(1, 3, "uint16"), pixels(2, 3, "uint8"), layer(3, "uint8", 0.0)
    above[:, :, :2, 3] = 40
    done = transfer_to_plate(frames, plate, [above])
    assert done.dtype == np.uint16
    np.testing.assert_array_equal(done[:, :, 2:], frames[:, :, 2:])
    np.testing.assert_array_equal(done[:, :, :2], plate[:, :, :2].astype(np.uint16) * 257)


def test_objects_lose_the_pixels_they_share():
    first, second = np.zeros((2, 1, 2, 4), np.uint8)
    first[..., :3], second[..., 2:] = 255, 240
    found = object_masks([first, second], (2, 4))
    assert [mask[0, 0].tolist() for mask in found] == [[True, True, False, False], [False, False, False, True]]


def test_a_mask_is_object_from_240_on_after_averaging():
    mask = np.array([[240, 240, 255, 224, 239, 239]], np.uint8)[None]
    [found] = object_masks([mask], (1, 3))
    assert found[0, 0].tolist() == [True, False, False]


def test_a_single_object_has_no_published_mask():
    mask = np.full((1, 2, 2), 255, np.uint8)
    assert published_masks([mask], (2, 2)) is None
    both = published_masks([mask, np.zeros_like(mask)], (2, 2))
    assert both is not None and both[0].all() and not both[1].any()


@pytest.mark.parametrize(
    ("layers", "order", "masks", "message"),
    [
        ([layer(1, "uint8", 1)], [1], None, r"order of layers: got \[1\] for 1 layers, wanted each of \[0\] once"),
        ([], [], None, r"order of layers: got \[\] for 0 layers"),
        ([layer(1, "uint8", 1)] * 2, [0, 0], None, r"order of layers: got \[0, 0\] for 2 layers"),
        ([layer(1, "uint8", 1)], [0], [], "masks: got 0, wanted 1, one per layer"),
        ([layer(1, "uint8", 1)[:1]], [0], None, "layer 0: got 1 frames of 3 lines, 4 columns, wanted 2 frames"),
        ([layer(1, "uint8", 1)], [0], [np.zeros((2, 3, 5), bool)], "mask 0: got 2 frames of 3 lines, 5 columns"),
        ([layer(1, "uint8", 1), layer(2, "uint8", 1)[:, 1:]], [0, 1], None, "layer 1: got 2 frames of 2 lines"),
    ],
)
def test_what_does_not_fit_is_refused(layers, order, masks, message: str):
    with pytest.raises(InputError, match=message):
        transfer_detail(pixels(1, 3, "uint8"), layers, order, masks)


def test_a_plate_of_another_length_is_refused():
    with pytest.raises(InputError, match="layer 0: got 1 frames of 3 lines, 4 columns, wanted 2 frames"):
        transfer_to_plate(pixels(1, 3, "uint8"), pixels(2, 3, "uint8")[:1], [layer(3, "uint8", 1.0)])
