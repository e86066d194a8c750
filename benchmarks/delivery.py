"""End to end: a tree generated, packaged and pushed over HTTP to git's own server, and the same by hand.

Our side is the three services of a `repo_creation` step, with their rows in the database.
"""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from uuid import uuid4

from backend.apps.authentication.models import User
from backend.apps.exports.services.deliver import deliver_to_git
from backend.apps.projects.models import Project
from backend.apps.projects.services.generations import generate
from backend.apps.projects.services.packaging import package
from backend.cli.stack.migrate import prepare_database
from benchmarks.measure import Row, in_turn, milliseconds, row, seconds_of
from benchmarks.trees import plain_loop, real_tree, said
from tests.integration.git_http_server import GitHttpServer

IDENTITY = ["-c", "user.name=a", "-c", "user.email=a@localhost"]


def measure(folder: Path, *, quick: bool) -> list[Row]:
    """Return the line of the whole job."""
    prepare_database()
    files = real_tree(200 if quick else 2415)
    scratch = Path(tempfile.mkdtemp(dir=folder))
    with GitHttpServer(scratch / "served") as server:
        figures = in_turn(
            lambda: _ours(files, server), lambda: _by_hand(files, server, scratch), pairs=1 if quick else 7
        )
    what = f"generate, tar.gz and push {said(files)}"
    return [row(what, "by hand", figures, show=milliseconds, better="lower", mark=round(1 / 1.5, 3))]


def _ours(files: dict[str, str], server: GitHttpServer) -> float:
    user = User.objects.get(username="operator")
    name = uuid4().hex
    project = Project.objects.create(name=name, slug=name, owner=user)
    url = server.create_repository(f"{name}.git")

    def work() -> None:
        generate(project=project, user=user, execution_id=None, structure=dict(files))
        package(project=project, user=user, execution_id=None, format="tar.gz")
        deliver_to_git(key=name, project=project, user=user, execution_id=None, url=url)

    return seconds_of(work)


def _by_hand(files: dict[str, str], server: GitHttpServer, scratch: Path) -> float:
    name = uuid4().hex
    url, target = server.create_repository(f"{name}.git"), scratch / name

    def work() -> None:
        plain_loop(files, target)
        for arguments in (
            ["init", "-q", "-b", "main"],
            ["add", "-A"],
            [*IDENTITY, "commit", "-q", "-m", "Generate"],
            ["push", "-q", url, "main"],
        ):
            subprocess.run(["git", *arguments], cwd=target, check=True, capture_output=True)
        subprocess.run(["tar", "czf", str(scratch / f"{name}.tar.gz"), "--exclude=.git", "."], cwd=target, check=True)

    return seconds_of(work)
