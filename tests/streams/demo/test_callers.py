from pathlib import Path

from streams.demo.callers import Calls


def test_the_ledger_is_followed_line_by_line(tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    calls = Calls(path)
    assert calls.new() == []

    path.write_bytes(b'{"n": 1}\n{"n": 2}\n{"n"')
    assert calls.new() == [{"n": 1}, {"n": 2}]
    assert calls.new() == []
    with path.open("ab") as file:
        file.write(b": 3}\n")

    assert calls.new() == [{"n": 3}]
