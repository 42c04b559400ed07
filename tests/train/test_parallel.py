"""Two processes that share every batch make the run that one process makes."""

import multiprocessing
import os
from datetime import timedelta
from pathlib import Path

import pytest
import torch
from torch import distributed

from deqmpc_core.errors import ConfigError
from deqmpc_core.tasks import load_task
from deqmpc_train.checkpoint import load_checkpoint
from deqmpc_train.config import Overrides
from deqmpc_train.data import load_episodes
from deqmpc_train.parallel import Group, chosen_device, joined
from deqmpc_train.train import run
from deqmpc_train.trainer import Trainer
from deqmpc_train.tuned import tuned


def _train(data: Path, place: Path, group: Group) -> None:
    """Four steps on batches of 9, which two cannot share evenly."""
    task = load_task("crazyflie")
    few = Overrides(rounds=2, steps=4, batch=9, validate_every=2, checkpoint_every=4, ema=0.5)
    config = tuned("crazyflie", "deqmpc-deq", "smoke", few)
    run(Trainer(config, task, load_episodes(data, task), place, group))


def _join(store: str, rank: int) -> None:
    wait = timedelta(seconds=60)
    distributed.init_process_group("gloo", init_method=store, rank=rank, world_size=2, timeout=wait)


def _second(data: Path, place: Path, store: str) -> None:
    torch.set_num_threads(1)
    _join(store, 1)
    _train(data, place, Group(1, 2))
    distributed.destroy_process_group()


def test_two_gloo_ranks_equal_one_process(data: Path, tmp_path: Path) -> None:
    """The second is a fork, which saves it the imports; with one thread each no pool is inherited."""
    torch.set_num_threads(1)
    store = f"file://{tmp_path / 'store'}"
    other = multiprocessing.get_context("fork").Process(target=_second, args=(data, tmp_path / "two", store))
    other.start()
    _train(data, tmp_path / "one", Group())
    _join(store, 0)
    try:
        _train(data, tmp_path / "two", Group(0, 2))
    finally:
        distributed.destroy_process_group()
        other.join(60)
    assert other.exitcode == 0
    one, two = (load_checkpoint(tmp_path / name / "last") for name in ("one", "two"))
    assert two.notes["best_error"] == pytest.approx(one.notes["best_error"], abs=1e-6)
    for name, value in one.tensors.items():
        if name.startswith(("network.", "ema.")):
            assert torch.allclose(two.tensors[name], value, rtol=0.0, atol=1e-6), name
    assert not torch.equal(one.tensors["network.outlet.weight"], torch.zeros(()))


def test_a_group_of_one_is_plain_and_devices_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with joined(torch.device("cpu")) as group:
        assert group == Group() and group.share(7) == slice(0, 7)
    shares = [Group(r, 3).share(10) for r in range(3)]
    assert [s.stop for s in shares[:-1]] == [s.start for s in shares[1:]] and shares[-1].stop == 10
    for name in ("gpu", "cuda:99"):
        with pytest.raises(ConfigError, match="--device"):
            chosen_device(name)
    assert chosen_device("cpu").type == "cpu" and os.environ.get("LOCAL_RANK") is None
