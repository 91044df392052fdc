"""OpenAlex work records: reading `works.yaml`, and the work object that the API would answer with.

Identifiers are in a range that OpenAlex does not use (W99…, A99…), DOIs under the test prefix 10.5555.
"""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from sample.mediawiki import SOURCE_NAME, ingest_row

WORKS = Path(__file__).with_name("works.yaml")

_API_URL = "https://api.openalex.example/works"
_ID_URL = "https://openalex.org"


def read_works(path: Path = WORKS) -> list[dict[str, Any]]:
    """The authored works, as plain dictionaries."""
    works: list[dict[str, Any]] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return works


def work_id(number: int) -> str:
    """The full id of the work with this number."""
    return _entity_id("W", number)


def inverted_index(text: str) -> dict[str, list[int]]:
    """The abstract as OpenAlex serves it: each word with its positions, in order of first appearance."""
    index: dict[str, list[int]] = {}
    for position, word in enumerate(text.split()):
        index.setdefault(word, []).append(position)
    return index


def work_payload(work: dict[str, Any], directory: "Directory") -> str:
    """The JSON text of one work, with OpenAlex's own field names in their order."""
    identifier = work_id(work["number"])
    year = work["date"].year
    doi = f"https://doi.org/10.5555/ondrel.{year}.{work['number']:03}"
    journal = {
        "id": directory.id_of("S", work["journal"]),
        "display_name": work["journal"],
        "issn_l": None,
        "issn": None,
        "is_oa": True,
        "is_in_doaj": False,
        "is_core": False,
        "host_organization": None,
        "host_organization_name": None,
        "host_organization_lineage": [],
        "type": "journal",
    }
    location = {
        "is_oa": True,
        "landing_page_url": doi,
        "pdf_url": None,
        "source": journal,
        "license": "cc-by",
        "license_id": f"{_ID_URL}/licenses/cc-by",
        "version": "publishedVersion",
        "is_accepted": True,
        "is_published": True,
    }
    topic = {"id": directory.id_of("T", work["topic"]), "display_name": work["topic"], "score": 0.97}
    authorships = [_authorship(work["authors"], index, directory) for index in range(len(work["authors"]))]
    payload = {
        "id": identifier,
        "doi": doi,
        "title": work["title"],
        "display_name": work["title"],
        "publication_year": year,
        "publication_date": work["date"].isoformat(),
        "ids": {"openalex": identifier, "doi": doi},
        "language": "en",
        "primary_location": location,
        "type": work["type"],
        "type_crossref": "journal-article",
        "indexed_in": [],
        "open_access": {
            "is_oa": True,
            "oa_status": "diamond",
            "oa_url": doi,
            "any_repository_has_fulltext": False,
        },
        "authorships": authorships,
        "corresponding_author_ids": [authorships[0]["author"]["id"]],
        "has_fulltext": False,
        "cited_by_count": work["cited_by"],
        "biblio": {
            "volume": work["volume"],
            "issue": work["issue"],
            "first_page": str(work["pages"][0]),
            "last_page": str(work["pages"][1]),
        },
        "is_retracted": False,
        "is_paratext": False,
        "primary_topic": topic,
        "topics": [topic],
        "keywords": [
            {"id": f"{_ID_URL}/keywords/{keyword.replace(' ', '-')}", "display_name": keyword, "score": 0.6}
            for keyword in work["keywords"]
        ],
        "concepts": [
            {
                "id": directory.id_of("C", concept),
                "wikidata": None,
                "display_name": concept,
                "level": min(level, 2),
                "score": round(0.8 - 0.15 * level, 2),
            }
            for level, concept in enumerate(work["concepts"])
        ],
        "locations_count": 1,
        "locations": [location],
        "best_oa_location": location,
        "referenced_works_count": len(work["cites"]),
        "referenced_works": [work_id(number) for number in work["cites"]],
        "related_works": [],
        "abstract_inverted_index": inverted_index(work["abstract"]) if work["abstract"] else None,
        "cited_by_api_url": f"{_API_URL}?filter=cites:{identifier.rpartition('/')[2]}",
        "counts_by_year": [],
        "updated_date": "2025-02-20T04:11:09.000000",
        "created_date": work["date"].isoformat(),
    }
    return json.dumps(payload, ensure_ascii=False)


def work_record(*, number: int, payload: str, fetched_at: datetime) -> dict[str, Any]:
    """One row of `ingest.IngestRecords` for a work."""
    identifier = work_id(number)
    return ingest_row(
        source_system="openalex",
        source_name=SOURCE_NAME,
        resource_type="work",
        resource_id=identifier,
        variant=None,
        request_uri=f"{_API_URL}/{identifier.rpartition('/')[2]}",
        status_code=200,
        payload=payload,
        fetched_at=fetched_at,
        rank=None,
    )


class Directory:
    """Gives each invented author, journal, institution, topic and concept one id, whoever mentions it."""

    def __init__(self, works: list[dict[str, Any]]) -> None:
        mentioned: dict[str, list[str]] = {"A": [], "I": [], "S": [], "T": [], "C": []}
        for work in works:
            mentioned["S"].append(work["journal"])
            mentioned["T"].append(work["topic"])
            mentioned["C"] += work["concepts"]
            mentioned["A"] += [author["name"] for author in work["authors"]]
            mentioned["I"] += [author["institution"] for author in work["authors"]]
        self._numbers = {
            kind: {name: number for number, name in enumerate(dict.fromkeys(names), start=1)}
            for kind, names in mentioned.items()
        }

    def id_of(self, kind: str, name: str) -> str:
        """The full id of what `name` names."""
        return _entity_id(kind, self._numbers[kind][name])


def _authorship(authors: list[dict[str, str]], index: int, directory: Directory) -> dict[str, Any]:
    author = authors[index]
    position = "first" if index == 0 else "last" if index == len(authors) - 1 else "middle"
    institution = {
        "id": directory.id_of("I", author["institution"]),
        "display_name": author["institution"],
        "ror": None,
        "country_code": None,
        "type": "education",
        "lineage": [directory.id_of("I", author["institution"])],
    }
    return {
        "author_position": position,
        "author": {
            "id": directory.id_of("A", author["name"]),
            "display_name": author["name"],
            "orcid": None,
        },
        "institutions": [institution],
        "countries": [],
        "is_corresponding": index == 0,
        "raw_author_name": author["name"],
        "raw_affiliation_strings": [author["institution"]],
        "affiliations": [
            {"raw_affiliation_string": author["institution"], "institution_ids": [institution["id"]]},
        ],
    }


def _entity_id(kind: str, number: int) -> str:
    return f"{_ID_URL}/{kind}{9_900_000_000 + number}"
