"""Figures of one object's layer, frame by frame."""

from dataclasses import dataclass, field

import numpy as np

from lamina.evaluate.layer_metrics import alpha_difference, effect_counts, lay_over, layer_alpha
from lamina.evaluate.reading import white_of
from lamina.evaluate.tally import Mean, Pool


@dataclass(frozen=True)
class SceneFrame:
    """One frame of a scene and of what a method made of it."""

    picture: np.ndarray
    ground: np.ndarray
    masks: list[np.ndarray]
    solos: list[np.ndarray]
    plate: np.ndarray
    layers: dict[str, np.ndarray]
    extras: dict[str, list[np.ndarray]]
    other_ground: np.ndarray | None


@dataclass
class LayerTally:
    """Figures of one object's layer."""

    solo: Pool = field(default_factory=Pool)
    solo_effect: Pool = field(default_factory=Pool)
    transplant: Pool = field(default_factory=Pool)
    leak: Mean = field(default_factory=Mean)
    recall: Mean = field(default_factory=Mean)
    precision: Mean = field(default_factory=Mean)
    alpha_object: Mean = field(default_factory=Mean)
    alpha_effect: Mean = field(default_factory=Mean)

    def add(self, frame: SceneFrame, k: int, layer: np.ndarray, touched: np.ndarray, clear: np.ndarray) -> None:
        """One frame of object `k`; bool `h w`: where it changed the picture, and what is not on a rough mask's rim."""
        solo, inside, ground = frame.solos[k], _covered(frame, k), frame.ground
        outside = ~inside & clear
        effect, none = touched & outside, ~touched & outside
        over = lay_over(layer, ground)
        self.solo.add_pictures(over, solo)
        self.solo_effect.add_pictures(over, solo, effect)
        self.leak.add_sum(float(layer_alpha(layer)[none].sum()), int(none.sum()))
        both, true, found = effect_counts(layer, ground, effect, outside)
        self.recall.add_sum(float(both), true)
        self.precision.add_sum(float(both), found)
        self._add_extras(frame, k, layer, inside, effect)

    def _add_extras(self, frame: SceneFrame, k: int, layer: np.ndarray, inside: np.ndarray, effect: np.ndarray) -> None:
        extras, alphas = frame.extras, (layer_alpha(layer), _true_alpha(frame, k))
        if "object_alpha" in extras:
            self.alpha_object.add_sum(*alpha_difference(*alphas, inside))
        if "effect_alpha" in extras:
            self.alpha_effect.add_sum(*alpha_difference(*alphas, effect))
        if "transplant" in extras and frame.other_ground is not None:
            self.transplant.add_pictures(lay_over(layer, frame.other_ground), extras["transplant"][k])


def _true_alpha(frame: SceneFrame, k: int) -> np.ndarray:
    """What a layer's alpha is to be, `h w`: the object's over its effect's, o + (1 - o) e; 0 for one not known."""
    clear = np.ones(frame.masks[k].shape)
    for name in ("object_alpha", "effect_alpha"):
        if name in frame.extras:
            clear = clear * (1 - _level(frame.extras[name][k]))
    return 1 - clear


def _covered(frame: SceneFrame, k: int) -> np.ndarray:
    """bool `h w`: where the object is seen, and where its alpha is known, also what others hide of it."""
    if "object_alpha" not in frame.extras:
        return frame.masks[k]
    return frame.masks[k] | (_level(frame.extras["object_alpha"][k]) > 0.5)


def _level(alpha: np.ndarray) -> np.ndarray:
    return alpha / np.float64(white_of(alpha))


LAYER_SCORES = {
    "solo": "solo",
    "solo_effect": "solo_effect",
    "transplant": "transplant",
    "leak": "leak",
    "effect_recall": "recall",
    "effect_precision": "precision",
    "alpha_object": "alpha_object",
    "alpha_effect": "alpha_effect",
}
"""Figures of layers, and the tally that holds them."""
NEED_EXTRAS = ("transplant", "alpha_object", "alpha_effect")
"""Those for which most scenes have no truth."""


def layer_figure(tally: LayerTally, name: str) -> float | None:
    """One figure by its name in rows.json."""
    found = getattr(tally, LAYER_SCORES[name])
    if isinstance(found, Pool):
        return found.db
    value = found.value
    return 1000 * value if value is not None and name.startswith("alpha_") else value
