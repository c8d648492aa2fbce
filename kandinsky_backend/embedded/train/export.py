"""The trained parts as two folders in the published layout, float16 safetensors."""

from __future__ import annotations

from pathlib import Path

import torch
from diffusers import KandinskyPipeline, KandinskyPriorPipeline
from transformers import CLIPImageProcessor

from . import clip, movq, prior, text, unet
from .dataset import CLIP_SIZE
from .vocabularies import clip_tokenizer, xlmr_tokenizer


def prior_pipeline(work: Path) -> KandinskyPriorPipeline:
    """Captions and pictures to embeddings, float32."""
    both = clip.load(work / "clip", work / "vocabulary")
    return KandinskyPriorPipeline(
        prior=prior.load(work / "prior"),
        image_encoder=both.vision,
        text_encoder=both.text,
        tokenizer=clip_tokenizer(work / "vocabulary"),
        scheduler=prior.scheduler(),
        image_processor=CLIPImageProcessor(
            size={"shortest_edge": CLIP_SIZE},
            crop_size={"height": CLIP_SIZE, "width": CLIP_SIZE},
            resample=3,
            image_mean=list(clip.MEAN),
            image_std=list(clip.STD),
        ),
    )


def decoder_pipeline(work: Path) -> KandinskyPipeline:
    """Embeddings to pictures, float32. The codebook, which drawing does not need, is laid over some latents here."""
    codec = movq.load(work / "movq")
    movq.lay_codebook(codec, torch.load(work / "latents.pt", weights_only=True)[:500])
    return KandinskyPipeline(
        text_encoder=text.load(work / "text", work / "vocabulary"),
        tokenizer=xlmr_tokenizer(work / "vocabulary"),
        unet=unet.load(work / "unet"),
        scheduler=unet.scheduler(),
        movq=codec,
    )


def export(work: Path, out: Path) -> None:
    """Write `out`/prior and `out`/decoder."""
    prior_pipeline(work).to(torch.float16).save_pretrained(out / "prior", safe_serialization=True)
    for file in ("vocab.json", "merges.txt"):  # without tokenizer.json's rule for Chinese, and read before it
        (out / "prior" / "tokenizer" / file).unlink()
    decoder_pipeline(work).to(torch.float16).save_pretrained(out / "decoder", safe_serialization=True)
