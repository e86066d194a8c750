"""A small API of the other layout: stories beside their projects, the project in the body, and no keys honoured.

Its OpenAPI document lies outside /api/v1/. It takes the tokens that this process mints, and can lose answers.
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.tokens import AccessToken

DOCUMENT_PATH = "/docs/openapi.json"
PREFIX = "/api/v1/projects/"


def _operation(name: str, *, body: bool = False) -> dict[str, Any]:
    content = {"content": {"application/json": {"schema": {"type": "object"}}}}
    return {"operationId": name, "responses": {"200": {"description": ""}}} | ({"requestBody": content} if body else {})


def document() -> dict[str, Any]:
    """Return its OpenAPI document."""
    paths: dict[str, Any] = {
        "/health/": {"get": _operation("health")},
        PREFIX + "{id}/": {"get": _operation("project")},
    }
    for noun in ("stories", "sprints"):
        paths[f"{PREFIX}{noun}/"] = {"get": _operation(f"{noun}_list"), "post": _operation(f"{noun}_new", body=True)}
        paths[f"{PREFIX}{noun}/{{id}}/"] = {"patch": _operation(f"{noun}_change", body=True)}
    return {"openapi": "3.0.3", "info": {"title": "flat", "version": "1"}, "paths": paths}


@dataclass
class FlatServer:
    """Serves on a free port until `stop`. `losing`: how many answers to POSTs under /api/v1/ it will lose."""

    losing: int = 0
    rows: dict[str, dict[str, dict[str, Any]]] = field(default_factory=lambda: {"stories": {}, "sprints": {}})
    requests: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                outer._serve(self)

            do_POST = do_PATCH = do_GET  # noqa: N815  (http.server's names)

            def log_message(self, format: str, *arguments: Any) -> None:
                """Keep quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.origin = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def stop(self) -> None:
        """End it."""
        self._server.shutdown()
        self._server.server_close()

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        url = urlsplit(handler.path)
        self.requests.append((handler.command, url.path))
        if url.path == DOCUMENT_PATH:
            self._answer(handler, 200, document())
            return
        try:
            AccessToken(handler.headers["Authorization"].removeprefix("Bearer "))  # type: ignore[arg-type]
        except TokenError:
            self._answer(handler, 401, {"detail": "Token is invalid."})
            return
        status, value = self._do(handler.command, url.path, parse_qs(url.query), json.loads(body or b"{}"))
        if handler.command == "POST" and status == 201 and self.losing:
            self.losing -= 1
            handler.close_connection = True
            return
        self._answer(handler, status, value)

    def _do(self, verb: str, path: str, query: dict[str, list[str]], data: dict[str, Any]) -> tuple[int, Any]:
        noun, _, identifier = path.removeprefix(PREFIX).rstrip("/").partition("/")
        rows = self.rows.get(noun) if path.startswith(PREFIX) else None
        if rows is None:
            return (
                (200, {"id": noun}) if verb == "GET" and path == f"{PREFIX}{noun}/" else (404, {"detail": "Not found."})
            )
        if verb == "POST" and not identifier:
            row = {**data, "id": str(uuid4())}
            rows[row["id"]] = row
            return 201, row
        if verb == "PATCH" and identifier in rows:
            rows[identifier].update(data)
            return 200, rows[identifier]
        if verb == "GET" and not identifier:
            found = [row for row in rows.values() if [row["project"]] == query.get("project")]
            return 200, {"count": len(found), "results": found}
        return 404, {"message": "No such thing."}

    @staticmethod
    def _answer(handler: BaseHTTPRequestHandler, status: int, value: Any) -> None:
        content = json.dumps(value).encode()
        handler.send_response(status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)
