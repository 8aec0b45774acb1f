"""Small tokenizers of every kind, and what Hugging Face's `tokenizers` makes of texts with them.

    python make_tokenizers.py

Writes goldens/tokenizers/NAME.json, a tokenizer.json, and goldens/tokenizers/cases.json: of each
tokenizer texts with their tokens, and tokens with their text. Together they have every model,
pre-tokenizer and decoder of the library; `main` stops if one is missing.
"""

import json
import random
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors, trainers

OUT = Path(__file__).parent / "goldens" / "tokenizers"

CORPUS = [
    "red green blue, red green blue.",
    "Ana has 12 apples; she's eaten 3. How many does she have?",
    "It's a test, isn't it? We do not know! They've gone, I'm here.",
    "Größe äußern, 漢字 漢字, привет мир 🍎🍎",
    "  two  spaces\tand tabs\nand lines\n",
]

TEXTS = [
    "red",
    "red green",
    " red  green ",
    "Ana has 12 apples.",
    "She isn't here, is she? I'm not! They've 'quotes'.",
    "漢字 and 🍎, Größe",
    "привет\nмир\t1234567890",
    "unknown: ÆŒ ∑ 🚀🚀",
    "",
]

LETTERS = "abcdefghijklmnopqrstuvwxyz"

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]


def words() -> list[str]:
    return sorted({word for text in CORPUS for word, _ in pre_tokenizers.Whitespace().pre_tokenize_str(text)})


def word_level(unk="[UNK]") -> models.WordLevel:
    return models.WordLevel({word: i for i, word in enumerate([unk, *words()])}, unk_token=unk)


def bpe(tokenizer: Tokenizer, size=180, special=("<unk>", "</s>"), **options) -> Tokenizer:
    options = {"show_progress": False, "min_frequency": 2, **options}
    trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=list(special), **options)
    tokenizer.train_from_iterator(CORPUS * 3, trainer)
    return tokenizer


def byte_tokens() -> list[str]:
    return [f"<0x{byte:02X}>" for byte in range(256)]


def byte_level(add_prefix_space=False) -> Tokenizer:
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=add_prefix_space)
    made.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    return bpe(made, size=300, special=["<|endoftext|>"], initial_alphabet=alphabet)


def split_then_byte_level() -> Tokenizer:
    """As Qwen and Llama 3 have it."""
    made = Tokenizer(models.BPE())
    pattern = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    made.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(pattern), "isolated"), level])
    made.normalizer = normalizers.NFC()
    made.decoder = decoders.ByteLevel()
    made.post_processor = processors.ByteLevel(trim_offsets=False)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    return bpe(made, size=300, special=["<|endoftext|>", "<|im_end|>"], initial_alphabet=alphabet)


def byte_fallback() -> Tokenizer:
    """As Llama and Mixtral have it: a normalizer in place of a pre-tokenizer."""
    pieces = ["<unk>", "<s>", "</s>", *byte_tokens(), "▁", *"abcdefghinorstuw.,", "re", "▁re", "▁red", "▁g", "ee", "▁gree", "▁green"]
    merges = [("r", "e"), ("▁", "re"), ("▁re", "d"), ("▁", "g"), ("e", "e"), ("▁g", "ree"), ("▁gree", "n")]
    pieces.append("ree")
    merges.insert(5, ("r", "ee"))
    vocab = {piece: i for i, piece in enumerate(pieces)}
    made = Tokenizer(models.BPE(vocab, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    made.add_special_tokens([AddedToken(name, special=True) for name in ("<unk>", "<s>", "</s>")])
    made.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    made.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    made.post_processor = processors.TemplateProcessing(single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 1)])
    return made


def metaspace_words(scheme="always") -> Tokenizer:
    made = Tokenizer(models.WordLevel({w: i for i, w in enumerate(["<unk>", *("▁" + word for word in words()), "red", "</s>"])}, "<unk>"))
    made.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme)
    made.decoder = decoders.Metaspace(prepend_scheme=scheme)
    return made


def unigram() -> Tokenizer:
    """As T5 has it."""
    pieces = ["▁red", "▁green", "▁blue", "▁a", "re", "en", "▁", *LETTERS, "."]
    scores = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), *((piece, -2.0 - i / 8) for i, piece in enumerate(pieces))]
    made = Tokenizer(models.Unigram(scores, unk_id=2))
    made.add_special_tokens([AddedToken(name, special=True) for name in ("<pad>", "</s>", "<unk>")])
    made.normalizer = normalizers.Sequence([normalizers.Nmt(), normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")])
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    made.decoder = decoders.Metaspace()
    made.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return made


def word_piece(cleanup: bool) -> Tokenizer:
    """As BERT has it."""
    marks = ".,!?;:'"
    pieces = [*SPECIAL, *LETTERS, *("##" + letter for letter in LETTERS), *marks, "red", "gr", "##een", "do", "not", "is", "##n"]
    vocab = {piece: i for i, piece in enumerate(pieces)}
    made = Tokenizer(models.WordPiece(vocab, unk_token="[UNK]", max_input_chars_per_word=20))
    made.normalizer = normalizers.BertNormalizer(lowercase=cleanup)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.decoder = decoders.WordPiece(cleanup=cleanup)
    made.add_special_tokens([AddedToken(name, special=True) for name in SPECIAL])
    made.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return made


def end_of_word() -> Tokenizer:
    """As GPT and CLIP have it."""
    pieces = ["<unk>", *LETTERS, *(letter + "</w>" for letter in LETTERS), ".</w>", "re", "red</w>", "gr", "en</w>", "een</w>"]
    merges = [("r", "e"), ("re", "d</w>"), ("g", "r"), ("e", "n</w>"), ("e", "en</w>")]
    vocab = {piece: i for i, piece in enumerate(pieces)}
    made = Tokenizer(models.BPE(vocab, merges, unk_token="<unk>", end_of_word_suffix="</w>"))
    made.normalizer = normalizers.Lowercase()
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.decoder = decoders.BPEDecoder(suffix="</w>")
    return made


def ctc() -> Tokenizer:
    letters = ["<pad>", "<s>", "</s>", "<unk>", "|", *"ETAONIHSRDLUMWCFGYPBVK'XJQZ"]
    made = Tokenizer(models.WordLevel({letter: i for i, letter in enumerate(letters)}, "<unk>"))
    upper = [normalizers.Replace(letter, letter.upper()) for letter in "abcdefghijklmnopqrstuvwxyz"]
    made.normalizer = normalizers.Sequence([*upper, normalizers.Replace(" ", "|")])
    made.pre_tokenizer = pre_tokenizers.FixedLength(1)
    made.decoder = decoders.CTC()
    return made


def digits() -> Tokenizer:
    made = Tokenizer(models.BPE(unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation("isolated"), pre_tokenizers.Digits(individual_digits=True)]
    )
    made.decoder = decoders.Fuse()
    return bpe(made)


def scripts() -> Tokenizer:
    """Drops what it does not know: no unknown token, no bytes to fall back to."""
    made = Tokenizer(models.BPE())
    made.normalizer = normalizers.Sequence([normalizers.NFD(), normalizers.StripAccents(), normalizers.Strip()])
    made.pre_tokenizer = pre_tokenizers.UnicodeScripts()
    made.decoder = decoders.Sequence([decoders.Replace(Regex("[0-9]"), "#"), decoders.Fuse()])
    return bpe(made, special=["</s>"])


def delimited() -> Tokenizer:
    made = Tokenizer(word_level())
    made.pre_tokenizer = pre_tokenizers.CharDelimiterSplit(" ")
    return made  # and no decoder


def stripped() -> Tokenizer:
    made = Tokenizer(word_level())
    made.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    made.add_tokens(["red ", "green ", "  ", " blue"])
    made.decoder = decoders.Sequence([decoders.Fuse(), decoders.Replace("e", "ee"), decoders.Strip(" ", 2, 2)])
    return made


MADE = {
    "byte_level": byte_level,
    "byte_level_prefix_space": lambda: byte_level(add_prefix_space=True),
    "split_then_byte_level": split_then_byte_level,
    "byte_fallback": byte_fallback,
    "metaspace_always": metaspace_words,
    "metaspace_first": lambda: metaspace_words("first"),
    "metaspace_never": lambda: metaspace_words("never"),
    "unigram": unigram,
    "word_piece": lambda: word_piece(cleanup=False),
    "word_piece_cleanup": lambda: word_piece(cleanup=True),
    "end_of_word": end_of_word,
    "ctc": ctc,
    "digits": digits,
    "scripts": scripts,
    "delimited": delimited,
    "stripped": stripped,
}


def decoded(tokenizer: Tokenizer, ids: list[int]) -> str | None:
    """None where the library panics: its Strip does, on a token with nothing left to strip."""
    try:
        return tokenizer.decode(ids, skip_special_tokens=False)
    except BaseException:
        return None


def cases(tokenizer: Tokenizer, seed: str) -> dict:
    encoded = []
    for text in TEXTS:
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        encoded.append({"text": text, "ids": ids, "decoded": decoded(tokenizer, ids)})
    # Any tokens whatever, as a model that has learned nothing writes them.
    draw = random.Random(seed)
    known = sorted(tokenizer.get_vocab(with_added_tokens=True).values())
    drawn = [draw.choices(known, k=draw.randrange(1, 30)) for _ in range(20)]
    return {
        "encoded": encoded,
        "drawn": [{"ids": ids, "decoded": decoded(tokenizer, ids)} for ids in drawn],
    }


def kinds(value) -> set:
    """The `type` of everything in a tokenizer.json."""
    if isinstance(value, dict):
        own = {value["type"]} if isinstance(value.get("type"), str) else set()
        return own.union(*map(kinds, value.values()))
    return set().union(*map(kinds, value)) if isinstance(value, list) else set()


def main() -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    all_cases, found = {}, set()
    for name, make in MADE.items():
        tokenizer = make()
        path = OUT / f"{name}.json"
        path.write_text(json.dumps(json.loads(tokenizer.to_str()), ensure_ascii=False, separators=(",", ":")) + "\n")
        tokenizer = Tokenizer.from_file(str(path))
        found |= kinds(json.loads(tokenizer.to_str()))
        all_cases[name] = cases(tokenizer, name)
    # A case a line.
    text = json.dumps(all_cases, ensure_ascii=False).replace("}, {", "},\n{").replace(": [{", ": [\n{")
    (OUT / "cases.json").write_text(text + "\n")
    for module in (models, pre_tokenizers, decoders):
        for kind in dir(module):
            if kind[0].isupper() and kind not in ("Model", "PreTokenizer", "Decoder", "DecodeStream"):
                assert kind in found, f"no {module.__name__}.{kind}"


if __name__ == "__main__":
    main()
