"""`make demo` as a person types it, and what it leaves behind."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.installation import FOREIGN, ROOT
from tests.integration.trees import files_of, tree_of

pytestmark = pytest.mark.acceptance


def make(target: str, data_dir: Path) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name not in FOREIGN}
    return subprocess.run(
        ["make", target],
        cwd=ROOT,
        env=environment | {"REPOMILL_DATA_DIR": str(data_dir), "COLUMNS": "300"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
    )


def processes_of(data_dir: Path) -> list[str]:
    """Return the processes that know this data folder."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            try:
                known = (folder / "environ").read_bytes() + (folder / "cmdline").read_bytes()
            except OSError:
                continue
            if str(data_dir).encode() in known:
                found.append(known.decode("utf-8", "replace")[:200])
    return found


def told(output: str, *, data_dir: str) -> list[str]:
    """Return the lines from the run's headline on, without what differs from one demo to the next."""
    found = output[output.index("✓ publish-service") :].replace(data_dir, "DATA")
    found = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}|[0-9a-f]{12,64}", "ID", found)
    return [" ".join(line.split()) for line in re.sub(r"\d+\.\d+ s\b", "TIME", found).splitlines() if line.strip()]


def command(output: str, word: str) -> list[str]:
    """Return the command line that the demo shows, which begins with `word`."""
    found = re.search(rf"^\s*({word} .*)$", output, re.MULTILINE)
    assert found, output
    return found[1].split()


def test_the_demo_publishes_a_service_that_works(tmp_path: Path):
    data_dir = tmp_path / "v"
    first = make("demo", data_dir)

    assert first.returncode == 0, first.stdout + first.stderr
    assert processes_of(data_dir) == []
    assert stat.S_IMODE(data_dir.stat().st_mode) == 0o700
    for words in ("story", "files", "publish", "generation.package_project", "attempt 1", "sha256", "completed"):
        assert words in first.stdout

    sample = told((ROOT / "README.md").read_text(), data_dir="/srv/repomill/var")
    sample = sample[: sample.index("```")]
    assert len(sample) > 20
    assert told(first.stdout, data_dir=str(data_dir))[: len(sample)] == sample

    # Whether it is to be backed up is said of everything that lies there.
    guide = (ROOT / "docs" / "guides" / "operators.md").read_text().partition("## Backups")[2].partition("\n## ")[0]
    assert [each.name for each in data_dir.iterdir() if each.is_dir() and f"`{each.name}/`" not in guide] == []

    git, tar = command(first.stdout, "git clone"), command(first.stdout, "tar tzvf")
    clone = tmp_path / "clone"
    subprocess.run([*git[:3], str(clone)], check=True, capture_output=True)
    unpacked = tmp_path / "unpacked"
    unpacked.mkdir()
    subprocess.run(["tar", "xzf", tar[2], "-C", str(unpacked)], check=True)
    generated = tree_of(Path(command(first.stdout, "ls -R")[2]))
    assert tree_of(unpacked) == generated
    assert tree_of(clone, directories=False) == files_of(generated)
    tested = subprocess.run([sys.executable, "-m", "unittest", "discover"], cwd=clone, capture_output=True, text=True)
    assert tested.returncode == 0, tested.stderr
    assert "Ran 3 tests" in tested.stderr

    second = make("demo", data_dir)
    assert second.returncode == 0, second.stdout + second.stderr
    assert "nothing to push" in second.stdout
    assert processes_of(data_dir) == []
