"""Recipes: what a file may say, what is wrong with one that may not, and those that come with the project."""

from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from toy_training import toml_of, toy_recipe

from lamina.backbones.small import GEOMETRY
from lamina.backbones.small_network import SIDE, SmallNetwork
from lamina.backbones.specs import BACKBONES
from lamina.errors import InputError
from lamina.synth.mix import PAPER_WEIGHTS
from lamina.train.recipe import CATEGORIES, DataConfig, SourceConfig
from lamina.train.recipe_file import read_recipe
from lamina.train.small import sizes_of

FOLDER = Path(__file__).parents[1] / "recipes"
SMALL_RECIPES = sorted(FOLDER.glob("casper_s*.toml"))
RECIPES = sorted({*FOLDER.glob("*.toml")} - {*SMALL_RECIPES})
KINDS = {"omnimatte": "real", "tripod": "real", "rendered": "rendered", "pasted": "pasted"}


def written(folder: Path, *changes: tuple[str, str]) -> Path:
    text = toml_of(toy_recipe())
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    (folder / "recipe.toml").write_text(text)
    return folder / "recipe.toml"


def test_what_is_written_is_read(tmp_path: Path):
    assert read_recipe(written(tmp_path)) == toy_recipe()
    assert read_recipe(written(tmp_path, ("rate = 0.001", "rate = 1"))).optimizer.rate == 1.0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("batch = 2", "batsh = 2"), "batsh: got an unknown key, wanted one of model, .*. Did you mean 'batch'?"),
        (("rank = 128", "xyz = 128"), r"recipe.toml: lora: xyz: got an unknown key, wanted one of rank, alpha. Remove"),
        (("batch = 2", ""), "got no batch, wanted these too"),
        (("frames = 9\n", ""), "recipe.toml: data: got no frames"),
        (("batch = 2", 'batch = "2"'), "batch: got '2', wanted a whole number"),
        (("batch = 2", "batch = true"), "batch: got True, wanted a whole number"),
        (("rate = 0.001", 'rate = "fast"'), "optimizer: rate: got 'fast', wanted a finite number"),
        (("checkpointing = true", "checkpointing = 1"), "checkpointing: got 1, wanted true or false"),
        (('model = "casper-wan-1.3b"', "model = 3"), "model: got 3, wanted text"),
        (('method = "full"', 'method = "half"'), "method: got 'half', wanted 'full' or 'lora'"),
        (("betas = [0.9, 0.999]", "betas = [0.9]"), r"betas: got \[0.9\], wanted a list of 2"),
        (("batch = 2", "batch = "), "recipe .*recipe.toml: got Invalid value"),
        (("batch = 2", "batch = 0"), r"steps, batch, at_once, save_every: got \(4, 0, 1, 2\), wanted at least 1"),
        (("ema = 0.999", "ema = 1.0"), "recipe: ema: got 1.0, wanted at least 0, less than 1; 0.0 averages nothing"),
        (("clip_start = 5.0", "clip_start = 0.5"), "clip_start >= 1"),
        (("kind = \"shards\"", "kind = \"sprites\""), "source 'pairs'.*wanted a path for shards, and none for sprites"),
        (("blind = 0.9", "blind = 1.9"), "conditioning: got .*, wanted shares within 0..1"),
        (("strata = 1", "strata = 0"), "got strata = 0, wanted 1..1000"),
        (("strata = 1", "strata = 1001"), "got strata = 1001, wanted 1..1000"),
        (("strata = 1", "most_difference = -1.0"), "got most_difference = -1.0, wanted above 0, or left out"),
        (("strata = 1", "most_difference = nan"), "most_difference: got nan, wanted a finite number"),
        (("rate = 0.001", "rate = inf"), "rate: got inf, wanted a finite number"),
        (("rank = 128", "rank = 0"), "lora: got .*, wanted rank >= 1 and alpha > 0"),
        (("workers = 0", "workers = -1"), "got workers = -1, wanted at least 0"),
        (("\nevery = 2", "\nevery = 0"), "validation: got .*, wanted every and steps >= 1, pairs >= 0"),
        (("seed = 0", "seed = -1"), "recipe: seed: got -1"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(tmp_path: Path, change: tuple[str, str], message: str):
    with pytest.raises(InputError, match=message):
        read_recipe(written(tmp_path, change))


def test_a_table_that_is_none(tmp_path: Path):
    path = written(tmp_path, ("[lora]\nrank = 128\nalpha = 64.0\n", ""), ("batch = 2", "batch = 2\nlora = 4"))
    with pytest.raises(InputError, match="lora: got 4, wanted a table"):
        read_recipe(path)


def test_no_such_recipe(tmp_path: Path):
    with pytest.raises(InputError, match="recipe .*none.toml: got No such file or directory, wanted a TOML file"):
        read_recipe(tmp_path / "none.toml")


def test_adafactor_does_not_share_out(tmp_path: Path):
    changes = ('kind = "adamw"', 'kind = "adafactor"'), ('sharding = "ddp"', 'sharding = "fsdp2"')
    with pytest.raises(InputError, match="got adafactor with fsdp2, wanted adamw"):
        read_recipe(written(tmp_path, *changes))


def test_categories_are_left_out():
    sources = tuple(SourceConfig(name, name, "sprites", 1.0) for name in CATEGORIES)
    data = DataConfig(sources, 5, 32, 48, categories=("tripod", "pasted"))
    assert [source.name for source in data.used] == ["tripod", "pasted"]
    with pytest.raises(InputError, match="wanted a category that one of the sources has"):
        DataConfig(sources[:1], 5, 32, 48, categories=("pasted",))


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_recipes_of_the_project(path: Path):
    """They are read, fit their model, and mix as the paper says."""
    recipe = read_recipe(path)
    geometry, data = BACKBONES[recipe.model].geometry, recipe.data
    latents = geometry.latent_frames(data.frames)
    assert geometry.frames(latents) == data.frames == geometry.window_frames and latents % geometry.latent_multiple == 0
    assert data.height % geometry.size_multiple == data.width % geometry.size_multiple == 0
    shares = dict.fromkeys(PAPER_WEIGHTS, 0.0)
    for source in data.sources:
        shares[KINDS[source.category]] += source.weight
    assert shares == pytest.approx(PAPER_WEIGHTS)
    assert {source.category for source in data.sources} == set(CATEGORIES)
    assert recipe.conditioning.most_difference == (50.0 if "wan" in recipe.model else None)
    assert recipe.optimizer.clip_start == (5.0 if "wan" in recipe.model else 1.0), "DeepSpeed knows no such thing"
    assert (recipe.method == "lora") == BACKBONES[recipe.model].is_lora
    head = path.read_text().split("\n\n")[0]
    assert all(word in head for word in ("lamina train", "H100", "hours")), "a recipe opens with its price"
    assert asdict(recipe)


def test_there_are_three_and_those_of_the_small_model():
    assert [path.stem for path in RECIPES] == ["casper_cog_5b", "casper_wan_1.3b", "casper_wan_14b_lora"]
    assert [path.stem for path in SMALL_RECIPES] == ["casper_s", "casper_s_on"]


@pytest.mark.parametrize("path", SMALL_RECIPES, ids=lambda path: path.stem)
def test_the_recipes_of_the_small_model(path: Path):
    recipe = read_recipe(path)
    with torch.device("meta"):
        SmallNetwork(sizes_of(recipe.small))
    assert recipe.model == "casper-s" and recipe.data.height % SIDE == recipe.data.width % SIDE == 0
    assert recipe.data.frames <= GEOMETRY.window_frames
    head = path.read_text().split("\n\n")[0]
    assert all(word in head for word in ("lamina train", "cores", "hours")), "a recipe opens with its price"
