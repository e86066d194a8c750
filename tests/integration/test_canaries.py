"""Every task of this installation is done with a secret of its own, in success and in failure, which is then nowhere.

Looked at are all processes while the work is done, what the broker is sent, the database, every file below the data
folder, logs, Flower, errors and results, the hosts' repositories, and private files in memory.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest

from backend.apps.workflows.methods import known_methods
from backend.cli.stack.lock import running_stack
from tests.canaries import encodings, spellings_in
from tests.integration.canary_rows import PLANNED_ONLY, REFUSED_PUSH, ROWS, Row
from tests.integration.hosts.api_server import ApiServer, Call, Reply
from tests.integration.hosts.github_server import GitHubServer
from tests.integration.hosts.gitlab_server import GitLabServer
from tests.integration.installation import Installation
from tests.integration.watching import (
    JWT,
    Monitor,
    Processes,
    decoded,
    files_of,
    flower_tasks,
    objects_of,
    rows_of,
)

pytestmark = pytest.mark.integration

BEGIN = """
import json
from pathlib import Path
from backend.apps.authentication.models import User
from backend.apps.credentials.secret import Secret
from backend.apps.credentials.services.keeping import add_credential
from backend.apps.projects.services.generations import generate
from backend.apps.projects.services.planning import create_project, create_sprint, create_story
from backend.apps.workflows.models import TaskExecution
from backend.apps.workflows.services import enqueue_method
given = json.loads(Path({file!r}).read_text())
user = User.objects.get(username="operator")
nobody = User.objects.create_user("nobody", is_active=False)
for credential in given["credentials"]:
    credential["secret"] = Secret(credential["secret"])
    add_credential(user=user, **credential)

def filled(value, places):
    if isinstance(value, dict):
        return {{name: filled(part, places) for name, part in value.items()}}
    if isinstance(value, str):
        for name, place in places.items():
            value = value.replace(name, place)
    return value

for row in given["rows"]:
    project = create_project(user=user, name=row["name"])
    if row["generated"]:
        generate(project=project, user=user, execution_id=None, readme="# x")
    story = create_story(user=user, project_id=project.pk, title="t")
    sprint = create_sprint(user=user, project_id=project.pk, name="s", start_date="2026-01-01", end_date="2026-01-14")
    places = {{**given["places"], "TOKEN": row["token"]}}
    places |= {{"PROJECT": str(project.pk), "STORY": str(story.pk), "SPRINT": str(sprint.pk)}}
    enqueue_method(
        method=row["method"],
        arguments=filled(row["arguments"], places),
        key=row["name"],
        user=nobody if row["by_nobody"] else user,
        project_id=project.pk if row["on_a_project"] else None,
        project_name=project.slug,
        max_retries=0,
    )
answer = TaskExecution.objects.count()
"""
END = """
import time
from backend.apps.workflows.models import TaskExecution
deadline = time.monotonic() + 120
while TaskExecution.objects.filter(status__in=["pending", "running"]).exists() and time.monotonic() < deadline:
    time.sleep(0.2)
answer = {task.key: [task.status, task.result, task.error] for task in TaskExecution.objects.all()}
"""
FORGET = """
from django.utils import timezone
from backend.apps.credentials.models import SealedSecret
from backend.apps.workflows.services.secret_inputs import forget_spent
forget_spent(now=timezone.now())
answer = SealedSecret.objects.count()
"""
WORKFLOW = """\
name: {name}
inputs: {{type: object, properties: {{given: {{type: string, writeOnly: true}}}}}}
steps:
  - id: publish
    type: repo_creation
    max_retries: 0
    {limit}
    config: {{host: gitlab, gitlab_token: "{token}", base_url: "{url}", repository_name: {name}, readme: "# x"}}
"""


@dataclass(frozen=True)
class Run:
    """A run of a workflow that was given a token: how, what the host does, and how it ends."""

    name: str
    token: str
    status: str
    code: str | None = None
    as_input: bool = False
    limit: str = ""
    slow: float = 0.0
    reply: Reply | None = None


def _token() -> str:
    return f"CANARY{token_hex(16)}"


def _refused() -> Run:
    token = _token()
    return Run("refused", token, "failed", "remote_refused", reply=Reply(403, {"message": token}, {"X": token}))


RUNS = [
    Run("literal", _token(), "completed"),
    Run("as-input", _token(), "completed", as_input=True),
    _refused(),
    Run("too-slow", _token(), "failed", "time_limit_exceeded", limit="timeout_seconds: 2", slow=6.0),
    Run("cancelled", _token(), "cancelled", slow=8.0),
]


class World:
    """The installation, its hosts, what was done, and what was seen meanwhile."""

    def __init__(self, running: Installation, hosts: dict[str, ApiServer], folder: Path) -> None:
        self.running = running
        self.hosts = hosts
        self.folder = folder
        self.stored = {"github-bot": _token(), "gitlab-bot": _token(), "git-bot": _token()}
        self.tokens = [*(row.token for row in ROWS), *self.stored.values(), *(run.token for run in RUNS)]
        self.monitor = Monitor(running.data_dir / "redis.sock")
        self.processes = Processes(self.tokens)
        self.done: dict[str, Any] = {}
        self.runs: dict[str, dict[str, Any]] = {}
        self.said: dict[str, str] = {}
        self._asked: dict[str, int] = {}
        self._waiting = {run.name: threading.Event() for run in RUNS}
        self._lock = threading.Lock()

    def prepare(self) -> None:
        """Let the hosts know all tokens but one, and answer some of them as their rows say."""
        by_token = {row.token: row for row in ROWS if row.reply}
        slow = {run.token: run for run in RUNS if run.slow or run.reply}
        for host in self.hosts.values():
            host.users |= dict.fromkeys(self.tokens, "alice")
            del host.users[REFUSED_PUSH.token]
            self._answer(host, by_token, slow)
        for name in ("plain", "plain2"):
            self.hosts["gitlab"].create_repository(f"alice/{name}.git")
        templates = self.running.data_dir / "templates"
        templates.mkdir(parents=True, exist_ok=True)
        (templates / "hello.txt").write_text("Hello {{ name }}")

    def _answer(self, host: ApiServer, rows: dict[str, Row], runs: dict[str, Run]) -> None:
        real = host.answer

        def answer(call: Call) -> Reply:
            row, run = rows.get(call.token), runs.get(call.token)
            if row is not None and call.verb in row.verbs and self._once_more(row):
                return row.answer()
            if run is not None and run.reply is not None:
                return run.reply
            return real(call)

        def slowly(environ: dict[str, Any], respond: Any) -> Any:
            given = environ.get("HTTP_AUTHORIZATION", "")
            for run in runs.values():
                if run.slow and run.token in given:
                    self._waiting[run.name].set()
                    time.sleep(run.slow)
            return api(environ, respond)

        api = host._api
        host.answer, host._api = answer, slowly  # type: ignore[method-assign]

    def _once_more(self, row: Row) -> bool:
        with self._lock:
            self._asked[row.token] = self._asked.get(row.token, 0) + 1
            return self._asked[row.token] <= row.times

    def begin(self) -> None:
        """Record and send all tasks. The tokens come by a file: a command line is looked at."""
        places = {name.upper(): host.origin for name, host in self.hosts.items()}
        urls = {name: self.hosts.get(name, self.hosts["gitlab"]).origin for name in ("github", "gitlab", "git")}
        credentials = [
            {"name": f"{host}-bot", "host": host, "base_url": url, "secret": self.stored[f"{host}-bot"]}
            for host, url in urls.items()
        ]
        names = ("name", "method", "arguments", "token", "generated", "on_a_project", "by_nobody")
        rows = [{name: getattr(row, name) for name in names} for row in ROWS]
        file = self.folder / "given.json"
        file.write_text(json.dumps({"rows": rows, "credentials": credentials, "places": places}))
        assert self.running.django(BEGIN.format(file=str(file))) == len(ROWS)

    def run(self, run: Run) -> dict[str, Any]:
        """Start a workflow as a person does, and follow it."""
        file = self.folder / f"{run.name}.yaml"
        token = "${{ inputs.given }}" if run.as_input else run.token
        url = self.hosts["gitlab"].origin
        file.write_text(WORKFLOW.format(name=run.name, token=token, url=url, limit=run.limit))
        words = ["run", str(file), "--project", "demo"]
        if run.as_input:
            (self.folder / "token").write_text(run.token)
            words += ["--input", f"given=@{self.folder / 'token'}"]
        if run.status != "cancelled":
            shown: dict[str, Any] = self.running.json(*words, "--follow", code=0 if run.status == "completed" else 1)
            return shown
        started = self.running.json(*words)
        assert self._waiting[run.name].wait(60)
        self.said["cancel"] = self.running.cli("cancel", started["id"], "--follow", code=1)
        return self.running.show(started["id"])


@pytest.fixture(scope="module")
def world(running: Installation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Everything is done once; the tests look at what it left."""
    github = GitHubServer(tmp_path_factory.mktemp("github"))
    gitlab = GitLabServer(tmp_path_factory.mktemp("gitlab"))
    with github, gitlab:
        world = World(running, {"github": github, "gitlab": gitlab}, tmp_path_factory.mktemp("given"))
        world.prepare()
        with world.monitor, world.processes:
            world.begin()
            with ThreadPoolExecutor(len(RUNS)) as pool:
                world.runs = dict(zip((run.name for run in RUNS), pool.map(world.run, RUNS), strict=True))
            world.done = running.django(END)
        yield world
    assert github.violations == []


def test_every_method_has_a_row_that_succeeds_and_one_that_fails():
    for kind, rows in (("succeeds", [r for r in ROWS if r.code is None]), ("fails", [r for r in ROWS if r.code])):
        wanted = set(known_methods()) - (PLANNED_ONLY if kind == "succeeds" else set())
        assert {row.method for row in rows} == wanted, f"give each method a row that {kind}"


def test_each_ended_as_it_should(world: World):
    ended = {row.name: (world.done[row.name][0], (world.done[row.name][2] or {}).get("code")) for row in ROWS}
    expected = {row.name: ("failed" if row.code else "completed", row.code) for row in ROWS}
    wrong = [
        f"{row.method} {row.arguments} {row.reply}: {world.done[row.name]}, and not {expected[row.name]}"
        for row in ROWS
        if ended[row.name] != expected[row.name]
    ]
    assert not wrong, "\n".join(wrong)
    for run in RUNS:
        shown = world.runs[run.name]
        errors = [task["error"]["code"] for step in shown["steps"] for task in step["tasks"] if task["error"]]
        assert shown["status"] == run.status, shown
        assert run.code is None or run.code in errors, shown


def test_no_process_shows_one(world: World):
    assert world.processes.looks > 50
    assert world.processes.found == set()


def test_the_broker_was_sent_none(world: World):
    seen = world.monitor.seen + decoded(world.monitor.seen)
    assert b"export.export_to_github" in seen
    assert spellings_in(seen, world.tokens) == []
    assert not JWT.search(seen)


def test_the_database_has_none(world: World):
    tables = dict(rows_of(world.running.data_dir / "repomill.sqlite3"))
    assert b"export.export_to_github" in tables["table workflows_taskexecution"]
    for place, content in tables.items():
        assert spellings_in(content, world.tokens) == [], place
        assert not JWT.search(content), place


def test_no_file_has_one(world: World):
    looked_at = 0
    for place, content in files_of(world.running):
        looked_at += 1
        assert spellings_in(content, world.tokens) == [], place
        assert not JWT.search(content), place
    assert looked_at > 100
    hosts = [host.folder for host in world.hosts.values()]
    stores = [found for folder in (world.running.data_dir, *hosts) for found in objects_of(folder)]
    assert len(stores) > 20
    for place, content in stores:
        assert spellings_in(content, world.tokens) == [], place
    for folder in hosts:
        for path in (path for path in folder.rglob("*") if path.is_file()):
            assert spellings_in(path.read_bytes(), world.tokens) == [], path


def test_flower_shows_none(world: World):
    info = running_stack(world.running.data_dir)
    assert info is not None
    shown = flower_tasks(world.running, info.flower_url, at_least=len(ROWS))
    assert b"export.export_to_github" in shown
    assert spellings_in(shown, world.tokens) == []
    assert not JWT.search(shown)


def test_no_result_and_no_error_has_one(world: World):
    said = json.dumps([world.done, world.runs, world.said]).encode()
    assert b"credential_rejected" in said
    assert spellings_in(said, world.tokens) == []


def test_the_installations_own_secrets_are_where_they_belong(world: World):
    secrets = [path.read_bytes().strip() for path in (world.running.data_dir / "secrets").iterdir()]
    keys = [line for secret in secrets for line in secret.splitlines() if len(line) >= 16 and b" " not in line]
    assert len(keys) > 3
    # Flower reads its password's settings from a file of its own, which is as private.
    config = world.running.data_dir / "flower" / "flower_config.py"
    assert config.stat().st_mode & 0o077 == 0
    for place, content in [*files_of(world.running), ("the broker", world.monitor.seen)]:
        assert place == str(config) or not [key for key in keys if key in content], place


def test_a_private_file_is_gone_when_its_work_is_done(world: World):
    kept = [path for root in (Path("/dev/shm"), world.running.data_dir) for path in root.glob("**/token")]
    assert [path for path in kept if spellings_in(path.read_bytes(), world.tokens)] == []


def test_what_was_sealed_is_forgotten(world: World):
    failed = sum(run.status == "failed" for run in RUNS)
    assert world.running.django(FORGET) == failed


def test_the_search_finds_what_it_looks_for(world: World):
    token = world.tokens[0]
    for name, form in encodings(token).items():
        assert spellings_in(f"...{form.upper()}...".encode(), [token]), name
        assert spellings_in(f"...{form[:9]}\n   {form[9:]}".encode(), [token]), f"{name}, over two lines"
        assert spellings_in(f"...{form[:9]}\x1b[1;31m{form[9:]}".encode(), [token]), f"{name}, coloured"
