"""The stand-in CXone for analytics: event subscriptions, their socket, traffic with waves, and what was really sent."""
