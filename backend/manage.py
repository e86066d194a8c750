"""Django's own command line, run as `python -m backend.manage`."""

import os
import sys

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backend.config.settings.base")
    execute_from_command_line(sys.argv)
