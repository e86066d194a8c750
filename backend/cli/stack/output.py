"""Where the output of the stack's processes goes: the terminal, a log file for each, and the last lines in memory."""

from __future__ import annotations

import logging
import sys
from collections import deque
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import TextIO

from honcho.printer import Message, Printer

from backend.cli.messages import visible

LOG_BYTES = 5_000_000
"""A log file's size before it is put aside; one older file is kept."""

LAST_LINES = 15
"""How many lines of a process are shown when it ends by itself."""


class StackPrinter(Printer):  # type: ignore[misc]  # honcho carries no types
    """honcho's printer, which also keeps log files, and lets no process steer the terminal."""

    def __init__(self, *, log_dir: Path, quiet: bool, output: TextIO | None = None) -> None:
        """Print to `output` (default stdout) with a prefix per line; quiet leaves the terminal to `announce`."""
        super().__init__(output=output or sys.stdout)
        self.log_dir = log_dir
        self.quiet = quiet
        self._handlers: dict[str, RotatingFileHandler] = {}
        self._last: dict[str, deque[str]] = {}
        log_dir.mkdir(parents=True, exist_ok=True, mode=0o700)

    def write(self, message: Message) -> None:
        """Take one message of honcho's: a piece of a process's output."""
        data = message.data
        text = data.decode("utf-8", "replace") if isinstance(data, bytes) else data
        for line in text.rstrip("\r\n").split("\n"):
            shown = visible(line.rstrip("\r"))
            self._keep(message.name, f"{message.time:%Y-%m-%d %H:%M:%S} {shown}", shown)
            if not self.quiet:
                super().write(message._replace(data=shown))

    def announce(self, text: str) -> None:
        """Print what a person must see, in quiet mode too."""
        print(text, file=self.output, flush=True)

    def last_lines(self, name: str) -> list[str]:
        """Return the last lines that a process wrote."""
        return list(self._last.get(name, ()))

    def close(self) -> None:
        """Close the log files."""
        for handler in self._handlers.values():
            handler.close()
        self._handlers.clear()

    def _keep(self, name: str, stamped: str, line: str) -> None:
        self._last.setdefault(name, deque(maxlen=LAST_LINES)).append(line)
        if name not in self._handlers:
            file = self.log_dir / f"{name}.log"
            self._handlers[name] = RotatingFileHandler(file, maxBytes=LOG_BYTES, backupCount=1, encoding="utf-8")
        self._handlers[name].emit(logging.LogRecord(name, logging.INFO, "", 0, stamped, None, None))
