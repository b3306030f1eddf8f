"""What a process is: a worker, a connector, their probes and their end."""
