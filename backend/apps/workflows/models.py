"""Definitions of workflows, their executions, and the tasks that do the work.

A status changes only by an UPDATE whose condition names the status it comes from; who finds no row has lost the race.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.db import models

from backend.apps.credentials.secret import Secret
from backend.apps.workflows.former_names import TaskName
from backend.errors import Conflict

FROZEN = "A version of a workflow never changes."
ANOTHER_VERSION = "Save the new wording with save_definition(); it becomes the next version."


class Workflow(models.Model):
    """A named definition; what it says is in its versions.

    It belongs to a project, or to a user, or to the installation, which all users share. Its name is one there.
    """

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    name = models.CharField(max_length=100)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    # No foreign key: the workflows app lies below the projects app and knows no project.
    project_id = models.UUIDField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project_id", "name"], name="one_workflow_per_name_in_project"),
            models.UniqueConstraint(fields=["owner", "name"], name="one_workflow_per_name_of_user"),
            models.UniqueConstraint(
                fields=["name"],
                condition=models.Q(owner__isnull=True, project_id__isnull=True),
                name="one_shared_workflow_per_name",
            ),
            models.CheckConstraint(
                condition=models.Q(owner__isnull=True) | models.Q(project_id__isnull=True), name="workflow_has_one_home"
            ),
        ]
        indexes = [models.Index(fields=["name"], name="workflow_by_name")]

    def __str__(self) -> str:
        return self.name


class VersionQuerySet(models.QuerySet["WorkflowVersion"]):
    """Versions, which can be made and deleted but not changed."""

    def update(self, **changes: Any) -> int:  # noqa: ANN401  (Django's signature)
        """Refuse with Conflict: what an execution began with stays what it was."""
        raise Conflict(FROZEN, field=", ".join(sorted(changes)), hint=ANOTHER_VERSION)


class WorkflowVersion(models.Model):
    """One wording of a definition. It never changes; another wording is another version."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    workflow = models.ForeignKey(Workflow, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    definition = models.JSONField()
    digest = models.CharField(max_length=64)
    created_at = models.DateTimeField(auto_now_add=True)

    taken: Mapping[str, Secret] = MappingProxyType({})
    """Literal secrets that `save_definition` took out of the wording, by the input they became; in memory alone."""

    objects = VersionQuerySet.as_manager()

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(fields=["workflow", "number"], name="one_version_per_number"),
            models.UniqueConstraint(fields=["workflow", "digest"], name="one_version_per_wording"),
        ]

    def save(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401  (Django's signature)
        """Insert the version. Raises Conflict where it is there already."""
        if not self._state.adding or kwargs.get("force_update") or kwargs.get("update_fields"):
            raise Conflict(FROZEN, hint=ANOTHER_VERSION)
        super().save(*args, **{**kwargs, "force_insert": True})


class SavedInputs(models.Model):
    """Inputs of a workflow that a user keeps by a name, to start it with them again. Secrets are never among them."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    workflow = models.ForeignKey(Workflow, on_delete=models.CASCADE, related_name="saved_inputs")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    name = models.CharField(max_length=100)
    inputs = models.JSONField(default=dict)
    updated_at = models.DateTimeField(auto_now=True)

    replaced: bool = False
    """Whether `save_inputs` has put them in the place of others of the name; in memory alone, as the next."""
    left_out: tuple[str, ...] = ()
    """Names of the secrets that it was given and has not kept."""

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workflow", "user", "name"], name="one_set_of_inputs_per_name"),
        ]

    def __str__(self) -> str:
        return self.name


class WorkflowExecution(models.Model):
    """One execution of a workflow version.

    pending ──> running ──> completed
                   ├──> failed ──> running (resumed, or a step retried, or a task settled)
                   └──> cancelled

    Two marks refine `running`: while `paused_at` is set nothing starts, and `cancel_requested_at` says that it will be
    cancelled as soon as nothing runs any more. Neither is ever set in another status.
    """

    class Status(models.TextChoices):
        """Where the execution stands."""

        PENDING = "pending"
        RUNNING = "running"
        COMPLETED = "completed"
        FAILED = "failed"
        CANCELLED = "cancelled"

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    # What a list is narrowed to has an index in the list's order, which serves the foreign key as well.
    workflow = models.ForeignKey(Workflow, on_delete=models.PROTECT, related_name="executions", db_index=False)
    version = models.ForeignKey(WorkflowVersion, on_delete=models.PROTECT, related_name="executions")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="workflow_executions", db_index=False
    )
    # No foreign key: the workflows app lies below the projects app and knows no project.
    project_id = models.UUIDField(null=True, blank=True)
    project_name = models.CharField(max_length=200, blank=True)
    current_step = models.CharField(max_length=100, blank=True)
    status = models.CharField(max_length=20, choices=Status.choices, default=Status.PENDING)
    input_data = models.JSONField(default=dict)
    output_data = models.JSONField(default=dict)
    state = models.JSONField(default=dict)
    error = models.JSONField(null=True, blank=True)
    retry_count = models.PositiveIntegerField(default=0)
    """How often it was set going again after it had failed."""
    trace_parent = models.CharField(max_length=55, blank=True, default="", db_default="")
    """What continues the trace in which it was started, as W3C Trace Context has it; empty without one."""
    grant = models.JSONField(null=True, blank=True)
    """What the service token was good for that it was started with, see `authentication.grants`; none for a person."""
    paused_at = models.DateTimeField(null=True, blank=True)
    cancel_requested_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    started_at = models.DateTimeField(null=True, blank=True)
    completed_at = models.DateTimeField(null=True, blank=True)

    username: str | None = None
    """The user's name, where it was read together with the row."""

    class Meta:
        ordering = ["-created_at", "-id"]
        # A page costs the same however many executions there are, narrowed or not.
        indexes = [
            models.Index(fields=["created_at", "id"], name="execution_newest"),
            models.Index(fields=["status", "created_at", "id"], name="execution_of_status"),
            models.Index(fields=["project_id", "created_at", "id"], name="execution_of_project"),
            models.Index(fields=["user", "created_at", "id"], name="execution_of_user"),
            models.Index(fields=["workflow", "created_at", "id"], name="execution_of_workflow"),
        ]


class StepExecution(models.Model):
    """One step of an execution. Its `result` is what later steps can read.

    pending ──> running ──> completed
       │           ├──> failed ──────┐
       │           └──> cancelled ───┴──> running, or pending (retried)
       ├──> cancelled
       ├──> failed      (it could not start)
       └──> skipped ──> pending (what it depends on is retried)

    A running step that is to be cancelled has its `error` already, and a task with `cancel_requested_at`.
    """

    class Status(models.TextChoices):
        """Where the step stands."""

        PENDING = "pending"
        RUNNING = "running"
        COMPLETED = "completed"
        FAILED = "failed"
        SKIPPED = "skipped"
        CANCELLED = "cancelled"

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    execution = models.ForeignKey(WorkflowExecution, on_delete=models.CASCADE, related_name="steps")
    step_id = models.CharField(max_length=100)
    step_type = models.CharField(max_length=100)
    position = models.PositiveIntegerField()
    status = models.CharField(max_length=20, choices=Status.choices, default=Status.PENDING)
    result = models.JSONField(null=True, blank=True)
    error = models.JSONField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    completed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["position"]
        constraints = [models.UniqueConstraint(fields=["execution", "step_id"], name="one_step_per_id")]


class TaskExecution(models.Model):
    """One service-method call, done by one Celery task. The row is the work; the broker's message is a reminder of it.

    pending ──> running ──> completed
       ^           ├──> failed ─────┐
       │           ├──> cancelled ──┤
       │           ├──> in_doubt ───┤ ──> completed (settled by a person)
       ├───────────┘                │
       ├────────────────────────────┘    (retried by a person)
       └──> cancelled

    The arrow back from running is a retry, or a lease that ran out.
    """

    class Status(models.TextChoices):
        """Where the task stands."""

        PENDING = "pending"
        RUNNING = "running"
        COMPLETED = "completed"
        FAILED = "failed"
        IN_DOUBT = "in_doubt"
        CANCELLED = "cancelled"

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    key = models.CharField(max_length=200, unique=True)
    """Names the work for ever: an outside effect that is done twice under one key is done once."""
    execution = models.ForeignKey(
        WorkflowExecution, on_delete=models.CASCADE, null=True, blank=True, related_name="tasks", db_index=False
    )
    step = models.ForeignKey(StepExecution, on_delete=models.CASCADE, null=True, blank=True, related_name="tasks")
    position = models.PositiveIntegerField(default=0)
    """The link's place in its step's chain."""
    item = models.PositiveIntegerField(default=0)
    """Which item of the list the chain is for, in a step with `each`; 0 elsewhere."""
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    project_id = models.UUIDField(null=True, blank=True)
    method = TaskName(max_length=100)
    arguments = models.JSONField(default=dict)
    description = models.CharField(max_length=300)
    """What an operator reads in Flower: project, step and method; never an argument."""
    status = models.CharField(max_length=20, choices=Status.choices, default=Status.PENDING)
    attempt = models.PositiveIntegerField(default=0)
    """The fence: raised by every claim, and a result is taken only from the attempt that is the newest."""
    retries = models.PositiveIntegerField(default=0)
    """Failed attempts that were tried again; a take-over after a crash does not count."""
    max_retries = models.PositiveIntegerField(default=10)
    timeout_seconds = models.PositiveIntegerField(null=True, blank=True)
    ready = models.BooleanField(default=False)
    """Whether every earlier link of the chain has finished."""
    not_before = models.DateTimeField(null=True, blank=True)
    next_publish_at = models.DateTimeField(null=True, blank=True)
    """When the reconciler looks after it if nobody has claimed it by then; empty unless pending and ready."""
    published_at = models.DateTimeField(null=True, blank=True)
    """When its newest message was sent; empty while none is out."""
    publish_count = models.PositiveIntegerField(default=0)
    """How many of its messages were lost, or never sent by a worker that died."""
    lease_expires_at = models.DateTimeField(null=True, blank=True)
    worker = models.CharField(max_length=200, blank=True)
    lost_worker = models.BooleanField(default=False)
    """Whether an attempt was lost with its worker since the last one that ended in the ordinary way."""
    losses = models.PositiveIntegerField(default=0, db_default=0)
    """How many attempts were, one after the other; one that a stopping worker handed back is no loss."""
    trace_parent = models.CharField(max_length=55, blank=True, default="", db_default="")
    """As the execution's, for a task on its own; empty for the others."""
    grant = models.JSONField(null=True, blank=True)
    """As the execution's. It is with the task, as the user is, so that a worker need not read the execution."""
    cancel_requested_at = models.DateTimeField(null=True, blank=True)
    """Set while it runs: its worker is to stop, and nobody claims it again."""
    result = models.JSONField(null=True, blank=True)
    error = models.JSONField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    completed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["created_at", "position"]
        constraints = [models.UniqueConstraint(fields=["step", "item", "position"], name="one_task_per_link")]
        indexes = [
            # Small for ever, however many finished rows there are: the reconciler's two questions.
            models.Index(fields=["next_publish_at"], name="task_to_publish", condition=models.Q(status="pending")),
            models.Index(fields=["lease_expires_at"], name="task_lease", condition=models.Q(status="running")),
            # The few tasks that belong to no execution, and so to no history, are counted by when they ended.
            models.Index(
                fields=["execution", "completed_at"], name="task_on_its_own", condition=models.Q(execution=None)
            ),
            # What is in flight, and which item is the next: a few entries of it, however many items a step has.
            models.Index(fields=["step", "status", "ready", "item", "position"], name="task_of_step"),
            # An execution's tasks as they were made, and those of none.
            models.Index(fields=["execution", "created_at", "id"], name="task_of_execution"),
            # Few at any time: what waits for a person.
            models.Index(fields=["created_at", "id"], name="task_in_doubt", condition=models.Q(status="in_doubt")),
        ]


class ExecutionEvent(models.Model):
    """One line of an execution's history; appended, never changed. `sequence` counts from 1 without gaps."""

    id = models.BigAutoField(primary_key=True)
    execution = models.ForeignKey(WorkflowExecution, on_delete=models.CASCADE, related_name="events")
    sequence = models.PositiveIntegerField()
    kind = models.CharField(max_length=50)
    step_id = models.CharField(max_length=100, blank=True)
    task_id = models.UUIDField(null=True, blank=True)
    data = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["execution", "sequence"]
        constraints = [models.UniqueConstraint(fields=["execution", "sequence"], name="one_event_per_sequence")]
