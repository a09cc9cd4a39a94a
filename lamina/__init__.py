"""Split a video into a clean background plate and one RGBA layer per object, with its shadow and reflection.

Every public name is loaded when it is first used, so that `import lamina` is quick and quiet.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from lamina.version import VERSION as __version__

if TYPE_CHECKING:
    from lamina.backbones.survey import WeightsConfig, survey_weights
    from lamina.clip import Clip, Layer, Mask, Stack
    from lamina.composite import flatten, over
    from lamina.errors import (
        InputError,
        LaminaError,
        MediaError,
        MissingExtra,
        OutputError,
        TrainingError,
        WeightsError,
    )
    from lamina.evaluate.evaluate import EvaluateConfig, evaluate_results
    from lamina.layers.attention import AttentionConfig, attention
    from lamina.layers.compose import ComposeConfig, compose
    from lamina.layers.decompose import DecomposeConfig, decompose
    from lamina.layers.describe import InspectConfig, inspect
    from lamina.layers.from_solos import LayersConfig, layers_from_solos
    from lamina.media.export import ExportConfig, export
    from lamina.media.source import open_source
    from lamina.media.stack import StackReader, open_stack
    from lamina.train.train import TrainConfig, follow_recipe

__all__ = [
    "AttentionConfig",
    "Clip",
    "ComposeConfig",
    "DecomposeConfig",
    "EvaluateConfig",
    "ExportConfig",
    "InputError",
    "InspectConfig",
    "LaminaError",
    "Layer",
    "LayersConfig",
    "Mask",
    "MediaError",
    "MissingExtra",
    "OutputError",
    "Stack",
    "StackReader",
    "TrainConfig",
    "TrainingError",
    "WeightsConfig",
    "WeightsError",
    "__version__",
    "attention",
    "compose",
    "decompose",
    "evaluate_results",
    "export",
    "flatten",
    "follow_recipe",
    "inspect",
    "layers_from_solos",
    "open_source",
    "open_stack",
    "over",
    "survey_weights",
]

_HOMES = {
    "lamina.backbones.survey": ("WeightsConfig", "survey_weights"),
    "lamina.clip": ("Clip", "Layer", "Mask", "Stack"),
    "lamina.composite": ("flatten", "over"),
    "lamina.errors": (
        "InputError",
        "LaminaError",
        "MediaError",
        "MissingExtra",
        "OutputError",
        "TrainingError",
        "WeightsError",
    ),
    "lamina.evaluate.evaluate": ("EvaluateConfig", "evaluate_results"),
    "lamina.layers.attention": ("AttentionConfig", "attention"),
    "lamina.layers.compose": ("ComposeConfig", "compose"),
    "lamina.layers.decompose": ("DecomposeConfig", "decompose"),
    "lamina.layers.describe": ("InspectConfig", "inspect"),
    "lamina.layers.from_solos": ("LayersConfig", "layers_from_solos"),
    "lamina.media.export": ("ExportConfig", "export"),
    "lamina.media.source": ("open_source",),
    "lamina.media.stack": ("StackReader", "open_stack"),
    "lamina.train.train": ("TrainConfig", "follow_recipe"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str):
    if name not in _HOME_OF:
        raise AttributeError(f"module 'lamina' has no attribute {name!r}")
    value = getattr(import_module(_HOME_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
