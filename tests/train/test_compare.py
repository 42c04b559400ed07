"""The comparison: every variant once, from the same starts; what is finished stays, what failed is named."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from deqmpc_core.errors import ConfigError, TrainingError
from deqmpc_core.tasks import load_task
from deqmpc_train import compare
from deqmpc_train.compare import Comparison, train_all
from deqmpc_train.config import Overrides
from deqmpc_train.verbs import compare as compare_verb
from deqmpc_train.verbs import train as train_verb

TINY = Overrides(steps=10, rounds=2, batch=4, hidden=8)


class Inline:
    """A process that runs the verb here and now; `broken`: words that make it fail."""

    lines: list[list[str]] = []
    broken = "none"

    def __init__(self, words: list[str], **_: object) -> None:
        self.lines.append(words)
        self.returncode = 1 if self.broken in words else train_verb.main(words[3:])

    def poll(self) -> int:
        return self.returncode

    def terminate(self) -> None:
        raise AssertionError("it has ended")

    def wait(self) -> None:
        raise AssertionError("it has ended")


@pytest.fixture
def inline(monkeypatch: pytest.MonkeyPatch) -> type[Inline]:
    monkeypatch.setattr(compare.subprocess, "Popen", Inline)
    monkeypatch.setattr(compare, "_POLL", 0.0)
    monkeypatch.setattr(Inline, "lines", [])
    return Inline


def test_runs_alike_skips_what_is_finished_and_names_what_failed(
    data: Path, tmp_path: Path, inline: type[Inline], monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = Comparison(
        "crazyflie", data, tmp_path / "out", ("nn", "deqmpc-nn"), (0, 1), "smoke", (1e-3, 3e-3), 2, {}, TINY
    )
    monkeypatch.setattr(inline, "broken", "deqmpc-nn")
    with pytest.raises(TrainingError, match=r"not trained: crazyflie-deqmpc-nn \(see .*split1"):
        train_all(plan)
    monkeypatch.setattr(inline, "broken", "none")
    seen: dict[str, tuple[int, int]] = {}
    train_all(plan, lambda name, done, total: seen.update({name: (done, total)}))
    variants = [words[words.index("--variant") + 1] for words in inline.lines]
    assert variants == ["nn", "deqmpc-nn", "nn", "deqmpc-nn", "deqmpc-nn", "deqmpc-nn"]
    assert set(seen) == {"crazyflie-deqmpc-nn", "crazyflie-deqmpc-nn-split1"}
    assert all(done == total == 12 for done, total in seen.values())
    train_all(plan)
    assert len(inline.lines) == 6
    trained = [json.loads((r.bundle / "eval.json").read_text())["training"] for r in plan.runs()]
    assert all(set(t["learning_rates"]["errors"]) == {"0.001", "0.003"} for t in trained)
    assert [t["config"]["split"] for t in trained] == [0, 0, 1, 1]
    with pytest.raises(ConfigError, match="trained with other batch;"):
        train_all(replace(plan, overrides=replace(TINY, batch=5)))


def test_the_verb_flies_all_from_the_same_starts_and_only_once(
    data: Path, tmp_path: Path, inline: type[Inline], monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    short = replace(load_task("crazyflie"), episode_steps=3)
    monkeypatch.setattr(compare_verb, "load_task", lambda *_: short)
    words = ["--task", "crazyflie", "--data", str(data), "--out", str(tmp_path / "out"), "--variants", "nn",
             "deq", "--splits", "0", "1", "--budget", "smoke", "--grid", "1e-3", "--episodes", "3",
             "--steps", "10", "--rounds", "2", "--batch", "4", "--hidden", "8"]  # fmt: skip
    assert compare_verb.main(words) == 0
    found = json.loads((tmp_path / "out" / "compare.json").read_text())
    assert [v["variant"] for v in found["variants"]] == ["nn", "deq"]
    assert all(v["splits"] == 2 for v in found["variants"]) and len(found["policies"]) == 4
    first, second = (found["variants"][i]["return_mean"] for i in (0, 1))
    assert found["pairs"][0]["returns"] == pytest.approx(first - second)
    assert "| nn | 2 |" in (tmp_path / "out" / "compare.md").read_text()
    kept = json.loads((tmp_path / "out" / "models" / "crazyflie-nn" / "eval.json").read_text())
    assert kept["evaluation"][0]["return_mean"] and kept["training"]["steps"] == 10
    monkeypatch.setattr(compare_verb, "evaluate", lambda *_: pytest.fail("flown again"))
    assert compare_verb.main(words) == 0
    capsys.readouterr()
    assert compare_verb.main([*words, "--batch", "5"]) == 2
    assert "give the same options" in capsys.readouterr().err.replace("\n", " ")
