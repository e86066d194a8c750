"""The web process as it is deployed, uvicorn serving `backend.config.asgi`, and a proxy that loses answers."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

from backend.config.secret_files import write_private
from tests.integration.migrated import begin_with_migrated, migrate

ROOT = Path(__file__).resolve().parent.parent.parent


class WebProcess:
    """One installation's web process on a free port, with a data folder of its own.

    It signs tokens with `signing_key`, so that whoever has that key can act as the users of its database. variables:
    more of its environment.
    """

    def __init__(self, data_dir: Path, *, signing_key: str, database_url: str = "", **variables: str) -> None:
        write_private(data_dir / "secrets" / "jwt_signing_key", signing_key)
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(data_dir),
            "REPOMILL_DATA_DIR": str(data_dir),
            "DATABASE_URL": database_url,
            "DJANGO_SETTINGS_MODULE": "backend.config.settings.base",
            **variables,
        }
        if database_url:
            migrate(database_url)
        else:
            begin_with_migrated(data_dir)
        # The listening socket is made here and handed over: requests wait in its queue until the process is up.
        self.listener = socket.create_server(("127.0.0.1", 0))
        # uvicorn takes a socket that is handed over for a Unix one and leaves this out, which costs 40 ms an answer.
        self.listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.port: int = self.listener.getsockname()[1]
        self.origin = f"http://127.0.0.1:{self.port}"
        number = self.listener.fileno()
        self.process = subprocess.Popen(
            # As it is deployed, too: event streams do not end by themselves.
            [
                *(sys.executable, "-m", "uvicorn", "backend.config.asgi:application", "--fd", str(number)),
                "--timeout-graceful-shutdown=2",
            ],
            cwd=ROOT,
            env=self.environment,
            pass_fds=(number,),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def django(self, code: str) -> Any:
        """Run Python in this installation and return the JSON value of `answer`."""
        done = subprocess.run(
            [sys.executable, "-c", f"import json, django\ndjango.setup()\n{code}\nprint(json.dumps(answer))"],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    def stop(self) -> None:
        """End the process."""
        self.process.terminate()
        self.process.wait(30)
        self.listener.close()


class AnswerLoser:
    """Passes requests on; of the first `losing` it lets the server answer, and then breaks the connection."""

    def __init__(self, *, port: int, losing: int) -> None:
        self.upstream = port
        self.losing = losing
        self.requests = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.origin = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            with client:
                self._pass_on(client)

    def _pass_on(self, client: socket.socket) -> None:
        client.settimeout(0.5)
        request = b""
        # At the time-out the client has said all and waits.
        with suppress(TimeoutError):
            while part := client.recv(65536):
                request += part
        self.requests += 1
        with socket.create_connection(("127.0.0.1", self.upstream)) as server:
            # One answer, then the end: so that the whole of it has been given before the connection breaks.
            server.sendall(request.replace(b"\r\n", b"\r\nConnection: close\r\n", 1))
            answer = b""
            while part := server.recv(65536):
                answer += part
        if self.requests > self.losing:
            client.sendall(answer)

    def stop(self) -> None:
        """Take no more connections."""
        self.listener.close()
