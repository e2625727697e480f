"""What S3 refuses, in the words of boto3 1.44 and Label Studio 1.23."""

from __future__ import annotations

import pytest

from labelstudio_proxy.gateway.projects.s3_problems import problem_of

URL = "s3://labels/pictures"
ERROR = "An error occurred ({}) when calling the ListObjectsV2 operation: {}"


@pytest.mark.parametrize(
    ("reason", "says"),
    [
        ("Cannot find bucket labels in S3", "no such bucket"),
        ("Cannot connect to S3 labels with specified AWS credentials", "may not list"),
        ("Wrong credentials for S3 labels", "may not list"),
        (f"{URL} not found.", "no objects below s3://labels/pictures"),
        ("The config profile (lables) could not be found", "AWS_PROFILE"),
        ('Could not connect to the endpoint URL: "http://minio:9000/labels"', "AWS_ENDPOINT_URL"),
        ("SSL validation failed for https://minio [SSL: CERTIFICATE_VERIFY_FAILED]", "CA_BUNDLE"),
        (ERROR.format("ExpiredToken", "The provided token has expired."), "have expired"),
        (ERROR.format("InvalidToken", "The provided token is malformed"), "InvalidToken"),
        (
            ERROR.format("AuthorizationHeaderMalformed", "the region 'us-east-1' is wrong"),
            "another region",
        ),
    ],
)
def test_a_refusal_names_the_location_and_the_remedy(reason: str, says: str) -> None:
    problem = problem_of(URL, reason, allowed=True)
    assert URL in problem.what
    assert says in problem.as_sentence()
    assert problem.remedy


def test_missing_credentials_name_the_setting_where_it_is_off() -> None:
    reason = "Unable to locate credentials"
    assert "aws_credentials = True" in problem_of(URL, reason, allowed=False).remedy
    assert "AWS_PROFILE" in problem_of(URL, reason, allowed=True).remedy
