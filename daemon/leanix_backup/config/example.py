"""The commented sample that `config example` prints."""

from __future__ import annotations

from typing import Final

_EXAMPLE: Final = """\
# leanix-backup: a sample configuration. Print it with `leanix-backup config example`, check yours with
# `leanix-backup config validate`. Every setting can come from the environment, too, and then wins:
# LEANIX_BACKUP__ and the path, joined by __, in capitals, - as _: LEANIX_BACKUP__WORKSPACES__ACME__API_TOKEN.
# Any secret x can be x_file instead, which is read anew at each use. A change takes a restart.
# yaml-language-server: $schema=leanix-backup.schema.json

workspaces:
  acme:
    url: https://acme.leanix.net # http only for a loopback host
    api_token_file: /run/secrets/leanix-acme
    # workspace_id, user_id: read from the token unless given

destinations:
  disk:
    type: local
    path: /backups
    # prune: service            who may delete here: service, command or never
    # retention: forever        overrides what the job says, at this destination
  # offsite:
  #   type: s3
  #   bucket: acme-leanix-backups
  #   prefix: leanix
  #   # boto3's own chain finds region and keys where these are absent:
  #   region: eu-central-1
  #   endpoint_url: https://s3.example.com
  #   addressing_style: auto
  #   access_key_id: AKIAIOSFODNN7EXAMPLE
  #   secret_access_key_file: /run/secrets/s3-secret
  #   server_side_encryption: aws:kms
  #   kms_key_id: alias/leanix-backup
  #   storage_class: STANDARD_IA
  #   tags: {owner: architecture}
  #   checksum: auto            # auto, sha256, crc32 or md5
  #   part_size: 32MiB
  #   concurrency: 4
  #   object_lock: {mode: governance, retain: 400d}

defaults: # any job may override each of these
  timezone: UTC
  jitter: 0s # a random wait before the start
  catch_up: true # one run at start for a schedule missed while down
  export_timeout: 4h
  request_timeout: 60s # one HTTP exchange; for a download, the longest silence
  attempts: 3
  poll: {first: 2s, factor: 1.2, ceiling: 60s}
  destinations: [disk]
  retention: forever # a policy or "forever": one of them must be said

jobs:
  nightly:
    workspace: acme
    export: SNAPSHOT
    schedule: "30 2 * * *" # five cron fields as Debian's cron reads them, @daily and its like, or "@every 6h"
    timezone: Europe/Berlin
    retention: {keep_last: 3, keep_daily: 14, keep_weekly: 8, keep_monthly: 12, keep_yearly: 5, delete_after: 6y}
    shrink_guard: 20% # fewer fact sheets than that below the last good one: stored, but pruning waits
  changelog:
    workspace: acme
    export: AUDIT_LOG
    schedule: "@daily"
    audit_log: {overlap: 1d, initial_lookback: 30d, max_window: 30d}
    retention: {keep_within: 7y} # an audit log is never thinned out: keep_within, delete_after or forever
  archive:
    workspace: acme
    export: ARCHIVE # archived fact sheets live 90 days: run well inside that
    schedule: "@weekly"
    # enabled: false            pauses it

state_dir: /var/lib/leanix-backup
spool: {path: null, max_size: 20GiB} # null: state_dir/spool
verify: {max_members: 10000, max_unpacked: 50GiB, max_ratio: 200, schedule: null, newest: 1}
network: {ca_bundle: null, proxy: null, no_proxy: []} # the system's trust store and HTTPS_PROXY unless said
log: {level: info, format: auto} # auto: console on a terminal, JSON lines otherwise
http: {listen: "127.0.0.1:8080", token_file: null} # http: null switches it off
notify: []
# - url_file: /run/secrets/notify          any apprise URL
#   levels: [failure, partial, recovered, overdue, gap]
heartbeat: {} # start, success, failure: URLs that are called around every run; a job may have its own
shutdown_grace: 30s
"""


def example() -> str:
    """Return the sample as YAML text; it is valid wherever its secret file exists."""
    return _EXAMPLE
