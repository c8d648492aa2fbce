"""Take exported weights as what has been trained, so that one part can be trained anew without the others."""

from __future__ import annotations

from pathlib import Path

import torch
from diffusers import PriorTransformer, UNet2DConditionModel, VQModel
from diffusers.pipelines.kandinsky.text_encoder import MultilingualCLIP
from torch import nn
from transformers import CLIPTextModelWithProjection, CLIPVisionModelWithProjection

from . import clip, movq, prior
from .loop import finish
from .vocabularies import adopt_vocabularies, clip_tokenizer


def adopt(exported: Path, work: Path) -> None:
    """Make `work` look as if every part that lies in `exported` (prior/ and decoder/) had just been trained."""
    before, after = exported / "prior", exported / "decoder"
    adopt_vocabularies(before / "tokenizer", after / "tokenizer", work / "vocabulary")
    both = clip.Trainee(clip_tokenizer(work / "vocabulary"))
    both.text = CLIPTextModelWithProjection.from_pretrained(before / "text_encoder", dtype=torch.float32)
    both.vision = CLIPVisionModelWithProjection.from_pretrained(before / "image_encoder", dtype=torch.float32)
    planner, codec = prior.Trainee(), movq.Trainee()
    planner.prior = PriorTransformer.from_pretrained(before / "prior", torch_dtype=torch.float32)
    codec.movq = VQModel.from_pretrained(after / "movq", torch_dtype=torch.float32)
    words = MultilingualCLIP.from_pretrained(after / "text_encoder", dtype=torch.float32)
    parts: dict[str, nn.Module] = {"clip": both, "prior": planner, "movq": codec, "text": words}
    if (after / "unet").exists():
        parts["unet"] = UNet2DConditionModel.from_pretrained(after / "unet", torch_dtype=torch.float32)
    for name, module in parts.items():
        finish(module, work / name)
