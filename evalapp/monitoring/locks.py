"""Who changes a stream, and who feeds it: one at a time, and many at once."""

from django.db import connection

from evalapp.core.errors import ConflictError
from evalapp.monitoring.models import Stream

_STREAM_LOCK = 20_004


def lock_unended(stream: Stream) -> Stream:
    """As `lock_stream`; ConflictError once it has ended."""
    return _unended(lock_stream(stream))


def lock_stream(stream: Stream) -> Stream:
    """Lock it for this transaction: it is not changed by others, and what fed it has been stored or has not
    begun, so that what comes later has greater keys.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s::integer)", [_STREAM_LOCK, stream.pk])
    return Stream.objects.select_for_update(no_key=True).get(pk=stream.pk)


def feed_unended(stream: Stream) -> Stream:
    """Let others feed it too until this transaction ends, but nobody lock it. ConflictError once it has
    ended.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock_shared(%s, %s::integer)", [_STREAM_LOCK, stream.pk])
    return _unended(Stream.objects.get(pk=stream.pk))


def _unended(stream: Stream) -> Stream:
    if stream.ended_at is not None:
        raise ConflictError(
            f"“{stream}” has ended: it takes no more events and is not sampled. Create another stream."
        )
    return stream
