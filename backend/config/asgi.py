"""ASGI entry point of the web process: event streams, the MCP server and files in front, and behind them Django."""

import os

from django.conf import settings
from django.core.asgi import get_asgi_application

from backend.api.admission import Admission
from backend.api.body_limit import BodyLimit
from backend.api.file_sender import FileSender

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backend.config.settings.base")

django_application = get_asgi_application()

# They import models, which are there from now on.
from backend.apps.agents.mcp_server.http import Mounted  # noqa: E402
from backend.apps.workflows.streaming.application import EventStreams  # noqa: E402
from backend.console.pulse import Pulse  # noqa: E402
from backend.console.streams import RUN  # noqa: E402

admission = Admission(django_application, most=settings.REQUESTS_AT_ONCE, patience=settings.REQUESTS_WAIT_SECONDS)
# Files are sent outside of the admission: who downloads slowly must not keep others waiting for their turn.
application = Pulse(EventStreams(Mounted(FileSender(BodyLimit(admission))), RUN))
