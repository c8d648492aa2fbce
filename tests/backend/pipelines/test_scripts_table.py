"""Every row of SCRIPTS.md is true: a check for each, and a row for each check."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import huggingface_hub
import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor
from PIL import Image

import kandinsky_backend
from kandinsky_backend import pipelines, utils
from kandinsky_backend.errors import CheckpointBroken, CheckpointNotFound, CheckpointRefused, HubError
from kandinsky_backend.pipelines import (
    AutoPipelineForImage2Image,
    AutoPipelineForInpainting,
    AutoPipelineForText2Image,
    DiffusionPipeline,
    KandinskyCombinedPipeline,
    KandinskyImg2ImgCombinedPipeline,
    KandinskyImg2ImgPipeline,
    KandinskyInpaintCombinedPipeline,
    KandinskyInpaintPipeline,
    KandinskyPipeline,
    KandinskyPriorPipeline,
)
from kandinsky_backend.pipelines.base import Pipeline
from kandinsky_backend.pipelines.script_names import NoEffect, Refused, ScriptNames, say_once
from kandinsky_backend.schedulers import DDPMScheduler
from tests.backend.hub_server import Hub, HubSettings, serve
from tests.backend.pipelines.made import rng
from tests.refusals import refused

FEW_STEPS: dict[str, Any] = {"num_inference_steps": 1, "height": 64, "width": 64}
PICTURE = Image.new("RGB", (64, 64), (9, 9, 9))
SWITCHES = [name for name, value in vars(ScriptNames).items() if isinstance(value, NoEffect)]


@pytest.fixture(autouse=True)
def _nothing_said_yet() -> None:
    say_once.cache_clear()


@dataclass
class World:
    """What a check of a row may use."""

    prior: KandinskyPriorPipeline
    decoder: KandinskyPipeline
    folder: Path
    tmp: Path
    log: pytest.LogCaptureFixture
    patch: pytest.MonkeyPatch

    def load(self, **options: Any) -> KandinskyPipeline:
        return KandinskyPipeline.from_pretrained(self.folder / "decoder", **options)

    def load_from_hub(self, **options: Any) -> Hub:
        """Load from a hub that has the prior and a branch v2, and give what it was asked for."""
        with serve({"someone/prior": self.folder / "prior"}) as hub:
            hub.revisions = (*hub.revisions, "v2")
            HubSettings(self.patch, self.tmp / "home").connect(hub.url)
            KandinskyPriorPipeline.from_pretrained("someone/prior", **options)
            huggingface_hub.close_session()
        return hub

    def run(self, pipeline: Any = None, **options: Any) -> Any:
        embeds = np.zeros((1, self.prior.embedding_dim), np.float32)
        given = {"image_embeds": embeds, "negative_image_embeds": embeds}
        return (pipeline or self.decoder)("", **given, **FEW_STEPS, **options)

    def redraw(self, **options: Any) -> Any:
        return self.run(KandinskyImg2ImgPipeline.from_pipe(self.decoder), **{"image": PICTURE, **options})


def check_unknown_is_ignored(name: str) -> Callable[[World], None]:
    def check(world: World) -> None:
        assert world.load(**{name: {}})
        assert name in world.log.text

    return check


def check_refused(call: Callable[[World], Any], words: str, kind: type[Exception] = ValueError) -> Any:
    def check(world: World) -> None:
        with pytest.raises(kind, match=words):
            call(world)

    return check


def check_names(*kinds: type[Pipeline]) -> Callable[[World], None]:
    """The classes have the reference's names, and are made of the published checkpoints."""

    def check(world: World) -> None:
        for kind in kinds:
            assert getattr(kandinsky_backend, kind.__name__) is DiffusionPipeline.known[kind.__name__] is kind
            checkpoint = world.folder / ("prior" if kind is KandinskyPriorPipeline else "decoder")
            assert type(kind.from_pretrained(checkpoint)) is kind

    return check


def check_auto_pipelines(world: World) -> None:
    for auto, alone, combined in (
        (AutoPipelineForText2Image, KandinskyPipeline, KandinskyCombinedPipeline),
        (AutoPipelineForImage2Image, KandinskyImg2ImgPipeline, KandinskyImg2ImgCombinedPipeline),
        (AutoPipelineForInpainting, KandinskyInpaintPipeline, KandinskyInpaintCombinedPipeline),
    ):
        made = auto.from_pretrained(world.folder)
        assert (type(made), type(auto.from_pipe(made))) == (combined, combined)
        assert type(auto.from_pipe(world.decoder)) is alone


def check_diffusion_pipeline(world: World) -> None:
    load = kandinsky_backend.DiffusionPipeline.from_pretrained
    assert type(load(world.folder / "prior", local_files_only=True)) is KandinskyPriorPipeline
    index = world.tmp / "model_index.json"
    index.write_text(json.dumps({"_class_name": "KandinskyV22Pipeline"}))
    with refused(CheckpointBroken, "unknown-pipeline", name="KandinskyV22Pipeline"):
        load(world.tmp)


def check_variant(world: World) -> None:
    with refused(CheckpointNotFound, "no-variant", variant="fp16"):
        world.load(variant="fp16")


def check_offline(world: World) -> None:
    with refused(HubError, "unreachable"):
        world.load_from_hub(local_files_only=True)


def check_cache_dir(world: World) -> None:
    world.load_from_hub(cache_dir=world.tmp / "cache")
    assert any((world.tmp / "cache").rglob("model_index.json"))


def check_forced(world: World) -> None:
    world.load_from_hub()
    assert world.load_from_hub(force_download=True).downloads()


def check_subfolder_of_a_scheduler(world: World) -> None:
    options: dict[str, Any] = {"local_files_only": True, "force_download": False, "cache_dir": None, "token": None}
    scheduler = DDPMScheduler.from_pretrained(world.folder / "decoder", subfolder="scheduler", **options)
    assert scheduler.config.beta_end == 0.012


def check_other_device(world: World) -> None:
    assert world.decoder.to("cuda") is world.decoder
    assert "to('cuda') has no effect" in world.log.text


def check_components(world: World) -> None:
    assert KandinskyPipeline(**world.decoder.components).components == world.decoder.components
    assert list(inspect.signature(KandinskyPipeline).parameters) == [
        "text_encoder",
        "tokenizer",
        "unet",
        "scheduler",
        "movq",
    ]
    assert set(world.decoder.components) == set(inspect.signature(KandinskyPipeline).parameters)


def check_saving(world: World) -> None:
    world.decoder.save_pretrained(world.tmp / "saved")
    assert KandinskyPipeline.from_pretrained(world.tmp / "saved")


def check_saving_a_variant(world: World) -> None:
    world.decoder.save_pretrained(world.tmp / "saved", variant="fp16")
    assert (world.tmp / "saved" / "unet" / "diffusion_pytorch_model.fp16.safetensors").is_file()


def check_scheduler_is_set(world: World) -> None:
    pipeline = KandinskyPipeline.from_pipe(world.decoder)
    pipeline.scheduler = DDPMScheduler()
    assert type(pipeline.components["scheduler"]) is DDPMScheduler


def check_bar(world: World) -> None:
    assert list(world.decoder.progress_bar([1, 2])) == [1, 2]
    assert world.decoder.progress_bar(total=3).total == 3
    with pytest.raises(ValueError, match="needs an iterable"):
        world.decoder.progress_bar()


def check_bar_config(world: World) -> None:
    world.decoder.set_progress_bar_config(disable=True)
    assert world.decoder.progress_bar(total=3).disable


def check_callback(world: World) -> None:
    seen: list[Any] = []
    world.run(callback=lambda *values: seen.append(values), callback_steps=1)
    [(step, timestep, latents)] = seen
    assert (step, type(timestep), type(latents)) == (0, int, Tensor)


def check_generator(world: World) -> None:
    first, second = (world.run(generator=rng(), output_type="np").images for _ in range(2))
    np.testing.assert_array_equal(first, second)


def check_given_pictures(world: World) -> None:
    with pytest.raises(ValueError, match="image has the shape"):
        world.redraw(image=np.zeros((8, 8, 3), np.uint8))
    assert world.redraw(image=Image.new("RGB", (8, 8))).images


def check_masks(world: World) -> None:
    inpaint = KandinskyInpaintPipeline.from_pipe(world.decoder)
    for mask in (Image.new("1", (8, 8)), Image.new("RGBA", (8, 8)), np.zeros((8, 8))):
        assert world.run(inpaint, image=PICTURE, mask_image=mask).images[0].getpixel((0, 0)) == (9, 9, 9)


def check_no_strength(world: World) -> None:
    assert world.redraw(strength=0).images[0].tobytes() == PICTURE.tobytes()


def check_results(world: World) -> None:
    output = world.run()
    assert output[0] is output.images is output["images"] is dict(**output)["images"]


def check_return_dict(world: World) -> None:
    assert type(world.run(return_dict=True)) is type(world.run(return_dict=False))


def check_values(world: World) -> None:
    assert [type(value) for value in world.run()] == [list]


def check_to_pil(to_pil: Callable[[Any], list[Image.Image]]) -> Callable[[World], None]:
    def check(world: World) -> None:
        assert [picture.getpixel((0, 0)) for picture in to_pil(np.ones((4, 4, 3)))] == [(255, 255, 255)]
        assert len(to_pil(np.zeros((2, 4, 5, 3)))) == 2

    return check


def check_loading_a_picture(world: World) -> None:
    Image.new("RGBA", (2, 2), (9, 9, 9, 0)).save(world.tmp / "clear.png")
    assert utils.load_image(str(world.tmp / "clear.png")).getpixel((0, 0)) == (255, 255, 255)


def check_a_grid(world: World) -> None:
    assert utils.make_image_grid([Image.new("RGB", (4, 4))] * 2, rows=1, cols=2).size == (8, 4)


def check_type(of: Callable[[World], Any], expected: Any) -> Callable[[World], None]:
    def check(world: World) -> None:
        assert of(world) == expected

    return check


FROM = "from_pretrained"
CHECKS: dict[str, Callable[[World], None]] = {
    "KandinskyPriorPipeline, KandinskyPipeline, KandinskyCombinedPipeline": check_names(
        KandinskyPriorPipeline, KandinskyPipeline, KandinskyCombinedPipeline
    ),
    "KandinskyImg2ImgPipeline, KandinskyImg2ImgCombinedPipeline": check_names(
        KandinskyImg2ImgPipeline, KandinskyImg2ImgCombinedPipeline
    ),
    "KandinskyInpaintPipeline, KandinskyInpaintCombinedPipeline": check_names(
        KandinskyInpaintPipeline, KandinskyInpaintCombinedPipeline
    ),
    "AutoPipelineForText2Image, AutoPipelineForImage2Image, AutoPipelineForInpainting": check_auto_pipelines,
    "AutoPipelineFor...()": check_refused(
        lambda world: AutoPipelineForInpainting(**world.decoder.components), "from_pretrained", OSError
    ),
    "DiffusionPipeline": check_diffusion_pipeline,
    FROM: check_type(lambda world: type(world.load()), KandinskyPipeline),
    f"{FROM}(mindspore_dtype=)": check_type(lambda world: world.load(mindspore_dtype=ms.float16).dtype, ms.float32),
    f"{FROM}(torch_dtype=)": check_type(lambda world: world.load(torch_dtype="float16").dtype, ms.float32),
    f"{FROM}(variant=)": check_variant,
    f"{FROM}(revision=)": check_type(
        lambda world: any("/v2" in request.path for request in world.load_from_hub(revision="v2").requests), True
    ),
    f"{FROM}(cache_dir=)": check_cache_dir,
    f"{FROM}(force_download=)": check_forced,
    f"{FROM}(local_files_only=)": check_offline,
    f"{FROM}(token=)": check_type(
        lambda world: {request.token for request in world.load_from_hub(token="hf_x").requests}, {"Bearer hf_x"}
    ),
    f"{FROM}(use_safetensors=)": check_refused(
        lambda world: world.load(use_safetensors=False), "use_safetensors=False", CheckpointRefused
    ),
    f"{FROM}(scheduler=)": check_type(
        lambda world: type(world.load(scheduler=DDPMScheduler()).scheduler), DDPMScheduler
    ),
    f"{FROM}(proxies=)": check_unknown_is_ignored("proxies"),
    f"{FROM}(subfolder=)": check_unknown_is_ignored("subfolder"),
    f"{FROM}(unknown=)": check_unknown_is_ignored("device_map"),
    f"DDPMScheduler.{FROM}(subfolder=)": check_subfolder_of_a_scheduler,
    "from_pipe": check_type(
        lambda world: type(KandinskyImg2ImgPipeline.from_pipe(world.decoder)), KandinskyImg2ImgPipeline
    ),
    "components": check_components,
    "save_pretrained": check_saving,
    "save_pretrained(variant=)": check_saving_a_variant,
    "save_pretrained(safe_serialization=)": check_refused(
        lambda world: world.decoder.save_pretrained(world.tmp, safe_serialization=False), "safe_serialization"
    ),
    "save_pretrained(push_to_hub=)": check_refused(
        lambda world: world.decoder.save_pretrained(world.tmp, push_to_hub=True), "push_to_hub"
    ),
    "to(dtype)": check_type(lambda world: world.decoder.to(ms.float32) is world.decoder, True),
    "to(device)": check_other_device,
    "dtype": check_type(lambda world: world.decoder.dtype, ms.float32),
    "device": check_type(lambda world: world.decoder.device, "CPU"),
    "config": check_type(lambda world: world.decoder.config["unet"], ["diffusers", "UNet2DConditionModel"]),
    "name_or_path": check_type(lambda world: world.decoder.name_or_path, None),
    "scheduler = ...": check_scheduler_is_set,
    "unet = ...": check_refused(lambda world: setattr(world.decoder, "unet", None), "unet", AttributeError),
    "progress_bar": check_bar,
    "set_progress_bar_config": check_bar_config,
    "generator=": check_generator,
    "image=": check_given_pictures,
    "mask_image=": check_masks,
    "strength=": check_no_strength,
    "latents=": check_refused(lambda world: world.redraw(latents=None), "latents", TypeError),
    "callback=, callback_steps=": check_callback,
    "callback_on_step_end=": check_refused(
        lambda world: world.run(callback_on_step_end=print), "callback_on_step_end", TypeError
    ),
    'output_type="pt"': check_refused(lambda world: world.run(output_type="pt"), "'pt': choose one of pil, np, ms"),
    "return_dict=": check_return_dict,
    'output[0], output.images, output["images"], **output': check_results,
    "for x in output": check_values,
    "numpy_to_pil": check_to_pil(KandinskyPipeline.numpy_to_pil),
    "utils.load_image": check_loading_a_picture,
    "utils.make_image_grid": check_a_grid,
    "utils.numpy_to_pil": check_to_pil(utils.numpy_to_pil),
}


def rows() -> list[tuple[str, str]]:
    """Name and kind of each row."""
    text = Path(pipelines.__file__).with_name("SCRIPTS.md").read_text(encoding="utf-8")
    cells = [[cell.strip() for cell in line.split("|")[1:3]] for line in text.splitlines() if line.startswith("| `")]
    return [(name.replace("`", ""), kind) for name, kind in cells]


def test_every_switch_and_check_has_a_row() -> None:
    listed = [name for name, _ in rows()]
    refusals = {name for name, value in vars(ScriptNames).items() if isinstance(value, Refused)}
    assert len(listed) == len(set(listed))
    assert set(listed) == {*CHECKS, *SWITCHES, *refusals}


def test_every_pipeline_has_a_row() -> None:
    listed = {name for row, _ in rows() for name in row.split(", ")}
    assert {name for name in pipelines.__all__ if not name.endswith("Output")} <= listed


@pytest.mark.parametrize(("name", "kind"), rows())
def test_a_row_is_true(
    name: str,
    kind: str,
    decoder: KandinskyPipeline,
    prior: KandinskyPriorPipeline,
    tiny_checkpoint: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if name in SWITCHES:
        assert kind == "no effect"
        for _ in range(2):
            assert getattr(prior, name)(1, device="cuda") is None
        assert [message.split()[0] for message in caplog.messages] == [name]
    elif name not in CHECKS:
        assert kind == "refused"
        with pytest.raises(AttributeError, match=f"KandinskyPriorPipeline has no {name}: "):
            getattr(prior, name)
    else:
        assert kind in ("same", "differs", "no effect", "refused")
        mine = KandinskyPipeline(**decoder.components)
        mine.set_progress_bar_config(disable=True)
        CHECKS[name](World(prior, mine, tiny_checkpoint, tmp_path, caplog, monkeypatch))
