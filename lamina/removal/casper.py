"""The engines `casper-*`: a video diffusion model that was trained to remove objects with their effects.

Lee et al., Generative Omnimatte, CVPR 2025. All removals of a clip (its plate and, with several objects, a solo of
each) share what the model is told of text and picture, and start from the same noise. Four passes, each of which goes
on where a stopped run was:

1. *plan*: how much is denoised at once, and what is given up for memory.
2. *encode*: prompt, first frame and clip, piece by piece; with an anchor also the background that is known.
3. *denoise*: all removals in groups, in windows over time, with what is known put in at every step.
4. *decode*: piece by piece, with what the model's codec lost of the clip put back.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import cache

import torch
from jaxtyping import Float
from torch import Tensor

from lamina.backbones.interface import Backbone
from lamina.backbones.machine import measure_machine
from lamina.backbones.open import Loading, open_backbone
from lamina.backbones.plan import Model
from lamina.backbones.specs import ModelSpec
from lamina.backbones.tuning import choose_tuning
from lamina.backbones.weights import Weights
from lamina.levels import to_levels
from lamina.media.landing import whole_file
from lamina.removal.anchored import latent_share
from lamina.removal.answers import write_answers
from lamina.removal.casper_frames import as_frames, read_shown, without_objects
from lamina.removal.casper_job import CasperJob
from lamina.removal.casper_options import CasperOptions, device_of
from lamina.removal.denoising import Progress, Tell, Told, denoise_group
from lamina.removal.pieces import joined, own_latents
from lamina.removal.plan import Removal, Way, batches, check_patience, choose_way
from lamina.removal.starting_noise import piece_noise, published_noise, shared_noise
from lamina.removal.truth import Truth
from lamina.report import Report

Spoken = tuple[Tensor, Tensor | None]
"""What prompt and first frame say to a network."""


def plan_way(job: CasperJob, weights: Weights) -> Way:
    """How the job is done: as a stopped run had chosen, or else as `choose_for` does."""
    if job.plan_file.exists():
        return Way(**json.loads(job.plan_file.read_text()))
    way = choose_for(job, weights)
    with whole_file(job.plan_file) as part:
        part.write_text(json.dumps(asdict(way)))
    return way


def choose_for(job: CasperJob, weights: Weights) -> Way:
    """How the job is best done on this machine.

    Raises:
        InputError: there is too little memory, or it would take long on a CPU and that was not agreed to.
    """
    options, storage, device = job.options, job.storage, device_of(job.options)
    machine = measure_machine(device, storage)
    items = 1 if options.inside == "zeroed" else options.batch
    model = Model.of(weights)
    way = choose_way(model, job.ahead, len(job.removals), machine, storage, options.memory, items)
    check_patience(job.spec.name, way.seconds, device, options.yes)
    return replace(way, tuning=choose_tuning(options.tuning, device, storage, way.mode, way.operations))


def loading_of(options: CasperOptions, spec: ModelSpec, mode: str = "full", tuning: str = "plain") -> Loading:
    """How a model is to be held."""
    return Loading(device_of(options), options.storage or spec.dtype, mode, tuning=tuning)


def open_for(job: CasperJob, weights: Weights, way: Way) -> Backbone:
    """The model, as `way` says.

    Raises:
        WeightsError, MissingExtra: as `open_backbone` does.
    """
    return open_backbone(weights, loading_of(job.options, job.spec, way.mode, way.tuning))


def remove(
    job: CasperJob, backbone: Backbone, way: Way, find_truth: Callable[[], Truth | None], report: Report
) -> None:
    """Write a movie for each removal: `job.movie`. find_truth: looks for the background that is known, for an anchor.

    Raises:
        WeightsError: an encoder's file is not what it should be; said before the background is looked for.
    """
    groups, spoken = batches(job.removals, way.batch), cache(lambda: speak(job, backbone))
    if not any(job.steps_file(group).exists() for group in groups):
        spoken()
    truth, start = find_truth(), starting_noise(job, backbone)
    told = telling(job, backbone, spoken, truth, report)
    latents: dict[str, Tensor] = {}
    for number, group in enumerate(groups):
        progress = Progress(report, number * job.steps, len(groups) * job.steps)
        noise = start[[job.removals.index(removal) for removal in group]]
        found = denoise_group(job, backbone, group, noise, told, progress)
        latents |= {removal.name: found[k] for k, removal in enumerate(group)}
    write_answers(job, backbone, latents, truth, report)


def starting_noise(job: CasperJob, backbone: Backbone) -> Float[Tensor, "n c t h w"]:
    """What every removal starts from."""
    count, seed = len(job.removals), job.options.seed
    if not job.options.is_reference:
        return shared_noise(seed, job.latent_shape, count).to(backbone.device)
    dtype, frames_first = loading_of(job.options, job.spec).dtype, job.spec.kind == "cogvideox"
    return published_noise(seed, job.latent_shape, count, backbone.device, dtype, frames_first=frames_first)


def speak(job: CasperJob, backbone: Backbone) -> Spoken:
    """What prompt and first frame say to the network."""
    [first] = job.shot.clip.read(0, 1)
    return backbone.embed_text(job.options.prompt), backbone.embed_image(as_frames([to_levels(first)])[0])


def telling(
    job: CasperJob, backbone: Backbone, spoken: Callable[[], Spoken], truth: Truth | None, report: Report
) -> Tell:
    """What the network is told of any group of removals; what they share is encoded once, when first asked for."""

    @cache
    def whole() -> Told:
        return encode(job, backbone, spoken(), job.removals, truth, report)

    def tell(group: Sequence[Removal]) -> Told:
        if job.options.inside == "zeroed":  # then the clip itself differs from removal to removal
            return encode(job, backbone, spoken(), group, truth, report)
        chosen = [job.removals.index(removal) for removal in group]
        condition = replace(whole().condition, mask=whole().condition.mask[chosen])
        return replace(whole(), condition=condition, share=whole().share[chosen])

    return tell


def encode(
    job: CasperJob,
    backbone: Backbone,
    spoken: Spoken,
    group: Sequence[Removal],
    truth: Truth | None,
    report: Report,
) -> Told:
    """Encode the clip, and the background that is known, piece by piece. spoken: what prompt and first frame say."""
    chosen = [job.removals.index(removal) for removal in group]
    parts, known, share = [], [], []
    for piece in job.encoded:
        shown = read_shown(job, truth, piece.coded_frames)
        trimasks = [shown.trimasks[k] for k in chosen]
        frames = without_objects(shown.frames, trimasks[0]) if job.options.inside == "zeroed" else shown.frames
        parts.append(backbone.condition(frames, trimasks, *spoken, piece_noise(job.options.seed, piece.start)))
        sure = [shown.sure[k][piece.lead_frames :] for k in chosen]
        share.append(torch.stack([latent_share(one, job.geometry) for one in sure]))
        anchored = own_latents(piece, backbone.encode(shown.known)) if share[-1].any() else None
        known.append(own_latents(piece, parts[-1].video) if anchored is None else anchored)
        report("encode", piece.frames.stop, job.timing.padded_frames)
    return Told(joined(job.encoded, parts), torch.cat(known, dim=1), torch.cat(share, dim=2))
