"""Which places a model links with an object: shares against explicit softmax, scores against loops, and the command."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from media_makers import write_images
from toy_casper import ENGINES, chance, model_folder
from toy_scenes import save, walk

import lamina
from lamina.backbones.attention import attention_shares, blocks_of, network_of, patch_of
from lamina.backbones.interface import Backbone, Condition
from lamina.backbones.open import Loading, open_backbone
from lamina.backbones.specs import BACKBONES, COG_GEOMETRY, WAN_GEOMETRY
from lamina.backbones.weights import find_weights
from lamina.cli.flags import parse
from lamina.cli.main import main
from lamina.errors import InputError, OutputError
from lamina.removal.association import Regions, associate, level_near, tokens_of
from lamina.windows import Window, blend_weights, plan_windows

LATENTS = (4, 4, 6)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return model_folder(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module", params=ENGINES)
def backbone(request: pytest.FixtureRequest, models: Path) -> Backbone:
    return open_backbone(find_weights(BACKBONES[request.param], models), Loading(storage="fp32"))


def condition_of(backbone: Backbone) -> Condition:
    channels = 1 if patch_of(network_of(backbone))[0] == 2 else 4
    text = backbone.embed_text("empty scene")
    if channels == 4:
        text = torch.cat([text, text.new_zeros(512 - len(text), text.shape[1])])
    image = backbone.embed_image(torch.zeros(3, 16, 16))
    return Condition(chance(1, channels, *LATENTS), chance(16, *LATENTS, seed=2), text, image)


def tokens(backbone: Backbone) -> tuple[int, int, int]:
    return tuple(n // p for n, p in zip(LATENTS, patch_of(network_of(backbone)), strict=True))  # type: ignore[return-value]


class Explicit:
    """Slow twin: replaces fused attention by softmax(q k^T / sqrt(d)) written out, and keeps every matrix."""

    def __init__(self, count: int):
        self.count, self.kept = count, []

    def __call__(self, query, key, value, **_):
        weights = (query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5).softmax(-1)
        if query.shape[-2] == key.shape[-2] >= self.count:
            self.kept.append(weights[:, :, -self.count :, -self.count :])
        return weights @ value


def test_shares_are_those_of_explicit_attention(backbone: Backbone, monkeypatch: pytest.MonkeyPatch):
    network, condition, level = network_of(backbone), condition_of(backbone), level_near(backbone.schedule, 0.5)
    count = int(np.prod(tokens(backbone)))
    sets = torch.stack([(chance(count, seed=k) > 0).float() for k in (5, 6)] + [torch.ones(count)])
    latents = chance(1, 16, *LATENTS, seed=3)
    with torch.inference_mode(), attention_shares(network, sets) as found:
        answer = backbone.answer(latents, level, condition)
    explicit = Explicit(count)
    monkeypatch.setattr(F, "scaled_dot_product_attention", explicit)
    with torch.inference_mode():
        twin = backbone.answer(latents, level, condition)
    torch.testing.assert_close(answer, twin, atol=1e-4, rtol=1e-4)
    assert len(found) == len(blocks_of(network)) == len(explicit.kept) == 2
    for share, weights in zip(found, explicit.kept, strict=True):
        wanted = torch.einsum("n h p y, k y -> n k p", weights, sets) / weights.shape[1]
        torch.testing.assert_close(share, wanted, atol=1e-5, rtol=1e-4)
        assert (share[:, 2] <= 1 + 1e-5).all()


def test_nothing_is_left_in_the_network(backbone: Backbone):
    network, level = network_of(backbone), level_near(backbone.schedule, 0.5)
    latents, condition = chance(1, 16, *LATENTS, seed=3), condition_of(backbone)
    with torch.inference_mode(), attention_shares(network, torch.ones(1, int(np.prod(tokens(backbone))))) as found:
        backbone.answer(latents, level, condition)
    before = len(found)
    with torch.inference_mode():
        backbone.answer(latents, level, condition)
    assert len(found) == before
    assert not any(block._forward_hooks or block._forward_pre_hooks for block in blocks_of(network))


def test_more_sets_than_an_answer_has_channels(backbone: Backbone):
    """As many objects as one likes: each set's share is what it is alone."""
    count = int(np.prod(tokens(backbone)))
    sets = torch.stack([(chance(count, seed=k) > 0).float() for k in range(40)])
    latents, level, condition = chance(1, 16, *LATENTS), level_near(backbone.schedule, 0.5), condition_of(backbone)
    shares = []
    for asked in (sets, sets[37:38]):
        with torch.inference_mode(), attention_shares(network_of(backbone), asked) as found:
            backbone.answer(latents, level, condition)
        shares.append(found)
    for together, alone in zip(*shares, strict=True):
        assert together.shape == (1, 40, count)
        torch.testing.assert_close(together[:, 37:38], alone)


def test_figures_are_sums_over_tokens(backbone: Backbone):
    """Slow twin: one token at a time."""
    shape, level = tokens(backbone), level_near(backbone.schedule, 0.5)
    regions = Regions((chance(2, *shape, seed=8) > 0.7).float(), (chance(2, *shape, seed=9) > 0.7).float())
    condition, gauss = condition_of(backbone), chance(16, *LATENTS, seed=4)
    windows = [(Window(0, 4), np.ones(4))]
    found = associate(backbone, condition, windows, regions, level, gauss)
    noisy = level.signal * condition.video + level.noise * gauss
    with torch.inference_mode(), attention_shares(network_of(backbone), regions.sets) as shares:
        backbone.answer(noisy[None], level, condition)
    objects, effects = (part.reshape(2, -1) for part in (regions.objects, regions.effects))
    for block, share in enumerate(shares):
        for k in range(2):
            pairs = [(p, float(share[0, k, p])) for p in range(share.shape[2])]
            inside = [s for p, s in pairs if objects[k, p]]
            beyond = [s for p, s in pairs if not objects[:, p].any() and not effects[:, p].any()]
            paid = [float(share[0, 2 + k, p] / share[0, 4, p]) for p, _ in pairs if objects[k, p]]
            on_effect = [s for p, s in pairs if effects[k, p]]
            assert found.inside[block, k] == pytest.approx(np.mean(inside), rel=1e-4)
            assert found.on_effect[block, k] == pytest.approx(np.mean(on_effect), rel=1e-4)
            assert found.elsewhere[block, k] == pytest.approx(np.mean(beyond), rel=1e-4)
            assert found.to_effect[block, k] == pytest.approx(np.mean(paid), rel=1e-4)
    np.testing.assert_allclose(found.sensitivity.sum(0), 1, rtol=1e-5)
    assert found.maps.shape == (2, 2, 4, *shape[1:])


def test_windows_are_blended(backbone: Backbone):
    shape, level = tokens(backbone), level_near(backbone.schedule, 0.5)
    regions = Regions(torch.ones(1, *shape), torch.zeros(1, *shape))
    condition, gauss = condition_of(backbone), chance(16, *LATENTS, seed=4)
    cut = plan_windows(4, 2, 0)
    found = associate(backbone, condition, list(zip(cut, blend_weights(cut), strict=True)), regions, level, gauss)
    alone = associate(
        backbone,
        condition.window(cut[1]),
        [(Window(0, 2), np.ones(2))],
        regions.window(shape[0] // 2, shape[0]),
        level,
        gauss[:, 2:],
    )
    np.testing.assert_allclose(found.maps[:, :, 2:], alone.maps, atol=1e-5)
    assert np.isnan(found.to_effect).all() and np.isnan(found.sensitivity).all()


def test_tokens_of_masks():
    masks = np.zeros((2, 5, 32, 48), bool)
    masks[0, :, :16, :16] = True
    masks[1, 3, 30, 40] = True
    found = tokens_of(masks, WAN_GEOMETRY, (1, 2, 2))
    assert found.shape == (2, 2, 2, 3) and found[0, :, 0, 0].tolist() == [1, 1] and found[0].sum() == 2
    assert found[1].nonzero().tolist() == [[1, 1, 2]], "an object that is small has a token all the same"
    assert tokens_of(masks, COG_GEOMETRY, (2, 2, 2)).shape == (2, 1, 2, 3)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_command(engine: str, models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    toy = walk(6, (96, 72), names=("box", "ball"))
    clip, masks = save(toy, tmp_path)
    shade = write_images(tmp_path / "shade", [changed.astype(np.uint8) * 255 for changed in toy.changed])
    flags = ["--mask", masks[0], "--mask", masks[1], "--effect", f"box={shade}", "--engine", engine, "--size", "64x96"]
    flags += ["--storage", "fp32", "--weights", str(models), "-o", str(tmp_path / "out")]
    assert main(["attention", str(clip), *flags]) == 0
    told = json.loads((tmp_path / "out" / "attention.json").read_text())
    assert told["engine"] == engine and abs(told["noise"] - 0.5) < 0.05
    box, ball = told["objects"]["box"], told["objects"]["ball"]
    assert len(box["inside"]) == 2 and sum(box["sensitivity"]) == pytest.approx(1, abs=1e-4)
    assert ball["to_effect"] == [None, None] and ball["sensitivity"] == [None, None]
    for name in ("box", "ball", "box_blocks", "ball_blocks"):
        assert len(list(lamina.open_source(tmp_path / "out" / f"{name}.mp4").read())) == 6
    assert "box: effects are sensed most in blocks" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"noise": 0.0}, r"--noise: got 0.0, wanted more than 0"),
        ({"effect": ("cat=x",)}, "--effect cat=x: got 'cat', wanted one of box"),
        ({"effect": ("box=x", "box=y")}, "--effect box=y: got 'box', wanted one for each object"),
        ({"effect": ("cat",)}, "--effect cat: got 'cat', wanted NAME=PATH"),
        ({"size": "9x9"}, "--size 9x9"),
        ({"seed": 2**63}, "--seed: got 9223372036854775808, wanted -9223372036854775808..9223372036854775807"),
    ],
)
def test_flags_that_do_not_fit(flags: dict, said: str, models: Path, tmp_path: Path):
    clip, masks = save(walk(2), tmp_path)
    asked = {"input": clip, "mask": masks, "engine": "casper-wan-1.3b", "weights": models, "out": tmp_path / "out"}
    with pytest.raises(InputError, match=said):
        lamina.attention(lamina.AttentionConfig(**(asked | flags)))


def test_every_object_may_have_its_effect():
    flags = "clip -o out --engine casper-wan-1.3b --effect a=1 --effect b=2".split()
    given = parse("attention", "", lamina.AttentionConfig, flags)
    assert given.effect == ("a=1", "b=2")


def test_an_effect_under_its_object_is_said(models: Path, tmp_path: Path):
    clip, masks = save(walk(2), tmp_path)
    asked = {"input": clip, "mask": masks, "effect": masks, "engine": "casper-wan-1.3b", "weights": models}
    with pytest.warns(UserWarning, match="The effect of box lies within its grown mask alone"):
        lamina.attention(lamina.AttentionConfig(**asked, out=tmp_path / "out", size="48x64", storage="fp32"))


def test_a_folder_with_files_is_left_alone(models: Path, tmp_path: Path):
    clip, masks = save(walk(2), tmp_path)
    with pytest.raises(OutputError, match="a folder that holds files"):
        lamina.attention(lamina.AttentionConfig(input=clip, mask=masks, engine="casper-wan-1.3b", out=tmp_path))
