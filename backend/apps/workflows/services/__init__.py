"""What changes things in `workflows`, for any Django process."""

from backend.apps.workflows.services.control import (
    cancel_execution,
    cancel_step,
    pause_execution,
    rerun_execution,
    resume_execution,
    retry_step,
)
from backend.apps.workflows.services.enqueue import enqueue_method
from backend.apps.workflows.services.resolve import resolve_task
from backend.apps.workflows.services.start import start_execution
from backend.apps.workflows.services.start_on_project import start_on_project
from backend.apps.workflows.services.versions import save_definition

__all__ = [
    "cancel_execution",
    "cancel_step",
    "enqueue_method",
    "pause_execution",
    "rerun_execution",
    "resolve_task",
    "resume_execution",
    "retry_step",
    "save_definition",
    "start_execution",
    "start_on_project",
]
