# SPDX-License-Identifier: Apache-2.0
"""What goes wrong, and when: a function of the seed and the length alone, so a seed replays it.

Every kind of fault has a rate. An actor works through the list of its kind one fault after the other,
none before its time; what it finds (which broker leads just then, which request comes by next) is the
world's, and differs from run to run as that does.
"""
import math
import random

# API keys of the Kafka protocol, by the names of its guide.
PRODUCE, ADD_PARTITIONS, ADD_OFFSETS, TXN_OFFSETS, END_TXN = 0, 24, 25, 28, 26
NAMES = {PRODUCE: "produce", ADD_PARTITIONS: "add_partitions", TXN_OFFSETS: "txn_offset_commit", END_TXN: "end_txn"}
# What else a worker asks: metadata, fetch, offsets, coordinators, membership, producer ids, AddOffsetsToTxn.
OTHERS = (1, 2, 3, 9, 10, 11, 12, 14, 22, ADD_OFFSETS)


def asked_by(client):
    """Which of these a worker with that Kafka client asks: our own leaves it to Produce to add a partition (KIP-890)."""
    return {api: name for api, name in NAMES.items() if client == "librdkafka" or api != ADD_PARTITIONS}


BROKER_ROLES = ("leader", "group_coordinator", "transaction_coordinator")
# What must have hit in 30 minutes, as often again in every 30 more; a shorter run holds one of each.
FLOORS, OTHER_FLOOR, FLOOR_MINUTES = {"broker_kill": 40, "zombie": 60, "zombie_past_transaction": 6}, 200, 30
# How often in a minute: more than that, for some that are planned hit nothing (a worker had just ended,
# no request of that kind came by any more).
BROKER_RATE, ZOMBIE_RATE, OTHER_RATE, NETWORK_RATE = 1.5, 2.4, 7.4, 7.8
# A worker's session lasts 6 s: one that is frozen for longer wakes up as a zombie.
ZOMBIE_S = (7.0, 10.0)
# And its transactions 15 s: every tenth finds that the broker has ended the one that it was in.
TRANSACTION_S, LONG_ZOMBIE_S = 15.0, (18.0, 20.0)


class Fault:
    """One fault: when (seconds after the start), what, and how."""

    def __init__(self, at, kind, **how):
        self.at, self.kind, self.how = at, kind, how

    def __repr__(self):
        how = " ".join(f"{name}={value}" for name, value in sorted(self.how.items()))
        return f"{self.at:9.3f} {self.kind} {how}".rstrip()


def times(random_, seconds, rate):
    """One moment in each of as many equal parts of the time as the rate asks for, one at least."""
    count = max(1, round(seconds / 60 * rate))
    part = seconds / count
    return [(i + random_.uniform(0.05, 0.95)) * part for i in range(count)]


def broker_faults(random_, seconds):
    roles = []
    for at in times(random_, seconds, BROKER_RATE):
        if not roles:
            roles = random_.sample(BROKER_ROLES, len(BROKER_ROLES))
        yield Fault(at, "broker_kill", role=roles.pop(), partition=random_.randrange(8), down=random_.uniform(0.5, 4))


def worker_faults(random_, seconds):
    for at in times(random_, seconds, OTHER_RATE):
        # Most come back at once, as a supervisor would have it; some stay away longer than their session.
        away = random_.uniform(6.5, 9) if random_.random() < 0.1 else random_.uniform(0, 1.5)
        yield Fault(at, "worker_kill", worker=random_.randrange(64), away=away)


def zombie_faults(random_, seconds):
    first = random_.randrange(10)
    for i, at in enumerate(times(random_, seconds, ZOMBIE_RATE)):
        asleep = random_.uniform(*(LONG_ZOMBIE_S if i % 10 == first else ZOMBIE_S))
        # Every third finds somebody who lives under its own name when it wakes up.
        yield Fault(at, "zombie", worker=random_.randrange(64), asleep=asleep, heir=random_.random() < 1 / 3)


def guest_faults(random_, seconds):
    for at in times(random_, seconds, OTHER_RATE):
        yield Fault(at, "join_and_leave", stay=random_.uniform(1.5, 5))


def network_faults(random_, seconds, names):
    def each(kind, **make):
        for at in times(random_, seconds, NETWORK_RATE):
            yield Fault(at, kind, **{name: value() if callable(value) else value for name, value in make.items()})

    # An answer is lost with its connection, or (one in four) nobody is told: that costs a timeout of
    # seconds, and 200 of each kind in half an hour would leave no second in which all is well.
    for api, name in names.items():
        yield from each(f"answer_lost_{name}", api=api, when=lambda: random_.choice(("after", "after", "after", "lose")),
                        ms=0)
        yield from each(f"held_{name}", api=api, when=lambda: random_.choice(("hold", "late")),
                        ms=lambda: int(random_.choice((100, 300, 1000, 3000)) * random_.uniform(0.5, 1.5)))
    yield from each("answer_lost_other", api=lambda: random_.choice(OTHERS),
                    when=lambda: random_.choice(("before", "after", "after", "lose")), ms=0)
    yield from each("produce_twice", api=PRODUCE, when="twice", ms=lambda: random_.choice((0, 20, 200, 1000)))
    yield from each("reset", node=lambda: random_.randint(1, 3), ms=0)
    yield from each("black_hole", node=lambda: random_.randint(1, 3),
                    ms=lambda: int(random_.choice((200, 600, 2000)) * random_.uniform(0.5, 1.5)))


ACTORS = {"brokers": broker_faults, "workers": worker_faults, "zombies": zombie_faults, "guests": guest_faults,
          "network": network_faults}


def schedule(seed, seconds, client="librdkafka"):
    """Lists of faults by the name of the actor who works through them, in order of time."""
    lists = {}
    for name, make in ACTORS.items():
        of_actor = random.Random(f"{seed}/{name}")
        made = make(of_actor, seconds, asked_by(client)) if make is network_faults else make(of_actor, seconds)
        lists[name] = sorted(made, key=lambda fault: fault.at)
    return lists


def count_by_kind(lists):
    kinds = {}
    for faults in lists.values():
        for fault in faults:
            kinds[fault.kind] = kinds.get(fault.kind, 0) + 1
    return kinds


def kinds_to_judge(planned):
    """By the names that they are counted under when they hit."""
    return sorted(set(planned) - {"join_and_leave"} | {"worker_join", "worker_leave"})


def floor_of(kind, minutes):
    """How often a kind of fault must have hit in a run of that length."""
    if minutes < FLOOR_MINUTES:
        return 1
    return math.ceil(FLOORS.get(kind, OTHER_FLOOR) * minutes / FLOOR_MINUTES)
