"""Writes all pages: `python -m scripts.reference`, or `make reference`."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent.parent / "docs" / "reference"


def main() -> None:
    """Write the pages that have changed."""
    with tempfile.TemporaryDirectory() as data:
        # The code as it comes: no setting of this shell, and nothing written to an installation.
        os.environ["REPOMILL_DATA_DIR"] = data
        os.environ["DJANGO_SETTINGS_MODULE"] = "backend.config.settings.test"
        import django

        django.setup()
        from scripts.reference.pages import pages

        FOLDER.mkdir(exist_ok=True)
        for name, text in pages().items():
            file = FOLDER / name
            if not file.exists() or file.read_text("utf-8") != text:
                file.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
