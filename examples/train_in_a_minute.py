"""Train DEQ-MPC in a minute: an expert swings pendulums up, a policy learns to do the same in 0.25 s of plan.

Run: python examples/train_in_a_minute.py
"""

import tempfile
from pathlib import Path

import torch

from deqmpc_core.tasks import load_task
from deqmpc_train.config import Overrides
from deqmpc_train.data import DataConfig, generate
from deqmpc_train.eval import Evaluation, Plan, evaluate
from deqmpc_train.train import Places, train
from deqmpc_train.tuned import tuned

TASK, VARIANT = "pendulum", "deqmpc-nn"
EPISODES, STEPS, JUDGED = 60, 300, 50  # flights of the expert, steps of training, flights of the judges
HIDDEN = 32


def learn(folder: Path) -> Path:
    """The bundle of a policy that imitates the task's expert."""
    places = Places(folder / "data", folder / f"{TASK}-{VARIANT}", folder / "run")
    generate(DataConfig(TASK, episodes=EPISODES), places.data, jobs=1)
    train(tuned(TASK, VARIANT, overrides=Overrides(steps=STEPS, hidden=HIDDEN)), places)
    return places.out


def judge(bundle: Path) -> Evaluation:
    """The policy and an MPC of the same horizon without network, from the same starts."""
    return evaluate([str(bundle), "goal-mpc"], load_task(TASK), Plan(JUDGED))


if __name__ == "__main__":
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        for row in judge(learn(Path(folder))).results:
            print(f"{row.policy}: return {row.flight.return_mean:.1f}, success {row.flight.success_rate:.0%}")
