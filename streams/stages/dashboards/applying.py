"""One command -> CXone: GET, merge, intent, PUT, and what is known of it after each step.

What is remembered and audited before a PUT is with the broker before the PUT is sent, so that a kill at any moment
leaves an open attempt, which the next owner settles by a GET before it does anything else. Nothing is ever written
without the ETag of what the merge was made with.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from http import HTTPStatus
from typing import Any, Literal, Protocol

from schemas.records.audit import Action, AuditRecord, Status
from streams.core.audit.canonical import payload_hash
from streams.stages.dashboards.command import ADOPT, FORGET, ROLL, Again, Order, Verdict, told
from streams.stages.dashboards.compiled import Payload, compile_document, managed
from streams.stages.dashboards.cxone import RefusedAnswerError, Reply, found, named_otherwise, refusal, strong
from streams.stages.dashboards.difference import value_at
from streams.stages.dashboards.json_text import UnreadableError, dumps
from streams.stages.dashboards.memory import Attempt, Memory
from streams.stages.dashboards.merge import WIDGETS, Path, alike, same
from streams.stages.dashboards.plan import Found, History
from streams.stages.dashboards.reconcile import reconcile, taken_over
from streams.stages.dashboards.widgets import listed, widgets_of

MOST_ANSWERED = 4  # PUTs of one command that CXone answers with 2xx or 412: the first, and three rounds more

UPDATE: Action = "UPDATE"
CREATE: Action = "CREATE"


class Hands(Protocol):
    """What carrying out a command needs of the world."""

    async def get(self, dashboard: str) -> Reply | str:
        """Return CXone's answer, or why there is none."""

    async def put(self, dashboard: str, body: bytes, etag: str, *, key: str) -> Reply | str:
        """Replace a dashboard; `key` is the id of the attempt."""

    async def create(self, dashboard: str, body: bytes, *, key: str) -> Reply | str: ...

    def remember(self, memory: Memory) -> None: ...

    def audit(self, record: AuditRecord) -> None: ...

    async def written(self) -> None:
        """Return when all that is remembered and audited is with the broker. Raises when it is another's by then."""

    async def may_go_on(self) -> None:
        """Raise when the command is the next owner's."""

    def now(self) -> int:
        """Return milliseconds since the epoch."""


async def carry_out(order: Order, memory: Memory, hands: Hands, by: Iterable[tuple[str, ...]] = ()) -> Verdict | Again:
    """Carry out a command; `by` are paths to who changed a document last. `hands.remember` has the memory after it."""
    run = _Run(order, memory.begun(order.command.command_id), hands, tuple(by))
    try:
        return await run.run()
    finally:
        hands.remember(run.memory)


def said(document: Mapping[str, Any]) -> str:
    """Return the hash of what a file can say of a document, by which CXone's own fields are passed over."""
    numbered = {str(number): widget for number, widget in enumerate(widgets_of(document))}
    return payload_hash(dumps(managed({**document, WIDGETS: numbered})))


class _Run:
    def __init__(self, order: Order, memory: Memory, hands: Hands, by: tuple[tuple[str, ...], ...]) -> None:
        self.memory = memory
        self._order, self._command, self._hands, self._by = order, order.command, hands, by

    async def run(self) -> Verdict | Again:
        """Go round until something has become of the command."""
        if self._command.kind == FORGET:
            self.memory = replace(self.memory, history=None, applied_at=None)
            return Verdict("applied", "is left alone from now on")
        if self.memory.open is not None and not self.memory.open.told:
            self._tell("outcome", "unknown", "the worker ended before an answer was written down")
            self.memory = replace(self.memory, open=replace(self.memory.open, told=True))
        while True:
            if self.memory.open is None and (late := self._expired()):
                return late
            await self._hands.may_go_on()
            outcome = await self._round()
            if outcome is not None:
                return outcome

    async def _round(self) -> Verdict | Again | None:
        """Read, settle what is open, and write; None when somebody else wrote meanwhile."""
        reply = await self._hands.get(self._command.dashboard_id)
        if isinstance(reply, str) or reply.may_pass:
            return Again(reply if isinstance(reply, str) else f"CXone answered {reply.status}")
        absent = reply.status == HTTPStatus.NOT_FOUND
        if not (absent or reply.is_success):
            return Verdict("refused", refusal(reply, "dashboard:read"))
        try:
            if absent:
                self._settle(None)
                return self._expired() or await self._absent()
            theirs = found(reply, self._by)
            self._settle(theirs)
            return self._expired() or await self._merge(theirs)
        except (RefusedAnswerError, UnreadableError) as wrong:
            return Verdict("refused", f"CXone's answer is refused: {wrong}")
        except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as wrong:
            # Whatever a document looks like, it ends one command and no worker.
            words = "the dashboard cannot be made" if absent else "CXone's document cannot be merged with"
            return Verdict("refused", f"{words} ({type(wrong).__name__})")

    async def _absent(self) -> Verdict | Again | None:
        if self._command.kind == ADOPT or not self._command.create:
            return Verdict("refused", "CXone has no such dashboard: apply --create makes one")
        ours = compile_document(self._order.document, self._command.issued_at / 1000)
        document = {"id": self._command.dashboard_id, **listed(ours)}
        made: tuple[Path, ...] = (("name",), *((WIDGETS, key) for key in ours[WIDGETS]))
        return await self._send(CREATE, document, ours, None, made)

    async def _merge(self, theirs: Found) -> Verdict | Again | None:  # noqa: PLR0911 - an outcome a case
        history = self.memory.history
        ours = self._ours()
        if self._command.kind == ADOPT:
            base = managed(taken_over({}, ours, theirs.document))
            self.memory = replace(self.memory, history=History(None, base), applied_at=self._hands.now())
            return Verdict("applied", "is taken over: what CXone has is the base", theirs.etag)
        if history is None:
            if same(managed(taken_over({}, ours, theirs.document)), ours):
                return self._done(ours, theirs.etag, "is as the file says already")
            return Verdict("refused", "was never applied from here: adopt it first, or its edits would be lost")
        if self._command.etag not in {None, theirs.etag} and not self.memory.attempts:
            return Verdict("conflict", "the plan is stale: CXone's document has changed since", theirs.etag)
        merged = reconcile(history.payload, ours, theirs.document)
        if merged.conflicts:
            conflicts = told(merged.conflicts, self._command.actor, theirs.by)
            words = (
                f"{len(merged.conflicts)} in conflict with what {conflicts[0]['theirs_by']} changed; nothing is sent"
            )
            self._tell_without_attempt("conflict", words, dumps(listed(ours)), theirs.etag)
            return Verdict("conflict", words, theirs.etag, conflicts)
        if not merged.changes:
            return self._done(ours, theirs.etag, "applied" if self.memory.attempts else "nothing to do")
        if self.memory.answered >= MOST_ANSWERED:
            return Verdict("contended", f"others changed it {self.memory.answered} times meanwhile", theirs.etag)
        changed = tuple(each.path for each in merged.changes)
        return await self._send(UPDATE, merged.document, ours, theirs.etag, changed)

    async def _send(
        self, action: Action, document: Payload, ours: Payload, etag: str | None, changed: tuple[Path, ...]
    ) -> Verdict | Again | None:
        body = dumps(document)
        attempt = replace(self._attempt(action, body, etag), changed=changed, says=said(document))
        self.memory = replace(
            self.memory, open=attempt, number=self.memory.number + 1, attempts=self.memory.attempts + 1
        )
        self._hands.audit(self._record("intent", None, None, attempt))
        self._hands.remember(self.memory)
        await self._hands.written()
        if etag is None:
            reply = await self._hands.create(self._command.dashboard_id, body, key=attempt.id)
        else:
            reply = await self._hands.put(self._command.dashboard_id, body, etag, key=attempt.id)
        if isinstance(reply, str) or reply.may_pass:
            words = reply if isinstance(reply, str) else f"CXone answered {reply.status}"
            self._tell("outcome", "unknown", words, None if isinstance(reply, str) else reply)
            self.memory = replace(self.memory, open=replace(attempt, told=True))
            return Again(words)
        return self._answered(action, reply, ours)

    def _answered(self, action: Action, reply: Reply, ours: Payload) -> Verdict | None:
        if reply.is_success or reply.status == HTTPStatus.PRECONDITION_FAILED:
            self.memory = replace(self.memory, answered=self.memory.answered + 1)
        if reply.is_success:
            self._tell("outcome", "applied", None, reply)
            if action == CREATE and (other := named_otherwise(reply, self._command.dashboard_id)):
                self.memory = replace(self.memory, open=None)
                return Verdict("refused", f"CXone made it under the id {other}: put that into the file, and adopt it")
            return self._done(ours, strong(reply.etag), "created" if action == CREATE else "applied")
        meanwhile = reply.status == HTTPStatus.PRECONDITION_FAILED
        if meanwhile or (action == CREATE and reply.status == HTTPStatus.CONFLICT):
            self._tell("outcome", "contended", f"{reply.status}: changed meanwhile", reply)
            self.memory = replace(self.memory, open=None)
            if action == CREATE and self.memory.attempts >= MOST_ANSWERED:
                return Verdict("contended", "CXone says that it is there, and that it is not")
            return None
        words = refusal(reply, "dashboard:write")
        self._tell("outcome", "refused", words, reply)
        self.memory = replace(self.memory, open=None)
        return Verdict("refused", words, None)

    def _settle(self, theirs: Found | None) -> None:
        """Find out what became of the open attempt, from what CXone has now."""
        attempt = self.memory.open
        if attempt is None:
            return
        status: Status = "unknown"
        words, after = None, None
        if theirs is None:
            status = "failed" if attempt.action == CREATE else "unknown"
            words = "CXone has no such dashboard"
        elif attempt.etag_before is not None and attempt.etag_before == theirs.etag:
            status, words = "failed", "CXone's document is as it was before"
        elif attempt.id.rpartition(".")[0] == self._command.command_id and self._is_there(attempt, theirs):
            status = "applied"
            after = theirs.etag if said(theirs.document) == attempt.says else None
        else:
            words = "CXone's document was changed by others: whether it took the attempt cannot be told"
        self._tell("settled", status, words, after=after)
        if status == "applied":
            self._done(self._ours(), None, "")
        self.memory = replace(self.memory, open=None)

    def _is_there(self, attempt: Attempt, theirs: Found) -> bool:
        """Whether CXone has something that the attempt changed: then it took all of it, whatever others did since."""
        ours, history = self._ours(), self.memory.history
        has = managed(taken_over(history.payload if history else {}, ours, theirs.document))
        if not attempt.changed:
            return same(has, ours)
        return any(alike(value_at(has, path), value_at(ours, path)) for path in attempt.changed)

    def _ours(self) -> Payload:
        history = self.memory.history if self._command.kind != ROLL else None
        return compile_document(
            self._order.document,
            self._command.issued_at / 1000,
            before=history.document if history else None,
            sent=history.payload if history else None,
        )

    def _done(self, ours: Payload, etag: str | None, words: str) -> Verdict:
        history = History(self._order.document, ours)
        self.memory = replace(self.memory, history=history, applied_at=self._hands.now(), open=None)
        return Verdict("applied", words, etag)

    def _expired(self) -> Verdict | None:
        if self._hands.now() < self._command.expires_at:
            return None
        words = "no worker took it in time, or CXone did not answer until then"
        self._tell_without_attempt("expired", words, b"null", None)
        return Verdict("expired", words)

    def _attempt(self, action: Action, body: bytes, etag: str | None) -> Attempt:
        name = f"{self._command.command_id}.{self.memory.number + 1}"
        return Attempt(name, action, payload_hash(body), self._command.actor, etag)

    def _tell(
        self,
        kind: Literal["outcome", "settled"],
        status: Status,
        error: str | None,
        reply: Reply | None = None,
        *,
        after: str | None = None,
    ) -> None:
        if self.memory.open is not None:
            record = self._record(kind, status, error, self.memory.open)
            latency = None if reply is None else 1000 * reply.seconds
            after = strong(reply.etag) if reply is not None and reply.is_success else after
            self._hands.audit(replace(record, latency_ms=latency, etag_after=after))

    def _tell_without_attempt(self, status: Status, words: str, body: bytes, etag: str | None) -> None:
        """Tell of an outcome for which nothing was sent."""
        self._hands.audit(self._record("outcome", status, words, self._attempt(UPDATE, body, etag)))

    def _record(
        self, kind: Literal["intent", "outcome", "settled"], status: Status | None, error: str | None, attempt: Attempt
    ) -> AuditRecord:
        action: Action = CREATE if attempt.action == CREATE else UPDATE
        return AuditRecord(
            kind=kind,
            attempt=attempt.id,
            timestamp=self._hands.now(),
            dashboard_id=self._command.dashboard_id,
            action=action,
            payload_hash=attempt.payload_hash,
            status=status,
            error=error,
            latency_ms=None,
            actor=attempt.actor,
            etag_before=attempt.etag_before,
            etag_after=None,
        )
