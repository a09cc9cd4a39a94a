"""Real clips with masks: found on disk, read in the length and at the size asked for."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from media_makers import cut_short, picture, write_images, write_movie
from pair_makers import SIZE, ground, masked_clip, walk, walker

from lamina.errors import InputError, MediaError
from lamina.synth.masked_clip import MaskedClip, find_clips, find_masks, read_small, size_within


def test_clips_are_found(tmp_path):
    walker(tmp_path, "b_walker")
    (tmp_path / "a_movie").mkdir()
    write_movie(tmp_path / "a_movie" / "input_video.mp4")
    write_movie(tmp_path / "a_movie" / "mask_1.mp4", [np.zeros((48, 64, 3), np.uint8)] * 12)
    write_movie(tmp_path / "a_movie" / "total_mask.mp4", 12)
    (tmp_path / "a_movie" / "prompt.json").write_text('{"bg": " a street "}')
    (tmp_path / "nothing").mkdir()
    movie, images = find_clips(tmp_path)
    assert (movie.name, movie.caption, movie.info.frames) == ("a_movie", "a street", 12)
    assert [path.name for path in movie.masks] == ["mask_1.mp4"]
    assert (images.name, len(images.masks), images.info.width) == ("b_walker", 1, SIZE[0])
    assert find_clips(tmp_path / "a_movie") == (movie,)


def test_no_clips(tmp_path):
    with pytest.raises(InputError, match="got no such folder, wanted a folder of clips"):
        find_clips(tmp_path / "gone")
    with pytest.raises(InputError, match="got no folder with a clip, wanted NAME/input.mp4"):
        find_clips(tmp_path)


def test_a_mask_number_twice(tmp_path):
    (tmp_path / "mask_01").mkdir()
    (tmp_path / "mask_1.mp4").touch()
    with pytest.raises(InputError, match="got mask_01 and mask_1.mp4, wanted each number once"):
        find_masks(tmp_path)


@pytest.mark.parametrize("text", ["{", "{}", "[]"])
def test_an_unreadable_prompt(tmp_path, text: str):
    (walker(tmp_path).video.parent / "prompt.json").write_text(text)
    with pytest.raises(MediaError, match='prompt.json: got .*, wanted JSON with the key "bg"'):
        find_clips(tmp_path)


def test_frames_of_clip_and_mask_differ(tmp_path):
    clip = masked_clip(tmp_path, "odd", [ground(0)] * 6, [[walk(t) for t in range(5)]])
    with pytest.raises(InputError, match="mask 'odd_00': got 5 frames, wanted 6, as many as the clip"):
        clip.objects(0, 6, SIZE)


def test_unreadable_files(tmp_path):
    clip = walker(tmp_path)
    (clip.video / "00003.png").write_bytes(b"no picture")
    with pytest.raises(MediaError, match="image .*00003.png: got 10 bytes that cannot be read"):
        read_small(clip.source.read(0, 5), 5, SIZE)
    broken = MaskedClip("broken", cut_short(write_movie(tmp_path / "whole.mp4", 40)))
    with pytest.raises(MediaError, match="cut"):
        read_small(broken.source.read(0, 40), 40, SIZE)


def test_objects_are_united_or_single(tmp_path):
    masks = [[walk(t) for t in range(6)], [walk(t + 3) for t in range(6)]]
    clip = masked_clip(tmp_path, "two", [ground(0)] * 6, masks)
    first, second = (np.stack(own) > 0 for own in masks)
    assert np.array_equal(clip.objects(1, 6, SIZE), (first | second)[1:])
    assert np.array_equal(clip.objects(0, 6, SIZE, only=1), second)
    assert not replace(clip, masks=()).objects(0, 6, SIZE).any()


def test_half_and_more_is_the_object(tmp_path):
    soft = np.zeros((40, 64), np.uint8)
    soft[:, :20], soft[:, 20:40] = 127, 128
    clip = masked_clip(tmp_path, "soft", [ground(0)] * 2, [[soft] * 2])
    assert np.array_equal(clip.objects(0, 2, SIZE), np.stack([soft == 128] * 2))
    united = next(clip.read_masks(0, 1, SIZE))
    assert np.array_equal(united[0], soft == 128)


@pytest.mark.parametrize(
    ("size", "small"), [((1920, 1080), (512, 288)), ((1080, 1920), (288, 512)), ((320, 200), (320, 200))]
)
def test_sizes(tmp_path, size: tuple[int, int], small: tuple[int, int]):
    info = replace(walker(tmp_path).info, width=size[0], height=size[1])
    assert size_within(info, 288) == small


def test_16_bits_become_8(tmp_path):
    pictures = [picture(t).astype(np.uint16) * 257 for t in range(3)]
    clip = MaskedClip("deep", write_images(tmp_path / "deep", pictures))
    small = read_small(clip.source.read(0, 3), 3, (64, 48))
    assert np.array_equal(small, [picture(t) for t in range(3)])


def test_only_the_frames_asked_for_are_in_memory(tmp_path):
    big = [np.zeros((480, 640, 3), np.uint8)] * 60
    clip = MaskedClip("big", write_movie(tmp_path / "big.mp4", big))
    clip.source  # noqa: B018  opened, so that its index is not counted
    tracemalloc.start()
    read_small(clip.source.read(40, 60), 20, (64, 48))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5 * big[0].nbytes

