"""A file that notices a full disk before it loses a byte."""

import contextlib
import errno
import fcntl
import os
from pathlib import Path

FULL = (errno.ENOSPC, errno.EDQUOT)


class BallastedFile:
    """Writes without a buffer, which could not tell what a full disk has taken.

    When the disk is full it drops a ballast file and goes on from the byte where it stood; from then on
    `full` is true, and there is as much room as the ballast had, enough to close a bag.
    """

    def __init__(self, path: Path, ballast: Path, size: int) -> None:
        """Raises OSError when neither file nor ballast can be made."""
        self._ballast: Path | None = ballast
        with ballast.open("wb") as stream:
            os.posix_fallocate(stream.fileno(), 0, size)
        self._descriptor: int | None = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # `deqmpc data repair` looks at it
        self._position = 0
        self.full = False

    def tell(self) -> int:
        """Bytes written so far."""
        return self._position

    def write(self, data: bytes) -> int:
        """Write all of it. Raises OSError when even without the ballast there is no room."""
        if self._descriptor is None:
            raise ValueError("write to a closed file")
        left = memoryview(data)
        while left:
            try:
                written = os.write(self._descriptor, left)
            except OSError as error:
                self.full = self.full or error.errno in FULL
                if error.errno not in FULL or not self._release():
                    raise
                continue
            self._position += written
            left = left[written:]
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        """Close the file and remove the ballast; a second call does nothing."""
        self._release()
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            os.close(descriptor)

    def _release(self) -> bool:
        """Remove the ballast; False when that was done before."""
        if self._ballast is None:
            return False
        with contextlib.suppress(OSError):
            self._ballast.unlink()
        self._ballast = None
        return True
