"""One semantic version for all packages, the changelog included."""

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import deqmpc_core

ROOT = Path(__file__).resolve().parents[2]
SEMANTIC = r"\d+\.\d+\.\d+"


def test_every_package_and_the_changelog_say_the_same_version() -> None:
    said = {"deqmpc_core.__version__": deqmpc_core.__version__}
    for file in sorted((ROOT / "src").glob("*/setup.py")):
        (said[str(file)],) = re.findall(r'version="([^"]*)"', file.read_text())
    for file in (*sorted((ROOT / "src").glob("deqmpc*/package.xml")),
                 ROOT / "src/interfaces/deqmpc_interfaces/package.xml"):  # fmt: skip
        said[str(file)] = ElementTree.parse(file).getroot().findtext("version", "")
    (said["CHANGELOG.md"], *_) = re.findall(rf"^## ({SEMANTIC})", (ROOT / "CHANGELOG.md").read_text(), re.M)
    assert len(said) == 13 and len(set(said.values())) == 1, said
    assert re.fullmatch(SEMANTIC, deqmpc_core.__version__)
