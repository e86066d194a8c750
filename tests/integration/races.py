"""Many threads, each with a connection of its own, do one thing at the same moment; run inside an installation.

    installation.django("from tests.integration import races\\nanswer = races.run_all()")

Each race sets its scene, lets the threads go and returns, as JSON, what became of it; the tests judge that.
"""

from __future__ import annotations

import json
import threading
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar
from uuid import UUID, uuid4

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone
from redis import Redis
from rest_framework.test import APIClient

from backend.apps.authentication.models import User
from backend.apps.projects.errors import OrganisationBusy
from backend.apps.projects.models import GeneratedProject, Organisation, Project
from backend.apps.projects.services.generation_records import fail, open_generation
from backend.apps.workflows.definitions.check import check_definition
from backend.apps.workflows.execution import write_back
from backend.apps.workflows.execution.claim import ClaimedTask, claim
from backend.apps.workflows.execution.reconcile import Report, reconcile
from backend.apps.workflows.models import ExecutionEvent, TaskExecution, WorkflowExecution, WorkflowVersion
from backend.apps.workflows.services import enqueue_method, save_definition, start_execution
from tests.integration.meetings import changes_that_meet, what_is_taken_away

Given = TypeVar("Given")
Answer = TypeVar("Answer")

THREADS = 8
PATIENCE = 60
STORY = {"type": "api_call", "config": {"method": "GET", "endpoint": "/projects/"}}


def together(work: Callable[[Given], Answer], given: Sequence[Given]) -> list[Answer]:
    """Do the work for each of what is given, in threads that begin at the same moment."""
    barrier = threading.Barrier(len(given))

    def begin(one: Given) -> Answer:
        connection.ensure_connection()
        try:
            barrier.wait(PATIENCE)
            return work(one)
        finally:
            connection.close()

    with ThreadPoolExecutor(len(given)) as pool:
        return list(pool.map(begin, given))


def claims(tasks: int = 20) -> dict[str, Any]:
    """Let all threads claim each task. Returns who won each, and the attempts that the rows count."""
    ids = enqueued(tasks)
    now = timezone.now()
    won = [together(partial(_attempt, task, now), workers()) for task in ids]
    return {"won": [_without_none(each) for each in won], "attempts": attempts(ids)}


def takeovers(tasks: int = 20) -> dict[str, Any]:
    """Let all threads claim what a lost worker had. Returns who won each, and the attempts that the rows count."""
    ids = enqueued(tasks)
    now = timezone.now()
    for task in ids:
        claim(task, worker="lost", now=now)
    won = [together(partial(_attempt, task, now + timedelta(hours=1)), workers()) for task in ids]
    return {"won": [_without_none(each) for each in won], "attempts": attempts(ids)}


def _attempt(task: UUID, now: datetime, worker: str) -> int | None:
    """Return the number of the attempt that this worker was given."""
    claimed = claim(task, worker=worker, now=now)
    return claimed.attempt if isinstance(claimed, ClaimedTask) else None


def _without_none(numbers: list[int | None]) -> list[int]:
    return [number for number in numbers if number is not None]


def completions(tasks: int = 10) -> list[list[bool]]:
    """Let all threads write the result of the same attempt back. Returns what each was told."""
    return [together(partial(write_back.complete, _claimed(task)), range(THREADS)) for task in enqueued(tasks)]


def _claimed(task: UUID) -> ClaimedTask:
    claimed = claim(task, worker="w", now=timezone.now())
    assert isinstance(claimed, ClaimedTask), claimed
    return claimed


def reconcilers(tasks: int = 60) -> dict[str, Any]:
    """Lose all messages, and let four reconcilers look at once. Returns their reports, and how often each was sent."""
    ids = enqueued(tasks)
    lose_messages()
    later = timezone.now() + timedelta(minutes=1)
    reports = together(lambda _: reconcile(now=later), range(4))
    return {"republished": sum(report.republished for report in reports), "sent": sorted(sent(ids).values())}


def lost_workers(executions: int = 30) -> dict[str, Any]:
    """Lose the workers of many executions, and let four reconcilers look at once. Returns what they did, and events."""
    started = [start({"id": "a", **STORY}) for _ in range(executions)]
    ids = [execution.tasks.get().pk for execution in started]
    for task in ids:
        claim(task, worker="lost", now=timezone.now())
    lose_messages()
    later = timezone.now() + timedelta(hours=1)
    reports = together(lambda _: reconcile(now=later), range(4))
    # What one of them had locked, another may have left for its next round.
    reports.append(reconcile(now=later + timedelta(seconds=6)))
    events = ExecutionEvent.objects.filter(execution__in=started, kind="lease_expired")
    return {
        "taken_back": sum(report.taken_back for report in reports),
        "events": sorted(Counter(events.values_list("execution_id", flat=True)).values()),
        "sent": sorted(sent(ids).values()),
    }


def locked_by_another(tasks: int = 10) -> dict[str, Any] | None:
    """Reconcile while another transaction holds half of the rows. Returns how many were sent during and after it.

    None where rows cannot be locked: on SQLite one writes at a time, and the next one waits for milliseconds.
    """
    if not connection.features.has_select_for_update_skip_locked:
        return None
    ids = enqueued(tasks)
    held = ids[: tasks // 2]
    lose_messages()
    later = timezone.now() + timedelta(minutes=1)
    with transaction.atomic():
        assert len(TaskExecution.objects.select_for_update().filter(pk__in=held)) == len(held)
        reports = together(_reconcile_or_give_up, [later])
        during = sent(ids)
    after = reconcile(now=later)
    return {
        "during": reports[0].republished,
        "held and sent": sum(during[task] for task in held),
        "after": after.republished,
        "sent": sorted(sent(ids).values()),
    }


def _reconcile_or_give_up(now: datetime) -> Report:
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '20s'")
    return reconcile(now=now)


def last_steps(executions: int = 20) -> list[dict[str, Any]]:
    """Complete two steps at once that a third depends on. Returns what became of the third in each execution."""
    found = []
    for _ in range(executions):
        execution = start(
            {"id": "a", "depends_on": [], **STORY},
            {"id": "b", "depends_on": [], **STORY},
            {"id": "c", "depends_on": ["a", "b"], **STORY},
        )
        lose_messages()
        claimed = [_claimed(task.pk) for task in execution.tasks.all()]
        written = together(lambda one: write_back.complete(one, {}), claimed)
        events = execution.events.order_by("sequence")
        third = list(execution.tasks.filter(step__step_id="c").values_list("pk", flat=True))
        found.append(
            {
                "written": written,
                "tasks": len(third),
                "sent": sorted(sent(third).values()),
                "started": events.filter(kind="step_started", step_id="c").count(),
                "gaps": [n for n, event in enumerate(events, start=1) if event.sequence != n],
                "state": {name: step["status"] for name, step in reread(execution).state["steps"].items()},
            }
        )
    return found


def one_key() -> dict[str, Any]:
    """Enqueue the same work from all threads. Returns how many tasks there are, and how often they were sent."""
    user, key = operator(), uuid4().hex
    ids = together(lambda _: enqueue(key, user=user).pk, range(THREADS))
    return {"tasks": len(set(ids)), "sent": list(sent(list(set(ids))).values())}


def versions() -> dict[str, Any]:
    """Save one wording from all threads, and then as many wordings as there are threads. Returns the numbers."""
    name = f"race-{uuid4().hex[:8]}"

    def save(title: str) -> WorkflowVersion:
        return save_definition(check_definition({"name": name, "steps": [{"id": title, **STORY}]}))

    same = together(lambda _: save("same").number, range(THREADS))
    return {"same": same, "others": sorted(together(lambda n: save(f"step{n}").number, range(THREADS)))}


def organisation(most: int = 5) -> dict[str, Any]:
    """Begin a generation of each of many projects of one organisation at once, three times, ending some between.

    Returns how many began each time, how many generate then, and whether everybody else was told to wait.
    """
    user = operator()
    acme = Organisation.objects.create(name="Acme", slug=f"acme-{uuid4().hex[:8]}", plan=Organisation.Plan.TEAM)
    projects = [
        Project.objects.create(name=f"P{number}", slug=uuid4().hex, owner=user, organisation=acme)
        for number in range(THREADS + 4)
    ]

    def begin(project: Project) -> str:
        try:
            open_generation(project=project, user=user, execution_id=None)
        except OrganisationBusy:
            return "busy"
        return "begun"

    rounds = []
    for ended in (0, 2, 1):
        for generation in GeneratedProject.objects.filter(project__organisation=acme, status="generating")[:ended]:
            fail(generation, "ended")
        told = Counter(together(begin, projects))
        generating = GeneratedProject.objects.filter(project__organisation=acme, status="generating").count()
        rounds.append({**told, "generating": generating})
    return {"rounds": rounds, "projects": len(projects)}


def keyed_requests(rounds: int = 5) -> list[dict[str, Any]]:
    """Post the same request with one key from all threads at once, then once more, and another with the same key.

    Returns, of each round, the statuses, how many projects there are, how many different answers, and who was replayed.
    """
    user = operator()
    found = []
    for _ in range(rounds):
        key, body = uuid4().hex, {"name": uuid4().hex}

        def post(body: dict[str, str], key: str = key) -> Any:
            client = APIClient(SERVER_NAME="localhost")
            client.force_authenticate(user)
            return client.post("/api/v1/projects/", body, headers={"Idempotency-Key": key})

        answers = [*together(post, [body] * THREADS), post(body)]
        replayed = [answer for answer in answers if answer.has_header("Idempotency-Replayed")]
        found.append(
            {
                "statuses": sorted({answer.status_code for answer in answers}),
                "replayed": len(replayed),
                "answers": len({answer.content for answer in answers}),
                "projects": Project.objects.filter(name=body["name"]).count(),
                "other": post({"name": "other"}).status_code,
            }
        )
    return found


RACES: tuple[Callable[[], Any], ...] = (
    claims,
    takeovers,
    completions,
    reconcilers,
    lost_workers,
    locked_by_another,
    last_steps,
    one_key,
    versions,
    organisation,
    keyed_requests,
    changes_that_meet,
    what_is_taken_away,
)


def run_all() -> dict[str, Any]:
    """Run one race after the other, each alone. Returns what each returned, or the traceback of its failure."""
    seen: dict[str, Any] = {}
    for race in RACES:
        WorkflowExecution.objects.all().delete()
        TaskExecution.objects.all().delete()
        lose_messages()
        try:
            seen[race.__name__] = race()
        except Exception:  # noqa: BLE001  (each test judges its own race)
            seen[race.__name__] = traceback.format_exc()
    return seen


def operator() -> User:
    """Return the user whom `repomill migrate` made."""
    return User.objects.get(username="operator")


def workers() -> list[str]:
    """Return the names of as many workers as there are threads."""
    return [f"w{number}" for number in range(THREADS)]


def enqueue(key: str, *, user: User) -> TaskExecution:
    """Enqueue a task that nobody will do: no worker runs here."""
    return enqueue_method(method="agents.call", arguments={"method": "GET", "endpoint": "/"}, key=key, user=user)


def enqueued(number: int) -> list[UUID]:
    """Enqueue new tasks and return their ids."""
    user = operator()
    return [enqueue(uuid4().hex, user=user).pk for _ in range(number)]


def start(*steps: dict[str, Any]) -> WorkflowExecution:
    """Start an execution of these steps."""
    version = save_definition(check_definition({"name": "race", "steps": list(steps)}))
    return start_execution(version=version, inputs={}, user=operator())


def reread(execution: WorkflowExecution) -> WorkflowExecution:
    """Return the execution as it is now."""
    return WorkflowExecution.objects.get(pk=execution.pk)


def attempts(ids: list[UUID]) -> list[int]:
    """Return how often each task has been claimed, as the rows count it."""
    return list(TaskExecution.objects.filter(pk__in=ids).values_list("attempt", flat=True))


def broker() -> Redis:
    """Return a connection to the broker."""
    return Redis(unix_socket_path=str(settings.ENVIRONMENT.broker_socket))


def lose_messages() -> None:
    """Empty the broker."""
    with broker() as redis:
        redis.flushall()


def sent(ids: Sequence[UUID]) -> Counter[UUID]:
    """Return how many messages for each of these tasks wait in the broker."""
    counted: Counter[UUID] = Counter(dict.fromkeys(ids, 0))
    with broker() as redis:
        for message in redis.lrange("agents", 0, -1):
            task = UUID(json.loads(message)["headers"]["id"])
            if task in counted:
                counted[task] += 1
    return counted
