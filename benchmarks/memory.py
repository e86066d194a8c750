"""Memory while a large project is packaged: the peak of a process of its own, for a quarter of it and for all.

`python -m benchmarks.memory FOLDER FORMAT TARGET` is that process: it packages a workspace and prints its resident
memory in bytes, before and at the peak, as Linux counts it.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.measure import Row, Skipped

FILE_BYTES = 8 * 1024 * 1024
MARK = 150e6


def measure(folder: Path, *, quick: bool) -> list[Row | Skipped]:
    """Return a line for each format: the peak for the whole against the peak for a quarter."""
    if not Path("/proc/self/status").exists():
        return [Skipped("memory", "this system does not tell a process's peak")]
    count = 8 if quick else 120
    scratch = Path(tempfile.mkdtemp(dir=folder))
    whole, part = scratch / "whole", scratch / "part"
    _fill(whole, count)
    _fill(part, count // 4)
    rows: list[Row | Skipped] = []
    for kind in ("zip", "tar", "tar.gz"):
        large, small = _peak(whole, kind, scratch), _peak(part, kind, scratch)
        rows.append(
            Row(
                what=f"peak memory, {kind} of {count * FILE_BYTES / 1e9:.2f} GB",
                ours=f"{large / 1e6:.0f} MB",
                against="the same of a quarter",
                theirs=f"{small / 1e6:.0f} MB",
                ratio=large / small,
                spread=(large / small, large / small),
                better="lower",
                mark=1.1 if large < MARK else 0.0,
            )
        )
    shutil.rmtree(scratch)
    return rows


def _fill(folder: Path, count: int) -> None:
    """Write files of which one half can be compressed; each is different."""
    noise = random.Random(1).randbytes(FILE_BYTES // 2)
    text = (b"All work and no play makes a plain line of text.\n" * (FILE_BYTES // 98))[: FILE_BYTES // 2]
    folder.mkdir(parents=True)
    for number in range(count):
        (folder / f"{number}.bin").write_bytes(number.to_bytes(4, "big") + noise[number * 64 :] + text)


def _peak(source: Path, kind: str, scratch: Path) -> float:
    target = scratch / f"packed.{kind}"
    command = [sys.executable, "-m", "benchmarks.memory", str(source), kind, str(target)]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    target.unlink()
    return float(json.loads(said)["peak"])


def _status(name: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise LookupError(name)


def _package(source: Path, kind: str, target: Path) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backend.config.settings.base")
    import django

    django.setup()
    from backend.apps.projects.services.archives import write_archive
    from backend.apps.projects.services.workspace import Workspace

    before = _status("VmRSS")
    write_archive(workspace=Workspace(source), target=target, format=kind)
    print(json.dumps({"before": before, "peak": _status("VmHWM")}))


if __name__ == "__main__":
    _package(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
