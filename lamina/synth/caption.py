"""Captions from a model the user has: what the answer of a pair shows, in words. The network is never asked."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8

from lamina.errors import InputError, MissingExtra
from lamina.synth.pair import Pair, PairSource

Captioner = Callable[[UInt8[np.ndarray, "h w 3"]], str]
"""From one sRGB picture to its caption."""


@dataclass(frozen=True)
class CaptionedSource:
    """The pairs of another source; those without a caption get one, from the middle frame of their answer.

    Captioning takes long: write the pairs to shards, which keep their captions, rather than training from this.
    """

    full: PairSource
    captioner: Captioner

    @property
    def name(self) -> str:
        return self.full.name

    def pair(self, seed: int) -> Pair:
        pair = self.full.pair(seed)
        if pair.caption:
            return pair
        return replace(pair, caption=self.captioner(pair.target[len(pair.target) // 2]).strip())


def open_captioner(model: str | Path, device: torch.device | str = "cpu", most_tokens: int = 40) -> Captioner:
    """A captioning model of `transformers` (BLIP, BLIP-2, GIT and the like) from a folder on this machine.

    model: as `save_pretrained` writes it, with its processor. Words are chosen greedily, so a picture has one caption.

    Raises MissingExtra when transformers is not installed, InputError when there is no such model.
    """
    processor, network = _load(Path(model))
    network = network.to(device).eval()

    def caption(picture: UInt8[np.ndarray, "h w 3"]) -> str:
        asked = processor(images=picture, return_tensors="pt", input_data_format="channels_last").to(device)
        with torch.inference_mode():
            words = network.generate(**asked, max_new_tokens=most_tokens, do_sample=False)
        return processor.batch_decode(words, skip_special_tokens=True)[0].strip()

    return caption


def _load(model: Path) -> tuple[Any, Any]:
    try:
        import transformers
    except ImportError as error:
        raise MissingExtra(
            f"captioning model {model}",
            got="no package transformers",
            wanted="the extra `models`",
            do="Install it with: pip install 'lamina[models]'.",
        ) from error
    if not (model / "config.json").is_file():
        raise _no_model(model, "no config.json" if model.is_dir() else "no such folder")
    try:
        processor = transformers.AutoProcessor.from_pretrained(model, local_files_only=True)
        network = transformers.AutoModelForImageTextToText.from_pretrained(model, local_files_only=True)
    except Exception as error:  # every family of models has errors of its own
        raise _no_model(model, str(error).strip().partition("\n")[0] or type(error).__name__) from error
    return processor, network


def _no_model(model: Path, got: str) -> InputError:
    return InputError(
        f"captioning model {model}",
        got=got,
        wanted="a folder with an image-to-text model and its processor, as save_pretrained() writes it",
        do="Name such a folder, or go on without captions.",
    )
