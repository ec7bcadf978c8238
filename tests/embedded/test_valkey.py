import stat

import redis

from evalapp.celery import app
from evalapp.embedded.valkey import ValkeyServer
from evalapp.env import Environment


def test_it_answers_on_a_private_socket_alone(home: Environment):
    server = ValkeyServer(home)
    server.start()
    try:
        client = redis.Redis.from_url(home.redis_url)
        assert client.ping()
        assert client.config_get("port") == {"port": "0"}
        assert stat.S_IMODE(home.valkey_socket.stat().st_mode) == 0o700
        client.close()
    finally:
        server.stop()
    assert not home.valkey_socket.exists()


def test_after_a_kill_it_starts_again_over_the_stale_socket(home: Environment):
    server = ValkeyServer(home)
    server.start().process.kill()
    assert server.child is not None
    server.child.process.wait()
    server.start()
    server.stop()


def test_celery_reads_the_address_of_the_socket(home: Environment):
    server = ValkeyServer(home)
    server.start()
    try:
        with app.connection_for_write(home.celery_broker_url) as connection:
            connection.ensure_connection(max_retries=1)
            assert connection.connected
    finally:
        server.stop()
