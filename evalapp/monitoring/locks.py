"""Locks of a stream: changes exclude each other; any number of senders can feed it at once."""

from functools import cache

from django.db import connection

from evalapp.accounts.models import Project
from evalapp.core.errors import ConflictError, MissingError
from evalapp.core.joins import JoinedRows
from evalapp.monitoring.models import Stream

_STREAM_LOCK = 20_004


def lock_unended_stream(stream: Stream) -> Stream:
    """As `lock_stream`; raises ConflictError once the stream has ended."""
    return _unended(lock_stream(stream))


def lock_stream(stream: Stream) -> Stream:
    """Lock the stream for this transaction: others cannot change it, and every feeding transaction has either
    committed or not begun, so that later rows have greater keys.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s::integer)", [_STREAM_LOCK, stream.pk])
    return Stream.objects.select_for_update(no_key=True).get(pk=stream.pk)


def share_unended_stream(stream: Stream) -> Stream:
    """Share the stream with other senders until this transaction ends, and keep others from locking it.
    Raises ConflictError once it has ended.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock_shared(%s, %s::integer)", [_STREAM_LOCK, stream.pk])
    return _unended(stream_of(stream.project, stream.pk))


@cache
def _stream_rows() -> JoinedRows:
    return JoinedRows(stream=Stream)


def stream_of(project: Project, stream_id: int) -> Stream:
    """The project's stream with this id, as read for every incoming event. Raises MissingError."""
    found = _stream_rows().first(
        "FROM evalapp_stream stream WHERE stream.id = %(stream)s AND stream.project_id = %(project)s",
        {"stream": stream_id, "project": project.pk},
    )
    if found is None:
        raise MissingError("There is nothing at this URL, or you may not see it.")
    stream: Stream = found[0]
    stream.project = project
    return stream


def _unended(stream: Stream) -> Stream:
    if stream.ended_at is not None:
        raise ConflictError(
            f"“{stream}” has ended: it takes no more events and is not sampled. Create another stream."
        )
    return stream
