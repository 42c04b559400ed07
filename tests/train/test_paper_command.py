"""One figure by its command, at smoke budget; then how its jobs stand."""

from pathlib import Path

from deqmpc_core.files import read_json
from deqmpc_train.paper.catalogue import FIGURES
from deqmpc_train.verbs import paper as paper_verb
from deqmpc_train.verbs import sweep as sweep_verb


def test_a_figure_is_made_by_its_command_and_not_computed_again(tmp_path: Path) -> None:
    out, store, told = tmp_path / "out", tmp_path / "store", tmp_path / "told.json"
    words = ["fig10", "--budget", "smoke", "--store", str(store)]
    assert paper_verb.main([*words, "--out", str(out)]) == 0
    figure = read_json(out / "fig10.json")
    assert len(figure["claims"]) == len(FIGURES["fig10"].claims) and len(figure["cells"]) == 4 * 6
    assert {c["verdict"] for c in figure["claims"]} == {"too noisy to say"}
    assert "--budget smoke" in figure["command"]
    assert (out / "fig10.png").is_file() and "fig10.png" in (out / "fig10.md").read_text()

    made = {file: file.stat().st_mtime for file in store.glob("*/result.json")}
    assert sweep_verb.main([*words, "--status", "--json", str(told)]) == 0
    kinds = {row["kind"]: row for row in read_json(told)["kinds"]}
    assert kinds["all"]["jobs"] == kinds["all"]["done"] == len(made) and kinds["train"]["done"] == 4
    assert sweep_verb.main(words) == 0
    assert made == {file: file.stat().st_mtime for file in store.glob("*/result.json")}
