"""From a job to a finished stack, whoever made the plate: claim the folder, write, join, sheet, manifest."""

import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import cv2

from lamina.layers.inputs import number_padding
from lamina.layers.options import LayerOptions
from lamina.layers.sheet import make_sheet
from lamina.layers.solve import SolveConfig
from lamina.layers.write import Job, join_all, manifest_of, write_layers
from lamina.media.clip_info import FrameSource
from lamina.media.fingerprint import source_fingerprint
from lamina.media.image_write import write_png
from lamina.media.landing import whole_file
from lamina.media.stack import SourceRecord, StackReader, run_record, write_manifest
from lamina.media.work import alone_in, claim, done, forget_bad_input, work_folder
from lamina.report import Report

GIVEN = "given"
"""What stands for the engine where plate and solos were given."""
GAP_DB, MOST_CHANGED = 35.0, 0.9
"""A stack that recomposes worse than the first has a fault that one sees; one that changes more than the second of the
picture has nothing to do with its clip."""


def workers() -> int:
    """Threads to work with."""
    return os.cpu_count() or 1


def make_stack(
    path: Path,
    out: Path,
    clip: FrameSource,
    engine: str,
    settings: dict,
    make_job: Callable[[Path], Job],
    report: Report,
) -> Path:
    """Write the stack of a run into `out`, or go on with it; nothing to do where it is finished already.

    path: where the clip is, as the user says it; engine: what made the plate; settings: the run's full configuration as
    JSON values; make_job: called with the folder for work files.
    """
    with alone_in(out):
        source = _source_record(path, clip)
        state = claim(out, run_record(source, engine, settings))
        if state == "complete":
            done(out)  # nothing to remove unless the run was killed in its very last moment
            return out
        with _one_thread_per_frame(), forget_bad_input(out, state):
            job = make_job(work_folder(out))
            figures = write_layers(job, report)
            join_all(job, out)
        _warn_of_strangers(figures[""]["recompose_psnr_db"], figures[""]["changed_share"] if engine == GIVEN else 0.0)
        manifest = manifest_of(job, source, engine, settings, figures)
        with whole_file(out / "sheet.png") as part:
            write_png(part, make_sheet(clip, StackReader(out, manifest)))
        write_manifest(out, manifest)
        done(out)
        return out


def _warn_of_strangers(recompose_psnr_db: float, changed_share: float) -> None:
    """Where objects change nearly everything, or do not add up, plate and clip are hardly of one scene."""
    wrong = []
    if recompose_psnr_db < GAP_DB:
        wrong.append(f"The layers over the plate give the clip back at {recompose_psnr_db:.1f} dB only")
    if changed_share > MOST_CHANGED:
        wrong.append(f"The layers change {changed_share:.0%} of the picture")
    if wrong:
        told = "; ".join(wrong)
        warnings.warn(f"{told}: see sheet.png. Do masks, plate and solos belong to this clip?", stacklevel=3)


def settings_of(config: LayerOptions, solve: SolveConfig, files: list[Path | None]) -> dict:
    """A task's configuration as JSON values, with what the files given beside the clip hold."""
    given = {key: str(value) if isinstance(value, Path) else value for key, value in asdict(config).items()}
    given.pop("out")
    given.pop("input")
    listed = {key: list(value) if isinstance(value, tuple) else value for key, value in given.items()}
    return listed | {
        "solve": asdict(solve),
        "fingerprints": [source_fingerprint(Path(file)) for file in files if file is not None],
    }


def _source_record(path: Path, clip: FrameSource) -> SourceRecord:
    info = clip.info
    start = info.skipped_before
    digest = source_fingerprint(path)
    return SourceRecord(
        str(path.absolute()), digest, start, start + info.frames, info.first_number, number_padding(clip)
    )


@contextmanager
def _one_thread_per_frame() -> Iterator[None]:
    """Frames are worked on side by side; OpenCV's own threads would only get in the way, and change its rounding."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)
