"""WSGI entry point, for installations whose server speaks no ASGI."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backend.config.settings.base")

application = get_wsgi_application()
