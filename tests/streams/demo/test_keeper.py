import asyncio
from collections.abc import Sequence
from pathlib import Path

from streams.demo.keeper import DRIFT, NAMES, OURS, THEIRS_TOO, Keeper, command_line, shown


class Commands:
    """Answers with these exit codes, then with 0."""

    def __init__(self, *codes: int) -> None:
        self.codes = list(codes)
        self.calls: list[Sequence[str]] = []
        self.files: list[str] = []
        self.verdict = (0, "everything is as it was written\n2 records\n")
        self.failed = asyncio.Event()  # a command did

    async def run(self, arguments: Sequence[str]) -> tuple[int, str]:
        self.calls.append(arguments)
        if arguments[1] == "plan":
            return 0, f"one change\n {DRIFT} Eve\n"
        if arguments[1] == "verify":
            return self.verdict
        self.files.append(self._file(arguments[-1]))
        code = self.codes.pop(0) if self.codes else 0
        if code == 1:
            self.failed.set()
        return code, "\n  said  \n"

    def _file(self, path: str) -> str:
        return Path(path).read_text()


async def test_files_are_made_then_changed_planned_and_applied(tmp_path: Path) -> None:
    commands = Commands()
    keeper = Keeper(commands.run, tmp_path)

    await keeper.begin()
    await keeper.turn()

    paths = [str(tmp_path / f"{name}.yaml") for name in NAMES]
    assert commands.calls == [
        ["dashboards", "apply", "--create", *paths],
        ["dashboards", "plan", paths[1]],
        ["dashboards", "apply", paths[1]],
    ]
    assert "turn 1" in commands.files[-1]
    assert keeper.kept.line() == ("dashboards: 2 applied; 1 merged with edits of others; said; chain: not verified yet")
    assert keeper.kept.lines()[1:] == [f"plan: one change; {DRIFT} Eve"]


async def test_the_trail_is_verified_now_and_then_and_what_is_found_is_a_failure(tmp_path: Path) -> None:
    commands = Commands(0, 3)
    keeper = Keeper(commands.run, tmp_path)
    commands.verdict = (2, "")  # there are no files yet
    for _ in range(2):
        await keeper.turn()
    assert keeper.kept.chain == "not verified yet"

    for verdict in ((0, "everything is as it was written\n2 records\n"), (1, "line 2: altered\n2 records\n")):
        commands.verdict = verdict
        for _ in range(2):
            await keeper.turn()

        assert keeper.kept.line().endswith(f"chain: {verdict[1].replace(chr(10), '; ').removesuffix('; ')}")
    assert keeper.kept.failures == ["the audit trail does not hold: line 2: altered; 2 records"]
    assert "last conflict: said" in keeper.kept.lines()


async def test_a_field_that_others_change_is_changed_now_and_then_and_taken_back_after_a_conflict(
    tmp_path: Path,
) -> None:
    commands = Commands(0, 0, 0, 3)  # the third turn, of the first dashboard, is in conflict
    keeper = Keeper(commands.run, tmp_path)
    await keeper.begin()

    for _ in range(9):
        await keeper.turn()

    asked = [f"refreshInterval: {THEIRS_TOO}" in file for file in commands.files[1:]]
    assert asked == [False, False, True, True, True, False, False, False, True]
    assert f"refreshInterval: {OURS}" in commands.files[6]
    assert dict(keeper.kept.turns) == {"applied": 9, "in conflict": 1}


async def test_turns_end_when_they_are_told_to(tmp_path: Path) -> None:
    commands, stop = Commands(1), asyncio.Event()
    keeper = Keeper(commands.run, tmp_path)
    running = asyncio.create_task(keeper.keep(stop))
    await commands.failed.wait()
    stop.set()

    await running

    assert dict(keeper.kept.turns) == {"failed": 1}


async def test_commands_run_with_no_settings_of_ours(tmp_path: Path) -> None:
    run = command_line({"PYTHONPATH": str(Path(__file__).parents[3]), "AUDIT_DIR": "nowhere"}, tmp_path)

    code, said = await run(["audit", "verify"])

    assert (code, said) == (2, "")


def test_long_lines_are_cut() -> None:
    assert shown("  a \n\n" + "b" * 500) == ["a", "b" * 200]
