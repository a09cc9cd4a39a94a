"""How near things are, told by a monocular depth model that the user has: one more hint for who is in front.

Models are those of `transformers`, from a folder or its cache on this machine. The network is never asked.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from safetensors import SafetensorError

from lamina.errors import InputError, MissingExtra
from lamina.media.yuv import to_integers

KINDS = ("depth_anything", "dpt", "glpn")
"""Families of models whose numbers are known to mean nearness or distance."""
ENDS = (2, 98)
"""Percentiles of a picture's nearness that become 0 and 1: relative models have no scale of their own."""
FEWEST_PX = 12
"""An object of fewer visible pixels has no depth to speak of."""


def nearness_of(
    frames: Iterable[np.ndarray],
    masks: Mapping[str, Sequence[np.ndarray]],
    model: Path | str,
    device: torch.device | str = "cpu",
) -> dict[str, list[float]]:
    """Per object and frame the median nearness of its visible pixels, nan where there are hardly any.

    frames: `h w 3`, sRGB, any number type. masks: per object one `uint8` mask per frame, of any smaller or equal size.
    The values are those of `depth_of`; its errors apply, and ValueError where frames and masks differ in number.
    """
    near: dict[str, list[float]] = {name: [] for name in masks}
    for *seen, depth in zip(*masks.values(), depth_of(frames, model, device), strict=True):
        for name, mask in zip(near, seen, strict=True):
            small = cv2.resize(depth, mask.shape[::-1], interpolation=cv2.INTER_AREA)
            inside = small[mask > 127]
            near[name].append(float(np.median(inside)) if len(inside) >= FEWEST_PX else float("nan"))
    return near


def depth_of(
    frames: Iterable[np.ndarray], model: Path | str, device: torch.device | str = "cpu"
) -> Iterator[np.ndarray]:
    """How near every pixel is, `h w` float32 per frame: about 0 for the farthest and 1 for the nearest in the picture.

    frames: `h w 3`, sRGB, uint8, uint16 or float32 (cut to 0..1), one at a time.
    model: a folder with a depth model as `save_pretrained` writes it, or the name of one in the cache on this machine.

    Raises at once MissingExtra when transformers is not installed, InputError when there is no such model.
    """
    processor, network = _load(model)
    return _estimates(frames, processor, network.to(device).eval())


def _estimates(frames: Iterable[np.ndarray], processor: Any, network: Any) -> Iterator[np.ndarray]:
    for frame in frames:
        picture = to_integers(frame, "uint8")
        asked = processor(images=picture, return_tensors="pt", input_data_format="channels_last").to(network.device)
        with torch.inference_mode():
            found = network(**asked)
        sized = processor.post_process_depth_estimation(found, target_sizes=[picture.shape[:2]])
        yield _nearness(sized[0]["predicted_depth"].float().cpu().numpy(), network.config)


def _nearness(predicted: np.ndarray, config: Any) -> np.ndarray:
    """A model's numbers as nearness over the picture's own range."""
    near = 1 / np.maximum(predicted, 1e-3) if _is_distance(config) else predicted
    low, high = np.percentile(near, ENDS)
    return ((near - low) / max(float(high - low), 1e-6)).astype(np.float32)


def _is_distance(config: Any) -> bool:
    """Whether a model says metres; the others say how near, up to an unknown scale and shift.

    DPT (Ranftl et al. 2021) is trained on inverse depth, but the DPT heads published with DINOv2 are metric.
    """
    if config.model_type == "dpt":
        return getattr(config.backbone_config, "model_type", "") == "dinov2"
    return config.model_type == "glpn" or config.depth_estimation_type == "metric"


def _load(model: Path | str) -> tuple[Any, Any]:
    if _is_place(model) and not Path(model).exists():
        raise _no_model(model, "no such folder")
    try:
        import transformers
    except ImportError as error:
        raise MissingExtra(
            f"depth model {model}",
            got="no package transformers",
            wanted="the extra `models`",
            do="Install it with: pip install 'lamina[models]'.",
        ) from error
    try:
        with _quiet(transformers):
            config = transformers.AutoConfig.from_pretrained(model, local_files_only=True)
            if config.model_type not in KINDS:
                raise _no_model(model, f"a model of the kind {config.model_type}")
            # by name: the automatic choice would ask for torchvision first
            processor = transformers.AutoImageProcessor.from_pretrained(model, local_files_only=True, backend="pil")
            network = transformers.AutoModelForDepthEstimation.from_pretrained(model, local_files_only=True)
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        if isinstance(error, InputError):
            raise
        raise _no_model(model, str(error).strip().partition("\n")[0] or type(error).__name__) from error
    return processor, network


@contextmanager
def _quiet(transformers: Any) -> Iterator[None]:
    """No bars on the terminal while a model is loaded, and no touch of the random state for weights it lacks."""
    shown = transformers.utils.logging.is_progress_bar_enabled()
    transformers.utils.logging.disable_progress_bar()
    try:
        with torch.random.fork_rng():
            yield
    finally:
        if shown:
            transformers.utils.logging.enable_progress_bar()


def _is_place(model: Path | str) -> bool:
    """Whether this is meant as a folder: names in the cache are at most OWNER/NAME."""
    return isinstance(model, Path) or model.startswith((".", "/", "~")) or model.count("/") > 1


def _no_model(model: Path | str, got: str) -> InputError:
    return InputError(
        f"depth model {model}",
        got=got,
        wanted=f"a depth model of the kinds {', '.join(KINDS)}, as `save_pretrained` writes it",
        do="Give the folder of one, such as Depth Anything V2; nothing is downloaded.",
    )
