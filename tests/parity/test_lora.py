"""A LoRA merged at several strengths: weights, and what the network then says."""

import torch
from recorded import Recorded
from recorded_backbones import FP32, wan_of
from safetensors.torch import load_file
from test_networks import wan_answers

from lamina.backbones.lora import Merged
from lamina.backbones.open import load_wan_transformer


def test_merged_weights_and_answers(wan_lora_merged: Recorded):
    recorded = wan_lora_merged
    lora = load_file(recorded.path.with_name(recorded.path.stem.replace("_merged", "") + ".safetensors"))
    base = recorded.under("transformer/")
    recorded.compare("out/model_output_base", answer(recorded, base))
    for number, strength in recorded.text["config"]["strength"].items():
        merged = Merged(base, lora, strength, "recorded")
        for name in recorded.under(f"out/merged_{number}/"):
            recorded.compare(f"out/merged_{number}/{name}", merged[name])
        recorded.compare(f"out/model_output_{number}", answer(recorded, merged))
    recorded.assert_all_compared()


def answer(recorded: Recorded, weights) -> torch.Tensor:
    transformer = load_wan_transformer(recorded.text["config"]["transformer"], weights, "recorded", FP32)
    return wan_answers(recorded, wan_of(recorded).with_network(transformer))
