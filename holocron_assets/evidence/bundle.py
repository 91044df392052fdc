"""From the hits of a search to a bundle of evidence, in the shape that the existing chat runtime reads.

Ids and hashes follow its rules; the same result under the same policy is the same bundle, id included.
"""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from typing import Any

from holocron_assets.evidence.policy import EvidencePolicy
from holocron_assets.evidence.redaction import RULES, Redacted, redact, redact_all
from holocron_assets.identity import NAMESPACE, canonical_json, text_sha256
from holocron_assets.retrieval.hits import Hit, SearchResult
from holocron_assets.retrieval.results import ranking_score

#: Which builder made a bundle. The runtime's own is called 2.0; this one cuts and redacts otherwise.
BUILD_VERSION = "holocron-1"
BUNDLE_KIND = "llm_input"
EVIDENCE_TYPE = "doc_chunk"
#: What a passage that was found is, among primary, supporting, counter and context.
ROLE = "context"


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceItem:
    """One passage as it is handed over; hash and size are those of its `content`, after redaction and cutting.

    `selector`: where the content stands in the text of its source; without an end where something was redacted.
    `full_ref`: which chunk has the whole of it, where it was cut.
    """

    evidence_id: str
    evidence_type: str
    source_ref: dict[str, Any]
    content: str
    content_sha256: str
    byte_count: int
    metadata: dict[str, Any]
    full_ref: dict[str, Any] | None
    source_system: str
    source_uri: str | None
    selector_json: dict[str, Any]
    ordinal: int
    role: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceBundle:
    """Items within the limits of a policy; `bundle_sha256` is of the hashes of their contents, in order."""

    bundle_id: uuid.UUID
    build_version: str
    bundle_kind: str
    policy: EvidencePolicy
    items: tuple[EvidenceItem, ...]
    summary: dict[str, Any]
    bundle_sha256: str

    def as_json(self) -> str:
        """The whole bundle as canonical JSON."""
        return canonical_json({**asdict(self), "bundle_id": str(self.bundle_id)})


def evidence_id(chunk_id: str, index: int) -> str:
    """The id of a chunk as evidence, found at `index`, which counts from 0."""
    return f"doc:{text_sha256(chunk_id)[:12]}:{index}"


def bundle_of(result: SearchResult, policy: EvidencePolicy) -> EvidenceBundle:
    """The bundle of what a search found, in order of rank.

    Of the first `max_items` hits with a text, each is redacted and cut; what still fits is taken, so that one which
    does not leaves room for smaller ones behind it.
    """
    found = [_item(result, hit, policy) for hit in result.hits if hit.text]
    packed = _packed(found[: policy.max_items], policy.max_total_bytes)
    items = tuple(replace(item, ordinal=ordinal) for ordinal, item in enumerate(packed))
    summary = _summary(result, policy, items, len(found))
    content = {
        "build_version": BUILD_VERSION,
        "policy": asdict(policy),
        "items": [asdict(item) for item in items],
        "summary": summary,
    }
    return EvidenceBundle(
        bundle_id=uuid.uuid5(NAMESPACE, f"evidence\0{canonical_json(content)}"),
        build_version=BUILD_VERSION,
        bundle_kind=BUNDLE_KIND,
        policy=policy,
        items=items,
        summary=summary,
        bundle_sha256=sha256("".join(item.content_sha256 for item in items).encode()).hexdigest(),
    )


def cut(text: str, max_bytes: int) -> str:
    """The longest beginning of a text that takes no more than `max_bytes` in UTF-8, in whole characters."""
    # Of a valid text only its last character can be broken by the limit, and that is what is ignored.
    return text.encode()[:max_bytes].decode(errors="ignore")


def _item(result: SearchResult, hit: Hit, policy: EvidencePolicy) -> EvidenceItem:
    redacted = redact(hit.text) if policy.enable_redaction else Redacted(text=hit.text, redactions=())
    content = _cut_around_marks(redacted, policy.max_item_bytes)
    byte_count, whole_bytes = len(content.encode()), len(redacted.text.encode())
    is_cut = byte_count < whole_bytes
    score = ranking_score(result, hit)
    offsets = {"start_offset": hit.start_offset, "end_offset": hit.end_offset}
    selector = {"start_offset": hit.start_offset, "end_offset": hit.start_offset + len(content)}
    full_ref: dict[str, Any] = {"chunk_id": hit.chunk_id, "content_sha256": hit.content_sha256}
    if redacted.redactions:
        # An end, or a hash of what was there, would tell how long the redacted parts were, or confirm a guess at them.
        del offsets["end_offset"], selector["end_offset"], full_ref["content_sha256"]
    outside: dict[str, Any] = {"title": hit.title, "source_ref": hit.source_ref, "url": hit.url}
    if policy.enable_redaction:
        outside = redact_all(outside)
    return EvidenceItem(
        evidence_id=evidence_id(hit.chunk_id, hit.rank - 1),
        evidence_type=EVIDENCE_TYPE,
        source_ref={
            "chunk_id": hit.chunk_id,
            "source_id": hit.source_id,
            "source_type": hit.source_type,
            "title": outside["title"],
            "source_ref": outside["source_ref"],
            "retrieval_id": str(result.retrieval_id) if result.retrieval_id else None,
            "retrieval_rank": hit.rank,
            "retrieval_score": score,
        },
        content=content,
        content_sha256=text_sha256(content),
        byte_count=byte_count,
        metadata={
            "retrieval_score": score,
            "retrieval_rank": hit.rank,
            "ranked_by": result.ranked_by,
            "offsets": offsets,
            "bounding": {
                "applied": is_cut,
                "original_size": whole_bytes,
                "bounded_size": byte_count,
                **({"truncation_point": byte_count, "note": f"cut to {policy.max_item_bytes} bytes"} if is_cut else {}),
            },
            "redaction": _redaction(redacted, len(content), policy),
        },
        full_ref=full_ref if is_cut else None,
        source_system=hit.source_id.partition(":")[0],
        source_uri=outside["url"],
        selector_json=selector,
        ordinal=0,
        role=ROLE,
    )


def _cut_around_marks(redacted: Redacted, max_bytes: int) -> str:
    """The text cut to its limit, and before a mark that the limit would break."""
    content = cut(redacted.text, max_bytes)
    broken = (one.start for one in redacted.redactions if one.start < len(content) < one.end)
    return content[: next(broken, len(content))]


def _redaction(redacted: Redacted, length: int, policy: EvidencePolicy) -> dict[str, Any]:
    """What was taken out of the part that is left: by which rules, how often, and where its marks stand."""
    if not policy.enable_redaction:
        return {"enabled": False, "redactions": []}
    kept = [asdict(one) for one in redacted.redactions if one.end <= length]
    return {"enabled": True, "rules_applied": list(RULES), "redaction_count": len(kept), "redactions": kept}


def _packed(items: Iterable[EvidenceItem], max_total_bytes: int) -> list[EvidenceItem]:
    packed, room = [], max_total_bytes
    for item in items:
        if item.byte_count <= room:
            packed.append(item)
            room -= item.byte_count
    return packed


def _summary(result: SearchResult, policy: EvidencePolicy, items: Sequence[EvidenceItem], found: int) -> dict[str, Any]:
    total = sum(item.byte_count for item in items)
    asked = {"query_text": result.query, "filters": result.filters, "notes": list(result.notes)}
    dropped = found - len(items)
    return {
        "item_count": len(items),
        "type_counts": {EVIDENCE_TYPE: len(items)} if items else {},
        "total_bytes": total,
        "approx_tokens": total // 4,
        "bundle_bounding": {
            "applied": dropped > 0,
            "original_count": found,
            "final_count": len(items),
            "items_dropped": dropped,
            "total_bytes": total,
            "max_total_bytes": policy.max_total_bytes,
            **({"note": f"{dropped} items left out by the limits"} if dropped else {}),
        },
        "retrieval": {
            **(redact_all(asked) if policy.enable_redaction else asked),
            "retrieval_id": str(result.retrieval_id) if result.retrieval_id else None,
            "embedding_space_id": str(result.embedding_space_id),
            "space": result.space,
            "method": str(result.method),
            "ranked_by": result.ranked_by,
        },
    }
