"""The storage rules, pure: objects, facts and heads in, a refusal or nothing out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from querysvc.errors import ErrorCode, StorageRuleError
from querysvc.plan import StoredObject
from querysvc.storage.bucket_facts import BucketFacts
from querysvc.storage.client import ObjectHead
from querysvc.storage.guard_policy import GuardPolicy, StorageClassScope

ARCHIVED_CLASSES = frozenset({"GLACIER", "DEEP_ARCHIVE"})
"""Classes whose objects cannot be read without a restore (GLACIER_IR can)."""
INSTRUCTION_SUFFIX = ".instruction"
_NAMED_MAX = 3
_SCOPE_WORDS = {
    StorageClassScope.SCAN: "that the query would scan",
    StorageClassScope.TABLE: "under the tables' locations",
    StorageClassScope.BUCKET: "of the buckets",
}


def check_payment(
    facts: Iterable[BucketFacts], policy: GuardPolicy, passes: frozenset[str]
) -> None:
    """Refuse requester-pays buckets; `passes` names buckets whose silence is taken as harmless."""
    if policy.allows_requester_pays:
        return
    for one in facts:
        if one.requester_pays:
            raise StorageRuleError(
                ErrorCode.REQUESTER_PAYS_BUCKET,
                f"bucket {one.bucket} is a requester-pays bucket: reading it would be charged to "
                "this service; copy the data to a bucket of your own, or allow requester-pays "
                "buckets in the work group",
            )
        if one.requester_pays is None and one.bucket not in passes:
            raise StorageRuleError(
                ErrorCode.REQUESTER_PAYS_BUCKET,
                f"it cannot be told whether bucket {one.bucket} is a requester-pays bucket "
                f"({one.unanswered}); grant s3:GetBucketRequestPayment, or set "
                "s3_unanswered_bucket_facts = pass for an endpoint that has no such buckets",
            )


def split_archived(
    objects: Sequence[StoredObject], restored: frozenset[str]
) -> tuple[list[StoredObject], list[StoredObject]]:
    """Part objects into readable and archived; `restored` holds addresses with a readable copy."""
    readable: list[StoredObject] = []
    archived: list[StoredObject] = []
    for one in objects:
        is_archived = one.storage_class in ARCHIVED_CLASSES and one.address not in restored
        (archived if is_archived else readable).append(one)
    return readable, archived


def archived_error(archived: Sequence[StoredObject], total: int) -> StorageRuleError:
    """An archived object is in the scanned set."""
    classes = ", ".join(sorted({one.storage_class for one in archived}))
    return StorageRuleError(
        ErrorCode.OBJECT_ARCHIVED,
        f"{len(archived)} of {total} objects are archived ({classes}): {named(archived)}; restore "
        "or copy them to a readable class, exclude their partitions, or use a work group with the "
        "athena policy, which skips and reports them",
    )


@dataclass(slots=True)
class ClassSummary:
    """Storage classes of a set of objects: how many of each, and the first of them by name."""

    counts: Counter[str] = field(default_factory=Counter)
    first: dict[str, list[StoredObject]] = field(default_factory=dict)

    def add(self, objects: Iterable[StoredObject]) -> ClassSummary:
        """Count some objects."""
        for one in objects:
            self.counts[one.storage_class] += 1
            examples = self.first.setdefault(one.storage_class, [])
            if len(examples) < _NAMED_MAX:
                examples.append(one)
        return self

    def join(self, other: ClassSummary) -> None:
        """Count what another summary has counted."""
        self.counts += other.counts
        for name, examples in other.first.items():
            mine = self.first.setdefault(name, [])
            mine += examples[: _NAMED_MAX - len(mine)]


def check_storage_classes(summary: ClassSummary, scope: StorageClassScope) -> None:
    """Refuse two storage classes together."""
    classes = summary.counts.most_common()
    if len(classes) <= 1:
        return
    told = ", ".join(f"{count} {name}" for name, count in classes)
    rarest, count = classes[-1]
    raise StorageRuleError(
        ErrorCode.MIXED_STORAGE_CLASSES,
        f"the {summary.counts.total()} objects {_SCOPE_WORDS[scope]} have {len(classes)} storage "
        f"classes ({told}); {rarest}: {named(summary.first[rarest], count)}; move them to one "
        "class, exclude partitions, or allow mixed storage classes in the work group",
    )


def check_instruction_files(objects: Sequence[StoredObject]) -> None:
    """Refuse objects that an encryption client left with an instruction file beside them."""
    keys = {(one.bucket, one.key) for one in objects}
    encrypted = [one for one in objects if (one.bucket, one.key + INSTRUCTION_SUFFIX) in keys]
    if encrypted:
        raise client_side_error(encrypted, len(objects), "an instruction file lies beside it")


def check_cross_region(
    objects: Sequence[StoredObject],
    heads: Mapping[str, ObjectHead],
    facts: Mapping[str, BucketFacts],
    home_region: str,
    policy: GuardPolicy,
) -> None:
    """Refuse encrypted objects of other regions; `heads` are by address, of those objects only."""
    foreign = [(one, heads[one.address]) for one in objects if one.address in heads]
    enveloped = [one for one, head in foreign if head.is_client_side_encrypted]
    if enveloped:
        raise client_side_error(enveloped, len(objects), "its metadata holds an envelope key")
    if policy.allows_encrypted_cross_region:
        return
    encrypted = [(one, head) for one, head in foreign if _counts_as_encrypted(head, policy)]
    if not encrypted:
        return
    first, head = encrypted[0]
    kinds = ", ".join(sorted({h.encryption or "" for _, h in encrypted}))
    only_sse_s3 = kinds == "AES256"
    way_out = (
        "; S3 encrypts every new object this way (SSE-S3): the work group's setting "
        "counts_sse_s3_as_unencrypted lets them be read"
        if only_sse_s3
        else "; copy them to a bucket in that region, or store them unencrypted"
    )
    raise StorageRuleError(
        ErrorCode.ENCRYPTED_CROSS_REGION,
        f"{len(encrypted)} of {len(objects)} objects are encrypted ({kinds}"
        f"{' with ' + head.kms_key if head.kms_key else ''}) in another region "
        f"({facts[first.bucket].region}; queries run in {home_region}): "
        f"{named([one for one, _ in encrypted])}{way_out}",
    )


def client_side_error(
    objects: Sequence[StoredObject], total: int, evidence: str
) -> StorageRuleError:
    """Client-side-encrypted objects are in the scanned set."""
    return StorageRuleError(
        ErrorCode.CLIENT_SIDE_ENCRYPTED,
        f"{len(objects)} of {total} objects are encrypted by a client ({evidence}): "
        f"{named(objects)}; store them decrypted or with server-side encryption",
    )


def named(objects: Sequence[StoredObject], total: int | None = None) -> str:
    """The first objects by address, and how many more there are."""
    first = ", ".join(one.address for one in objects[:_NAMED_MAX])
    more = (len(objects) if total is None else total) - _NAMED_MAX
    return f"{first} and {more} more" if more > 0 else first


def _counts_as_encrypted(head: ObjectHead, policy: GuardPolicy) -> bool:
    if head.encryption is None:
        return False
    return not (head.encryption == "AES256" and policy.counts_sse_s3_as_unencrypted)
