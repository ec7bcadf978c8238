"""Run all benchmarks one after the other: `make bench`. Exits with 1 if one of them misses its target."""

import subprocess
import sys

BENCHMARKS = (
    *("rouge", "statistics_bootstrap", "severity", "import_rows", "import_ratings", "data_health", "events"),
    *("review_flow", "review_paint", "claim_scale", "dashboard", "start", "slow_clients"),
    *("training", "generation"),
)


def main() -> int:
    missed = []
    for name in BENCHMARKS:
        print(f"\n== {name}", flush=True)
        if subprocess.run([sys.executable, "-m", f"bench.{name}"], check=False).returncode:
            missed.append(name)
    print(f"\nMissed: {', '.join(missed)}" if missed else "\nEvery benchmark reached its target.")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
