"""What a VAE's encoder says of a clip: for every latent the most likely value and how sure it is."""

from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor


class Posterior(NamedTuple):
    """Of each latent; float32 or what is computed in."""

    mean: Float[Tensor, "c lt lh lw"]
    logvar: Float[Tensor, "c lt lh lw"]


def encode_posterior(vae: Any, video: Float[Tensor, "3 t h w"]) -> Posterior:
    """Encode -1..1 with a VAE of diffusers; its latents are unscaled.

    Its rule is that of the published code: CogVideoX takes 8 frames at a time, the first piece longer by what is over,
    Wan the first frame and then four at a time.
    """
    with torch.inference_mode():
        found = vae.encode(video[None]).latent_dist
    return Posterior(found.mean[0], found.logvar[0])
