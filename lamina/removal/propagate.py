"""The `propagate` engine: the background behind the objects is looked up in the frames that show it. No weights.

Four passes over the clip, each in windows and with bounded memory. What a pass finds is kept in the work folder, so
that a stopped run goes on at the window it was in.

1. *survey*: how the camera moves, where the objects are.
2. *first look*: other frames are laid over each frame; what they do not explain is evidence of an effect.
3. *second look*: the same without the places that seem to move with an object, for clean evidence.
4. *plate*: the effects are decided on, the background is looked up at source size without them and laid in.
"""

from collections.abc import Iterator, Sequence

from lamina.removal.looking import look_twice
from lamina.removal.plates import PlateWindow, make_plates
from lamina.removal.scene import survey_shot
from lamina.removal.shot import Shot
from lamina.report import Report


def propagate(shot: Shot, todo: Sequence[range], report: Report) -> Iterator[PlateWindow]:
    """Clean plates and per-object effects for the given windows of a clip (see `scene.windows`), in order."""
    scene = survey_shot(shot, report)
    look_twice(scene, report)
    return make_plates(scene, todo)
