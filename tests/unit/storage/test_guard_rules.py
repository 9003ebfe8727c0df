"""The storage rules alone."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from querysvc.errors import ErrorCode, StorageRuleError
from querysvc.plan import StoredObject
from querysvc.storage import guard_rules
from querysvc.storage.bucket_facts import BucketFacts
from querysvc.storage.client import ObjectHead
from querysvc.storage.guard_policy import STRICT, GuardPolicy, StorageClassScope
from querysvc.storage.s3_errors import is_client_side_encrypted

NOW = datetime(2024, 1, 1, tzinfo=UTC)
HERE, THERE = "us-east-1", "eu-west-1"
FACTS = {"b": BucketFacts("b", region=THERE, requester_pays=False)}


def stored(key: str, storage_class: str = "STANDARD") -> StoredObject:
    return StoredObject("b", key, 10, "etag", NOW, storage_class)


def heads(*pairs: tuple[StoredObject, ObjectHead]) -> dict[str, ObjectHead]:
    return {one.address: head for one, head in pairs}


@pytest.mark.parametrize("name", ["GLACIER", "DEEP_ARCHIVE"])
def test_archived_classes_are_told_from_readable_ones(name: str) -> None:
    objects = [stored("a"), stored("g", name), stored("i", "GLACIER_IR")]
    readable, archived = guard_rules.split_archived(objects, frozenset())
    assert [one.key for one in archived] == ["g"]
    assert [one.key for one in readable] == ["a", "i"]
    assert guard_rules.split_archived(objects, frozenset({"s3://b/g"}))[1] == []


def test_refusal_names_first_objects_how_many_rule_and_way_out() -> None:
    objects = [stored(f"g{n}", "GLACIER") for n in range(5)]
    error = guard_rules.archived_error(objects, 41)
    assert error.code is ErrorCode.OBJECT_ARCHIVED
    assert "5 of 41 objects are archived (GLACIER)" in error.message
    assert "s3://b/g0, s3://b/g1, s3://b/g2 and 2 more" in error.message
    assert "restore" in error.message


@pytest.mark.parametrize(
    ("classes", "is_refused"),
    [
        (["STANDARD", "STANDARD"], False),
        (["STANDARD", "STANDARD_IA"], True),
        (["STANDARD", "INTELLIGENT_TIERING", "GLACIER_IR"], True),
        ([], False),
    ],
)
def test_two_storage_classes_together_are_refused(classes: list[str], is_refused: bool) -> None:
    objects = [stored(f"o{n}", name) for n, name in enumerate(classes)]
    summary = guard_rules.ClassSummary().add(objects)
    if not is_refused:
        guard_rules.check_storage_classes(summary, StorageClassScope.SCAN)
        return
    with pytest.raises(StorageRuleError, match=f"{len(classes)} objects that the query") as caught:
        guard_rules.check_storage_classes(summary, StorageClassScope.SCAN)
    assert caught.value.code is ErrorCode.MIXED_STORAGE_CLASSES


def test_summaries_of_two_locations_count_together() -> None:
    first = guard_rules.ClassSummary().add([stored("a"), stored("b")])
    first.join(guard_rules.ClassSummary().add([stored("c", "GLACIER")]))
    with pytest.raises(StorageRuleError, match=r"2 STANDARD, 1 GLACIER\); GLACIER: s3://b/c"):
        guard_rules.check_storage_classes(first, StorageClassScope.BUCKET)


@pytest.mark.parametrize(
    ("pays", "allows", "passes", "is_refused"),
    [
        (True, False, False, True),
        (True, False, True, True),
        (True, True, False, False),
        (False, False, False, False),
        (None, False, False, True),
        (None, False, True, False),
        (None, True, False, False),
    ],
)
def test_requester_pays_and_silence(
    pays: bool | None, allows: bool, passes: bool, is_refused: bool
) -> None:
    facts = [BucketFacts("b", HERE, pays, unanswered="AccessDenied")]
    policy = GuardPolicy(allows_requester_pays=allows)
    names = frozenset({"b"} if passes else set())
    if not is_refused:
        guard_rules.check_payment(facts, policy, names)
        return
    with pytest.raises(StorageRuleError, match="bucket b") as caught:
        guard_rules.check_payment(facts, policy, names)
    assert caught.value.code is ErrorCode.REQUESTER_PAYS_BUCKET


@pytest.mark.parametrize(
    ("encryption", "policy", "is_refused"),
    [
        (None, STRICT, False),
        ("AES256", STRICT, True),
        ("aws:kms", STRICT, True),
        ("aws:kms:dsse", STRICT, True),
        ("SSE-C", STRICT, True),
        ("AES256", GuardPolicy(counts_sse_s3_as_unencrypted=True), False),
        ("aws:kms", GuardPolicy(counts_sse_s3_as_unencrypted=True), True),
        ("aws:kms", GuardPolicy(allows_encrypted_cross_region=True), False),
    ],
)
def test_encrypted_object_of_another_region(
    encryption: str | None, policy: GuardPolicy, is_refused: bool
) -> None:
    one = stored("a")
    known = heads((one, ObjectHead("etag", encryption, "arn:aws:kms:key/1")))
    if not is_refused:
        guard_rules.check_cross_region([one], known, FACTS, HERE, policy)
        return
    with pytest.raises(StorageRuleError, match="another region") as caught:
        guard_rules.check_cross_region([one], known, FACTS, HERE, policy)
    assert caught.value.code is ErrorCode.ENCRYPTED_CROSS_REGION
    says_setting = "counts_sse_s3_as_unencrypted" in caught.value.message
    assert says_setting is (encryption == "AES256")


def test_client_side_encryption_is_known_by_its_envelope_and_by_instruction_files() -> None:
    assert is_client_side_encrypted({"X-Amz-Key-V2": "…"})
    assert is_client_side_encrypted({"x-amz-key": "…", "other": "1"})
    assert not is_client_side_encrypted({"x-amz-keynote": "1"})
    one = stored("a")
    with pytest.raises(StorageRuleError) as caught:
        guard_rules.check_cross_region(
            [one],
            heads((one, ObjectHead("etag", is_client_side_encrypted=True))),
            FACTS,
            HERE,
            GuardPolicy(allows_encrypted_cross_region=True),
        )
    assert caught.value.code is ErrorCode.CLIENT_SIDE_ENCRYPTED
    with pytest.raises(StorageRuleError, match="instruction file") as caught:
        guard_rules.check_instruction_files([stored("a"), stored("a.instruction")])
    assert caught.value.code is ErrorCode.CLIENT_SIDE_ENCRYPTED
    guard_rules.check_instruction_files([stored("a"), stored("b.instruction")])
