"""What doctor says of a frame in a dialect."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from connectors.cxone import dialect
from streams.cli import app
from streams.programs.doctor.findings import Colour, Wrong
from streams.programs.doctor.samples import USUAL, sample

V2 = Path(dialect.__file__).parent / "dialects" / "v2.yaml"


@pytest.fixture(name="spoken", autouse=True)
def _spoken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "tenant.yaml"
    path.write_text(V2.read_text())
    monkeypatch.setenv("CXONE_DIALECT", str(path))
    return path


@pytest.mark.parametrize("source", USUAL)
def test_the_packages_own_are_read_in_the_packages_dialect(source: str) -> None:
    assert sample(source, None).startswith("the package's is read as ")


def test_a_dialect_that_does_not_fit_the_packages_own_is_worth_knowing(spoken: Path) -> None:
    spoken.write_text(V2.read_text().replace("[payload.campaignId]", "[payload.campaign]"))

    with pytest.raises(Wrong, match="campaign id: must be text") as wrong:
        sample("interactions", None)

    assert wrong.value.colour is Colour.YELLOW
    assert "--sample interactions=frame.json" in wrong.value.do


@pytest.mark.parametrize(
    ("frame", "said", "colour"),
    [
        ('{"type":"interaction.completed","payload":{}}', "campaign id: must be text", Colour.RED),
        ("{", "not JSON: ", Colour.RED),
        ("[]", "not JSON: a frame is a JSON object", Colour.RED),
        ('{"type":"heartbeat"}', "a control frame", Colour.YELLOW),
        ('{"type":"typing"}', "nobody asked for", Colour.YELLOW),
    ],
)
def test_a_frame_of_the_tenants_that_is_no_event_is_told(tmp_path: Path, frame: str, said: str, colour: Colour) -> None:
    given = tmp_path / "frame.json"
    given.write_text(frame)

    with pytest.raises(Wrong, match=said) as wrong:
        sample("interactions", given)

    assert wrong.value.colour is colour


def test_the_command_reads_a_frame_of_the_tenants(tmp_path: Path) -> None:
    (tmp_path / "frame.json").write_text(
        '{"conversationId":"c-1","type":"message","direction":"inbound","text":"hello"}'
    )

    def doctor(*arguments: str) -> str:
        done = CliRunner().invoke(app, ["doctor", "--offline", *arguments])
        assert "Traceback" not in done.output
        return f"{done.exit_code} {done.output}"

    assert "✓ sample of messaging: frame.json is read as GuestMessage(" in doctor("--sample", "messaging=frame.json")
    assert "✗ sample of webhooks: nowhere.json: No such file" in doctor("--sample", "webhooks=nowhere.json")
    assert "2 " in doctor("--sample", "telephone=frame.json")[:2]
    assert "2 " in doctor("--sample", "frame.json")[:2]


def test_a_dialect_that_cannot_be_read_is_told_once(spoken: Path) -> None:
    spoken.write_text("nothing: {}\n")

    with pytest.raises(Wrong) as wrong:
        sample("messaging", None)

    assert wrong.value.colour is Colour.YELLOW
