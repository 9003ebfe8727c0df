"""The state directory: private, locked by one process, with this node's name."""

from __future__ import annotations

import fcntl
import os
import shutil
import uuid
from pathlib import Path

from querysvc.errors import ErrorCode, QueryServiceError


class StateDirectory:
    """A directory that this process alone uses while it is open."""

    def __init__(self, root: Path) -> None:
        self.root = root.expanduser().absolute()
        try:
            self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._descriptor = os.open(self.root / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise QueryServiceError(
                ErrorCode.CONFIGURATION_INVALID,
                f"state directory {self.root} cannot be used: {error.strerror}",
            ) from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._descriptor)
            raise QueryServiceError(
                ErrorCode.CONFIGURATION_INVALID,
                f"state directory {self.root} is in use by another process; stop it, or give this"
                " one another --state-dir",
            ) from None

    @property
    def database(self) -> Path:
        """The SQLite file."""
        return self.root / "state.db"

    @property
    def results(self) -> Path:
        """Where results are spooled."""
        return self.root / "results"

    @property
    def key_file(self) -> Path:
        """The key that seals the secrets of key pairs."""
        return self.root / "secret.key"

    def scratch(self) -> Path:
        """Where workers spill; made if need be."""
        path = self.root / "scratch"
        path.mkdir(exist_ok=True, mode=0o700)
        return path

    def staging(self) -> Path:
        """Where files of writes are made before they are uploaded; empty at start."""
        path = self.root / "writes"
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(mode=0o700)
        return path

    def node_name(self) -> str:
        """This node's name, the same after every restart: its leases are known by it."""
        path = self.root / "node"
        if not path.exists():
            draft = path.with_suffix(".draft")
            draft.write_text(uuid.uuid4().hex)
            draft.replace(path)
        return path.read_text()

    def close(self) -> None:
        """Let another process use the directory."""
        os.close(self._descriptor)
