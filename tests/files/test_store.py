import multiprocessing
import os
import pickle
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gensight.errors import ResourceError, RunError
from gensight.files import store as module
from gensight.files.store import ENTRY, TensorStore, record_bytes, require_space

LAYOUT = {"fine": (3, 4, 5), "coarse": (7, 2, 3), "time": (11,)}


def record(number):
    rng = np.random.default_rng(number)
    return {name: rng.normal(size=shape).astype(np.float16) for name, shape in LAYOUT.items()}


def assert_holds(store, numbers):
    for number in numbers:
        for name, values in record(number).items():
            assert np.array_equal(store[str(number)][name], values)


def test_round_trip(tmp_path):
    store = TensorStore(tmp_path / "a" / "b", LAYOUT)
    store.write({str(number): record(number) for number in range(5)})
    store.write({str(number): record(number) for number in range(5, 8)})
    assert_holds(store, range(8))
    assert "8" not in store
    assert len(store) == 8
    reopened = TensorStore(tmp_path / "a" / "b", LAYOUT)
    assert_holds(reopened, range(8))


@settings(max_examples=8, deadline=None)
@given(
    shapes=st.lists(st.lists(st.integers(1, 5), min_size=0, max_size=3), min_size=1, max_size=4),
    keys=st.lists(st.text(max_size=8), min_size=1, max_size=6, unique=True),
)
def test_any_layout_and_keys(tmp_path_factory, shapes, keys):
    layout = {f"tensor {index}": tuple(shape) for index, shape in enumerate(shapes)}
    store = TensorStore(tmp_path_factory.mktemp("store"), layout)
    rng = np.random.default_rng(0)
    written = {key: {n: rng.normal(size=s).astype(np.float16).reshape(s) for n, s in layout.items()} for key in keys}
    store.write({key: {n: np.asarray(t) for n, t in tensors.items()} for key, tensors in written.items()})
    for key in keys:
        assert all(np.array_equal(store[key][name], written[key][name]) for name in layout)


def test_values_are_views_of_the_file(tmp_path):
    store = TensorStore(tmp_path, LAYOUT)
    store.write({"0": record(0)})
    values = store["0"]["fine"]
    assert not values.flags.owndata
    assert not values.flags.writeable
    assert values.ctypes.data % module.ALIGNMENT == 0


def test_size_on_disk_is_as_computed(tmp_path):
    store = TensorStore(tmp_path, LAYOUT)
    store.write({str(number): record(number) for number in range(9)})
    [data] = tmp_path.glob("*.data")
    assert data.stat().st_size == 9 * record_bytes(LAYOUT)


def test_another_layout_is_refused(tmp_path):
    TensorStore(tmp_path, LAYOUT)
    with pytest.raises(RunError, match="made with another layout"):
        TensorStore(tmp_path, {**LAYOUT, "time": (12,)})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"time": np.zeros(12)}, r"tensor 'time' of record 'k' is \(12,\), the store has \(11,\)"),
        ({"more": np.zeros(1)}, "record 'k' has tensors"),
        ({"time": np.full(11, np.nan)}, "not finite"),
        ({"time": np.full(11, 1e6)}, "not finite in half precision"),
    ],
)
def test_records_that_do_not_fit(tmp_path, change, message):
    store = TensorStore(tmp_path, LAYOUT)
    with pytest.raises(ValueError, match=message):
        store.write({"k": {**record(0), **change}})
    assert "k" not in TensorStore(tmp_path, LAYOUT)


def test_a_reader_sees_what_another_writes(tmp_path):
    reader, writer = TensorStore(tmp_path, LAYOUT), TensorStore(tmp_path, LAYOUT)
    for number in range(3):
        writer.write({str(number): record(number)})
        assert str(number) not in reader
        reader.refresh()
        assert_holds(reader, range(number + 1))


def test_two_writers_share_a_folder(tmp_path):
    first, second = TensorStore(tmp_path, LAYOUT), TensorStore(tmp_path, LAYOUT)
    for number in range(0, 6, 2):
        first.write({str(number): record(number)})
        second.write({str(number + 1): record(number + 1), "0": record(0)})
    assert_holds(TensorStore(tmp_path, LAYOUT), range(6))


def test_pickled_store_reads_the_same_files(tmp_path):
    store = TensorStore(tmp_path, LAYOUT)
    store.write({"0": record(0)})
    assert_holds(pickle.loads(pickle.dumps(store)), [0])


# --- Interruptions ---


@pytest.mark.parametrize("cut", [1, ENTRY.size - 1, ENTRY.size, ENTRY.size + 1])
def test_a_torn_index_loses_its_last_entries_only(tmp_path, cut):
    TensorStore(tmp_path, LAYOUT).write({str(number): record(number) for number in range(4)})
    [index] = tmp_path.glob("*.index")
    os.truncate(index, index.stat().st_size - cut)
    store = TensorStore(tmp_path, LAYOUT)
    kept = 4 - -(-cut // ENTRY.size)
    assert len(store) == kept
    assert_holds(store, range(kept))
    store.write({str(number): record(number) for number in range(kept, 4)})  # continues in a file of its own
    assert_holds(TensorStore(tmp_path, LAYOUT), range(4))


def test_an_entry_of_rubbish_ends_the_index(tmp_path):
    TensorStore(tmp_path, LAYOUT).write({str(number): record(number) for number in range(3)})
    [index] = tmp_path.glob("*.index")
    entries = bytearray(index.read_bytes())
    entries[ENTRY.size + 5] ^= 1
    index.write_bytes(entries)
    assert len(TensorStore(tmp_path, LAYOUT)) == 1


def test_cut_data_are_absent(tmp_path):
    TensorStore(tmp_path, LAYOUT).write({str(number): record(number) for number in range(3)})
    [data] = tmp_path.glob("*.data")
    os.truncate(data, data.stat().st_size - 1)
    store = TensorStore(tmp_path, LAYOUT)
    assert len(store) == 2
    assert_holds(store, range(2))


def test_damaged_data_are_never_served(tmp_path):
    TensorStore(tmp_path, LAYOUT).write({str(number): record(number) for number in range(3)})
    [data] = tmp_path.glob("*.data")
    content = bytearray(data.read_bytes())
    content[record_bytes(LAYOUT) + 7] ^= 1
    data.write_bytes(content)
    store = TensorStore(tmp_path, LAYOUT)
    assert_holds(store, [0, 2])
    with pytest.raises(KeyError):
        store["1"]
    assert "1" not in store


def test_a_full_disk_leaves_what_was_written(tmp_path, monkeypatch):
    store = TensorStore(tmp_path, LAYOUT)
    store.write({"0": record(0)})
    real, calls = os.write, []

    def full(handle, data):
        calls.append(handle)
        if len(calls) == 2:
            raise OSError(28, "No space left on device")
        return real(handle, data)

    monkeypatch.setattr(module.os, "write", full)
    with pytest.raises(ResourceError, match="the disk is full"):
        store.write({"1": record(1), "2": record(2)})
    assert len(TensorStore(tmp_path, LAYOUT)) == 1
    monkeypatch.undo()
    store.write({"1": record(1), "2": record(2)})
    assert_holds(TensorStore(tmp_path, LAYOUT), range(3))


def _write_for_ever(folder, number, pipe_end):
    store = TensorStore(folder, LAYOUT)
    while True:
        store.write({str(number): record(number)})
        number += 1
        os.write(pipe_end, number.to_bytes(4, "little"))


def test_killed_writers_lose_nothing_they_finished(tmp_path):
    finished = 0
    for start in (0, 10_000):
        listen, pipe_end = os.pipe()
        process = multiprocessing.get_context("fork").Process(target=_write_for_ever, args=(tmp_path, start, pipe_end))
        process.start()
        done = [int.from_bytes(os.read(listen, 4), "little") for _ in range(20)]
        time.sleep(0.005)
        process.kill()
        process.join()
        store = TensorStore(tmp_path, LAYOUT)
        assert_holds(store, range(start, done[-1]))
        assert len(store) >= finished + 20
        finished = len(store)


# --- Claims ---


def _fill(folder, name, barrier, log):
    store = TensorStore(folder, LAYOUT)
    barrier.wait()
    keys = [str(number) for number in range(40)]
    for wait in (False, True):
        for first in range(0, 40, 4):
            with store.claim(keys[first : first + 4], wait) as mine:
                for key in mine:
                    time.sleep(0.002)
                    log.put((name, key))
                if mine:
                    store.write({key: record(int(key)) for key in mine})


def test_several_processes_share_the_work(tmp_path):
    context = multiprocessing.get_context("fork")
    barrier, log = context.Barrier(3), context.Queue()
    TensorStore(tmp_path, LAYOUT)
    processes = [context.Process(target=_fill, args=(tmp_path, name, barrier, log)) for name in range(3)]
    for process in processes:
        process.start()
    computed = [log.get(timeout=30) for _ in range(40)]
    for process in processes:
        process.join(30)
        assert process.exitcode == 0
    assert log.empty()  # nothing was computed twice
    assert sorted(int(key) for _, key in computed) == list(range(40))
    assert_holds(TensorStore(tmp_path, LAYOUT), range(40))


def test_claims_leave_out_what_exists(tmp_path):
    store = TensorStore(tmp_path, LAYOUT)
    store.write({"0": record(0)})
    with store.claim(["0", "1"]) as mine:
        assert mine == ["1"]


def test_free_disk_space_is_checked_first(tmp_path):
    require_space(tmp_path / "not" / "yet", 1000)
    with pytest.raises(ResourceError, match=r"1000000\.0 GB are needed on disk, and .* GB are free"):
        require_space(tmp_path, 10**15)
