"""The bundled sample, as sources: pages and works of an invented world, and the code that builds records of them.

Nothing that runs in production belongs here; the built file lives in `holocron_assets/sample/`.
"""
