"""What a chain, and a round of the reconciler, cost when many runs are in the tables against when there are few.

The tables are let rest after they have been filled: rows that were just copied in are still to be written to the disk,
counted and cleaned up by the server, and none of that is the growth that is asked for.
"""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any
from unittest.mock import patch

from django.db import connection
from django.db.models import Model
from django.utils import timezone

from backend.apps.authentication.models import User
from backend.apps.workflows.definitions.check import check_definition
from backend.apps.workflows.execution import chains
from backend.apps.workflows.execution.reconcile import reconcile
from backend.apps.workflows.execution.run import execute
from backend.apps.workflows.models import ExecutionEvent, StepExecution, TaskExecution, WorkflowExecution
from backend.apps.workflows.services import save_definition, start_execution
from backend.cli.stack.migrate import prepare_database
from benchmarks import noop
from benchmarks.measure import Row, seconds_of

FEW, MANY = 1_000, 200_000
MARK = 1.1
BLOCKS, CHAINS = 9, 60


def measure(folder: Path, *, quick: bool) -> list[Row]:  # noqa: ARG001  (as all measurements are called)
    """Return the cost of a chain, and of a round of the reconciler, with many runs against that with few."""
    assert noop.noop.name == "agents.noop"
    prepare_database()
    many = 5_000 if quick else MANY
    runner = Chains()
    runner.once()
    copy_runs(FEW)
    rest()
    few_chain, few_round = runner.block(), _round()
    copy_runs(many)
    rest()
    many_chain, many_round = runner.block(), _round()
    against = f"with {FEW:,} runs"
    return [
        _row(f"a chain with {many:,} runs in the tables", many_chain, against, few_chain),
        _row(f"the reconciler with {many:,} runs", many_round, against, few_round),
    ]


def _row(what: str, ours: list[float], against: str, theirs: list[float]) -> Row:
    ratios = [a / b for a, b in zip(sorted(ours), sorted(theirs), strict=True)]
    return Row(
        what=what,
        ours=f"{statistics.median(ours) * 1000:.2f} ms",
        against=against,
        theirs=f"{statistics.median(theirs) * 1000:.2f} ms",
        # The quickest blocks: a busy machine only adds to a figure.
        ratio=min(ours) / min(theirs),
        spread=(min(ratios), max(ratios)),
        better="lower",
        mark=MARK,
    )


class Chains:
    """The engine in this process alone, without a broker."""

    def __init__(self) -> None:
        steps = [{"id": "noops", "type": "three_noops"}]
        self._version = save_definition(check_definition({"name": "growth", "steps": steps}))
        self._user = User.objects.get(username="operator")

    def once(self) -> None:
        """Run one chain."""
        with patch.object(chains, "publish_chain") as publish:
            start_execution(version=self._version, inputs={}, user=self._user)
        for task in publish.call_args.args[0]:
            execute(task.pk, service=lambda claimed: claimed.position, worker="benchmark")

    def block(self) -> list[float]:
        """Return the seconds of one chain in each of several blocks, after one that does not count."""
        return [seconds_of(self._chains) / CHAINS for _ in range(BLOCKS + 1)][1:]

    def _chains(self) -> None:
        for _ in range(CHAINS):
            self.once()


def _round() -> list[float]:
    def rounds() -> None:
        for _ in range(20):
            reconcile(now=timezone.now())

    return [seconds_of(rounds) / 20 for _ in range(BLOCKS + 1)][1:]


def rest() -> None:
    """Have the database do now what it would do in its own time."""
    with connection.cursor() as cursor:
        for statement in ("VACUUM ANALYZE", "CHECKPOINT") if connection.vendor == "postgresql" else ("ANALYZE",):
            cursor.execute(statement)


def forget_runs() -> None:
    """Empty the tables of runs, so that what is measured before and after this has them to itself."""
    for model in (ExecutionEvent, TaskExecution, StepExecution, WorkflowExecution):
        model.objects.all()._raw_delete(connection.alias)


def copy_runs(count: int, *, whole: bool = True) -> None:
    """Copy the finished run until there are `count` of them, as rows and not through the engine.

    whole: with their steps, tasks and events, which are many times as many.
    """
    run = WorkflowExecution.objects.filter(status="completed").order_by("created_at")[:1].get()
    missing = count - WorkflowExecution.objects.count()
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS copied")
        ids = f"{_new_id()} AS run, {_new_id()} AS step"
        cursor.execute(f"CREATE TEMPORARY TABLE copied AS SELECT n, {ids} FROM {_numbers(missing)}")
        task = {"id": _new_id(), "execution_id": "copied.run", "step_id": "copied.step", "key": _key()}
        parts: list[tuple[type[Model], dict[str, str]]] = [
            (StepExecution, {"id": "copied.step", "execution_id": "copied.run"}),
            (TaskExecution, task),
            (ExecutionEvent, {"execution_id": "copied.run"}),
        ]
        runs: list[tuple[type[Model], dict[str, str]]] = [(WorkflowExecution, {"id": "copied.run"})]
        for model, own in [*runs, *(parts if whole else [])]:
            cursor.execute(*_copying(model, own, run))


def _copying(model: type[Model], own: dict[str, str], run: WorkflowExecution) -> tuple[str, list[Any]]:
    """Return the statement that copies the run's rows of a model. own: the columns that differ in each copy."""
    # A number that counts by itself is left to do so.
    fields = [str(f.column) for f in model._meta.concrete_fields if f.get_internal_type() != "BigAutoField"]
    columns = ", ".join(f'"{name}"' for name in fields)
    chosen = ", ".join(own.get(name, f't."{name}"') for name in fields)
    table, of_run = model._meta.db_table, "id" if model is WorkflowExecution else "execution_id"
    key = run.pk.hex if connection.vendor == "sqlite" else run.pk
    text = f'INSERT INTO "{table}" ({columns}) SELECT {chosen} FROM copied, "{table}" AS t WHERE t."{of_run}" = %s'
    return text, [key]


def _new_id() -> str:
    return "lower(hex(randomblob(16)))" if connection.vendor == "sqlite" else "gen_random_uuid()"


def _key() -> str:
    return "'copy/' || copied.n || '/' || t.\"position\" || '/' || " + (
        "hex(randomblob(8))" if connection.vendor == "sqlite" else "md5(random()::text)"
    )


def _numbers(count: int) -> str:
    if connection.vendor == "sqlite":
        return f"(WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < {count}) SELECT n FROM c)"
    return f"generate_series(1, {count}) AS n"
