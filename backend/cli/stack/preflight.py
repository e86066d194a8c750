"""What must be true before anything is started, each with one clear line when it is not."""

from __future__ import annotations

import shutil
import socket
import tempfile
from pathlib import Path

from backend.cli.errors import PortTaken
from backend.cli.stack.settings import HOST
from backend.errors import ConfigurationError


def prepare_data_folder(path: Path) -> None:
    """Make the data folder, private to this user, or check the one that is there.

    Raises ConfigurationError when it cannot be made or written.
    """
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryFile(dir=path):
            return
    except OSError as error:
        raise ConfigurationError(
            f"The data folder {path} cannot be written: {error.strerror}.",
            field="REPOMILL_DATA_DIR",
            hint="Set REPOMILL_DATA_DIR to a folder that this user may write.",
        ) from error


def require_git() -> None:
    """Raise ConfigurationError when git is not installed."""
    if shutil.which("git") is None:
        raise ConfigurationError("git was not found on PATH.", hint="Install it; on Debian: apt-get install git")


def choose_port(port: int, *, option: str) -> int:
    """Return a port of this machine that is free: the wanted one, or any for 0.

    Raises PortTaken, naming the option that chooses another.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As the servers themselves do it: a port whose last connection is only just closed is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
            probe.listen(1)
        except PermissionError as error:
            raise ConfigurationError(
                f"This user may not listen on port {port}.", field=option, hint=f"Choose one from 1024: {option} 8000"
            ) from error
        except OSError as error:
            raise PortTaken(
                f"Port {port} is in use by another program.",
                field=option,
                hint=f"Choose another: {option} 0 takes any.",
            ) from error
        return int(probe.getsockname()[1])
