"""Dead letters as a person meets them: which are open, where their frames are, what a replay is."""
