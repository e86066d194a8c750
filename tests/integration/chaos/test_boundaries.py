"""The boundaries are read from the code: a new one that no test strikes at fails here."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from backend.failpoints import Failpoint
from tests.integration.installation import ROOT

SOURCES = sorted(path for top in ("backend", "workers") for path in (ROOT / top).rglob("*.py"))
EXECUTION = ROOT / "backend" / "apps" / "workflows"

AROUND = {
    # Transactions without a failpoint of their own, and the failpoints between which they lie: a process that dies in
    # one of them leaves the database as it was at the first.
    "execution/write_back.py:try_again": (Failpoint.ANSWERED,),
    "execution/write_back.py:fail": (Failpoint.ANSWERED,),
    # The service is interrupted between these two: who dies while handing back leaves a lost worker's task.
    "execution/hand_back.py:hand_back": (Failpoint.AFTER_CLAIM, Failpoint.ANSWERED),
    "execution/write_back.py:stop": (Failpoint.AFTER_CLAIM, Failpoint.TAKING_BACK),
    "services/start.py:start_execution": (Failpoint.BEFORE_PUBLISH,),
    "services/enqueue.py:enqueue_method": (Failpoint.BEFORE_PUBLISH,),
    "services/resolve.py:resolve_task": (Failpoint.BEFORE_PUBLISH,),
    # It writes nothing, and holds a row while the service opens what it works on, or says that it failed.
    "execution/claim.py:require_newest": (Failpoint.AFTER_CLAIM, Failpoint.ANSWERED),
    # What a person does at the command line or over REST; it sends nothing that `publish_chain` does not send.
    "services/control.py": (Failpoint.BEFORE_PUBLISH,),
    "services/resolve.py": (Failpoint.BEFORE_PUBLISH,),
    "services/versions.py": (),
}


def functions(path: Path) -> Iterator[ast.FunctionDef]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef):
            yield node


def calls(node: ast.AST) -> Iterator[ast.Call]:
    return (each for each in ast.walk(node) if isinstance(each, ast.Call))


def named(call: ast.Call) -> str:
    return ast.unparse(call.func)


def points_of(node: ast.AST) -> set[str]:
    return {
        ast.unparse(call.args[0]).removeprefix("Failpoint.")
        for call in calls(node)
        if named(call) == "reached" and call.args
    }


def test_every_failpoint_is_in_the_code_and_every_one_in_the_code_is_known():
    found: set[str] = set()
    for path in SOURCES:
        if path.name != "failpoints.py":
            found |= points_of(ast.parse(path.read_text()))
    assert found == {point.name for point in Failpoint}


def test_every_transaction_of_the_workflows_has_a_failpoint():
    unknown = []
    for path in sorted(EXECUTION.rglob("*.py")):
        for function in functions(path):
            opens = any(named(call) in {"transaction.atomic", "atomic"} for call in calls(function))
            name = f"{path.relative_to(EXECUTION).as_posix()}:{function.name}"
            known = name in AROUND or name.partition(":")[0] in AROUND
            if opens and not points_of(function) and not known:
                unknown.append(name)
    assert unknown == [], "give each a failpoint, and strike at it"


def test_the_broker_is_reached_from_one_function_which_has_a_failpoint_on_either_side():
    senders = []
    for path in SOURCES:
        for function in functions(path):
            names = {named(call).rpartition(".")[2] for call in calls(function)}
            if names & {"apply_async", "send_task", "delay"}:
                senders.append((path.relative_to(ROOT).as_posix(), function.name))
    # The others send no work: beat's own rounds, and the door that every message passes through.
    assert sorted(senders) == [
        ("backend/apps/workflows/publishing.py", "publish_chain"),
        ("backend/config/beat_scheduler.py", "apply_async"),
        ("workers/service_task.py", "apply_async"),
    ]
    (publish,) = (each for each in functions(EXECUTION / "publishing.py") if each.name == "publish_chain")
    assert points_of(publish) == {"BEFORE_PUBLISH", "AFTER_PUBLISH"}


def test_a_creation_on_a_host_has_a_failpoint():
    """The contract of the hosts kills a process there."""
    hosted = ROOT / "backend" / "apps" / "projects" / "hosts" / "hosted.py"
    (create,) = (each for each in functions(hosted) if any(named(call) == "self._api.create" for call in calls(each)))
    assert points_of(create) == {"CREATED"}
