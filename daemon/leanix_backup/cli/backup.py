"""`backup`: run jobs now, once, and say how it went."""

from __future__ import annotations

from typing import Annotated

import anyio
import typer

from leanix_backup.cli.common import (
    AsJson,
    ConfigFile,
    configure_log,
    human_size,
    load_config,
    plain,
    print_json,
    require_known,
    say,
    show_error,
)
from leanix_backup.config import Config, Job
from leanix_backup.errors import EXIT_FAILED, EXIT_LOCKED, EXIT_PARTIAL, LockedError, UsageError
from leanix_backup.model import Outcome, RunReport

_SIGNAL_BASE = 128


def backup(
    context: typer.Context,
    jobs: Annotated[list[str] | None, typer.Argument(metavar="JOB…", show_default=False)] = None,
    every: Annotated[bool, typer.Option("--all", help="Run every job that is not paused.")] = False,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait while another run holds the export.")] = True,
    as_json: AsJson = False,
    config_file: ConfigFile = None,
) -> None:
    """Run jobs now, once, wait for them, and say how it went."""
    config = load_config(context, config_file)
    chosen = _choose(config, jobs or [], every=every)
    raise typer.Exit(anyio.run(_back_up, config, chosen, wait, as_json))


def _choose(config: Config, names: list[str], *, every: bool) -> list[Job]:
    if every and names:
        raise UsageError("--all and names of jobs do not go together", hint="give one of them")
    if every:
        chosen = [job for job in config.jobs.values() if job.enabled]
        if not chosen:
            raise UsageError("every job is paused: nothing would be backed up", code="no_job", hint="set enabled: true")
        return chosen
    if not names:
        raise UsageError("which job?", code="no_job", hint=f"jobs here: {', '.join(config.jobs)}; or --all")
    for name in names:
        require_known("job", name, config.jobs)
    return [config.jobs[name] for name in dict.fromkeys(names)]


async def _back_up(config: Config, jobs: list[Job], wait: bool, as_json: bool) -> int:
    from leanix_backup.cli.last_resort import end_soon
    from leanix_backup.cli.progress import watching
    from leanix_backup.clock import Clock
    from leanix_backup.crew import Crew
    from leanix_backup.events import Log, context
    from leanix_backup.model import Trigger
    from leanix_backup.wiring import Call, Workshop

    clock, log = Clock(), Log()
    reports: list[RunReport] = []
    locked: list[LockedError] = []
    with watching() as watch:
        configure_log(config, quiet=watch.shown)
        async with Workshop(config, jobs, clock=clock, log=log) as workshop:
            await workshop.warn()
            await workshop.sweep()
            crew = Crew(
                workshop,
                grace=config.shutdown_grace,
                clock=clock,
                log=log,
                all_told=lambda: end_soon(_SIGNAL_BASE + (crew.signal or 0), log),
            )

            async def one(job: Job) -> None:
                call = Call(job, Trigger.MANUAL, clock.utc_now(), wait_for_lock=wait, progress=watch.job(job.name))
                try:
                    with context(job=job.name, workspace=job.workspace, export=job.export.value):
                        reports.extend(await crew.run(call))
                except LockedError as error:
                    locked.append(error)
                finally:
                    watch.done(job.name)

            async with anyio.create_task_group() as chores:
                chores.start_soon(crew.heed_signals)
                async with anyio.create_task_group() as runs:
                    for job in jobs:
                        runs.start_soon(one, job)
                    chores.start_soon(crew.drain_when_stopped)
                chores.cancel_scope.cancel()
    _say(reports, as_json=as_json)
    for error in locked:
        show_error(error)
    return _status(reports, locked=bool(locked), signal=crew.signal)


def _say(reports: list[RunReport], *, as_json: bool) -> None:
    if as_json:
        print_json({"runs": [plain(report) for report in reports]})
        return
    for report in reports:
        if report.error is not None:
            say(f"{report.job}: {report.outcome.value}: {report.error.message} [{report.error.code}]")
            if report.error.hint:
                say(f"  hint: {report.error.hint}")
        else:
            what = f"{report.fact_sheets:,} fact sheets, " if report.fact_sheets else ""
            size = human_size(report.size_bytes)
            say(f"{report.job}: {report.outcome.value}: {what}{size} in {report.duration_s:.1f} s")
        for copy in report.stored:
            say(f"  {copy.destination}: {copy.key}")


def _status(reports: list[RunReport], *, locked: bool, signal: int | None) -> int:
    if signal is not None:
        return _SIGNAL_BASE + signal
    outcomes = {report.outcome for report in reports}
    if Outcome.FAILED in outcomes:
        return EXIT_FAILED
    if locked:
        return EXIT_LOCKED
    return EXIT_PARTIAL if Outcome.PARTIAL in outcomes else 0
