"""Who is told of alerts: a Prometheus Alertmanager, or a webhook of the user's."""
