"""Where acceptance runs keep what they measured, and git as they ask it."""

import hashlib
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def kept_under(issue: int, *parts: str) -> Path:
    """runs/accept-<issue>/<digest of those folders as they are committed>; one of its own while they have
    changes."""
    digest = hashlib.sha256("\n".join(git("rev-parse", f"HEAD:{part}") for part in parts).encode())
    changed = "-changed" if git("status", "--porcelain", *parts) else ""
    folder = ROOT / "runs" / f"accept-{issue}" / (digest.hexdigest()[:12] + changed)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def git(*words: str) -> str:
    """What git prints."""
    return subprocess.run(
        ["git", *words], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.strip()
