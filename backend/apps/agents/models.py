"""What agents did: the audit trail."""

from __future__ import annotations

from uuid import uuid4

from django.conf import settings
from django.db import models


class AgentAction(models.Model):
    """One thing that an agent did, or was refused, in a user's name. Rows are appended and end once.

    begun ──> done
       ├────> refused  (the error says why; nothing was changed)
       └────> failed   (a fault)

    One that stays `begun` was cut off with its process. A row says what was done and on what, by names and counts: no
    content of a file, no input of a run, no token.
    """

    class Status(models.TextChoices):
        """How it ended."""

        BEGUN = "begun"
        DONE = "done"
        REFUSED = "refused"
        FAILED = "failed"

    class Via(models.TextChoices):
        """The door through which the agent came."""

        PYTHON = "python"
        MCP_STDIO = "mcp-stdio"
        MCP_HTTP = "mcp-http"

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    via = models.CharField(max_length=20, choices=Via.choices)
    action = models.CharField(max_length=50)
    # No foreign key: the trail outlives the project.
    project_id = models.UUIDField(null=True, blank=True)
    project_name = models.CharField(max_length=100, blank=True)
    about = models.JSONField(default=dict)
    """On what: paths, ids, names of workflows and formats."""
    status = models.CharField(max_length=20, choices=Status.choices, default=Status.BEGUN)
    error_code = models.CharField(max_length=50, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    completed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at", "id"]
        indexes = [
            models.Index(fields=["project_id", "-created_at"], name="agent_action_of_project"),
            models.Index(fields=["user", "-created_at"], name="agent_action_of_user"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.status}"
