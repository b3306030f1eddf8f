"""The audit topic and the topic of its heads -> the first record that is not as it was written."""

from collections.abc import Iterable, Mapping

from schemas.records.audit import AuditEntry, AuditHead
from streams.core.audit.canonical import digest
from streams.core.audit.chain_check import ChainCheck
from streams.core.audit.findings import Finding, Kind, Report
from streams.core.audit.heads import Trusted, verified
from streams.core.audit.lines import written

Read = tuple[int, int, AuditEntry | None]  # partition, offset, and what stands there; None is no entry


def check_topic(
    topic: str, records: Iterable[Read], heads: Iterable[AuditHead | None], keys: Trusted, *, against: str | None = None
) -> Report:
    """Verify the chains of a topic.

    Retention may have taken the beginning of each chain. A head may be missing (a kill took it on its way to the
    topic), and one may come twice; whatever there is has to confirm what stands in the topic.

    Args:
        topic: its name, for findings.
        records: in the order of each partition.
        heads: of the topic of heads, in order; None is no head.
        keys: those whose heads are believed.
        against: SHA-256 of the line with a head that has to be there.
    """
    chains: dict[int, ChainCheck] = {}
    findings: list[Finding] = []
    for partition, offset, entry in records:
        chain = chains.get(partition)
        if chain is None:
            chain = chains[partition] = ChainCheck(partition, whole=offset == 0)
        where = f"{topic} partition {partition} offset {offset}"
        if entry is not None:
            chain.take(entry, where)
        elif not findings:
            findings.append(Finding(Kind.ALTERED, where, "it is no audit entry"))
    findings += [chain.finding for chain in chains.values() if chain.finding is not None]
    report, wrong = Report(), False
    for head in heads:
        finding = _problem(topic, head, keys, chains)
        if finding is None and head is not None:
            report.heads, report.head, report.head_at = report.heads + 1, digest(written(head)), head.time
            against = None if against == report.head else against
        elif finding is not None and not wrong:
            findings.append(finding)
            wrong = True
    if against is not None and not findings:
        why = f"head {against[:12]}... is not in the topic of heads: what it confirmed was cut off"
        findings.append(Finding(Kind.CUT_OFF, topic, why))
    report.findings = findings
    report.entries = sum(chain.entries for chain in chains.values())
    report.repeated = sum(chain.repeated for chain in chains.values())
    return report


def _problem(topic: str, head: AuditHead | None, keys: Trusted, chains: Mapping[int, ChainCheck]) -> Finding | None:
    """Return what is wrong with a head, or with what it confirms."""
    if head is None:
        return Finding(Kind.HEADS, "the topic of heads", "there is a record that is no head")
    where = f"head {head.number} of {head.day}"
    if (problem := verified(head, keys)) is not None:
        return Finding(Kind.HEADS, where, problem)
    for partition, tip in head.chains.items():
        chain = chains.get(int(partition))
        if chain is not None and chain.finding is not None:
            continue  # it is named already
        last = chain.tip["sequence"] if chain is not None and chain.tip is not None else 0
        name = f"{topic} partition {partition} record"
        if chain is None or tip["sequence"] > last:
            return Finding(Kind.CUT_OFF, f"{name} {last + 1}", f"{where} confirms record {tip['sequence']}")
        if tip["sequence"] >= chain.first and not chain.holds(tip):
            why = f"{where} confirms it with another content: it, or one before it, was altered and hashed anew"
            return Finding(Kind.REHASHED, f"{name} {tip['sequence']}", why)
    return None
