"""ASGI entry point of the web process: Django, and at /mcp the MCP server."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backend.config.settings.base")

_django = get_asgi_application()

# Its modules need the apps, which are ready only now.
from backend.apps.agents.mcp_server.http import Mounted  # noqa: E402

application = Mounted(_django)
