"""What a data set must fulfil: every check names the place, the episode, the step and the column."""

from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deqmpc_core.errors import DataError
from deqmpc_train.data.episodes import Array, Episodes

MAX_STATE = 1e3  # SI units: no robot of the tasks comes near it, a diverged one does
_SLACK = 1e-6  # of the control range: what single precision leaves of a limit


def check_episodes(
    episodes: Episodes, u_lo: Array, u_hi: Array, file: Path, names: NDArray[np.int64] | None = None
) -> None:
    """Raise DataError where states or actions are not finite, out of range or there twice.

    u_lo, u_hi (m,): the control limits. names (E,): how the file numbers its episodes.
    """
    names = np.arange(len(episodes)) if names is None else names
    limit = np.full(episodes.states.shape[1], MAX_STATE)
    _check_column("state", episodes.states, -limit, limit, episodes, names, file)
    if episodes.actions is not None:
        slack = _SLACK * (u_hi - u_lo)
        inner = np.where(episodes.last[:, None], u_lo, episodes.actions)
        _check_column("action", inner, u_lo - slack, u_hi + slack, episodes, names, file)
    _check_twice(episodes, names, file)


def _check_column(
    column: str, values: Array, low: Array, high: Array, episodes: Episodes, names: NDArray[np.int64],
    file: Path,
) -> None:  # fmt: skip
    with np.errstate(invalid="ignore"):
        bad = ~((values >= low) & (values <= high))
    if not bad.any():
        return
    row, entry = (int(i) for i in np.argwhere(bad)[0])
    number = int(np.searchsorted(episodes.bounds, row, side="right")) - 1
    value, step = values[row, entry], row - episodes.bounds[number]
    why = (
        f"{value:.6g}, outside [{low[entry]:.6g}, {high[entry]:.6g}]"
        if np.isfinite(value)
        else f"{value}, not finite"
    )
    raise DataError(
        f"'{file}': column '{column}' of episode {names[number]} is {why} (entry {entry} at step {step}); "
        "remove the episode"
    )


def _check_twice(episodes: Episodes, names: NDArray[np.int64], file: Path) -> None:
    """The same states in two episodes: the same flight imported twice."""
    seen: dict[bytes, int] = {}
    for number in range(len(episodes)):
        states = episodes.states[episodes.bounds[number] : episodes.bounds[number + 1]]
        before = seen.setdefault(sha256(states.tobytes()).digest(), number)
        if before != number:
            raise DataError(
                f"'{file}': column 'state' of episode {names[number]} repeats episode {names[before]}; "
                "remove one of the two"
            )


def check_steps(number: NDArray[np.int64], step: NDArray[np.int64], file: Path) -> None:
    """Raise DataError unless rows in order (R,) count 0, 1, 2 … within each episode."""
    first = np.flatnonzero(np.diff(number, prepend=number[:1] - 1))
    expected = np.arange(len(number)) - np.repeat(first, np.diff(np.append(first, len(number))))
    wrong = np.flatnonzero(step != expected)
    if not len(wrong):
        return
    row = wrong[0]
    twice = row > 0 and number[row] == number[row - 1] and step[row] == step[row - 1]
    what = "is there twice" if twice else f"follows where step {expected[row]} should be"
    remedy = "the episode is duplicated; remove one" if twice else "rows are missing; remove the episode"
    raise DataError(f"'{file}': column 'step' of episode {number[row]}: step {step[row]} {what}; {remedy}")
