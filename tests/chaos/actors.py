# SPDX-License-Identifier: Apache-2.0
"""Who carries the schedule out: one thread a list, and a supervisor who starts again what ended."""
import signal
import threading
import time
import traceback

from schedule import NAMES, OTHERS, TRANSACTION_S
from world import WORKERS, Broken, Failure, Worker

LEAVE_S = 40  # a worker that was asked to leave is gone by then
GIVE_UP_CODE = 1  # with a message; a supervisor starts it again


class Stage:
    """What the actors share: the world, the clock, and what happened."""

    def __init__(self, place, cluster, proxy):
        self.place, self.cluster, self.proxy = place, cluster, proxy
        self.begin, self.stop = time.monotonic(), threading.Event()
        self.mutex, self.counts, self.gave_up, self.slow_leaves = threading.Lock(), {}, [], 0
        self.failure, self.busy = None, []
        self.workers = [Worker(place, f"w{i}") for i in range(WORKERS)]
        self.roles, self.guests, self.heirs = {}, 0, 0
        self.log = open(place.path("events.log"), "w", encoding="utf-8", buffering=1)

    def note(self, text):
        self.log.write(f"{time.strftime('%H:%M:%S')} {time.monotonic() - self.begin:8.2f} {text}\n")

    def count(self, kind):
        with self.mutex:
            self.counts[kind] = self.counts.get(kind, 0) + 1

    def fail(self, failure):
        """The first failure ends the run; a broken promise comes before all others."""
        if not isinstance(failure, Failure):
            self.note("".join(traceback.format_exception(type(failure), failure, failure.__traceback__)))
            failure = Failure(f"{type(failure).__name__}: {failure}")
        with self.mutex:
            if self.failure is None or (isinstance(failure, Broken) and not isinstance(self.failure, Broken)):
                self.failure = failure
        self.note(f"FAILURE {failure}")
        self.stop.set()

    def nap(self, seconds):
        """True where the run has ended meanwhile."""
        return self.stop.wait(max(0, seconds))

    def begin_thread(self, work, *arguments):
        """Whatever goes wrong in it ends the run: an actor that is gone unseen would break nothing any more."""
        def guarded():
            try:
                work(*arguments)
            except Exception as failure:  # pylint: disable=broad-except
                self.fail(failure)
        thread = threading.Thread(target=guarded, daemon=True)
        thread.start()
        return thread

    def aside(self, work):
        """What takes longer than the next fault may wait for."""
        self.busy.append(self.begin_thread(work))

    def play(self, faults, do):
        for fault in faults:
            if self.nap(self.begin + fault.at - time.monotonic()):
                return
            self.note(repr(fault))
            do(self, fault)


def take_worker(stage, number):
    """The one that the schedule named, or the next that may be hit; two always stay untouched."""
    while not stage.stop.is_set():
        with stage.mutex:
            free = [worker for worker in stage.workers if not worker.taken]
            if len(free) > 2:
                start = number % WORKERS
                for worker in stage.workers[start:] + stage.workers[:start]:
                    if not worker.taken and worker.alive():
                        worker.taken = True
                        return worker
        stage.nap(0.05)
    return None


def kill_worker(stage, fault):
    def work():
        worker = take_worker(stage, fault.how["worker"])
        if worker is None:
            return
        if worker.kill():
            stage.count("worker_kill")
        else:
            judge_end(stage, worker)
        stage.nap(fault.how["away"])
        worker.start()
        worker.taken = False
    stage.aside(work)


def freeze_worker(stage, fault):
    def work():
        worker = take_worker(stage, fault.how["worker"])
        if worker is None:
            return
        worker.send(signal.SIGSTOP)
        if not worker.alive():  # it had just ended by itself
            judge_end(stage, worker)
            worker.start()
            worker.taken = False
            return
        asleep = fault.how["asleep"]
        stage.nap(asleep / 2)
        heir = start_heir(stage, worker) if fault.how["heir"] else None
        woken = stage.nap(asleep / 2)
        worker.send(signal.SIGCONT)
        if not woken:
            stage.count("zombie")
            if asleep > TRANSACTION_S:
                stage.count("zombie_past_transaction")
        if heir is not None:
            stage.count("zombie_with_heir")
            stage.nap(3)
            if not worker.kill():
                judge_end(stage, worker)
            heir.arguments = worker.arguments
            with stage.mutex:
                stage.workers[stage.workers.index(worker)] = heir
            heir.taken = False
        else:
            worker.taken = False
    stage.aside(work)


def start_heir(stage, worker):
    """Somebody elsewhere (another folder of locks) who was given the frozen one's name."""
    with stage.mutex:
        stage.heirs += 1
        runtime = stage.place.path(f"runtime-{stage.heirs}")
    heir = Worker(stage.place, worker.instance, runtime=runtime)
    heir.taken = True
    heir.start()
    return heir


def invite_guest(stage, fault):
    def work():
        with stage.mutex:
            stage.guests += 1
        guest = Worker(stage.place, "guest")
        guest.start()
        stage.count("worker_join")
        stage.nap(fault.how["stay"])
        if guest.process.poll() is not None:
            judge_end(stage, guest)
            return
        begin = time.monotonic()
        code = guest.leave(LEAVE_S)
        if code is None:
            guest.kill()
            raise Broken(f"a worker did not leave within {LEAVE_S} s: {guest.last_words()}")
        stage.note(f"guest left with {code} after {time.monotonic() - begin:.1f} s")
        stage.count("worker_leave")
        if code not in (0, -signal.SIGTERM):  # by the signal itself: asked before it listened
            judge_end(stage, guest)
    stage.aside(work)


def kill_broker(stage, fault):
    cluster = stage.cluster
    role = fault.how["role"]
    try:
        node = cluster.who(role, fault.how["partition"])
    except Failure as failure:  # nobody leads for a moment: the faults around are to blame
        stage.note(f"who leads? {failure}")
        role, node = None, 1 + fault.how["partition"] % 3
    cluster.call("kill", str(node))
    stage.count("broker_kill")
    if role:
        stage.count(f"broker_kill_{role}")
    stage.note(f"node {node} is dead")
    stage.nap(fault.how["down"])
    cluster.call("restart", str(node), timeout=150)
    stage.note(f"node {node} is back")


def break_network(stage, fault):
    how = fault.how
    if fault.kind == "reset":
        stage.proxy.order(f"node {how['node']} reset")
    elif fault.kind == "black_hole":
        stage.proxy.order(f"node {how['node']} hole {how['ms']}")
    else:
        stage.proxy.order(f"{how['api']} {how['when']} {how['ms']}")


DOERS = {"brokers": kill_broker, "workers": kill_worker, "zombies": freeze_worker, "guests": invite_guest,
         "network": break_network}


def judge_end(stage, worker):
    """A worker that ended by itself: with a message it may, by a signal never."""
    code = worker.process.returncode
    words = worker.last_words()
    stage.note(f"{worker.name} ended with {code}: {words}")
    with stage.mutex:
        stage.gave_up.append(f"{worker.name}: {words.rpartition(' | ')[2][:300]}")
    if code != GIVE_UP_CODE:
        stage.fail(Broken(f"a worker ended by itself with {code}: {words}"))


def supervise(stage):
    """As systemd would: what ended is started again, a moment later."""
    while not stage.nap(0.2):
        with stage.mutex:
            workers = [worker for worker in stage.workers if not worker.taken]
        for worker in workers:
            if worker.process.poll() is not None and not worker.expected and not worker.taken:
                judge_end(stage, worker)
                worker.start()


def start_actors(stage, lists):
    threads = [stage.begin_thread(stage.play, faults, DOERS[name]) for name, faults in lists.items()]
    stage.begin_thread(supervise, stage)
    return threads


def network_counts(obeyed):
    """Faults by kind out of what the proxy told."""
    counts = {}

    def add(kind, number):
        counts[kind] = counts.get(kind, 0) + number
    for told, number in obeyed.items():
        words = told.split()
        if words[0] == "node":
            add("reset" if words[2] == "reset" else "black_hole", number)
            continue
        api, when = int(words[0]), words[1]
        if when == "twice":
            add("produce_twice", number)
        elif api in NAMES:
            add(f"{'held' if when in ('hold', 'late') else 'answer_lost'}_{NAMES[api]}", number)
        elif api in OTHERS:
            add("answer_lost_other", number)
    return counts
