"""A server that speaks the S3 protocol over HTTP, checks signatures and rights, and is nobody's here: moto's.

It holds its objects in memory, and is gone with this process.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from functools import partial
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import boto3
from botocore.config import Config

from backend.cli.stack.preflight import choose_port
from backend.config.parent_death import die_with_parent

BUCKET = "repomill"
REGION = "us-east-1"
UNCHECKED = 3
"""Requests that need no signature: those that make the account with which all others are signed."""
ALLOWED = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}


class ObjectServer:
    """A server on this machine's own address, with one bucket; a context manager."""

    def __init__(self) -> None:
        self.port = choose_port(0, option="--port")
        self.key = self.secret = ""
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "--host", "127.0.0.1", "--port", str(self.port)],
            env=os.environ | {"INITIAL_NO_AUTH_ACTION_COUNT": str(UNCHECKED)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=partial(die_with_parent, parent=os.getpid()),
        )
        self._wait()
        iam = self._client("iam", key="none", secret="none")
        iam.create_user(UserName="repomill")
        iam.put_user_policy(UserName="repomill", PolicyName="all", PolicyDocument=json.dumps(ALLOWED))
        made = iam.create_access_key(UserName="repomill")["AccessKey"]
        self.key, self.secret = made["AccessKeyId"], made["SecretAccessKey"]
        self.client.create_bucket(Bucket=BUCKET)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    @property
    def client(self) -> Any:
        """A client of S3 with the account's keys."""
        return self._client("s3", key=self.key, secret=self.secret)

    def url(self, *, host: str = "127.0.0.1", port: int | None = None, secret: str | None = None) -> str:
        """Return what REPOMILL_STORAGE_URL says on a machine that reaches the server there."""
        keys = f"{quote(self.key, safe='')}:{quote(secret or self.secret, safe='')}"
        return f"s3://{keys}@{BUCKET}/here?endpoint=http://{host}:{port or self.port}&region={REGION}"

    def objects(self, prefix: str = "") -> dict[str, int]:
        """Return the keys of all objects, and their sizes."""
        listed = self.client.list_objects_v2(Bucket=BUCKET, Prefix=f"here/{prefix}")
        return {found["Key"].removeprefix("here/"): found["Size"] for found in listed.get("Contents", [])}

    def read(self, key: str) -> bytes:
        """Return an object."""
        found: bytes = self.client.get_object(Bucket=BUCKET, Key=f"here/{key}")["Body"].read()
        return found

    def write(self, key: str, data: bytes) -> None:
        """Replace an object, as a fault of the storage would."""
        self.client.put_object(Bucket=BUCKET, Key=f"here/{key}", Body=data)

    def delete(self, key: str) -> None:
        """Remove an object."""
        self.client.delete_object(Bucket=BUCKET, Key=f"here/{key}")

    def _client(self, service: str, *, key: str, secret: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=f"http://127.0.0.1:{self.port}",
            region_name=REGION,
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}),
        )

    def _wait(self) -> None:
        deadline = time.monotonic() + 30
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/moto-api/data.json", timeout=5).close()
            except OSError as error:
                if isinstance(error, urllib.error.HTTPError):
                    return
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
            else:
                return
