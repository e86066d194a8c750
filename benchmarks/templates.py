"""A thousand different small templates, rendered and written, against Cookiecutter and Copier.

Both are installed into an environment that is thrown away with the measurement; each runs in a warm process of its own
that says how long its one call took, so that no start of Python is counted on their side.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from uuid import uuid4

from backend.apps.projects.services.project_generator import ProjectGenerator
from benchmarks.measure import Row, Skipped, in_turn, milliseconds, row, seconds_of

LINES = 16
IN_MEMORY = Path("/dev/shm")
"""Where there is room that is no disk: an installation deletes files, which slows the making of others down."""
COOKIECUTTER = """
import sys, time
from cookiecutter.main import cookiecutter
for target in sys.stdin:
    began = time.perf_counter()
    cookiecutter(sys.argv[1], no_input=True, output_dir=target.strip())
    print(time.perf_counter() - began, flush=True)
"""
COPIER = """
import sys, time
import copier
for target in sys.stdin:
    began = time.perf_counter()
    copier.run_copy(sys.argv[1], target.strip(), data={"name": "service"}, defaults=True, quiet=True, unsafe=True)
    print(time.perf_counter() - began, flush=True)
"""


def measure(folder: Path, *, quick: bool) -> list[Row | Skipped]:
    """Return the lines against both, or say why there are none."""
    count, pairs = (50, 1) if quick else (1000, 3)
    with tempfile.TemporaryDirectory(dir=IN_MEMORY if IN_MEMORY.is_dir() else folder) as environment:
        try:
            python = _environment(Path(environment))
        except subprocess.CalledProcessError as error:
            said = (error.stderr or b"").decode("utf-8", "replace").strip().splitlines()
            return [Skipped("templates", f"Cookiecutter and Copier cannot be installed: {said[-1] if said else error}")]
        return _rows(python, Path(tempfile.mkdtemp(dir=folder)), count=count, pairs=pairs)


def _rows(python: Path, scratch: Path, *, count: int, pairs: int) -> list[Row | Skipped]:
    rows: list[Row | Skipped] = []
    sides = (("Cookiecutter", COOKIECUTTER, "cookiecutter.name"), ("Copier", COPIER, "name"))
    for name, script, variable in sides:
        source = _template_folder(scratch / name, count, variable, cookiecutter=name == "Cookiecutter")
        with _Rendering([str(python), "-c", script, str(source)], scratch) as theirs:
            figures = in_turn(_ours(count), theirs.once, pairs=pairs)
        what = f"{count:,} different templates of {LINES} lines"
        rows.append(row(what, name, figures, show=milliseconds, better="lower", mark=round(1 / 15, 3)))
    return rows


def _environment(folder: Path) -> Path:
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True, capture_output=True)
    python = folder / "bin" / "python"
    install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    place = os.environ | {"TMPDIR": str(folder)}
    subprocess.run([*install, "cookiecutter", "copier"], check=True, capture_output=True, env=place)
    return python


class _Rendering:
    """A process that renders the template into a new folder each time, and says how long it took."""

    def __init__(self, command: list[str], scratch: Path) -> None:
        self._command = command
        self._scratch = scratch

    def __enter__(self) -> _Rendering:
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()

    def once(self) -> float:
        assert self._process.stdin
        assert self._process.stdout
        target = self._scratch / uuid4().hex
        target.mkdir()
        self._process.stdin.write(f"{target}\n")
        self._process.stdin.flush()
        return float(self._process.stdout.readline())


def _template(number: int, variable: str) -> str:
    opened, closed = "{{ ", " }}"
    lines = [
        f"def step_{number}_{line}(): return '{opened}{variable}{closed} {number} {line}'" for line in range(LINES)
    ]
    return "\n".join(lines) + "\n"


def _template_folder(folder: Path, count: int, variable: str, *, cookiecutter: bool) -> Path:
    below = folder / "{{cookiecutter.name}}" if cookiecutter else folder
    below.mkdir(parents=True)
    suffix = "" if cookiecutter else ".jinja"
    for number in range(count):
        (below / f"file{number}.py{suffix}").write_text(_template(number, variable))
    if cookiecutter:
        (folder / "cookiecutter.json").write_text('{"name": "service"}')
    else:
        (folder / "copier.yml").write_text("name: {type: str, default: service}\n")
    return folder


def _ours(count: int):
    templates = [
        {"output_path": f"file{n}.py", "template": _template(n, "name"), "context": {"name": "service"}}
        for n in range(count)
    ]

    def once() -> float:
        generator = ProjectGenerator(str(uuid4()), generation_id=str(uuid4()))
        return seconds_of(lambda: generator.generate(templates=templates))

    return once
