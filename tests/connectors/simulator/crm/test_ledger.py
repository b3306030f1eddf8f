from connectors.simulator.crm.ledger import Contact, ContactStore


def contact(name: str) -> Contact:
    return Contact(external_id=name, fingerprint="f", last_message="Hello", queued_at=1)


def test_forgets_the_oldest_records_and_keys() -> None:
    store = ContactStore(kept=2)

    for name in ("a", "b", "c"):
        store.take(name, [contact(name)])
    store.take("a", [contact("b")])

    counts = store.counts()
    assert (counts["batches"], counts["records"], counts["records_repeated"]) == (4, 2, 1)
    assert [(row["external_id"], row["times"]) for row in store.rows()] == [("b", 2), ("c", 1)]
