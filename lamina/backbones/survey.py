"""The task: which model files are needed, where they come from, whether they are there, and whether they are whole."""

from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal

from lamina.backbones.checkpoint import shards
from lamina.backbones.open import Loading, check_encoders, open_backbone
from lamina.backbones.small import small_hash
from lamina.backbones.small_files import FILE, SHIPPED, SMALL, open_small_network
from lamina.backbones.specs import BACKBONES, BackboneSpec, File
from lamina.backbones.weights import (
    base_places,
    casper_path,
    default_folder,
    find_base,
    find_casper,
    find_weights,
    get_spec,
    hub_cache,
)
from lamina.report import Report, no_report

HUB = "https://huggingface.co/"
SMALL_BYTES, SMALL_LICENSE = 4_000_000, "Apache-2.0"


@dataclass(frozen=True)
class WeightsConfig:
    """Which models, and where their files may be."""

    action: Literal["list", "check", "where"]
    """`list` says which models there are and which of their files are missing; `where` says where to get every file
    and where it is looked for; `check` reads all files of a model and names what differs."""
    model: str = "all"
    """casper-s, casper-cog-5b, casper-wan-1.3b or casper-wan-14b; `all` is all of them, or for `check` all that are
    there."""
    weights: Path | None = None
    """Folder with the Casper files and the bases, laid out as docs/weights.md says. Left out, it is $LAMINA_WEIGHTS, or
    lamina/weights in the user's cache. Bases are looked for in the cache of huggingface_hub too."""


@dataclass(frozen=True)
class FileState:
    """One file of a model, or its shards."""

    name: str
    what: str
    bytes: int
    """Of what is there; about what is to be got where nothing is."""
    there: bool
    needed: bool
    source: str
    sha256: dict[str, str] = field(default_factory=dict)
    """Filled in by `check`: of the file, or of each of its shards, by name."""


@dataclass(frozen=True)
class ModelState:
    """One model as it was found."""

    name: str
    base_license: str
    casper_license: str
    places: tuple[str, ...]
    """Where its files are looked for."""
    files: tuple[FileState, ...]
    checked: bool = False
    """Every file was opened, and every tensor has the name and shape it should have."""

    @property
    def complete(self) -> bool:
        return all(file.there for file in self.files if file.needed)

    @property
    def facts(self) -> dict[str, Any]:
        """In JSON values."""
        files = [vars(file) for file in self.files]
        return {**vars(self), "places": list(self.places), "complete": self.complete, "files": files}


def survey_weights(config: WeightsConfig, report: Report = no_report) -> list[ModelState]:
    """Look at model files; nothing is downloaded.

    Raises:
        InputError: there is no model of this name.
        WeightsError: with `check`, files are missing or are not those of the model.
        MissingExtra: with `check`, the extra `models` is not installed.
    """
    if config.model == SMALL:
        return [_small_state(config, config.weights)]
    small = [_small_state(config, None)] if config.model == "all" else []
    return [*small, *_survey_published(config, report, at_least=not small or config.weights is not None)]


def _survey_published(config: WeightsConfig, report: Report, at_least: bool) -> list[ModelState]:
    """at_least: check one of them even where none is whole, so that what it lacks is said."""
    folder = default_folder() if config.weights is None else Path(config.weights)
    specs = list(BACKBONES.values()) if config.model == "all" else [get_spec(config.model)]
    states = [(spec, state_of(spec, folder)) for spec in specs]
    if config.action != "check":
        return [state for _, state in states]
    chosen = [spec for spec, state in states if state.complete] or specs[: int(at_least)]
    checked = []
    for number, spec in enumerate(chosen):
        report("check", number, len(chosen))
        checked.append(_checked(spec, folder))
        report("check", number + 1, len(chosen))
    return checked


def _small_state(config: WeightsConfig, folder: Path | None) -> ModelState:
    """Of a folder's file, or the one that comes along; checked where that is asked for, and it is there or named."""
    place = SHIPPED if folder is None else Path(folder)
    path, hashes = place / FILE, {}
    there = path.is_file()
    checked = config.action == "check" and (there or config.model == SMALL)
    if checked:
        open_small_network(folder)
        hashes = small_hash(folder)
    size = path.stat().st_size if there else SMALL_BYTES
    source = "comes with Lamina" if folder is None else "made by `lamina train`"
    file = FileState(FILE, "network", size, there, True, source, hashes)
    return ModelState(SMALL, SMALL_LICENSE, SMALL_LICENSE, (str(place),), (file,), checked)


def state_of(spec: BackboneSpec, folder: Path) -> ModelState:
    """What is there of a model, by names and sizes of files alone."""
    base, _ = find_base(spec, folder)
    places = [str(casper_path(spec, folder)), str(folder / spec.name), *map(str, base_places(spec, folder))]
    files = (
        _file_state(spec.casper, find_casper(spec, folder), spec.casper_source),
        *(_file_state(file, shards(base, file.pattern), HUB + spec.base) for file in spec.files),
    )
    return ModelState(spec.name, spec.base_license, spec.casper_license, (*places, str(hub_cache())), files)


def _file_state(file: File, found: tuple[Path, ...], source: str) -> FileState:
    there = bool(found) and all(path.is_file() for path in found)
    size = sum(path.stat().st_size for path in found) if there else file.bytes
    return FileState(file.pattern, file.what, size, there, file.needed, source)


def _checked(spec: BackboneSpec, folder: Path) -> ModelState:
    weights, loading = find_weights(spec, folder), Loading()
    hashes: dict[str, str] = open_backbone(weights, loading).record["sha256"]
    check_encoders(weights, loading)
    casper, *others = state_of(spec, folder).files
    casper = replace(casper, sha256={name: hashes[name] for name in weights.casper_files})
    files = (casper, *(_with_hashes(state, hashes) for state in others))
    return ModelState(spec.name, spec.base_license, spec.casper_license, (str(weights.base),), files, checked=True)


def _with_hashes(state: FileState, hashes: dict[str, str]) -> FileState:
    return replace(state, sha256={name: digest for name, digest in hashes.items() if fnmatchcase(name, state.name)})
