"""Free ports for a benchmark's servers, so that two benchmarks can run on one machine."""

import socket


def free_port() -> int:
    """A port on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
