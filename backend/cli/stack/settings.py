"""How one stack runs: decided once, before anything starts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from backend.config.environment import Environment

OPERATOR = "operator"
"""The user that the first start makes, and the one that Flower knows."""

OPERATOR_PASSWORD = "operator_password"  # noqa: S105  (a file's name)
"""The file below `<data>/secrets/` that holds the operator's password."""

HOST = "127.0.0.1"
"""The embedded stack is for one machine; it never listens to another."""


@dataclass(frozen=True)
class StackSettings:
    """The settings of one `repomill up`."""

    environment: Environment
    web_port: int
    flower_port: int | None
    """None: the stack runs without Flower."""
    quiet: bool = False
    """Write the processes' output to the log files only."""

    @property
    def web_url(self) -> str:
        """Where this stack's web process listens."""
        return f"http://{HOST}:{self.web_port}"

    @property
    def flower_url(self) -> str:
        """Where Flower shows its pages; empty without Flower."""
        return f"http://{HOST}:{self.flower_port}/flower/" if self.flower_port else ""

    @property
    def browser_url(self) -> str:
        """Where browsers reach the web process: this stack's own unless REPOMILL_WEB_URL names another."""
        own = self.web_url if self.web_port else self.environment.backend_url
        return self.environment.web_url or own

    @property
    def log_dir(self) -> Path:
        """Where each process has its log file."""
        return self.environment.data_dir / "log"

    @property
    def flower_config(self) -> Path:
        """Flower's generated configuration; it holds the operator's password and has mode 0600."""
        return self.environment.data_dir / "flower" / "flower_config.py"

    @property
    def operator_password_file(self) -> Path:
        """Where the operator reads the password."""
        return self.environment.secrets_dir / OPERATOR_PASSWORD
