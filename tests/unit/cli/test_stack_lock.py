"""One owner for each data folder."""

import subprocess
import sys
from pathlib import Path

import pytest

from backend.cli.errors import FolderLocked
from backend.cli.stack.lock import FolderLock, StackInfo, running_stack, stack_lock
from backend.errors import Conflict

HOLD = """
import sys
from pathlib import Path
from backend.cli.stack.lock import FolderLock
lock = FolderLock(Path(sys.argv[1]))
lock.acquire(pid=7, web_url="http://127.0.0.1:1")
print("held", flush=True)
sys.stdin.readline()
"""


def test_a_second_owner_is_refused_and_told_of_the_first(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        assert FolderLock.holder(path) == {"pid": 7, "web_url": "http://127.0.0.1:1"}
        with pytest.raises(FolderLocked) as caught:
            FolderLock(path).acquire()
        assert caught.value.place["holder"]["pid"] == 7
        holder.kill()
    # The lock fell with its owner, though the file still says who that was.
    assert FolderLock.holder(path) is None
    with FolderLock(path):
        pass


def test_the_same_process_is_no_exception(tmp_path: Path) -> None:
    with FolderLock(tmp_path / "a.lock") as lock:
        with pytest.raises(FolderLocked):
            FolderLock(tmp_path / "a.lock").acquire()
        # Asking must not lose the lock, as closing a descriptor of the file would.
        assert FolderLock.holder(tmp_path / "a.lock") == {"pid": lock._text["pid"]}
        script = "import sys; from pathlib import Path; from backend.cli.stack.lock import FolderLock as L;"
        script += "print(L.holder(Path(sys.argv[1])) is not None)"
        asked = subprocess.run(
            [sys.executable, "-c", script, str(tmp_path / "a.lock")], capture_output=True, text=True, check=True
        )
        assert asked.stdout == "True\n"


def test_release_twice_and_publish_without_a_lock(tmp_path: Path) -> None:
    lock = FolderLock(tmp_path / "a.lock")
    lock.acquire()
    lock.release()
    lock.release()
    with pytest.raises(Conflict):
        lock.publish(pid=1)


def test_what_a_running_stack_tells(tmp_path: Path) -> None:
    assert running_stack(tmp_path) is None
    info = StackInfo(pid=5, web_url="http://127.0.0.1:1", flower_url="", ready=True)
    lock = stack_lock(tmp_path)
    lock.acquire(pid=5)
    try:
        assert running_stack(tmp_path) == StackInfo(pid=5, web_url="", flower_url="", ready=False)
        lock.publish(**info.as_json())
        assert running_stack(tmp_path) == info
    finally:
        lock.release()
    assert running_stack(tmp_path) is None


@pytest.mark.parametrize("content", [b"", b"{", b"[1]"])
def test_a_half_written_text_is_no_text(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.lock"
    script = "import fcntl, sys; f = open(sys.argv[1], 'r+b'); fcntl.lockf(f, fcntl.LOCK_EX);"
    script += "print('held', flush=True); sys.stdin.readline()"
    path.write_bytes(content)
    holder = subprocess.Popen(
        [sys.executable, "-c", script, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        assert FolderLock.holder(path) == {}
        holder.kill()
