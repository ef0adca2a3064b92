"""The log as an interface: every event by name, level and fields, and the one door to structlog.

Each line says `timestamp, level, event, run_id, job, workspace, export, stage` and then the event's own fields, with
their units in their names. Whatever is written, by us or by a library, passes the redaction first: a known secret or
anything that looks like one never reaches the stream.
"""

from leanix_backup.events.catalogue import CATALOGUE, Event, EventSpec, reference
from leanix_backup.events.redaction import MASK, Redactor, redactor
from leanix_backup.events.writing import Log, configure, context, set_stage

__all__ = [
    "CATALOGUE",
    "MASK",
    "Event",
    "EventSpec",
    "Log",
    "Redactor",
    "configure",
    "context",
    "redactor",
    "reference",
    "set_stage",
]
