import numpy as np
import pytest

from omixvae.data.sampler import Layout, epoch_batches, folds, held_out_split, in_order, shared_batches


@pytest.mark.parametrize("fraction", [0.1, 0.2, 0.5])
@pytest.mark.parametrize("seed", [0, 1])
def test_each_pattern_gives_its_share(fraction, seed):
    rng = np.random.default_rng(seed)
    presence = np.repeat([[True, True], [True, False], [False, True]], [50, 30, 20], axis=0)[rng.permutation(100)]
    train, held_out = held_out_split(presence, fraction, rng)
    assert sorted([*train, *held_out]) == list(range(100))
    for pattern, n in (([True, True], 50), ([True, False], 30), ([False, True], 20)):
        assert abs((presence[held_out] == pattern).all(1).sum() - fraction * n) <= 1


def test_observations_without_any_modality_are_in_neither_part():
    presence = np.ones((20, 2), bool)
    presence[[3, 8]] = False
    train, held_out = held_out_split(presence, 0.25, np.random.default_rng(0))
    assert sorted([*train, *held_out]) == [i for i in range(20) if i not in (3, 8)]


def test_nothing_is_held_out_of_a_fraction_of_zero():
    train, held_out = held_out_split(np.ones((7, 1), bool), 0.0, np.random.default_rng(0))
    assert (train.tolist(), held_out.tolist()) == (list(range(7)), [])


def test_the_split_depends_on_the_random_numbers_alone():
    presence = np.random.default_rng(1).random((40, 3)) < 0.7
    splits = [held_out_split(presence, 0.2, np.random.default_rng(seed))[1].tolist() for seed in (0, 0, 1)]
    assert splits[0] == splits[1] != splits[2]


@pytest.mark.parametrize("n_folds", [2, 3, 7])
def test_folds_hold_each_observation_out_once_and_each_pattern_has_its_share(n_folds):
    rng = np.random.default_rng(0)
    presence = np.repeat([[True, True], [True, False], [False, False]], [50, 21, 6], axis=0)[rng.permutation(77)]
    parts = folds(presence, n_folds, rng)
    usable = np.flatnonzero(presence.any(axis=1)).tolist()
    assert sorted(np.concatenate([held_out for _, held_out in parts])) == usable
    for train, held_out in parts:
        assert sorted([*train, *held_out]) == usable
        assert abs(len(held_out) - 71 / n_folds) < 1
        for pattern, n in (([True, True], 50), ([True, False], 21)):
            assert abs((presence[held_out] == pattern).all(1).sum() - n / n_folds) <= 1


@pytest.mark.parametrize(("n", "batch_size"), [(1, 1), (10, 4), (10, 100), (7, 7), (9, 2)])
def test_batches_hold_each_row_once_and_are_alike_in_size(n, batch_size):
    rows = np.arange(100, 100 + n)
    batches = epoch_batches(rows, batch_size, np.random.default_rng(0))
    sizes = [len(batch) for batch in batches]
    assert sorted(np.concatenate(batches)) == rows.tolist()
    assert max(sizes) <= batch_size
    assert max(sizes) - min(sizes) <= 1


def test_rows_are_shuffled_only_where_random_numbers_are_given():
    rows = np.arange(50)
    assert np.concatenate(epoch_batches(rows, 8)).tolist() == rows.tolist()
    assert np.concatenate(epoch_batches(rows, 8, np.random.default_rng(0))).tolist() != rows.tolist()


def test_on_disk_rows_are_shuffled_among_a_window_of_blocks_and_blocks_among_all():
    rng = np.random.default_rng(0)
    place = rng.permutation(1000)
    rows = np.sort(rng.permutation(1000)[:900])
    layout = Layout(place, block=10, window=50)
    batches = epoch_batches(rows, 64, rng, layout)
    order = np.concatenate(batches)
    assert sorted(order) == rows.tolist()
    assert max(map(len, batches)) <= 64
    numbers = place[order] // 10
    spans = [np.ptp(np.flatnonzero(numbers == number)) for number in np.unique(numbers)]
    assert max(spans) < 50
    assert max(spans) > 30, "rows of a block are mixed with those of others"
    firsts = numbers[np.sort(np.unique(numbers, return_index=True)[1])]
    assert not np.array_equal(firsts, np.sort(firsts))


def test_blocks_of_an_epoch_are_those_of_the_file_also_where_rows_were_held_out():
    rows = np.delete(np.arange(100), [3, 4, 5, 50])
    layout = Layout(np.arange(100), block=10, window=10)
    order = np.concatenate(epoch_batches(rows, 7, np.random.default_rng(0), layout))
    changes = np.flatnonzero(np.diff(order // 10))
    assert len(changes) == 9


@pytest.mark.parametrize(("n", "batch_size", "n_parts"), [(10, 2, 2), (11, 2, 3), (7, 100, 2), (3, 1, 3), (4, 1, 3)])
@pytest.mark.parametrize("on_disk", [False, True])
def test_processes_share_every_row_once_and_none_is_left_without(n, batch_size, n_parts, on_disk):
    rows = np.arange(100, 100 + n)
    layout = Layout(np.arange(200), block=1, window=2) if on_disk else None
    batches = shared_batches(rows, batch_size, n_parts, np.random.default_rng(0), layout)
    parts = [part for batch in batches for part in batch]
    assert sorted(np.concatenate(parts)) == rows.tolist()
    assert {len(batch) for batch in batches} == {n_parts}
    assert min(map(len, parts)) >= 1
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_one_process_takes_the_batches_as_they_are():
    rows, layout = np.arange(90), Layout(np.arange(90), block=10, window=30)
    for at in (None, layout):
        alone = shared_batches(rows, 8, 1, np.random.default_rng(0), at)
        plain = epoch_batches(rows, 8, np.random.default_rng(0), at)
        assert [part.tolist() for (part,) in alone] == [batch.tolist() for batch in plain]


@pytest.mark.parametrize(("n", "batch_size", "n_parts"), [(50, 4, 2), (41, 4, 3), (5, 9, 5), (99, 2, 4)])
def test_in_memory_parts_are_dealt_out_of_the_batches_of_one_process(n, batch_size, n_parts):
    whole = epoch_batches(np.arange(n), batch_size * n_parts, np.random.default_rng(0))
    shared = shared_batches(np.arange(n), batch_size, n_parts, np.random.default_rng(0))
    dealt = [[batch[part::n_parts].tolist() for part in range(n_parts)] for batch in whole]
    assert [[part.tolist() for part in parts] for parts in shared] == dealt


def test_processes_read_blocks_of_their_own():
    layout = Layout(np.arange(1000), block=10, window=50)
    batches = shared_batches(np.arange(1000), 32, 3, np.random.default_rng(0), layout)
    read = [set(np.concatenate(parts) // 10) for parts in zip(*batches, strict=True)]
    assert sum(map(len, read)) == 100
    assert len(set().union(*read)) == 100


def test_rows_are_put_in_the_order_of_the_disk_only_where_they_lie_there():
    rows = np.array([4, 0, 2])
    assert in_order(rows, None).tolist() == [4, 0, 2]
    assert in_order(rows, Layout(np.array([9, 8, 7, 6, 8]), block=2, window=2)).tolist() == [2, 4, 0]
