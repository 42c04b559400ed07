"""Training: it learns, resumes to the same bytes, guards against NaN, and leaves a sound bundle."""

import resource
from pathlib import Path

import pytest
import torch

from deqmpc_core.bundle import load_policy, verify_bundle
from deqmpc_core.errors import BundleError, ConfigError, TrainingError, UnknownNameError
from deqmpc_core.tasks import load_task
from deqmpc_train.checkpoint import load_checkpoint
from deqmpc_train.config import Overrides, TrainConfig
from deqmpc_train.data import load_episodes
from deqmpc_train.train import run
from deqmpc_train.trainer import Trainer
from deqmpc_train.tune import tune
from deqmpc_train.tuned import tuned
from deqmpc_train.verbs import policies as policies_verb
from deqmpc_train.verbs import train as train_verb

TASK = load_task("crazyflie")


def config(variant: str = "deqmpc-deq", **changes: float) -> TrainConfig:
    few = {"rounds": 2, "steps": 6, "batch": 8, "validate_every": 3, "checkpoint_every": 3}
    return tuned("crazyflie", variant, "smoke", Overrides(**{**few, **changes}))  # type: ignore[arg-type]


def trainer(data: Path, run_dir: Path, made: TrainConfig | None = None) -> Trainer:
    return Trainer(made or config(), TASK, load_episodes(data, TASK), run_dir)


@pytest.mark.parametrize("variant", ["deqmpc-deq", "deqmpc-nn", "diffmpc-deq", "diffmpc-nn"])
def test_the_loss_falls(data: Path, tmp_path: Path, variant: str) -> None:
    apprentice = trainer(data, tmp_path / "run", config(variant, steps=25, batch=16, learning_rate=1e-2))
    losses = [apprentice.train_step().eq13 for _ in range(25)]
    assert sum(losses[-5:]) < 0.9 * sum(losses[:5])


def test_a_resumed_run_equals_an_undisturbed_one(data: Path, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    run(trainer(data, tmp_path / "whole"))
    stopped = trainer(data, tmp_path / "parts")
    for _ in range(3):
        stopped.train_step()
    stopped.validate()
    stopped.save()
    stopped.train_step()  # lost by the kill
    torch.manual_seed(99)
    resumed = trainer(data, tmp_path / "parts")
    resumed.resume()
    run(resumed)
    for name in ("last", "best"):
        whole, parts = (load_checkpoint(tmp_path / d / name) for d in ("whole", "parts"))
        assert whole.step == parts.step and whole.notes == parts.notes
        assert whole.tensors.keys() == parts.tensors.keys()
        for key, value in whole.tensors.items():
            assert key == "random" or torch.equal(value, parts.tensors[key]), key


def test_another_configuration_is_refused_by_name(data: Path, tmp_path: Path) -> None:
    first = trainer(data, tmp_path / "run")
    first.save()
    with pytest.raises(ConfigError, match="made with other batch;"):
        trainer(data, tmp_path / "run", config(batch=9)).resume()


def test_a_kill_between_two_renames_loses_nothing(data: Path, tmp_path: Path) -> None:
    first = trainer(data, tmp_path / "run")
    first.save()
    (tmp_path / "run" / "last").rename(tmp_path / "run" / ".last-old")
    trainer(data, tmp_path / "run").resume()


def test_a_disk_that_fills_during_a_checkpoint_keeps_the_older(data: Path, tmp_path: Path) -> None:
    """The kernel refuses to write on after 20 kB of a file."""
    apprentice = trainer(data, tmp_path / "run")
    apprentice.save()
    before = (tmp_path / "run" / "last" / "checkpoint.safetensors").read_bytes()
    apprentice.train_step()
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        with pytest.raises(TrainingError, match="step 1: cannot write checkpoint.*before it is intact"):
            apprentice.save()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    assert (tmp_path / "run" / "last" / "checkpoint.safetensors").read_bytes() == before
    assert load_checkpoint(tmp_path / "run" / "last").step == 0
    assert sorted(p.name for p in (tmp_path / "run").iterdir()) == ["clock.json", "last"]


def test_every_learning_rate_gets_the_same_short_run_once(data: Path, tmp_path: Path) -> None:
    """A broken-off choice goes on, a finished rate is not trained again, one that blows up loses."""
    made, started = config(steps=40), []

    def make(changed: TrainConfig, place: Path) -> Trainer:
        started.append(changed.learning_rate)
        return trainer(data, place, changed)

    def stop_at_the_second(apprentice: Trainer) -> None:
        if len(started) == 2:
            raise KeyboardInterrupt
        run(apprentice)

    grid = (1e-9, 1e30, 3e-3)
    with pytest.raises(KeyboardInterrupt):
        tune(made, grid, tmp_path / "tune", make, stop_at_the_second)
    choice = tune(made, grid, tmp_path / "tune", make, run)
    assert started == [1e-9, 1e30, 1e30, 3e-3] and choice.steps == 4
    finite = {rate: error for rate, error in choice.errors.items() if error is not None}
    assert choice.errors[1e30] is None and choice.rate == min(finite, key=lambda r: finite[r])
    again = tune(made, grid, tmp_path / "tune", make, run)
    assert again == choice and len(started) == 4


def test_the_guard_names_the_tensor_and_keeps_the_batch(data: Path, tmp_path: Path) -> None:
    apprentice = trainer(data, tmp_path / "run")
    with torch.no_grad():
        apprentice.network.outlet.bias[0] = torch.nan
    with pytest.raises(TrainingError, match=r"step 0: outlet.bias is not finite.*failed-batch-0.safetensors"):
        apprentice.train_step()
    assert (tmp_path / "run" / "failed-batch-0.safetensors").is_file()


def test_a_damaged_checkpoint_is_named(data: Path, tmp_path: Path) -> None:
    apprentice = trainer(data, tmp_path / "run")
    apprentice.save()
    (tmp_path / "run" / "last" / "checkpoint.safetensors").write_bytes(b"x" * 40)
    with pytest.raises(BundleError, match="cannot read checkpoint"):
        apprentice.resume()


def test_configurations_survive_json_and_refuse_what_they_do_not_know() -> None:
    made = config()
    assert TrainConfig.from_json(made.to_json()) == made
    with pytest.raises(UnknownNameError, match="'bach'; did you mean 'batch'"):
        TrainConfig.from_json(made.to_json() | {"bach": 3})
    with pytest.raises(ConfigError, match="nothing to train"):
        tuned("crazyflie", "goal-mpc")


def test_the_verbs_make_and_verify_a_bundle(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, run_dir = tmp_path / "crazyflie-deqmpc-nn", tmp_path / "run"
    options = [
        "--variant",
        "deqmpc-nn",
        "--data",
        str(data),
        "--budget",
        "smoke",
        "--steps",
        "3",
        "--rounds",
        "2",
    ]
    places = ["--out", str(out), "--run-dir", str(run_dir)]
    assert train_verb.main([*options, *places]) == 0
    assert verify_bundle(out) < 1e-6 and load_policy(out).config.variant == "deqmpc-nn"
    assert policies_verb.main(["verify", str(out)]) == 0
    assert train_verb.main([*options, *places]) == 2
    assert "--resume" in capsys.readouterr().err
    assert train_verb.main([*options, *places, "--resume"]) == 0
