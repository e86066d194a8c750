"""What traces cost a chain: the same chains with REPOMILL_TRACES_TO set to a file, and without it.

`python -m benchmarks.telemetry COUNT` is one side: it starts a worker, does so many chains and prints how many a second
it did. Both its processes see the variable or do not.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from backend.cli.stack.broker import EmbeddedBroker
from backend.cli.stack.migrate import prepare_database
from benchmarks.measure import Row, Skipped, in_turn, row

MARK = 0.9


def measure(folder: Path, *, quick: bool) -> list[Row | Skipped]:
    """Return the throughput with traces against that without."""
    prepare_database()
    pairs, count = (1, 20) if quick else (7, 600)
    with EmbeddedBroker(folder):
        figures = in_turn(
            lambda: _per_second(count, traces=str(folder / "traces.json")),
            lambda: _per_second(count, traces=""),
            pairs=pairs,
        )
    return [
        row(
            "3-link chains, throughput with traces",
            "without",
            figures,
            show=lambda number: f"{number:.0f} /s",
            better="higher",
            mark=MARK,
        )
    ]


def _per_second(count: int, *, traces: str) -> float:
    command = [sys.executable, "-m", "benchmarks.telemetry", str(count)]
    variables = os.environ | {"REPOMILL_TRACES_TO": traces}
    return float(subprocess.run(command, env=variables, check=True, capture_output=True, text=True).stdout)


def _one_side(count: int) -> None:
    import django

    django.setup()
    from backend.apps.authentication.models import User
    from backend.apps.workflows.definitions.check import check_definition
    from backend.apps.workflows.services import save_definition
    from benchmarks import noop
    from benchmarks.chain import chains_per_second, worker

    assert noop.noop.name == "agents.noop"
    with worker("backend.config.celery", "agents"):
        version = save_definition(
            check_definition({"name": "noops", "steps": [{"id": "noops", "type": "three_noops"}]})
        )
        user = User.objects.get(username="operator")
        chains_per_second(version, user, count // 10)
        print(chains_per_second(version, user, count))


if __name__ == "__main__":
    _one_side(int(sys.argv[1]))
