"""A data set by flying: parts made by worker processes, each from (seed, part) alone, so that the same
command gives the same bytes with any number of workers, and a killed run goes on where it stood."""

import json
import multiprocessing
import os
import shutil
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch

from deqmpc_core.bundle import find_bundle, load_policy
from deqmpc_core.errors import BundleError, DataError
from deqmpc_core.files import write_text
from deqmpc_core.tasks import Task
from deqmpc_sim.envs import episode_starts
from deqmpc_train.data.config import DataConfig, Recipe
from deqmpc_train.data.episodes import Episode, Episodes
from deqmpc_train.data.options import data_task
from deqmpc_train.data.parts import make_part, part_count, part_file, part_numbers, read_part
from deqmpc_train.data.store import INFO, refuse_existing, write_data_set

_CONFIG = "config.json"
Report = Callable[[int, int], None]


def generate(
    config: DataConfig, out: Path, jobs: int = 2, progress: Report = lambda done, total: None
) -> Path:
    """Make the data set in directory `out`; finished parts of an earlier, killed run of the same config are
    kept.

    progress is told episodes flown and asked for. Raises UnknownNameError or ConfigError for a task or option
    that does not exist, BundleError for a policy, DataError for an `out` that is taken.
    """
    task, options = data_task(config.task, config.option)
    recipe = config.complete(task)
    load_policy(config.policy, task)  # refused here, not in every worker
    parts = out.with_name(out.name + ".parts")
    _refuse_existing(out, parts)
    parts.mkdir(parents=True, exist_ok=True)
    origin = _origin(recipe, task)
    _same_origin(parts / _CONFIG, origin)
    _make_parts(recipe, parts, jobs, progress)
    _merge(recipe, task, options, origin, parts, out)
    shutil.rmtree(parts)
    return out


def _refuse_existing(out: Path, parts: Path) -> None:
    """A run killed after its last rename has left its parts: they are of no use any more."""
    if (out / INFO).exists() and (parts / _CONFIG).exists():
        shutil.rmtree(parts)
    refuse_existing(out)


def _make_parts(recipe: Recipe, parts: Path, jobs: int, progress: Report) -> None:
    missing = [p for p in range(part_count(recipe)) if not part_file(parts, p).exists()]
    done = recipe.total - sum(len(part_numbers(recipe, p)) for p in missing)
    progress(done, recipe.total)
    if not missing:
        return
    with _pool(min(jobs, len(missing))) as pool:
        futures = {pool.submit(make_part, recipe, p, parts): p for p in missing}
        try:
            for future in as_completed(futures):
                future.result()
                done += len(part_numbers(recipe, futures[future]))
                progress(done, recipe.total)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _pool(jobs: int) -> ProcessPoolExecutor:
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(max(jobs, 1), mp_context=context, initializer=_begin_worker)


def _begin_worker() -> None:
    """One thread; and never outlive a parent that was killed."""
    torch.set_num_threads(1)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _merge(
    recipe: Recipe, task: Task, options: dict[str, Any], origin: dict[str, Any], parts: Path, out: Path
) -> None:
    dropped: Counter[str] = Counter()
    made: list[Episode] = []
    for part in range(part_count(recipe)):
        flights = read_part(parts, part, task)
        made += flights.kept
        dropped.update(flights.dropped)
    if not made:
        why = ", ".join(f"{count} {reason}" for reason, count in sorted(dropped.items()))
        raise DataError(f"'{out}': none of {recipe.total} episodes was kept: {why}; use another policy")
    made = [made[i] for i in recipe.order([int(e.source) for e in made])]
    sources = [int(e.source) for e in made]
    _, centers = episode_starts(task, recipe.seed, sources)
    if centers is not None:
        made = [e._replace(centers=c.numpy()) for e, c in zip(made, centers, strict=True)]
    found = {"dropped": dict(sorted(dropped.items())), "sources": sources}
    write_data_set(out, Episodes.of(made), task, options, origin | found)


def _origin(recipe: Recipe, task: Task) -> dict[str, Any]:
    """What info.json says of how the data set was made."""
    config = recipe.config
    return {
        "source": "generate", "seed": config.seed, "start_seed": recipe.seed, "expert": config.policy,
        "policy_sha256": policy_hash(config.policy, task), "asked": recipe.total, "config": asdict(config),
    }  # fmt: skip


def policy_hash(policy: str, task: Task) -> str:
    """SHA-256 over the files of the pilot's bundle; empty for a policy without one."""
    try:
        bundle = find_bundle(policy, task.name)
    except BundleError:
        return ""
    files = (bundle / name for name in ("policy.json", "model.safetensors"))
    return sha256(b"".join(f.read_bytes() for f in files if f.is_file())).hexdigest()


def _same_origin(path: Path, origin: dict[str, Any]) -> None:
    """Parts of another command, or of another pilot of the same name, are not mixed in."""
    text = json.dumps(origin, indent=1)
    if path.exists() and path.read_text() != text:
        raise DataError(
            f"{path.parent}: holds parts made with another configuration; remove it to start over"
        )
    write_text(path, text)
