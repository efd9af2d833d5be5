"""One way to talk to S3, of AWS or of any other server."""

import os
from typing import Any


def s3_client(*, endpoint: str = "", anonymous: bool = False, connections: int = 10) -> Any:
    """A boto3 client; what is not given here comes from the environment, as for all AWS tools."""
    import boto3
    from botocore import UNSIGNED
    from botocore.config import Config

    # Path addressing and checksums only where required: what S3 servers other than AWS understand.
    config = Config(
        retries={"max_attempts": int(os.environ.get("AWS_MAX_ATTEMPTS", "5")), "mode": "standard"},
        connect_timeout=5,
        read_timeout=60,
        max_pool_connections=max(10, connections),
        s3={"addressing_style": "path"},
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        **({"signature_version": UNSIGNED} if anonymous else {}),
    )
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
    return boto3.session.Session().client("s3", region_name=region, config=config, endpoint_url=endpoint or None)
