"""Where acceptance runs keep what they measured, and the commands they call."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
FLOWN = (
    *(f"src/{name}" for name in ("deqmpc_core", "deqmpc_sim", "deqmpc_policy_node", "deqmpc", "interfaces")),
    "models", "config", "launch",
)  # fmt: skip
"""What a flight depends on."""
DEQMPC = [sys.executable, "-m", "deqmpc"]


def kept_under(issue: int, *parts: str) -> Path:
    """runs/accept-<issue>/<digest of those folders as they are committed>; one of its own while they have
    changes."""
    digest = hashlib.sha256("\n".join(git("rev-parse", f"HEAD:{part}") for part in parts).encode())
    changed = "-changed" if git("status", "--porcelain", *parts) else ""
    folder = ROOT / "runs" / f"accept-{issue}" / (digest.hexdigest()[:12] + changed)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def once(file: Path, make: Callable[[], Any]) -> Any:
    """What `make` gave the first time, as JSON keeps it."""
    if not file.exists():
        file.write_text(json.dumps(make(), indent=2) + "\n")
    return json.loads(file.read_text())


def deqmpc(*words: str, cwd: Path = ROOT) -> None:
    """Run the command; it must succeed."""
    subprocess.run([*DEQMPC, *words], cwd=cwd, check=True)


def git(*words: str) -> str:
    """What git prints."""
    return subprocess.run(
        ["git", *words], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.strip()
