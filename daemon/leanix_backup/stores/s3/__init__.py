"""A bucket of an S3 server as a store. Importing this imports boto3, which takes most of a second."""

from leanix_backup.stores.s3.store import S3Store

__all__ = ["S3Store"]
