"""Layers of a clip whose plate and solos are given: what they hold, in which order, and what is refused."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from media_makers import write_images
from toy_scenes import psnr
from toy_solos import SIZE, Crossing, crossing, save

import lamina
from lamina.alpha import lay_over
from lamina.cli import main as door
from lamina.errors import InputError, OutputError
from lamina.layers import refit
from lamina.layers.fit import PRESETS
from lamina.layers.fit import fit as fit_all
from lamina.layers.fit_config import with_steps
from lamina.levels import WHITE, from_levels, to_levels
from lamina.media.work import alone_in

FRAMES = 32


def run(toy: Crossing, folder: Path, **more) -> lamina.StackReader:
    config = lamina.LayersConfig(out=folder / "out", **(save(toy, folder) | more))
    return lamina.open_stack(lamina.layers_from_solos(config))


@pytest.fixture(scope="module", params=["uint8", "uint16"])
def made(request, tmp_path_factory: pytest.TempPathFactory) -> tuple[Crossing, lamina.StackReader]:
    toy = crossing(FRAMES, request.param)
    return toy, run(toy, tmp_path_factory.mktemp("made"), split=True)


def stacked(stack: lamina.StackReader, t: int) -> np.ndarray:
    picture = to_levels(next(stack.read_plate(t, t + 1)))
    for name in stack.manifest.order_at(t):
        picture = lay_over(next(stack.read_layer(name, t, t + 1)), picture)
    return picture


def test_who_changes_places_has_two_orders(made):
    _, stack = made
    assert [run.back_to_front for run in stack.manifest.order] == [("far", "near"), ("near", "far")]
    assert FRAMES * 0.3 < stack.manifest.order[1].first < FRAMES * 0.7


def test_the_stack_adds_up(made):
    toy, stack = made
    for t in range(FRAMES):
        assert psnr(stacked(stack, t).astype(np.float32), to_levels(toy.frames[t])) > 40, t


def test_a_layer_over_the_plate_is_its_solo_even_where_it_is_hidden(made):
    toy, stack = made
    for name, solos in toy.solos.items():
        for t, layer in enumerate(stack.read_layer(name)):
            assert psnr(lay_over(layer, to_levels(toy.plate)).astype(np.float32), to_levels(solos[t])) > 40, (name, t)


def test_a_hidden_object_comes_out_whole(made):
    toy, stack = made
    for name, silhouettes in toy.silhouettes.items():
        for t, layer in enumerate(stack.read_layer(name)):
            inside = cv2.erode(silhouettes[t].astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
            assert to_levels(layer[..., 3])[inside].min() > 0.9, (name, t)


def test_opaque_pixels_of_the_front_layer_are_the_clips_own(made):
    toy, stack = made
    for t in (0, 8, 24):
        front = stack.manifest.order_at(t)[-1]
        layer = next(stack.read_layer(front, t, t + 1))
        inside = cv2.erode(toy.masks[front][t], np.ones((9, 9), np.uint8)) > 0
        assert (layer[inside][:, 3] == WHITE[layer.dtype.name]).all()
        np.testing.assert_array_equal(layer[inside][:, :3], toy.frames[t][inside])


def test_the_plate_is_the_clip_wherever_no_layer_is(made):
    toy, stack = made
    layers = [list(stack.read_layer(name)) for name in stack.manifest.layer_names]
    for t, plate in enumerate(stack.read_plate()):
        free = np.all([layer[t][..., 3] == 0 for layer in layers], axis=0)
        assert free.mean() > 0.3
        np.testing.assert_array_equal(plate[free], toy.frames[t][free])


def test_parts_over_the_plate_are_the_solo_within_one_level(made):
    toy, stack = made
    for name, solos in toy.solos.items():
        parts = zip(*(stack.read_part(name, part) for part in ("object", "shadow", "light")), strict=True)
        for t, (alone, shadow, light) in enumerate(parts):
            shaded = to_levels(toy.plate) * to_levels(shadow) + to_levels(light)
            error = np.abs(lay_over(alone, shaded) - to_levels(solos[t])).mean()
            assert error < 1 / 255, (name, t)


def test_the_object_part_has_no_shadow_and_the_shadow_no_object(made):
    toy, stack = made
    for name in toy.solos:
        alone, shadow = (next(stack.read_part(name, part, 4, 5)) for part in ("object", "shadow"))
        outside = cv2.dilate(toy.silhouettes[name][4].astype(np.uint8), np.ones((9, 9), np.uint8)) == 0
        assert not alone[outside][:, 3].any()
        deepest = to_levels(shadow).reshape(-1, 3).min(0)
        np.testing.assert_allclose(deepest, (0.45, 0.55, 0.65), atol=0.06, err_msg="a tinted shadow stays tinted")


def test_a_given_order_wins(tmp_path: Path):
    stack = run(crossing(6), tmp_path, order="near,far")
    assert [run.back_to_front for run in stack.manifest.order] == [("near", "far")]
    assert stack.manifest.layer_names == ("near", "far")


def test_a_shadow_that_no_solo_shows_leaves_the_plate_and_has_an_owner(tmp_path: Path):
    """As models answer at times: they take a shadow for everybody else's."""
    toy = crossing(4)
    for solos in toy.solos.values():
        for solo in solos:
            solo[42:] = toy.plate[42:]
    stack = run(toy, tmp_path)
    for t, plate in enumerate(stack.read_plate()):
        assert psnr(to_levels(plate[42:]), to_levels(toy.plate[42:])) > 45, t
        assert psnr(stacked(stack, t).astype(np.float32), to_levels(toy.frames[t])) > 40, t


def test_one_object_needs_no_solo(tmp_path: Path):
    toy = crossing(5)
    alone = replace(
        toy, frames=toy.solos["near"], masks={"near": [s.astype(np.uint8) * 255 for s in toy.silhouettes["near"]]}
    )
    stack = run(alone, tmp_path, solo=())
    for t in range(5):
        assert psnr(stacked(stack, t).astype(np.float32), to_levels(alone.frames[t])) > 45


def test_small_plates_and_solos_are_lifted_to_the_clip(tmp_path: Path):
    """Outside the shadow the plate is the clip's; in it, it has the clip's detail, not the small plate's."""
    toy = crossing(6)
    small = replace(
        toy, plate=_half(toy.plate), solos={name: [_half(s) for s in solos] for name, solos in toy.solos.items()}
    )
    stack = run(small, tmp_path)
    shadow = (
        cv2.dilate(np.any([s[3] for s in toy.silhouettes.values()], 0).astype(np.uint8), np.ones((9, 9), np.uint8)) == 0
    )
    shadow &= np.abs(to_levels(toy.frames[3]) - to_levels(toy.plate)).max(-1) > 0.05
    plate = next(stack.read_plate(3, 4))
    enlarged = cv2.resize(_half(toy.plate), SIZE, interpolation=cv2.INTER_CUBIC)
    assert psnr(plate[shadow], toy.plate[shadow]) > psnr(enlarged[shadow], toy.plate[shadow]) + 6
    assert psnr(stacked(stack, 3).astype(np.float32), to_levels(toy.frames[3])) > 36


@pytest.mark.parametrize("fit", ["reference", "paper"])
def test_published_fits_see_the_whole_clip_at_once(fit: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """With a few of their thousands of steps: it is enough to see that everything arrives."""
    few = with_steps(PRESETS[fit], *(2 for _ in PRESETS[fit].stages))
    monkeypatch.setitem(refit.PRESETS, fit, few)
    seen = []
    monkeypatch.setattr(refit, "fit", lambda *given, **more: seen.append(len(given[1])) or fit_all(*given, **more))
    with pytest.warns(UserWarning, match="give the clip back at"):
        stack = run(crossing(20), tmp_path, fit=fit)
    assert seen == [20, 20]
    layers = [next(stack.read_layer(name, 19, 20)) for name in stack.manifest.layer_names]
    assert all(layer.shape == (72, 128, 4) for layer in layers)
    assert [next(stack.read_plate(t, t + 1)).shape for t in (0, 19)] == [(72, 128, 3)] * 2


def test_a_fit_refines_what_is_there(tmp_path: Path):
    toy = crossing(6)
    stack = run(toy, tmp_path, fit="fast")
    assert stack.manifest.config["fit"] == "fast"
    for name, solos in toy.solos.items():
        layer = next(stack.read_layer(name, 3, 4))
        assert psnr(lay_over(layer, to_levels(toy.plate)).astype(np.float32), to_levels(solos[3])) > 40


def test_the_same_command_again_has_nothing_to_do(tmp_path: Path, capsys):
    given = save(crossing(4), tmp_path)
    flags = [str(given["input"]), "--plate", str(given["plate"]), "-o", str(tmp_path / "out")]
    flags += [part for kind in ("mask", "solo") for entry in given[kind] for part in (f"--{kind}", entry)]
    assert door.main(["layers", *flags]) == 0
    before = (tmp_path / "out" / "stack.json").read_bytes()
    assert door.main(["layers", *flags]) == 0
    assert (tmp_path / "out" / "stack.json").read_bytes() == before
    assert "near.mkv" in capsys.readouterr().out


# ------------------------------------------------------------------------------------------------------- what is wrong


def _half(picture: np.ndarray) -> np.ndarray:
    return cv2.resize(picture, (SIZE[0] // 2, SIZE[1] // 2), interpolation=cv2.INTER_AREA)


def _floats(folder: Path, plate: np.ndarray, value: float) -> Path:
    import tifffile

    pictures = to_levels(plate).copy()
    pictures[3, 4] = value
    folder.mkdir()
    for t in range(4):
        tifffile.imwrite(folder / f"p.{t:04d}.tif", pictures, photometric="rgb")
    return folder


WRONG = {
    "no solo of one": (lambda g, f: {"solo": g["solo"][:1]}, "solos of near, wanted one of each object: near, far"),
    "no solos": (lambda g, f: {"solo": ()}, "solos of no object, wanted one of each object"),
    "a stranger": (
        lambda g, f: {"solo": (*g["solo"], g["solo"][0].replace("near", "dog", 1))},
        "solos of near, far, dog",
    ),
    "twice": (lambda g, f: {"solo": (g["solo"][0], g["solo"][0])}, "solos of near, near"),
    "one file for two": (
        lambda g, f: {"solo": (g["solo"][0], "far=" + g["solo"][0].partition("=")[2])},
        "--solo far=.*got the file of near, wanted a file of its own",
    ),
    "one mask for two": (
        lambda g, f: {"mask": (g["mask"][0], "far=" + g["mask"][0].partition("=")[2])},
        "--mask far=.*got the file of near",
    ),
    "no name": (lambda g, f: {"solo": ("near",)}, "--solo near.*wanted NAME=PATH"),
    "short plate": (lambda g, f: {"plate": write_images(f / "p", [_read(g)] * 3)}, "--plate.*got 3 frames, wanted 4"),
    "short solo": (
        lambda g, f: {"solo": (f"near={write_images(f / 's', [_read(g)] * 3)}", g["solo"][1])},
        "--solo near.*got 3 frames, wanted 4",
    ),
    "still solo": (
        lambda g, f: {"solo": (f"near={write_images(f / 's', [_read(g)])}", g["solo"][1])},
        "--solo near.*got 1 frames, wanted 4",
    ),
    "large plate": (
        lambda g, f: {"plate": write_images(f / "p", [cv2.resize(_read(g), (256, 144))] * 4)},
        "--plate.*got 256 x 144, wanted 128 x 72, the clip's size, or smaller and of the same shape",
    ),
    "other shape": (
        lambda g, f: {"plate": write_images(f / "p", [cv2.resize(_read(g), (64, 64))] * 4)},
        "--plate.*got 64 x 64",
    ),
    "solo of another size": (
        lambda g, f: {"solo": (f"near={write_images(f / 's', [_half(_read(g))] * 4)}", g["solo"][1])},
        "--solo near.*got 64 x 36, wanted 128 x 72, as the plate",
    ),
    "not a number": (lambda g, f: {"plate": _floats(f / "p", _read(g), np.nan)}, "--plate, frame 0.*1 pixels with NaN"),
    "infinite": (lambda g, f: {"plate": _floats(f / "p", _read(g), np.inf)}, "with NaN or infinity"),
    "out of range": (lambda g, f: {"plate": _floats(f / "p", _read(g), 40.0)}, "values from .* to 40, wanted 0..1"),
    "order": (lambda g, f: {"order": "near,dog"}, "--order near,dog.*unknown 'dog'"),
    "no depth model": (lambda g, f: {"depth": str(f / "none")}, "depth model .*none: got no such folder"),
    "order and depth": (lambda g, f: {"order": "near,far", "depth": "m"}, "one of --order and --depth"),
    "split and fit": (lambda g, f: {"split": True, "fit": "fast"}, "--split.*got --fit fast too"),
}


def _read(given: dict) -> np.ndarray:
    return cv2.imread(str(next(Path(given["plate"]).glob("*.png"))))[..., ::-1].copy()


@pytest.mark.parametrize("case", WRONG)
def test_what_does_not_fit_is_refused_and_leaves_nothing(case: str, tmp_path: Path):
    change, message = WRONG[case]
    given = save(crossing(4), tmp_path)
    given |= change(given, tmp_path)
    with pytest.raises(InputError, match=message):
        lamina.layers_from_solos(lamina.LayersConfig(out=tmp_path / "out", **given))
    assert not (tmp_path / "out").exists()


def test_a_plate_of_another_clip_is_warned_of(tmp_path: Path):
    toy = crossing(4)
    strange = write_images(tmp_path / "strange", [255 - frame for frame in toy.frames])
    with pytest.warns(UserWarning, match=r"change \d+% of the picture.*Do masks, plate and solos belong to this clip"):
        run(toy, tmp_path, plate=strange)


def test_a_plate_as_long_as_the_whole_clip_is_cut_with_it(tmp_path: Path):
    toy = crossing(8)
    stack = run(toy, tmp_path, frames="2-5")
    assert len(stack.manifest.pts) == 4
    for t in range(4):
        assert psnr(stacked(stack, t).astype(np.float32), to_levels(toy.frames[t + 2])) > 40


def test_a_stopped_run_is_named_by_inspect(tmp_path: Path):
    (tmp_path / "out" / ".work").mkdir(parents=True)
    (tmp_path / "out" / ".work" / "run.json").write_text("{}")
    with pytest.raises(InputError, match="got a run that was stopped, wanted a finished stack"):
        lamina.inspect(lamina.InspectConfig(tmp_path / "out"))


def test_two_runs_do_not_share_a_folder(tmp_path: Path):
    with alone_in(tmp_path / "out"):
        with pytest.raises(OutputError, match="got another run at work there, wanted a folder for this run alone"):
            run(crossing(4), tmp_path)
    assert not (tmp_path / "out").exists()


def test_levels_survive_a_still_plate(tmp_path: Path):
    toy = crossing(4, "uint16")
    still = write_images(tmp_path / "still", [toy.plate])
    stack = run(toy, tmp_path, plate=still)
    assert next(stack.read_plate()).dtype == np.uint16
    assert from_levels(to_levels(toy.plate), np.dtype("uint16")).dtype == np.uint16
