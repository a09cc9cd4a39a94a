"""How the data sets lie on disk, and which of their files belong together."""

from pathlib import Path

from lamina.evaluate.case import Case
from lamina.evaluate.folders import (
    clips_in,
    find_clip,
    need_clip,
    need_result,
    need_stack,
    subfolders,
    wrong_layout,
)
from lamina.evaluate.layerbench import MANIFEST, check_files, read_scenes
from lamina.evaluate.scene import is_scene, scene_masks

OMNIMATTERF = "movies/SCENE and kubric/SCENE (or SCENE alone), each with rgb_1x/, masks/mask/NN/ and the true plate bg/"
ROSE_BENCH = "CATEGORY/CLIP with input, gt and mask (.mp4 or folders of images)"
BEYONDMASKS = "objects_added/ID.mp4, object_not_present/ID.mp4 and masks/ID.mp4"
VOR = "FG_BG/CLIP.mp4, BG/CLIP.mp4 and MASK/CLIP.mp4"
VIDEOMATTE = "videomatte_motion/CLIP/pha/ and videomatte_static/CLIP/pha/ (com/ beside them is shown in the picture)"
YOUTUBEMATTE = "youtubematte_motion/CLIP/pha/ and youtubematte_static/CLIP/pha/ (harmonized/ or com/ is shown)"
CRGNN = "CLIP/pha/ with a label for every tenth frame (com/ beside it is shown in the picture)"
DAVIS = "JPEGImages/480p/CLIP/ and Annotations/480p/CLIP/"
SCENE = "a folder per scene with input, background, mask_00 .., solo_00 .. (movies or folders of images) and scene.json"
LAYERBENCH = f"{MANIFEST}, and beside it a folder for each scene that it lists, with the files that it lists"


def find_omnimatterf(data: Path, results: Path) -> list[Case]:
    """The folders of the OmnimatteRF repository; the name of the true plate's folder is ours."""
    scenes = [path for path in (data, *subfolders(data)) for path in subfolders(path) if (path / "rgb_1x").is_dir()]
    if not scenes:
        raise wrong_layout("omnimatterf", data, "no folder with rgb_1x", OMNIMATTERF)
    return [_omnimatterf_case(scene, data, results) for scene in scenes]


def _omnimatterf_case(scene: Path, data: Path, results: Path) -> Case:
    name, masks = scene.relative_to(data).as_posix(), subfolders(scene / "masks" / "mask")
    if not masks:
        raise wrong_layout("omnimatterf", scene, "no folder masks/mask/00", OMNIMATTERF)
    truth = need_clip("omnimatterf", scene, "bg", OMNIMATTERF)
    return Case(name, {"input": scene / "rgb_1x", "truth": truth, "result": need_result(results, name)}, masks)


def find_rose_bench(data: Path, results: Path) -> list[Case]:
    """ROSE-Bench; the published archive's own names are not known here, so its files are arranged like this."""
    clips = [clip for category in subfolders(data) for clip in subfolders(category)]
    if not clips:
        raise wrong_layout("rose-bench", data, "no CATEGORY/CLIP folders", ROSE_BENCH)
    cases = []
    for clip in clips:
        name = clip.relative_to(data).as_posix()
        files = {role: need_clip("rose-bench", clip, stem, ROSE_BENCH) for role, stem in _ROSE_FILES.items()}
        cases.append(Case(name, files | {"result": need_result(results, name)}, [files.pop("mask")]))
    return cases


_ROSE_FILES = {"input": "input", "truth": "gt", "mask": "mask"}


def find_beyondmasks(data: Path, results: Path) -> list[Case]:
    """The folders of the published BeyondMasks archive."""
    return _parallel("beyondmasks", data, results, ("objects_added", "object_not_present", "masks"), BEYONDMASKS)


def find_vor(data: Path, results: Path) -> list[Case]:
    """VOR-Eval, with folders named as the paper calls its triplets."""
    return _parallel("vor", data, results, ("FG_BG", "BG", "MASK"), VOR)


def _parallel(protocol: str, data: Path, results: Path, folders: tuple[str, str, str], layout: str) -> list[Case]:
    """Three folders in which the same name means the same clip: input, truth, mask."""
    missing = [name for name in folders if not (data / name).is_dir()]
    if missing:
        raise wrong_layout(protocol, data, f"no folder {', '.join(missing)}", layout)
    inputs = clips_in(data / folders[0])
    if not inputs:
        raise wrong_layout(protocol, data, f"no clip in {folders[0]}", layout)
    cases = []
    for name, path in inputs.items():
        truth, mask = (need_clip(protocol, data / folder, name, layout) for folder in folders[1:])
        cases.append(Case(name, {"input": path, "truth": truth, "result": need_result(results, name)}, [mask]))
    return cases


def find_videomatte(data: Path, results: Path) -> list[Case]:
    """VideoMatte240K's test set as RVM published it."""
    return _mattes("videomatte", data, results, ("videomatte_motion", "videomatte_static"), VIDEOMATTE)


def find_youtubematte(data: Path, results: Path) -> list[Case]:
    """YouTubeMatte as MatAnyone published it."""
    return _mattes("youtubematte", data, results, ("youtubematte_motion", "youtubematte_static"), YOUTUBEMATTE)


def find_crgnn(data: Path, results: Path) -> list[Case]:
    """CRGNN's 19 clips, each a folder."""
    return _mattes("crgnn", data, results, ("",), CRGNN)


def _mattes(protocol: str, data: Path, results: Path, parts: tuple[str, ...], layout: str) -> list[Case]:
    clips = [clip for part in parts for clip in subfolders(data / part)]
    if not clips:
        raise wrong_layout(protocol, data, "no such folders", layout)
    cases = []
    for clip in clips:
        name = clip.relative_to(data).as_posix()
        alpha = need_clip(protocol, clip, "pha", layout)
        shown = next(filter(None, (find_clip(clip, stem) for stem in ("harmonized", "com"))), None)
        pictures = {} if shown is None else {"input": shown}
        cases.append(Case(name, {"alpha": alpha, "result": need_result(results, name, "pha"), **pictures}))
    return cases


def find_davis(data: Path, results: Path) -> list[Case]:
    """DAVIS 2016 and 2017 at 480p, all clips that are in both folders' trees."""
    pictures, labels = data / "JPEGImages" / "480p", data / "Annotations" / "480p"
    clips = subfolders(pictures)
    if not clips:
        raise wrong_layout("davis", data, "no folder JPEGImages/480p with clips", DAVIS)
    return [
        Case(
            clip.name,
            {
                "input": clip,
                "labels": need_clip("davis", labels, clip.name, DAVIS),
                "result": need_result(results, clip.name),
            },
        )
        for clip in clips
    ]


def find_scenes(data: Path, results: Path) -> list[Case]:
    """Scenes with truth: a folder of them, or one alone, whose stack may then be the results folder itself."""
    if is_scene(data):
        own = (results / "stack.json").is_file()
        return [_scene_case(data, results if own else need_stack(results, data.name))]
    scenes = [path for path in subfolders(data) if is_scene(path)]
    if not scenes:
        raise wrong_layout("scene", data, "no folder with clips input and background", SCENE)
    return [_scene_case(scene, need_stack(results, scene.name)) for scene in scenes]


def find_layerbench(data: Path, results: Path) -> list[Case]:
    """The scenes of LayerBench, or of a part of it, family by family; every file is checked against its SHA-256."""
    if not (data / MANIFEST).is_file():
        raise wrong_layout("layerbench", data, f"no {MANIFEST}", LAYERBENCH)
    scenes = read_scenes(data)
    cases = [_scene_case(data / scene.name, need_stack(results, scene.name), scene.family) for scene in scenes]
    for scene in scenes:
        check_files(data / scene.name, scene)
    return cases


def _scene_case(scene: Path, stack: Path, part: str = "") -> Case:
    return Case(scene.name, {"scene": scene, "result": stack}, scene_masks(scene), part)
