"""The bundled sample: ingest records of an invented wiki, so that everything runs without a database or a network.

`RECORDS` is gzipped NDJSON, one row of `ingest.IngestRecords` per line, in the shapes that a MediaWiki server
and OpenAlex answer with. It holds an encyclopedia of the Ondrel, a sea that empties itself: every page as `raw`
and `html`, among them a redirect, a disambiguation page, a title that is missing and a page edited between two
fetches, and a handful of scholarly works. `JUDGED` holds queries and the sources
that answer them. All is built from the sources in `sample/` of the repository.
"""

from importlib.resources import files
from pathlib import Path

#: how the records name the wiki they come from
SOURCE_NAME = "ondrel"

#: the file with the records
RECORDS = Path(str(files(__name__) / "records.ndjson.gz"))

#: the collection of judged queries
JUDGED = Path(str(files(__name__) / "judged"))
