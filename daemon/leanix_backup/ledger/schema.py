"""The tables, and how an older file becomes one of this version: each migration is one transaction."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Dialect

metadata = sa.MetaData()


class Instant(sa.TypeDecorator[datetime]):
    """An aware instant, kept as ISO-8601 text in UTC of fixed width, so that it sorts as it is."""

    impl = sa.String
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:  # noqa: ARG002 -- SQLAlchemy's signature
        """Write an instant."""
        return None if value is None else value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:  # noqa: ARG002 -- SQLAlchemy's signature
        """Read an instant."""
        return None if value is None else datetime.fromisoformat(value)


runs = sa.Table(
    "runs",
    metadata,
    sa.Column("run_id", sa.String, primary_key=True),
    sa.Column("job", sa.String, nullable=False),
    sa.Column("workspace", sa.String, nullable=False),
    sa.Column("export", sa.String, nullable=False),
    sa.Column("trigger", sa.String, nullable=False),
    sa.Column("scheduled_at", Instant, nullable=False),
    sa.Column("started_at", Instant, nullable=False),
    sa.Column("window_start", Instant),
    sa.Column("window_end", Instant),
    sa.Column("asked_start", sa.String),
    sa.Column("asked_end", sa.String),
    sa.Column("stage", sa.String, nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("workspace_id", sa.String),
    sa.Column("seen_ids", sa.JSON(none_as_null=True)),
    sa.Column("server_time", Instant),
    sa.Column("user_id", sa.String),
    sa.Column("posting", sa.Boolean, nullable=False),
    sa.Column("job_id", sa.String),
    sa.Column("export_id", sa.String),
    sa.Column("export_created_at", Instant),
    sa.Column("spending", sa.Boolean, nullable=False),
    sa.Column("size_bytes", sa.Integer),
    sa.Column("sha256", sa.String),
    sa.Column("manifest", sa.Text),
    sa.Column("outcome", sa.String),
    sa.Column("error_code", sa.String),
    sa.Column("finished_at", Instant),
    sa.Column("posts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("left_ids", sa.JSON(none_as_null=True)),
    sa.Index("runs_of_a_job", "job", "started_at"),
    sa.Index("runs_of_an_export", "workspace", "export", "outcome"),
)

shipments = sa.Table(
    "shipments",
    metadata,
    sa.Column("run_id", sa.ForeignKey("runs.run_id", ondelete="CASCADE"), primary_key=True),
    sa.Column("destination", sa.String, primary_key=True),
    sa.Column("key", sa.String, nullable=False),
    sa.Column("stored_at", Instant),
    sa.Column("tries", sa.Integer, nullable=False),
    sa.Column("next_try_at", Instant),
    sa.Column("error_code", sa.String),
)

workspaces = sa.Table(
    "workspaces",
    metadata,
    sa.Column("name", sa.String, primary_key=True),
    sa.Column("id", sa.String, nullable=False),
)

schedules = sa.Table(
    "schedules",
    metadata,
    sa.Column("job", sa.String, primary_key=True),
    sa.Column("due_at", Instant, nullable=False),
)


removals = sa.Table(
    "removals",
    metadata,
    sa.Column("destination", sa.String, primary_key=True),
    sa.Column("key", sa.String, primary_key=True),
    sa.Column("begun_at", Instant, nullable=False),
)

accepted = sa.Table(
    "accepted",
    metadata,
    sa.Column("run_id", sa.String, primary_key=True),
    sa.Column("reason", sa.String, nullable=False),
    sa.Column("accepted_at", Instant, nullable=False),
)

damages = sa.Table(
    "damages",
    metadata,
    sa.Column("destination", sa.String, primary_key=True),
    sa.Column("key", sa.String, primary_key=True),
    sa.Column("error_code", sa.String, nullable=False),
    sa.Column("found_at", Instant, nullable=False),
)

standings = sa.Table(
    "standings",
    metadata,
    sa.Column("workspace", sa.String, primary_key=True),
    sa.Column("good_run_id", sa.String, nullable=False),
    sa.Column("good_fact_sheets", sa.Integer, nullable=False),
    sa.Column("shrunk_run_id", sa.String),
    sa.Column("shrunk_fact_sheets", sa.Integer),
)

orphans = sa.Table(
    "orphans",
    metadata,
    sa.Column("destination", sa.String, primary_key=True),
    sa.Column("key", sa.String, primary_key=True),
    sa.Column("seen_at", Instant, nullable=False),
)

# What each migration did when it was written, as it was sent: a file of any age must become what `metadata` says.
_FIRST = (
    """
    CREATE TABLE runs (
        run_id VARCHAR NOT NULL, job VARCHAR NOT NULL, workspace VARCHAR NOT NULL, export VARCHAR NOT NULL,
        "trigger" VARCHAR NOT NULL, scheduled_at VARCHAR NOT NULL, started_at VARCHAR NOT NULL,
        window_start VARCHAR, window_end VARCHAR, asked_start VARCHAR, asked_end VARCHAR,
        stage VARCHAR NOT NULL, attempt INTEGER NOT NULL, workspace_id VARCHAR, seen_ids JSON, server_time VARCHAR,
        user_id VARCHAR, posting BOOLEAN NOT NULL, job_id VARCHAR, export_id VARCHAR, export_created_at VARCHAR,
        spending BOOLEAN NOT NULL, size_bytes INTEGER, sha256 VARCHAR, manifest TEXT,
        outcome VARCHAR, error_code VARCHAR, finished_at VARCHAR,
        PRIMARY KEY (run_id)
    )
    """,
    "CREATE INDEX runs_of_an_export ON runs (workspace, export, outcome)",
    "CREATE INDEX runs_of_a_job ON runs (job, started_at)",
    "CREATE TABLE schedules (job VARCHAR NOT NULL, due_at VARCHAR NOT NULL, PRIMARY KEY (job))",
    "CREATE TABLE workspaces (name VARCHAR NOT NULL, id VARCHAR NOT NULL, PRIMARY KEY (name))",
    """
    CREATE TABLE shipments (
        run_id VARCHAR NOT NULL, destination VARCHAR NOT NULL, "key" VARCHAR NOT NULL, stored_at VARCHAR,
        tries INTEGER NOT NULL, next_try_at VARCHAR, error_code VARCHAR,
        PRIMARY KEY (run_id, destination),
        FOREIGN KEY(run_id) REFERENCES runs (run_id) ON DELETE CASCADE
    )
    """,
)
_POSTS_AND_LEFT_EXPORTS = (
    "ALTER TABLE runs ADD COLUMN posts INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE runs ADD COLUMN left_ids JSON",
    "UPDATE runs SET posts = 1 WHERE posting",
)
_MARKS = (
    """
    CREATE TABLE removals (
        destination VARCHAR NOT NULL, "key" VARCHAR NOT NULL, begun_at VARCHAR NOT NULL,
        PRIMARY KEY (destination, "key")
    )
    """,
    """
    CREATE TABLE accepted (
        run_id VARCHAR NOT NULL, reason VARCHAR NOT NULL, accepted_at VARCHAR NOT NULL, PRIMARY KEY (run_id)
    )
    """,
    """
    CREATE TABLE damages (
        destination VARCHAR NOT NULL, "key" VARCHAR NOT NULL, error_code VARCHAR NOT NULL, found_at VARCHAR NOT NULL,
        PRIMARY KEY (destination, "key")
    )
    """,
    """
    CREATE TABLE standings (
        workspace VARCHAR NOT NULL, good_run_id VARCHAR NOT NULL, good_fact_sheets INTEGER NOT NULL,
        shrunk_run_id VARCHAR, shrunk_fact_sheets INTEGER, PRIMARY KEY (workspace)
    )
    """,
    """
    CREATE TABLE orphans (
        destination VARCHAR NOT NULL, "key" VARCHAR NOT NULL, seen_at VARCHAR NOT NULL,
        PRIMARY KEY (destination, "key")
    )
    """,
)
MIGRATIONS = (_FIRST, _POSTS_AND_LEFT_EXPORTS, _MARKS)
VERSION = len(MIGRATIONS)
