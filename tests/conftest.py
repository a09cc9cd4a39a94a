"""What all tests share: data beside the checkout, and settings that make a run repeatable."""

from pathlib import Path

import hypothesis
import numpy as np
import pytest
import torch

ROOT = Path(__file__).resolve().parents[1]

# Found examples are the same in every run, and a busy machine is no reason to fail.
hypothesis.settings.register_profile("lamina", deadline=None, derandomize=True, max_examples=60)
hypothesis.settings.load_profile("lamina")


@pytest.fixture(scope="session")
def shared() -> Path:
    """Rendered scenes and real clips kept beside the checkout; they are not part of the project."""
    folder = ROOT.parent / "shared"
    if not folder.is_dir():
        pytest.skip(f"no folder {folder.name!r} beside the checkout")
    return folder


@pytest.fixture(autouse=True)
def random_state_is_left_alone():
    """A test that needs chance makes its own generator: library code must never touch the global one."""
    before = torch.get_rng_state()
    yield
    assert torch.equal(before, torch.get_rng_state()), "The test or what it called used torch's global random state."


def assert_same_pixels(found, wanted, tolerance: float = 0) -> None:
    """Equal in shape, number type and value; `tolerance` is the largest difference allowed, in units of the pixels."""
    found, wanted = np.asarray(found), np.asarray(wanted)
    assert (found.shape, found.dtype) == (wanted.shape, wanted.dtype)
    difference = np.abs(found.astype(np.float64) - wanted.astype(np.float64))
    assert difference.max(initial=0) <= tolerance, f"off by {difference.max()} at {np.argmax(difference)}"


@pytest.fixture(name="assert_same_pixels")
def _assert_same_pixels():
    return assert_same_pixels


@pytest.fixture
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No model that lies on this machine is found, and no hash is kept from test to test."""
    for name in ("XDG_CACHE_HOME", "HF_HOME"):
        monkeypatch.setenv(name, str(tmp_path_factory.mktemp("cache")))
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
