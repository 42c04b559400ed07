"""A disk of a few megabytes for one process: a tmpfs that only it sees (Linux, its own mount namespace)."""

import ctypes
import os
from pathlib import Path

NEW_MOUNTS, NEW_USER = 0x00020000, 0x10000000
RECURSIVE_PRIVATE = 0x4000 | 0x40000


def mount_small_disk(place: Path, size: int) -> None:
    """To be called between fork and exec: from here on `place`, an existing folder, has `size` bytes.

    Root needs a mount namespace, others a user namespace as well. Raises OSError where neither is allowed.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    user, group, root = os.getuid(), os.getgid(), os.geteuid() == 0
    _done(libc.unshare(NEW_MOUNTS | (0 if root else NEW_USER)), "unshare")
    if not root:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    _done(libc.mount(b"none", b"/", None, RECURSIVE_PRIVATE, None), "mount /")
    options = f"size={size},mode=0777".encode()
    _done(libc.mount(b"tmpfs", str(place).encode(), b"tmpfs", 0, options), f"mount {place}")


def possible(place: Path) -> bool:
    """Whether a child may mount such a disk on this machine."""
    child = os.fork()
    if child == 0:
        try:
            mount_small_disk(place, 1_000_000)
            os._exit(0)
        except BaseException:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def _done(result: int, what: str) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")
