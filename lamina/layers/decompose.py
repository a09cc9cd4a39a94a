"""The main job: a clip and masks in, a plate and layers out. Reads as its own table of contents."""

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import cv2

from lamina.layers.inputs import Opened, open_inputs
from lamina.layers.sheet import make_sheet
from lamina.layers.solve import SolveConfig
from lamina.layers.write import join_all, manifest_of, write_layers, write_plates
from lamina.media.fingerprint import source_fingerprint
from lamina.media.image_write import write_png
from lamina.media.landing import whole_file
from lamina.media.stack import SourceRecord, StackReader, run_record, write_manifest
from lamina.media.work import claim, done, forget_bad_input, work_folder
from lamina.removal.propagate import propagate
from lamina.report import Report, no_report

ENGINES = {"propagate": propagate}
"""Ways to do removal, by name."""


@dataclass(frozen=True)
class DecomposeConfig:
    """What to take apart, how, and where to put it."""

    input: Path
    """The clip: a movie, a folder of images, or a pattern such as shot.####.exr."""
    out: Path
    """Folder to write the stack into. A stopped run goes on where it was when the same command is given again."""
    mask: tuple[str, ...] = ()
    """NAME=PATH: an object's name and its mask, a movie, images, or one still that holds for the whole clip. Once per
    object. Names as Nuke takes them: a letter, then letters, digits and underscores."""
    labels: Path | None = None
    """Folder of label images instead of masks: one value or palette colour per object (as DAVIS has them). The objects
    are called obj_01, obj_02 and so on."""
    preserve: Path | None = None
    """Mask of regions that must stay as they are outside the objects, for instance a drawing under a drawing hand."""
    plate: Path | None = None
    """A true clean plate, as it is shot on set: one still, or as many frames as the clip. Taken instead of looking the
    background up."""
    engine: Literal["propagate"] = "propagate"
    """How objects are removed. propagate: look the background up in the other frames."""
    frames: str | None = None
    """A-B: only these frames, both included, in the clip's own numbering."""
    preview: bool = False
    """Work on a small copy, longer side 416 pixels, for a quick look. The stack has that size."""


def decompose(config: DecomposeConfig, report: Report = no_report) -> Path:
    """Split a clip into a plate and one layer per object, with its shadow and reflection. Returns the stack's folder.

    The same input gives the same bytes, on any number of cores, stopped and resumed or not.

    Raises:
        InputError: clip, masks and flags do not fit each other.
        MediaError: a file cannot be read.
        OutputError: the folder belongs to another run, or cannot be written.
    """
    opened = open_inputs(config)
    source = _source_record(config, opened)
    run = run_record(source, config.engine, _settings(config, opened))
    out = Path(config.out)
    state = claim(out, run)
    if state == "complete":
        done(out)  # nothing to remove unless the run was killed in its very last moment
        return out
    if opened.clip.info.frames == 1:
        warnings.warn("the clip has one frame: no other shows what is behind the objects, it is made up", stacklevel=2)
    shot = opened.shot(work_folder(out), os.cpu_count() or 1)
    with _one_thread_per_frame(), forget_bad_input(out, state):
        order = opened.order()
        write_plates(shot, ENGINES[config.engine], report)
        join_all(shot, out, ["plate"])
        figures = write_layers(shot, out, order, SolveConfig(), report)
        join_all(shot, out, order)
    manifest = manifest_of(opened.clip.info, source, config.engine, _settings(config, opened), order, figures)
    with whole_file(out / "sheet.png") as part:
        write_png(part, make_sheet(opened.clip, StackReader(out, manifest)))
    write_manifest(out, manifest)
    done(out)
    return out


def _source_record(config: DecomposeConfig, opened: Opened) -> SourceRecord:
    info = opened.clip.info
    start = info.skipped_before
    digest = source_fingerprint(Path(config.input))
    return SourceRecord(
        str(Path(config.input).absolute()), digest, start, start + info.frames, info.first_number, opened.padding
    )


def _settings(config: DecomposeConfig, opened: Opened) -> dict:
    """The full configuration as JSON values, with what the mask files hold."""
    given = {key: str(value) if isinstance(value, Path) else value for key, value in asdict(config).items()}
    given.pop("out")
    given.pop("input")
    files = [*(m.path for m in opened.masks), config.preserve, config.plate]
    return given | {
        "mask": list(config.mask),
        "solve": asdict(SolveConfig()),
        "fingerprints": [source_fingerprint(Path(file)) for file in files if file is not None],
    }


@contextmanager
def _one_thread_per_frame() -> Iterator[None]:
    """Frames are worked on side by side; OpenCV's own threads would only get in the way, and change its rounding."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)
