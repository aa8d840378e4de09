#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures detectors of other projects beside ours, for scripts/bench-detect.

scikit-learn's isolation forest looks at the last four values; it is fitted to the first 15 % of a series and scores the rest in one
call, as it is made for. River's half-space trees score and then learn value by value, behind a scaler, as its manual shows them. All
options are the libraries' own. Speed is processor time of one thread over one series of noise, which lies in the caches: more than
these would reach with many series. Ours is that of `penstock bench detect`. All take turns within a round; a figure is the median
over rounds, and its spread (largest - smallest) / median.

On the benchmark a score is replaced by -log10 of the share of all rows that score as much: no threshold can tell the difference, and
ours are on such a scale.
"""
import argparse
import csv
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"  # before numpy is there

import numpy as np  # noqa: E402
import river  # noqa: E402
import sklearn  # noqa: E402
from river import anomaly, compose, preprocessing  # noqa: E402
from sklearn.ensemble import IsolationForest  # noqa: E402

LAST, PROBATION, POINTS_FOREST, POINTS_TREES = 4, 0.15, 100000, 10000
FOREST, TREES = "isolation forest (scikit-learn)", "half-space trees (River)"
OWN = ("ewma", "slim")
FLAGS = {
    FOREST: f"IsolationForest(random_state=1), of {LAST} values, fitted to the first 15 %, score_samples of the rest in one call",
    TREES: "MinMaxScaler | HalfSpaceTrees(seed=1), score_one and learn_one of every value",
}


def last_values(values):
    """Row i: value i and those before it; the first ones have the first value before them."""
    padded = np.concatenate([np.full(LAST - 1, values[0]), values])
    return np.lib.stride_tricks.sliding_window_view(padded, LAST)


def forest(values):
    """Scores of all rows, and seconds of fitting and scoring."""
    rows = last_values(np.nan_to_num(np.asarray(values, dtype=float)))
    probation = max(int(PROBATION * len(rows)), 10)
    begin = time.process_time()
    model = IsolationForest(random_state=1).fit(rows[:probation])
    fitted = time.process_time()
    scores = -model.score_samples(rows[probation:])
    end = time.process_time()
    return np.concatenate([np.zeros(probation), scores]), fitted - begin, end - fitted


def trees(values):
    model = compose.Pipeline(preprocessing.MinMaxScaler(), anomaly.HalfSpaceTrees(seed=1))
    scores = np.zeros(len(values))
    begin = time.process_time()
    for i, value in enumerate(values):
        row = {"x": float(value)}
        scores[i] = model.score_one(row)
        model.learn_one(row)
    return scores, time.process_time() - begin


def median(samples):
    middle = statistics.median(samples)
    return middle, (max(samples) - min(samples)) / middle


def own_speed(penstock, folder):
    path = os.path.join(folder, "own.json")
    subprocess.run([penstock, "bench", "detect", *OWN, "--json", path], check=True, stdout=subprocess.DEVNULL)
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def speed(args, folder):
    noise = 50 + np.random.default_rng(1).random(POINTS_FOREST)
    of, machine, fixed = {}, None, {}
    for i in range(args.rounds):
        own = own_speed(args.penstock, folder)
        machine = own["machine"]
        for row in own["rows"]:
            if "bytes_per_point" not in row:  # what planted anomalies were scored as
                continue
            key = (row["kernel"], row["case"], row["impl"])
            of.setdefault(key, []).append(row["ns_per_record"])
            fixed[key] = {name: row[name] for name in ("bytes_per_point", "state_bytes")}
        _, fitting, scoring = forest(noise)
        points = POINTS_FOREST * (1 - PROBATION)
        of.setdefault((FOREST, "1", "scikit-learn"), []).append(1e9 * scoring / points)
        of.setdefault((FOREST, "1 with fitting", "scikit-learn"), []).append(1e9 * (scoring + fitting) / points)
        _, seconds = trees(noise[:POINTS_TREES])
        of.setdefault((TREES, "1", "river"), []).append(1e9 * seconds / POINTS_TREES)
        print(f"round {i + 1} of {args.rounds}: " + ", ".join(f"{k[0]} {k[1]}: {1e9 / v[-1]:.4g}/s" for k, v in of.items()), flush=True)
    rows = []
    for key, samples in of.items():
        ns, spread = median(samples)
        own = key in fixed
        rows.append({"kernel": key[0], "case": key[1], "impl": key[2], "kind": "own" if own else "library", "ns_per_record": round(ns, 3),
                     "points_per_s": round(1e9 / ns), "spread": round(spread, 3), "runs": len(samples), **fixed.get(key, {})})
    return machine, rows


def benchmark_files(folder):
    with open(os.path.join(folder, "labels/combined_windows.json"), encoding="utf-8") as file:
        names = sorted(json.load(file))
    for name in names:
        with open(os.path.join(folder, "data", name), encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file))[1:]
        yield name, [row[0] for row in rows], [float(row[1]) for row in rows]


def judge(args, folder, label, detector):
    """One detector on the benchmark, scored by penstock's own scorer."""
    files = [(name, times, detector(values)[0]) for name, times, values in benchmark_files(args.nab)]
    everything = np.sort(np.concatenate([scores for _, _, scores in files]))
    out = os.path.join(folder, label)
    for name, times, scores in files:
        above = len(everything) - np.searchsorted(everything, scores, side="left")
        path = os.path.join(out, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write("timestamp,value\n")
            file.writelines(f"{t},{-math.log10(n / len(everything)):.7g}\n" for t, n in zip(times, above))
    result = os.path.join(folder, "nab.json")
    subprocess.run([args.penstock, "bench", "detect", "--nab", args.nab, "--scores", out, "--json", result], check=True)
    with open(result, encoding="utf-8") as file:
        row = json.load(file)["rows"][0]
    row.update(kernel=label, impl="scikit-learn" if label == FOREST else "river", kind="library", chosen=False)
    return row


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--penstock", required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--nab")
    parser.add_argument("--json", required=True)
    args = parser.parse_args()
    before = os.getloadavg()
    with tempfile.TemporaryDirectory() as folder:
        machine, rows = speed(args, folder)
        if args.nab:
            rows = [judge(args, folder, FOREST, forest), judge(args, folder, TREES, trees)] + rows
    machine.update({"python": sys.version.split()[0], "scikit-learn": sklearn.__version__, "river": river.__version__, "numpy": np.__version__})
    with open(args.json, "w", encoding="utf-8") as file:
        head = {"machine": machine, "flags": FLAGS, "load": [round(x, 2) for x in before + os.getloadavg()]}
        file.write(json.dumps(head)[:-1] + ',\n"rows":[\n' + ",\n".join(json.dumps(row) for row in rows) + "\n]}\n")


main()
