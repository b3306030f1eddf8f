from collections import Counter
from random import Random

from connectors.simulator.interactions.campaigns import NASTY, Campaigns


def test_the_busiest_campaign_gets_the_share_that_zipf_gives_it() -> None:
    rng = Random(1)
    campaigns = Campaigns(40, rng)

    drawn = Counter(campaigns.draw(rng).id for _ in range(20_000))

    harmonic = sum(rank**-1.1 for rank in range(1, 41))
    assert drawn.most_common(1)[0][0] == "campaign-001"
    assert abs(drawn["campaign-001"] / 20_000 - 1 / harmonic) < 0.01
    assert len(drawn) == 40


def test_every_nasty_id_is_among_forty_and_legal() -> None:
    rng = Random(1)
    campaigns = Campaigns(40, rng)

    drawn = {campaigns.draw(rng).id for _ in range(20_000)}

    assert set(NASTY) < drawn
    assert all(0 < len(identifier) <= 256 for identifier in drawn)
    assert any(identifier.endswith("\\") for identifier in NASTY)
