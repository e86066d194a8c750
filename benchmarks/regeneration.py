"""A project generated once more with one file in a hundred changed, against generating it from nothing.

Both sides are whole generations: files, commit and rows.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from backend.apps.authentication.models import User
from backend.apps.projects.models import Project
from backend.apps.projects.services.generations import generate
from backend.apps.workflows.models import Workflow, WorkflowExecution, WorkflowVersion
from backend.cli.stack.migrate import prepare_database
from benchmarks.measure import Row, in_turn, milliseconds, row, seconds_of
from benchmarks.trees import large_tree, real_tree, said


def measure(folder: Path, *, quick: bool) -> list[Row]:  # noqa: ARG001  (what every measurement is given)
    """Return the lines for both trees: in the generation's own workspace, and into a new one."""
    prepare_database()
    rows = []
    for files, pairs in ((real_tree(200 if quick else 2415), 7), (large_tree(1000 if quick else 20_000), 3)):
        rows += _rows(files, pairs=1 if quick else pairs)
    return rows


def _rows(files: dict[str, str], *, pairs: int) -> list[Row]:
    user = User.objects.get(username="operator")
    changed = _Changed(files)

    def from_nothing() -> float:
        project = _project(user)
        return seconds_of(lambda: _generate(project, user, execution=None, structure=dict(files)))

    kept, execution = _project(user), _execution(user)
    _generate(kept, user, execution=execution, structure=dict(files))
    other = _project(user)
    _generate(other, user, execution=None, structure=dict(files))

    def in_place() -> float:
        structure = changed.once_more()
        return seconds_of(lambda: _generate(kept, user, execution=execution, structure=structure))

    def into_a_new_workspace() -> float:
        structure = changed.once_more()
        return seconds_of(lambda: _generate(other, user, execution=None, structure=structure))

    what, against = f"regenerate {said(files)}, 1 % changed", "generate from nothing"
    return [
        row(what, against, in_turn(in_place, from_nothing, pairs=pairs), show=milliseconds, better="lower", mark=0.25),
        row(
            "  into a workspace of its own",
            against,
            in_turn(into_a_new_workspace, from_nothing, pairs=pairs),
            show=milliseconds,
            better="lower",
        ),
    ]


class _Changed:
    """A tree of which other files are changed each time, one in a hundred."""

    def __init__(self, files: dict[str, str]) -> None:
        self._files = dict(files)
        self._times = 0

    def once_more(self) -> dict[str, str]:
        self._times += 1
        for path in list(self._files)[self._times % 100 :: 100]:
            self._files[path] += f"# {self._times}\n"
        return dict(self._files)


def _project(user: User) -> Project:
    name = uuid4().hex
    return Project.objects.create(name=name, slug=name, owner=user)


def _execution(user: User) -> UUID:
    workflow = Workflow.objects.create(name=uuid4().hex)
    version = WorkflowVersion.objects.create(workflow=workflow, number=1, definition={}, digest="-")
    return UUID(str(WorkflowExecution.objects.create(workflow=workflow, version=version, user=user).pk))


def _generate(project: Project, user: User, *, execution: UUID | None, structure: dict[str, Any]) -> None:
    generate(project=project, user=user, execution_id=execution, structure=structure)
