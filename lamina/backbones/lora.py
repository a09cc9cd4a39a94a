"""LoRA files as Casper 14B is published in, merged into the weights they were trained on.

Hu et al. 2022, section 4.1: W + strength * (alpha / rank) * up @ down. The naming is that of kohya's scripts, with two
underscores after the prefix because the module that was trained is the root.
"""

from collections.abc import Iterator, Mapping

from torch import Tensor

from lamina.errors import WeightsError

PREFIX = "lora_unet__"
DOWN, UP, ALPHA = ".lora_down.weight", ".lora_up.weight", ".alpha"
NAMED = 5
"""So many names are told in an error."""


class Merged(Mapping[str, Tensor]):
    """A base's tensors with a LoRA merged in, each when it is asked for; in the base's number type."""

    def __init__(self, base: Mapping[str, Tensor], lora: Mapping[str, Tensor], strength: float, lora_name: str):
        """
        base: tensors under the names that the LoRA was trained with.
        lora_name: what the LoRA is called in errors.

        Raises:
            WeightsError: the LoRA names layers that the base has not, or has in another size.
        """
        self._base, self._lora, self._strength = base, lora, strength
        linears = {module_name(name): name for name in base if name.endswith(".weight") and base[name].ndim == 2}
        modules = {name.partition(".")[0] for name in lora}
        wrong = sorted(module for module in modules if not self._fits(module, linears.get(module)))
        if wrong or not modules:
            raise _wrong_lora(lora_name, wrong, len(modules))
        self._module_of = {linears[module]: module for module in modules}

    def __getitem__(self, name: str) -> Tensor:
        weight = self._base[name]
        if name not in self._module_of:
            return weight
        module = self._module_of[name]
        down, up = (self._lora[module + part].float() for part in (DOWN, UP))
        alpha = self._lora[module + ALPHA].item() if module + ALPHA in self._lora else len(down)
        return (weight.float() + self._strength * (alpha / len(down)) * (up @ down)).to(weight.dtype)

    def __iter__(self) -> Iterator[str]:
        return iter(self._base)

    def __len__(self) -> int:
        return len(self._base)

    def _fits(self, module: str, name: str | None) -> bool:
        if name is None or module + DOWN not in self._lora or module + UP not in self._lora:
            return False
        down, up = self._lora[module + DOWN], self._lora[module + UP]
        matrices = down.ndim == up.ndim == 2 and len(down) == up.shape[1] > 0
        matrices &= module + ALPHA not in self._lora or self._lora[module + ALPHA].numel() == 1
        return matrices and (up.shape[0], down.shape[1]) == tuple(self._base[name].shape)


def module_name(name: str) -> str:
    """What a layer is called in a LoRA, from its name or that of its weight."""
    return PREFIX + name.removesuffix(".weight").replace(".", "_")


def _wrong_lora(lora_name: str, wrong: list[str], modules: int) -> WeightsError:
    named = ", ".join(wrong[:NAMED]) + (", ..." if len(wrong) > NAMED else "")
    unfit = f"{len(wrong)} of {modules} layers that the base does not have in this size: {named}"
    return WeightsError(
        f"LoRA {lora_name}",
        got=unfit if wrong else "no layers",
        wanted="a LoRA that was trained on this base",
        do="Take the Casper file and the base of one model: `lamina weights list` says which belong together.",
    )
