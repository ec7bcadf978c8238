"""Continuous delivery of a model: a script for a build server to run once a campaign's reviews are in.

    python deliver.py --campaign 12 --stream 3 --share 0.1 --check "./smoke_test.sh" --note "Build 481"

1. The release gate is evaluated. The next steps follow only if the verdict is “release”.
2. The candidate serves a share of the stream's traffic; the others keep the rest.
3. The check runs, with the candidate's label as its last argument. If it fails, the previous version gets all
   traffic back, and the reason is recorded.
4. The evaluation is signed, unless somebody has signed it already. The candidate becomes the champion and
   serves all of the stream's traffic. If the server refuses, the traffic goes back as after a failed check.

Without --check and with --share 1, steps 2 and 3 are left out. The build server routes the traffic itself;
this script only records the routing, so that outputs, alerts and decisions belong to the right version. Set
EVALAPP_URL, EVALAPP_PROJECT and EVALAPP_TOKEN. The token's person must be allowed to decide and must not have
trained the candidate.

Exit codes: 0 delivered, 1 do not release, 2 wrong arguments, 3 not yet, 4 rolled back, 5 refused, or the
server cannot be reached.
"""

import argparse
import os
import shlex
import subprocess
import sys

from evalapp_client import ApiError, Client, Deployment, EvalappError, Verdict

DELIVERED, NO, WRONG, NOT_YET, ROLLED_BACK, FAILED = 0, 1, 2, 3, 4, 5
LONGEST_REASON = 500


def main() -> int:
    options = _options()
    missing = [
        name for name in ("EVALAPP_URL", "EVALAPP_PROJECT", "EVALAPP_TOKEN") if not os.environ.get(name)
    ]
    if missing:
        print(f"Set {', '.join(missing)}.", file=sys.stderr)
        return WRONG
    try:
        with Client(
            os.environ["EVALAPP_URL"], os.environ["EVALAPP_TOKEN"], os.environ["EVALAPP_PROJECT"]
        ) as client:
            return deliver(client, options)
    except EvalappError as error:
        print(f"Not delivered: {error}", file=sys.stderr)
        return FAILED


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--campaign", type=int, required=True, help="id of the campaign whose gate decides")
    parser.add_argument(
        "--candidate", default="", help="label of the candidate; default: the newest tuned one"
    )
    parser.add_argument(
        "--stream", type=int, required=True, help="id of the stream that the candidate will serve"
    )
    parser.add_argument(
        "--share", type=float, default=1.0, help="share of the traffic before the promotion; default: all"
    )
    parser.add_argument("--check", default="", help="command that must succeed before the promotion")
    parser.add_argument("--note", default="", help="note to store with the deployments and the decision")
    return parser.parse_args()


def deliver(client: Client, options: argparse.Namespace) -> int:
    """Runs the steps above. Raises EvalappError if the server refuses or cannot be reached."""
    verdict = client.gate(options.campaign, options.candidate)
    print(verdict.explanation)
    if not verdict.is_release or verdict.version is None:
        return NOT_YET if verdict.verdict == "not_yet" else NO
    # If the version already serves all traffic, a repeated run must not reduce its share.
    is_delivered = _serves_all(client.deployments(options.stream), verdict.version)
    tries_first = (options.share < 1 or options.check) and not is_delivered
    if tries_first:
        client.deploy(options.stream, verdict.version, share=options.share, note=options.note)
        print(f"{verdict.candidate} serves {options.share:.0%} of stream {options.stream}.")
        if not _passes(options.check, verdict):
            return _back(client, options, f"The check “{options.check}” failed.")
    try:
        promotion = client.promote(verdict, options.note)
    except ApiError as refused:
        if not tries_first:
            raise
        return _back(client, options, f"It was not promoted: {refused.message}")
    print(f"{verdict.candidate} is the champion (decision {promotion.decision}).")
    # A stream that follows the champion already switched to it.
    if not (is_delivered or _serves_all(client.deployments(options.stream), verdict.version)):
        client.deploy(options.stream, verdict.version, note=options.note)
    print(f"{verdict.candidate} serves all of stream {options.stream}.")
    return DELIVERED


def _passes(check: str, verdict: Verdict) -> bool:
    return not check or subprocess.run([*shlex.split(check), verdict.candidate], check=False).returncode == 0


def _back(client: Client, options: argparse.Namespace, why: str) -> int:
    back = client.roll_back(options.stream, f"{why} {options.note}"[:LONGEST_REASON].strip())
    print(f"{why} {back.served_as} serves all of stream {options.stream} again.")
    return ROLLED_BACK


def _serves_all(deployments: list[Deployment], version: int) -> bool:
    return any(each.is_running and each.version == version and each.share == 1 for each in deployments)


if __name__ == "__main__":
    sys.exit(main())
