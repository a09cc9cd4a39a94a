"""The errors a user can cause. Each says what is wrong, what was got, what was wanted, and what to do.

Library code raises them and never prints or exits; the command line turns one into a single line and exit code 2.
"""

from functools import partial


class LaminaError(Exception):
    """Something outside the program is not as it must be: a file, a flag, a disk.

    >>> print(LaminaError("mask 'dog'", got="40 frames", wanted="48, as many as the clip", do="Trim the clip."))
    mask 'dog': got 40 frames, wanted 48, as many as the clip. Trim the clip.
    """

    def __init__(self, what: str, *, got: str, wanted: str, do: str):
        super().__init__(f"{what}: got {got}, wanted {wanted}. {do}")
        self.what, self.got, self.wanted, self.do = what, got, wanted, do

    def __reduce__(self):
        """Errors go from process to process with all that they say."""
        return partial(type(self), self.what, got=self.got, wanted=self.wanted, do=self.do), ()


class InputError(LaminaError, ValueError):
    """The clip, the masks or the flags do not fit each other."""


class MediaError(LaminaError):
    """A file cannot be read or written as what it claims to be."""


class OutputError(LaminaError):
    """The output folder cannot be used: foreign, not writable, full."""


class WeightsError(LaminaError):
    """Model weights are missing, incomplete, or those of another model."""


class TrainingError(LaminaError):
    """Training cannot go on: its numbers are no longer finite."""


class MissingExtra(LaminaError, ImportError):
    """An optional package is needed for what was asked."""
