"""Shards: what is written comes back; stopped and gone on gives the same bytes; damage is found and named."""

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from pair_makers import ToySource, known_pair, same, toy_pair
from safetensors.numpy import load_file, save_file

from lamina.errors import InputError, MediaError, OutputError
from lamina.synth.pair import DRAWS, Pair
from lamina.synth.shards import ShardSource, check_shards, make_shards, read_index, read_pair


@dataclass(frozen=True)
class StopsAt:
    """A source whose process is killed at one seed."""

    seed: int
    name: str = "toy"

    def pair(self, seed: int) -> Pair:
        if seed == self.seed:
            raise KeyboardInterrupt
        return toy_pair(seed)


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_pairs_come_back(tmp_path):
    told = []
    index = make_shards(ToySource(), tmp_path, 5, {"size": [24, 16]}, per_file=2, report=lambda *at: told.append(at))
    assert sorted(files(tmp_path)) == ["00000.safetensors", "00001.safetensors", "00002.safetensors", "index.json"]
    assert told == [("pairs", 0, 5), ("pairs", 2, 5), ("pairs", 4, 5), ("pairs", 5, 5)]
    assert read_index(tmp_path) == index and check_shards(tmp_path) == 5
    for seed, entry in enumerate(index.entries):
        assert same(read_pair(tmp_path, entry), toy_pair(seed))


def test_files_are_read_by_others(tmp_path):
    make_shards(ToySource(), tmp_path, 2, {})
    tensors = load_file(tmp_path / "00000.safetensors")
    assert sorted(tensors) == ["0.input", "0.target", "0.trimask", "1.input", "1.target", "1.trimask"]
    assert np.array_equal(tensors["1.target"], toy_pair(1).target)


@pytest.mark.parametrize("stop", [0, 1, 2, 3, 6])
def test_going_on_gives_the_same_bytes(tmp_path, stop: int):
    make_shards(ToySource(), tmp_path / "whole", 7, {"a": 1}, per_file=2)
    with pytest.raises(KeyboardInterrupt):
        make_shards(StopsAt(stop), tmp_path / "stopped", 7, {"a": 1}, per_file=2)
    left = files(tmp_path / "stopped") if (tmp_path / "stopped").exists() else {}
    assert not [name for name in left if name.startswith(".")]
    make_shards(ToySource(), tmp_path / "stopped", 7, {"a": 1}, per_file=2)
    assert files(tmp_path / "stopped") == files(tmp_path / "whole")


def test_more_are_added(tmp_path):
    make_shards(ToySource(), tmp_path / "whole", 7, {}, per_file=2)
    for count in (3, 7, 5):
        make_shards(ToySource(), tmp_path / "grown", count, {}, per_file=2)
    assert files(tmp_path / "grown") == files(tmp_path / "whole")


def test_what_is_there_is_not_made_again(tmp_path):
    make_shards(ToySource(), tmp_path, 4, {}, per_file=2)
    make_shards(StopsAt(3), tmp_path, 4, {}, per_file=2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"recipe": {"a": 2}}, r'got recipe = {"a": 1}, wanted recipe = {"a": 2}'),
        ({"per_file": 3}, "got per_file = 2, wanted per_file = 3"),
        ({"first_seed": 9}, "got first_seed = 0, wanted first_seed = 9"),
        ({"source": ToySource("other")}, 'got source = "toy", wanted source = "other"'),
    ],
)
def test_other_shards_are_not_added_to(tmp_path, change: dict, message: str):
    make_shards(ToySource(), tmp_path, 2, {"a": 1}, per_file=2)
    before = files(tmp_path)
    given = {"source": ToySource(), "folder": tmp_path, "count": 4, "recipe": {"a": 1}, "per_file": 2}
    with pytest.raises(OutputError, match=message):
        make_shards(**(given | change))
    assert files(tmp_path) == before


def test_foreign_files_are_left_alone(tmp_path):
    (tmp_path / "holiday.jpg").write_bytes(b"sea")
    with pytest.raises(OutputError, match="got files that are no shards: holiday.jpg, wanted a new or an empty folder"):
        make_shards(ToySource(), tmp_path, 1, {})
    with pytest.raises(OutputError, match="got a file, wanted a new or an empty folder"):
        make_shards(ToySource(), tmp_path / "holiday.jpg", 1, {})
    assert files(tmp_path) == {"holiday.jpg": b"sea"}


def test_counts_that_make_no_sense(tmp_path):
    with pytest.raises(ValueError, match="Expected count and per_file of at least 1, got 0 and 8"):
        make_shards(ToySource(), tmp_path, 0, {})


def test_a_changed_byte_is_found(tmp_path):
    entry = make_shards(ToySource(), tmp_path, 2, {}).entries[1]
    path = tmp_path / "00000.safetensors"
    tensors = load_file(path)
    tensors["1.target"] = tensors["1.target"] ^ np.uint8(1)
    save_file(tensors, path)
    with pytest.raises(MediaError, match=r"00000.safetensors: got pair 1 with the checksum \w{12}, wanted \w{12}, as"):
        read_pair(tmp_path, entry)
    with pytest.raises(MediaError, match="with the checksum"):
        check_shards(tmp_path)


def test_a_file_cut_short_or_gone(tmp_path):
    entry = make_shards(ToySource(), tmp_path, 1, {}).entries[0]
    path = tmp_path / "00000.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(MediaError, match="00000.safetensors: got .*, wanted a whole shard"):
        read_pair(tmp_path, entry)
    path.unlink()
    with pytest.raises(MediaError, match="00000.safetensors: got .*, wanted a whole shard"):
        read_pair(tmp_path, entry)


def test_other_shapes_than_the_index_says(tmp_path):
    entry = make_shards(ToySource(), tmp_path, 1, {}).entries[0]
    make_shards(ToySource(frames=4), tmp_path / "other", 1, {})
    (tmp_path / "00000.safetensors").write_bytes((tmp_path / "other" / "00000.safetensors").read_bytes())
    with pytest.raises(MediaError, match=r"got pair 0 of shapes \[\(4, 16, 24, 3\).* wanted \[\(5, 16, 24, 3\)"):
        read_pair(tmp_path, entry)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda data: data.update(version=9), "got version 9, wanted version 1"),
        (lambda data: data.pop("pairs"), "got KeyError: 'pairs', wanted the index of shards"),
        (lambda data: data["pairs"][0].update(colour=1), "got TypeError: .*colour"),
        (lambda data: data["pairs"][0].update(file="../x.safetensors"), "got file '../x.safetensors', wanted files"),
    ],
)
def test_an_index_of_another_kind(tmp_path, edit, message: str):
    make_shards(ToySource(), tmp_path, 1, {})
    data = json.loads((tmp_path / "index.json").read_text())
    edit(data)
    (tmp_path / "index.json").write_text(json.dumps(data))
    with pytest.raises(MediaError, match=message):
        read_index(tmp_path)


def test_no_index(tmp_path):
    with pytest.raises(MediaError, match="index.json: got No such file or directory, wanted the index of shards"):
        ShardSource(tmp_path).pair(0)


def test_no_pairs(tmp_path):
    (tmp_path / "index.json").write_text('{"version": 1, "recipe": {}, "pairs": []}')
    with pytest.raises(InputError, match="got an index without pairs, wanted at least one pair"):
        ShardSource(tmp_path).pair(0)


def test_every_round_has_every_pair_once(tmp_path):
    make_shards(ToySource(), tmp_path, 6, {}, per_file=4)
    source = ShardSource(tmp_path)
    for stream in (0, 5):
        rounds = [[source.pair(stream * DRAWS + 6 * turn + k).seed for k in range(6)] for turn in range(4)]
        assert all(Counter(seeds) == Counter(range(6)) for seeds in rounds)
        assert len({tuple(seeds) for seeds in rounds}) > 1
    assert same(source.pair(3), ShardSource(tmp_path).pair(3))


@dataclass(frozen=True)
class Looked:
    """Every other pair says what other frames show."""

    name: str = "toy"

    def pair(self, seed: int) -> Pair:
        return known_pair(seed) if seed % 2 else toy_pair(seed)


def test_what_is_known_comes_back(tmp_path):
    index = make_shards(Looked(), tmp_path, 4, {}, per_file=4)
    assert [entry.known for entry in index.entries] == [False, True, False, True] and check_shards(tmp_path) == 4
    for seed, entry in enumerate(read_index(tmp_path).entries):
        assert same(read_pair(tmp_path, entry), Looked().pair(seed))
    assert {"1.known", "1.sure"} <= set(load_file(tmp_path / "00000.safetensors"))


def test_a_changed_byte_of_what_is_known_is_found(tmp_path):
    entry = make_shards(Looked(), tmp_path, 2, {}).entries[1]
    path = tmp_path / "00000.safetensors"
    tensors = load_file(path)
    save_file(tensors | {"1.sure": tensors["1.sure"] ^ np.uint8(1)}, path)
    with pytest.raises(MediaError, match="got pair 1 with the checksum"):
        read_pair(tmp_path, entry)


def test_an_index_that_says_nothing_of_it(tmp_path):
    """As they were written before pairs could hold it."""
    make_shards(ToySource(), tmp_path, 1, {})
    data = json.loads((tmp_path / "index.json").read_text())
    assert data["pairs"][0].pop("known") is False
    (tmp_path / "index.json").write_text(json.dumps(data))
    assert same(read_pair(tmp_path, read_index(tmp_path).entries[0]), toy_pair(0))


def test_an_index_that_says_too_much(tmp_path):
    make_shards(ToySource(), tmp_path, 1, {})
    data = json.loads((tmp_path / "index.json").read_text())
    data["pairs"][0]["known"] = True
    (tmp_path / "index.json").write_text(json.dumps(data))
    with pytest.raises(MediaError, match="00000.safetensors: got .*0.known.*, wanted a whole shard"):
        read_pair(tmp_path, read_index(tmp_path).entries[0])
