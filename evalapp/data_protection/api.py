"""Erasures of people."""

from typing import Any

from rest_framework import serializers
from rest_framework.response import Response

from evalapp.accounts.permissions import Permission
from evalapp.api.fields import Body, CreatedByField, Flag, List, Paging, ReadOnlySerializer, Text
from evalapp.api.operations import ProjectView, operation, route
from evalapp.core.errors import InvalidError
from evalapp.core.http import get_or_missing
from evalapp.data_protection import queries, services
from evalapp.data_protection.models import Erasure
from evalapp.data_protection.services import LONGEST_REASON, LONGEST_TEXT, MOST_TEXTS, SHORTEST_TEXT
from evalapp.jobs.api import JobSerializer


class PlaceCountSerializer(serializers.Serializer[Any]):
    place = serializers.CharField()
    rows = serializers.IntegerField()


class ErasureSerializer(ReadOnlySerializer):
    """``counts``: rows that hold the person, of the search; then those that were erased. ``remaining``: what
    a person still has to do, once `state` is `done`: runs, exports, reports and uploads with paths below the
    data directory, models that were trained on the rows, evaluations and decisions whose hashes are those
    before, names to change by hand, and the moment before which backups hold the person.
    """

    counts = PlaceCountSerializer(many=True, source="counts_by_place")
    remaining = serializers.DictField()
    text_hashes = serializers.ListField(
        child=serializers.CharField(), help_text="HMAC-SHA-256 of the texts, by which they can be recognised."
    )
    job = JobSerializer(allow_null=True, help_text="The latest: the search, then the erasing.")
    created_by = CreatedByField()
    confirmed_by = CreatedByField()

    class Meta:
        model = Erasure
        fields = (
            "id", "state", "reason", "text_hashes", "counts", "remaining", "job", "created_by", "created_at",
            "confirmed_by", "erased_at",
        )  # fmt: skip


class ErasureBody(Body):
    texts = List(
        child=Text(max_length=LONGEST_TEXT, min_length=SHORTEST_TEXT),
        min_length=1,
        max_length=MOST_TEXTS,
        help_text="What identifies the person: names in each way they are written, addresses, numbers.",
    )
    reason = Text(max_length=LONGEST_REASON, help_text="For the receipt. Leave out who it is.")


class ConfirmBody(Body):
    confirm = Flag(help_text="True: erase what was found. Only a backup could bring it back.")


class ErasureView(ProjectView):
    required_permission = Permission.UNMASK

    def erasure(self, erasure_id: int) -> Erasure:
        return get_or_missing(queries.erasures_of(self.project), pk=erasure_id)


@route("erasures/", "api_erasures")
class ErasureList(ErasureView):
    @operation("List erasures", query=Paging, result=ErasureSerializer, paged=True)
    def get(self) -> object:
        """Searches for people, and the receipts of what was erased."""
        return self.page(queries.erasures_of(self.project))

    @operation("Search for a person", body=ErasureBody, result=ErasureSerializer, status=202)
    def post(self) -> object:
        """Queues the job that counts where the texts stand; nothing is erased yet. The texts are kept
        encrypted until the erasure is done or discarded, and never shown.
        """
        started = services.start_search(project=self.project, by=self.person, **self.body())
        return self.erasure(started.pk)


@route("erasures/<int:erasure_id>/", "api_erasure")
class ErasureDetail(ErasureView):
    @operation("Read an erasure", result=ErasureSerializer)
    def get(self, erasure_id: int) -> object:
        """What was found, and once it is done the receipt."""
        return self.erasure(erasure_id)

    @operation("Discard a search", status=204)
    def delete(self, erasure_id: int) -> object:
        """Forgets the texts without erasing them."""
        services.discard(erasure=self.erasure(erasure_id), by=self.person)
        return Response(status=204)


@route("erasures/<int:erasure_id>/erase/", "api_erasure_erase")
class ErasureErase(ErasureView):
    @operation("Erase a person", body=ConfirmBody, result=ErasureSerializer, status=202)
    def post(self, erasure_id: int) -> object:
        """Queues the job that replaces the texts wherever they stand, all at once or not at all."""
        found = self.erasure(erasure_id)
        if not self.body()["confirm"]:
            raise InvalidError("This must be true to erase.", field="confirm")
        services.start_erasing(erasure=found, by=self.person)
        return self.erasure(erasure_id)
