# SPDX-License-Identifier: Apache-2.0
"""The world that chaos breaks: three brokers, the proxy before them, a producer, workers, an onlooker."""
import os
import signal
import subprocess
import threading
import time

NODES, PARTITIONS, SERIES, WORKERS = 3, 8, 500, 4
CLIENTS = ("auto", "native", "librdkafka")  # of runtime.client, the default first
SPAN, WARMUP, THRESHOLD = 288, 30, 6  # of detector ewma: the checker is told the same
PIPELINE, SOURCE, OUTPUT, DEAD = "chaos", "chaos.in", "chaos.out", "chaos.dead"
BAD = "some-bad"  # one record in a hundred must end in the dead letters, of the code that this header names
BAD_HEADER = "x-expect"
HEAP = "-Xms256m -Xmx300m"
PATIENCE_S = 120  # in peace, a partition that stands still for longer is stuck
CHAOS_PATIENCE_S = 300  # while faults come faster than they are got over

PIPELINE_FILE = f"""pipeline: {PIPELINE}
source:
  kafka:
    brokers: "BROKERS"
    topics: [{SOURCE}]
    properties: {{session.timeout.ms: 6000, heartbeat.interval.ms: 1000}}
decode:
  json: {{fields: {{host: {{type: string, required: true}}, cpu: float, n: int, ok: bool, ts: timestamp, dc: string}}}}
  series: host
stages:
  - hash: {{algorithm: sha256, of: value}}
  - detect: {{field: cpu, detectors: [ewma], threshold: {THRESHOLD}}}
sink:
  kafka: {{topic: {OUTPUT}, commit_interval: 100ms}}
dead_letter: {{topic: {DEAD}}}
runtime: {{lanes: 1, memory_max: 256MiB, state: STATE, client: CLIENT}}
"""


def pipeline_file(brokers, state, client):
    return PIPELINE_FILE.replace("BROKERS", brokers).replace("STATE", state).replace("CLIENT", client)


class Failure(Exception):
    """What makes a run of chaos fail, in a sentence: its surroundings, which another run may spare."""


class Broken(Failure):
    """A promise that a worker broke: no other run undoes it."""


def finish(words, timeout, **how):
    """A command to its end; one that takes longer is a Failure like any other."""
    try:
        return subprocess.run(words, text=True, timeout=timeout, check=False, **how)
    except subprocess.TimeoutExpired:
        raise Failure(f"{os.path.basename(words[0])} {' '.join(words[1:4])}: no end within {timeout:g} s") from None


def java_hash(text):
    value = 0
    for letter in text:
        value = (value * 31 + ord(letter)) & 0xFFFFFFFF
    return value


class Place:
    """Where everything lies: the source tree, the build folder, this run's own folder."""

    def __init__(self, root, build, work):
        self.root, self.build, self.work = root, build, work
        self.workers = []  # every process of a worker that was ever started

    def tool(self, name):
        return os.path.join(self.build, f"accept_{name}")

    def path(self, *names):
        return os.path.join(self.work, *names)

    def ask(self, *words, timeout=60):
        """Output of a tool; Failure where it fails."""
        done = finish(words, timeout, capture_output=True)
        if done.returncode != 0:
            raise Failure(f"{os.path.basename(words[0])} {' '.join(words[1:4])}: {done.stderr.strip()[-300:]}")
        return done.stdout


class Cluster:
    """Three brokers through scripts/kafka; `kill` and `restart` as the schedule asks."""

    def __init__(self, place):
        self.place, self.folder = place, place.path("kafka")
        self.environment = dict(os.environ, PS_KAFKA_JAVA=HEAP)
        self.call("start", "--fresh", "--nodes", str(NODES), "--base-port", "auto", timeout=150)
        self.brokers, fault = "", ""
        for line in self.call("env").splitlines():
            name, _, value = line.partition("=")
            value = value.replace("\\", "")
            if name == "PS_KAFKA_BROKERS":
                self.brokers = value
            if name == "PS_KAFKA_FAULT":
                fault = value
        self.fault_ports = [int(one.rpartition(":")[2]) for one in fault.split(",")]

    def call(self, *words, timeout=60):
        script = os.path.join(self.place.root, "scripts", "kafka")
        with open(self.place.path("kafka.log"), "a", encoding="utf-8") as log:
            done = finish([script, *words, "--dir", self.folder], timeout, stdout=subprocess.PIPE, stderr=log,
                          env=self.environment)
        if done.returncode != 0:
            raise Failure(f"scripts/kafka {' '.join(words)} failed: see {self.place.path('kafka.log')}")
        return done.stdout

    def admin(self, *words):
        return self.place.ask(self.place.tool("admin"), self.brokers, *words)

    def who(self, role, partition):
        """The node that has this role now."""
        if role == "leader":
            topic = SOURCE
        elif role == "group_coordinator":
            topic, partition = "__consumer_offsets", (java_hash(PIPELINE) & 0x7FFFFFFF) % 8
        else:
            name = f"{PIPELINE}-{PIPELINE}-w{partition % WORKERS}-0"
            topic, partition = "__transaction_state", (java_hash(name) & 0x7FFFFFFF) % 8
        return int(self.admin("leader", topic, str(partition)))

    def stop(self, keep):
        """`keep`: what the brokers wrote stays, for whoever wants to know which transaction it was."""
        self.call("stop", *([] if keep else ["--remove"]))


class Proxy:
    """The fault proxy: takes orders, tells which were obeyed."""

    def __init__(self, place, ports):
        words = [place.tool("proxy")]
        for port in ports:
            words += [str(port + 10000), str(port)]
        self.brokers = ",".join(f"127.0.0.1:{port + 10000}" for port in ports)
        self.obeyed, self.mutex = {}, threading.Lock()
        with open(place.path("proxy.err"), "w", encoding="utf-8") as errors:
            self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors,
                                            text=True, bufsize=1)
        if self.process.stdout.readline().strip() != "ready":
            raise Failure("the proxy did not start")
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        for line in self.process.stdout:
            with self.mutex:
                self.obeyed[line.strip()] = self.obeyed.get(line.strip(), 0) + 1

    def order(self, text):
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()


class Worker:
    """A `penstock run`. The schedule may hit one that is alive and not taken: nobody else is at it."""

    def __init__(self, place, instance, runtime=None, name=None, file="chaos.yaml", arguments=()):
        self.place, self.instance, self.name = place, instance, name or instance
        self.arguments, self.file = arguments, file
        self.environment = dict(os.environ, XDG_RUNTIME_DIR=runtime or place.path("runtime"),
                                XDG_CACHE_HOME=place.path("cache"))
        os.makedirs(self.environment["XDG_RUNTIME_DIR"], exist_ok=True)
        self.process, self.mutex, self.taken, self.expected = None, threading.Lock(), False, False

    def start(self):
        self.expected = False
        with open(self.place.path(f"{self.name}.err"), "a", encoding="utf-8") as errors:
            errors.write(f"--- {time.strftime('%H:%M:%S')} start\n")
            errors.flush()
            self.process = subprocess.Popen(
                [os.path.join(self.place.build, "penstock"), "run", self.place.path(self.file),
                 "--set", f"runtime.instance={self.instance}", *self.arguments],
                stdout=subprocess.DEVNULL, stderr=errors, stdin=subprocess.DEVNULL, env=self.environment)
        self.place.workers.append(self.process)

    def note(self, text):
        with open(self.place.path(f"{self.name}.err"), "a", encoding="utf-8") as errors:
            errors.write(f"--- {time.strftime('%H:%M:%S')} {text}\n")

    def send(self, number):
        self.note(signal.Signals(number).name)
        self.process.send_signal(number)

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        """Whether it was this that ended it."""
        self.expected = True
        self.send(signal.SIGKILL)
        return self.process.wait() == -signal.SIGKILL

    def leave(self, seconds):
        """SIGTERM; the exit code, None where it did not end in time."""
        self.expected = True
        self.send(signal.SIGTERM)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.keep_stacks()
            return None

    def keep_stacks(self):
        """Where the threads of a worker that does not end stand, into NAME.stacks: gdb, or what the kernel says."""
        pid = self.process.pid
        with open(self.place.path(f"{self.name}.stacks"), "a", encoding="utf-8") as stacks:
            try:
                subprocess.run(["gdb", "-p", str(pid), "-batch", "-ex", "thread apply all bt"], stdout=stacks,
                               stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, timeout=60, check=False)
            except (OSError, subprocess.TimeoutExpired):
                for task in sorted(os.listdir(f"/proc/{pid}/task")):
                    words = []
                    for name in ("comm", "wchan", "syscall"):
                        with open(f"/proc/{pid}/task/{task}/{name}", encoding="utf-8") as file:
                            words.append(file.read().strip())
                    stacks.write(f"{task} {' '.join(words)}\n")

    def last_words(self):
        with open(self.place.path(f"{self.name}.err"), encoding="utf-8", errors="replace") as errors:
            lines = [line.strip() for line in errors if not line.startswith("---")]
        reasons = [line for line in lines if "lane-" in line and "warning" not in line]
        return " | ".join(lines[-3:] + reasons[-1:])


class Onlooker:
    """Asks the group's offsets from outside, and knows how long each partition stood still."""

    def __init__(self, place, brokers):
        self.begin = time.monotonic()
        self.stood, self.since, self.looks = [(0.0, -1, 0.0)], [None] * PARTITIONS, 0
        self.committed, self.ends = [0] * PARTITIONS, [0] * PARTITIONS
        self.process = subprocess.Popen([place.tool("watch"), brokers, PIPELINE, SOURCE], stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, text=True)
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        for line in self.process.stdout:
            moment, *pairs = line.split()
            if len(pairs) == PARTITIONS:
                self.look(float(moment), [tuple(map(int, pair.split("/"))) for pair in pairs])

    def look(self, now, pairs):
        """Records wait in a partition since the first look that saw them, or since its last step."""
        for partition, (committed, end) in enumerate(pairs):
            moved = committed > self.committed[partition]
            if moved and self.since[partition] is not None:
                self.stood.append((now - self.since[partition], partition, self.since[partition] - self.begin))
            if committed >= end:
                self.since[partition] = None
            elif moved or self.since[partition] is None:
                self.since[partition] = now
            self.committed[partition], self.ends[partition] = committed, end
        self.looks += 1

    def slowest(self, count):
        """The longest standstills: seconds, partition, when they began."""
        return sorted(self.stood, reverse=True)[:count]

    def standing(self):
        """Longest standstill that goes on now, in seconds, and where."""
        now, worst = time.monotonic(), (0.0, -1)
        for partition, since in enumerate(self.since):
            if since is not None and now - since > worst[0]:
                worst = (now - since, partition)
        return worst

    def caught_up(self):
        return self.looks > 0 and all(c >= e for c, e in zip(self.committed, self.ends))
