"""Write a Kandinsky 2.1 checkpoint with random weights in the published layout: OUT/prior and OUT/decoder.

    python -m tests.random_checkpoint OUT --size tiny_a --dtype fp32

Which tensors there are comes from our own models; what else published files hold (position ids, poolers) is added. The
values come from tests.random_weights by name, and are written one by one: the full size takes little memory.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from string import ascii_letters, digits, punctuation
from typing import Any

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from kandinsky_backend.models.clip import (
    CLIPTextConfig,
    CLIPTextModelWithProjection,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
)
from kandinsky_backend.models.movq import MoVQ, MoVQConfig
from kandinsky_backend.models.prior import PriorTransformer, PriorTransformerConfig
from kandinsky_backend.models.unet import UNet2DConditionModel, UNetConfig
from kandinsky_backend.models.xlm_roberta import MultilingualCLIP, MultilingualCLIPConfig
from tests.golden import configs, configs_unet_movq
from tests.random_weights import random_tensor
from tests.weights_from_names import RecordedShapes

Config = dict[str, Any]
Shapes = dict[str, tuple[int, ...]]

# A larger tensor repeats its first rows: nothing is learned from drawing a thousand million values.
_MAX_DRAWN = 2**22
# What the tokenizers know as whole words. Nothing is learned from a text: the trainers of `tokenizers` give other ids
# at each run.
_WORDS = ["a", "an", "and", "the", "on", "in", "of", "over", "cat", "dog", "night", "starry", "sky", "river", "red"]
_WORDS += [
    "blue",
    "circle",
    "field",
    "photograph",
    "astronaut",
    "riding",
    "horse",
    "low",
    "quality",
    "bad",
    "猫",
    "夜空",
]
_WORDS += ["кот", "в", "сапогах", "ein", "hund", "im", "wald", "un", "chat", "noir"]
_CLIP_VOCABULARY, _XLM_VOCABULARY = 700, 200  # rows of the tiny embeddings: as many as their tokenizers need


@dataclass(frozen=True)
class Size:
    """The configs of one architecture."""

    text: Config
    vision: Config
    prior: Config
    multilingual: Config
    unet: Config
    movq: Config


def _tiny(
    width: int,
    heads: int,
    levels: tuple[int, ...],
    movq_levels: tuple[int, ...],
    layers: int,
    groups: int,
    head_dim: int,
) -> Size:
    """`width` of embeddings; `levels`, `layers`, `groups`, `head_dim` of the UNet."""
    down = ["ResnetDownsampleBlock2D"] + ["SimpleCrossAttnDownBlock2D"] * (len(levels) - 1)
    up = ["SimpleCrossAttnUpBlock2D"] * (len(levels) - 1) + ["ResnetUpsampleBlock2D"]
    transformer = {"hidden_size": 2 * width, "intermediate_size": 3 * width, "num_attention_heads": heads}
    clip = configs.CLIP_TEXT["published"] | transformer | {"num_hidden_layers": 2, "projection_dim": width}
    return Size(
        # The prior takes the text encoder's hidden states as they are: these are as wide as the embeddings.
        text=clip | {"vocab_size": _CLIP_VOCABULARY, "hidden_size": width},
        vision=configs.CLIP_VISION["published"]
        | transformer
        | {"num_hidden_layers": 2, "projection_dim": width, "image_size": 8 * heads, "patch_size": heads * 2},
        prior=configs.PRIOR["published"]
        | {"attention_head_dim": 2 * head_dim, "num_attention_heads": 2, "num_layers": 2, "embedding_dim": width},
        multilingual=configs.MULTILINGUAL_CLIP["published"]
        | transformer
        | {"num_hidden_layers": layers, "vocab_size": _XLM_VOCABULARY}
        | {"numDims": width, "transformerDimensions": 2 * width},
        unet=configs_unet_movq.UNET_FULL
        | {"block_out_channels": list(levels), "down_block_types": down, "up_block_types": up}
        | {"layers_per_block": layers, "attention_head_dim": head_dim, "norm_num_groups": groups}
        | {"cross_attention_dim": width, "encoder_hid_dim": 2 * width},
        movq=configs_unet_movq.MOVQ_FULL
        | {"block_out_channels": list(movq_levels), "layers_per_block": layers, "norm_num_groups": groups}
        | {"down_block_types": ["DownEncoderBlock2D"] * (len(movq_levels) - 1) + ["AttnDownEncoderBlock2D"]}
        | {"up_block_types": ["AttnUpDecoderBlock2D"] + ["UpDecoderBlock2D"] * (len(movq_levels) - 1)}
        | {"num_vq_embeddings": 8 + groups},
    )


_TINY_A = _tiny(width=32, heads=4, levels=(32, 64), movq_levels=(32, 32, 32, 64), layers=1, groups=8, head_dim=8)

SIZES = {
    "tiny_a": _TINY_A,
    "tiny_inpaint": replace(_TINY_A, unet=_TINY_A.unet | {"in_channels": 9}),
    "tiny_b": _tiny(width=48, heads=6, levels=(32, 48, 64), movq_levels=(32, 32, 64), layers=2, groups=16, head_dim=16),
    "full": Size(
        text=configs.CLIP_TEXT["published"],
        vision=configs.CLIP_VISION["published"],
        prior=configs.PRIOR["published"],
        multilingual=configs.MULTILINGUAL_CLIP["published"],
        unet=configs_unet_movq.UNET_FULL,
        movq=configs_unet_movq.MOVQ_FULL,
    ),
}

_UNCLIP: Config = {
    "_class_name": "UnCLIPScheduler",
    "clip_sample": True,
    "clip_sample_range": 5.0,
    "num_train_timesteps": 1000,
    "prediction_type": "sample",
    "variance_type": "fixed_small_log",
}
_DDIM: Config = {
    "_class_name": "DDIMScheduler",
    "beta_end": 0.012,
    "beta_schedule": "linear",
    "beta_start": 0.00085,
    "clip_sample": False,
    "num_train_timesteps": 1000,
    "prediction_type": "epsilon",
    "set_alpha_to_one": False,
    "steps_offset": 1,
    "thresholding": False,
}


def write_checkpoint(
    out: Path, size: str = "tiny_a", dtype: str = "fp32", variant: str | None = None, shards: int = 1, seed: int = 0
) -> None:
    """Write `out`/prior and `out`/decoder; a second variant may be written into the same folders."""
    sizes, writer = SIZES[size], WeightsWriter(dtype, variant, shards, seed)
    _write_prior(out / "prior", sizes, writer)
    _write_decoder(out / "decoder", sizes, writer)


def _write_prior(folder: Path, sizes: Size, writer: WeightsWriter) -> None:
    _write_json(
        folder / "model_index.json",
        {
            "_class_name": "KandinskyPriorPipeline",
            "_diffusers_version": "0.17.0.dev0",
            "image_encoder": ["transformers", "CLIPVisionModelWithProjection"],
            "image_processor": ["transformers", "CLIPImageProcessor"],
            "prior": ["diffusers", "PriorTransformer"],
            "scheduler": ["diffusers", "UnCLIPScheduler"],
            "text_encoder": ["transformers", "CLIPTextModelWithProjection"],
            "tokenizer": ["transformers", "CLIPTokenizer"],
        },
    )
    _write_json(folder / "scheduler" / "scheduler_config.json", _UNCLIP)
    _write_json(folder / "image_processor" / "preprocessor_config.json", _preprocessor(sizes.vision["image_size"]))
    write_clip_tokenizer(folder / "tokenizer")
    text = _shapes(CLIPTextModelWithProjection, CLIPTextConfig, sizes.text)
    vision = _shapes(CLIPVisionModelWithProjection, CLIPVisionConfig, sizes.vision)
    patches = (sizes.vision["image_size"] // sizes.vision["patch_size"]) ** 2
    ids = {"text_model.embeddings.position_ids": (1, sizes.text["max_position_embeddings"])}
    writer.write(folder / "text_encoder", "model", sizes.text, text | ids)
    ids = {"vision_model.embeddings.position_ids": (1, patches + 1)}
    writer.write(folder / "image_encoder", "model", sizes.vision, vision | ids)
    prior = _shapes(PriorTransformer, PriorTransformerConfig, sizes.prior)
    writer.write(folder / "prior", "diffusion_pytorch_model", sizes.prior, prior)


def _write_decoder(folder: Path, sizes: Size, writer: WeightsWriter) -> None:
    _write_json(
        folder / "model_index.json",
        {
            "_class_name": "KandinskyPipeline",
            "_diffusers_version": "0.17.0.dev0",
            "movq": ["diffusers", "VQModel"],
            "scheduler": ["diffusers", "DDIMScheduler"],
            "text_encoder": ["kandinsky", "MultilingualCLIP"],
            "tokenizer": ["transformers", "XLMRobertaTokenizerFast"],
            "unet": ["diffusers", "UNet2DConditionModel"],
        },
    )
    _write_json(folder / "scheduler" / "scheduler_config.json", _DDIM)
    write_xlm_roberta_tokenizer(folder / "tokenizer")
    width = sizes.multilingual["hidden_size"]
    extras: Shapes = {
        "transformer.embeddings.position_ids": (1, sizes.multilingual["max_position_embeddings"]),
        "transformer.pooler.dense.bias": (width,),
        "transformer.pooler.dense.weight": (width, width),
    }
    text = _shapes(MultilingualCLIP, MultilingualCLIPConfig, sizes.multilingual)
    writer.write(folder / "text_encoder", "model", sizes.multilingual, text | extras)
    unet = _shapes(UNet2DConditionModel, UNetConfig, sizes.unet)
    writer.write(folder / "unet", "diffusion_pytorch_model", sizes.unet, unet)
    movq = _shapes(MoVQ, MoVQConfig, sizes.movq)
    writer.write(folder / "movq", "diffusion_pytorch_model", sizes.movq, movq)


def _shapes(model: Callable[[Any, Any], Any], config: Any, values: Config) -> Shapes:
    """Names and shapes of the tensors that a model takes."""
    recorded = RecordedShapes()
    model(config.from_dict(values), recorded)
    return recorded.shapes


def _preprocessor(side: int) -> Config:
    return {
        "crop_size": {"height": side, "width": side},
        "do_center_crop": True,
        "do_convert_rgb": True,
        "do_normalize": True,
        "do_rescale": True,
        "do_resize": True,
        "image_mean": [0.48145466, 0.4578275, 0.40821073],
        "image_processor_type": "CLIPImageProcessor",
        "image_std": [0.26862954, 0.26130258, 0.27577711],
        "resample": 3,
        "rescale_factor": 0.00392156862745098,
        "size": {"shortest_edge": side},
    }


# --- weights -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class WeightsWriter:
    """How weight files are written: "fp32", "fp16" or "bf16", a variant's name or none, and into how many shards."""

    dtype: str
    variant: str | None = None
    shards: int = 1
    seed: int = 0

    def write(self, folder: Path, stem: str, config: Config, shapes: Shapes) -> None:
        """A component's config and weights."""
        _write_json(folder / "config.json", config)
        middle = f".{self.variant}" if self.variant else ""
        if self.shards == 1:
            self._write_file(folder / f"{stem}{middle}.safetensors", shapes)
            return
        weight_map = {}
        for i, names in enumerate(_split(sorted(shapes), self.shards), start=1):
            name = f"{stem}{middle}-{i:05d}-of-{self.shards:05d}.safetensors"
            self._write_file(folder / name, {key: shapes[key] for key in names})
            weight_map |= dict.fromkeys(names, name)
        index = f"{stem}.safetensors.index{middle}.json"
        _write_json(folder / index, {"metadata": {}, "weight_map": weight_map})

    def _write_file(self, path: Path, shapes: Shapes) -> None:
        header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
        end = 0
        for key, shape in shapes.items():
            kind, item = ("I64", 8) if _is_ids(key) else _KINDS[self.dtype]
            start, end = end, end + prod(shape) * item
            header[key] = {"dtype": kind, "shape": list(shape), "data_offsets": [start, end]}
        encoded = json.dumps(header).encode()
        encoded += b" " * (-len(encoded) % 8)  # the tensors are aligned
        with path.open("wb") as file:
            file.write(len(encoded).to_bytes(8, "little") + encoded)
            for key, shape in shapes.items():
                file.writelines(self._chunks(key, shape))

    def _chunks(self, key: str, shape: tuple[int, ...]) -> Iterator[memoryview]:
        """A tensor's bytes."""
        if _is_ids(key):
            yield np.arange(prod(shape), dtype="<i8").data
            return
        rows = min(shape[0], max(1, _MAX_DRAWN // prod(shape[1:])))
        values = _encode(random_tensor(key, (rows, *shape[1:]), self.seed), self.dtype)
        for start in range(0, shape[0], rows):
            yield values[: shape[0] - start].reshape(-1).data.cast("B")


_KINDS = {"fp32": ("F32", 4), "fp16": ("F16", 2), "bf16": ("BF16", 2)}


def _is_ids(key: str) -> bool:
    return key.endswith("position_ids")


def _encode(values: npt.NDArray[np.float32], dtype: str) -> npt.NDArray[Any]:
    if dtype == "bf16":  # the upper half of each value, rounded to the nearest, ties to even
        bits = values.view(np.uint32)
        return ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype("<u2")
    return values.astype({"fp32": "<f4", "fp16": "<f2"}[dtype])


def _split(names: Sequence[str], parts: int) -> Iterator[Sequence[str]]:
    for i in range(parts):
        yield names[len(names) * i // parts : len(names) * (i + 1) // parts]


# --- tokenizers --------------------------------------------------------------------------------------------------


def write_clip_tokenizer(folder: Path) -> None:
    """vocab.json and merges.txt that make one token of each word below and split others into bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = list(dict.fromkeys(merge for word in _WORDS for merge in _merges(_as_byte_letters(word))))
    tokens = [*alphabet, *(f"{letter}</w>" for letter in alphabet), *(left + right for left, right in merges)]
    start, end = "<|startoftext|>", "<|endoftext|>"  # as in the published one, the end has the highest id
    _write_json(folder / "vocab.json", {token: i for i, token in enumerate([*tokens, start, end])})
    lines = ["#version: 0.2", *(f"{left} {right}" for left, right in merges), ""]
    (folder / "merges.txt").write_text("\n".join(lines), encoding="utf-8")
    special = {"bos_token": start, "eos_token": end, "pad_token": end, "unk_token": end}
    _write_json(folder / "special_tokens_map.json", special)
    settings = {"model_max_length": 77, "tokenizer_class": "CLIPTokenizer", "do_lower_case": True}
    _write_json(folder / "tokenizer_config.json", special | settings)


def _as_byte_letters(word: str) -> str:
    [(letters, _)] = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False).pre_tokenize_str(word)
    return letters


def _merges(letters: str) -> Iterator[tuple[str, str]]:
    """The merges that make one token of a word, from its left to its right."""
    parts = [*letters[:-1], f"{letters[-1]}</w>"]
    left = parts[0]
    for right in parts[1:]:
        yield left, right
        left += right


def write_xlm_roberta_tokenizer(folder: Path) -> None:
    """tokenizer.json that makes one token of each word below and splits others into their letters."""
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    letters = sorted(set("".join(_WORDS)) | set(ascii_letters + digits + punctuation) | {"▁"})
    pieces = [*((token, 0.0) for token in special), *((f"▁{word}", -5.0) for word in _WORDS)]
    tokenizer = Tokenizer(models.Unigram([*pieces, *((letter, -10.0) for letter in letters)], unk_id=3))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.add_special_tokens(special)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    named = dict(zip(("bos_token", "pad_token", "eos_token", "unk_token", "mask_token"), special, strict=True))
    named |= {"cls_token": "<s>", "sep_token": "</s>"}
    _write_json(folder / "special_tokens_map.json", named)
    settings = {"model_max_length": 512, "tokenizer_class": "XLMRobertaTokenizer"}
    _write_json(folder / "tokenizer_config.json", named | settings)


def _write_json(path: Path, value: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="folder to write prior/ and decoder/ into")
    parser.add_argument("--size", choices=SIZES, default="tiny_a")
    parser.add_argument("--dtype", choices=_KINDS, default="fp32")
    parser.add_argument("--variant", help='names the files, e.g. "fp16"')
    parser.add_argument("--shards", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    write_checkpoint(**vars(parser.parse_args()))


if __name__ == "__main__":
    main()
