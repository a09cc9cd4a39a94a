"""What no frame of a tripod shot ever shows: made up once, and kept the same for the whole clip."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from lamina.media.landing import whole_file
from lamina.motion.anchor import Look
from lamina.removal.fill import complete


class Completed:
    """The first completed background of a clip, in the work folder: the guess for all later ones.

    Every later background takes its filling from that same one, so that the fill does not crawl, and so that a resumed
    run fills as an uninterrupted one does.
    """

    def __init__(self, work: Path):
        self._file = work / "completed.npz"

    def complete(self, key: int, look: Look) -> Look:
        """The look with nothing left unseen; doubtful places are not copied from."""
        unseen = ~look.seen
        if not unseen.any():
            return look
        rgb = complete(look.rgb, unseen, ~look.trusted & look.seen, self._guess(key))
        if not self._file.exists():
            with whole_file(self._file) as part, part.open("wb") as stream:
                np.savez(stream, key=key, rgb=rgb)
        return replace(look, rgb=rgb, seen=np.ones_like(look.seen))

    def _guess(self, key: int) -> np.ndarray | None:
        if not self._file.exists():
            return None
        with np.load(self._file) as kept:
            return None if int(kept["key"]) == key else kept["rgb"]
