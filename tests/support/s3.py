"""A real S3 server on this machine, which checks signatures and rights: moto's."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import boto3
import requests

from .container_studio import json_of, new_project, tasks_of
from .jupyter import LabelStudioClient
from .processes import Process, clean_environment, free_port

BUCKET = "labels"
SECOND = "second"  # another bucket of the user's
FOREIGN = "foreign"  # a bucket that the user may not read
MISSING = "missing"  # one that does not exist


class S3Server:
    """moto's server; `keys` are those of a user who may do everything with BUCKET and SECOND. `stop()` it.

    `host`: the address of this machine where it listens.
    """

    def __init__(self, folder: Path, *, host: str = "127.0.0.1") -> None:
        self.port = free_port()
        self.url = f"http://{host}:{self.port}"
        program = Path(__file__).with_name("s3_server.py")
        command = [sys.executable, "-I", str(program), host, str(self.port)]
        self.process = Process(
            command, env=clean_environment(folder), cwd=folder, log=folder / "s3.log"
        )
        try:
            self.process.wait_until(self._responds, what="the S3 server", timeout=60)
            self._fill()
        except BaseException:
            self.stop()
            raise

    def _responds(self) -> bool:
        try:
            return requests.get(f"{self.url}/moto-api/", timeout=10).ok
        except requests.ConnectionError:
            return False

    def _fill(self) -> None:
        """Make the buckets and the user; from then on, check who asks."""
        root = {"aws_access_key_id": "root", "aws_secret_access_key": "root"}
        s3 = self._client("s3", root)
        for bucket in (BUCKET, SECOND, FOREIGN):
            s3.create_bucket(Bucket=bucket)
        s3.put_object(Bucket=FOREIGN, Key="pictures/a.png", Body=b"")
        iam = self._client("iam", root)
        iam.create_user(UserName="ada")
        key = iam.create_access_key(UserName="ada")["AccessKey"]
        self.keys: dict[str, str] = {
            "aws_access_key_id": key["AccessKeyId"],
            "aws_secret_access_key": key["SecretAccessKey"],
        }
        arn = "arn:aws:s3:::"
        names = (BUCKET, f"{BUCKET}/*", SECOND, f"{SECOND}/*", MISSING)
        allowed = {"Effect": "Allow", "Action": "s3:*", "Resource": [arn + name for name in names]}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
        iam.put_user_policy(UserName="ada", PolicyName="labels", PolicyDocument=policy)
        self.check_rights(True)

    def check_rights(self, on: bool) -> None:
        """Check who asks, or do not: moto cannot check signed links."""
        answer = requests.post(
            f"{self.url}/moto-api/reset-auth", data="0" if on else "inf", timeout=10
        )
        assert answer.ok, answer.text

    def put(self, key: str, content: bytes, bucket: str = BUCKET) -> str:
        """Put an object without a type; return its URI."""
        self._client("s3", self.keys).put_object(Bucket=bucket, Key=key, Body=content)
        return f"s3://{bucket}/{key}"

    def remove(self, key: str) -> None:
        """Remove an object from BUCKET."""
        self._client("s3", self.keys).delete_object(Bucket=BUCKET, Key=key)

    def _client(self, service: str, keys: Mapping[str, str]) -> Any:
        return boto3.client(service, endpoint_url=self.url, region_name="us-east-1", **keys)

    @property
    def variables(self) -> dict[str, str]:
        """The environment of a notebook that uses this server with `keys`."""
        return {"AWS_ENDPOINT_URL": self.url} | {
            name.upper(): value for name, value in self.keys.items()
        }

    def write_profile(self, folder: Path, credentials: Path | None = None) -> None:
        """Make a folder `.aws` with the profile `labels`; its keys may be in another file."""
        folder.mkdir()
        config = {"endpoint_url": self.url, "region": "eu-central-1"}
        for path, head, values in (
            (credentials or folder / "credentials", "[labels]", self.keys),
            (folder / "config", "[profile labels]", config),
        ):
            lines = [f"{name} = {value}" for name, value in values.items()]
            path.write_text("\n".join([head, *lines, ""]))
            path.chmod(0o600)

    def stop(self) -> None:
        self.process.stop()


def add_storage(client: LabelStudioClient, **fields: Any) -> Any:
    """Add a storage as Label Studio's form does, without keys; return the response."""
    project = new_project(client, "Pictures in S3")
    storage = {"bucket": BUCKET, "prefix": "pictures", "use_blob_urls": True}
    return client.post("api/storages/s3", json={"project": project, **storage, **fields})


def picture_in(client: LabelStudioClient, *, presign: bool) -> str:
    """Return the path of the picture in a new project."""
    storage = json_of(add_storage(client, presign=presign))
    synced = json_of(client.post(f"api/storages/s3/{storage['id']}/sync"))
    assert synced["status"] == "completed", synced["traceback"]
    (task,) = tasks_of(client, storage["project"])
    return str(task["data"]["image"])


def label(client: LabelStudioClient, prefix: str, labels: Sequence[str]) -> dict[str, Any]:
    """Make a project over a prefix in BUCKET, as `labelstudio_proxy.label` does; return its last word."""
    body = {"source": {"kind": "s3", "url": f"s3://{BUCKET}/{prefix}"}, "labels": labels}
    *_, last = client.post("_proxy/projects", json=body).text.splitlines()
    answer: dict[str, Any] = json.loads(last)
    return answer
