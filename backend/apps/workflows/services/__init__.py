"""What changes things in `workflows`, for any Django process."""

from backend.apps.workflows.services.enqueue import enqueue_method
from backend.apps.workflows.services.start import start_execution
from backend.apps.workflows.services.versions import save_definition

__all__ = ["enqueue_method", "save_definition", "start_execution"]
