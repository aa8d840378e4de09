#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Where a running worker's lanes may run, and what one that has nothing to do costs. If this fails, workers of one
host crowd onto its first cores, leave the processors that they were given, or burn one while they wait.
usage: tests/cli/test_lanes.py path/to/penstock
"""
import os
import socket
import subprocess
import sys
import tempfile
import time

PENSTOCK = os.path.abspath(sys.argv[1])
JOB = """
pipeline: {name}
source: {source}
stages:
  - hash: {{algorithm: sha256, of: value}}
sink: {{discard: {{}}}}
runtime: {{lanes: {lanes}}}
"""
IDLE_SECONDS, IDLE_CPU_MAX = 3, 0.5
failures = 0


def fail(text):
    global failures
    failures += 1
    print("FAIL: " + text, file=sys.stderr)


class Worker:
    """A worker that has told that it is ready, on the processors `mask`."""

    def __init__(self, name, lanes, source="{synthetic: {rate: 1000}}", mask=None):
        with open(name + ".yaml", "w") as job:
            job.write(JOB.format(name=name, lanes=lanes, source=source))
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(name)
            manager.settimeout(60)
            self.process = subprocess.Popen(
                [PENSTOCK, "run", name + ".yaml"], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                env=dict(os.environ, NOTIFY_SOCKET=os.path.abspath(name)),
                preexec_fn=lambda: os.sched_setaffinity(0, mask or os.sched_getaffinity(0)))
            if manager.recv(100) != b"READY=1":
                fail(name + " does not become ready")

    def lanes(self):
        """What each lane's thread may run on, lane by lane."""
        tasks, masks = "/proc/%d/task" % self.process.pid, {}
        for task in os.listdir(tasks):
            with open("%s/%s/comm" % (tasks, task)) as comm:
                name = comm.read().strip()
            if name.startswith("lane-"):
                masks[int(name[5:])] = os.sched_getaffinity(int(task))
        return [masks[lane] for lane in sorted(masks)]

    def wants(self, name, good):
        """The worker is ready when its first lane is: the others get a while to follow."""
        for _ in range(100):
            if good(self.lanes()):
                return
            time.sleep(0.05)
        fail("%s: its lanes may run on %s" % (name, self.lanes()))

    def cpu(self):
        with open("/proc/%d/stat" % self.process.pid) as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def end(self):
        self.process.terminate()
        if self.process.wait(30) != 0:
            fail("SIGTERM: exit code %d" % self.process.returncode)


def lanes_within_the_mask():
    """As under taskset or systemd's CPUAffinity: no lane beside it, and one lane for each of its cores."""
    last = max(os.sched_getaffinity(0))
    worker = Worker("masked", "auto", mask={last})
    worker.wants("on processor %d" % last, lambda lanes: lanes == [{last}])
    worker.end()


def lanes_that_take_all_cores():
    worker = Worker("whole", "auto")
    everything = os.sched_getaffinity(0)
    worker.wants("lanes: auto", lambda lanes: lanes and sum(map(len, lanes)) == len(everything) and
                 set.union(*lanes) == everything)
    worker.end()


def lanes_of_several_workers():
    """One lane each: wherever the other is, both may use more than one core, where there is more than one."""
    with open("/sys/devices/system/node/online") as nodes:
        if nodes.read().strip() != "0":
            return  # which processors a node has, test_topology asks
    workers = [Worker(name, 1) for name in ("one", "two")]
    for worker in workers:
        worker.wants("one lane of several workers", lambda lanes: lanes == [os.sched_getaffinity(0)])
    for worker in workers:
        worker.end()


def idle_lanes_sleep():
    worker = Worker("idle", 2, source="{synthetic: {rate: 2}}")
    before = worker.cpu()
    time.sleep(IDLE_SECONDS)
    used = worker.cpu() - before
    if used > IDLE_CPU_MAX:
        fail("idle for %d s: %.2f s of processor time" % (IDLE_SECONDS, used))
    worker.end()


with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    lanes_within_the_mask()
    lanes_that_take_all_cores()
    lanes_of_several_workers()
    idle_lanes_sleep()
    os.chdir("/")
print("lanes: %d failed" % failures if failures else "lanes: all passed", file=sys.stderr)
sys.exit(failures > 0)
