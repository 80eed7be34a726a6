"""bench/scaling/simulate.py beside what is known in closed form. Any python3 runs it, from the repository's root."""

from __future__ import annotations

import dataclasses
import math
import unittest
from collections import Counter

from bench.scaling.simulate import Latency, Lru, Policy, Source, ZipfLaw, percentile, simulate

HIT_MS, LOAD, RELOAD, FIRST = 1.0, Latency(10.0, 100.0), Latency(3.0, 30.0), Latency(500.0, 600.0)
COUNT, NUMBER, WARM_UP, SEED = 1000, 60_000, 20_000, 7

# Neither retained weights nor pages: each load is from the disk.
BARE = Policy(
    name="bare",
    room=100,
    memory_bytes=100,
    hit_ms=HIT_MS,
    load=LOAD,
    loaded_bytes=1,
    page_bytes=1,
    runs_read_pages=False,
)


def expected_hit_rate(law: ZipfLaw, room: int) -> float:
    """Of least recently used: an adapter is there if it was asked for within the time in which `room` different ones
    are (Che's approximation)."""
    low, high = 0.0, 1e9
    probabilities = [law.probability(k) for k in range(COUNT)]
    while high - low > 1e-6 * high:
        time = (low + high) / 2
        different = sum(1 - math.exp(-p * time) for p in probabilities)
        low, high = (time, high) if different < room else (low, time)
    return sum(p * (1 - math.exp(-p * low)) for p in probabilities)


class ZipfLawTest(unittest.TestCase):
    def test_probabilities_are_in_proportion_and_sum_to_one(self) -> None:
        law = ZipfLaw(COUNT, 1.0)
        self.assertAlmostEqual(sum(law.probability(k) for k in range(COUNT)), 1)
        self.assertAlmostEqual(law.probability(0) / law.probability(9), 10)
        self.assertAlmostEqual(law.of_the_first(3), sum(law.probability(k) for k in range(3)))

    def test_adapters_are_drawn_as_often_as_that(self) -> None:
        law = ZipfLaw(COUNT, 1.2)
        drawn = Counter(law.requests(NUMBER, SEED))
        for adapter in (0, 1, 5, 20):
            expected = law.probability(adapter) * NUMBER
            self.assertAlmostEqual(drawn[adapter], expected, delta=5 * math.sqrt(expected))

    def test_a_seed_gives_the_same_requests_again_and_another_one_others(self) -> None:
        law = ZipfLaw(COUNT, 0.8)
        self.assertEqual(list(law.requests(100, SEED)), list(law.requests(100, SEED)))
        self.assertNotEqual(list(law.requests(100, SEED)), list(law.requests(100, SEED + 1)))


class LruTest(unittest.TestCase):
    def test_what_was_not_used_for_the_longest_time_goes(self) -> None:
        lru = Lru(2)
        self.assertEqual([lru.use(thing) for thing in (1, 2, 1, 3)], [[], [], [], [2]])
        self.assertTrue(1 in lru and 3 in lru and 2 not in lru)

    def test_a_limit_in_bytes_has_room_for_whole_things_only(self) -> None:
        lru = Lru(25, size=10)
        for thing in range(5):
            lru.use(thing)
        self.assertEqual((lru.count, lru.total), (2, 20))

    def test_without_room_nothing_stays(self) -> None:
        lru = Lru(0, size=10)
        self.assertEqual(lru.use(1), [1])
        self.assertFalse(lru.take(1))


class SimulateTest(unittest.TestCase):
    def test_uniform_requests_hit_as_often_as_there_is_room(self) -> None:
        outcome = simulate(BARE, ZipfLaw(COUNT, 0).requests(NUMBER, SEED), WARM_UP)
        self.assertAlmostEqual(outcome.hit_rate, BARE.room / COUNT, delta=0.01)

    def test_requests_by_zipfs_law_hit_as_often_as_theory_says(self) -> None:
        for exponent in (0.8, 1.0, 1.2):
            law = ZipfLaw(COUNT, exponent)
            outcome = simulate(BARE, law.requests(NUMBER, SEED), WARM_UP)
            self.assertAlmostEqual(outcome.hit_rate, expected_hit_rate(law, BARE.room), delta=0.01)
            self.assertLess(outcome.hit_rate, law.of_the_first(BARE.room))

    def test_with_room_for_all_only_the_first_request_to_each_misses(self) -> None:
        requests = list(ZipfLaw(COUNT, 1.0).requests(NUMBER, SEED))
        outcome = simulate(dataclasses.replace(BARE, room=COUNT), requests)
        self.assertEqual(round((1 - outcome.hit_rate) * NUMBER), len(set(requests)))

    def test_more_room_never_hits_less(self) -> None:
        requests = list(ZipfLaw(COUNT, 1.0).requests(NUMBER // 4, SEED))
        rates = [
            simulate(dataclasses.replace(BARE, room=room), requests).hit_rate
            for room in (10, 50, 100, 400)
        ]
        self.assertEqual(rates, sorted(rates))

    def test_the_mean_is_of_what_each_source_costs(self) -> None:
        policy = dataclasses.replace(BARE, memory_bytes=300)  # of them pages: 200
        outcome = simulate(policy, ZipfLaw(COUNT, 1.0).requests(NUMBER, SEED), WARM_UP)
        shares = outcome.shares
        self.assertAlmostEqual(sum(shares.values()), 1)
        self.assertGreater(shares[Source.PAGES], 0.05)
        self.assertAlmostEqual(
            outcome.mean_ms,
            shares[Source.LOADED] * HIT_MS
            + shares[Source.PAGES] * LOAD.warm
            + shares[Source.DISK] * LOAD.cold,
        )

    def test_without_pages_each_load_is_from_the_disk(self) -> None:
        shares = simulate(BARE, ZipfLaw(COUNT, 1.0).requests(NUMBER, SEED), WARM_UP).shares
        self.assertEqual(shares[Source.PAGES], 0)
        self.assertAlmostEqual(shares[Source.DISK], 1 - shares[Source.LOADED])

    def test_what_is_retained_is_packed_once(self) -> None:
        requests = list(ZipfLaw(COUNT, 1.0).requests(NUMBER, SEED))
        policy = dataclasses.replace(BARE, retained_limit=math.inf, reload=RELOAD)
        shares = simulate(policy, requests).shares
        self.assertEqual(round(shares[Source.DISK] * NUMBER), len(set(requests)))
        self.assertGreater(shares[Source.RETAINED], 0.1)

    def test_what_is_loaded_takes_no_retained_room(self) -> None:
        """Two by turns: the one that is not loaded is the one that is retained."""
        policy = dataclasses.replace(BARE, room=1, memory_bytes=2, retained_limit=1, reload=RELOAD)
        shares = simulate(policy, [0, 1] * 50, warm_up=2).shares
        self.assertEqual(shares[Source.RETAINED], 1)

    def test_a_packed_file_packs_each_adapter_at_its_first_load_only(self) -> None:
        requests = list(ZipfLaw(COUNT, 1.0).requests(NUMBER, SEED))
        shares = simulate(dataclasses.replace(BARE, first_load=FIRST), requests).shares
        self.assertEqual(round(shares[Source.NOWHERE] * NUMBER), len(set(requests)))

    def test_a_loaded_adapter_whose_pages_are_gone_reads_them_again(self) -> None:
        """One page for two adapters, both loaded: each evicts the other's."""
        policy = dataclasses.replace(BARE, room=2, memory_bytes=3, runs_read_pages=True)
        outcome = simulate(policy, [0, 1] * 50, warm_up=2)
        self.assertEqual(outcome.hit_rate, 1)
        self.assertEqual(outcome.mean_ms, HIT_MS + LOAD.cold - LOAD.warm)

    def test_memory_is_what_is_there_at_the_end(self) -> None:
        policy = dataclasses.replace(
            BARE, loaded_bytes=2, memory_bytes=300, retained_limit=30, retained_bytes=3
        )
        outcome = simulate(policy, range(COUNT))
        self.assertEqual(outcome.anonymous_bytes, 100 * 2 + 30)
        self.assertEqual(outcome.page_cache_bytes, 70)


class PercentileTest(unittest.TestCase):
    def test_it_is_one_of_the_numbers(self) -> None:
        numbers = [float(number) for number in range(1, 101)]
        self.assertEqual([percentile(numbers, share) for share in (0.5, 0.99, 1.0)], [50, 99, 100])
        self.assertEqual(percentile([3.0], 0.5), 3)


if __name__ == "__main__":
    unittest.main()
