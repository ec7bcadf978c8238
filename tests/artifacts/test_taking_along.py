"""Adapters and full models as archives and single files, and who may have them."""

import hashlib
import io
import zipfile

import pytest
from django.urls import reverse

from evalapp.accounts.models import Project, User
from evalapp.artifacts.streaming import Entry, zip_blocks
from evalapp.audit.models import AuditEvent
from evalapp.registry.folders import folder_of
from evalapp.registry.models import ModelVersion
from tests.artifacts.kept_training import FIXTURES as TRAINED
from tests.kept_cast import FIXTURES
from tests.registry.test_views import ClientFor

pytestmark = pytest.mark.django_db
cast, owner, manager, engineer, reviewer, other_reviewer, project, empty_project = FIXTURES
trained, model_folders, behave, version, base, training, adapter = TRAINED


def unpacked(blocks: object) -> dict[str, bytes]:
    archive = zipfile.ZipFile(io.BytesIO(b"".join(blocks)))
    assert archive.testzip() is None
    return {name: archive.read(name) for name in archive.namelist()}


def test_an_adapter_comes_with_its_card_and_the_hash_of_each_file(
    project: Project, engineer: User, adapter: ModelVersion, client_for: ClientFor
) -> None:
    answer = client_for(engineer).get(reverse("model_archive", args=[project.slug, adapter.pk]))
    assert answer["Content-Disposition"] == 'attachment; filename="v1.zip"'
    files = unpacked(answer.streaming_content)
    assert list(files) == [
        "v1/README.md",
        "v1/adapter_config.json",
        "v1/adapter_model.safetensors",
        "v1/SHA256SUMS",
    ]
    assert (
        files["v1/adapter_model.safetensors"]
        == (folder_of(adapter) / "adapter_model.safetensors").read_bytes()
    )
    sums = dict(line.split("  ")[::-1] for line in files["v1/SHA256SUMS"].decode().splitlines())
    assert sums == {
        name.removeprefix("v1/"): hashlib.sha256(content).hexdigest()
        for name, content in files.items() if not name.endswith("SHA256SUMS")
    }  # fmt: skip
    assert sums["adapter_model.safetensors"] == adapter.content_hash
    event = AuditEvent.objects.get(action="model.exported")
    assert (event.object_id, event.actor_id) == (adapter.pk, engineer.pk)
    assert event.data == {"what": "archive", "content_hash": adapter.content_hash}


def test_an_archive_is_the_same_each_time_and_never_held_whole() -> None:
    entries = [Entry("large", b"x" * 3_000_000), Entry("small", b"y")]
    blocks = list(zip_blocks(entries, folder="v1"))
    assert b"".join(blocks) == b"".join(zip_blocks(entries, folder="v1"))
    streamed = zip_blocks([Entry("weights", b"x" * 10)] * 2, folder="v1")
    assert b"weights" in next(streamed)


def test_a_broken_download_of_one_file_goes_on_where_it_stopped(
    project: Project, engineer: User, adapter: ModelVersion, client_for: ClientFor
) -> None:
    address = reverse("model_file", args=[project.slug, adapter.pk, "adapter_model.safetensors"])
    browser = client_for(engineer)
    whole = browser.get(address)
    content = b"".join(whole.streaming_content)
    assert (whole.status_code, whole["Accept-Ranges"], int(whole["Content-Length"])) == (
        200,
        "bytes",
        len(content),
    )
    rest = browser.get(address, headers={"Range": "bytes=10-", "If-Range": whole["ETag"]})
    assert (rest.status_code, rest["Content-Range"]) == (206, f"bytes 10-{len(content) - 1}/{len(content)}")
    assert b"".join(rest.streaming_content) == content[10:]
    part = browser.get(address, headers={"Range": "bytes=2-4"})
    assert b"".join(part.streaming_content) == content[2:5]
    other = browser.get(address, headers={"Range": "bytes=10-", "If-Range": '"another"'})
    assert (other.status_code, b"".join(other.streaming_content)) == (200, content)
    assert browser.get(address, headers={"Range": f"bytes={len(content)}-"}).status_code == 416
    # A download that goes on is the same download.
    assert AuditEvent.objects.filter(action="model.exported").count() == 1


@pytest.mark.parametrize("name", ["..", "adapter_config.json%00", "..%2f..%2fsecret-key", "other.bin"])
def test_no_name_leads_to_another_file(
    project: Project, engineer: User, adapter: ModelVersion, client_for: ClientFor, name: str
) -> None:
    address = reverse("model_file", args=[project.slug, adapter.pk, "NAME"]).replace("NAME", name)
    assert client_for(engineer).get(address).status_code in (400, 404)


def test_weights_are_for_engineers_of_the_project_alone(
    project: Project,
    engineer: User,
    reviewer: User,
    stranger: User,
    adapter: ModelVersion,
    client_for: ClientFor,
) -> None:
    people = {engineer: 200, reviewer: 403, stranger: 404, None: 302}
    for name, arguments in (
        ("model_archive", []),
        ("model_file", ["adapter_config.json"]),
        ("model_card", []),
    ):
        address = reverse(name, args=[project.slug, adapter.pk, *arguments])
        assert {person: client_for(person).get(address).status_code for person in people} == people


def test_what_has_no_weights_says_so_and_still_has_a_card(
    project: Project, engineer: User, base: ModelVersion, adapter: ModelVersion, client_for: ClientFor
) -> None:
    browser = client_for(engineer)
    refused = browser.get(reverse("model_archive", args=[project.slug, base.pk]))
    assert refused.status_code == 409
    assert "has no trained weights" in refused.text
    assert browser.get(reverse("model_card_file", args=[project.slug, base.pk])).status_code == 200
    for path in folder_of(adapter).iterdir():
        path.unlink()
    folder_of(adapter).rmdir()
    gone = browser.get(reverse("model_archive", args=[project.slug, adapter.pk]))
    assert gone.status_code == 404
    assert "Restore them from a backup" in gone.text
