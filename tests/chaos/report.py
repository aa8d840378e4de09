# SPDX-License-Identifier: Apache-2.0
"""What a run of chaos comes to, as numbers and as text."""
import os

import actors

WRONG = ("lost", "duplicated", "reordered")
# In this order in the file: what is read most comes first, and what happened before what was planned.
ORDER = ("seed", "state", "minutes", "seconds", "clean", "failure", "events", *WRONG, "wrong_score", "wrong_chains",
         "keys", "aborted", "slowest_recovery_s", "standstills", "gave_up", "gave_up_words", "wrong", "examples", "cpu",
         "cores", "faults", "planned")


def processor():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return "unknown"


def complete(result, run):
    """Adds what happened to what was planned; `clean` is the verdict."""
    stage, verdict = run.stage, result.pop("verdict", {})
    faults = dict.fromkeys((kind for kind in result["planned"] if kind != "join_and_leave"), 0)
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
    for name in WRONG + ("aborted", "keys", "wrong_chains", "wrong_score"):
        result[name] = verdict.get(name, -1)
    result["wrong"] = {name: number for name, number in verdict.items()
                       if number and name.startswith((*WRONG, "wrong", "unknown", "long"))}
    result["examples"] = verdict.get("examples", [])
    if "failure" not in result and verdict.get("clean"):
        missed = [kind for kind, number in faults.items() if number == 0]
        if missed:
            result["failure"] = f"faults that hit nothing: {' '.join(missed)}"
        elif verdict["aborted"] == 0:
            result["failure"] = "no aborted records: the faults hit nothing"
    result["clean"] = "failure" not in result and bool(verdict.get("clean")) and verdict.get("wrong_chains") == 0
    return {name: result[name] for name in ORDER if name in result}


def text(result):
    lines = [f"{'fault':32} {'done':>6} {'planned':>8}"]
    planned = dict(result["planned"])
    both = planned.pop("join_and_leave", 0)
    planned.update(worker_join=both, worker_leave=both)
    for kind, number in result["faults"].items():
        lines.append(f"{kind:32} {number:6} {planned.get(kind, ''):>8}")
    lines.append("")
    for name in WRONG + ("wrong_score", "wrong_chains", "aborted"):
        lines.append(f"{name:32} {result[name] if result[name] >= 0 else 'not known':>6}")
    lines.append(f"{'slowest recovery':32} {result.get('slowest_recovery_s', 0):6} s")
    lines += [f"    {stood}" for stood in result.get("standstills", [])]
    lines.append(f"{'workers that gave up':32} {result.get('gave_up', 0):6}")
    lines += [f"    {words}" for words in result.get("gave_up_words", [])]
    lines += [f"    {example}" for example in result["examples"]]
    if "failure" in result:
        lines.append(f"FAILED: {result['failure']}")
    events = result.get("events", 0)
    verdict = "clean" if result["clean"] else "NOT CLEAN"
    lines.append(f"seed {result['seed']}: {events} events, {sum(result['faults'].values())} faults in "
                 f"{result['minutes']:g} minutes: {verdict}")
    return "\n".join(lines)
