"""A broker that delivers everything more than once: what "at least once" allows it to do."""

from __future__ import annotations

from typing import Any


def deliver_three_times() -> None:
    """Have every message that this process sends put into its queue three times."""
    from kombu.transport.redis import Channel

    put = Channel._put

    def thrice(self: Any, queue: str, message: Any, **options: Any) -> None:
        for _ in range(3):
            put(self, queue, message, **options)

    Channel._put = thrice  # type: ignore[method-assign]
