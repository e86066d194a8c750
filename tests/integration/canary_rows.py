"""What each service method is asked to do with a secret of its own: once with success, and in each way it can fail.

In arguments TOKEN stands for the row's secret, PROJECT, STORY and SPRINT for what is made for the row, and GITHUB and
GITLAB for a host's address. At NOBODY nobody listens.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from secrets import token_hex
from typing import Any
from uuid import uuid4

from tests.integration.hosts.api_server import Reply

NOBODY = "http://127.0.0.1:9"


@dataclass(frozen=True)
class Row:
    """One call. code: of the error it ends with, None for success.

    reply: what the host answers instead of what it would, to what has one of the verbs; it repeats the secret in status
    line, header and body. times: how often; more than 1,000 is always.
    """

    method: str
    arguments: dict[str, Any] = field(default_factory=dict)
    code: str | None = None
    reply: tuple[int, dict[str, str]] | None = None
    verbs: tuple[str, ...] = ("GET", "POST", "PUT", "PATCH")
    times: int = 9999
    generated: bool = False
    on_a_project: bool = True
    by_nobody: bool = False
    token: str = field(default_factory=lambda: f"CANARY{token_hex(16)}")
    name: str = field(default_factory=lambda: f"r{uuid4().hex[:8]}")

    def answer(self) -> Reply:
        """Return the host's answer, which says the secret wherever it can."""
        assert self.reply is not None
        status, headers = self.reply
        data = {"message": f"Bad {self.token}", "error": self.token, "errors": [{"message": self.token}]}
        return Reply(
            status, data, {"X-Echo": self.token, **{k: v.replace("TOKEN", self.token) for k, v in headers.items()}}
        )


def _generation(name: str, good: dict[str, Any], bad: dict[str, Any] | None, code: str, **more: Any) -> list[Row]:
    """Rows of a method that works on a project: it succeeds, its arguments are wrong, and it has no project."""
    method = f"generation.{name}"
    rows = [Row(method, good, **more), Row(method, good, "invalid_input", on_a_project=False)]
    return rows if bad is None else [*rows, Row(method, bad, code)]


GENERATION = [
    *_generation("generate", {"readme": "# x"}, {"structure": {".git": {"config": "x"}}}, "invalid_path"),
    *_generation("package_project", {"format": "zip"}, {"format": "rar"}, "conflict", generated=True),
    *_generation("create_directory", {"path": "a/b"}, {"path": "../b"}, "invalid_path"),
    *_generation("write_file", {"path": "a", "content": "b"}, {"path": "/a", "content": "b"}, "invalid_path"),
    *_generation("generate_project_structure", {"structure": {"a": "b"}}, {"structure": {"a": 1}}, "invalid_input"),
    *_generation(
        "generate_from_template",
        {"template_path": "hello.txt", "output_path": "o", "context": {"name": "x"}},
        {"template_path": "none.txt", "output_path": "o", "context": {}},
        "not_found",
    ),
    *_generation("initialize_git_repository", {}, None, ""),
    *_generation("create_gitignore", {"patterns": ["*.pyc"]}, None, ""),
    *_generation("create_readme", {"content": "# x"}, None, ""),
    *_generation("cleanup", {}, None, ""),
    Row("generation.remove_project", {"project_id": str(uuid4()), "generations": []}),
    Row("generation.remove_project", {"project_id": "no id", "generations": []}, "invalid_input"),
]


def _agents(name: str, good: dict[str, Any], bad: dict[str, Any] | None, code: str = "api_error") -> list[Row]:
    """Rows of a method that calls our API: it succeeds, the API refuses, and the user may not act any more."""
    method = f"agents.{name}"
    rows = [Row(method, good), Row(method, good, "permission_denied", by_nobody=True)]
    return rows if bad is None else [*rows, Row(method, bad, code)]


_NONE = str(uuid4())
_DATES = {"start_date": "2026-01-01", "end_date": "2026-01-14"}
AGENTS = [
    *_agents(
        "call",
        {"method": "POST", "endpoint": "/projects/", "data": {"name": "made"}},
        {"method": "POST", "endpoint": "/projects/", "data": {"name": "", "password": "TOKEN"}},
    ),
    Row("agents.call", {"method": "POST", "endpoint": "/nowhere/", "data": {"token": "TOKEN"}}, "api_error"),
    Row("agents.call", {"method": "GET", "endpoint": "/projects/", "params": {"token": "TOKEN"}}, "invalid_endpoint"),
    Row("agents.call", {"method": "GET", "endpoint": "//evil/", "data": {"token": "TOKEN"}}, "invalid_endpoint"),
    *_agents(
        "create_story",
        {"project_id": "PROJECT", "title": "t", "description": "d"},
        {"project_id": "PROJECT", "title": "", "description": "d", "token": "TOKEN"},
    ),
    *_agents("update_story_status", {"story_id": "STORY", "status": "done"}, {"story_id": _NONE, "status": "done"}),
    *_agents(
        "create_sprint",
        {"project_id": "PROJECT", "name": "s", **_DATES},
        {"project_id": _NONE, "name": "s", **_DATES, "password": "TOKEN"},
    ),
    *_agents("update_sprint", {"sprint_id": "SPRINT", "name": "n"}, {"sprint_id": _NONE, "token": "TOKEN"}),
    *_agents("get_project", {"project_id": "PROJECT"}, {"project_id": _NONE}),
    *_agents("list_stories", {"project_id": "PROJECT"}, {"project_id": _NONE}),
    *_agents("list_sprints", {"project_id": "PROJECT"}, {"project_id": _NONE}),
    *_agents("discover_endpoints", {}, None),
]


def _hosted(host: str, wanted: str, url: str) -> list[Row]:
    """Rows of a delivery to a host with an API: by token and by credential, and every way in which it refuses."""
    method = f"export.export_to_{host}"

    def row(code: str | None = None, *, name: str = "", base_url: str = url, **more: Any) -> Row:
        called = name or f"r-{uuid4().hex[:8]}"
        given = {f"{host}_token": "TOKEN", "base_url": base_url, wanted: called}
        return Row(method, given, code, generated=True, **more)

    return [
        row(),
        Row(method, {"credential": f"{host}-bot", wanted: f"r-{uuid4().hex[:8]}"}, generated=True),
        # A limit is waited for, and the delivery done then.
        row(reply=(429, {"Retry-After": "1"}), times=1),
        row("credential_rejected", reply=(401, {})),
        row("credential_rejected", reply=(401, {}), verbs=("POST",)),
        row("remote_refused", reply=(403, {}), verbs=("POST",)),
        row("remote_refused", reply=(422, {}), verbs=("POST",)),
        row("remote_refused", reply=(302, {"Location": f"{NOBODY}/?token=TOKEN"})),
        # Each of these takes ten seconds, and both hosts are asked through the same session: one of them each.
        row("remote_unreachable", reply=(503, {})) if host == "github" else row("remote_unreachable", base_url=NOBODY),
        row("invalid_input", base_url="https://user:pw@host.example"),
        row("invalid_input", name="-no-name"),
        Row(method, {f"{host}_token": "TOKEN", wanted: "x"}, "conflict"),
        Row(method, {f"{host}_token": "TOKEN", wanted: "x"}, "invalid_input", on_a_project=False),
        Row(method, {f"{host}_token": "TOKEN", "credential": "x", wanted: "x"}, "invalid_input", generated=True),
        Row(method, {"credential": "none", wanted: "x"}, "not_found", generated=True),
    ]


EXPORTS = [
    *_hosted("github", "repository_name", "GITHUB"),
    *_hosted("gitlab", "project_name", "GITLAB"),
    Row("export.export_to_git", {"url": "GITLAB/alice/plain.git", "token": "TOKEN"}, generated=True),
    Row("export.export_to_git", {"url": "GITLAB/alice/plain2.git", "credential": "git-bot"}, generated=True),
    Row("export.export_to_git", {"url": "GITLAB/bob/none.git", "token": "TOKEN"}, "remote_refused", generated=True),
    Row("export.export_to_git", {"url": f"{NOBODY}/a.git", "token": "TOKEN"}, "remote_unreachable", generated=True),
    Row("export.export_to_git", {"url": "https://u:p@h.example/a", "token": "TOKEN"}, "invalid_input", generated=True),
    Row("export.export_to_git", {"repository_name": "local", "token": "TOKEN"}, "invalid_input", generated=True),
    Row("export.export_as_zip", {}, generated=True),
    Row("export.export_as_zip", {}, "conflict"),
    Row("export.export_as_tar", {"compressed": False}, generated=True),
    Row("export.export_as_tar", {}, "conflict"),
]
REFUSED_PUSH = Row(
    "export.export_to_git", {"url": "GITLAB/alice/plain.git", "token": "TOKEN"}, "credential_rejected", generated=True
)
"""The one whose token is nobody's."""
BULK = [
    Row("bulk.plan", {"bulk_export": _NONE}),
    Row("bulk.plan", {"bulk_export": "no id"}, "invalid_input"),
    Row("bulk.deliver", {"item": 0}, "not_found"),
]
PLANNED_ONLY = {"bulk.deliver"}
"""Succeeds for what a bulk export has planned alone. It is given no secret; what it delivers goes as `export` does."""
ROWS = [*GENERATION, *AGENTS, *EXPORTS, *BULK, REFUSED_PUSH]
