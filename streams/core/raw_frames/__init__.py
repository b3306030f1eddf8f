"""Raw frames -> typed events, each once: what the stages that read raw topics share."""
