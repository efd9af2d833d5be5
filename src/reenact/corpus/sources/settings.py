"""Settings of the sources: what `fetch_data` takes beside the place itself."""

from pydantic import Field

from reenact.config import Settings


class S3Settings(Settings):
    """How an object store is asked. Credentials are those of every AWS tool, never settings."""

    endpoint: str = ""  # http://host:port; empty: that of AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL, or AWS
    anonymous: bool = False  # ask without credentials, for public buckets
    parallel: int = Field(default=8, ge=1, le=64)  # objects on their way at a time
    attempts: int = Field(default=5, ge=1, le=20)  # of one object, each continuing where the last one stopped


class ArchiveSettings(Settings):
    """What an archive may unpack to; beyond it the whole archive is refused."""

    max_members: int = Field(default=2_000_000, ge=1)
    max_gigabytes: float = Field(default=1000.0, gt=0)
    max_ratio: float = Field(default=100.0, gt=1)  # of unpacked to packed size: videos hardly shrink, bombs do


class SourceSettings(Settings):
    """What `materialise` needs to know."""

    cache: str = "out/fetched"  # where archives are unpacked and downloads are kept, so that a second run is free
    s3: S3Settings = S3Settings()
    archive: ArchiveSettings = ArchiveSettings()
