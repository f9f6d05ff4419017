"""Storage in an S3 bucket, or in anything that speaks S3."""

from __future__ import annotations

import base64
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, cast

from include.storage.base import (
    NotStored,
    StorageError,
    StorageFull,
    Stored,
    UploadAddress,
    digest,
    known_path,
    safe_path,
)

_ABSENT = ("404", "NoSuchKey", "NotFound")
_FULL = ("QuotaExceeded", "XMinioStorageFull", "507", "InsufficientStorage")


class S3Storage:
    """Objects under ``prefix`` of one bucket. An object is there whole or not at all, by S3's own promise."""

    def __init__(self, bucket: str, prefix: str = "", *, endpoint: str | None = None, region: str | None = None):
        self.bucket = bucket
        self.prefix = f"{prefix}/" if prefix else ""
        self._endpoint = endpoint
        self._region = region

    @cached_property
    def _client(self) -> Any:
        import boto3  # type: ignore[import-untyped]
        from botocore.config import Config  # type: ignore[import-untyped]

        config = Config(
            retries={"mode": "standard", "max_attempts": 5},
            signature_version="s3v4",  # an address for uploads is signed with length and hash
            # Servers other than Amazon's often know neither host-style buckets nor the newer checksums.
            **(
                {
                    "s3": {"addressing_style": "path"},
                    "request_checksum_calculation": "when_required",
                    "response_checksum_validation": "when_required",
                }
                if self._endpoint
                else {}
            ),
        )
        return boto3.session.Session().client(
            "s3", endpoint_url=self._endpoint, region_name=self._region, config=config
        )

    def put(self, path: str, data: bytes, *, media_type: str) -> None:
        """See Storage.put."""
        with self._reported(path):
            self._client.put_object(Bucket=self.bucket, Key=self._key(safe_path(path)), Body=data,
                                    ContentType=media_type)

    def put_file(self, path: str, source: Path, *, media_type: str) -> None:
        """See Storage.put_file."""
        with self._reported(path):
            self._client.upload_file(
                str(source), self.bucket, self._key(safe_path(path)), ExtraArgs={"ContentType": media_type}
            )

    def get(self, path: str) -> bytes:
        """See Storage.get."""
        with self._reported(path):
            return cast(bytes, self._object(path).read())

    def open(self, path: str) -> BinaryIO:
        """See Storage.open: a copy in a temporary file, for S3 does not seek."""
        with self._reported(path):
            copy = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
            try:
                self._client.download_fileobj(self.bucket, self._key(path), copy)
                copy.seek(0)
            except BaseException:
                copy.close()
                raise
            return cast(BinaryIO, copy)

    def exists(self, path: str) -> bool:
        """See Storage.exists."""
        try:
            with self._reported(path):
                self._client.head_object(Bucket=self.bucket, Key=self._key(path))
        except NotStored:
            return False
        return True

    def list(self, prefix: str) -> list[Stored]:
        """See Storage.list."""
        folder = prefix.strip("/")
        start = f"{self._key(folder)}/" if folder else self.prefix
        found: list[Stored] = []
        with self._reported(prefix):
            for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=start):
                now = parsedate_to_datetime(page["ResponseMetadata"]["HTTPHeaders"]["date"])
                for each in page.get("Contents", []):
                    # Consoles mark an empty folder by an object whose name ends in a slash.
                    if not each["Key"].endswith("/"):
                        found.append(self._stored(each, now))
        return sorted(found, key=lambda each: each.path)

    def move(self, source: str, target: str) -> None:
        """See Storage.move."""
        origin, goal = self._key(source), self._key(safe_path(target))
        try:
            with self._reported(source):
                self._client.head_object(Bucket=self.bucket, Key=origin)
        except NotStored:
            if self.exists(target):
                return
            raise NotStored(f"No file in storage under {source!r}, nor moved to {target!r}.") from None
        if origin == goal:
            return
        with self._reported(source):
            self._client.copy({"Bucket": self.bucket, "Key": origin}, self.bucket, goal)
            self._client.delete_object(Bucket=self.bucket, Key=origin)

    def delete(self, path: str) -> None:
        """See Storage.delete."""
        with self._reported(path):
            self._client.delete_object(Bucket=self.bucket, Key=self._key(path))

    def url(self, path: str) -> str:
        """See Storage.url."""
        return f"s3://{self.bucket}/{self._key(path)}"

    def sha256(self, path: str) -> str:
        """See Storage.sha256."""
        with self._reported(path):
            return digest(cast(BinaryIO, self._object(path)))

    def upload(self, path: str, *, size: int, sha256: str, media_type: str, seconds: int) -> UploadAddress:
        """See Storage.upload: an address signed for these bytes, whose hash S3 itself checks."""
        checksum = base64.b64encode(bytes.fromhex(sha256)).decode()
        with self._reported(path):
            url = self._client.generate_presigned_url(
                "put_object", ExpiresIn=seconds, HttpMethod="PUT",
                Params={"Bucket": self.bucket, "Key": self._key(safe_path(path)), "ContentLength": size,
                        "ContentType": media_type, "ChecksumSHA256": checksum},
            )  # fmt: skip
        return UploadAddress(url, {"Content-Type": media_type, "x-amz-checksum-sha256": checksum})

    def check(self) -> None:
        """See Storage.check."""
        probe = f".check-{uuid.uuid4().hex}"
        self.put(probe, b"check", media_type="text/plain")
        try:
            if self.get(probe) != b"check":
                raise StorageError(f"Bucket {self.bucket!r} does not give back what was written to it.")
        finally:
            self.delete(probe)

    def _key(self, path: str) -> str:
        return self.prefix + known_path(path)

    def _object(self, path: str) -> Any:
        return self._client.get_object(Bucket=self.bucket, Key=self._key(path))["Body"]

    def _stored(self, found: dict[str, Any], now: datetime) -> Stored:
        return Stored(
            path=found["Key"][len(self.prefix):],
            size=found["Size"],
            age_seconds=max(0.0, (now - found["LastModified"]).total_seconds()),
            etag=found["ETag"].strip('"'),
        )

    @contextmanager
    def _reported(self, path: str) -> Iterator[None]:
        from botocore.exceptions import BotoCoreError, ClientError  # type: ignore[import-untyped]

        try:
            yield
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", ""))
            if code == "NoSuchBucket":
                raise StorageError(f"There is no bucket {self.bucket!r}: create it, or mend the address.") from error
            if code in _ABSENT:
                raise NotStored(f"No file in storage under {path!r}.") from error
            if code in _FULL:
                raise StorageFull(f"The storage behind bucket {self.bucket!r} is full.") from error
            if code in ("403", "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch"):
                raise StorageError(f"No permission in bucket {self.bucket!r} ({path!r}): check the credentials and "
                                   f"the bucket's policy ({code}).") from error
            raise StorageError(f"Bucket {self.bucket!r}, {path!r}: {code}.") from error
        except BotoCoreError as error:
            raise StorageError(f"Bucket {self.bucket!r} cannot be reached: {error}") from error
