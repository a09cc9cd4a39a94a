"""What the recipes of the published models cost, by counted operations: python -m benchmarks.training_cost

Nothing is run. A step's forward pass is counted as `lamina.backbones.plan` counts it; going back costs twice that, and
once more where activations are computed again. Of frozen weights no gradients are made, which saves about one of those.
"""

from pathlib import Path

from lamina.backbones.plan import CODECS, NetworkSizes, cogvideox_sizes, network_operations, wan_sizes
from lamina.backbones.specs import BACKBONES
from lamina.train.recipe import Recipe
from lamina.train.recipe_file import read_recipe

RECIPES = Path(__file__).parents[1] / "recipes"
CARDS, SUSTAINED = 4, 300e12
"""H100s, and what each is assumed to do in bfloat16 per second, all told: 30 % of what it is sold for."""
COG = {"num_attention_heads": 48, "attention_head_dim": 64, "num_layers": 42, "patch_size": 2, "patch_size_t": 2,
       "max_text_seq_length": 226, "text_embed_dim": 4096, "time_embed_dim": 512}  # fmt: skip
SIZES: dict[str, NetworkSizes] = {
    "casper-cog-5b": cogvideox_sizes(COG),
    "casper-wan-1.3b": wan_sizes({"num_layers": 30, "dim": 1536, "ffn_dim": 8960}),
    "casper-wan-14b": wan_sizes({"num_layers": 40, "dim": 5120, "ffn_dim": 13824}),
}
"""The published ones."""


def operations(recipe: Recipe) -> float:
    """Of the whole recipe: the network, and a VAE that encodes input and target. Validation is left out."""
    spec, sizes, data = BACKBONES[recipe.model], SIZES[recipe.model], recipe.data
    _, latent_frames, height, width = spec.geometry.latent_shape(data.frames, data.height, data.width)
    t, h, w = sizes.patch
    tokens = latent_frames // t * (height // h) * (width // w)
    passes = 1 + (1 if recipe.method == "lora" else 2) + recipe.checkpointing
    codec = CODECS[spec.kind]
    encoding = 2 * codec.operations[0] * codec.width**2 * float(data.frames * data.height * data.width)
    return recipe.steps * recipe.batch * (passes * network_operations(sizes, tokens) + encoding)


def hours(recipe: Recipe) -> float:
    return operations(recipe) / (CARDS * SUSTAINED) / 3600


def main() -> None:
    print(f"| recipe | steps | batch | operations | hours on {CARDS} H100 |\n|---|---|---|---|---|")
    for path in sorted(RECIPES.glob("*.toml")):
        recipe = read_recipe(path)
        if recipe.model not in BACKBONES:
            continue
        told = f"{operations(recipe):.1e} | {hours(recipe):.0f}"
        print(f"| `{path.stem}` | {recipe.steps} | {recipe.batch} | {told} |")


if __name__ == "__main__":
    main()
