"""Train the small Kandinsky, or one part of it.

    cd kandinsky_backend/embedded && python -m train all --work FOLDER

Every part continues where it was stopped. `all` goes through the parts in the order in which they are listed.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, distributed, multiprocessing

from . import adopt, clip, codes, curves, dataset, export, movq, prior, sheets, text, unet
from .loop import Run
from .vocabularies import xlmr_tokenizer

SEED = 0


@dataclass(frozen=True)
class Workshop:
    """The folder that the parts share, and the options of the command line."""

    work: Path
    pictures: int
    device: torch.device
    batch_factor: int
    step_factor: float

    @property
    def data(self) -> dataset.Dataset:
        return dataset.load(self.work / "data")

    @property
    def vocabulary(self) -> Path:
        return self.work / "vocabulary"

    def run(self, part: str) -> Run:
        seed = SEED + list(PARTS).index(part)
        return Run(self.work / part, seed, self.device, self.batch_factor, self.step_factor)

    def kept(self, name: str) -> Tensor:
        """What `keep` left."""
        tensor: Tensor = torch.load(self.work / f"{name}.pt", weights_only=True)
        return tensor

    def keep(self, name: str, tensor: Tensor) -> None:
        torch.save(tensor, self.work / f"{name}.pt")


def _data(shop: Workshop) -> None:
    if not (shop.work / "data" / "colours.npy").exists():
        dataset.build(shop.work / "data", shop.pictures, SEED)


def _codes(shop: Workshop) -> None:
    shop.keep("codes", codes.codes(shop.data))


def _movq(shop: Workshop) -> None:
    movq.fit(shop.data, shop.run("movq"))


def _latents(shop: Workshop) -> None:
    shop.keep("latents", movq.encode(movq.load(shop.work / "movq").to(shop.device), shop.data.pictures))


def _clip(shop: Workshop) -> None:
    clip.fit(shop.data, shop.kept("codes"), shop.vocabulary, shop.run("clip"))


def _embeds(shop: Workshop) -> None:
    vision = clip.load(shop.work / "clip", shop.vocabulary).vision.to(shop.device)
    with torch.no_grad():
        shop.keep("nothing", vision(pixel_values=clip.no_picture().to(shop.device)).image_embeds.cpu())
    shop.keep("embeds", clip.embed_pictures(vision, shop.data.small))


def _text(shop: Workshop) -> None:
    text.fit(shop.data, shop.kept("codes"), shop.vocabulary, shop.run("text"))


def _prior(shop: Workshop) -> None:
    prior.fit(shop.data, shop.kept("codes"), shop.work / "clip", shop.vocabulary, shop.run("prior"))


def _unet(shop: Workshop) -> None:
    encoder = text.load(shop.work / "text", shop.vocabulary).to(shop.device)
    prompts = unet.Prompts(encoder, xlmr_tokenizer(shop.vocabulary))
    embeds = unet.Embeds(shop.kept("embeds"), shop.kept("nothing"))
    unet.fit(shop.data, shop.kept("latents"), shop.kept("codes"), embeds, prompts, shop.run("unet"))


def _export(shop: Workshop) -> None:
    export.export(shop.work, shop.work / "export")


def _sheets(shop: Workshop) -> None:
    sheets.draw_all(shop.work, shop.work / "sheets")


def _curves(shop: Workshop) -> None:
    curves.plot(shop.work, shop.work / "curves.png")


PARTS: dict[str, Callable[[Workshop], None]] = {
    "data": _data,
    "codes": _codes,
    "movq": _movq,
    "latents": _latents,
    "clip": _clip,
    "embeds": _embeds,
    "text": _text,
    "prior": _prior,
    "unet": _unet,
    "export": _export,
    "sheets": _sheets,
    "curves": _curves,
}


def _unet_worker(rank: int, shop: Workshop, workers: int) -> None:
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    distributed.init_process_group("gloo", rank=rank, world_size=workers)
    _unet(shop)
    distributed.destroy_process_group()


def _unet_by_workers(shop: Workshop, workers: int) -> None:
    """One thread each: on busy cores two threads wait for each other at every layer, two workers once a step."""
    os.environ.setdefault("MASTER_ADDR", "127.0.0.1")
    os.environ.setdefault("MASTER_PORT", "29511")
    multiprocessing.spawn(_unet_worker, (shop, workers), workers)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=["all", *PARTS])
    parser.add_argument("--adopt", type=Path, help="a folder of exported weights, to go on from")
    parser.add_argument("--work", type=Path, required=True, help="folder for data, states and logs; about 3 GB")
    parser.add_argument("--pictures", type=int, default=36_000, help="how many are drawn for training")
    parser.add_argument("--device", type=torch.device, default=torch.device("cpu"), help="cpu (default) or cuda")
    parser.add_argument("--batch-factor", type=int, default=1, help="times the batches that suit two CPU cores")
    parser.add_argument("--step-factor", type=float, default=1.0, help="times the steps that suit two CPU cores")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="of every part but the UNet's workers")
    parser.add_argument("--workers", type=int, default=1, help="processes that train the UNet together, on a CPU")
    return parser.parse_args()


def main() -> None:
    given = _arguments()
    torch.set_num_threads(given.threads)
    torch.set_flush_denormal(True)
    given.work.mkdir(parents=True, exist_ok=True)
    if given.adopt is not None:
        adopt.adopt(given.adopt, given.work)
    shop = Workshop(given.work, given.pictures, given.device, given.batch_factor, given.step_factor)
    for part in PARTS if given.part == "all" else [given.part]:
        if part == "unet" and given.workers > 1:
            _unet_by_workers(shop, given.workers)
        else:
            PARTS[part](shop)


if __name__ == "__main__":
    main()
