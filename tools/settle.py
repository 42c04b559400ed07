"""A bundle made anew with other settings of its solver and its network's search; the weights stay.

python tools/settle.py runs/NAME models/NAME mu_max=1e7 newton_steps=4 tolerance=3e-4 evaluations=10
"""

import json
import sys
from dataclasses import replace
from pathlib import Path

from deqmpc_core.bundle import load_policy, save_bundle
from deqmpc_core.files import read_json
from deqmpc_core.policies import make_policy
from deqmpc_train.card import model_card


def main(source: str, out: str, *settings: str) -> None:
    """Load, change, save with golden outputs of its own."""
    trained = load_policy(source)
    assert trained.network is not None, f"'{source}' has no network"
    words = (word.partition("=") for word in settings)
    config = replace(trained.config, **{name: json.loads(value) for name, _, value in words})
    policy = make_policy(config, trained.task)
    assert policy.network is not None
    policy.network.load_state_dict(trained.network.state_dict())
    told = {"training": read_json(Path(source) / "eval.json")["training"]}
    place = Path(out)
    save_bundle(policy, place, model_card(place.name, policy, told), told)


if __name__ == "__main__":
    main(*sys.argv[1:])
