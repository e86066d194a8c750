"""The docs' site: a broken link stops the build, and nothing that a page loads comes from another host."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from backend.config.environment import ROOT

DOCS = ROOT / "docs"


def build(source: Path, target: Path) -> subprocess.CompletedProcess[str]:
    """Build as `make docs` does."""
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-d", str(target / "trees")]
    return subprocess.run(
        [*command, str(source), str(target / "site")], cwd=ROOT, capture_output=True, text=True, timeout=300
    )


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """The site's own configuration with two small pages."""
    folder = tmp_path / "docs"
    shutil.copytree(DOCS / "site", folder / "site")
    shutil.copy(DOCS / "conf.py", folder / "conf.py")
    (folder / "index.md").write_text("# Index\n\n[other](other.md#a-part)\n\n```{toctree}\nother\n```\n")
    (folder / "other.md").write_text("# Other\n\n## A part\n\nText.\n")
    return folder


def test_what_a_page_loads_is_on_the_same_host(source: Path, tmp_path: Path) -> None:
    done = build(source, tmp_path)
    assert done.returncode == 0, done.stderr
    site = tmp_path / "site"
    page = (site / "index.html").read_text()
    assert 'href="other.html#a-part"' in page
    loaded = re.findall(r"<(?:script|link|img)[^>]*?(?:src|href)=\"([^\"]+)\"", page)
    assert len(loaded) > 3
    for file in site.rglob("*.css"):
        loaded += re.findall(r"url\(\s*[\"']?([^)\"']+)", file.read_text())
    assert not [each for each in loaded if re.match(r"(https?:)?//", each)]


@pytest.mark.parametrize(
    ("link", "told"),
    [("[a](nothing.md)", "nothing.md"), ("[a](other.md#nowhere)", "nowhere"), ("![a](none.png)", "none.png")],
)
def test_a_broken_link_stops_the_build(source: Path, tmp_path: Path, link: str, told: str) -> None:
    with (source / "other.md").open("a") as file:
        file.write(f"\n{link}\n")
    done = build(source, tmp_path)
    assert done.returncode != 0
    assert told in done.stderr


def test_every_page_has_a_place(source: Path, tmp_path: Path) -> None:
    (source / "lost.md").write_text("# Lost\n")
    assert "lost.md" in build(source, tmp_path).stderr
