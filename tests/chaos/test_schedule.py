# SPDX-License-Identifier: Apache-2.0
"""If this fails, a seed no longer replays its schedule, or half an hour of chaos holds fewer faults than promised."""
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import schedule  # noqa: E402


def text_of(seed, seconds):
    lists = schedule.schedule(seed, seconds)
    return "\n".join(f"{name} {fault}" for name, faults in lists.items() for fault in faults)


class Schedule(unittest.TestCase):
    def test_a_seed_replays_its_schedule_and_another_does_not(self):
        self.assertEqual(text_of(7, 600), text_of(7, 600))
        self.assertNotEqual(text_of(7, 600), text_of(8, 600))

    def test_more_is_planned_than_must_hit(self):
        for seed in range(20):
            for minutes in (30, 31, *((240,) if seed == 0 else ())):
                counts = schedule.count_by_kind(schedule.schedule(seed, minutes * 60))
                counts["worker_join"] = counts["worker_leave"] = counts["join_and_leave"]
                for kind in schedule.kinds_to_judge(counts):
                    self.assertGreaterEqual(counts[kind], 1.08 * schedule.floor_of(kind, minutes), kind)

    def test_half_an_hour_must_hold_what_is_promised(self):
        self.assertEqual([schedule.floor_of(kind, 30) for kind in ("broker_kill", "zombie", "reset")], [40, 60, 200])
        self.assertEqual([schedule.floor_of(kind, 240) for kind in ("broker_kill", "zombie", "reset")], [320, 480, 1600])
        self.assertEqual(schedule.floor_of("reset", 29.9), 1)

    def test_every_tenth_zombie_outlives_its_transaction(self):
        for seed in range(20):
            asleep = [fault.how["asleep"] for fault in schedule.schedule(seed, 1800)["zombies"]]
            past = [seconds for seconds in asleep if seconds > schedule.TRANSACTION_S]
            self.assertGreaterEqual(len(past), 1.08 * schedule.floor_of("zombie_past_transaction", 30))
            self.assertLessEqual(len(past), len(asleep) / 9)
            self.assertTrue(all(18 <= seconds <= 20 for seconds in past))

    def test_the_shortest_run_holds_one_of_each(self):
        for seed in range(20):
            counts = schedule.count_by_kind(schedule.schedule(seed, 20))
            self.assertEqual(set(counts), set(schedule.count_by_kind(schedule.schedule(1, 1800))))

    def test_no_fault_waits_for_what_the_client_never_asks(self):
        """If this fails, a run with our own client is not clean for faults that could not hit."""
        with_ours = schedule.count_by_kind(schedule.schedule(1, 1800, "auto"))
        with_theirs = schedule.count_by_kind(schedule.schedule(1, 1800, "librdkafka"))
        self.assertEqual(set(with_theirs) - set(with_ours), {"held_add_partitions", "answer_lost_add_partitions"})

    def test_every_role_of_a_broker_has_its_turn(self):
        for seed in range(20):
            roles = [fault.how["role"] for fault in schedule.schedule(seed, 1800)["brokers"]]
            for role in schedule.BROKER_ROLES:
                self.assertGreaterEqual(roles.count(role), 13)

    def test_lists_are_in_order_and_within_the_run(self):
        for name, faults in schedule.schedule(3, 1800).items():
            moments = [fault.at for fault in faults]
            self.assertEqual(moments, sorted(moments), name)
            self.assertTrue(0 <= moments[0] and moments[-1] <= 1800, name)


if __name__ == "__main__":
    unittest.main()
