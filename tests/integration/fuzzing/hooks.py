"""What schemathesis is told while it makes sequences of requests, so that most of what it makes is made.

A sequence goes from what was made to what can be done with it, and goes nowhere where nothing was made: a random
`Idempotency-Key` has been used for another request, a random id names nothing, two dates are in the wrong order. So in
sequences most requests get no key, ids of things that there are, and, where a link leads on from them, a body of which
something is made. Some stay as they are, and all do in the other phases. Schemathesis loads it.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from random import Random
from typing import Any
from zlib import crc32

import schemathesis
from schemathesis.generation import GenerationMode
from schemathesis.generation.meta import TestPhase

from tests.integration.fuzzing.bodies import BODIES
from tests.integration.fuzzing.known import Known

LEFT_AS_THEY_ARE = 0.1
"""The share of requests in sequences of which nothing is changed."""
FOREIGN = ("organisation", "owner", "project", "project_id", "sprint", "workflow", "workflow_id", "user", "user_id")
"""Members of a body that name something else."""
_FROM_BODY = re.compile(r"\$response\.body#/(\w+)")
_FROM_PATH = re.compile(r"\$request\.path\.(\w+)")

known = Known(json.loads(Path(os.environ["REPOMILL_FUZZ_KNOWN"]).read_text("utf-8")))
SEED = os.environ["REPOMILL_FUZZ_SEED"]
SHARE = int(os.environ["REPOMILL_FUZZ_SHARE"])
"""Of so many wrong values at a place one is sent; 1 sends all. Which it is follows from the seed."""
chance = Random(SEED)


@schemathesis.hook
def filter_case(context: Any, case: Any) -> bool:
    """Leave some of the wrong values out where a run is to be short; every operation gets every right one."""
    if SHARE == 1 or case.meta is None or case.meta.phase.name != TestPhase.COVERAGE:
        return True
    said = case.meta.phase.data
    name = f"{SEED} {case.operation.label} {said.parameter} {said.description}"
    return case.meta.generation.mode != GenerationMode.NEGATIVE or crc32(name.encode()) % SHARE == 0


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """Make of most random requests of a sequence ones that make something."""
    if case.meta is None or case.meta.phase.name != TestPhase.STATEFUL:
        return
    path = case.operation.path.removeprefix("/api/v1/")
    # A credential that others are links from is never one for a host that there is: it would be asked.
    if chance.random() < LEFT_AS_THEY_ARE and path != "credentials/":
        return
    case.headers.pop("Idempotency-Key", None)
    if case.query:
        # What it names is not there.
        case.query.pop("project", None)
    if case.query and chance.random() < 0.5:
        case.query.clear()
    ids = known.together(case.path_parameters or {}, chance=chance)
    if case.path_parameters and ids:
        case.path_parameters.update({name: ids[name] for name in case.path_parameters if name in ids})
    if make := BODIES.get(f"{case.method} {path}"):
        case.body = make(known, chance, ids)
        case.media_type = "application/json"
    elif isinstance(case.body, dict):
        for name in FOREIGN:
            if name in case.body:
                del case.body[name]


@schemathesis.hook
def filter_failure(context: Any, failure: Any, case: Any, response: Any) -> bool:
    """Take an answer for no fault of ours that says that a host cannot be reached: these cannot."""
    told = response.headers.get("content-type", [""])[0].startswith("application/problem+json")
    return not (response.status_code == 503 and told and response.json()["code"] == "remote_unreachable")


@schemathesis.hook
def after_call(context: Any, case: Any, response: Any) -> None:
    """Remember what was made, as the document's links name it, and forget what was removed."""
    if case.method == "DELETE" and response.status_code == 204:
        known.forget(case.path_parameters or {})
    said = case.operation.definition.raw.get("responses", {}).get(str(response.status_code), {})
    for link in said.get("links", {}).values():
        found = {}
        for name, expression in link["parameters"].items():
            if match := _FROM_BODY.fullmatch(expression):
                found[name] = response.json().get(match[1])
            elif match := _FROM_PATH.fullmatch(expression):
                found[name] = (case.path_parameters or {}).get(match[1])
        known.remember(found)
