"""What a chat model is handed of what was found: bounded, redacted, with ids and hashes. No store, no network."""
