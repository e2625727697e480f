"""What a text for bug reports leaves out."""

from __future__ import annotations

import pytest

from labelstudio_proxy.doctor.redaction import redacted


@pytest.mark.parametrize(
    "line",
    [
        "aws_secret_access_key = hunter22",
        "AWS_SESSION_TOKEN='hunter22'",
        "GET http://s3/a.png?X-Amz-Credential=hunter22&X-Amz-Signature=hunter22",
        "postgresql://ada:hunter22@db/labels",
        "http://ada:p@hunter22@proxy.example:3128",
        "https://hunter22@index.example/simple",
    ],
)
def test_what_looks_like_a_secret_is_left_out(line: str) -> None:
    assert "hunter22" not in redacted(line, [])


def test_known_secrets_are_left_out_wherever_they_are() -> None:
    assert redacted("the key AKIAHUNTER2 fails", ["AKIAHUNTER2"]) == "the key (not shown) fails"
