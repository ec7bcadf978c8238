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
    """``counts`` are rows that contain the person's texts: before the erasure those found, afterwards those
    erased. ``remaining`` lists what a person still has to do once `state` is `done`: runs, exports, reports
    and uploads (paths below the data directory), models trained on the rows, evaluations and decisions whose
    hashes refer to the old texts, names to change by hand, and the time until which older backups contain the
    person's data.
    """

    counts = PlaceCountSerializer(many=True, source="counts_by_place")
    remaining = serializers.DictField()
    text_hashes = serializers.ListField(
        child=serializers.CharField(), help_text="HMAC-SHA-256 of each text, to recognise it later."
    )
    job = JobSerializer(allow_null=True, help_text="The latest job: first the search, then the erasure.")
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
        help_text="Texts that identify the person: every spelling of the name, addresses, numbers.",
    )
    reason = Text(max_length=LONGEST_REASON, help_text="Reason, for the receipt. Do not name the person.")


class ConfirmBody(Body):
    confirm = Flag(help_text="Must be true. Erases what was found; only a backup can restore it.")


class ErasureView(ProjectView):
    required_permission = Permission.UNMASK

    def erasure(self, erasure_id: int) -> Erasure:
        return get_or_missing(queries.erasures_of(self.project), pk=erasure_id)


@route("erasures/", "api_erasures")
class ErasureList(ErasureView):
    @operation("List erasures", query=Paging, result=ErasureSerializer, paged=True)
    def get(self) -> object:
        """Searches for people, and receipts of erasures."""
        return self.page(queries.erasures_of(self.project))

    @operation("Search for a person", body=ErasureBody, result=ErasureSerializer, status=202)
    def post(self) -> object:
        """Queues the job that counts where the texts occur; nothing is erased yet. The texts are stored
        encrypted until the erasure is done or discarded, and are never shown.
        """
        started = services.start_search(project=self.project, by=self.person, **self.body())
        return self.erasure(started.pk)


@route("erasures/<int:erasure_id>/", "api_erasure")
class ErasureDetail(ErasureView):
    @operation("Read an erasure", result=ErasureSerializer)
    def get(self, erasure_id: int) -> object:
        """The search results and, once erased, the receipt."""
        return self.erasure(erasure_id)

    @operation("Discard a search", status=204)
    def delete(self, erasure_id: int) -> object:
        """Deletes the stored texts without erasing anything."""
        services.discard(erasure=self.erasure(erasure_id), by=self.person)
        return Response(status=204)


@route("erasures/<int:erasure_id>/erase/", "api_erasure_erase")
class ErasureErase(ErasureView):
    @operation("Erase a person", body=ConfirmBody, result=ErasureSerializer, status=202)
    def post(self, erasure_id: int) -> object:
        """Queues the job that replaces the texts everywhere, all or none."""
        found = self.erasure(erasure_id)
        if not self.body()["confirm"]:
            raise InvalidError("This must be true to erase.", field="confirm")
        services.start_erasing(erasure=found, by=self.person)
        return self.erasure(erasure_id)
