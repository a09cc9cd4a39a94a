"""Captions: any function, or a toy model of random weights loaded from a folder; what is said when there is none."""

import json
import socket
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from pair_makers import ToySource, same, toy_pair

from lamina.errors import InputError, MissingExtra
from lamina.synth.caption import CaptionedSource, open_captioner
from lamina.synth.pair import Pair

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[DEC]", "an", "empty", "street", "room", "beach"]


def save_toy(folder: Path) -> Path:
    transformers = pytest.importorskip("transformers", reason="the extra `models` is not installed")
    folder.mkdir()
    (folder / "vocab.txt").write_text("\n".join(WORDS))
    text = {
        "vocab_size": len(WORDS), "hidden_size": 16, "encoder_hidden_size": 16, "intermediate_size": 16,
        "num_hidden_layers": 1, "num_attention_heads": 2, "bos_token_id": 5, "eos_token_id": 3, "sep_token_id": 3,
        "pad_token_id": 0,
    }  # fmt: skip
    vision = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = transformers.BlipConfig(text_config=text, vision_config=vision | {"image_size": 32, "patch_size": 16})
    with torch.random.fork_rng():
        torch.manual_seed(0)
        transformers.BlipForConditionalGeneration(config).save_pretrained(folder)
    size = {"height": 32, "width": 32}
    (folder / "preprocessor_config.json").write_text(
        json.dumps({"image_processor_type": "BlipImageProcessor", "size": size, "processor_class": "BlipProcessor"})
    )
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "BertTokenizer"}))
    return folder


class Blind:
    name = "blind"

    def pair(self, seed: int) -> Pair:
        pair = toy_pair(seed, frames=5)
        return Pair(pair.input, pair.target, pair.trimask, self.name, seed)


def test_only_pairs_without_a_caption_get_one():
    asked = []

    def captioner(picture: np.ndarray) -> str:
        asked.append(picture)
        return " an empty street \n"

    pair = CaptionedSource(Blind(), captioner).pair(4)
    assert pair.caption == "an empty street" and CaptionedSource(Blind(), captioner).name == "blind"
    assert len(asked) == 1 and np.array_equal(asked[0], pair.target[2])
    assert same(CaptionedSource(ToySource(), captioner).pair(4), toy_pair(4)) and len(asked) == 1


def test_a_model_from_a_folder(tmp_path, monkeypatch: pytest.MonkeyPatch):
    folder = save_toy(tmp_path / "blip")

    def refuse(*_, **__):
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    captioner = open_captioner(folder, most_tokens=6)
    picture = toy_pair(0).target[0]
    caption = captioner(picture)
    assert caption == captioner(picture) and set(caption.split()) <= set(WORDS)


def test_no_model(tmp_path):
    pytest.importorskip("transformers", reason="the extra `models` is not installed")
    with pytest.raises(InputError, match="captioning model .*gone: got no such folder, wanted a folder with an im"):
        open_captioner(tmp_path / "gone")
    with pytest.raises(InputError, match="got no config.json"):
        open_captioner(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(InputError, match="captioning model .*, wanted a folder with an image-to-text model"):
        open_captioner(tmp_path)


def test_without_the_package(tmp_path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingExtra, match="got no package transformers, wanted the extra `models`"):
        open_captioner(tmp_path)
