"""Journal: the file of a study, which a writer killed in the middle of a line does not harm."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

__all__ = ["Journal"]

_BLOCK = 4096


class Journal(JournalFileBackend):
    """Optuna's journal, a line of JSON a record. What is behind the last whole line goes before the next is written;
    Optuna itself would go on in that line, which nobody could read again.

    Parameters
    ----------
    path : str
        The file; it is made where it is not there.
    """

    def __init__(self, path: str) -> None:
        self._guard = JournalFileOpenLock(path)
        self._journal = Path(path)
        super().__init__(path, lock_obj=JournalFileOpenLock(path))

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Write records, each a line."""
        if not self._is_whole():
            self._guard.acquire()
            try:
                self._cut()
            finally:
                self._guard.release()
        super().append_logs(logs)

    def _is_whole(self) -> bool:
        with self._journal.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - 1))
            return file.read() in (b"", b"\n")

    def _cut(self) -> None:
        """Cut what is behind the last whole line; the lock is held, so nobody is writing it."""
        with self._journal.open("r+b") as file:
            size = file.seek(0, 2)
            while size:
                begin = max(0, size - _BLOCK)
                file.seek(begin)
                last = file.read(size - begin).rfind(b"\n")
                if last >= 0:
                    size = begin + last + 1
                    break
                size = begin
            file.truncate(size)
