"""The whole system on one machine, live, and a judge of what came out."""
