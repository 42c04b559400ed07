"""Where acceptance runs keep what they measured."""

import hashlib
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def kept_under() -> Callable[..., Path]:
    """kept_under(4, "src", "models"): runs/accept-4/<digest of those folders as they are committed>, a folder
    of its own while they have changes."""

    def folder(issue: int, *parts: str) -> Path:
        digest = hashlib.sha256("\n".join(_git("rev-parse", f"HEAD:{part}") for part in parts).encode())
        changed = "-changed" if _git("status", "--porcelain", *parts) else ""
        place = ROOT / "runs" / f"accept-{issue}" / (digest.hexdigest()[:12] + changed)
        place.mkdir(parents=True, exist_ok=True)
        return place

    return folder


def _git(*words: str) -> str:
    return subprocess.run(
        ["git", *words], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.strip()
