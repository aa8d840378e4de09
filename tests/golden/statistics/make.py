#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the files beside it: answers of scipy, statsmodels and numpy, which tests compare ours with.

tests/golden/statistics/make.py [NAME…]     needs numpy, scipy and statsmodels; without names: all
"""
import os
import random
import sys

import numpy as np
from scipy import special, stats

HERE = os.path.dirname(os.path.abspath(__file__))


def write(name, lines):
    with open(os.path.join(HERE, name), "w", encoding="ascii") as file:
        file.write("# made by make.py, do not edit\n" + "\n".join(lines) + "\n")


def beta():
    """a b q log I_x(a, b) where x = 1 / (1 + q); of those that a double still knows."""
    lines = []
    for a in (0.5, 1, 1.5, 3.25, 15.75, 16, 40, 333.5, 12345.5, 500000):
        for b in (0.5, 1, 2, 4.5, 8):
            for at in (1e-12, 1e-4, 0.02, 0.3, 1, 3, 10, 60, 300):
                q = at / a
                # By its complement: x near 1 has lost what q still knows.
                p, rest = special.betaincc(b, a, q / (1 + q)), special.betainc(b, a, q / (1 + q))
                log = np.log1p(-rest) if rest < 0.5 else np.log(p)
                if p > 1e-280:
                    lines.append(f"{a!r} {b!r} {q!r} {float(log)!r}")
    write("beta.txt", lines)


def welch():
    """Sizes, the two samples, then t, df and p of scipy's ttest_ind(equal_var=False)."""
    draw = random.Random(7)
    lines = []
    for case in range(60):
        n, m = draw.randrange(2, 40), draw.randrange(2, 40)
        shift, wide = draw.choice((0, 0.3, 2, 40)), draw.choice((0.01, 1, 30))
        one = [round(draw.gauss(100, 1), 6) for _ in range(n)]
        two = [round(draw.gauss(100 + shift, wide), 6) for _ in range(m)]
        r = stats.ttest_ind(two, one, equal_var=False)
        if r.pvalue > 1e-280:
            numbers = one + two + [float(r.statistic), float(r.df), float(r.pvalue)]
            lines.append(f"{n} {m} " + " ".join(map(repr, numbers)))
    write("welch.txt", lines)


def begin(values, season, level, trend, gamma, damping, multiply):
    """Level, trend and season after the first values, which weigh the same; in the component form."""
    l, b, parts = values[0], 0.0, [1.0 if multiply else 0.0] * season
    for n, x in enumerate(values[1:], 1):
        a, s, base = max(level, 1 / (n + 1)), parts[n % season], l + damping * b
        g = max(gamma, 1 / (n // season + 1)) * (1 - a)
        e = x - (base * s if multiply else base + s)
        l = a * (x / s if multiply else x - s) + (1 - a) * base
        b = damping * b + trend * (e / s if multiply else e)
        parts[n % season] = s + g * (e / base if multiply else e)
    return l, b, parts


def forecast():
    """multiplicative or not, a value, the forecast three rows ahead from statsmodels' states."""
    from statsmodels.tsa.holtwinters import ExponentialSmoothing
    draw, season, first, ahead, phi = random.Random(11), 4, 48, 3, 0.9
    lines = []
    for multiply in (0, 1):
        shape = (0.8, 1.3, 1.1, 0.8)
        y = [(100 + 0.4 * t) * shape[t % 4] + draw.gauss(0, 2) for t in range(160)]
        l, b, parts = begin(y[:first], season, 0.2, 0.02, 0.25, phi, multiply)
        model = ExponentialSmoothing(np.array(y[first:]), trend="add", damped_trend=True,
                                     seasonal="mul" if multiply else "add",
                                     seasonal_periods=season, initialization_method="known",
                                     initial_level=l, initial_trend=b, initial_seasonal=parts)
        # Its trend's weight is one of the level's change: 0.1 * 0.2 of the error.
        r = model.fit(smoothing_level=0.2, smoothing_trend=0.1, smoothing_seasonal=0.2,
                      damping_trend=phi, optimized=False)
        damped = sum(phi ** i for i in range(1, ahead + 1))
        for t, x in enumerate(y):
            at = t - first
            if at < season:
                lines.append(f"{multiply} {x!r} nan")
                continue
            base, s = r.level[at] + damped * r.trend[at], r.season[at + ahead - season]
            lines.append(f"{multiply} {x!r} {float(base * s if multiply else base + s)!r}")
    write("forecast.txt", lines)


def risk():
    """Milliseconds, a value, seconds until its trend reaches 100, how sure that is; nan: it does not."""
    draw = random.Random(5)
    lines, ms, at, x = [], 0, [], []
    keep, warmup, least = 1 - 2 / 41, 5, 0.95
    for row in range(220):
        ms += draw.choice((1000, 1000, 2500, 60000))
        x.append(round(20 + (0.004 if row < 130 else -0.01) * ms / 1000 + draw.gauss(0, 3), 4))
        at.append(ms / 1000)
        seconds = sure = float("nan")
        if row + 1 >= warmup:
            t, y, w = np.array(at), np.array(x), keep ** np.arange(row, -1, -1.0)
            t0, y0 = np.average(t, weights=w), np.average(y, weights=w)
            slope = np.sum(w * (t - t0) * (y - y0)) / np.sum(w * (t - t0) ** 2)
            rest = np.sum(w * (y - y0 - slope * (t - t0)) ** 2)
            df = np.sum(w) ** 2 / np.sum(w * w) - 2
            now = y0 + slope * (t[-1] - t0)
            if now >= 100:
                seconds, sure = 0.0, 1.0
            elif slope > 0 and df >= 1:
                error = np.sqrt(rest / df / np.sum(w * (t - t0) ** 2))
                likely = 1 - 2 * stats.t.sf(slope / error, df)
                if likely >= least:
                    seconds, sure = (100 - now) / slope, likely
        lines.append(f"{ms} {x[-1]!r} {float(seconds)!r} {float(sure)!r}")
    write("risk.txt", lines)


def multivariate():
    """pca or not, three values, T2, Q, score, the field that gives most, by LAPACK; nan before a model."""
    draw, span, warmup, refit, rho = np.random.default_rng(9), 80, 30, 16, 0.05
    lines = []
    mix = np.array([[1, 0, 0], [0.8, 0.5, 0], [-0.6, 0.3, 0.2]])
    rows = np.round(np.array([10, 200, -5]) + draw.normal(size=(260, 3)) @ mix.T, 6)
    rows[150] += (3, -3, 1)
    for pca in (0, 1):
        model = None
        for n in range(len(rows)):
            x, t2, q, score, why = rows[n], np.nan, np.nan, np.nan, 255
            if model is not None:
                centre, scale, shrunk, size = model
                z = (x - centre) / scale
                values, vectors = np.linalg.eigh(shrunk)
                values, vectors = values[::-1], vectors[:, ::-1]
                kept = 3 if not pca else int(np.argmax(np.cumsum(values) >= 0.7 * 3 - 1e-12)) + 1
                t = vectors.T @ z
                t2 = float(np.sum(t[:kept] ** 2 / values[:kept])) if pca else float(z @ np.linalg.solve(shrunk, z))
                p = stats.f.sf(t2 * size * (size - kept) / (kept * (size * size - 1)), kept, size - kept)
                if pca:
                    rest = values[kept:]
                    q = float(np.sum(t[kept:] ** 2))
                    inner = p
                    p = 2 * min(p, stats.f.sf(q / rest.sum(), rest.sum() ** 2 / np.sum(rest ** 2), size - 1))
                    beyond = p < 2 * inner
                    part = z * (vectors[:, :kept] @ (t[:kept] / values[:kept]))
                    why = int(np.argmax((vectors[:, kept:] @ t[kept:]) ** 2 if beyond else part))
                else:
                    why = int(np.argmax(z * np.linalg.solve(shrunk, z)))
                score = max(float(-np.log10(p)), 0.0)
            lines.append(" ".join(map(repr, [pca, *map(float, x), t2, q, score, why])))
            if n + 1 >= warmup and (n + 1 - warmup) % refit == 0:
                # What each row still weighs when the first ones weigh the same.
                w = np.ones(1)
                for i in range(1, n + 1):
                    a = max(1 / (i + 1), 2 / (span + 1))
                    w = np.append(w * (1 - a), a)
                centre = w @ rows[:n + 1]
                off = rows[:n + 1] - centre
                covariance = (off * w[:, None]).T @ off
                scale = np.sqrt(np.diag(covariance))
                shrunk = (1 - rho) * covariance / np.outer(scale, scale) + rho * np.eye(3)
                model = centre, scale, shrunk, min(n + 1, span)
    write("multivariate.txt", lines)


ALL = {"beta": beta, "welch": welch, "forecast": forecast, "risk": risk, "multivariate": multivariate}
for asked in sys.argv[1:] or ALL:
    ALL[asked]()
