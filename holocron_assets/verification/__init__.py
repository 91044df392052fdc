"""What must always hold, as functions that look and tell. Asset checks and `holocron verify` ask the same ones.

`keys` counts over keys and hashes alone, whatever the size of the store; `contents` reads back and computes
anew what runs wrote; `repair` makes wrong things pending again.
"""
