"""The cache in Valkey keeps one client a thread, which outlives a server that goes and comes back."""

from concurrent.futures import ThreadPoolExecutor

from django.core.cache import cache, caches

from evalapp.core.cache import ValkeyCache


def test_a_thread_keeps_its_client_and_each_has_its_own() -> None:
    def clients() -> tuple[int, int]:
        cache.set("a", 1)
        own = caches["default"]._cache
        return id(own.get_client("a")), id(own.get_client("b", write=True))

    with ThreadPoolExecutor(1) as other:
        here, there = clients(), other.submit(clients).result()
    assert here[0] == here[1] and there[0] == there[1] and here[0] != there[0]
    assert isinstance(caches["default"], ValkeyCache)


def test_a_connection_that_was_cut_is_made_anew() -> None:
    cache.set("a", 1)
    client = caches["default"]._cache.get_client()
    client.connection_pool.disconnect()
    assert cache.get("a") == 1 and cache.incr("a") == 2
