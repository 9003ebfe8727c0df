"""The storage guard over moto, which keeps storage classes, regions, keys and versions."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest

from querysvc.errors import STORAGE_RULES, ErrorCode, StorageRuleError
from querysvc.storage.guard import GuardedTable
from querysvc.storage.guard_policy import STRICT, GuardPolicy, StorageClassScope

KEY = "arn:aws:kms:eu-west-1:123456789012:key/11112222"


@pytest.fixture
def make_bucket(moto: Any) -> Callable[..., str]:
    def make(region: str = "us-east-1", prefix: str = "guard") -> str:
        name = f"{prefix}-{uuid.uuid4().hex[:20]}"
        extra = {"CreateBucketConfiguration": {"LocationConstraint": region}}
        moto.client(region).create_bucket(Bucket=name, **(extra if region != "us-east-1" else {}))
        return name

    return make


@pytest.fixture
def storage(moto: Any, open_storage: Any) -> Any:
    return open_storage(moto.configuration())


def put(moto: Any, bucket: str, key: str, storage_class: str = "STANDARD", **extra: Any) -> None:
    moto.client().put_object(
        Bucket=bucket, Key=key, Body=b"12345", StorageClass=storage_class, **extra
    )


def table(storage: Any, bucket: str, prefix: str = "t", scanned: str | None = None) -> GuardedTable:
    location = f"s3://{bucket}/{prefix}/"
    objects = storage.client.list_objects(scanned or location)
    return GuardedTable("t", (location,), tuple(objects))


def count_heads(storage: Any, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    asked: list[Any] = []
    original = storage.client._head

    async def head(target: Any, region: Any) -> Any:
        asked.append(target)
        return await original(target, region)

    monkeypatch.setattr(storage.client, "_head", head)
    return asked


def refused(storage: Any, tables: list[GuardedTable], policy: GuardPolicy) -> StorageRuleError:
    with pytest.raises(StorageRuleError) as caught:
        storage.guard.check(tables, policy)
    assert caught.value.code in STORAGE_RULES
    return caught.value


def test_standard_objects_of_an_ordinary_bucket_pass(
    moto: Any, storage: Any, make_bucket: Any
) -> None:
    bucket = make_bucket()
    put(moto, bucket, "t/a")
    put(moto, bucket, "t/b")
    one = table(storage, bucket)
    report = storage.guard.check([one], STRICT)
    assert report.objects == (one.objects,)
    assert report.buckets[bucket].region == "us-east-1"
    assert report.skipped_archived_objects == 0


@pytest.mark.parametrize("name", ["GLACIER", "DEEP_ARCHIVE"])
def test_archived_object_fails_a_strict_query(
    moto: Any, storage: Any, make_bucket: Any, name: str
) -> None:
    bucket = make_bucket()
    put(moto, bucket, "t/a")
    put(moto, bucket, "t/cold", name)
    error = refused(storage, [table(storage, bucket)], STRICT)
    assert error.code is ErrorCode.OBJECT_ARCHIVED
    assert f"1 of 2 objects are archived ({name}): s3://{bucket}/t/cold" in error.message


def test_archived_objects_are_skipped_and_reported_under_the_athena_policy(
    moto: Any, storage: Any, make_bucket: Any
) -> None:
    bucket = make_bucket()
    put(moto, bucket, "t/a")
    put(moto, bucket, "t/ia", "STANDARD_IA")
    put(moto, bucket, "t/cold", "GLACIER")
    put(moto, bucket, "t/colder", "DEEP_ARCHIVE")
    report = storage.guard.check([table(storage, bucket)], GuardPolicy.athena())
    assert [one.key for one in report.objects[0]] == ["t/a", "t/ia"]
    assert report.skipped_archived_objects == 2
    assert report.skipped_archived_bytes == 10


def test_restored_copy_is_read_only_where_the_policy_says_so(
    moto: Any, storage: Any, make_bucket: Any
) -> None:
    bucket = make_bucket()
    put(moto, bucket, "t/cold", "GLACIER")
    put(moto, bucket, "t/still-cold", "GLACIER")
    moto.client().restore_object(Bucket=bucket, Key="t/cold", RestoreRequest={"Days": 1})
    head = moto.client().head_object(Bucket=bucket, Key="t/cold")
    assert 'ongoing-request="false"' in head["Restore"], "moto restores at once"
    one = table(storage, bucket)
    report = storage.guard.check([one], GuardPolicy.athena(read_restored_glacier_objects=True))
    assert [each.key for each in report.objects[0]] == ["t/cold"]
    assert report.skipped_archived_objects == 1
    assert storage.guard.check([one], GuardPolicy.athena()).skipped_archived_objects == 2


@pytest.mark.parametrize("scope", list(StorageClassScope))
def test_mixed_classes_are_looked_for_in_the_scope_of_the_policy(
    moto: Any, storage: Any, make_bucket: Any, scope: StorageClassScope
) -> None:
    policy = GuardPolicy(storage_class_scope=scope)
    reach = list(StorageClassScope).index(scope)
    for distance, key in enumerate(["t/y=1/odd", "t/y=2/odd", "u/odd"]):
        bucket = make_bucket()
        put(moto, bucket, "t/y=1/a")
        put(moto, bucket, key, "STANDARD_IA")
        one = table(storage, bucket, scanned=f"s3://{bucket}/t/y=1/")
        if distance > reach:
            storage.guard.check([one], policy)
            continue
        error = refused(storage, [one], policy)
        assert error.code is ErrorCode.MIXED_STORAGE_CLASSES
        assert key in error.message


def test_scope_wider_than_the_scan_is_listed_once(
    moto: Any, storage: Any, make_bucket: Any
) -> None:
    bucket = make_bucket()
    put(moto, bucket, "t/a")
    one = table(storage, bucket)
    policy = GuardPolicy(storage_class_scope=StorageClassScope.BUCKET)
    storage.guard.check([one], policy)
    put(moto, bucket, "u/b", "STANDARD_IA")
    storage.guard.check([one], policy)  # the listing of a moment ago is good for some minutes


def test_two_tables_of_different_classes_are_mixed_in_one_query(
    moto: Any, storage: Any, make_bucket: Any
) -> None:
    bucket = make_bucket()
    put(moto, bucket, "t/a")
    put(moto, bucket, "u/b", "STANDARD_IA")
    tables = [table(storage, bucket), table(storage, bucket, "u")]
    assert refused(storage, tables, STRICT).code is ErrorCode.MIXED_STORAGE_CLASSES
    report = storage.guard.check(tables, GuardPolicy(allows_mixed_storage_classes=True))
    assert [len(part) for part in report.objects] == [1, 1]


def test_requester_pays_bucket_is_refused_unless_allowed(
    moto: Any, storage: Any, make_bucket: Any
) -> None:
    bucket = make_bucket()
    moto.client().put_bucket_request_payment(
        Bucket=bucket, RequestPaymentConfiguration={"Payer": "Requester"}
    )
    put(moto, bucket, "t/a")
    one = table(storage, bucket)
    assert refused(storage, [one], STRICT).code is ErrorCode.REQUESTER_PAYS_BUCKET
    assert refused(storage, [one], GuardPolicy.athena()).code is ErrorCode.REQUESTER_PAYS_BUCKET
    report = storage.guard.check([one], GuardPolicy.athena(allows_requester_pays=True))
    assert report.buckets[bucket].requester_pays


@pytest.mark.parametrize(
    ("choice", "is_refused"), [("auto", False), ("pass", False), ("fail", True)]
)
def test_silence_about_payment_is_handled_by_the_setting(
    moto: Any, open_storage: Any, make_bucket: Any, choice: str, is_refused: bool
) -> None:
    storage = open_storage(moto.configuration(unanswered_bucket_facts=choice))
    bucket = make_bucket(prefix="silent")
    put(moto, bucket, "t/a")
    one = table(storage, bucket)
    if is_refused:
        error = refused(storage, [one], STRICT)
        assert error.code is ErrorCode.REQUESTER_PAYS_BUCKET
        assert "unanswered_bucket_facts" in error.message
    else:
        assert storage.guard.check([one], STRICT).objects == (one.objects,)


def test_unencrypted_objects_of_another_region_are_read(
    moto: Any, storage: Any, make_bucket: Any
) -> None:
    bucket = make_bucket("eu-west-1")
    put(moto, bucket, "t/a")
    report = storage.guard.check([table(storage, bucket)], STRICT)
    assert report.buckets[bucket].region == "eu-west-1"


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ({"ServerSideEncryption": "AES256"}, "counts_sse_s3_as_unencrypted"),
        ({"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": KEY}, KEY),
    ],
)
def test_encrypted_object_of_another_region_fails_the_query(
    moto: Any, storage: Any, make_bucket: Any, extra: dict[str, str], words: str
) -> None:
    bucket = make_bucket("eu-west-1")
    put(moto, bucket, "t/a")
    put(moto, bucket, "t/locked", **extra)
    error = refused(storage, [table(storage, bucket)], STRICT)
    assert error.code is ErrorCode.ENCRYPTED_CROSS_REGION
    assert f"1 of 2 objects are encrypted ({extra['ServerSideEncryption']}" in error.message
    assert words in error.message
    assert "eu-west-1; queries run in us-east-1" in error.message


def test_encrypted_objects_of_the_same_region_cost_no_head(
    moto: Any, storage: Any, make_bucket: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = make_bucket()
    put(moto, bucket, "t/a", ServerSideEncryption="aws:kms")
    asked = count_heads(storage, monkeypatch)
    storage.guard.check([table(storage, bucket)], STRICT)
    assert asked == []


def test_heads_of_another_region_are_asked_once_for_each_etag(
    moto: Any, storage: Any, make_bucket: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = make_bucket("eu-west-1")
    put(moto, bucket, "t/a")
    put(moto, bucket, "t/b")
    asked = count_heads(storage, monkeypatch)
    for _ in range(3):
        storage.guard.check([table(storage, bucket)], STRICT)
    assert len(asked) == 2


def test_client_side_encrypted_object_of_another_region_is_refused(
    moto: Any, storage: Any, make_bucket: Any
) -> None:
    bucket = make_bucket("eu-west-1")
    put(moto, bucket, "t/a", Metadata={"x-amz-key-v2": "abc", "x-amz-iv": "def"})
    error = refused(storage, [table(storage, bucket)], STRICT)
    assert error.code is ErrorCode.CLIENT_SIDE_ENCRYPTED


def test_only_the_latest_version_counts_and_delete_markers_hide(
    moto: Any, storage: Any, make_bucket: Any
) -> None:
    bucket = make_bucket()
    moto.client().put_bucket_versioning(
        Bucket=bucket, VersioningConfiguration={"Status": "Enabled"}
    )
    put(moto, bucket, "t/a", "GLACIER")
    put(moto, bucket, "t/a")
    put(moto, bucket, "t/gone", "GLACIER")
    moto.client().delete_object(Bucket=bucket, Key="t/gone")
    report = storage.guard.check([table(storage, bucket)], STRICT)
    assert [(one.key, one.storage_class) for one in report.objects[0]] == [("t/a", "STANDARD")]
    assert storage.facts.get([bucket])[bucket].versioning == "Enabled"


def test_facts_are_asked_again_when_they_are_old(
    moto: Any, open_storage: Any, make_bucket: Any
) -> None:
    from querysvc.storage.bucket_facts import BucketFactsCache

    storage = open_storage(moto.configuration(bucket_facts_ttl_seconds=100.0))
    now = [0.0]
    facts = BucketFactsCache(storage.connection, clock=lambda: now[0])
    bucket = make_bucket()
    assert facts.get([bucket])[bucket].requester_pays is False
    moto.client().put_bucket_request_payment(
        Bucket=bucket, RequestPaymentConfiguration={"Payer": "Requester"}
    )
    now[0] = 99.0
    assert facts.get([bucket])[bucket].requester_pays is False
    now[0] = 101.0
    assert facts.get([bucket])[bucket].requester_pays is True


def test_client_side_encrypted_object_of_the_same_region_is_refused_when_it_is_opened(
    moto: Any, storage: Any, make_bucket: Any, open_reader: Any
) -> None:
    from querysvc.errors import QueryServiceError

    bucket = make_bucket()
    put(moto, bucket, "t/a", Metadata={"x-amz-key-v2": "abc", "x-amz-iv": "def"})
    stored = moto.stored(bucket, "t/a")
    reader = open_reader([stored], endpoint_url=moto.url)
    with pytest.raises(QueryServiceError, match=stored.address) as caught:
        reader.client.read(0, 0, 5)
    assert caught.value.code is ErrorCode.CLIENT_SIDE_ENCRYPTED
