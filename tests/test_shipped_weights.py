"""The weights of Casper-S that come along: small, said where from, and better than chance on a scene that is here."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from toy_small import small_folder

import lamina
from lamina.backbones.small_files import FILE, SHIPPED, open_small_network, read_header
from lamina.backbones.small_network import SmallNetwork
from lamina.media.ffv1 import read_ffv1
from lamina.media.source import open_source

SCENE = Path(__file__).resolve().parents[1] / "benchmarks" / "layerbench" / "subset" / "static-object-0006"
FRAMES = 8
EFFECT_LEVELS = 12
"""A pixel outside the mask that the object changes by more than this is its effect, as LayerBench has it."""
LEARNED_DB = 3.0
"""So much better than `propagate` where the shadow was. A network that has learned nothing is worse than that."""


def test_the_file_is_small_and_says_where_it_is_from():
    path = SHIPPED / FILE
    assert path.stat().st_size < 15e6 and sum(file.stat().st_size for file in SHIPPED.iterdir()) < 60e6
    header = read_header(path)
    assert header["model"] == "casper-s" and int(header["steps"]) > 0 and "seed=" in header["recipe"]
    assert "Apache-2.0" in (Path(__file__).parents[1] / "docs" / "casper_s.md").read_text(encoding="utf-8")
    assert isinstance(open_small_network(), SmallNetwork)


@pytest.fixture(scope="module")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_folder(tmp_path_factory.mktemp("untrained"))


def plate_of(engine: str, out: Path, weights: Path | None = None) -> np.ndarray:
    config = lamina.DecomposeConfig(
        input=SCENE / "input.mp4",
        mask=(f"thing={SCENE / 'mask_00.mp4'}",),
        frames=f"0-{FRAMES - 1}",
        engine=engine,  # type: ignore[arg-type]
        weights=weights,
        out=out,
    )
    return np.stack(list(read_ffv1(lamina.decompose(config) / "plate.mkv")))


def test_a_shadow_that_never_moves_goes(untrained: Path, tmp_path: Path):
    picture, plate, mask = (np.stack(list(_first(name))) for name in ("input", "background", "mask_00"))
    changed = np.abs(picture.astype(int) - plate).max(-1) > EFFECT_LEVELS
    effect = changed & (mask.max(-1) < 5)

    def decibels(found: np.ndarray) -> float:
        return float(-10 * np.log10((np.square(found / 255.0 - plate / 255.0)[effect]).mean()))

    looked_up, made = (decibels(plate_of(engine, tmp_path / engine)) for engine in ("propagate", "casper-s"))
    by_chance = decibels(plate_of("casper-s", tmp_path / "chance", untrained))
    assert made > looked_up + LEARNED_DB and by_chance < looked_up + LEARNED_DB, (made, looked_up, by_chance)


def _first(name: str) -> Iterator[np.ndarray]:
    return open_source(SCENE / f"{name}.mp4").read(0, FRAMES)
