"""What may be asked of the main job."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lamina.layers.options import LayerOptions
from lamina.removal.casper_options import CasperOptions


@dataclass(frozen=True)
class DecomposeConfig(CasperOptions, LayerOptions):
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
    engine: Literal["auto", "propagate", "casper-s", "casper-cog-5b", "casper-wan-1.3b", "casper-wan-14b"] = "auto"
    """How objects are removed. propagate: look the background up in the other frames. casper-s: our own small video
    model, which also takes away effects that never move and makes up what no frame shows. casper-cog, casper-wan:
    published ones, large, which need model files. auto: propagate where other frames show all that is hidden, else
    casper-s."""
    frames: str | None = None
    """A-B: only these frames, both included, in the clip's own numbering."""
    preview: bool = False
    """Work on a small copy, longer side 416 pixels, for a quick look. The stack has that size."""
