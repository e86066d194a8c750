"""Definitions of workflows, their executions, and the tasks that do the work.

A status changes only by an UPDATE whose condition names the status it comes from; who finds no row has lost the race.
"""

from __future__ import annotations

from uuid import uuid4

from django.conf import settings
from django.db import models


class Workflow(models.Model):
    """A named definition; what it says is in its versions."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    name = models.CharField(max_length=100, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.name


class WorkflowVersion(models.Model):
    """One wording of a definition. It never changes; another wording is another version."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    workflow = models.ForeignKey(Workflow, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    definition = models.JSONField()
    digest = models.CharField(max_length=64)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(fields=["workflow", "number"], name="one_version_per_number"),
            models.UniqueConstraint(fields=["workflow", "digest"], name="one_version_per_wording"),
        ]


class WorkflowExecution(models.Model):
    """One execution of a workflow version.

    pending ──> running ──> completed
                   ├──> failed ──> running (resumed)
                   └──> cancelled
    """

    class Status(models.TextChoices):
        """Where the execution stands."""

        PENDING = "pending"
        RUNNING = "running"
        COMPLETED = "completed"
        FAILED = "failed"
        CANCELLED = "cancelled"

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    workflow = models.ForeignKey(Workflow, on_delete=models.PROTECT, related_name="executions")
    version = models.ForeignKey(WorkflowVersion, on_delete=models.PROTECT, related_name="executions")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="workflow_executions")
    # No foreign key: the workflows app lies below the projects app and knows no project.
    project_id = models.UUIDField(null=True, blank=True, db_index=True)
    project_name = models.CharField(max_length=200, blank=True)
    current_step = models.CharField(max_length=100, blank=True)
    status = models.CharField(max_length=20, choices=Status.choices, default=Status.PENDING)
    input_data = models.JSONField(default=dict)
    output_data = models.JSONField(default=dict)
    state = models.JSONField(default=dict)
    error = models.JSONField(null=True, blank=True)
    retry_count = models.PositiveIntegerField(default=0)
    event_sequence = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)
    updated_at = models.DateTimeField(auto_now=True)
    started_at = models.DateTimeField(null=True, blank=True)
    completed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at", "id"]


class StepExecution(models.Model):
    """One step of an execution. Its `result` is what later steps can read.

    pending ──> running ──> completed
       │           └──> failed
       └──> skipped
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
       ^           ├──> failed
       │           ├──> in_doubt
       ├───────────┘    (a retry, or a lease that ran out)
       └──> cancelled
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
        WorkflowExecution, on_delete=models.CASCADE, null=True, blank=True, related_name="tasks"
    )
    step = models.ForeignKey(StepExecution, on_delete=models.CASCADE, null=True, blank=True, related_name="tasks")
    position = models.PositiveIntegerField(default=0)
    """The link's place in its step's chain."""
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    project_id = models.UUIDField(null=True, blank=True)
    method = models.CharField(max_length=100)
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
    """When the reconciler sends a message if nobody has claimed it by then; empty unless pending and ready."""
    publish_count = models.PositiveIntegerField(default=0)
    lease_expires_at = models.DateTimeField(null=True, blank=True)
    worker = models.CharField(max_length=200, blank=True)
    result = models.JSONField(null=True, blank=True)
    error = models.JSONField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    completed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["created_at", "position"]
        constraints = [models.UniqueConstraint(fields=["step", "position"], name="one_task_per_link")]
        indexes = [
            # Small for ever, however many finished rows there are: the reconciler's two questions.
            models.Index(fields=["next_publish_at"], name="task_to_publish", condition=models.Q(status="pending")),
            models.Index(fields=["lease_expires_at"], name="task_lease", condition=models.Q(status="running")),
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
