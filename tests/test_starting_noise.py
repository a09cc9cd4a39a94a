"""Where the noise of a run comes from."""

import pytest
import torch

from lamina.removal.starting_noise import piece_noise, published_noise, shared_noise

SHAPE, CPU = (16, 3, 4, 6), torch.device("cpu")


def test_all_removals_start_from_the_same_noise():
    noise = shared_noise(43, SHAPE, 3)
    assert noise.shape == (3, *SHAPE) and torch.equal(noise[0], noise[1]) and torch.equal(noise[0], noise[2])
    assert torch.equal(noise[:1], shared_noise(43, SHAPE, 1)), "how many there are must not matter"
    assert not torch.equal(noise, shared_noise(44, SHAPE, 3))


@pytest.mark.parametrize("frames_first", [False, True])
def test_the_published_noise_is_one_stream(frames_first: bool):
    """Slow twin: what one seeded generator gives, run after run."""
    found = published_noise(43, SHAPE, 2, CPU, torch.bfloat16, frames_first=frames_first)
    generator = torch.Generator().manual_seed(43)
    for k in range(2):
        shape = (1, 3, 16, 4, 6) if frames_first else (1, 16, 3, 4, 6)
        drawn = torch.randn(shape, generator=generator, dtype=torch.bfloat16)[0]
        assert torch.equal(found[k], drawn.transpose(0, 1) if frames_first else drawn)


def test_noise_of_pictures_is_another_in_every_piece():
    drawn = [piece_noise(seed, start)((4, 5)) for seed, start in ((1, 0), (1, 20), (2, 0))]
    assert torch.equal(drawn[0], piece_noise(1, 0)((4, 5)))
    assert not torch.equal(drawn[0], drawn[1]) and not torch.equal(drawn[0], drawn[2])
