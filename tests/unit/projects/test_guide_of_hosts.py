"""The guide that adds a host names every place that has to know a host, and no place that is not there.

Its module is run by the integration tests.
"""

from __future__ import annotations

import io
import re
import tokenize
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
GUIDE = (ROOT / "docs" / "guides" / "add-a-host.md").read_text("utf-8")
REACHABLE = GUIDE.partition("## Making it reachable")[2]
ADDED = "backend/apps/projects/hosts/gitea.py"
OF_ITSELF = {"backend/apps/projects/hosts/gitlab.py"}


def names_a_host(path: Path) -> bool:
    """Return whether a module's code, and not only its prose, names GitLab."""
    for token in tokenize.generate_tokens(io.StringIO(path.read_text("utf-8")).readline):
        word = token.string.lower()
        if token.type == tokenize.NAME and "gitlab" in word:
            return True
        if token.type == tokenize.STRING and re.fullmatch(r"""['"](gitlab(_token)?|export-to-gitlab/)['"]""", word):
            return True
    return False


def test_every_place_that_names_a_host_is_named():
    found = {
        path.relative_to(ROOT).as_posix()
        for folder in ("backend", "workers")
        for path in (ROOT / folder).rglob("*.py")
        if "migrations" not in path.parts and names_a_host(path)
    }
    assert len(found) > 8
    assert sorted(path for path in found - OF_ITSELF if f"`{path}`" not in REACHABLE) == []


def test_what_it_names_is_there():
    """But what the new host's are to be."""
    paths = set(re.findall(r"`((?:backend|workers|tests)/[a-z_/]+\.py)`", GUIDE)) - {ADDED}
    assert len(paths) > 10
    assert [path for path in paths if not (ROOT / path).is_file()] == []
    beside = r"(?: and(?: the rules in)? `[A-Za-z_]+`)?"
    named = re.findall(rf"`([A-Za-z_]+)`{beside} (?:in|of)\s+`([a-z_/]+\.py)`", REACHABLE)
    there = [(name, path) for name, path in named if not name.endswith("gitea")]
    assert len(there) >= 5
    assert [(name, path) for name, path in there if name not in (ROOT / path).read_text("utf-8")] == []
