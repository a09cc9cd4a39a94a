"""The protocols by name: what is scored, where its files lie, and how the figures are averaged."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lamina.evaluate import layouts
from lamina.evaluate.averages import Average, mean_over_cases, mean_over_frames_first
from lamina.evaluate.case import Case, Scored
from lamina.evaluate.lpips import Distance
from lamina.evaluate.matte_scores import score_matte, score_sparse_matte
from lamina.evaluate.removal_scores import score_preservation, score_removal
from lamina.evaluate.scene_scores import score_scene

TRAP = (
    "Whole-frame scores reward leaving the picture alone: most pixels need no change. Read them beside the untouched "
    "input's, which costs nothing, and beside removed_object and removed_effect, which are 0 for it."
)
PRESERVATION_TRAP = (
    "There is no true plate here. These scores only say what stayed as it was, and the untouched input is perfect in "
    "them: change_inside shows whether anything was removed at all."
)
MATTE_TRAP = "Objects cover little of most pictures: an empty alpha, which costs nothing, is scored beside the method."
SCENE_TRAP = (
    TRAP + " recompose and plate_rest are perfect for the untouched input as well; solo, effect_recall and transplant "
    "are not."
)


@dataclass(frozen=True)
class Benchmark:
    """A data set and what is measured on it."""

    scored: str
    """What, in words."""
    layout: str
    """How --data must be laid out."""
    find: Callable[[Path, Path], list[Case]]
    """From the folders of data and results to the cases; InputError where they are not laid out so."""
    score: Callable[[Case, Distance | None], Scored]
    average: Average = mean_over_cases
    baseline: str = "input untouched"
    """What costs nothing and is scored beside the method."""
    trap: str = TRAP


PROTOCOLS: dict[str, Benchmark] = {
    "omnimatterf": Benchmark(
        "plates of OmnimatteRF's Movies and Kubric scenes", layouts.OMNIMATTERF, layouts.find_omnimatterf, score_removal
    ),
    "rose-bench": Benchmark("plates of ROSE-Bench", layouts.ROSE_BENCH, layouts.find_rose_bench, score_removal),
    "beyondmasks": Benchmark("plates of BeyondMasks", layouts.BEYONDMASKS, layouts.find_beyondmasks, score_removal),
    "vor": Benchmark("plates of VOR-Eval", layouts.VOR, layouts.find_vor, score_removal),
    "videomatte": Benchmark(
        "alphas of VideoMatte240K's test set",
        layouts.VIDEOMATTE,
        layouts.find_videomatte,
        score_matte,
        mean_over_frames_first,
        "empty alpha",
        MATTE_TRAP,
    ),
    "youtubematte": Benchmark(
        "alphas of YouTubeMatte",
        layouts.YOUTUBEMATTE,
        layouts.find_youtubematte,
        score_matte,
        mean_over_frames_first,
        "empty alpha",
        MATTE_TRAP,
    ),
    "crgnn": Benchmark(
        "alphas of CRGNN, every tenth frame",
        layouts.CRGNN,
        layouts.find_crgnn,
        score_sparse_matte,
        mean_over_frames_first,
        "empty alpha",
        MATTE_TRAP,
    ),
    "davis": Benchmark(
        "what stays as it was outside DAVIS' masks",
        layouts.DAVIS,
        layouts.find_davis,
        score_preservation,
        trap=PRESERVATION_TRAP,
    ),
    "scene": Benchmark(
        "plate and layers of scenes with truth", layouts.SCENE, layouts.find_scenes, score_scene, trap=SCENE_TRAP
    ),
    "layerbench": Benchmark(
        "plate and layers of LayerBench, version 1, per family of scenes",
        layouts.LAYERBENCH,
        layouts.find_layerbench,
        score_scene,
        trap=SCENE_TRAP,
    ),
}
