"""GitLab on this machine: a small stateful API, behind one origin with a real git server.

It answers as a real GitLab CE was seen to: errors with a dict as message, 404 for somebody else's private project, 400
for a namespace without rights, 401 for a token that is none, and a default branch that takes no rewritten history.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.integration.git_http_server import _git
from tests.integration.hosts.api_server import ApiServer, Call, Reply

ALICE, BOB, READER = "token-of-alice", "token-of-bob", "token-that-reads"
GROUP = "team/platform/tools"
_ROUTE = re.compile(r"/api/v4/(?P<kind>user|namespaces|projects)(?:/(?P<name>.+))?")
_PATH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(?<!\.git)(?<!\.atom)")


@dataclass
class Project:
    """A project as its API shows it."""

    id: int
    path_with_namespace: str
    visibility: str
    description: str
    topics: list[str] = field(default_factory=list)
    default_branch: str | None = None
    archived: bool = False

    def shown(self, origin: str) -> dict[str, Any]:
        address = f"{origin}/{self.path_with_namespace}"
        return {**asdict(self), "web_url": address, "http_url_to_repo": f"{address}.git"}


class GitLabServer(ApiServer):
    """Users alice and bob, and the nested group team/platform/tools, of which alice is a maintainer."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.users = {ALICE: "alice", BOB: "bob", READER: "alice"}
        self.namespaces = {"alice": 1, "bob": 2, "team": 3, "team/platform": 4, GROUP: 5}
        self.members = {"alice": {"alice", GROUP}, "bob": {"bob"}}
        self.projects: dict[int, Project] = {}

    def answer(self, call: Call) -> Reply:
        """Answer as GitLab's API, version 4."""
        found = _ROUTE.fullmatch(call.path)
        user = self.users.get(call.token)
        if user is None:
            return Reply(401, {"message": "401 Unauthorized"})
        if call.token == READER and call.verb != "GET":
            insufficient = "The request requires higher privileges than provided by the access token."
            return Reply(403, {"error": "insufficient_scope", "error_description": insufficient, "scope": "api"})
        if found is None:
            return Reply(404, {"error": "404 Not Found"})
        done: Reply = getattr(self, f"_{call.verb.lower()}_{found['kind']}")(user, found["name"], call.data or {})
        return done

    def may_push(self, user: str, full_name: str) -> bool:
        """Members of a namespace push to its projects."""
        return full_name.rpartition("/")[0] in self.members[user]

    def project(self, full_name: str) -> Project | None:
        """Return a project by its full path."""
        wanted = full_name.casefold()
        return next((p for p in self.projects.values() if p.path_with_namespace.casefold() == wanted), None)

    def _get_user(self, user: str, name: str | None, data: dict[str, Any]) -> Reply:
        return Reply(200, {"id": self.namespaces[user], "username": user, "state": "active"})

    def _get_namespaces(self, user: str, name: str, data: dict[str, Any]) -> Reply:
        found = next((path for path in self.namespaces if path.casefold() == name.casefold()), None)
        if found is None:
            return Reply(404, {"message": "404 Namespace Not Found"})
        kind = "user" if found in self.members else "group"
        return Reply(200, {"id": self.namespaces[found], "full_path": found, "kind": kind})

    def _get_projects(self, user: str, name: str, data: dict[str, Any]) -> Reply:
        found = self.project(name)
        if found is None or not self._sees(user, found):
            return Reply(404, {"message": "404 Project Not Found"})
        return Reply(200, self._shown(found))

    def _post_projects(self, user: str, name: str | None, data: dict[str, Any]) -> Reply:
        by_id = {number: path for path, number in self.namespaces.items()}
        namespace = by_id.get(data.get("namespace_id", self.namespaces[user]), "")
        if namespace not in self.members[user]:
            return Reply(400, {"message": {"namespace": ["is not valid"]}})
        if not _PATH.fullmatch(data["path"]):
            return Reply(400, {"message": {"path": ["can contain only letters, digits, '_', '-' and '.'."]}})
        full_name = f"{namespace}/{data['path']}"
        if self.project(full_name):
            taken = ["has already been taken"]
            return Reply(400, {"message": {"project_namespace.name": taken, "name": taken, "path": taken}})
        made = Project(len(self.projects) + 100, full_name, data.get("visibility", "private"), data["description"])
        self.projects[made.id] = made
        self.create_repository(f"{full_name}.git")
        _git("--git-dir", str(self.folder / f"{full_name}.git"), "config", "receive.denyNonFastForwards", "true")
        return Reply(201, self._shown(made))

    def _put_projects(self, user: str, name: str, data: dict[str, Any]) -> Reply:
        found = self.projects.get(int(name)) if name.isdecimal() else self.project(name)
        if found is None or not self._sees(user, found):
            return Reply(404, {"message": "404 Project Not Found"})
        for key, value in data.items():
            if key in {"description", "topics", "default_branch", "archived"}:
                setattr(found, key, value)
        return Reply(200, self._shown(found))

    def _sees(self, user: str, project: Project) -> bool:
        return project.visibility != "private" or self.may_push(user, project.path_with_namespace)

    def _shown(self, project: Project) -> dict[str, Any]:
        branches = self.branches(f"{project.path_with_namespace}.git")
        if project.default_branch is None and branches:
            # The first branch that is pushed becomes the default.
            project.default_branch = next(iter(branches))
        return project.shown(self.origin)
