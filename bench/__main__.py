"""Run benchmarks one after the other; exits with 1 if one misses its target. `make bench` runs all."""

import argparse
import subprocess
import sys

BENCHMARKS = (
    *("rouge", "statistics_bootstrap", "severity", "import_rows", "import_ratings", "data_health", "events"),
    *("review_flow", "review_paint", "claim_scale", "dashboard", "start", "slow_clients"),
    *("training", "generation"),
)


def main() -> int:
    options = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    options.add_argument("name", nargs="*", help=f"of {', '.join(BENCHMARKS)}; by default all")
    names = options.parse_args().name or BENCHMARKS
    if unknown := set(names) - set(BENCHMARKS):
        options.error(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}")
    missed = []
    for name in names:
        print(f"\n== {name}", flush=True)
        if subprocess.run([sys.executable, "-m", f"bench.{name}"], check=False).returncode:
            missed.append(name)
    print(f"\nMissed: {', '.join(missed)}" if missed else "\nEvery benchmark reached its target.")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
