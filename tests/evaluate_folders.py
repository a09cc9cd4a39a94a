"""Tiny data sets in every layout that `lamina evaluate` knows, with results of a made-up method."""

import hashlib
import json
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
from media_makers import write_images

from lamina.media.ffv1 import write_segment

SIZE = (48, 40)
FRAMES = 4
Frames = list[np.ndarray]


def ground(frames: int = FRAMES, size: tuple[int, int] = SIZE, seed: int = 0) -> Frames:
    """A textured background that drifts by a pixel per frame."""
    width, height = size
    rows, columns = np.indices((height, width + frames))
    waves = [np.sin(columns / (3 + c) + seed) * np.cos(rows / (4 + c)) for c in range(3)]
    wide = np.rint(128 + 80 * np.stack(waves, -1)).astype(np.uint8)
    return [wide[:, t : t + width] for t in range(frames)]


def object_masks(frames: int = FRAMES, size: tuple[int, int] = SIZE, row: int = 8) -> Frames:
    masks = []
    for t in range(frames):
        mask = np.zeros(size[::-1], np.uint8)
        mask[row : row + 8, 6 + 2 * t : 14 + 2 * t] = 255
        masks.append(mask)
    return masks


def shadow(mask: np.ndarray) -> np.ndarray:
    """float `h w`: the shadow below an object, half of the light gone."""
    return 0.5 * np.roll(mask, 8, axis=0) / 255


def with_object(grounds: Frames, masks: Frames, color: int = 230) -> Frames:
    """The background with object and shadow."""
    shaded = [np.rint(g * (1 - shadow(m))[..., None]).astype(np.uint8) for g, m in zip(grounds, masks, strict=True)]
    return [np.where(m[..., None] > 127, np.uint8(color), s) for s, m in zip(shaded, masks, strict=True)]


def plates(grounds: Frames, pictures: Frames) -> Frames:
    """What a so-so method makes: nine tenths of the way from the picture to the true plate, two levels too bright."""
    mixed = (0.9 * g + 0.1 * p + 2 for g, p in zip(grounds, pictures, strict=True))
    return [np.rint(m).clip(0, 255).astype(np.uint8) for m in mixed]


def rough_alphas(alphas: Frames) -> Frames:
    """Wrong in another way in every frame."""
    return [np.roll(a, 1 + t % 5, axis=1) // 2 + a // 4 for t, a in enumerate(alphas)]


def layers(grounds: Frames, masks: Frames, color: int = 230) -> Frames:
    """The true straight-alpha layers: black of alpha one half in the shadow."""
    made = []
    for mask in masks:
        rgba = np.zeros((*mask.shape, 4), np.uint8)
        rgba[..., 3] = np.rint(255 * shadow(mask))
        rgba[mask > 127] = (color, color, color, 255)
        made.append(rgba)
    return made


def removal_clip(seed: int = 0) -> dict[str, Frames]:
    grounds, masks = ground(seed=seed), object_masks(row=6 + seed)
    pictures = with_object(grounds, masks)
    return {"input": pictures, "truth": grounds, "mask": masks, "result": plates(grounds, pictures)}


def make_omnimatterf(data: Path, results: Path) -> None:
    for k, name in enumerate(("movies/chicken", "kubric/car")):
        clip = removal_clip(k)
        write_images(data / name / "rgb_1x", clip["input"], "{:05d}.png")
        write_images(data / name / "bg", clip["truth"], "{:05d}.png")
        write_images(data / name / "masks/mask/00", clip["mask"], "{:05d}.png")
        write_images(results / name, clip["result"], "{:05d}.png")


def make_rose_bench(data: Path, results: Path) -> None:
    for k, name in enumerate(("mirror/0001", "shadow/0001")):
        clip = removal_clip(k)
        for role, stem in (("input", "input"), ("truth", "gt"), ("mask", "mask")):
            write_images(data / name / stem, clip[role])
        write_lossless(results / f"{name}.mkv", clip["result"])


def make_beyondmasks(data: Path, results: Path) -> None:
    _parallel(data, results, ("objects_added", "object_not_present", "masks"))


def make_vor(data: Path, results: Path) -> None:
    _parallel(data, results, ("FG_BG", "BG", "MASK"))


def _parallel(data: Path, results: Path, folders: Sequence[str]) -> None:
    for k, name in enumerate(("1", "2")):
        clip = removal_clip(k)
        for role, folder in zip(("input", "truth", "mask"), folders, strict=True):
            write_lossless(data / folder / f"{name}.mkv", [_rgb(frame) for frame in clip[role]])
        write_lossless(results / f"{name}.mkv", clip["result"])


def make_mattes(parts: Sequence[str], shown: str, size: tuple[int, int] = SIZE) -> Callable[[Path, Path], None]:
    def make(data: Path, results: Path) -> None:
        for k, part in enumerate(parts):
            alphas = object_masks(FRAMES + k, size)
            pictures = with_object(ground(FRAMES + k, size), alphas)
            clip = f"{part}/000{k}"
            write_images(data / clip / "pha", alphas, "{:04d}.png")
            write_images(data / clip / shown, pictures, "{:04d}.png")
            write_images(results / clip / "pha", rough_alphas(alphas), "{:04d}.png")

    return make


def make_crgnn(data: Path, results: Path) -> None:
    alphas = object_masks(23)
    write_images(data / "clip01" / "pha", alphas[::10], "{:04d}.png")
    write_images(data / "clip01" / "com", with_object(ground(23), alphas), "{:04d}.png")
    write_images(results / "clip01", rough_alphas(alphas), "{:04d}.png")


def make_davis(data: Path, results: Path) -> None:
    for k, name in enumerate(("bear", "cows")):
        clip = removal_clip(k)
        write_images(data / "JPEGImages/480p" / name, clip["input"], "{:05d}.jpg")
        red = [np.stack([m // 2, 0 * m, 0 * m], -1) for m in clip["mask"]]
        write_images(data / "Annotations/480p" / name, red, "{:05d}.png")
        write_images(results / name, clip["result"], "{:05d}.png")


ROWS = {"dog": 4, "cat": 22}
"""How far down the objects of a scene walk."""


def make_scene(data: Path, results: Path) -> None:
    write_scene(data / "toy", results / "toy", ("dog", "cat"))


def make_layerbench(data: Path, results: Path) -> None:
    """Two families, one scene each: two objects, and one alone, whose solo is the input."""
    for name, names in (("lamp", ("dog",)), ("mirror", ("dog", "cat"))):
        write_scene(data / name, results / name, names)
        write_extras(data / name, names)
    write_layerbench_manifest(data, {"lamp": "static-object", "mirror": "reflection"})


def write_layerbench_manifest(data: Path, families: dict[str, str]) -> None:
    scenes = {}
    for seed, (name, family) in enumerate(families.items()):
        inside = [path for path in sorted((data / name).rglob("*")) if path.is_file()]
        files = {path.relative_to(data / name).as_posix(): path.read_bytes() for path in inside}
        digests = {file: hashlib.sha256(content).hexdigest() for file, content in files.items()}
        scenes[name] = {"family": family, "seed": seed, "files": digests}
    (data / "layerbench.json").write_text(json.dumps({"version": 1, "quality": {"samples": 1}, "scenes": scenes}))


def write_scene(scene: Path, result: Path, names: Sequence[str]) -> None:
    """Objects, each with its shadow; the method's layers are true ones shifted by a pixel."""
    grounds, masks = ground(), [object_masks(row=ROWS[name]) for name in names]
    solos = [with_object(grounds, own, 230 - 60 * k) for k, own in enumerate(masks)]
    pictures = solos[0] if len(names) == 1 else with_object(solos[0], masks[1], 170)
    write_lossless_as_mp4(scene / "input.mp4", pictures)
    write_lossless_as_mp4(scene / "background.mp4", grounds)
    for k, (own, solo) in enumerate(zip(masks, solos, strict=True)):
        write_lossless_as_mp4(scene / f"mask_0{k}.mp4", [_rgb(mask) for mask in own])
        if len(names) > 1:
            write_lossless_as_mp4(scene / f"solo_0{k}.mp4", solo)
    (scene / "scene.json").write_text(json.dumps({"name": scene.name, "objects": names}))
    shifted = [[np.roll(rgba, 1, axis=1) for rgba in layers(grounds, own, 230 - 60 * k)] for k, own in enumerate(masks)]
    write_stack(result, plates(grounds, pictures), dict(zip(names, shifted, strict=True)))


def write_extras(scene: Path, names: Sequence[str]) -> None:
    """The true alphas, and the objects over another ground."""
    other = ground(seed=5)
    write_images(scene / "transplant_background", other)
    for k, name in enumerate(names):
        masks = object_masks(row=ROWS[name])
        write_images(scene / f"transplant_0{k}", with_object(other, masks, 230 - 60 * k))
        write_images(scene / f"effect_alpha_0{k}", [rgba[..., 3] for rgba in layers(other, masks, 230 - 60 * k)])
        write_images(scene / f"object_alpha_0{k}", masks)


def write_stack(folder: Path, plate: Frames, named: dict[str, Frames]) -> None:
    """The least that counts as a stack."""
    write_lossless(folder / "plate.mkv", plate)
    for name, frames in named.items():
        write_lossless(folder / "layers" / f"{name}.mkv", frames)
    entries = [{"name": name, "file": f"layers/{name}.mkv"} for name in named]
    (folder / "stack.json").write_text(json.dumps({"layers": entries}))


def write_lossless(path: Path, frames: Frames) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_segment(path, frames, range(len(frames)), Fraction(1, 24))
    return path


def write_lossless_as_mp4(path: Path, frames: Frames) -> Path:
    """Readers go by what is in a file, not by its name."""
    return write_lossless(path.with_suffix(".mkv"), frames).rename(path)


def _rgb(frame: np.ndarray) -> np.ndarray:
    return np.repeat(frame[..., None], 3, -1) if frame.ndim == 2 else frame


MAKERS: dict[str, Callable[[Path, Path], None]] = {
    "omnimatterf": make_omnimatterf,
    "rose-bench": make_rose_bench,
    "beyondmasks": make_beyondmasks,
    "vor": make_vor,
    "videomatte": make_mattes(("videomatte_motion", "videomatte_static"), "com"),
    "youtubematte": make_mattes(("youtubematte_motion", "youtubematte_static"), "harmonized"),
    "crgnn": make_crgnn,
    "davis": make_davis,
    "scene": make_scene,
    "layerbench": make_layerbench,
}
