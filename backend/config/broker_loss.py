"""Keeps a worker alive that loses its broker while it holds messages.

Closing a lost connection, kombu 5.7 gives back the messages that were not acknowledged; where the connection has let
go of its transport by then, that raises an AttributeError, which ends the worker's main process. Nothing is lost by
leaving them: the broker hands them out again, and the reconciler sooner.
"""

from __future__ import annotations

from typing import Any

from kombu.transport.virtual.base import QoS

_give_back = QoS.restore_unacked_once


def survive_broker_loss() -> None:
    """Let a connection that is gone keep what it holds."""
    QoS.restore_unacked_once = _give_back_if_connected  # type: ignore[method-assign]


def _give_back_if_connected(self: Any, stderr: Any = None) -> None:  # noqa: ANN401  (kombu is not typed)
    transport = self.channel.connection
    if transport is None or transport.client is not None:
        _give_back(self, stderr)
