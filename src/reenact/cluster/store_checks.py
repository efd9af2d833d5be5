"""Checks of the object store and of the DVC remote in it."""

import os
import secrets
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlsplit

from reenact.cluster.finding import Finding, failed, ok, warning
from reenact.corpus.sources.names import redacted


def check_object_store(uri: str) -> Finding:
    """Write an object under the prefix, read it, remove it."""
    name, place = "object store", _bucket_of(uri)
    if place is None:
        return failed(name, f'"{redacted(uri)}" is not of the form s3://BUCKET/PREFIX.')
    if absent := _no_boto(name):
        return absent
    bucket, prefix = place
    key, body = f"{prefix}reenact-doctor-{secrets.token_hex(8)}", secrets.token_bytes(1024)
    doing = "written"
    try:
        client = _client()
        endpoint = client.meta.endpoint_url
        client.put_object(Bucket=bucket, Key=key, Body=body)
        doing = "read"
        try:
            same = client.get_object(Bucket=bucket, Key=key)["Body"].read() == body
        finally:
            client.delete_object(Bucket=bucket, Key=key)
        doing = "removed"
        left = client.list_objects_v2(Bucket=bucket, Prefix=key).get("KeyCount", 0)
    except Exception as error:
        return failed(name, _store_sentence(error, uri=uri, bucket=bucket, doing=doing))
    if not same:
        return failed(name, f"{uri}: what was written isn't what was read. Use another store.")
    if left:
        return warning(name, f"{uri}: an object was written and read, but is still there after it was removed ({key}).")
    return ok(name, f"{uri} at {endpoint}: an object was written, read and removed.")


def check_data_remote(uri: str) -> Finding:
    """Whether the DVC remote can be listed, and holds anything of DVC's."""
    name, place = "data remote", _bucket_of(uri)
    if place is None:
        return failed(name, f'"{redacted(uri)}" is not of the form s3://BUCKET/PREFIX.')
    if absent := _no_boto(name):
        return absent
    bucket, prefix = place
    try:
        client = _client()
        found = client.list_objects_v2(Bucket=bucket, Prefix=f"{prefix}files/md5/", MaxKeys=1).get("Contents", [])
    except Exception as error:
        return failed(name, _store_sentence(error, uri=uri, bucket=bucket, doing="listed"))
    if not found:
        return warning(name, f"{uri}: can be listed, but holds nothing of DVC's (files/md5). `dvc push` fills it.")
    return ok(name, f"{uri} at {client.meta.endpoint_url}: holds data of DVC's.")


def _bucket_of(uri: str) -> tuple[str, str] | None:
    """Bucket, and prefix with its slash at the end ("" for the whole bucket)."""
    split = urlsplit(uri)
    if split.scheme != "s3" or not split.netloc or split.query or split.fragment:
        return None
    prefix = split.path.strip("/")
    return split.netloc, f"{prefix}/" if prefix else ""


def _client() -> Any:
    from reenact.corpus.sources.s3_client import s3_client

    return s3_client()


def _no_boto(name: str) -> Finding | None:
    if find_spec("boto3"):
        return None
    return failed(name, "boto3 is not installed here. Install reenact with one of its extras data, train, track.")


def _store_sentence(error: Exception, *, uri: str, bucket: str, doing: str) -> str:
    """What a person can do about what the store, or the way to it, says."""
    from botocore.exceptions import (
        ClientError,
        ConnectionError,
        HTTPClientError,
        NoCredentialsError,
        PartialCredentialsError,
    )

    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or "AWS"
    if isinstance(error, NoCredentialsError | PartialCredentialsError):
        return f"{uri}: no credentials. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (secret reenact-s3)."
    code = error.response.get("Error", {}).get("Code", "") if isinstance(error, ClientError) else ""
    if code in ("NoSuchBucket", "404"):
        return f'{uri}: there is no bucket "{bucket}" at {endpoint}. Make it, or check name and AWS_ENDPOINT_URL_S3.'
    if code in ("InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "ExpiredToken"):
        return f"{uri}: {endpoint} doesn't accept the credentials ({code}). Check or renew them (secret reenact-s3)."
    if code in ("AccessDenied", "403", "Forbidden", "AllAccessDisabled"):
        return f"{uri}: nothing may be {doing} there ({code}). Give these credentials the right to."
    if isinstance(error, ConnectionError | HTTPClientError):
        return f"{uri}: {endpoint} can't be reached. Check AWS_ENDPOINT_URL_S3, the network and its policies."
    return f"{uri}: nothing could be {doing}: {redacted(' '.join(str(error).split()))}"
