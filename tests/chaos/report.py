# SPDX-License-Identifier: Apache-2.0
"""What a run of chaos comes to, as numbers and as text."""
import os
import subprocess

import actors
from schedule import FLOOR_MINUTES, floor_of, kinds_to_judge
from world import Broken, Failure

WRONG = ("lost", "duplicated", "reordered")
COUNTED = WRONG + ("wrong_score", "wrong_chains", "aborted", "dead", "aborted_dead")
# In this order in the file: what is read most comes first, and what happened before what was planned.
ORDER = ("seed", "commit", "state", "client", "minutes", "rate", "seconds", "clean", "broken", "failure", "floors", "events", *WRONG, "wrong_score", "wrong_chains",
         "keys", "aborted", "dead", "aborted_dead", "slowest_recovery_s", "standstills", "gave_up", "gave_up_words", "wrong", "examples", "cpu",
         "cores", "faults", "planned")


def processor():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return "unknown"


def commit_of(place):
    """Which source was judged: its commit, where it is a checkout of its own, else the program's version."""
    try:
        top = subprocess.run(["git", "-C", place.root, "rev-parse", "--show-toplevel"], capture_output=True, text=True,
                             timeout=60, check=True).stdout.strip()
        if os.path.realpath(top) == os.path.realpath(place.root):
            return subprocess.run(["git", "-C", place.root, "describe", "--always", "--dirty"], capture_output=True,
                                  text=True, timeout=60, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        pass
    return place.ask(os.path.join(place.build, "penstock"), "--version").split()[-1]


def note(result, failure):
    """What ended the run: a promise that was broken is told apart from surroundings that failed."""
    if isinstance(failure, Broken):
        result.setdefault("broken", []).append(str(failure))
    elif isinstance(failure, Failure):
        result.setdefault("failure", str(failure))
    else:
        result.setdefault("failure", f"{type(failure).__name__}: {failure}")


def judge_verdict(result, verdict):
    """The checker's own word, in numbers."""
    for name in COUNTED + ("keys",):
        result[name] = verdict.get(name, -1)
    result["wrong"] = {name: number for name, number in verdict.items()
                       if number and name.startswith((*WRONG, "wrong", "unknown", "long"))}
    result["examples"] = verdict.get("examples", [])
    if verdict and (result["wrong"] or not verdict.get("clean")):
        numbers = ", ".join(f"{name} {number}" for name, number in result["wrong"].items())
        note(result, Broken(f"the checker found faults: {numbers}"))


def judge_faults(result, verdict):
    """Enough must have hit, or that nothing was lost proves nothing."""
    minutes, faults = result["minutes"], result["faults"]
    floors = {kind: floor_of(kind, minutes) for kind in kinds_to_judge(result["planned"])}
    if minutes >= FLOOR_MINUTES:
        floors["zombie_past_transaction"] = floor_of("zombie_past_transaction", minutes)
    short = [f"{kind} {faults.get(kind, 0)} of {floor}" for kind, floor in floors.items() if faults.get(kind, 0) < floor]
    result["floors"] = "missed" if short else "met" if minutes >= FLOOR_MINUTES else "one of each"
    if short:
        note(result, Failure(f"too few faults hit: {', '.join(short)}"))
    elif verdict.get("aborted", 0) == 0:
        note(result, Failure("no aborted records: the faults hit nothing"))
    elif verdict.get("dead", 0) == 0 or (minutes >= FLOOR_MINUTES and verdict.get("aborted_dead", 0) == 0):
        note(result, Failure("no dead letters, or none in a transaction that was aborted: the faults did not hit them"))


def complete(result, run):
    """Adds what happened to what was planned; `clean` is the verdict."""
    stage, verdict = run.stage, result.pop("verdict", {})
    faults = dict.fromkeys(kinds_to_judge(result["planned"]), 0)
    if stage:
        faults.update(stage.counts)
        faults.update(actors.network_counts(stage.proxy.obeyed))
        slowest = run.onlooker.slowest(8) if hasattr(run, "onlooker") else []
        result["slowest_recovery_s"] = round(max([one[0] for one in slowest], default=0), 1)
        result["standstills"] = [f"{stood:.1f} s, partition {partition}, from second {since:.0f} on"
                                 for stood, partition, since in slowest]
        result["gave_up"] = len(stage.gave_up)
        result["gave_up_words"] = sorted(set(stage.gave_up))[:10]
    result["faults"] = dict(sorted(faults.items()))
    result.update(seconds=round(result["seconds"], 1), cpu=processor(), cores=os.cpu_count())
    judge_verdict(result, verdict)
    result["floors"] = "not judged"
    if "failure" not in result and verdict:
        judge_faults(result, verdict)
    result["clean"] = "failure" not in result and "broken" not in result and bool(verdict)
    return {name: result[name] for name in ORDER if name in result}


def text(result):
    lines = [f"{'fault':32} {'done':>6} {'planned':>8}"]
    planned = dict(result["planned"])
    both = planned.pop("join_and_leave", 0)
    planned.update(worker_join=both, worker_leave=both)
    for kind, number in result["faults"].items():
        lines.append(f"{kind:32} {number:6} {planned.get(kind, ''):>8}")
    lines.append("")
    for name in COUNTED:
        lines.append(f"{name:32} {result[name] if result[name] >= 0 else 'not known':>6}")
    lines.append(f"{'slowest recovery':32} {result.get('slowest_recovery_s', 0):6} s")
    lines += [f"    {stood}" for stood in result.get("standstills", [])]
    lines.append(f"{'workers that gave up':32} {result.get('gave_up', 0):6}")
    lines += [f"    {words}" for words in result.get("gave_up_words", [])]
    lines += [f"    {example}" for example in result["examples"]]
    # scripts/test looks for these words: nobody is asked twice about a promise that was broken.
    lines += [f"BROKEN PROMISE: {words}" for words in result.get("broken", [])]
    if "failure" in result:
        lines.append(f"FAILED: {result['failure']}")
    events = result.get("events", 0)
    verdict = "clean" if result["clean"] else "NOT CLEAN"
    lines.append(f"seed {result['seed']}, client {result['client']}: {events} events, {sum(result['faults'].values())} faults in "
                 f"{result['minutes']:g} minutes: {verdict}")
    return "\n".join(lines)
