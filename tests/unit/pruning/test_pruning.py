"""What goes from a destination, what stays and why, and in which order it goes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from typing_extensions import override

from leanix_backup.config import Prune
from leanix_backup.errors import BackupError, StoreError
from leanix_backup.events import Event, Log
from leanix_backup.ledger import FILE_NAME, Counted, Ledger, Standing
from leanix_backup.model import ExportType, RetentionPolicy, RetentionSpan
from leanix_backup.pruning import Decision, Pruned, Scope, accept, carry_out, decide, judge, stand, take_stock
from leanix_backup.stores import NotDeleted, StoredObject
from tests.support.backups import Made, made
from tests.support.fake_time import FakeTime
from tests.support.log_lines import Captured, captured_log
from tests.support.memory_store import MemoryStore

NOW = datetime(2027, 6, 1, 12, 0, tzinfo=UTC)
KEEP_TWO = RetentionPolicy(keep_last=2)


def scope(policy: RetentionPolicy | None = KEEP_TWO, **more: object) -> Scope:
    made_up = Scope(
        "acme", ExportType.SNAPSHOT, "memory", policy, ZoneInfo("UTC"), jobs=("nightly",), prune=Prune.SERVICE
    )
    return replace(made_up, **more)  # type: ignore[arg-type]  # a test names fields


def of_day(day: int, **more: object) -> Made:
    """Make a backup of that many days before now."""
    return made(f"{day:08x}", taken_at=NOW - timedelta(days=day), **more)  # type: ignore[arg-type]  # a test names them


async def put(store: MemoryStore, *backups: Made) -> None:
    for each in backups:
        await store.put_bytes(each.key.artifact, each.data)
        await store.put_bytes(each.key.manifest, each.manifest_bytes)


async def keys(store: MemoryStore) -> set[str]:
    return {found.key async for found in store.scan()}


def both(*backups: Made) -> set[str]:
    return {key for each in backups for key in (each.key.artifact, each.key.manifest)}


async def decided(store: MemoryStore, said: Scope | None = None, **more: object) -> Decision:
    shelf = await take_stock(store, "acme", ExportType.SNAPSHOT)
    return decide(said or scope(), shelf, now=NOW, **more)  # type: ignore[arg-type]  # a test names them


async def pruned(
    store: MemoryStore, decision: Decision, *, workspace_id: str | None = "ws-1"
) -> tuple[Pruned, Captured]:
    with captured_log() as log:
        done = await carry_out(
            decision, store, workspace_id=workspace_id, marks=None, clock=FakeTime().clock, log=Log()
        )
    return done, log


class Watched(MemoryStore):
    """A store that tells in which order things were deleted, and fails where it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.deleted: list[str] = []
        self.fail_at = 99
        self.refuses = False

    @override
    async def delete(self, objects: Iterable[StoredObject]) -> tuple[NotDeleted, ...]:
        objects = list(objects)
        self.fail_at -= 1
        if self.fail_at < 0:
            raise StoreError("it is gone", code="destination_error", hint="wait")
        if self.refuses:
            error = StoreError("it does not allow that", code="destination_denied", hint="allow it")
            return tuple(NotDeleted(each.key, error) for each in objects)
        self.deleted += [each.key for each in objects]
        return await super().delete(objects)


class TestDecision:
    async def test_the_newest_stay_each_with_its_reason(self) -> None:
        store, backups = MemoryStore(), [of_day(day) for day in (4, 3, 2, 1)]
        await put(store, *backups)
        decision = await decided(store)
        assert [each.key for each in decision.remove] == [each.key for each in backups[:2]]
        assert [each.candidate.id for each in decision.plan.keep] == [each.key.artifact for each in backups[2:]]
        assert all(each.reasons for each in decision.plan.keep)

    async def test_without_a_policy_everything_stays(self) -> None:
        store = MemoryStore()
        await put(store, of_day(5000), of_day(1))
        assert (await decided(store, scope(policy=None))).remove == ()

    async def test_while_it_waits_nothing_goes_and_it_says_why(self) -> None:
        store = MemoryStore()
        await put(store, *(of_day(day) for day in (4, 3, 2, 1)))
        decision = await decided(store, waits="the newest shrank")
        assert (decision.remove, decision.plan.remove) == ((), ())
        assert [each.reasons for each in decision.plan.keep[:2]] == [("the newest shrank",)] * 2

    async def test_a_damaged_one_takes_no_place(self) -> None:
        store, backups = MemoryStore(), [of_day(day) for day in (3, 2, 1)]
        await put(store, *backups)
        decision = await decided(store, damaged={backups[2].key.artifact})
        kept = {each.candidate.id for each in decision.plan.keep}
        assert {backups[0].key.artifact, backups[1].key.artifact} <= kept

    async def test_files_of_others_are_none_of_its_business(self) -> None:
        store = MemoryStore()
        await put(store, of_day(3), of_day(2), of_day(1))
        others = {
            "acme/snapshot/notes.txt",
            "acme/snapshot/2027/05/acme-snapshot-20270501T000000Z.xlsx",
            "other/snapshot/2020/01/x.xlsx",
        }
        for key in others:
            await store.put_bytes(key, b"theirs")
        await pruned(store, await decided(store))
        assert others <= await keys(store)

    async def test_what_is_locked_is_not_tried(self) -> None:
        store = MemoryStore()
        await put(store, *(of_day(day) for day in (40, 3, 2, 1)))
        decision = await decided(store, scope(lock=RetentionSpan(days=30)))
        assert [each.key.taken_at for each in decision.remove] == [NOW - timedelta(days=40)]
        assert any("locked until" in reason for each in decision.plan.keep for reason in each.reasons)

    async def test_a_changelog_loses_its_oldest_end_only(self) -> None:
        store = MemoryStore()
        log = [of_day(day, export=ExportType.AUDIT_LOG) for day in range(10, 0, -1)]
        await put(store, *log)
        shelf = await take_stock(store, "acme", ExportType.AUDIT_LOG)
        policy = RetentionPolicy(keep_within=RetentionSpan(days=4))
        said = scope(policy, export=ExportType.AUDIT_LOG)
        decision = decide(said, shelf, now=NOW)
        gone = [each.key.artifact for each in decision.remove]
        assert gone == [each.key.artifact for each in log[: len(gone)]]
        assert 0 < len(gone) < len(log)


class TestOrphans:
    @staticmethod
    async def with_orphan(*, age: timedelta, count: int = 1) -> tuple[MemoryStore, list[str]]:
        store = MemoryStore()
        await put(store, of_day(1))
        orphans = [of_day(100 + number) for number in range(count)]
        for each in orphans:
            await store.put_bytes(each.key.artifact, each.data)
        store.age(age)
        return store, [each.key.artifact for each in orphans]

    @pytest.mark.parametrize(("hours", "goes"), [(23, False), (25, True)])
    async def test_one_goes_after_it_was_seen_for_a_day(self, hours: int, *, goes: bool) -> None:
        store, (key,) = await self.with_orphan(age=timedelta(days=900))
        shelf = await take_stock(store, "acme", ExportType.SNAPSHOT)
        assert decide(scope(), shelf, now=NOW).orphans == (), "it may have had its manifest a second ago"
        decision = decide(scope(), shelf, now=NOW, orphaned={key: NOW - timedelta(hours=hours)})
        assert [each.key for each in decision.orphans] == ([key] if goes else [])
        _, log = await pruned(store, decision)
        assert (key in await keys(store)) != goes
        assert len(log.of(Event.ORPHAN_REMOVED)) == goes

    async def test_one_whose_deletion_was_begun_goes_at_once(self) -> None:
        store, (key,) = await self.with_orphan(age=timedelta())
        shelf = await take_stock(store, "acme", ExportType.SNAPSHOT)
        assert [each.key for each in decide(scope(), shelf, now=datetime.now(UTC), begun={key}).orphans] == [key]

    async def test_one_that_is_still_to_get_its_manifest_stays(self) -> None:
        store, (key,) = await self.with_orphan(age=timedelta(days=9))
        shelf = await take_stock(store, "acme", ExportType.SNAPSHOT)
        seen = {key: NOW - timedelta(days=9)}
        assert decide(scope(), shelf, now=NOW, owed={key}, orphaned=seen).orphans == ()

    async def test_none_goes_where_nothing_may(self) -> None:
        store, (key,) = await self.with_orphan(age=timedelta(days=9))
        shelf = await take_stock(store, "acme", ExportType.SNAPSHOT)
        seen = {key: NOW - timedelta(days=9)}
        assert decide(scope(), shelf, now=NOW, orphaned=seen, waits="nobody may").orphans == ()

    async def test_one_that_got_its_manifest_meanwhile_stays(self) -> None:
        store, (key,) = await self.with_orphan(age=timedelta(days=9))
        shelf = await take_stock(store, "acme", ExportType.SNAPSHOT)
        decision = decide(scope(), shelf, now=NOW, orphaned={key: NOW - timedelta(days=9)})
        late = of_day(100)
        await store.put_bytes(late.key.manifest, late.manifest_bytes)
        _, log = await pruned(store, decision)
        assert both(late) <= await keys(store)
        assert log.of(Event.ORPHAN_REMOVED) == []

    async def test_many_are_no_crash(self) -> None:
        store, orphans = await self.with_orphan(age=timedelta(days=9), count=11)
        shelf = await take_stock(store, "acme", ExportType.SNAPSHOT)
        decision = decide(scope(), shelf, now=NOW, orphaned=dict.fromkeys(orphans, NOW - timedelta(days=9)))
        assert decision.orphans == ()
        assert any("11 files have no manifest" in note for note in decision.notes)
        assert set(orphans) <= await keys(store)


class TestRemoval:
    async def test_what_goes_is_gone_and_the_rest_untouched(self) -> None:
        store, backups = MemoryStore(), [of_day(day) for day in (4, 3, 2, 1)]
        await put(store, *backups)
        done, log = await pruned(store, await decided(store))
        assert await keys(store) == both(*backups[2:])
        assert done.removed == tuple(each.key.artifact for each in backups[:2])
        lines = log.of(Event.BACKUP_PRUNED)
        assert [line["key"] for line in lines] == list(done.removed)
        assert all(line["reason"] and line["destination"] == "memory" for line in lines)
        assert (await decided(store)).remove == ()

    async def test_manifests_go_first(self) -> None:
        store, backups = Watched(), [of_day(day) for day in (4, 3, 2, 1)]
        await put(store, *backups)
        await pruned(store, await decided(store))
        assert store.deleted == [each.key.manifest for each in backups[:2]] + [
            each.key.artifact for each in backups[:2]
        ]

    async def test_what_a_break_left_goes_with_the_next_pruning(self, tmp_path: Path) -> None:
        store, backups = Watched(), [of_day(day) for day in (4, 3, 2, 1)]
        await put(store, *backups)
        async with Ledger(tmp_path / FILE_NAME) as ledger:
            store.fail_at = 1
            with pytest.raises(BackupError), captured_log():
                await carry_out(
                    await decided(store),
                    store,
                    workspace_id="ws-1",
                    marks=ledger.marks,
                    clock=FakeTime().clock,
                    log=Log(),
                )
            begun = await ledger.marks.removals("memory")
            assert begun == {each.key.artifact for each in backups[:2]}
            shelf = await take_stock(store, "acme", ExportType.SNAPSHOT)
            assert {each.key for each in shelf.orphans} == begun, "no backup is half there: these are none any more"
            store.fail_at = 99
            with captured_log():
                await carry_out(
                    await decided(store, begun=begun),
                    store,
                    workspace_id="ws-1",
                    marks=ledger.marks,
                    clock=FakeTime().clock,
                    log=Log(),
                )
            assert await keys(store) == both(*backups[2:])
            assert await ledger.marks.removals("memory") == frozenset()

    async def test_another_workspaces_backup_stays(self) -> None:
        store = MemoryStore()
        foreign = of_day(5)
        foreign = replace(
            foreign, manifest=replace(foreign.manifest, workspace=replace(foreign.manifest.workspace, id="ws-2"))
        )
        await put(store, foreign, *(of_day(day) for day in (3, 2, 1)))
        done, log = await pruned(store, await decided(store))
        assert both(foreign) <= await keys(store)
        assert [each.error.code for each in done.refused] == ["workspace_changed"]
        assert done.failed
        assert log.of(Event.PRUNE_REFUSED)[0]["hint"]
        assert len(done.removed) == 1

    async def test_without_a_known_workspace_the_newest_manifest_tells(self) -> None:
        store, backups = MemoryStore(), [of_day(day) for day in (3, 2, 1)]
        await put(store, *backups)
        done, _ = await pruned(store, await decided(store), workspace_id=None)
        assert done.removed == (backups[0].key.artifact,)

    async def test_one_whose_manifest_can_not_be_read_stays(self) -> None:
        store, backups = MemoryStore(), [of_day(day) for day in (3, 2, 1)]
        await put(store, *backups[1:])
        await store.put_bytes(backups[0].key.artifact, backups[0].data)
        await store.put_bytes(backups[0].key.manifest, b"{}")
        done, _ = await pruned(store, await decided(store))
        assert done.removed == ()
        assert both(*backups) == await keys(store)

    async def test_a_locked_one_stays_whole_and_that_is_no_failure(self) -> None:
        store, old = MemoryStore(versioned=True), of_day(9)
        until = datetime.now(UTC) + timedelta(days=30)
        await store.put_bytes(old.key.artifact, old.data, retain_until=until)
        await store.put_bytes(old.key.manifest, old.manifest_bytes, retain_until=until)
        await put(store, of_day(2), of_day(1))
        done, log = await pruned(store, await decided(store))
        assert (done.removed, done.failed) == ((), False)
        assert both(old) <= await keys(store)
        (line,) = log.of(Event.PRUNE_REFUSED)
        assert (line["level"], line["error_code"]) == ("info", "destination_locked")
        found = [each async for each in store.scan() if each.key in both(old)]
        assert not any(each.hidden for each in found)
        assert hashlib.sha256(b"".join([block async for block in store.read(old.key.artifact)])).hexdigest() == (
            old.manifest.file.sha256
        )

    @pytest.mark.parametrize("part", ["artifact", "manifest"])
    async def test_one_of_which_one_half_is_locked_stays_whole(self, part: str) -> None:
        store, old = MemoryStore(versioned=True), of_day(9)
        until = datetime.now(UTC) + timedelta(days=30)
        for name, data in (("artifact", old.data), ("manifest", old.manifest_bytes)):
            await store.put_bytes(getattr(old.key, name), data, retain_until=until if name == part else None)
        await put(store, of_day(2), of_day(1))
        done, _ = await pruned(store, await decided(store))
        assert ([each.locked_until for each in done.refused], done.removed) == ([until], ())
        assert both(old) <= await keys(store)

    async def test_what_stays_for_one_reason_is_said_once(self) -> None:
        store = Watched()
        await put(store, *(of_day(day) for day in (5, 4, 3, 2, 1)))
        store.refuses = True
        done, log = await pruned(store, await decided(store))
        assert len(done.refused) == 3
        (line,) = log.of(Event.PRUNE_REFUSED)
        assert (line["count"], line["key"]) == (3, of_day(5).key.manifest)

    async def test_of_a_store_with_versions_nothing_is_left(self) -> None:
        store, backups = MemoryStore(versioned=True), [of_day(day) for day in (3, 2, 1)]
        await put(store, *backups)
        await pruned(store, await decided(store))
        assert await keys(store) == both(*backups[1:])

    async def test_what_is_gone_is_said_even_where_the_rest_fails(self) -> None:
        store, backups = Watched(), [of_day(day) for day in (3, 2, 1)]
        await put(store, *backups)
        store.fail_at = 1
        with captured_log() as log, pytest.raises(BackupError):
            await carry_out(
                await decided(store), store, workspace_id="ws-1", marks=None, clock=FakeTime().clock, log=Log()
            )
        assert [line["key"] for line in log.of(Event.BACKUP_PRUNED)] == [backups[0].key.artifact]

    async def test_where_even_the_newest_is_too_old_the_clock_is_doubted(self) -> None:
        store = MemoryStore()
        await put(store, *(of_day(day) for day in (900, 800, 700)))
        policy = RetentionPolicy(keep_last=9, delete_after=RetentionSpan(years=1))
        decision = await decided(store, scope(policy))
        assert decision.remove == ()
        assert any("clock" in reason for each in decision.plan.keep for reason in each.reasons)
        assert len((await decided(store, scope(policy, jobs=()))).remove) == 2, "of a job that is gone they go"

    async def test_hidden_ones_are_left_and_told(self) -> None:
        store, backups = MemoryStore(versioned=True), [of_day(day) for day in (4, 3, 2, 1)]
        await put(store, *backups)
        store.hide(backups[0].key.manifest)
        decision = await decided(store)
        assert [each.key for each in decision.remove] == [backups[1].key]
        assert any("hidden" in note for note in decision.notes)


class TestGuard:
    @pytest.mark.parametrize(
        ("counts", "shrunk"),
        [
            ([], None),
            ([5000], None),
            ([5000, 4000], None),
            ([5000, 3999], ("b", "a")),
            ([5000, 500], ("b", "a")),
            ([5000, 500, 500], ("c", "a")),
            ([5000, 500, 4900], None),
            ([500, 5000, 4500, 3500], ("d", "c")),
            ([0, 0, 10], None),
            ([10, 0], ("b", "a")),
        ],
    )
    def test_by_a_fifth(self, counts: list[int], shrunk: tuple[str, str] | None) -> None:
        history = [Counted(name, count) for name, count in zip("abcdef", counts, strict=False)]
        found = stand(history, guard=0.2)
        assert (found and found.shrunk and (found.shrunk.run_id, found.good.run_id)) == shrunk

    def test_however_often_it_comes(self) -> None:
        standing = stand([Counted("a", 5000)], guard=0.2)
        for number in range(1000):
            standing = judge(Counted(f"s{number}", 500), standing, guard=0.2)
        assert standing == Standing(Counted("a", 5000), Counted("s999", 500))

    def test_an_accepted_one_is_what_the_next_is_measured_by(self) -> None:
        history = [Counted("a", 5000), Counted("b", 500), Counted("c", 490)]
        assert stand(history, guard=0.2, accepted={"b"}) == Standing(Counted("c", 490))
        assert stand(history, guard=0.2, accepted={"c"}) == Standing(Counted("c", 490))
        again = stand([*history, Counted("d", 300)], guard=0.2, accepted={"b"})
        assert again == Standing(Counted("c", 490), Counted("d", 300))

    def test_accepting_an_older_one_measures_the_newest_by_it(self) -> None:
        waiting = Standing(Counted("a", 5000), Counted("c", 490))
        assert accept(Counted("b", 500), waiting, guard=0.2) == Standing(Counted("c", 490))
        assert accept(Counted("c", 490), waiting, guard=0.2) == Standing(Counted("c", 490))
        assert accept(Counted("b", 1000), waiting, guard=0.2) == Standing(Counted("b", 1000), Counted("c", 490))
