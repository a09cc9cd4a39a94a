"""Prompts as numbers of tokens, from the files that published models bring along."""

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lamina.backbones.checkpoint import imported
from lamina.errors import WeightsError

Tokenize = Callable[[str], list[int]]

SENTINELS = 100
"""T5 has so many further tokens that its SentencePiece file does not list."""
END, UNKNOWN_ID = "</s>", 2
PIECE, TEXT, SCORE, NORMALIZER, CHARS_MAP = 1, 1, 2, 3, 2
"""Numbers of fields in sentencepiece_model.proto, outer and inner."""
WIRE_VARINT, WIRE_64, WIRE_BYTES, WIRE_32 = 0, 1, 2, 5


def open_tokenizer(folder: Path, most_tokens: int) -> Tokenize:
    """A T5 tokenizer from tokenizer.json, or from the SentencePiece file spiece.model.

    Its numbers end with that of the end token, and are cut to `most_tokens` with it; nothing is padded.

    Raises:
        WeightsError: neither file is there, or one cannot be read.
    """
    tokenizers = imported("tokenizers")
    found = next((folder / name for name in ("tokenizer.json", "spiece.model") if (folder / name).is_file()), None)
    if found is None:
        wanted = "tokenizer.json or spiece.model"
        raise WeightsError(f"tokenizer {folder}", got="neither file", wanted=wanted, do="Download the folder again.")
    try:
        is_json = found.suffix == ".json"
        tokenizer = tokenizers.Tokenizer.from_file(str(found)) if is_json else _from_sentencepiece(tokenizers, found)
    except Exception as error:  # tokenizers raises plain exceptions
        got = str(error).partition("\n")[0]
        raise WeightsError(f"tokenizer {found}", got=got, wanted="a whole file", do="Download it again.") from error
    tokenizer.no_padding()
    tokenizer.enable_truncation(most_tokens)
    return lambda prompt: tokenizer.encode(prompt).ids


def _from_sentencepiece(tokenizers: Any, file: Path) -> Any:
    """A tokenizer of the Unigram kind as T5 uses it: words apart, each with a mark before it, an end token after."""
    fields = _fields(file.read_bytes())
    vocabulary = [_piece(dict(_fields(value))) for number, value in fields if number == PIECE]
    vocabulary += [(f"<extra_id_{k}>", 0.0) for k in reversed(range(SENTINELS))]
    tokenizer = tokenizers.Tokenizer(tokenizers.models.Unigram(vocabulary, unk_id=UNKNOWN_ID))
    chars_map = dict(_fields(dict(fields).get(NORMALIZER, b""))).get(CHARS_MAP)
    if chars_map:
        tokenizer.normalizer = tokenizers.normalizers.Precompiled(chars_map)
    mark = tokenizers.pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always", split=True)
    split = tokenizers.pre_tokenizers.WhitespaceSplit()
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Sequence([split, mark])
    end = END, tokenizer.token_to_id(END)
    template = tokenizers.processors.TemplateProcessing
    tokenizer.post_processor = template(single=["$A", END], pair=["$A", END, "$B", END], special_tokens=[end])
    return tokenizer


def _piece(fields: dict[int, Any]) -> tuple[str, float]:
    [score] = struct.unpack("<f", fields.get(SCORE, b"\0\0\0\0"))
    return fields[TEXT].decode(), score


def _fields(data: bytes) -> list[tuple[int, Any]]:
    """Numbers and values of a message of protocol buffers: bytes, or whole numbers."""
    found, place = [], 0
    while place < len(data):
        tag, place = _varint(data, place)
        if tag & 7 == WIRE_VARINT:
            value, place = _varint(data, place)
        else:
            size, place = _varint(data, place) if tag & 7 == WIRE_BYTES else ({WIRE_64: 8, WIRE_32: 4}[tag & 7], place)
            value, place = data[place : place + size], place + size
        found.append((tag >> 3, value))
    return found


def _varint(data: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        value |= (data[place] & 127) << shift
        place, shift = place + 1, shift + 7
        if data[place - 1] < 128:
            return value, place
