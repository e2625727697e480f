"""What S3 refuses, for people: from the words of boto3 and of Label Studio."""

from __future__ import annotations

import re

from ...problem import Problem

# Label Studio's words where it keeps the reason to itself.
HIDDEN = re.compile("Error validating storage connection|Failed to list storage files")
_AGAIN = "then restart Label Studio and run it again"
# Patterns, what happened, and what to do. The first match counts.
_CASES = (
    (
        r"config profile",
        "Label Studio found no such AWS profile.",
        "Correct `AWS_PROFILE` where Jupyter starts, or `~/.aws/config`, and restart Jupyter.",
    ),
    (
        r"Expired|expired",
        "The AWS credentials have expired.",
        f"Renew them, for example with `aws sso login`, {_AGAIN}.",
    ),
    (
        r"Cannot find bucket|NoSuchBucket",
        "There is no such bucket at this endpoint.",
        "Correct the name. For another S3 than Amazon's, set `AWS_ENDPOINT_URL` where Jupyter starts.",
    ),
    (
        r"endpoint URL|ConnectionError|Connect timeout",
        "Label Studio cannot reach the S3 endpoint.",
        (
            "Correct `AWS_ENDPOINT_URL` (or the profile's `endpoint_url`), or start that server. In a "
            "container, 127.0.0.1 is the container itself."
        ),
    ),
    (
        r"SSL|CERTIFICATE|certificate",
        "Label Studio does not trust the certificate of the S3 endpoint.",
        "Set `AWS_CA_BUNDLE` to the file with its authority where Jupyter starts.",
    ),
    (
        r"AuthorizationHeaderMalformed|PermanentRedirect|IllegalLocationConstraint",
        "The bucket is in another region.",
        "Set `AWS_DEFAULT_REGION` or the profile's `region` where Jupyter starts, and restart it.",
    ),
    (
        r"specified AWS credentials|credentials for S3|Access ?Denied|Forbidden|40[13]",
        "The AWS credentials are wrong, or may not list this bucket.",
        "They need `s3:ListBucket` and `s3:GetObject`. Check them with `aws s3 ls {url}/`.",
    ),
)


def problem_of(url: str, reason: str, *, allowed: bool) -> Problem:
    """Return the Problem with the location `url`, given Label Studio's `reason`.

    `allowed`: the setting `aws_credentials`.
    """
    what = f"Label Studio cannot read {url}."
    if re.search(r"locate credentials|NoCredentials|Partial credentials", reason):
        return _no_credentials(what, allowed=allowed)
    if reason.startswith(url) and reason.endswith("not found."):
        return nothing_there(url)
    for pattern, why, remedy in _CASES:
        if re.search(pattern, reason):
            return Problem(what, why, remedy.format(url=url))
    return Problem(what, reason, f"Check that `aws s3 ls {url}/` works where Jupyter runs.")


def nothing_there(url: str) -> Problem:
    """Return the Problem of a location without objects."""
    return Problem(
        f"There are no objects below {url}.",
        "",
        "Correct the prefix: it is whole parts of keys, without `*`.",
    )


def _no_credentials(what: str, *, allowed: bool) -> Problem:
    if allowed:
        return Problem(
            what,
            "boto3 finds no AWS credentials: not in the environment of Jupyter, not in `~/.aws`, and "
            "the machine has no role.",
            "Run `aws configure` or set `AWS_PROFILE`, and restart Jupyter.",
        )
    return Problem(
        what,
        "The notebook's AWS credentials do not reach it: the setting `aws_credentials` is off.",
        "Set `c.LabelStudioProxy.aws_credentials = True` in `jupyter_server_config.py`, and restart "
        "Jupyter.",
    )
