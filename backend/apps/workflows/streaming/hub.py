"""Tells listeners what is new: one task looks for all of them, in one thread with one connection."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from django.db import connection

from backend.apps.workflows.streaming.news import BATCH, Frame, Place, Watcher, read_news, still_allowed

logger = logging.getLogger(__name__)
Answer = TypeVar("Answer")

PAUSE = 0.25
"""Seconds between two looks."""
RECHECK = 10.0
"""Seconds after which it is asked again whether each listener may still listen."""


class Listener:
    """One stream: what is to be sent next, which is never more than a batch, and how far it has come.

    Who reads slowly is asked for again when the batch has been sent; nothing piles up for them.
    """

    def __init__(self, watcher: Watcher, *, after: int) -> None:
        self.watcher = watcher
        self.position = after
        self.over = False
        self._waiting: deque[bytes] = deque()
        self._something = asyncio.Event()

    @property
    def place(self) -> Place:
        """Where in the history this listener is."""
        return self.watcher.execution_id, self.position

    @property
    def hungry(self) -> bool:
        """Whether all that was told has been taken."""
        return not self._waiting and not self.over

    def tell(self, frames: list[Frame]) -> None:
        """Give what comes next."""
        if frames:
            self._waiting.extend(frame.text for frame in frames)
            self.position = frames[-1].sequence
            self._something.set()

    def end(self, kind: str, **data: Any) -> None:  # noqa: ANN401  (JSON)
        """Say a last word after all that was told."""
        self._waiting.append(f"event: {kind}\ndata: {json.dumps(data)}\n\n".encode())
        self.over = True
        self._something.set()

    async def take(self, *, patience: float) -> bytes:
        """Return what is to be sent next; nothing after `patience` seconds without news."""
        try:
            await asyncio.wait_for(self._something.wait(), patience)
        except TimeoutError:
            return b""
        self._something.clear()
        text = b"".join(self._waiting)
        self._waiting.clear()
        return text


class Hub:
    """The listeners of one process. It looks for news while there is one, and rests otherwise."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._listeners: set[Listener] = set()
        self._task: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="event-stream")
        self._clock = clock
        self._checked = clock()

    def __len__(self) -> int:
        return len(self._listeners)

    def join(self, listener: Listener) -> None:
        """Tell this listener what is new from now on."""
        self._listeners.add(listener)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())

    def leave(self, listener: Listener) -> None:
        """Forget a listener."""
        self._listeners.discard(listener)

    async def _run(self) -> None:
        while self._listeners:
            more = False
            try:
                more = await self._round()
            except Exception:
                # Whatever it was, the listeners are still there; mostly the database was not.
                logger.exception("What is new could not be found out; it is tried again")
                await self._in_thread(connection.close)
            if not more:
                await asyncio.sleep(PAUSE)
        # Nobody can have joined since: there was no await.
        self._task = None
        self._thread.submit(connection.close)

    async def _round(self) -> bool:
        """Look once, and tell. Returns whether there is more to be read at once."""
        if self._clock() - self._checked >= RECHECK:
            await self._recheck()
        places = {listener.place for listener in self._listeners if listener.hungry}
        if not places:
            return False
        news = await self._in_thread(read_news, places)
        more = False
        for listener in self._listeners:
            place = listener.place
            if place not in places or not listener.hungry:
                continue
            frames = news.frames.get(place, [])
            listener.tell(frames)
            if place in news.ended:
                listener.end("end", status=news.ended[place])
            more = more or len(frames) == BATCH
        return more

    async def _recheck(self) -> None:
        self._checked = self._clock()
        listening = list(self._listeners)
        allowed = await self._in_thread(still_allowed, {listener.watcher for listener in listening})
        for listener in listening:
            if listener.watcher not in allowed and not listener.over:
                listener.end("refused", code="not_found", detail="You may not see this execution any more.")

    async def _in_thread(self, work: Callable[..., Answer], *arguments: Any) -> Answer:  # noqa: ANN401
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)
