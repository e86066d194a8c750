"""An OpenID Connect provider for the tests, on a port of its own: it lets everybody in whom it is told to."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


class Provider:
    """The provider. claims: what its next token says beside the usual; told: what it tells of the person then.

    instead: by path, the status and the body that it answers with instead; None for no answer.
    """

    def __init__(self) -> None:
        self.key = KEY
        self.signing_key = self.key
        self.claims: dict[str, Any] = {}
        self.told: dict[str, Any] = {}
        self.nonce = ""
        self.instead: dict[str, tuple[int, str] | None] = {}
        self.stopped = threading.Event()
        self.forms: list[dict[str, list[str]]] = []
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer(provider.told if self.path == "/userinfo" else provider.keys())

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                provider.forms.append(parse_qs(body))
                self._answer({"access_token": "a", "token_type": "Bearer", "id_token": provider.token()})

            def _answer(self, body: dict[str, Any]) -> None:
                wanted = provider.instead.get(self.path, (200, json.dumps(body)))
                if wanted is None:
                    provider.stopped.wait()
                    return
                status, text = wanted
                data = text.encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.origin = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def described(self) -> dict[str, str]:
        """Return what an operator writes down of it."""
        paths = {"authorization": "authorize", "token": "token", "userinfo": "userinfo"}
        return {
            "name": "Acme",
            "client_id": "repomill",
            "client_secret": "the client's secret",
            "issuer": self.origin,
            "jwks_uri": f"{self.origin}/keys",
            **{f"{name}_endpoint": f"{self.origin}/{path}" for name, path in paths.items()},
        }

    def keys(self) -> dict[str, Any]:
        """Return its public key."""
        public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key()))
        return {"keys": [public | {"kid": "one", "alg": "RS256", "use": "sig"}]}

    def token(self) -> str:
        """Return a token about the person."""
        now = int(time.time())
        claims = {"iss": self.origin, "aud": "repomill", "sub": "42", "iat": now, "exp": now + 60, "nonce": self.nonce}
        wanted = {name: value for name, value in (claims | self.claims).items() if value is not None}
        return jwt.encode(wanted, self.signing_key, algorithm="RS256", headers={"kid": "one"})

    def stop(self) -> None:
        """End it."""
        self.stopped.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
