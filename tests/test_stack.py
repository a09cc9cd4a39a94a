"""The stack on disk: what stack.json says comes back, damage is named, and a folder belongs to one run."""

import json
import os
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lamina.cli.inspect import lines
from lamina.color import SRGB
from lamina.errors import InputError, MediaError, OutputError
from lamina.layers.describe import InspectConfig, inspect
from lamina.media.ffv1 import write_segment
from lamina.media.fingerprint import source_fingerprint
from lamina.media.landing import whole_file, whole_folder
from lamina.media.stack import (
    PARTS,
    LayerRecord,
    OrderRun,
    SourceRecord,
    StackManifest,
    open_stack,
    read_manifest,
    run_record,
    to_json,
    write_manifest,
)
from lamina.media.work import claim, done, work_folder

FILM = Fraction(1, 24000)
SOURCE = SourceRecord("shots/fox.mp4", "ab12", 10, 13, first_number=10)
CONFIG = {"masks": [{"name": "fox", "path": "fox.mp4"}], "radius_px": 4, "preview": False}
MANIFEST = StackManifest(
    source=SOURCE,
    width=6,
    height=5,
    dtype="uint8",
    pts=(-1001, 0, 1001),
    time_base=FILM,
    color=SRGB,
    engine="propagate",
    config=CONFIG,
    layers=(
        LayerRecord("fox", "layers/fox.mkv", {"leak": 0.01}),
        LayerRecord("owl", "layers/owl.mkv", parts={part: f"layers/owl.{part}.mkv" for part in PARTS}),
    ),
    figures={"recompose_db": 52.5, "per_window": [1.5, 2.25]},
    order=(OrderRun(0, ("fox", "owl")), OrderRun(2, ("owl", "fox"))),
)


def write_stack(folder: Path) -> dict[str, np.ndarray]:
    chance = np.random.default_rng(0)
    shapes = {"plate.mkv": (3, 5, 6, 3), "layers/fox.mkv": (3, 5, 6, 4), "layers/owl.mkv": (3, 5, 6, 4)}
    shapes |= {f"layers/owl.{part}.mkv": (3, 5, 6, channels) for part, channels in PARTS.items()}
    pixels = {name: chance.integers(0, 256, shape, np.uint8) for name, shape in shapes.items()}
    for name, frames in pixels.items():
        write_segment(folder / name, frames, MANIFEST.pts, FILM)
    write_manifest(folder, MANIFEST)
    return pixels


def change(folder: Path, edit) -> None:
    data = json.loads((folder / "stack.json").read_text())
    edit(data)
    (folder / "stack.json").write_text(json.dumps(data))


def test_manifest_comes_back(tmp_path):
    write_manifest(tmp_path, MANIFEST)
    assert read_manifest(tmp_path) == MANIFEST
    first = (tmp_path / "stack.json").read_bytes()
    write_manifest(tmp_path, read_manifest(tmp_path))
    assert (tmp_path / "stack.json").read_bytes() == first
    assert b'"pts": [-1001, 0, 1001]' in first  # one line, however many frames


def test_manifest_is_the_contract_other_tools_read(tmp_path):
    write_manifest(tmp_path, MANIFEST)
    data = json.loads((tmp_path / "stack.json").read_text())
    assert data["version"] == 2
    assert [(layer["name"], layer["file"]) for layer in data["layers"]] == [
        ("fox", "layers/fox.mkv"),
        ("owl", "layers/owl.mkv"),
    ]
    assert data["layers"][1]["parts"] == {part: f"layers/owl.{part}.mkv" for part in ("object", "shadow", "light")}
    assert data["order"] == [
        {"first": 0, "back_to_front": ["fox", "owl"]},
        {"first": 2, "back_to_front": ["owl", "fox"]},
    ]
    assert data["time"]["base"] == "1/24000"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text(max_size=5), VALUES, max_size=4))
def test_json_keeps_every_value(data):
    assert json.loads(to_json(data)) == data
    assert to_json(json.loads(to_json(data))) == to_json(data)


def test_reader_gives_plate_and_layers(tmp_path):
    pixels = write_stack(tmp_path)
    stack = open_stack(tmp_path)
    assert stack.manifest.layer_names == ("fox", "owl")
    assert np.array_equal(list(stack.read_plate()), pixels["plate.mkv"])
    assert np.array_equal(list(stack.read_layer("owl", 1, 3)), pixels["layers/owl.mkv"][1:3])
    with pytest.raises(InputError, match="layer 'cat': got no layer of this name, wanted fox, owl"):
        stack.read_layer("cat")


def test_reader_gives_parts(tmp_path):
    pixels = write_stack(tmp_path)
    stack = open_stack(tmp_path)
    for part in PARTS:
        assert np.array_equal(list(stack.read_part("owl", part, 1, 3)), pixels[f"layers/owl.{part}.mkv"][1:3])
    with pytest.raises(InputError, match="layer 'cat': got no layer of this name, wanted fox, owl"):
        stack.read_part("cat", "shadow")
    with pytest.raises(InputError, match="part 'glow': got no such part, wanted object, shadow, light"):
        stack.read_part("owl", "glow")
    with pytest.raises(InputError, match="layer 'fox': got a layer in one piece, wanted one split into object, shadow"):
        stack.read_part("fox", "shadow")
    (tmp_path / "layers/owl.shadow.mkv").unlink()
    with pytest.raises(MediaError, match=r"owl\.shadow\.mkv: got No such file or directory"):
        list(stack.read_part("owl", "shadow"))


def test_order_is_known_for_every_frame():
    assert [MANIFEST.order_at(t) for t in range(3)] == [("fox", "owl"), ("fox", "owl"), ("owl", "fox")]
    for frame in (-1, 3):
        with pytest.raises(IndexError, match=f"frame {frame} of a stack of 3"):
            MANIFEST.order_at(frame)
    assert replace(MANIFEST, order=()).order == (OrderRun(0, ("fox", "owl")),)


def test_inspect_shows_order_and_parts(tmp_path):
    write_stack(tmp_path)
    facts = inspect(InspectConfig(tmp_path)).facts
    assert facts["layers"] == [
        {"name": "fox", "leak": 0.01},
        {"name": "owl", "parts": ["object", "shadow", "light"]},
    ]
    assert facts["order"] == [
        {"first": 0, "back_to_front": ["fox", "owl"]},
        {"first": 2, "back_to_front": ["owl", "fox"]},
    ]
    assert json.loads(json.dumps(facts)) == facts
    text = "\n".join(lines(dict(facts)))
    assert "name owl, parts object shadow light" in text
    assert "first 2, back to front owl fox" in text


VERSION_1 = """{
  "version": 1,
  "source": {"path": "fox.mp4", "hash": "ab12", "start": 0, "stop": 2, "first_number": 0, "padding": 0},
  "size": {"width": 6, "height": 5},
  "dtype": "uint8",
  "time": {"base": "1/24", "pts": [0, 1]},
  "color": {"matrix": "rgb", "range": "pc", "transfer": "iec61966-2-1", "primaries": "bt709"},
  "engine": "propagate",
  "config": {},
  "layers": [
    {"name": "fox", "file": "layers/fox.mkv", "figures": {"leak": 0.01}},
    {"name": "owl", "file": "layers/owl.mkv", "figures": {}}
  ],
  "figures": {}
}"""


def test_a_manifest_of_version_1_is_read(tmp_path):
    (tmp_path / "stack.json").write_text(VERSION_1)
    manifest = read_manifest(tmp_path)
    assert manifest.layers == (
        LayerRecord("fox", "layers/fox.mkv", {"leak": 0.01}),
        LayerRecord("owl", "layers/owl.mkv"),
    )
    assert manifest.order == (OrderRun(0, ("fox", "owl")),)
    write_manifest(tmp_path, manifest)
    assert read_manifest(tmp_path) == manifest
    assert json.loads((tmp_path / "stack.json").read_text())["version"] == 2


@pytest.mark.parametrize(
    "edit, message",
    [
        (lambda data: data.update(order=[]), "got unknown order in stack.json"),
        (lambda data: data["layers"][0].update(parts={}), "got unknown parts in layers"),
        (lambda data: data.pop("layers"), "got no layers in stack.json"),
    ],
)
def test_version_1_has_no_more_than_it_had(tmp_path, edit, message):
    (tmp_path / "stack.json").write_text(VERSION_1)
    change(tmp_path, edit)
    with pytest.raises(MediaError, match=message):
        read_manifest(tmp_path)


def test_reader_names_what_is_wrong(tmp_path):
    write_stack(tmp_path)
    stack = open_stack(tmp_path)
    (tmp_path / "layers/fox.mkv").unlink()
    with pytest.raises(MediaError, match=r"fox\.mkv: got No such file or directory"):
        list(stack.read_layer("fox"))
    whole = (tmp_path / "plate.mkv").read_bytes()
    (tmp_path / "plate.mkv").write_bytes(whole[:-30])
    with pytest.raises(MediaError, match=r"plate\.mkv: got \d+ of \d+ bytes"):
        list(stack.read_plate())
    write_segment(tmp_path / "plate.mkv", np.zeros((2, 5, 6, 3), np.uint8), (0, 1), FILM)
    with pytest.raises(MediaError, match=r"plate\.mkv: got 2 frames, wanted 3, as stack.json says"):
        list(stack.read_plate())
    write_segment(tmp_path / "plate.mkv", np.zeros((3, 5, 7, 3), np.uint16), (0, 1, 2), FILM)
    with pytest.raises(MediaError, match=r"got uint16 \(5, 7, 3\), wanted uint8 \(5, 6, 3\)"):
        list(stack.read_plate())


@pytest.mark.parametrize(
    "edit, message",
    [
        (lambda data: data.update(version=3), "got version 3, wanted version 1 to 2"),
        (lambda data: data.update(version=True), "got version True, wanted version 1 to 2"),
        (lambda data: data.update(sheet="x"), "got unknown sheet in stack.json"),
        (lambda data: data.pop("engine"), "got no engine in stack.json"),
        (lambda data: data["layers"][1].update(opacity=1), "got unknown opacity in layers"),
        (lambda data: data["source"].pop("hash"), "got no hash in source"),
        (lambda data: data["time"].update(base="fast"), "wanted values of the right kind"),
        (lambda data: data.update(size=3), "wanted values of the right kind"),
        (lambda data: data["layers"][0].update(file="../../secret"), "wanted a file inside the stack's folder"),
        (lambda data: data["layers"][0].update(file=3), "wanted values of the right kind"),
        (lambda data: data["layers"][1]["parts"].update(light="/etc/passwd"), "got layer file '/etc/passwd', wanted a"),
        (lambda data: data["layers"][1]["parts"].pop("light"), "got parts of owl: object, shadow instead of object"),
        (lambda data: data["layers"][1]["parts"].update(glow="x"), "got parts of owl: .*glow instead of object"),
        (lambda data: data.pop("order"), "got no order in stack.json"),
        (lambda data: data["order"].clear(), "got an empty order, wanted values of the right kind"),
        (lambda data: data["order"][0].pop("first"), "got no first in order"),
        (lambda data: data["order"][0].update(first=1), r"got order that begins at frames \[1, 2\], not at 0"),
        (lambda data: data["order"][1].update(first=0), r"got order that begins at frames \[0, 0\], not at 0"),
        (lambda data: data["order"][1].update(first=3), r"got order that begins at frames \[0, 3\], not .* below 3"),
        (lambda data: data["order"][1].update(back_to_front=["owl"]), "got order owl of the layers fox, owl"),
        (lambda data: data["order"][1].update(back_to_front=["owl"] * 2), "got order owl, owl of the layers fox, owl"),
    ],
)
def test_a_manifest_of_another_kind(tmp_path, edit, message):
    write_manifest(tmp_path, MANIFEST)
    change(tmp_path, edit)
    with pytest.raises(MediaError, match=message):
        read_manifest(tmp_path)


def test_no_manifest(tmp_path):
    with pytest.raises(MediaError, match=r"stack\.json: got No such file or directory, wanted the manifest of a stack"):
        open_stack(tmp_path)
    (tmp_path / "stack.json").write_text("{")
    with pytest.raises(MediaError, match=r"stack\.json: got Expecting property name"):
        open_stack(tmp_path)
    (tmp_path / "stack.json").write_text("[1]")
    with pytest.raises(MediaError, match="got version None"):
        open_stack(tmp_path)


def test_a_folder_goes_from_new_to_resumed_to_complete(tmp_path):
    out = tmp_path / "deep" / "out"
    assert claim(out, MANIFEST.run) == "new"
    (work_folder(out) / "plate.0000.mkv").write_text("")
    assert claim(out, run_record(SOURCE, "propagate", CONFIG)) == "resume"
    write_manifest(out, MANIFEST)
    done(out)
    assert sorted(entry.name for entry in out.iterdir()) == ["stack.json"]
    assert claim(out, MANIFEST.run) == "complete"


def test_claiming_twice_gives_the_same_bytes(tmp_path):
    claim(tmp_path / "a", MANIFEST.run)
    claim(tmp_path / "b", run_record(SOURCE, "propagate", dict(reversed(CONFIG.items()))))
    assert (tmp_path / "a/.work/run.json").read_bytes() == (tmp_path / "b/.work/run.json").read_bytes()


@pytest.mark.parametrize("finished", [False, True])
def test_another_run_is_refused_and_says_what_differs(tmp_path, finished):
    claim(tmp_path, MANIFEST.run)
    if finished:
        write_manifest(tmp_path, MANIFEST)
        done(tmp_path)
    other = run_record(SourceRecord("shots/fox.mp4", "cd34", 10, 13, 10), "propagate", CONFIG | {"radius_px": 5})
    message = r"another run: got config.radius_px = 4, source.hash = of other contents, wanted config.radius_px = 5, "
    with pytest.raises(OutputError, match=message + r"source.hash = of the contents that were given"):
        claim(tmp_path, other)
    assert claim(tmp_path, MANIFEST.run) == ("complete" if finished else "resume")


def test_foreign_files_are_refused_and_kept(tmp_path):
    (tmp_path / "holiday.jpg").write_text("x")
    with pytest.raises(OutputError, match=r"holds other files: got holiday\.jpg, wanted an empty or a new"):
        claim(tmp_path, MANIFEST.run)
    assert [entry.name for entry in tmp_path.iterdir()] == ["holiday.jpg"]
    with pytest.raises(OutputError, match="got a file, wanted a folder"):
        claim(tmp_path / "holiday.jpg", MANIFEST.run)


def test_unreadable_records_are_refused(tmp_path):
    claim(tmp_path / "a", MANIFEST.run)
    (work_folder(tmp_path / "a") / "run.json").write_text("{")
    with pytest.raises(OutputError, match=r"got a \.work/run\.json that cannot be read"):
        claim(tmp_path / "a", MANIFEST.run)
    (tmp_path / "b").mkdir()
    (tmp_path / "b/stack.json").write_text('{"version": 9}')
    with pytest.raises(OutputError, match=r"got a stack\.json that cannot be read \(version 9\)"):
        claim(tmp_path / "b", MANIFEST.run)


def test_not_writable(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"writing .*run\.json: got Not a directory, wanted a writable place"):
        claim(tmp_path / "file" / "out", MANIFEST.run)


def test_fingerprint_of_a_movie(tmp_path):
    chance = np.random.default_rng(0)
    content = chance.bytes(20 * 2**20)
    (tmp_path / "a.mp4").write_bytes(content)
    (tmp_path / "b.mov").write_bytes(content)
    same = source_fingerprint(tmp_path / "a.mp4")
    assert source_fingerprint(tmp_path / "b.mov") == same and len(same) == 64
    os.utime(tmp_path / "a.mp4", (0, 0))
    assert source_fingerprint(tmp_path / "a.mp4") == same
    for at in (0, 10, len(content) - 1):
        (tmp_path / "b.mov").write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        assert source_fingerprint(tmp_path / "b.mov") != same
    (tmp_path / "b.mov").write_bytes(content + b"x")
    assert source_fingerprint(tmp_path / "b.mov") != same


def test_fingerprint_of_a_sequence(tmp_path):
    folder = tmp_path / "shot"
    folder.mkdir()
    for number in range(1001, 1005):
        (folder / f"shot.{number}.png").write_bytes(b"picture")
    same = source_fingerprint(folder)
    assert source_fingerprint(folder / "shot.%04d.png") == source_fingerprint(folder / "shot.####.png") == same
    (folder / "shot.1004.png").write_bytes(b"pictura")
    assert source_fingerprint(folder) != same
    (folder / "shot.1004.png").rename(folder / "shot.1005.png")
    assert source_fingerprint(folder) != same
    with pytest.raises(InputError, match="got no file, wanted a movie or a sequence"):
        source_fingerprint(tmp_path / "gone.####.png")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=3)
@given(st.sampled_from([KeyboardInterrupt, ValueError, MemoryError]))
def test_nothing_half_written_appears(tmp_path, error):
    with pytest.raises(error), whole_file(tmp_path / "a") as part:
        part.write_text("half")
        raise error
    with pytest.raises(error), whole_folder(tmp_path / "b") as part:
        (part / "c").write_text("half")
        raise error
    assert not any(tmp_path.iterdir())


def test_a_folder_with_files_is_never_replaced(tmp_path):
    (tmp_path / "out").mkdir()
    with whole_folder(tmp_path / "out") as part:
        (part / "a").write_text("whole")
    with pytest.raises(OutputError, match="got a folder that holds files"), whole_folder(tmp_path / "out"):
        pass
    assert (tmp_path / "out/a").read_text() == "whole"
