"""How long a sweep takes on so many workers, from how long each of its jobs takes."""

import heapq
from collections.abc import Iterable, Mapping

from deqmpc_train.sweep.job import Job
from deqmpc_train.sweep.run import closure


def wall(jobs: Iterable[Job], seconds: Mapping[str, float], workers: int) -> float:
    """Seconds until all jobs and what they need are done (`seconds` by key), a job a worker, each started as
    soon as what it needs is done and a worker is free, in the order of the sweep."""
    found = closure(jobs)
    missing = {key: len({n.key for n in job.needs.values()}) for key, job in found.items()}
    waits_for: dict[str, list[str]] = {key: [] for key in found}
    for key, job in found.items():
        for needed in {n.key for n in job.needs.values()}:
            waits_for[needed].append(key)
    place = {key: number for number, key in enumerate(found)}
    ready = [(place[key], key) for key, count in missing.items() if not count]
    heapq.heapify(ready)
    running: list[tuple[float, int, str]] = []
    now = 0.0
    while ready or running:
        while ready and len(running) < workers:
            number, key = heapq.heappop(ready)
            heapq.heappush(running, (now + seconds[key], number, key))
        now, _, ended = heapq.heappop(running)
        for key in waits_for[ended]:
            missing[key] -= 1
            if not missing[key]:
                heapq.heappush(ready, (place[key], key))
    return now
