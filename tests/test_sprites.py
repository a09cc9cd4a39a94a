"""Sprite samples: their truth holds, they repeat, they stay within memory, and what cannot be drawn is said."""

import resource
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lamina.errors import InputError
from lamina.synth.drawing import draw_scene
from lamina.synth.scene import SpriteConfig
from lamina.synth.sheet import contact_sheet
from lamina.synth.sprites import BY_OBJECT, Sample, flatten_sample, render, stream, to_levels
from tests.twins.sprites_slow import flatten_slow

SMALL = SpriteConfig(width=72, height=48, frames=5)
ONE_LEVEL = 1 / 255
SEEDS = st.integers(0, 2**31)


def rms(found: torch.Tensor, wanted: torch.Tensor) -> float:
    return float(((found - wanted) ** 2).mean().sqrt())


def small(seed: int, **changes) -> Sample:
    return render([draw_scene(seed, replace(SMALL, **changes))])


@settings(max_examples=40)
@given(SEEDS, st.sampled_from(["float32", "float16", "uint8"]))
def test_plate_and_layers_make_the_clean_input(seed, stored):
    sample = render([draw_scene(seed, SMALL)], stored=stored)
    limit = ONE_LEVEL if stored == "uint8" else ONE_LEVEL / 4
    assert rms(flatten_sample(sample), to_levels(sample.clean_input)) < limit


@settings(max_examples=25)
@given(SEEDS)
def test_every_frame_of_float_samples_is_made_exactly(seed):
    sample = small(seed)
    assert (flatten_sample(sample) - sample.clean_input).abs().amax() < 1e-4


@settings(max_examples=25)
@given(SEEDS)
def test_masks_are_the_visible_part_of_silhouettes(seed):
    sample = small(seed)
    assert (sample.masks <= sample.silhouettes + 1e-6).all()
    assert (sample.masks.sum(1) <= 1 + 1e-5).all()
    nearest = sample.order[0, :, -1]
    front = sample.silhouettes[0, nearest, torch.arange(SMALL.frames)]
    assert torch.equal(front, sample.masks[0, nearest, torch.arange(SMALL.frames)])


@settings(max_examples=25)
@given(SEEDS)
def test_a_solo_is_the_plate_with_one_object_and_its_own_effects(seed):
    sample = small(seed, objects=(1, 1), degraded=0.0)
    torch.testing.assert_close(sample.solos[:, 0], sample.input)
    bare = (sample.silhouettes[:, 0] == 0) & (sample.veils[:, 0, :, 3:] == 0)
    dark = (sample.shadows[:, 0] < 1).any(2, keepdim=True)
    untouched = bare & ~dark & (sample.lights[:, 0] == 0).all(2, keepdim=True)
    changed = (sample.input - sample.plate).abs().amax(2, keepdim=True)
    assert (changed[untouched] < 1e-5).all()
    lit_up = (sample.input > sample.plate + 1e-5).any(2, keepdim=True) & bare
    assert (sample.lights[:, 0].amax(2, keepdim=True)[lit_up] > 0).all()


def test_flattening_is_the_slow_over():
    sample = small(7, objects=(2, 2))
    frame, rows = 3, slice(10, 22)
    names = {"shadow": "shadows", "light": "lights", "alpha": "silhouettes", "colour": "colours", "veil": "veils"}
    cut = lambda whole, number: whole[0, number, frame][:, rows].double().numpy()  # noqa: E731
    parts = [{short: cut(getattr(sample, long), number) for short, long in names.items()}
             for number in sample.order[0, frame].tolist()]  # fmt: skip
    slow = flatten_slow(sample.clean_plate[0, frame][:, rows].double().numpy(), parts)
    np.testing.assert_allclose(flatten_sample(sample)[0, frame][:, rows].numpy(), slow, atol=1e-6)


def test_light_that_is_gone_is_not_taken_twice():
    """Two objects in one place: the second one's shadow lies wholly in the first one's."""
    scene = draw_scene(11, replace(SMALL, objects=(1, 1), degraded=0.0, motion_blur=0.0))
    scene = replace(scene, floor=replace(scene.floor, reflects=0.0), lamps=scene.lamps[:1], scenery=())
    one = scene.actors[0]
    twice = render([replace(scene, actors=(one, replace(one, name="object2")))])
    hard = twice.shadows[:, 0].amin()
    assert hard < 0.9, "this scene has no shadow to speak of; take another seed"
    # Where all of the lamp's light is gone the rest, beside the feet, is ambient light, which both do take.
    assert twice.shadows[:, 1].mean() > twice.shadows[:, 0].mean()
    torch.testing.assert_close(twice.solos[:, 0], twice.solos[:, 1])


def test_objects_may_change_places_in_depth():
    changing = None
    for seed in range(60):
        scene = draw_scene(seed, replace(SMALL, frames=24, objects=(4, 6)))
        depths = np.stack([actor.place[:, 2] for actor in scene.actors])
        if (np.argsort(-depths, axis=0, kind="stable").T != np.argsort(-depths[:, 0])).any():
            changing = scene
            break
    assert changing is not None, "no scene of sixty changes its order"
    sample = render([changing])
    assert (sample.order[0] != sample.order[0, 0]).any()
    assert rms(flatten_sample(sample), sample.clean_input) < ONE_LEVEL / 4


@pytest.mark.parametrize("stored", ["float32", "uint8"])
def test_the_same_seed_gives_the_same_bytes(stored):
    first, second = (render([draw_scene(seed, SMALL) for seed in (3, 4, 5)], stored=stored) for _ in range(2))
    alone = render([draw_scene(4, SMALL)], stored=stored).one(0)
    for name in ("input", "plate", "clean_input", "order", *BY_OBJECT):
        assert torch.equal(getattr(first, name), getattr(second, name)), name
        assert torch.equal(getattr(first.one(1), name), getattr(alone, name)), f"{name}: depends on the batch"


def test_other_seeds_give_other_clips():
    clips = [small(seed).input for seed in range(6)]
    assert all(rms(a, b) > 0.03 for i, a in enumerate(clips) for b in clips[:i])


def test_a_stream_goes_through_the_seeds():
    config = replace(SMALL, frames=2)
    made = list(islice(stream(config, seed=20, batch=3), 5))
    assert [sample.seeds for sample in made] == [(20,), (21,), (22,), (23,), (24,)]
    assert torch.equal(made[4].input, render([draw_scene(24, config)]).input)


def test_a_stream_does_not_grow():
    config = SpriteConfig(width=48, height=32, frames=4)
    samples = stream(config, batch=4)
    for _ in islice(samples, 40):
        pass
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in islice(samples, 80):
        pass
    grown_mb = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert grown_mb < 12


def test_scenes_with_fewer_objects_leave_empty_places():
    scenes = [draw_scene(seed, replace(SMALL, objects=(n, n))) for seed, n in ((1, 1), (2, 3))]
    sample = render(scenes)
    assert sample.counts == (1, 3) and sample.solos.shape[1] == 3
    assert (sample.silhouettes[0, 1:] == 0).all() and (sample.shadows[0, 1:] == 1).all()
    assert torch.equal(sample.solos[0, 2], sample.plate[0])
    assert sample.one(0).solos.shape[1] == 1
    assert rms(flatten_sample(sample), sample.clean_input) < ONE_LEVEL / 4


def test_noise_is_the_same_on_input_plate_and_solos():
    scene = draw_scene(5, SMALL)
    sample = render([replace(scene, wear=replace(scene.wear, noise=0.01, quality=1.0), exposure=scene.exposure * 0.7)])
    on_input, on_plate = sample.input - sample.clean_input, sample.plate - sample.clean_plate
    inside = (sample.input.clamp(0.001, 0.999) == sample.input) & (sample.plate.clamp(0.001, 0.999) == sample.plate)
    assert on_plate.std() > 0.004
    torch.testing.assert_close(on_input[inside], on_plate[inside], atol=1e-6, rtol=0)


def test_a_sheet_shows_every_sample():
    samples = [small(seed) for seed in range(3)]
    sheet = contact_sheet(samples, columns=2, frame=2)
    assert sheet.shape == (2 * (4 * SMALL.height + 8), 2 * (SMALL.width + 4), 3) and sheet.dtype == torch.uint8


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"width": 8}, "sprite width: got 8, wanted at least 32 pixels"),
        ({"height": 31}, "sprite height: got 31, wanted at least 32 pixels"),
        ({"frames": 0}, "sprite frames: got 0, wanted at least 1"),
        ({"objects": (0, 2)}, r"sprite objects: got \(0, 2\), wanted fewest and most, within 1..6"),
        ({"objects": (3, 2)}, r"sprite objects: got \(3, 2\)"),
        ({"objects": (1, 7)}, r"sprite objects: got \(1, 7\)"),
        ({"degraded": 1.5}, "sprite degraded: got 1.5, wanted a chance, 0..1"),
        ({"motion_blur": -0.1}, "sprite motion_blur: got -0.1, wanted a chance, 0..1"),
    ],
)
def test_what_cannot_be_drawn_is_said(changes, message):
    with pytest.raises(InputError, match=message):
        SpriteConfig(**changes)


def test_a_batch_has_one_size():
    scenes = [draw_scene(0, SMALL), draw_scene(1, replace(SMALL, width=96))]
    with pytest.raises(InputError, match="sprite scenes: got 72x48 with 5 frames, 96x48 with 5 frames, wanted"):
        render(scenes)
    with pytest.raises(InputError, match="sprite scenes: got no scene"):
        render([])
