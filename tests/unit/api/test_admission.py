"""At most so many requests at work at once, without anybody who is slow keeping the others waiting."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from backend.api.admission import Admission

REQUEST = {"type": "http.request", "body": b"", "more_body": False}
PART = {"type": "http.request", "body": b"a", "more_body": True}


class Server:
    """An application that works until it is told to answer, and counts how many it works at."""

    def __init__(self) -> None:
        self.asked = self.at_work = self.most = 0
        self.go_on = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        while (message := await receive()).get("more_body"):
            pass
        if message["type"] == "http.disconnect":
            return
        self.asked += 1
        self.at_work += 1
        self.most = max(self.most, self.at_work)
        await self.go_on.wait()
        self.at_work -= 1
        if scope.get("breaks"):
            raise ValueError
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"x"})


class Client:
    def __init__(self, **scope: Any) -> None:
        self.scope = {"type": "http", "path": "/api/v1/projects/", **scope}
        self.comes: asyncio.Queue[Any] = asyncio.Queue()
        self.got: list[Any] = []
        self.reads = asyncio.Event()
        self.reads.set()

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.body":
            await self.reads.wait()
        self.got.append(message)

    def ask(self, application: Any, *messages: Any) -> asyncio.Task[None]:
        for message in messages or (REQUEST,):
            self.comes.put_nowait(message)
        return asyncio.ensure_future(application(self.scope, self.comes.get, self.send))


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def test_a_crowd_is_served_in_turn() -> None:
    async def crowd() -> None:
        server = Server()
        application = Admission(server, most=3, patience=60)
        clients = [Client() for _ in range(20)]
        asked = [client.ask(application) for client in clients]
        await settle()
        assert server.at_work == 3
        server.go_on.set()
        await asyncio.gather(*asked)
        assert (server.most, server.at_work) == (3, 0)
        assert {client.got[0]["status"] for client in clients} == {200}

    asyncio.run(crowd())


@pytest.mark.parametrize("slow", ["sender", "reader", "failure"])
def test_who_is_slow_or_fails_keeps_no_turn(slow: str) -> None:
    async def both() -> None:
        server = Server()
        server.go_on.set()
        application = Admission(server, most=1, patience=60)
        first = Client(breaks=slow == "failure")
        if slow == "reader":
            first.reads.clear()
        held = first.ask(application, *([PART] if slow == "sender" else []))
        await settle()
        second = Client()
        await asyncio.wait_for(second.ask(application), 5)
        assert second.got[0]["status"] == 200
        assert held.done() == (slow == "failure")
        first.reads.set()
        first.comes.put_nowait(REQUEST)
        await asyncio.gather(held, return_exceptions=True)

    asyncio.run(both())


def test_who_waits_in_vain_is_asked_to_come_back() -> None:
    async def two() -> None:
        application = Admission(server := Server(), most=1, patience=0.01)
        held = Client().ask(application)
        await settle()
        late = Client()
        await late.ask(application)
        assert late.got[0]["status"] == 503
        assert dict(late.got[0]["headers"])[b"retry-after"]
        said = json.loads(late.got[1]["body"])
        assert (said["code"], said["status"], said["retryable"]) == ("temporary_failure", 503, True)
        watcher = Client(path="/healthz")
        server.go_on.set()
        await asyncio.gather(held, watcher.ask(application))
        assert watcher.got[0]["status"] == 200

    asyncio.run(two())


def test_who_leaves_while_waiting_is_not_worked_for() -> None:
    async def three() -> None:
        application = Admission(server := Server(), most=1, patience=60)
        first, gone, last = Client(), Client(), Client()
        held = first.ask(application)
        await settle()
        left = gone.ask(application)
        waiting = last.ask(application)
        await settle()
        gone.comes.put_nowait({"type": "http.disconnect"})
        await asyncio.wait_for(left, 5)
        assert (server.asked, server.at_work) == (1, 1)
        server.go_on.set()
        await asyncio.wait_for(asyncio.gather(held, waiting), 5)
        assert (server.asked, gone.got, last.got[0]["status"]) == (2, [], 200)

    asyncio.run(three())


@pytest.mark.parametrize("waited", [False, True])
def test_the_application_hears_that_its_client_left(waited: bool) -> None:
    async def two() -> None:
        application = Admission(server := Server(), most=1, patience=60)
        server.go_on.set()
        heard: list[Any] = []

        async def listens(scope: Any, receive: Any, send: Any) -> None:
            await receive()
            heard.append((await receive())["type"])

        application.application = listens
        holder = Client()
        if waited:
            application.application = server
            server.go_on.clear()
            held = holder.ask(application)
            await settle()
            application.application = listens
        client = Client()
        asked = client.ask(application)
        await settle()
        server.go_on.set()
        await settle()
        client.comes.put_nowait({"type": "http.disconnect"})
        await asyncio.wait_for(asked, 5)
        assert heard == ["http.disconnect"]
        if waited:
            await held

    asyncio.run(two())
