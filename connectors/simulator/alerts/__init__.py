"""The stand-in for who is told of alerts by a webhook."""
