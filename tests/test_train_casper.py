"""Casper as a learner: what is drawn and told, the loss against published schedulers, adapters, exports."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pair_makers import toy_pair
from safetensors import safe_open
from safetensors.torch import load_file
from toy_backbones import RANK, SCHEDULER, cogvideox_folder, wan_folder
from toy_training import SIZE, toy_recipe

from lamina.backbones import cogvideox
from lamina.backbones.interface import Condition
from lamina.backbones.open import Loading, open_backbone
from lamina.backbones.renaming import inverted, renamed
from lamina.backbones.specs import BACKBONES
from lamina.backbones.weights import find_weights
from lamina.errors import InputError, WeightsError
from lamina.masks.trimask import KEEP, REMOVE, UNKNOWN
from lamina.sampling import seeded
from lamina.schedule import DdimSchedule, FlowSchedule
from lamina.synth.pair import Pair
from lamina.train.casper import casper_learner, casper_loss, draw_level, remembered, squared_error
from lamina.train.conditioning import as_asked, frames_of, maybe_shorter, told
from lamina.train.recipe import ConditioningConfig, LoraConfig, Recipe
from lamina.train.start import NAMES, open_start
from lamina.train.task import Example, Learner, chance_of

CPU = torch.device("cpu")
NEVER = ConditioningConfig(prompt_dropped=0.0, image_dropped=0.0, blind=0.0)
LORA = LoraConfig(rank=RANK, alpha=2.0)
FULL = ("casper-cog-5b", "casper-wan-1.3b")
pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All three models, and of each the base's own transformer."""
    root = tmp_path_factory.mktemp("models")
    cogvideox_folder(root)
    wan_folder(root)
    wan_folder(root, lora=True)
    for name, base in (
        ("casper-cog-5b", "CogVideoX-Fun-V1.5-5b-InP/transformer"),
        ("casper-wan-1.3b", "Wan2.1-Fun-1.3B-InP"),
    ):
        own = root / base / "diffusion_pytorch_model.safetensors"
        own.write_bytes((root / f"{name}.safetensors").read_bytes())
    return root


def pair_of(recipe: Recipe, seed: int = 0) -> Pair:
    return toy_pair(seed, recipe.data.frames, (recipe.data.width, recipe.data.height))


def example_of(pair: Pair, place: int = 0, seed: int = 0) -> Example:
    return Example(pair, place, chance_of(seed, place, CPU))


def learner_of(folder: Path, recipe: Recipe) -> tuple[Learner, Any]:
    """With the backbone that asks the network as it is."""
    learner = casper_learner(recipe, open_start(recipe, folder, CPU))
    return learner, learner.connect(learner.network)


def test_levels_of_a_diffusion_are_those_of_the_published_trainer():
    from diffusers import DDPMScheduler

    theirs = DDPMScheduler.from_config(
        {k: v for k, v in SCHEDULER.items() if k not in ("_class_name", "snr_shift_scale", "set_alpha_to_one")}
    )
    schedule, noise = DdimSchedule.from_config(SCHEDULER), seeded(1)
    clean, gauss = noise((1, 2, 3)), noise((1, 2, 3))
    levels = schedule.train_levels()
    assert len(levels) == 1000
    for timestep in (0, 1, 499, 998, 999):
        at, level = torch.tensor([timestep]), levels[timestep]
        assert level.timestep == timestep
        noisy = level.signal * clean + level.noise * gauss
        torch.testing.assert_close(noisy, theirs.add_noise(clean, gauss, at), rtol=0, atol=1e-5)
        wanted = theirs.get_velocity(clean, gauss, at)
        torch.testing.assert_close(schedule.answer(clean, gauss, level), wanted, rtol=0, atol=1e-5)


def test_levels_of_a_flow_are_those_of_the_published_trainer():
    from diffusers import FlowMatchEulerDiscreteScheduler

    theirs = FlowMatchEulerDiscreteScheduler(num_train_timesteps=1000, shift=5.0)
    levels = FlowSchedule().train_levels()[::-1]
    sigmas, timesteps = (torch.tensor([getattr(level, k) for level in levels]) for k in ("noise", "timestep"))
    torch.testing.assert_close(sigmas, theirs.sigmas[: len(levels)], rtol=0, atol=1e-6)
    torch.testing.assert_close(timesteps, theirs.timesteps, rtol=0, atol=1e-3)


@pytest.mark.parametrize("schedule", [DdimSchedule(), FlowSchedule()])
@given(number=st.integers(0, 999), seed=st.integers(0, 99))
def test_a_right_answer_gives_the_clean_latents_back(schedule, number: int, seed: int):
    level, noise = schedule.train_levels()[number], seeded(seed)
    clean, gauss = noise((4, 5)), noise((4, 5))
    noisy = level.signal * clean + level.noise * gauss
    found = schedule.clean(noisy, schedule.answer(clean, gauss, level), level)
    torch.testing.assert_close(found, clean, rtol=0, atol=1e-4)


@pytest.mark.parametrize("strata", [1, 4])
def test_levels_are_drawn_evenly_part_by_part(strata: int):
    levels = FlowSchedule().train_levels()
    number = {level: k for k, level in enumerate(levels)}
    drawn = [(place, number[draw_level(levels, example_of(toy_pair(), place), strata)]) for place in range(4000)]
    for place, which in drawn:
        assert which // (1000 // strata) == place % strata or strata == 1
    eighths = Counter(which // 125 for _, which in drawn)
    assert all(abs(eighths[k] - 500) < 4 * 500**0.5 for k in range(8))
    assert len({which for _, which in drawn}) > 900


def test_an_answer_that_is_far_off_is_not_learned_from():
    answer, wanted = torch.tensor([0.0, 51.0, -60.0, 50.0]), torch.zeros(4)
    assert squared_error(answer, wanted, 50.0).tolist() == [0.0, 0.0, 0.0, 2500.0]
    assert squared_error(answer, wanted, None).tolist() == [0.0, 2601.0, 3600.0, 2500.0]


@pytest.mark.parametrize("name", FULL)
def test_the_loss_against_its_slow_twin(folder: Path, name: str):
    """Spelled out with the backbone's own parts, drawn in the same order."""
    recipe = toy_recipe(name, conditioning=NEVER, checkpointing=False)
    learner, backbone = learner_of(folder, recipe)
    pair, level = pair_of(recipe), backbone.schedule.train_levels()[700]
    found = casper_loss(recipe, remembered(backbone), backbone, example_of(pair), level)
    chance = chance_of(0, 0, CPU)
    frames, target = frames_of(pair.input), frames_of(pair.target)
    text, image = backbone.embed_text(pair.caption), backbone.embed_image(target[0])
    condition = backbone.training_condition(frames, pair.trimask, text, image, chance.noise)
    clean = backbone.encode(target, chance.noise)
    gauss = chance.noise(clean.shape)
    noisy = level.signal * clean + level.noise * gauss
    wanted = gauss - clean if "wan" in name else level.signal * gauss - level.noise * clean
    twin = torch.square(backbone.answer(noisy[None], level, condition)[0] - wanted).mean()
    torch.testing.assert_close(found, twin, rtol=1e-5, atol=0)
    found.backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in learner.network.parameters())


@pytest.mark.parametrize("name", FULL)
def test_checkpointing_gives_the_same_gradients(folder: Path, name: str):
    gradients = []
    for checkpointing in (False, True):
        recipe = toy_recipe(name, checkpointing=checkpointing)
        learner, backbone = learner_of(folder, recipe)
        learner.step(backbone, [example_of(pair_of(recipe))]).total.backward()
        gradients.append({name: p.grad for name, p in learner.network.named_parameters()})
    for parameter, wanted in gradients[0].items():
        torch.testing.assert_close(gradients[1][parameter], wanted, rtol=1e-4, atol=1e-6)


def test_training_conditions_are_drawn(folder: Path):
    """Posterior samples, and a clip as noisy as chance will have it; black stays black."""
    for name in FULL:
        _, backbone = learner_of(folder, toy_recipe(name))
        pair = pair_of(toy_recipe(name))
        text, frames = backbone.embed_text("a"), frames_of(pair.input)
        drawn = [backbone.training_condition(frames, pair.trimask, text, None, seeded(s)) for s in (1, 1, 2)]
        asked = backbone.condition(frames, [pair.trimask], text, None, seeded(1))
        assert torch.equal(drawn[0].video, drawn[1].video) and not torch.equal(drawn[0].video, drawn[2].video)
        assert torch.equal(drawn[0].mask, asked.mask) and not torch.equal(drawn[0].video, asked.video)


def test_the_clip_is_as_noisy_as_in_the_published_training(folder: Path, monkeypatch: pytest.MonkeyPatch):
    strengths: list[float] = []
    original = cogvideox.noisy_video
    monkeypatch.setattr(cogvideox, "noisy_video", lambda v, d, n: (strengths.append(d), original(v, d, n))[1])
    _, backbone = learner_of(folder, toy_recipe("casper-cog-5b"))
    monkeypatch.setattr(type(backbone), "_encode", lambda self, video, noise=None: torch.zeros(16, 2, 4, 6))
    frames, trimask = torch.full((5, 3, *SIZE), 0.5), np.full((5, *SIZE), UNKNOWN, np.uint8)
    for seed in range(400):
        backbone.training_condition(frames, trimask, torch.zeros(10, 24), None, seeded(seed))
    logs = np.log(strengths)
    assert abs(logs.mean() + 3.0) < 0.1 and abs(logs.std() - 0.5) < 0.07


class Told:
    """A backbone that says what it was told and can do no more."""

    geometry = schedule = record = transformer = None
    device = CPU
    encode = decode = embed_text = condition = answer = denoiser = with_network = lambda self: None

    def embed_image(self, frame: torch.Tensor) -> torch.Tensor:
        return frame.mean(dim=(1, 2))[None]

    def training_condition(self, frames, trimask, text, image, noise) -> Condition:
        return Condition(torch.ones(1, 1, 1, 2, 2), torch.ones(1, 1, 2, 2), text, image)


def words(prompt: str) -> torch.Tensor:
    return torch.full((1, 1), float(len(prompt)))


@pytest.mark.parametrize(("region", "share"), [(REMOVE, 0.9), (UNKNOWN, 0.0)])
def test_what_is_withheld_and_how_often(region: int, share: float):
    pair = replace(toy_pair(), trimask=np.full((5, 16, 24), region, np.uint8), caption="")
    config = ConditioningConfig(prompt="four")
    found = [told(Told(), words, pair, config, chance_of(0, place, CPU)) for place in range(1000)]  # type: ignore[arg-type]
    blind = [float(c.video.sum() + c.mask.sum()) == 0 for c in found]
    assert abs(np.mean([c.text.item() == 0 for c in found]) - 0.1) < 0.03
    assert abs(np.mean([c.image is None for c in found]) - 0.1) < 0.03
    assert abs(np.mean(blind) - share) < 0.03 and {c.text.item() for c in found} == {0.0, 4.0}
    with_image = next(c.image for c in found if c.image is not None)
    torch.testing.assert_close(with_image[0], frames_of(pair.target[:1])[0].mean(dim=(1, 2)))


def test_captions_come_before_the_prompt():
    pair = replace(toy_pair(), caption="a caption")
    assert told(Told(), words, pair, NEVER, chance_of(0, 0, CPU)).text.item() == len("a caption")  # type: ignore[arg-type]


def test_what_the_paper_leaves_out_by_turns():
    pair = toy_pair()
    assert as_asked(pair, NEVER) is pair
    binary = as_asked(pair, replace(NEVER, masks="binary"))
    assert set(np.unique(binary.trimask)) == {KEEP, REMOVE}
    assert np.array_equal(binary.trimask == REMOVE, pair.trimask == REMOVE)
    black = as_asked(pair, replace(NEVER, removed="zeroed"))
    inside = pair.trimask == REMOVE
    assert not black.input[inside].any() and np.array_equal(black.input[~inside], pair.input[~inside])
    assert np.array_equal(black.target, pair.target)


@pytest.mark.parametrize(
    ("name", "lengths"), [("casper-cog-5b", {5, 13, 21}), ("casper-wan-1.3b", {1, 5, 9, 13, 17, 21})]
)
def test_shorter_pairs_are_such_as_the_network_takes(name: str, lengths: set[int]):
    geometry, pair = BACKBONES[name].geometry, toy_pair(frames=21)
    config = ConditioningConfig(shorter=0.5)
    found = [maybe_shorter(pair, config, geometry, chance_of(0, place, CPU)) for place in range(400)]
    counts = Counter(len(cut.input) for cut in found)
    assert set(counts) == lengths and abs(counts[21] / 400 - 0.5 - 0.5 / len(lengths)) < 0.08
    assert all(np.array_equal(cut.input, pair.input[: len(cut.input)]) for cut in found)
    assert maybe_shorter(pair, NEVER, geometry, chance_of(0, 0, CPU)) is pair


def disturb(learner: Learner) -> dict[str, torch.Tensor]:
    """As training would, only faster; all of the network's tensors."""
    generator = torch.Generator().manual_seed(9)
    with torch.no_grad():
        for parameter in learner.network.parameters():
            if parameter.requires_grad:
                parameter.add_(0.05 * torch.randn(parameter.shape, generator=generator))
    return dict(learner.network.state_dict())


def answer_of(backbone: Any, recipe: Recipe) -> torch.Tensor:
    pair = pair_of(recipe)
    frames = frames_of(pair.input)
    text, image = backbone.embed_text("a"), backbone.embed_image(frames[0])
    condition = backbone.condition(frames, [pair.trimask], text, image, seeded(3))
    level = backbone.schedule.train_levels()[600]
    with torch.no_grad():
        return backbone.answer(seeded(4)((1, *condition.video.shape)), level, condition)


@pytest.mark.parametrize(
    ("name", "method"), [(name, method) for name in FULL for method in ("full", "lora")] + [("casper-wan-14b", "lora")]
)
def test_an_export_is_what_the_engine_reads(folder: Path, tmp_path: Path, name: str, method: str):
    """Strictly, under the published names; a LoRA merges to what the adapters say."""
    recipe = toy_recipe(name, method=method, lora=LORA, start="base")
    learner, backbone = learner_of(folder, recipe)
    before = answer_of(backbone, recipe)
    path = learner.export(disturb(learner), {"steps": "7"}, tmp_path)
    learner.network.eval()
    wanted = answer_of(backbone, recipe)
    assert path.name == f"{name}.safetensors" and (wanted - before).abs().max() > 1e-3
    published = load_file(folder / path.name)
    if method == "full" or not BACKBONES[name].is_lora:
        assert {k: v.shape for k, v in load_file(path).items()} == {k: v.shape for k, v in published.items()}
    else:
        assert load_file(path).keys() == published.keys()
    with safe_open(path, framework="pt") as file:
        assert file.metadata() == {"format": "pt", "steps": "7"}
    weights = replace(find_weights(BACKBONES[name], folder), casper=(path,))
    opened = open_backbone(weights, Loading(storage="fp32"))
    torch.testing.assert_close(answer_of(opened, recipe), wanted, rtol=0, atol=2e-5)


def test_numbers_of_an_export(folder: Path, tmp_path: Path):
    recipe = toy_recipe(precision="bf16")
    learner, _ = learner_of(folder, recipe)
    assert {p.dtype for p in learner.network.parameters()} == {torch.float32}
    tensors = load_file(learner.export(dict(learner.network.state_dict()), {}, tmp_path))
    assert {tensor.dtype for tensor in tensors.values()} == {torch.bfloat16}


def test_adapters_are_on_every_linear_layer_and_change_nothing_yet(folder: Path):
    recipe = toy_recipe("casper-wan-14b", method="lora", lora=LORA, start="base")
    learner, backbone = learner_of(folder, recipe)
    trained = {name for name, p in learner.network.named_parameters() if p.requires_grad}
    assert len(trained) == 2 * (12 * 2 + 8) and all("lora_" in name for name in trained)
    weights = replace(find_weights(BACKBONES["casper-wan-14b"], folder))
    plain = open_backbone(weights, Loading(storage="fp32", lora_strength=0.0))
    torch.testing.assert_close(answer_of(backbone, recipe), answer_of(plain, recipe), rtol=0, atol=1e-6)
    again, _ = learner_of(folder, recipe)
    first, second = (dict(each.network.named_parameters()) for each in (learner, again))
    assert all(torch.equal(first[name], second[name]) for name in trained)


def test_going_on_from_the_published_lora(folder: Path):
    recipe = toy_recipe("casper-wan-14b", method="lora", lora=LORA, start="casper")
    learner, backbone = learner_of(folder, recipe)
    published = open_backbone(find_weights(BACKBONES["casper-wan-14b"], folder), Loading(storage="fp32"))
    torch.testing.assert_close(answer_of(backbone, recipe), answer_of(published, recipe), rtol=0, atol=2e-5)


@pytest.mark.parametrize(
    ("lora", "message"),
    [
        (LoraConfig(rank=RANK + 1, alpha=2.0), "LoRA to start from: got an adapter of rank 4 for lora_unet__"),
        (LoraConfig(rank=RANK, alpha=3.0), "got alpha 2, wanted rank 4 and alpha 3"),
    ],
)
def test_a_lora_of_another_rank(folder: Path, lora: LoraConfig, message: str):
    with pytest.raises(WeightsError, match=message):
        learner_of(folder, toy_recipe("casper-wan-14b", method="lora", lora=lora))


def test_the_large_model_is_trained_as_a_lora(folder: Path):
    with pytest.raises(InputError, match="recipe: method of casper-wan-14b: got full, wanted lora"):
        learner_of(folder, toy_recipe("casper-wan-14b"))


def test_a_model_that_is_not_known(folder: Path):
    with pytest.raises(InputError, match="model: got 'casper-9b'"):
        learner_of(folder, toy_recipe("casper-9b"))


@pytest.mark.parametrize(
    ("start", "message"),
    [("base", "base of casper-cog-5b: got no .*transformer"), ("casper", "got no .*casper-cog-5b.safetensors")],
)
def test_a_backbone_without_weights(tmp_path: Path, start: str, message: str):
    with pytest.raises(WeightsError, match=message):
        learner_of(tmp_path, toy_recipe("casper-cog-5b", start=start))


@pytest.mark.parametrize(
    ("name", "change"),
    [("casper-cog-5b", {"frames": 9}), ("casper-wan-1.3b", {"frames": 8}), ("casper-wan-1.3b", {"width": 40})],
)
def test_pairs_that_the_network_cannot_take(folder: Path, name: str, change: dict):
    recipe = toy_recipe(name)
    with pytest.raises(InputError, match="recipe: data: got .* frames of .*, wanted .* frames, or . k more; sides"):
        learner_of(folder, replace(recipe, data=replace(recipe.data, **change)))


def test_prompts_are_embedded_once(folder: Path):
    recipe = toy_recipe()
    _, backbone = learner_of(folder, recipe)
    asked: list[str] = []
    original = backbone.text_encoder
    counting = replace(backbone, text_encoder=lambda prompt: (asked.append(prompt), original(prompt))[1])
    embed = remembered(counting)
    assert torch.equal(embed("a"), embed("a")) and not torch.equal(embed("b"), embed("a"))
    assert asked == ["a", "b"]


def test_names_go_both_ways():
    back = inverted(NAMES["wan"])
    for published in (
        "blocks.3.norm3.weight",
        "blocks.11.cross_attn.k_img.bias",
        "head.modulation",
        "patch_embedding.bias",
    ):
        [ours] = renamed(NAMES["wan"], published)
        assert renamed(back, ours) == (published,)
