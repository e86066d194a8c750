"""Reads the corpus of attacks, which lies outside the repository and is never copied into it.

REPOMILL_CORPUS names its folder. Where it is absent the tests that read it are skipped, but not in CI.
"""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]


def rows(name: str) -> list[dict[str, Any]]:
    """Return the rows of one file, such as `own/must_reject_paths`, with `value` decoded."""
    folder = Path(os.environ.get("REPOMILL_CORPUS") or ROOT.parent / "shared" / "corpus")
    if not folder.is_dir():
        if os.environ.get("CI") == "true":
            pytest.fail(f"The corpus is missing: {folder}", pytrace=False)
        pytest.skip("The corpus of attacks is not here; REPOMILL_CORPUS names its folder.")
    with (folder / f"{name}.jsonl").open(encoding="utf-8") as lines:
        return [_decoded(json.loads(line)) for line in lines]


def _decoded(row: dict[str, Any]) -> dict[str, Any]:
    if "value_b64" in row:
        handling = "surrogatepass" if "surrogatepass" in row.get("note", "") else "surrogateescape"
        row["value"] = base64.b64decode(row["value_b64"]).decode("utf-8", handling)
    return row
