"""Finding the clips of a data set and a method's results in folders that are laid out as agreed."""

from pathlib import Path

from lamina.errors import InputError
from lamina.media.image_file import IMAGE_SUFFIXES
from lamina.media.stack import PLATE

MOVIES = (".mp4", ".mkv", ".mov", ".avi", ".webm")


def subfolders(folder: Path) -> list[Path]:
    """Folders in a folder, by name, hidden ones left out; none of a folder that is not there."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


def clips_in(folder: Path) -> dict[str, Path]:
    """Clips in a folder by name: movies without their ending, and folders that hold images."""
    movies = {path.stem: path for path in sorted(folder.iterdir()) if path.suffix.lower() in MOVIES}
    return movies | {path.name: path for path in subfolders(folder) if _holds_images(path)}


def find_clip(folder: Path, name: str) -> Path | None:
    """The clip NAME in a folder, a movie or a folder of images; None where there is none."""
    movies = (folder / f"{name}{suffix}" for suffix in MOVIES)
    found = next((path for path in movies if path.is_file()), None)
    if found is None and _holds_images(folder / name):
        return folder / name
    return found


def need_clip(protocol: str, folder: Path, name: str, layout: str) -> Path:
    """The clip NAME of a data set.

    Raises:
        InputError: it is not there, with the layout that was looked for.
    """
    found = find_clip(folder, name)
    if found is None:
        raise wrong_layout(protocol, folder, f"no clip {name!r} (movie or folder of images)", layout)
    return found


def wrong_layout(protocol: str, folder: Path, got: str, layout: str) -> InputError:
    """What is said of a folder that is not laid out as the protocol has it."""
    return InputError(
        f"data of {protocol} in {folder}",
        got=got,
        wanted=layout,
        do="Give the folder that holds all this with --data, or arrange it so.",
    )


def need_result(results: Path, name: str, inner: str = "") -> Path:
    """What a method made of a clip: RESULTS/NAME as a movie, a folder of images, or a stack, whose plate is taken.

    inner: a folder of images inside RESULTS/NAME that is taken first, such as "pha".

    Raises:
        InputError: there is nothing of this name.
    """
    place = results / name
    if inner and _holds_images(place / inner):
        return place / inner
    if (place / "stack.json").is_file() and (place / PLATE).is_file():
        return place / PLATE
    found = find_clip(place.parent, place.name)
    if found is None:
        raise no_result(results, name, f"{name}.mp4 (or .mkv, .mov), a folder {name} of images, or a stack {name}")
    return found


def need_stack(results: Path, name: str) -> Path:
    """The stack folder RESULTS/NAME.

    Raises:
        InputError: there is none.
    """
    if not (results / name / "stack.json").is_file():
        raise no_result(results, name, f"a folder {name} with stack.json")
    return results / name


def no_result(results: Path, name: str, wanted: str) -> InputError:
    return InputError(
        f"results {results}",
        got=f"no output for {name!r}" if results.is_dir() else "no such folder",
        wanted=wanted,
        do="Run the method on every clip of the data set: a mean over some of them is no figure of it.",
    )


def _holds_images(folder: Path) -> bool:
    return folder.is_dir() and any(path.suffix.lower() in IMAGE_SUFFIXES for path in folder.iterdir())
