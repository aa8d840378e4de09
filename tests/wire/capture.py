#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Captures what Kafka's own clients and a real broker say to each other.

usage: tests/wire/capture.py [--corpus DIR] OUT      (OUT: tests/vectors/wire/golden.txt)

Starts a broker with scripts/kafka, puts a proxy before its FAULT listener, and runs Kafka's command
line tools against the proxy: a transactional copier with aborted transactions, consumers with a
group, a log-in. The proxy lowers the versions that the broker offers, a round lower than the one
before, so that these clients speak each version that ingest/wire/messages.def has; what it keeps is
what came from the client and from the broker. For each api, version and direction the first frame
and the longest one of at most 2,000 bytes are written: a line each, "api version request|response
hex", the frame without its size. --corpus: the same as seeds for fuzz_wire.

It takes some minutes. What no client said is listed in the end.
"""
import os
import re
import shutil
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
KAFKA = os.path.join(ROOT, "scripts/kafka")
ROUNDS, LONGEST, TOOL_SECONDS = 6, 2000, 120
API_VERSIONS = 18


def read_apis():
    """{number: (name, min, max)} of messages.def."""
    numbers, apis = {}, {}
    with open(os.path.join(ROOT, "ingest/wire/message.h"), encoding="utf-8") as file:
        for name, number in re.findall(r"PS_WIRE_([A-Z_]+) = (\d+)", file.read()):
            numbers[name] = int(number)
    for part in ("messages.def", "messages_control.def"):
        with open(os.path.join(ROOT, "ingest/wire", part), encoding="utf-8") as file:
            for name, big, low, high in re.findall(r"^API\((\w+), (\w+), (\d+), (\d+),", file.read(), re.M):
                apis[numbers[big]] = (name, int(low), int(high))
    return apis


def take(connection, count):
    data = b""
    while len(data) < count:
        more = connection.recv(count - len(data))
        if not more:
            raise EOFError
        data += more
    return data


def take_frame(connection):
    return take(connection, struct.unpack(">i", take(connection, 4))[0])


def send_frame(connection, frame):
    connection.sendall(struct.pack(">i", len(frame)) + frame)


class Frames:
    """What is kept: {(api, version, direction): [first, longest]}."""

    def __init__(self):
        self.apis, self.kept, self.lock = read_apis(), {}, threading.Lock()

    def keep(self, api, version, direction, frame):
        if api not in self.apis or len(frame) > LONGEST:
            return
        with self.lock:
            first, longest = self.kept.get((api, version, direction), (frame, frame))
            self.kept[api, version, direction] = first, max(longest, frame, key=len)

    def wanted(self):
        for api, (_, low, high) in sorted(self.apis.items()):
            for version in ([0] if api == API_VERSIONS else []) + list(range(low, high + 1)):
                for direction in ("request", "response"):
                    yield api, version, direction


class Proxy:
    """Passes frames on, both ways, and lowers the versions in the broker's answer to ApiVersions."""

    def __init__(self, frames, listen, broker, context=None):
        self.frames, self.broker, self.context = frames, broker, context
        self.lower, self.transactions = 0, True
        self.server = socket.create_server(("127.0.0.1", listen))
        self.port = self.server.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            client, _ = self.server.accept()
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        broker = socket.create_connection(self.broker)
        if self.context:
            broker = self.context.wrap_socket(broker, server_hostname="localhost")
        asked = {}
        answers = threading.Thread(target=self.pass_answers, args=(client, broker, asked), daemon=True)
        answers.start()
        try:
            while True:
                frame = take_frame(client)
                api, version, correlation = struct.unpack(">hhi", frame[:8])
                asked[correlation] = api, version
                self.frames.keep(api, version, "request", frame)
                send_frame(broker, frame)
        except (EOFError, OSError):
            pass
        for end in (broker, client):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def pass_answers(self, client, broker, asked):
        try:
            while True:
                frame = take_frame(broker)
                api, version = asked.pop(struct.unpack(">i", frame[:4])[0])
                self.frames.keep(api, version, "response", frame)
                send_frame(client, self.lowered(frame) if api == API_VERSIONS and version >= 3 else frame)
        except (EOFError, OSError):
            try:
                client.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def lowered(self, frame):
        """Correlation, error code, count + 1, then api, min, max and no tagged fields each."""
        frame = bytearray(frame)
        at = 6
        count = frame[at] - 1
        assert 0 < count < 127, "a count of two bytes"
        at += 1
        for _ in range(count):
            api, low, high = struct.unpack(">hhh", frame[at:at + 6])
            if api in self.frames.apis:
                _, ours_low, ours_high = self.frames.apis[api]
                high = max(low, ours_low, min(high, ours_high - self.lower_of(api)))
                frame[at + 4:at + 6] = struct.pack(">h", high)
            at += 7
        # The finalized level of transaction.version: behind its name, in the last place that has it.
        at = frame.rfind(b"transaction.version")
        if at >= 0 and not self.transactions:
            at += len(b"transaction.version")
            frame[at:at + 2] = struct.pack(">h", 1)
        return bytes(frame)

    def lower_of(self, api):
        # The newest of these are for the newer transactions alone, the others for the older ones.
        first = {"end_txn": 1, "txn_offset_commit": 1, "add_offsets_to_txn": 2}.get(self.frames.apis[api][0])
        if first is None:
            return self.lower
        return 0 if self.transactions else self.lower - first


class World:
    def __init__(self):
        self.dir, self.env = tempfile.mkdtemp(prefix="penstock-capture-"), {}

    def start(self):
        subprocess.run([KAFKA, "start", "--dir", self.dir, "--base-port", "auto"], check=True)
        out = subprocess.run([KAFKA, "env", "--dir", self.dir], check=True, capture_output=True, text=True).stdout
        self.env = dict(line.split("=", 1) for line in out.split())

    def address(self, name):
        host, port = self.env[name].split(":")
        return host, int(port)

    def kafka(self, *words):
        return subprocess.run([KAFKA, *words[:1], "--dir", self.dir, *words[1:]], check=True)

    def tool(self, *words, lines=(), seconds=TOOL_SECONDS):
        try:
            done = subprocess.run([KAFKA, "--dir", self.dir, "tool", *words], text=True, timeout=seconds,
                                  input="".join(line + "\n" for line in lines), capture_output=True)
            print(words[0].rsplit(".", 1)[1], "exit", done.returncode, done.stderr[-300:].strip(), flush=True)
        except subprocess.TimeoutExpired:
            print(words[0], "took too long", flush=True)

    def file(self, name, text):
        path = os.path.join(self.dir, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def stop(self):
        subprocess.run([KAFKA, "stop", "--remove", "--dir", self.dir], check=False)
        shutil.rmtree(self.dir, ignore_errors=True)


def one_round(world, proxy, number):
    """A producer, transactions that copy its records, half of them aborted, and their readers."""
    proxy.lower, proxy.transactions = number, number < 2
    at = f"127.0.0.1:{proxy.port}"
    into, out = f"in-{number}", f"out-{number}"
    world.kafka("topics", "create", into, out, "--partitions", "1")
    world.tool("org.apache.kafka.tools.ConsoleProducer", "--bootstrap-server", at, "--topic", into,
               "--producer-property", "enable.idempotence=true", lines=[f"record {i}" for i in range(20)])
    world.tool("org.apache.kafka.tools.TransactionalMessageCopier", "--broker-list", at, "--input-topic", into,
               "--output-topic", out, "--input-partition", "0", "--consumer-group", f"copy-{number}", "--transactional-id",
               f"copy-{number}", "--transaction-size", "4", "--max-messages", "20", "--enable-random-aborts",
               "--use-group-metadata", "--group-mode")
    reader = ("org.apache.kafka.tools.consumer.ConsoleConsumer", "--bootstrap-server", at, "--timeout-ms", "8000",
              "--isolation-level", "read_committed", "--group", f"read-{number}")
    world.tool(*reader, "--topic", out, "--from-beginning", "--max-messages", "4")
    # It commits where it is with the leader's epoch, and so asks for that when it comes back.
    for _ in range(2):
        world.tool("org.apache.kafka.tools.ConsumerPerformance", "--bootstrap-server", at, "--topic", into, "--messages", "5",
                   "--group", f"again-{number}", "--timeout", "8000")
    world.tool("org.apache.kafka.tools.GetOffsetShell", "--bootstrap-server", at, "--topic", into)


def log_in(world, frames):
    """SASL in the clear on this side of a proxy, TLS on the other."""
    context = ssl.create_default_context(cafile=world.env["PS_KAFKA_CA"])
    proxy = Proxy(frames, 0, world.address("PS_KAFKA_SASL_SSL"), context)
    config = world.file("login.properties", "\n".join((
        "security.protocol=SASL_PLAINTEXT", "sasl.mechanism=SCRAM-SHA-256", "default.api.timeout.ms=5000",
        "request.timeout.ms=4000",
        "sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required "
        'username="alice" password="alice-secret";')))
    # The addresses it is given are behind TLS: it gets no further than what is wanted here.
    world.tool("org.apache.kafka.tools.GetOffsetShell", "--bootstrap-server", f"localhost:{proxy.port}",
               "--command-config", config, "--topic", "in-0", seconds=40)


def ask_versions(world, frames, at):
    """Clients that are newer than the broker, older than it, and older than flexible messages."""
    if shutil.which("kcat"):
        subprocess.run(["kcat", "-b", at, "-L"], check=False, stdout=subprocess.DEVNULL, timeout=TOOL_SECONDS)
    with socket.create_connection(world.address("PS_KAFKA_BROKERS")) as broker:
        for version in (99, 0):
            request = struct.pack(">hhih", API_VERSIONS, version, 7, 3) + b"any" + (b"\0" if version else b"")
            if version == 0:
                frames.keep(API_VERSIONS, version, "request", request)
            send_frame(broker, request)
            # Error 35 comes in version 0, whatever was asked.
            frames.keep(API_VERSIONS, 0, "response", take_frame(broker))


def write(frames, out, corpus):
    lines = ["# SPDX-License-Identifier: Apache-2.0",
             "# What Kafka 4.1.2 and its own clients said to each other: tests/wire/capture.py.",
             "# api version request|response, and the frame behind its size."]
    missing = []
    for api, version, direction in frames.wanted():
        name, pair = frames.apis[api][0], frames.kept.get((api, version, direction))
        if pair is None:
            missing.append(f"{name} {version} {direction}")
            continue
        for number, frame in enumerate(sorted(set(pair), key=len)):
            lines.append(f"{name} {version} {direction} {frame.hex()}")
            if corpus and number == 0:
                with open(os.path.join(corpus, f"{name}_{version}_{direction}"), "wb") as file:
                    file.write(bytes([api | (128 if direction == "request" else 0), version]) + frame)
    os.makedirs(os.path.dirname(os.path.abspath(out)), exist_ok=True)
    with open(out, "w", encoding="ascii") as file:
        file.write("\n".join(lines) + "\n")
    print(f"{len(lines) - 3} frames; missing:", "; ".join(missing) or "none")


def main():
    words = sys.argv[1:]
    if not words or "--help" in words:
        print(__doc__.strip())
        return 0 if words else 2
    corpus = None
    if words[0] == "--corpus":
        corpus, words = words[1], words[2:]
        os.makedirs(corpus, exist_ok=True)
    frames, world = Frames(), World()
    try:
        world.start()
        host, port = world.address("PS_KAFKA_FAULT")
        # Where this listener says that it is (scripts/kafka).
        proxy = Proxy(frames, port + 10000, (host, port))
        for number in range(ROUNDS):
            one_round(world, proxy, number)
            write(frames, words[0], None)
        log_in(world, frames)
        ask_versions(world, frames, f"127.0.0.1:{proxy.port}")
        write(frames, words[0], corpus)
    finally:
        world.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
