from connectors.simulator.influx.line_protocol import parse
from connectors.simulator.influx.points import PointStore

NOW = 1_772_443_800.0


def write(store: PointStore, body: str, refuse: str | None = None) -> str | None:
    return store.write(parse(body, "s"), NOW, refuse)


def test_the_same_series_and_time_again_replaces() -> None:
    store = PointStore()

    assert write(store, "m,b=2,a=1 v=1,w=5 7") is None
    assert write(store, "m,a=1,b=2 v=2 7") is None

    assert store.rows() == [
        {"measurement": "m", "tags": {"a": "1", "b": "2"}, "fields": {"v": 2.0, "w": 5.0}, "time": 7_000_000_000}
    ]


def test_a_type_conflict_drops_that_point_and_writes_the_rest() -> None:
    store = PointStore()
    write(store, "m count=1i 1")

    problem = write(store, "m count=2i 2\nm count=3 3\nm count=4i 4")

    assert problem is not None
    assert 'input field "count" on measurement "m" is type float, already exists as type integer dropped=1' in problem
    assert [row["time"] // 10**9 for row in store.rows()] == [1, 2, 4]


def test_refuses_on_request() -> None:
    store = PointStore()

    problem = write(store, "m,c=good v=1 1\nm,c=bad\\ one v=1 1\nm,c=bad v=1 1", refuse="bad")

    assert problem is not None
    assert problem.endswith("dropped=2")
    assert [row["tags"] for row in store.rows()] == [{"c": "good"}]


def test_a_point_without_a_time_gets_the_server_s() -> None:
    store = PointStore()

    write(store, "m v=1")

    assert [row["time"] for row in store.rows()] == [1_772_443_800 * 10**9]
