"""moto's server as a program: `s3_server.py HOST PORT`.

For the bucket `expired` it answers as S3 does for expired credentials, which moto does not know.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import run_simple

EXPIRED = b"<Error><Code>ExpiredToken</Code><Message>The token has expired.</Message></Error>"
moto = DomainDispatcherApplication(create_backend_app)


def respond(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    if environ["PATH_INFO"].split("/")[1] == "expired":
        start_response("400 Bad Request", [("Content-Type", "application/xml")])
        return [EXPIRED]
    answer: Iterable[bytes] = moto(environ, start_response)
    return answer


if __name__ == "__main__":
    run_simple(sys.argv[1], int(sys.argv[2]), respond, threaded=True)
