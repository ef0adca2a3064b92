"""What belongs together: what is missing, what contradicts, what points at nothing.

Runs on whatever could be read, so that these mistakes are told along with those of single settings; a setting that has
already been told to be wrong is not told to be missing, too.
"""

from __future__ import annotations

from leanix_backup.config.checks_files import check_files
from leanix_backup.config.checks_jobs import check_jobs
from leanix_backup.config.checks_places import check_places
from leanix_backup.config.checks_retention import check_retention
from leanix_backup.config.leaves import Leaf
from leanix_backup.config.report import Report
from leanix_backup.config.settings import Purpose
from leanix_backup.config.shape import ROOT, Many, Named, Node, Path, known_keys
from leanix_backup.config.tree import Tree
from leanix_backup.config.validate import Validated
from leanix_backup.errors import Problem


def check(tree: Tree, validated: Validated, purpose: Purpose) -> list[Problem]:
    """Add mistakes to the tree's problems; return what is allowed but probably not meant."""
    report = Report(tree, validated, purpose)
    _check_pairs(report, ROOT, ())
    _check_workspaces(report)
    _check_sections(report)
    check_places(report)
    check_jobs(report)
    check_retention(report)
    check_files(report)
    return report.warnings


def _check_pairs(report: Report, node: Node, path: Path) -> None:
    """Refuse a secret beside its `_file` form, wherever there is a secret."""
    said = report.tree.get(*path)
    if isinstance(node, Named) and isinstance(said, dict):
        for name in said:
            _check_pairs(report, node.each, (*path, name))
    elif isinstance(node, Many) and isinstance(said, list):
        for index in range(len(said)):
            _check_pairs(report, node.each, (*path, index))
    elif isinstance(said, dict):
        for key, entry in known_keys(node).items():
            if isinstance(entry.node, Leaf):
                if entry.node.secret and said.get(key) is not None and said.get(f"{key}_file") is not None:
                    report.refuse((*path, f"{key}_file"), f"stands beside {key}", "leave one of the two out")
            else:
                _check_pairs(report, entry.node, (*path, key))


def _check_workspaces(report: Report) -> None:
    if report.purpose is Purpose.READ:
        return
    if not report.tree.names("workspaces"):
        report.miss(("workspaces",), "no workspace is configured")
    taken: dict[object, str] = {}
    for name, section in report.root.workspaces.items():
        path: Path = ("workspaces", name)
        if section.url is None:
            report.miss((*path, "url"), "the workspace needs its URL")
        if section.api_token is None and section.api_token_file is None:
            report.miss_secret((*path, "api_token"), "the workspace needs an API token")
        elif section.url is not None:
            same = (section.url, section.api_token, section.api_token_file)
            if (first := taken.setdefault(same, name)) != name:
                message = f"is the same workspace as {first}: two names would take each other's exports"
                report.refuse(path, message, "give the jobs of both one name")


def _check_sections(report: Report) -> None:
    for index, target in enumerate(report.root.notify):
        if target.url is None and target.url_file is None:
            report.miss_secret(("notify", index, "url"), "the receiver needs its URL")
    if report.root.defaults.destinations == ():
        report.refuse(("defaults", "destinations"), "names no destination", "leave it out where each job names its own")
