"""Continuous delivery of a model: what a build server runs once the reviews of a campaign are in.

    python deliver.py --campaign 12 --stream 3 --share 0.1 --check "./smoke_test.sh" --note "Build 481"

1. The release gate is asked. It says “release”, or nothing below happens.
2. The candidate serves a share of the stream's traffic; the others keep the rest.
3. The check runs, with the candidate's label as its last argument. Where it fails, the version that served
   before gets all traffic back, with the reason.
4. The evaluation is signed, if nobody has signed it: the candidate is the champion, and serves all of the
   stream's traffic. Where the server refuses that, the traffic goes back as after a failed check.

Without --check and with --share 1 steps 2 and 3 are left out. The build server routes the traffic itself;
this records what it does, so that outputs, alerts and decisions stand beside the right version. EVALAPP_URL,
EVALAPP_PROJECT and EVALAPP_TOKEN say where; the token is of somebody who may decide and did not train the
candidate.

Exit codes: 0 delivered, 1 the gate says no, 2 asked wrongly, 3 the gate says not yet, 4 rolled back,
5 refused or not reached.
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
    parser.add_argument("--campaign", type=int, required=True, help="whose gate is asked")
    parser.add_argument("--candidate", default="", help="its label; else the newest tuned one")
    parser.add_argument("--stream", type=int, required=True, help="that the candidate is to serve")
    parser.add_argument("--share", type=float, default=1.0, help="of the traffic, until it is promoted")
    parser.add_argument("--check", default="", help="a command that must succeed before it is promoted")
    parser.add_argument("--note", default="", help="kept with the deployments and the decision")
    return parser.parse_args()


def deliver(client: Client, options: argparse.Namespace) -> int:
    """The steps above. Raises EvalappError where the server refuses or cannot be reached."""
    verdict = client.gate(options.campaign, options.candidate)
    print(verdict.explanation)
    if not verdict.is_release or verdict.version is None:
        return NOT_YET if verdict.verdict == "not_yet" else NO
    # Run again after it was delivered, it takes no traffic away.
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
        return _back(client, options, f"It is not promoted: {refused.message}")
    print(f"{verdict.candidate} is the champion (decision {promotion.decision}).")
    # A stream that follows the champion is served by it already.
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
