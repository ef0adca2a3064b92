"""leanix-backup: a backup daemon for SAP LeanIX workspaces."""

__version__ = "0.1.0"
