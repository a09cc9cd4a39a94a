"""Everything the user may hand in wrong: said in one line, exit code 2, and nothing left on the disk."""

from collections.abc import Callable
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from media_makers import cut_short, write_images, write_movie
from toy_scenes import save, walk

import lamina
from lamina.cli import main as door
from lamina.cli.flags import parse
from lamina.errors import LaminaError

SIZE = (48, 36)
Args = list[str]


def masks(folder: Path, count: int = 4, size: tuple[int, int] = SIZE, level: int | None = None, name="m") -> str:
    """A run of masks with a square in each, or of one level."""
    picture = np.zeros(size[::-1], np.uint8)
    picture[4:12, 4:12] = 255
    if level is not None:
        picture[:] = level
    return str(write_images(folder / name, [picture] * count))


def clip(folder: Path, count: int = 4) -> str:
    return str(save(walk(count, SIZE), folder)[0])


def movie(folder: Path) -> Path:
    return write_movie(folder / "clip.mp4", walk(12, SIZE).frames)


def without_frames(folder: Path) -> str:
    options = {"movflags": "empty_moov"}
    with av.open(str(movie(folder))) as source, av.open(str(folder / "b.mp4"), "w", options=options) as container:
        container.add_stream_from_template(source.streams.video[0])
        container.start_encoding()
    return str(folder / "b.mp4")


def not_a_movie(folder: Path) -> str:
    (folder / "clip.mov").write_text("a letter")
    return str(folder / "clip.mov")


def with_a_gap(folder: Path) -> str:
    path = Path(clip(folder))
    (path / "shot.0002.png").unlink()
    return str(path)


def coloured(folder: Path) -> str:
    picture = np.zeros((*SIZE[::-1], 3), np.uint8)
    picture[4:12, 4:12] = (255, 0, 0)
    return str(write_images(folder / "red", [picture] * 4))


def empty_folder(folder: Path) -> str:
    (folder / "nothing").mkdir()
    return str(folder / "nothing")


def still(folder: Path, size: tuple[int, int] = SIZE, count: int = 1) -> str:
    return str(write_images(folder / "still", [np.full((*size[::-1], 3), 90, np.uint8)] * count))


def black_labels(folder: Path) -> str:
    return masks(folder, level=0, name="labels")


CASES: dict[str, tuple[Callable[[Path], Args], str]] = {
    "fewer masks than frames": (
        lambda f: [clip(f), "--mask", f"dog={masks(f, 3)}"],
        r"mask 'dog': got 3 frames, wanted 4, as many as the clip\. Trim the clip or the mask",
    ),
    "more masks than frames": (
        lambda f: [clip(f), "--mask", f"dog={masks(f, 5)}"],
        "mask 'dog': got 5 frames, wanted 4",
    ),
    "a mask of another shape": (
        lambda f: [clip(f), "--mask", f"dog={masks(f, size=(48, 48))}"],
        "mask 'dog': got 48x48, wanted 48x36 as the clip, or the same shape scaled",
    ),
    "an empty mask": (
        lambda f: [clip(f), "--mask", f"dog={masks(f, level=0)}"],
        "mask 'dog': got an empty mask in all frames, wanted white on the object",
    ),
    "a full mask": (
        lambda f: [clip(f), "--mask", f"dog={masks(f, level=255)}"],
        "mask 'dog': got a mask that covers every pixel of every frame.*not inverted",
    ),
    "one good and one empty mask": (
        lambda f: [clip(f), "--mask", f"dog={masks(f)}", "--mask", f"cat={masks(f, level=0, name='n')}"],
        "mask 'cat': got an empty mask in all frames",
    ),
    "a coloured mask": (
        lambda f: [clip(f), "--mask", f"dog={coloured(f)}"],
        r"mask 'dog': got the colour \(255, 0, 0\).*goes to --labels",
    ),
    "a mask that is not there": (
        lambda f: [clip(f), "--mask", f"dog={f / 'nowhere'}"],
        "nowhere: got no such file, wanted a movie or images",
    ),
    "no mask": (lambda f: [clip(f)], "masks: got neither --mask nor --labels, wanted one of them"),
    "masks and labels": (
        lambda f: [clip(f), "--mask", f"dog={masks(f)}", "--labels", masks(f, name="l")],
        "masks: got both --mask and --labels, wanted one of them",
    ),
    "a mask without a name": (
        lambda f: [clip(f), "--mask", masks(f)],
        "wanted NAME=PATH. Write for instance --mask dog=dog.mp4",
    ),
    "a mask without a path": (lambda f: [clip(f), "--mask", "dog="], "got 'dog=', wanted NAME=PATH"),
    "labels that are black": (lambda f: [clip(f), "--labels", black_labels(f)], "labels: got only black in all frames"),
    "labels that are too few": (
        lambda f: [clip(f), "--labels", masks(f, 3, level=2, name="l")],
        "labels: got 3 frames, wanted 4",
    ),
    "labels that are a movie": (lambda f: [clip(f), "--labels", str(movie(f))], "labels: got a movie"),
    "a clip that is not there": (
        lambda f: [str(f / "gone.mp4"), "--mask", f"dog={masks(f)}"],
        "gone.mp4: got no such file",
    ),
    "a clip that is no movie": (
        lambda f: [not_a_movie(f), "--mask", f"dog={masks(f)}"],
        r"clip\.mov: got .*, wanted a movie",
    ),
    "a movie that broke off": (
        lambda f: [str(cut_short(movie(f))), "--mask", f"dog={masks(f, 12)}"],
        r"cut\.mp4: got .*bytes that FFmpeg cannot open",
    ),
    "a movie without frames": (
        lambda f: [without_frames(f), "--mask", f"dog={masks(f)}"],
        "got no frame, wanted at least one",
    ),
    "a folder without images": (
        lambda f: [empty_folder(f), "--mask", f"dog={masks(f)}"],
        "nothing: got no matching image",
    ),
    "a number is missing": (
        lambda f: [with_a_gap(f), "--mask", f"dog={masks(f)}"],
        "got 0-3 without 2, wanted every number",
    ),
    "a plate of another size": (
        lambda f: [clip(f), "--mask", f"dog={masks(f)}", "--plate", still(f, (64, 48))],
        "--plate .*still: got 64 x 48, wanted 48 x 36, the clip's size",
    ),
    "a plate of another length": (
        lambda f: [clip(f), "--mask", f"dog={masks(f)}", "--plate", still(f, count=3)],
        "--plate .*still: got 3 frames, wanted one still, or 4 frames as the clip has",
    ),
    "a plate that is not there": (
        lambda f: [clip(f), "--mask", f"dog={masks(f)}", "--plate", str(f / "no.png")],
        r"no\.png: got no such file",
    ),
    "a preserve mask of another shape": (
        lambda f: [clip(f), "--mask", f"dog={masks(f)}", "--preserve", masks(f, size=(36, 48), name="p")],
        "mask 'preserve': got 36x48, wanted 48x36",
    ),
    "frames outside the clip": (
        lambda f: [clip(f), "--mask", f"dog={masks(f)}", "--frames", "2-9"],
        "got 2-9, wanted a range within 0-3",
    ),
}
CASES |= {
    f"the name {name!r}": (lambda f, name=name: [clip(f), "--mask", f"{name}={masks(f)}"], message)
    for name, message in {
        "1dog": r"layer name: got '1dog', wanted a letter.*Nuke's rule.*Call it 'layer_1dog'",
        "my dog": "got 'my dog'.*Call it 'my_dog'",
        "../dog": r"got '\.\./dog'.*Call it 'dog'",
        "dög": "got 'dög'",
        "-": "got '-'",
        "plate": "layer name 'plate': got the plate's own name, wanted another name",
        "Plate": "layer name 'Plate': got the plate's own name",
    }.items()
}
CASES["two names alike"] = (
    lambda f: [clip(f), "--mask", f"dog={masks(f)}", "--mask", f"Dog={masks(f)}"],
    "layer names: got 'dog' and 'Dog', wanted names that differ by more than upper and lower case",
)
CASES |= {
    f"frames {text!r}": (
        lambda f, text=text: [clip(f), "--mask", f"dog={masks(f)}", "--frames", text],
        "--frames .*wanted A-B with A not after B. Write for instance 1001-1048",
    )
    for text in ("3", "3-1", "a-b", "1-", "1-2-3", "1.5-2", "²-³")
}


@pytest.mark.parametrize("name", CASES)
def test_bad_input_is_said_and_leaves_nothing(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    make, message = CASES[name]
    out = tmp_path / "out"
    args = [*make(tmp_path), "-o", str(out)]
    before = sorted(tmp_path.rglob("*"))
    config = parse("decompose", "", lamina.DecomposeConfig, args)
    with pytest.raises(LaminaError, match=message):
        lamina.decompose(config)
    assert door.main(["decompose", *args]) == 2
    said = capsys.readouterr()
    assert said.err.splitlines()[-1].startswith("error: ") and "Traceback" not in said.err and not said.out
    assert sorted(tmp_path.rglob("*")) == before


def test_an_existing_empty_folder_stays(tmp_path: Path):
    (tmp_path / "out").mkdir()
    config = lamina.DecomposeConfig(Path(clip(tmp_path)), tmp_path / "out", (f"dog={masks(tmp_path, 3)}",))
    with pytest.raises(LaminaError, match="got 3 frames"):
        lamina.decompose(config)
    assert (tmp_path / "out").is_dir() and not list((tmp_path / "out").iterdir())


def test_a_mask_that_is_coloured_late_leaves_nothing(tmp_path: Path):
    """What only the reading shows comes to light in the first pass; the folder that was begun goes again."""
    late = np.zeros((*SIZE[::-1], 3), np.uint8)
    late[4:12, 4:12] = (0, 255, 0)
    folder = Path(masks(tmp_path))
    assert cv2.imwrite(str(folder / "shot.0003.png"), late)
    config = lamina.DecomposeConfig(Path(clip(tmp_path)), tmp_path / "out", (f"dog={folder}",))
    with pytest.raises(LaminaError, match=r"got the colour \(0, 255, 0\) in shot\.0003\.png"):
        lamina.decompose(config)
    assert not (tmp_path / "out").exists()


def test_what_no_picture_shows_of_a_mask_is_checked_in_the_part_asked_for(tmp_path: Path):
    """A mask that is empty in the frames asked for is empty, whatever it holds elsewhere."""
    folder = Path(masks(tmp_path))
    for number in (0, 1):
        assert cv2.imwrite(str(folder / f"shot.{number:04d}.png"), np.zeros(SIZE[::-1], np.uint8))
    config = lamina.DecomposeConfig(Path(clip(tmp_path)), tmp_path / "out", (f"dog={folder}",), frames="0-1")
    with pytest.raises(LaminaError, match="mask 'dog': got an empty mask in all frames"):
        lamina.decompose(config)
