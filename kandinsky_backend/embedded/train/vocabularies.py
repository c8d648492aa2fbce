"""The two tokenizers, trained on the captions: CLIP's byte pairs for the prior, XLM-R's pieces for the decoder."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import CLIPTokenizerFast, PreTrainedTokenizerFast, XLMRobertaTokenizerFast

from .captions import LANGUAGES, Said, caption, random_said
from .scenes import COUNTS, TEXTURES, combinations

CONTEXT = 77  # tokens
CLIP_VOCABULARY = 1536
XLMR_VOCABULARY = 768
# How CLIP cuts text into words: openai/CLIP, simple_tokenizer.py.
_CLIP_WORDS = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"


def corpus(seed: int, rounds: int = 12) -> Iterator[str]:
    """Captions of every combination that training may see, in every language."""
    rng = np.random.default_rng(seed)
    for shape, colour, ground in combinations(unseen=False) * rounds:
        count, texture = COUNTS[rng.integers(len(COUNTS))], TEXTURES[rng.integers(len(TEXTURES))]
        said = random_said(Said(shape, colour, ground, count, texture), rng)
        yield from (caption(said, language, int(rng.integers(3))) for language in LANGUAGES)


def clip_tokenizer(folder: Path) -> CLIPTokenizerFast:
    """The prior's tokenizer; trained at the first call and kept in `folder`.

    Each Chinese character is a word: cut by CLIP's rule alone, a whole sentence without spaces would be one.
    """
    if not (folder / "vocab.json").exists():
        folder.mkdir(parents=True, exist_ok=True)
        _train_clip(folder)
    files = str(folder / "vocab.json"), str(folder / "merges.txt")
    tokenizer = CLIPTokenizerFast(*files, model_max_length=CONTEXT)
    words = tokenizer.backend_tokenizer
    by_character = pre_tokenizers.Split(Regex(r"[\u4e00-\u9fff]"), "isolated")
    words.pre_tokenizer = pre_tokenizers.Sequence([by_character, words.pre_tokenizer])
    return tokenizer


def _train_clip(folder: Path) -> None:
    """Byte pairs over all 256 bytes, so that any text has tokens; the two special tokens come last, as in CLIP."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_CLIP_WORDS), "removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    size = CLIP_VOCABULARY - len(letters) - 2
    trainer = trainers.BpeTrainer(vocab_size=size, end_of_word_suffix="</w>", initial_alphabet=letters)
    tokenizer.train_from_iterator(corpus(0), trainer)
    tokenizer.model.save(str(folder))
    learnt = json.loads((folder / "vocab.json").read_text("utf-8"))
    others = (f"{letter}</w>" for letter in letters if f"{letter}</w>" not in learnt)
    ids = {token: i for i, token in enumerate([*learnt, *others, "<|startoftext|>", "<|endoftext|>"])}
    (folder / "vocab.json").write_text(json.dumps(ids, ensure_ascii=False), "utf-8")


def adopt_vocabularies(clip: Path, xlmr: Path, folder: Path) -> None:
    """Keep in `folder` the tokenizers of two exported pipelines instead of training them."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(xlmr / "tokenizer.json", folder)
    model = json.loads((clip / "tokenizer.json").read_text("utf-8"))["model"]
    (folder / "vocab.json").write_text(json.dumps(model["vocab"], ensure_ascii=False), "utf-8")
    merges = "".join(f"{first} {second}\n" for first, second in model["merges"])
    (folder / "merges.txt").write_text(f"#version: 0.2\n{merges}", "utf-8")


def xlmr_tokenizer(folder: Path) -> PreTrainedTokenizerFast:
    """The decoder's tokenizer; trained at the first call and kept in `folder`."""
    file = folder / "tokenizer.json"
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        _trained_xlmr().save(str(file))
    return XLMRobertaTokenizerFast(tokenizer_file=str(file), model_max_length=512)


def _trained_xlmr() -> Tokenizer:
    special = [AddedToken(token, special=True) for token in ("<s>", "<pad>", "</s>", "<unk>", "<mask>")]
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(vocab_size=XLMR_VOCABULARY, special_tokens=special, unk_token="<unk>")
    tokenizer.train_from_iterator(corpus(0), trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return tokenizer
