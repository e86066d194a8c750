"""Makes `.venv` and fills it from a lock file; the standard library alone, called by `scripts/bootstrap`.

Packages are installed by uv, which pip fetches once into `.tools/`, pinned and with its hash. A stamp in `.venv`
holds a digest of everything the installation depends on: where it fits, nothing is done and no network is needed.
It neither resolves versions (that is `scripts/lock`) nor touches the data folder.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import shutil
import ssl
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
TOOLS = ROOT / ".tools"
UV = TOOLS / "uv" / "bin" / "uv"
LOG = TOOLS / "bootstrap.log"
LOCKS = {"runtime": "requirements.lock", "dev": "requirements-dev.lock", "uv": "requirements-uv.lock"}
NO_NETWORK = (
    "connection",
    "name resolution",
    "dns error",
    "connect error",
    "timed out",
    "unreachable",
    "proxy",
    "from versions: none",
)


def main(kind: str) -> None:
    """Install one kind, unless its stamp says that it is installed."""
    if shutil.which("git") is None:
        stop("git was not found; on Debian: apt-get install git")
    if is_installed(kind):
        return
    TOOLS.mkdir(exist_ok=True)
    with (TOOLS / "bootstrap.lock").open("w") as lock:
        # Two targets that are started together share one .venv; the second finds the first one's stamp.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not is_installed(kind):
            install(kind)


def install(kind: str) -> None:
    """Make the virtual environment, fetch uv, install the lock and the project itself."""
    began = time.monotonic()
    LOG.write_text("")
    make_venv()
    fetch_uv()
    if kind == "uv":
        return
    lock = ROOT / LOCKS[kind]
    say(f"installing {lock.read_text().count('==')} packages from {lock.name}")
    pip = [str(UV), "pip", "install", "--quiet", "--python", str(PYTHON)]
    run([*pip, "--require-hashes", "-r", str(lock)], what=f"installing {lock.name}")
    run([*pip, "--no-deps", "--no-build-isolation", "--editable", str(ROOT)], what="installing the project")
    stamp(kind).write_text(digest(kind))
    say(f"ready after {time.monotonic() - began:.0f} s")


def make_venv() -> None:
    """Make `.venv` where there is none, or where its Python no longer runs."""
    if PYTHON.exists() and succeeds([str(PYTHON), "-c", "import pip, sys; sys.exit(sys.version_info < (3, 11))"]):
        return
    if importlib.util.find_spec("ensurepip") is None or importlib.util.find_spec("venv") is None:
        stop("Python's venv module is missing; on Debian: apt-get install python3-venv")
    say(f"making .venv with Python {sys.version.split()[0]}")
    run([sys.executable, "-m", "venv", "--clear", str(VENV)], what="making .venv")


def fetch_uv() -> None:
    """Install the pinned uv into a folder of its own."""
    if is_installed("uv"):
        return
    lock = ROOT / LOCKS["uv"]
    say("fetching uv")
    shutil.rmtree(TOOLS / "uv", ignore_errors=True)
    pip = [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    only = ["--only-binary", ":all:", "--require-hashes", "-r", str(lock)]
    run([*pip, "--target", str(TOOLS / "uv"), *only], what="fetching uv")
    stamp("uv").write_text(digest("uv"))


def is_installed(kind: str) -> bool:
    """Say whether a stamp fits; what the tests need holds all that running needs."""
    kinds = {"runtime": ("runtime", "dev")}.get(kind, (kind,))
    target = UV if kind == "uv" else PYTHON
    return target.exists() and any(stamp(k).is_file() and stamp(k).read_text() == digest(k) for k in kinds)


def stamp(kind: str) -> Path:
    """Return where a kind's digest is kept: in the folder it describes, so that both go together."""
    return TOOLS / "uv" / ".stamp" if kind == "uv" else VENV / f".stamp-{kind}"


def digest(kind: str) -> str:
    """Return a digest of what an installation depends on; the path because a checkout can be moved."""
    parts = [str(ROOT).encode(), (ROOT / LOCKS[kind]).read_bytes()]
    if kind != "uv":
        parts.append((ROOT / "pyproject.toml").read_bytes())
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def environment() -> dict[str, str]:
    """Return the environment of pip and uv: the user's, with what one of the two alone would know told to both."""
    variables = {k: v for k, v in os.environ.items() if k not in {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"}}
    certificates = ssl.get_default_verify_paths().cafile
    if certificates is None and Path("/etc/ssl/certs/ca-certificates.crt").is_file():
        certificates = "/etc/ssl/certs/ca-certificates.crt"
    if certificates:
        # The machine's own certificates, so that a company's proxy is trusted here as it is elsewhere.
        certificates = variables.setdefault("PIP_CERT", certificates)
        variables.setdefault("SSL_CERT_FILE", certificates)
    if "PIP_INDEX_URL" in variables:
        variables.setdefault("UV_DEFAULT_INDEX", variables["PIP_INDEX_URL"])
    return variables


def run(command: list[str], *, what: str) -> None:
    """Run a command with its output in the log; end with one line when it fails."""
    with LOG.open("a") as log:
        log.write(f"$ {' '.join(command)}\n")
        log.flush()
        code = subprocess.call(command, cwd=ROOT, env=environment(), stdout=log, stderr=log)
    if code == 0:
        return
    output = LOG.read_text().rpartition("\n$ ")[2].strip()
    shown = LOG.relative_to(ROOT)
    if any(sign in output.lower() for sign in NO_NETWORK):
        stop(f"{what} failed: the package index cannot be reached; is there a network? (details: {shown})")
    stop(f"{what} failed: {output.splitlines()[-1].strip()} (details: {shown})")


def succeeds(command: list[str]) -> bool:
    """Run a command silently and say whether it succeeded; False as well when it cannot be started."""
    try:
        return subprocess.call(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) == 0
    except OSError:
        return False


def say(text: str) -> None:
    """Print one line of progress."""
    print(f"bootstrap: {text}", flush=True)  # noqa: T201  (the way a script speaks)


def stop(text: str) -> None:
    """End with one line that says what is missing."""
    sys.exit(f"bootstrap: {text}")


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in LOCKS:
        sys.exit("usage: scripts/bootstrap runtime|dev|uv")
    main(sys.argv[1])
