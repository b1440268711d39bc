"""One file per provider: its paths, its payloads, its error bodies."""
