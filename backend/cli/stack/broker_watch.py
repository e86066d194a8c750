"""Keeps the embedded broker running as long as the stack does: nothing else would start it again."""

from __future__ import annotations

from collections.abc import Callable

from backend.cli.stack.broker import EmbeddedBroker
from backend.cli.stack.restarts import Restarts
from backend.errors import ConfigurationError, TemporaryFailure


class BrokerWatch:
    """Starts a broker again that ended by itself; its queues come back from its file."""

    def __init__(
        self,
        broker: EmbeddedBroker,
        restarts: Restarts,
        *,
        announce: Callable[[str], None],
        give_up: Callable[[int], None],
    ) -> None:
        """Prepare.

        announce: told in a line what happened. give_up: called with the last status when the broker does not stay up.
        """
        self._broker = broker
        self._restarts = restarts
        self._announce = announce
        self._give_up = give_up

    def look(self) -> None:
        """Start the broker again if it has ended; returns at once."""
        status = self._broker.ended
        if status is None:
            return
        if not self._restarts.allow("broker"):
            self._give_up(status)
            return
        try:
            self._broker.start_again()
        except (OSError, ConfigurationError, TemporaryFailure) as error:
            self._announce(f"broker ended by itself (status {status}) and cannot be started again: {error}")
            self._give_up(status)
        else:
            self._announce(f"broker ended by itself (status {status}); started again, with its queues.")
