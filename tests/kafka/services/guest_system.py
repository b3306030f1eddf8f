"""The guests' path as processes: the simulator, and a worker for each group of stages."""

import time
from collections.abc import Sequence

import numpy as np

from deploy.local.kafka.broker import Broker
from schemas.avro import Codec
from schemas.records import RoutingResult
from schemas.releases import FileSchemaIds
from schemas.topics import GUEST_ADMITTED, ROUTING_RESULTS
from streams.runtime.call_runner import UNWRITTEN
from tests.kafka.conftest import NewWorker
from tests.kafka.judges.guests import Callee, Verdict, await_settled
from tests.kafka.judges.hours import read
from tests.kafka.services.guest_traffic import ARCHIVED, GuestTraffic

CONCURRENCY = 10  # calls to CXone under way at a time, the default
SIMULATE = ("-m", "streams")
RATE = 200.0  # messages a second
TOO_SLOW = 5.0  # seconds to a routing answer

Groups = Sequence[tuple[str, ...]]


class GuestSystem:
    """Workers that are ready; `settings` come on top of those that lead to the simulator."""

    def __init__(self, kafka: Broker, new_worker: NewWorker, groups: Groups, **settings: str) -> None:
        simulator = new_worker(kafka.bootstrap, "simulate", "--count", "1", program=SIMULATE).start()
        self.callee = Callee(simulator.ready())
        self.callee.fault(queues_archived=[ARCHIVED])
        self._kafka = kafka
        settings = {**self.callee.settings, **settings}
        self.workers = [new_worker(kafka.bootstrap, *group, **settings).start() for group in groups]
        for worker in self.workers:
            worker.ready()

    def begin(self, seed: int, seconds: float, rate: float = RATE) -> GuestTraffic:
        """Let guests write."""
        traffic = GuestTraffic(self._kafka.bootstrap, seed=seed, messages=int(seconds * rate), rate=rate)
        traffic.start()
        return traffic

    def conclude(self, traffic: GuestTraffic, *, kills: int, within: float = 180) -> Verdict:
        """Wait until all is settled, print the figures, and fail for each mistake."""
        traffic.finish()
        await_settled(self._kafka.bootstrap, within)
        verdict = Verdict(self._kafka.bootstrap, self.callee, traffic)
        for name, figure in verdict.figures.items():
            print(f"{name}: {figure}")  # noqa: T201 - what a run has shown
        assert verdict.mistakes == [], verdict.mistakes  # of a module that pytest does not explain
        assert verdict.routing["repeats"] <= kills * (1 + UNWRITTEN) * CONCURRENCY
        assert verdict.crm["repeats"] <= kills * GUEST_ADMITTED.partitions  # one batch of each is not written down
        return verdict

    def survive_crm_outage(  # noqa: PLR0913 - the course of a test
        self, seed: int, *, warm_up: float, before: float, outage: float, percentile: float, rate: float = RATE
    ) -> None:
        """Answer 503 for the CRM, for `outage` seconds. Routing takes no longer than before (times 3, as others share
        the machine, and 0.1 s) by that percentile, and afterwards everything arrives once.
        """
        traffic = self.begin(seed, warm_up + before + outage, rate)
        time.sleep(warm_up)
        began = time.time()
        time.sleep(before)
        self.callee.fault(crm={"status": 503})
        down = time.time()
        time.sleep(outage)
        up = time.time()
        self.callee.fault(crm=None)

        verdict = self.conclude(traffic, kills=0)
        assert verdict.crm["statuses"]["503"]
        usual, meanwhile = self._seconds(began, down, percentile), self._seconds(down, up, percentile)
        print(f"p{percentile:g} of routing: {usual:.3f} s before, {meanwhile:.3f} s while the CRM was down")  # noqa: T201
        assert usual < TOO_SLOW, "the machine is too busy for this rate: nothing was shown"
        assert meanwhile <= 3 * usual + 0.1

    def _seconds(self, since: float, until: float, percentile: float) -> float:
        """Return a percentile of the seconds to the routing answer, of messages that came between two moments.

        Not of those answered between them: what a blocked routing holds is answered only afterwards.
        """
        decode = Codec(FileSchemaIds()).decoder(RoutingResult)
        results = [decode(record.value()) for record in read(self._kafka.bootstrap, ROUTING_RESULTS.name)]
        waited = [it.seconds for it in results if since <= it.received_at / 1000 < until]
        return float(np.percentile(waited, percentile))
