"""One recorded case: its description, its tensors, and what differs from them."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file

from lamina.layers.fit_config import LossConfig, Schedule

KINDS = (
    *("stage2_losses", "stage2_fit", "detail_transfer", "trimask", "schedules"),
    *("cog_transformer", "cog_vae", "cog_pipeline"),
    *("wan_transformer", "wan_vae", "wan_pipeline", "wan_lora_merged"),
)
"""What is compared here: the beginning of a file's name, and the name of the argument of the tests that take it."""

LOSS_NAMES = {
    "recon": "recon",
    "sparsity_l0": "alpha_reg_l0",
    "sparsity_l1": "alpha_reg_l1",
    "mask": "mask_super",
    "mask_inside": "mask_super_1s",
    "smoothness": "smoothness",
}
"""Our loss terms that the published implementation has, in its order, and what they are called there."""

WEIGHT_NAMES = LOSS_NAMES | {"mask_inside": "mask_super_ones"}


@dataclass
class Recorded:
    """A JSON file and the tensors beside it."""

    text: dict[str, Any]
    tensors: dict[str, torch.Tensor]
    path: Path
    compared: set[str] = field(default_factory=set)

    @classmethod
    def read(cls, path: Path) -> "Recorded":
        return cls(json.loads(path.read_text()), load_file(path.with_suffix(".safetensors")), path)

    def __getitem__(self, name: str) -> torch.Tensor:
        return self.tensors[name]

    def under(self, prefix: str) -> dict[str, torch.Tensor]:
        """Tensors whose name starts so, by the rest of their name."""
        return {name.removeprefix(prefix): t for name, t in self.tensors.items() if name.startswith(prefix)}

    def tolerance(self, name: str) -> float:
        """The largest difference allowed; of several patterns the longest, as the most particular, counts."""
        fitting = [p for p in self.text["tolerance"] if fnmatchcase(name, p)]
        assert fitting, f"{name}: no pattern of the description says how near is near enough"
        return self.text["tolerance"][max(fitting, key=len)]

    def noted(self, name: str, words: str) -> float:
        """The number that the description's remark on `name` has after these words; no limit where it has none."""
        found = re.search(re.escape(words) + r" ([\d.]+(?:e-?\d+)?)", self.text["tolerance_note"].get(name, ""))
        return float(found[1]) if found else float("inf")

    def of_item(self, name: str, item: int) -> torch.Tensor:
        """What a batch holds for one item; what it holds once is for all."""
        batch = self.tensors[name]
        return batch[min(item, len(batch) - 1)]

    def each(self, name: str, made: Callable[[int], torch.Tensor]) -> torch.Tensor:
        """What is made of every item of the batch `name`, as a batch."""
        return torch.stack([made(item) for item in range(len(self.tensors[name]))])

    def compare(self, name: str, found: torch.Tensor | np.ndarray) -> None:
        """`found` is `name` to within its tolerance."""
        wanted, found = self.tensors[name].double().numpy(), np.asarray(found, np.float64)
        assert found.shape == wanted.shape, f"{name}: {found.shape}, wanted {wanted.shape}"
        off = np.abs(found - wanted)
        worst, allowed = off.max(initial=0), self.tolerance(name)
        place = np.unravel_index(np.argmax(off), off.shape) if off.size else ()
        assert worst <= allowed, f"{name}: off by {worst:.3g} at {place}, allowed {allowed:g}"
        self.compared.add(name)

    def assert_all_compared(self, prefix: str = "out/") -> None:
        """Nothing recorded under this name was passed over."""
        left = {name for name in self.tensors if name.startswith(prefix)} - self.compared
        assert not left, f"never compared: {sorted(left)}"


def losses_of(config: dict[str, Any], *, scale: str = "mean mask") -> LossConfig:
    """A recorded configuration of losses as ours."""
    schedules = {ours: _schedule(config, f"loss_weight_{theirs}") for ours, theirs in WEIGHT_NAMES.items()}
    return LossConfig(
        **schedules,
        recon_metric=config["loss_recon_metric"],
        mask_metric=config["loss_mask_super_metric"],
        l0_steepness=float(config["loss_weight_alpha_reg_l0_k"]),
        sparsity_scale=scale,
    )


def _schedule(config: dict[str, Any], name: str) -> Schedule:
    return Schedule(float(config[name]), float(config.get(f"{name}_gamma", 1)), tuple(config.get(f"{name}_steps", ())))
