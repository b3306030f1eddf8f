from connectors.simulator.routing.ledger import CallLedger, Routed, Wanted

HELLO = Wanted("c-1", "sales", "Hello")


def called(ledger: CallLedger, key: str, now: float = 0.0) -> Routed:
    routed = ledger.called(key, HELLO, now)
    assert routed is not None
    return routed


def test_remembers_the_order_in_which_messages_were_taken() -> None:
    ledger = CallLedger()
    first, second = called(ledger, "a"), called(ledger, "b")

    ledger.take(second, 1.0, None)
    ledger.take(first, 2.0, 0.5)

    assert [(row["key"], row["order"], row["taken_at"], row["text"]) for row in ledger.rows()] == [
        ("a", 2, 2.0, "Hello"),
        ("b", 1, 1.0, "Hello"),
    ]


def test_a_key_for_another_message_is_a_conflict() -> None:
    ledger = CallLedger()
    called(ledger, "a")

    assert ledger.called("a", Wanted("c-1", "sales", "Bye"), 0.0) is None


def test_counts_calls_while_a_retry_after_runs() -> None:
    ledger = CallLedger()
    ledger.closed(10.0)
    ledger.closed(5.0)

    for now in (9.9, 10.0):
        called(ledger, "a", now)

    assert ledger.too_soon == 1


def test_forgets_the_oldest_keys() -> None:
    ledger = CallLedger(kept=2)

    for key in ("a", "b", "c", "b"):
        called(ledger, key)

    assert [(row["key"], row["calls"]) for row in ledger.rows()] == [("b", 2), ("c", 1)]
