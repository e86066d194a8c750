"""When a stack is ready."""

import http.server
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from backend.cli.stack import ready
from backend.cli.stack.ready import Readiness, ReadinessWatch, answers, questions
from backend.cli.stack.run import rendered
from backend.cli.stack.settings import StackSettings


class Answer(http.server.BaseHTTPRequestHandler):
    """Answers /ok with success and everything else with 503."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/ok" else 503)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as httpd:
        thread = threading.Thread(target=httpd.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{httpd.server_address[1]}"
        httpd.shutdown()
        thread.join()


def test_only_success_is_an_answer(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert answers(f"{server}/ok")
    assert not answers(f"{server}/busy")
    assert not answers("http://127.0.0.1:9/ok")


def test_a_program_that_speaks_no_http_does_not_answer() -> None:
    class Greeting(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.sendall(b"220 mail.example.org ready\r\n")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Greeting) as greeting:
        thread = threading.Thread(target=greeting.serve_forever, daemon=True)
        thread.start()
        address = f"http://127.0.0.1:{greeting.server_address[1]}/ok"
        answered = [answers(address), answers("http://127.0.0.1:99999/ok"), answers("http://a..b/ok")]
        greeting.shutdown()
        thread.join()
    assert answered == [False, False, False]


def watch(monkeypatch: pytest.MonkeyPatch, settings: StackSettings, answered: dict[str, list[bool]]) -> ReadinessWatch:
    monkeypatch.setattr(ready, "PAUSE", 0.001)

    def in_turn(left: list[bool]) -> Callable[[], bool]:
        return lambda: left.pop(0) if len(left) > 1 else left[0]

    asked = {name: in_turn(left) for name, left in answered.items()}
    monkeypatch.setattr(ready, "questions", lambda _: asked)
    return ReadinessWatch(settings, began=time.monotonic(), patience=0.2)


def wait(watching: ReadinessWatch) -> Readiness:
    watching.start()
    watching._thread.join(5)
    result = watching.result()
    assert result is not None
    return result


def test_ready_when_everyone_has_answered_once(monkeypatch: pytest.MonkeyPatch, settings: StackSettings) -> None:
    watching = watch(monkeypatch, settings, {"web": [False, True, False], "workers": [False, False, True]})
    assert watching.result() is None
    assert wait(watching).missing == ()


def test_who_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch, settings: StackSettings) -> None:
    result = wait(watch(monkeypatch, settings, {"web": [True], "flower": [False]}))
    assert result.missing == ("flower",)
    assert result.seconds >= 0.2


def test_a_stopped_watch_asks_no_more(monkeypatch: pytest.MonkeyPatch, settings: StackSettings) -> None:
    watching = watch(monkeypatch, settings, {"web": [False]})
    watching.stop()
    watching.start()
    watching.stop()
    assert not watching._thread.is_alive()


def test_whom_it_asks(settings: StackSettings) -> None:
    assert list(questions(settings)) == ["web", "flower", "workers"]
    assert list(questions(replace(settings, flower_port=None))) == ["web", "workers"]


@pytest.mark.parametrize(("missing", "title"), [((), "ready after 4.2 s"), (("web",), "web did not answer")])
def test_the_panel_says_what_listens_where(settings: StackSettings, missing: tuple[str, ...], title: str) -> None:
    text = rendered(settings, Readiness(seconds=4.2, missing=missing)).replace("│", "").replace("\n", "")
    assert title in text
    assert "http://127.0.0.1:8123" in text
    assert "http://127.0.0.1:5123/flower/" in text
    assert "operator_password" in "".join(text.split())
