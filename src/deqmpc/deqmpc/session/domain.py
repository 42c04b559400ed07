"""ROS domains of this machine: which are in use, and a free one that no other run takes meanwhile."""

import fcntl
import os
import random
import tempfile
from pathlib import Path
from typing import IO

from deqmpc_core.errors import ConfigError

PORT_BASE, PORTS_PER_DOMAIN = 7400, 250
LARGEST = 101
"""Above it the ports of DDS run into Linux's ephemeral ones."""


class Domain:
    """A ROS domain held by a lock file until release()."""

    def __init__(self, number: int, lock: IO[str]) -> None:
        self.number, self._lock = number, lock

    def release(self) -> None:
        """Let others take it."""
        self._lock.close()


def used_domains() -> set[int]:
    """Domains with a participant on this machine, seen by the UDP ports that DDS binds (7400 + 250 * domain
    + ...)."""
    ports = [port for name in ("udp", "udp6") for port in _bound_ports(Path("/proc/net") / name)]
    numbers = {(port - PORT_BASE) // PORTS_PER_DOMAIN for port in ports if port >= PORT_BASE}
    return {number for number in numbers if number <= 232}


def _bound_ports(table: Path) -> list[int]:
    """Local ports in one of the kernel's socket tables; empty where there is none."""
    try:
        lines = table.read_text().splitlines()[1:]
    except OSError:
        return []
    return [int(line.split()[1].rsplit(":", 1)[1], 16) for line in lines if line.split()]


def take_domain(wanted: int | None) -> Domain:
    """The wanted domain if it is free, else any free one. Raises ConfigError for a wanted domain that is
    used."""
    if wanted is not None:
        return _take_wanted(wanted)
    used = used_domains()
    numbers = [number for number in range(1, LARGEST + 1) if number not in used]
    for number in random.sample(numbers, len(numbers)):
        lock = _lock(number)
        if lock is not None:
            return Domain(number, lock)
    raise ConfigError(f"all ROS domains from 1 to {LARGEST} are in use on this machine; end another run")


def _take_wanted(number: int) -> Domain:
    if not 0 <= number <= LARGEST:
        raise ConfigError(f"ROS domain {number} is out of range; choose one from 0 to {LARGEST}")
    lock = None if number in used_domains() else _lock(number)
    if lock is None:
        raise ConfigError(
            f"ROS domain {number} is in use on this machine, a second robot there would be flown too; "
            "end the other run, choose another with --domain, or unset ROS_DOMAIN_ID to get a free one"
        )
    return Domain(number, lock)


def _lock(number: int) -> IO[str] | None:
    path = Path(tempfile.gettempdir()) / f"deqmpc-domain-{os.getuid()}-{number}.lock"
    stream = path.open("w")
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        stream.close()
        return None
    return stream
