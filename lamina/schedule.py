"""Noise schedules as data: from a number of steps to the levels of noise that sampling goes through.

At a level, noisy = signal * clean + noise * gauss. A schedule says which levels, and what its network's answer means.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float64
from torch import Tensor

from lamina.errors import InputError


class Level(NamedTuple):
    """How much noise there is."""

    signal: float
    noise: float
    timestep: float
    """The number that the network is told for it."""


CLEAN = Level(1.0, 0.0, 0.0)
"""No noise left."""


class Move(NamedTuple):
    """One step of sampling: the network is asked at `start`, and the latents are brought to `stop`."""

    start: Level
    stop: Level


@runtime_checkable
class Schedule(Protocol):
    """What sampling and training need to know of a schedule."""

    def moves(self, steps: int) -> tuple[Move, ...]:
        """From pure noise to clean in `steps` steps."""
        ...

    def clean(self, latents: Tensor, answer: Tensor, level: Level) -> Tensor:
        """The clean latents that a network's answer stands for."""
        ...

    def train_levels(self) -> tuple[Level, ...]:
        """All levels that a network is trained at, each as likely as the others."""
        ...

    def answer(self, clean: Tensor, gauss: Tensor, level: Level) -> Tensor:
        """What a network should say of clean latents with this noise: the answer of which `clean` makes them again."""
        ...


@dataclass(frozen=True)
class DdimSchedule:
    """DDIM without chance (Song et al. 2021, eta 0) over scaled-linear betas, for networks that predict v."""

    train_steps: int = 1000
    beta_start: float = 0.00085
    beta_end: float = 0.012
    spacing: Literal["trailing", "linspace", "leading"] = "trailing"
    steps_offset: int = 0
    """Added to the timesteps of the spacing `leading`."""
    zero_terminal_snr: bool = True
    """Shift the signal so that none is left at the last timestep (Lin et al. 2024, algorithm 1)."""
    ends_clean: bool = True
    """The last step arrives at no noise at all; else at what timestep 0 has."""

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> "DdimSchedule":
        """From a published scheduler_config.json.

        Raises:
            InputError: it asks for something that no published Casper file does.
        """
        wanted = {"prediction_type": "v_prediction", "beta_schedule": "scaled_linear"}
        wanted |= {"clip_sample": False, "trained_betas": None}
        _check(config, wanted, spacings := ("trailing", "linspace", "leading"))
        return cls(
            train_steps=config.get("num_train_timesteps", 1000),
            beta_start=config.get("beta_start", 0.0001),
            beta_end=config.get("beta_end", 0.02),
            spacing=config.get("timestep_spacing", spacings[-1]),
            steps_offset=config.get("steps_offset", 0),
            zero_terminal_snr=config.get("rescale_betas_zero_snr", False),
            ends_clean=config.get("set_alpha_to_one", True),
        )

    def alphas_cumprod(self) -> Float64[np.ndarray, " train_steps"]:
        """signal^2 at every timestep."""
        betas = np.linspace(self.beta_start**0.5, self.beta_end**0.5, self.train_steps) ** 2
        root = np.sqrt(np.cumprod(1 - betas))
        if self.zero_terminal_snr:
            root = (root - root[-1]) * (root[0] / (root[0] - root[-1]))
        return root**2

    def timesteps(self, steps: int) -> list[int]:
        """Where the network is asked, noisiest first."""
        _check_steps(steps, self.train_steps)
        if self.spacing == "trailing":
            return [int(t) - 1 for t in np.round(np.arange(self.train_steps, 0, -self.train_steps / steps))[:steps]]
        if self.spacing == "linspace":
            return [int(t) for t in np.linspace(0, self.train_steps - 1, steps).round()[::-1]]
        return [k * (self.train_steps // steps) + self.steps_offset for k in reversed(range(steps))]

    def moves(self, steps: int) -> tuple[Move, ...]:
        """Each step goes back by train_steps // steps, also where rounding puts the next timestep one further.

        So the published sampler does. Where `steps` does not divide `train_steps`, the last step may then stop at
        timestep 0, with some noise left; what it took for clean has none.
        """
        asked, alphas = self.timesteps(steps), self.alphas_cumprod()
        first = CLEAN if self.ends_clean else _ddim_level(alphas, 0)
        back = self.train_steps // steps
        return tuple(Move(_ddim_level(alphas, t), _ddim_level(alphas, t - back) if t >= back else first) for t in asked)

    def clean(self, latents: Tensor, answer: Tensor, level: Level) -> Tensor:
        """Of a velocity v (Salimans and Ho 2022, appendix D): clean = signal * noisy - noise * v."""
        return level.signal * latents - level.noise * answer

    def train_levels(self) -> tuple[Level, ...]:
        alphas = self.alphas_cumprod()
        return tuple(_ddim_level(alphas, timestep) for timestep in range(self.train_steps))

    def answer(self, clean: Tensor, gauss: Tensor, level: Level) -> Tensor:
        """The velocity v: signal * gauss - noise * clean."""
        return level.signal * gauss - level.noise * clean


@dataclass(frozen=True)
class FlowSchedule:
    """Euler steps of a rectified flow (Esser et al. 2024), with the noise shifted twice as published samplers do."""

    train_steps: int = 1000
    shift: float = 5.0
    """s -> shift s / (1 + (shift - 1) s): once for the range of sigmas, and once more for the grid over it."""

    def sigmas(self, steps: int) -> Float64[np.ndarray, " steps_and_one"]:
        """Noise at every step, from 1 to 0."""
        _check_steps(steps, self.train_steps)
        grid = np.linspace(1.0, self._shifted(1 / self.train_steps), steps)
        return np.append(self._shifted(grid), 0.0)

    def moves(self, steps: int) -> tuple[Move, ...]:
        levels = self._levels(self.sigmas(steps))
        return tuple(Move(*pair) for pair in zip(levels, levels[1:], strict=False))

    def clean(self, latents: Tensor, answer: Tensor, level: Level) -> Tensor:
        """Of a velocity gauss - clean, as signal = 1 - noise: clean = noisy - noise * velocity."""
        return latents - level.noise * answer

    def train_levels(self) -> tuple[Level, ...]:
        """Noise shifted once: sampling alone shifts its grid a second time."""
        sigmas = self._shifted(np.arange(1, self.train_steps + 1) / self.train_steps)
        return tuple(self._levels(sigmas))

    def answer(self, clean: Tensor, gauss: Tensor, level: Level) -> Tensor:
        """The velocity gauss - clean, at every level."""
        return gauss - clean

    def _levels(self, sigmas: np.ndarray) -> list[Level]:
        # float32, as published samplers hold them: the network's fastest wave tells 909.706 from 909.707
        held = sigmas.astype(np.float32)
        return [Level(1 - float(s), float(s), float(np.float32(self.train_steps) * s)) for s in held]

    def _shifted(self, sigma):
        return self.shift * sigma / (1 + (self.shift - 1) * sigma)


def _ddim_level(alphas: np.ndarray, timestep: int) -> Level:
    return Level(float(alphas[timestep] ** 0.5), float((1 - alphas[timestep]) ** 0.5), float(timestep))


def _check_steps(steps: int, train_steps: int) -> None:
    if not 1 <= steps <= train_steps:
        raise InputError("steps", got=str(steps), wanted=f"1..{train_steps}", do="Between 4 and 50 is usual.")


def _check(config: Mapping[str, Any], wanted: Mapping[str, Any], spacings: tuple[str, ...]) -> None:
    for key, value in wanted.items():
        if config.get(key, value) != value:
            raise _unknown(key, config[key], repr(value))
    if config.get("timestep_spacing", spacings[-1]) not in spacings:
        raise _unknown("timestep_spacing", config["timestep_spacing"], " or ".join(map(repr, spacings)))


def _unknown(key: str, got: Any, wanted: str) -> InputError:
    return InputError(
        f"scheduler_config.json: {key}", got=repr(got), wanted=wanted, do="Take the file of the published base model."
    )
