"""The README's table, and the cards, are what the bundles' eval.json say."""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from deqmpc_core.bundle import load_policy, read_config
from deqmpc_core.files import read_json
from deqmpc_train.card import model_card
from deqmpc_train.results_table import PART, bundles, results_table
from deqmpc_train.tuned import tuned
from deqmpc_train.verbs import policies as policies_verb

ROOT = Path(__file__).resolve().parents[2]
PUBLISHED = bundles(ROOT / "models")
BEGIN, END = f"<!-- {PART} -->", "<!-- end -->"
ROW = {
    "task": "pendulum", "iterations": 1, "cold": False, "normalised_return": 0.95,
    "normalised_interval": [0.94, 0.96], "return_mean": -100.0, "failure_rate": 0.0, "success_rate": 1.0,
    "validation_error": 0.01, "ms_per_step": 1.5,
}  # fmt: skip


def bundle(models: Path, task: str, variant: str, rows: Sequence[Mapping[str, object]]) -> None:
    place = models / f"{task}-{variant}"
    place.mkdir(parents=True)
    (place / "policy.json").write_text(json.dumps({"task": task, "variant": variant}))
    told = {"training": {"validation_error": 0.02}} | ({"evaluation": rows} if rows else {})
    (place / "eval.json").write_text(json.dumps(told))


def test_the_table_goes_between_the_markers_and_is_checked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models, page = tmp_path / "models", tmp_path / "README.md"
    bundle(models, "pendulum", "diffmpc-nn", [])
    bundle(models, "pendulum", "deqmpc-deq", [ROW, ROW | {"iterations": 2}, ROW | {"cold": True}])
    bundle(models, "pendulum", "expert-mpc", [ROW])
    lines = results_table(models).splitlines()
    assert [line.split(" | ")[1] for line in lines[2:]] == [
        "pendulum-deqmpc-deq", "pendulum-deqmpc-deq, 2 rounds", "pendulum-deqmpc-deq, cold",
        "pendulum-diffmpc-nn",
    ]  # fmt: skip
    assert "0.950 [0.940, 0.960]" in lines[2] and "0.0200" in lines[-1]
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    words = ["table", "--models", str(models), "--readme", str(page)]
    assert policies_verb.main([*words, "--check"]) == 1
    assert policies_verb.main(words) == 0 and policies_verb.main([*words, "--check"]) == 0
    text = page.read_text()
    assert text.startswith(f"before\n{BEGIN}\n| task") and text.endswith(f"{END}\nafter\n")
    page.write_text("no markers\n")
    assert policies_verb.main(words) == 2
    assert "to put 'results' between" in " ".join(capsys.readouterr().err.split())


def test_times_are_measured_again_and_the_rest_stays(tmp_path: Path) -> None:
    place = tmp_path / "crazyflie-deqmpc-nn"
    shutil.copytree(ROOT / "models" / place.name, place)
    file = place / "eval.json"
    told = json.loads(file.read_text())
    told["evaluation"] = [row | {"ms_per_step": -1.0} for row in told["evaluation"]]
    file.write_text(json.dumps(told))
    assert policies_verb.main(["time", str(place)]) == 0
    fresh = json.loads(file.read_text())
    times = ("ms_per_step", "ms_network", "ms_solver")
    for row, old in zip(fresh["evaluation"], told["evaluation"], strict=True):
        assert row["ms_per_step"] > 0.0
        assert {k: v for k, v in row.items() if k not in times} == {
            k: v for k, v in old.items() if k not in times
        }
    assert fresh["training"] == told["training"]


def test_the_committed_readme_holds_the_committed_results() -> None:
    words = ["table", "--models", str(ROOT / "models"), "--readme", str(ROOT / "README.md"), "--check"]
    assert policies_verb.main(words) == 0


@pytest.mark.parametrize("place", PUBLISHED, ids=lambda place: place.name)
def test_a_published_policy_has_the_card_of_its_figures_and_the_tuned_rate(place: Path) -> None:
    told, config = read_json(place / "eval.json"), read_config(place)
    card = (place / "README.md").read_text()
    assert card == model_card(place.name, load_policy(str(place)), told)
    rate = told["training"]["config"]["learning_rate"]
    assert f"--data data/{config.task}" in card and f"{told['training']['validation_error']:.4f}" in card
    assert tuned(config.task, config.variant).learning_rate == rate
