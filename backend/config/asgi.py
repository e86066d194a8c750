"""ASGI entry point of the web process: event streams and the MCP server in front, and behind them Django."""

import os

from django.conf import settings
from django.core.asgi import get_asgi_application

from backend.api.admission import Admission
from backend.api.body_limit import BodyLimit

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backend.config.settings.base")

django_application = get_asgi_application()

# They import models, which are there from now on.
from backend.apps.agents.mcp_server.http import Mounted  # noqa: E402
from backend.apps.workflows.streaming.application import EventStreams  # noqa: E402

admission = Admission(django_application, most=settings.REQUESTS_AT_ONCE, patience=settings.REQUESTS_WAIT_SECONDS)
application = EventStreams(Mounted(BodyLimit(admission)))
