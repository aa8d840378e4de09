# SPDX-License-Identifier: Apache-2.0
"""If this fails, a run of chaos passes that lost records or whose faults hit too rarely, or one ends without a report."""
import argparse
import os
import signal
import subprocess
import sys
import threading
import time
import types
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import actors  # noqa: E402
import report  # noqa: E402
import schedule  # noqa: E402
import world  # noqa: E402

CLEAN = {"lost": 0, "duplicated": 0, "reordered": 0, "wrong_score": 0, "wrong_chains": 0, "keys": 500, "aborted": 7,
         "wrongly_dead": 0, "dead": 9, "aborted_dead": 2, "examples": [], "clean": True}


def result_of(minutes, verdict=None, failures=(), **counts):
    """The report of a run in which every kind of fault hit as often as it must, but for `counts`."""
    planned = schedule.count_by_kind(schedule.schedule(1, minutes * 60))
    hit = {kind: schedule.floor_of(kind, minutes) for kind in schedule.kinds_to_judge(planned)}
    hit["zombie_past_transaction"] = schedule.floor_of("zombie_past_transaction", minutes)
    hit.update(counts)
    stage = types.SimpleNamespace(counts=hit, proxy=types.SimpleNamespace(obeyed={}), gave_up=[])
    result = {"seed": 1, "minutes": minutes, "state": "auto", "client": "native", "planned": planned, "seconds": 1.0,
              "verdict": dict(CLEAN, **(verdict or {}))}
    for failure in failures:
        report.note(result, failure)
    return report.complete(result, types.SimpleNamespace(stage=stage))


def promises(result):
    return [line for line in report.text(result).splitlines() if line.startswith("BROKEN PROMISE: ")]


class Report(unittest.TestCase):
    def test_a_clean_run_is_clean(self):
        result = result_of(30)
        self.assertTrue(result["clean"])
        self.assertEqual(result["floors"], "met")
        self.assertEqual(promises(result), [])

    def test_the_client_that_was_judged_is_the_one_asked_for(self):
        """If this fails, a report of one Kafka client is taken for the other's."""
        self.assertEqual(result_of(30)["client"], "native")
        self.assertIn("client native: ", report.text(result_of(30)))
        for client in world.CLIENTS:
            self.assertIn(f"client: {client}}}", world.pipeline_file("b:1", "auto", client))

    def test_a_fault_that_hit_too_rarely_fails_half_an_hour(self):
        for kind, floor in (("answer_lost_produce", 200), ("zombie", 60), ("broker_kill", 40),
                            ("zombie_past_transaction", 6), ("worker_leave", 200)):
            result = result_of(30, **{kind: floor - 1})
            self.assertFalse(result["clean"])
            self.assertIn(f"{kind} {floor - 1} of {floor}", result["failure"])
            self.assertEqual(result["floors"], "missed")
            self.assertEqual(promises(result), [])

    def test_a_longer_run_must_hold_more(self):
        self.assertTrue(result_of(60)["clean"])
        self.assertIn("reset 399 of 400", result_of(60, reset=399)["failure"])

    def test_a_short_run_must_hold_one_of_each(self):
        self.assertTrue(result_of(0.5)["clean"])
        self.assertFalse(result_of(0.5, reset=0)["clean"])

    def test_what_the_checker_found_is_a_broken_promise(self):
        for name in ("lost", "duplicated", "reordered", "wrong_score", "wrong_chains", "wrongly_dead"):
            result = result_of(30, {name: 3, "clean": name == "wrong_chains"})
            self.assertFalse(result["clean"])
            self.assertEqual(promises(result), [f"BROKEN PROMISE: the checker found faults: {name} 3"])

    def test_dead_letters_must_have_been_hit(self):
        self.assertFalse(result_of(0.5, {"dead": 0})["clean"])
        self.assertTrue(result_of(0.5, {"aborted_dead": 0})["clean"])
        self.assertFalse(result_of(30, {"aborted_dead": 0})["clean"])

    def test_what_a_worker_did_is_a_broken_promise_and_a_timeout_is_not(self):
        result = result_of(30, failures=(world.Broken("a worker ended by itself with -11"), world.Failure("no end")))
        self.assertEqual(promises(result), ["BROKEN PROMISE: a worker ended by itself with -11"])
        result = result_of(30, failures=(world.Failure("no end"),))
        self.assertEqual((result["clean"], promises(result), result["floors"]), (False, [], "not judged"))


class Actors(unittest.TestCase):
    def stage(self):
        stage = actors.Stage.__new__(actors.Stage)
        stage.begin, stage.stop, stage.mutex = time.monotonic(), threading.Event(), threading.Lock()
        stage.failure, stage.busy, stage.counts, stage.note = None, [], {}, lambda text: None
        return stage

    def test_whatever_ends_an_actor_ends_the_run(self):
        def trip():
            raise subprocess.TimeoutExpired("admin", 60)
        stage = self.stage()
        stage.begin_thread(trip).join()
        self.assertTrue(stage.stop.is_set())
        self.assertIsInstance(stage.failure, world.Failure)

    def test_a_broken_promise_comes_before_another_failure(self):
        stage = self.stage()
        for failure in (world.Failure("first"), world.Broken("second"), world.Broken("third")):
            stage.fail(failure)
        self.assertEqual(str(stage.failure), "second")

    def test_a_broker_that_was_killed_without_its_role_does_not_count_for_it(self):
        for knows in (True, False):
            def who(*_):
                if not knows:
                    raise world.Failure("no leader")
                return 2
            stage = self.stage()
            stage.cluster = types.SimpleNamespace(who=who, call=lambda *_, **__: "")
            actors.kill_broker(stage, schedule.Fault(0, "broker_kill", role="leader", partition=1, down=0))
            self.assertEqual(stage.counts, {"broker_kill": 1, "broker_kill_leader": 1} if knows else {"broker_kill": 1})

    def test_a_worker_that_had_ended_is_neither_frozen_nor_killed(self):
        for do, kind, how in ((actors.freeze_worker, "zombie", {"asleep": 0, "heir": False}),
                              (actors.kill_worker, "worker_kill", {"away": 0})):
            for ended in (False, True):
                stage = self.stage()
                stage.gave_up = []
                workers = [DeadOrAlive(ended) for _ in range(world.WORKERS)]
                stage.workers = workers
                do(stage, schedule.Fault(0, kind, worker=0, **how))
                for thread in stage.busy:
                    thread.join()
                self.assertEqual(stage.counts, {} if ended else {kind: 1})
                self.assertEqual(len(stage.gave_up), 1 if ended else 0)
                self.assertEqual(workers[0].starts, 1 if ended or kind == "worker_kill" else 0)


class DeadOrAlive:
    """A worker that may end between being chosen and being hit."""

    def __init__(self, ends):
        self.ends, self.ended, self.taken, self.name, self.starts = ends, False, False, "w", 0
        self.process = types.SimpleNamespace(returncode=1)

    def alive(self):
        return not self.ended

    def send(self, number):
        self.ended = self.ends or number == signal.SIGKILL

    def kill(self):
        self.send(signal.SIGKILL)
        return not self.ends

    def start(self):
        self.starts += 1

    def last_words(self):
        return "gave up"


class Run(unittest.TestCase):
    def options(self, minutes, rate):
        return argparse.Namespace(minutes=minutes, rate=rate, seed=1, state="auto", client="auto", json=None, keep=False)

    def test_a_command_without_an_end_is_a_failure(self):
        with self.assertRaises(world.Failure):
            world.finish(["sleep", "9"], 0.05)

    def test_a_run_that_the_disk_cannot_hold_does_not_begin(self):
        place = types.SimpleNamespace(work="/", build="/")
        run.check_disk(self.options(0.1, 1), place)
        with self.assertRaises(world.Failure):
            run.check_disk(self.options(10000, 1000000), place)

    def test_whatever_goes_wrong_there_is_a_report(self):
        def set_up(kind):
            def fails(_):
                if kind == "signal":
                    os.kill(os.getpid(), signal.SIGTERM)
                    time.sleep(9)
                raise kind("no disk")
            return fails
        before = run.Run.set_up, run.report.commit_of, run.traceback.print_exc
        run.report.commit_of, run.traceback.print_exc = lambda place: "abc", lambda: None
        for kind, words in ((OSError, "no disk"), (world.Failure, "no disk"), ("signal", "SIGTERM")):
            run.Run.set_up = set_up(kind)
            run.listen_to_signals()
            result = run.play(self.options(0.1, 1), types.SimpleNamespace(work="/", build="/", workers=[]))
            self.assertFalse(result["clean"])
            self.assertIn(words, result["failure"])
            self.assertEqual(result["commit"], "abc")
        run.Run.set_up, run.report.commit_of, run.traceback.print_exc = before
        for number in run.SIGNALS:
            signal.signal(number, signal.SIG_DFL)

    def test_more_than_an_hour_runs_at_a_lower_rate(self):
        for minutes, rate in ((60, 1000), (240, 300)):
            sys.argv = ["run", "--build", "/", "--minutes", str(minutes)]
            self.assertEqual(run.arguments().rate, rate)


def load_run():
    """The script, which has no suffix."""
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "run")
    module = types.ModuleType("run")
    module.__file__ = path
    with open(path, encoding="utf-8") as file:
        exec(compile(file.read(), path, "exec"), module.__dict__)  # pylint: disable=exec-used
    return module


run = load_run()

if __name__ == "__main__":
    unittest.main()
