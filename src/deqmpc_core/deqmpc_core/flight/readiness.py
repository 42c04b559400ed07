"""The wait on the ground between a request and the take-off."""

from deqmpc_core.flight.configuration import TIME_TOLERANCE, CommanderConfig


class Readiness:
    """Poses must come for ready_time, so that the robot's own estimate settles."""

    def __init__(self, config: CommanderConfig) -> None:
        self._config = config
        self._asked: float | None = None
        self._since: float | None = None

    def at(self, t: float, late: str) -> bool:
        """Whether to take off at t [s]; late says why poses are missing, empty while they come."""
        self._asked = t if self._asked is None else self._asked
        if late:
            self._since = None
        elif self._since is None:
            self._since = t
        return self._since is not None and t - self._since >= self._config.ready_time - TIME_TOLERANCE

    def hopeless(self, t: float, refusal: str) -> str:
        """Why the wait is given up at t [s], in words; empty while it goes on."""
        limit = self._config.first_pose_timeout
        if self._since is not None or self._asked is None or t - self._asked <= limit:
            return ""
        why = f" (the last one was refused: {refusal})" if refusal else ""
        waited = f"no usable pose within {limit:.1f} s of the request{why}"
        return f"{waited}: is motion capture on and the name of the body right?"
