"""The shapes of ASGI that the applications in front of Django share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
# Frameworks spell the types of these three in many ways.
Application = Callable[[Any, Any, Any], Awaitable[None]]
