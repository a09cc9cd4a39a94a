"""What the figures are called, which way is better, and what they mean."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Column:
    """One figure."""

    better: Literal["more", "less", "neither"]
    digits: int
    meaning: str

    @property
    def arrow(self) -> str:
        return {"more": " ↑", "less": " ↓", "neither": ""}[self.better]


COLUMNS = {
    "psnr": Column("more", 2, "PSNR in dB, mean over frames"),
    "ssim": Column("more", 4, "SSIM (Gaussian window 11 x 11, sigma 1.5, mean of channels), mean over frames"),
    "lpips": Column("less", 4, "LPIPS 0.1 with AlexNet, mean over frames"),
    "psnr_object": Column("more", 2, "PSNR in dB inside the object masks, pooled over the clip"),
    "psnr_effect": Column("more", 2, "PSNR in dB where the object changed the picture outside its mask, pooled"),
    "psnr_rest": Column("more", 2, "PSNR in dB everywhere else, pooled"),
    "removed_object": Column("more", 3, "share of the difference to the truth that is gone inside the masks"),
    "removed_effect": Column("more", 3, "the same where the object changed the picture outside its mask"),
    "flicker": Column("less", 3, "mean |frame-to-frame change - that of the truth|, in 8-bit levels"),
    "warping": Column("less", 3, "mean squared difference to the frame before along the truth's motion, x 1000"),
    "psnr_outside": Column("more", 2, "PSNR in dB against the input outside the masks, pooled"),
    "ssim_outside": Column("more", 4, "SSIM against the input where no window reaches into a mask, mean over frames"),
    "change_inside": Column("neither", 2, "mean change inside the masks, in 8-bit levels: 0 means nothing was removed"),
    "mad": Column("less", 3, "mean absolute difference x 1000"),
    "mse": Column("less", 3, "mean squared difference x 1000"),
    "grad": Column("less", 3, "gradient error, a sum / 1000"),
    "conn": Column("less", 3, "connectivity error, a sum / 1000"),
    "dtssd": Column("less", 3, "dtSSD x 100, first frame counted as 0"),
    "mad_t": Column("less", 3, "mean absolute difference x 1000 in the unknown part of the true alpha"),
    "input": Column("neither", 2, "PSNR in dB of the input against the true plate, pooled"),
    "plate": Column("more", 2, "PSNR in dB of the plate against the true one, pooled"),
    "plate_mask": Column("more", 2, "the same inside the masks"),
    "plate_effect": Column("more", 2, "the same where an object changed the picture outside its mask"),
    "input_effect": Column("neither", 2, "what the input itself has there"),
    "plate_rest": Column("more", 2, "PSNR in dB of the plate against the input where nothing was to be changed"),
    "plate_ssim": Column("more", 4, "SSIM of the plate in gray, borders mirrored, mean over frames"),
    "recompose": Column("more", 2, "PSNR in dB of all layers over the plate against the input"),
    "solo": Column("more", 2, "PSNR in dB of a layer over the true plate against the true solo, mean over objects"),
    "solo_effect": Column("more", 2, "the same in the object's effect"),
    "transplant": Column("more", 2, "PSNR in dB of a layer over another ground against the object rendered there"),
    "leak": Column("less", 5, "mean alpha where the object changed nothing"),
    "effect_recall": Column("more", 3, "share of the true effect's pixels that the layer changes"),
    "effect_precision": Column("more", 3, "share of what the layer changes outside the mask that is effect"),
    "alpha_object": Column("less", 2, "mean absolute difference of alpha x 1000 where the object is"),
    "alpha_effect": Column("less", 2, "the same in the object's effect"),
}
"""By the name in rows.json."""
