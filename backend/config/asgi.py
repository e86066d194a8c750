"""ASGI entry point of the web process."""

import os

from django.core.asgi import get_asgi_application

from backend.api.body_limit import BodyLimit

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backend.config.settings.base")

application = BodyLimit(get_asgi_application())
