"""Says where to look at the local stack: what compose.yaml opens on this machine, and how to see that it works."""

from pathlib import Path

HERE = Path(__file__).parent
URLS = {
    "Grafana": "http://127.0.0.1:13000",
    "Redpanda Console": "http://127.0.0.1:18080",
    "Prometheus": "http://127.0.0.1:19090/targets",
    "Alertmanager": "http://127.0.0.1:19093",
    "InfluxDB": "http://127.0.0.1:18086",
    "Webhooks": "http://127.0.0.1:18000/docs",
}


def main() -> None:
    """Print them."""
    for name, url in URLS.items():
        print(f"{name:18}{url}")
    print(f"User admin; passwords are in {HERE / '.env'}.")
    print("It works when every target of Prometheus is up, and when this shows hours:")
    print("  KAFKA_BOOTSTRAP_SERVERS=127.0.0.1:19092 cxone-streams tail cxone.campaign.hourly")


if __name__ == "__main__":
    main()
