"""Holds DESIGN's arrows: who may import whom, read from the source, imports inside functions included."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent
PACKAGES = ("install", "plugin_client", "daemon", "kandinsky_backend")
TOP_FOLDERS = {*PACKAGES, "tests"}
BUILD_OUTPUTS = {"build", "demo-output"}  # git ignores them
MAX_LINES = 500
# Makes the weights that ship with the package, in an environment that has the reference.
TRAINING = "kandinsky_backend.embedded.train"


@dataclass(frozen=True)
class MayImport:
    """What a module may import besides the standard library: packages and modules of ours, and other people's."""

    ours: frozenset[str]
    others: frozenset[str]


def may_import(ours: str = "", others: str = "") -> MayImport:
    return MayImport(frozenset(ours.split()), frozenset(others.split()))


# What scripts, the shell and the editors share. The arrows within the package: gimp <- editor <- these, cli <- these.
CLIENT = " ".join(
    f"plugin_client.{path.stem}"
    for path in (PROJECT / "plugin_client").iterdir()
    if path.stem not in ("__init__", "cli", "editor", "gimp")
)
# The rule with the longest matching name holds.
RULES = {
    "install": may_import("install"),
    "install.demo_sheet": may_import("plugin_client", "PIL"),  # a user's script, which the demo only starts
    "plugin_client": may_import(CLIENT, "zmq msgpack"),
    "plugin_client.cli": may_import(f"{CLIENT} plugin_client.cli"),
    "plugin_client.editor": may_import(f"{CLIENT} plugin_client.editor"),
    "plugin_client.editor.connection": may_import(f"{CLIENT} plugin_client.editor", "zmq"),  # to see whether it can be
    "plugin_client.gimp": may_import(f"{CLIENT} plugin_client.editor plugin_client.gimp", "gi"),
    "plugin_client.wire.settings": may_import("plugin_client.wire.limits plugin_client.wire.marking"),
    "plugin_client.wire": may_import("plugin_client.wire", "msgpack"),
    "plugin_client.wire.connection_file": may_import("plugin_client.wire", "zmq"),  # libzmq makes the CURVE keys
    "plugin_client.transports.base": may_import("plugin_client.wire"),
    "plugin_client.transports.zmq": may_import("plugin_client.transports.base plugin_client.wire", "zmq"),
    # Pillow for their types only, see below.
    "plugin_client.client": may_import(CLIENT, "PIL"),
    "plugin_client.canvas": may_import(
        "plugin_client.picture_names plugin_client.pictures plugin_client.regions plugin_client.wire", "PIL"
    ),
    "plugin_client.job": may_import(CLIENT, "PIL"),
    # How picture files are opened (EXIF rotation, 16 bits, CMYK, ...) is written once, in the backend, in modules
    # that need Pillow and numpy and not MindSpore.
    "plugin_client.pictures": may_import(
        "plugin_client.picture_names plugin_client.regions plugin_client.wire kandinsky_backend.errors "
        "kandinsky_backend.images kandinsky_backend.png_files kandinsky_backend.utils",
        "PIL",
    ),
    "daemon": may_import("daemon plugin_client.wire"),
    # The look at models before it starts, which takes none of their libraries.
    "daemon.__main__": may_import(
        "daemon plugin_client.wire kandinsky_backend.errors kandinsky_backend.preflight", "zmq"
    ),
    "daemon.listen": may_import("daemon plugin_client.wire", "zmq"),
    "daemon.router": may_import("daemon plugin_client.wire", "zmq"),
    "daemon.connections": may_import("daemon plugin_client.wire", "zmq"),
    "daemon.metrics": may_import("daemon plugin_client.wire", "prometheus_client"),
    "daemon.server": may_import("daemon plugin_client.wire", "zmq"),
    "daemon.executors.channel": may_import("daemon plugin_client.wire", "msgpack"),
    "daemon.executors.ray": may_import("daemon plugin_client.wire", "ray"),
    "daemon.executors.ray_check": may_import("daemon plugin_client.wire", "ray"),
    "daemon.executors.ray_worker": may_import("daemon plugin_client.wire", "ray"),
    "daemon.executors.ray_member": may_import("daemon plugin_client.wire", "ray"),
    # Imported by the process that owns the models only.
    "daemon.engine": may_import("daemon plugin_client.wire kandinsky_backend"),
    "daemon.downloads": may_import("daemon plugin_client.wire kandinsky_backend.families kandinsky_backend.library"),
    # The look at what is on the disk, which takes none of the models' libraries.
    "daemon.library": may_import(
        "daemon plugin_client.wire kandinsky_backend.errors kandinsky_backend.families kandinsky_backend.hub_cache "
        "kandinsky_backend.library"
    ),
    "daemon.library_worker": may_import(
        "daemon plugin_client.wire kandinsky_backend.errors kandinsky_backend.families kandinsky_backend.library"
    ),
    "daemon.refine_job": may_import("daemon plugin_client.wire kandinsky_backend", ""),
    "daemon.repaint_job": may_import("daemon plugin_client.wire kandinsky_backend", ""),
    "daemon.upscale_job": may_import("daemon plugin_client.wire kandinsky_backend", ""),
    "daemon.embeddings": may_import("daemon plugin_client.wire kandinsky_backend", "numpy"),
    "daemon.drawing": may_import("daemon plugin_client.wire kandinsky_backend", "numpy PIL"),
    "daemon.blend_job": may_import("daemon plugin_client.wire kandinsky_backend", "numpy PIL"),
    "kandinsky_backend": may_import("kandinsky_backend", "mindspore numpy PIL"),
    "kandinsky_backend.errors": may_import(),
    "kandinsky_backend.families": may_import("kandinsky_backend.errors plugin_client.wire.settings"),
    "kandinsky_backend.model_files": may_import("kandinsky_backend.errors"),
    "kandinsky_backend.layout": may_import("kandinsky_backend.errors kandinsky_backend.model_files"),
    "kandinsky_backend.preflight": may_import(
        "kandinsky_backend.errors kandinsky_backend.families kandinsky_backend.hub kandinsky_backend.layout "
        "kandinsky_backend.model_files kandinsky_backend.weight_files"
    ),
    "kandinsky_backend.blobs": may_import("", "huggingface_hub"),
    "kandinsky_backend.hub_cache": may_import("", "huggingface_hub"),
    "kandinsky_backend.hub": may_import(
        "kandinsky_backend.blobs kandinsky_backend.errors kandinsky_backend.hub_cache", "huggingface_hub httpx"
    ),
    "kandinsky_backend.fetching": may_import("kandinsky_backend.hub kandinsky_backend.layout"),
    # The look at models, which takes none of their libraries; what it fetches with is imported by who fetches.
    "kandinsky_backend.library": may_import(
        "kandinsky_backend.errors kandinsky_backend.families kandinsky_backend.fetching kandinsky_backend.hub "
        "kandinsky_backend.hub_cache kandinsky_backend.layout"
    ),
    "kandinsky_backend.weight_files": may_import(
        "kandinsky_backend.errors kandinsky_backend.model_files", "numpy safetensors ml_dtypes"
    ),
    "kandinsky_backend.weights": may_import(
        "kandinsky_backend.errors kandinsky_backend.ops", "mindspore numpy ml_dtypes"
    ),
    "kandinsky_backend.checkpoint": may_import(
        "kandinsky_backend.errors kandinsky_backend.fetching kandinsky_backend.hub kandinsky_backend.layout "
        "kandinsky_backend.model_files kandinsky_backend.weight_files kandinsky_backend.weights",
        "mindspore transformers",
    ),
    "kandinsky_backend.models": may_import(
        "kandinsky_backend.models kandinsky_backend.ops kandinsky_backend.weights", "mindspore numpy"
    ),
    # Pipelines know no blend, and a blend no pipeline: families name the classes that run their models.
    "kandinsky_backend.pipelines": may_import(
        "kandinsky_backend.checkpoint kandinsky_backend.device kandinsky_backend.errors kandinsky_backend.images "
        "kandinsky_backend.layout kandinsky_backend.model_files kandinsky_backend.models kandinsky_backend.ops "
        "kandinsky_backend.pipelines kandinsky_backend.repainting kandinsky_backend.residency "
        "kandinsky_backend.sampling kandinsky_backend.schedulers kandinsky_backend.texts "
        "kandinsky_backend.weight_files kandinsky_backend.weights",
        "mindspore numpy PIL tqdm",
    ),
    "kandinsky_backend.blend": may_import(
        "kandinsky_backend.blend kandinsky_backend.device kandinsky_backend.errors kandinsky_backend.families "
        "kandinsky_backend.images kandinsky_backend.repainting kandinsky_backend.residency "
        "kandinsky_backend.sampling kandinsky_backend.schedulers kandinsky_backend.texts plugin_client.wire.settings",
        "mindspore numpy PIL",
    ),
    TRAINING: may_import(TRAINING, "numpy PIL safetensors torch diffusers transformers tokenizers matplotlib"),
}


def sources(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (PROJECT / folder).rglob("*.py"))


def module_name(path: Path) -> str:
    parts = path.relative_to(PROJECT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def is_module(name: str) -> bool:
    path = PROJECT.joinpath(*name.split("."))
    return path.is_dir() or path.with_suffix(".py").exists()


def imports(tree: ast.AST, module: str) -> Iterator[str]:
    """The module behind every import statement in `module`, wherever it stands: of `from a import b`, a.b where that
    is one of our modules, else a."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = module.split(".")[: -node.level] if node.level else []
            source = ".".join([*parents, node.module or ""]).rstrip(".")
            names = (f"{source}.{alias.name}" for alias in node.names)
            yield from (name if is_module(name) else source for name in names)


def lies_in(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def rule_for(module: str) -> MayImport:
    return RULES[max((name for name in RULES if lies_in(module, name)), key=len)]


def is_allowed(imported: str, rule: MayImport) -> bool:
    top = imported.partition(".")[0]
    if top in PACKAGES:
        return any(lies_in(imported, name) for name in rule.ours)
    return top in sys.stdlib_module_names or top in rule.others


def forbidden_imports(module: str, tree: ast.AST) -> list[str]:
    rule = rule_for(module)
    return sorted({name for name in imports(tree, module) if not is_allowed(name, rule)})


@pytest.mark.parametrize("path", sources(*PACKAGES), ids=module_name)
def test_a_module_imports_only_what_the_design_lets_it(path: Path) -> None:
    assert forbidden_imports(module_name(path), ast.parse(path.read_text())) == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("daemon.server", "def f():\n    from kandinsky_backend import blend"),
        ("daemon.server", "import plugin_client.client"),
        ("daemon.scheduler", "import zmq"),
        ("daemon.job_runner", "import kandinsky_backend.families"),
        ("daemon.server", "from plugin_client import client"),
        ("kandinsky_backend.blend.blender", "import daemon.jobs"),
        ("kandinsky_backend.blend.blender", "import torch"),
        ("kandinsky_backend.blend.blender", "import plugin_client.wire.messages"),
        ("kandinsky_backend.blend.opening", "from kandinsky_backend.pipelines import KandinskyPipeline"),
        ("kandinsky_backend.pipelines.prior", "from kandinsky_backend.blend import mixing"),
        ("kandinsky_backend.models.unet", "from kandinsky_backend import device"),
        ("kandinsky_backend.families", "import kandinsky_backend.checkpoint"),
        ("kandinsky_backend.checkpoint", "import safetensors"),
        ("plugin_client.client", "import gi"),
        ("plugin_client.client", "from plugin_client.editor import session"),
        ("plugin_client.wire.codec", "import plugin_client.editor.geometry"),
        ("plugin_client.transports.base", "import plugin_client.editor.connection"),
        ("plugin_client.editor.session", "import gi"),
        ("plugin_client.editor.session", "from plugin_client.gimp import place"),
        ("plugin_client.editor.report", "from plugin_client.cli.terminal import table"),
        ("plugin_client.gimp.plugin", "from plugin_client import cli"),
        ("plugin_client.wire.codec", "import zmq"),
        ("plugin_client.client", "import kandinsky_backend.images"),
        ("plugin_client.client", "from . import job\nfrom ..daemon import jobs"),
        ("plugin_client.pictures", "import kandinsky_backend.blend.blender"),
        ("install.demo", "import numpy"),
    ],
)
def test_an_import_against_the_arrows_is_found(module: str, source: str) -> None:
    assert len(forbidden_imports(module, ast.parse(source))) == 1


def test_what_is_imported_is_declared() -> None:
    """Also where another dependency happens to bring it."""
    modules = {name for package, rule in RULES.items() if package != TRAINING for name in rule.others} - {"gi"}
    distributions = {{"PIL": "pillow", "zmq": "pyzmq"}.get(name, name) for name in modules}
    declared = re.findall(r'^  "([a-z_]+)[=>]', (PROJECT / "pyproject.toml").read_text(), flags=re.MULTILINE)
    assert sorted(declared) == sorted(distributions)


@pytest.mark.parametrize("path", sources("tests"), ids=module_name)
def test_only_scripts_in_its_own_environment_import_the_reference(path: Path) -> None:
    reference = {"torch", "diffusers", "mindone"}
    found = reference & {name.partition(".")[0] for name in imports(ast.parse(path.read_text()), module_name(path))}
    makes_goldens = path.is_relative_to(PROJECT / "tests" / "golden") and path.name.startswith("make_")
    measures_it = path.is_relative_to(PROJECT / "tests" / "benchmarks" / "peers") and path.name.startswith("theirs")
    assert makes_goldens or measures_it or not found


@pytest.mark.parametrize("path", sources("kandinsky_backend/models"), ids=module_name)
def test_no_model_asks_which_device_it_is_on(path: Path) -> None:
    """Device and precision come from kandinsky_backend.device, through the dtype that a model's weights have."""
    tree = ast.parse(path.read_text())
    asked = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert not asked & {"get_context", "set_context", "set_device", "device_target"}
    assert not [name for name in imports(tree, module_name(path)) if lies_in(name, "kandinsky_backend.device")]


@pytest.mark.parametrize("path", sources("kandinsky_backend/models"), ids=module_name)
def test_models_compute_through_the_operators_of_one_package(path: Path) -> None:
    """mindspore.ops is used behind kandinsky_backend.ops alone, where a device's faster operators take its place."""
    tree = ast.parse(path.read_text())
    names = [
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if node.module == "mindspore"
    ]
    asked = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in ("ms", "mindspore")
    }
    assert not {"ops", "mint"} & {*names, *asked}
    assert not [name for name in imports(tree, module_name(path)) if lies_in(name, "mindspore.ops")]


@pytest.mark.parametrize(
    ("module", "heavy"),
    [
        ("kandinsky_backend", "mindspore"),
        ("kandinsky_backend.errors", "mindspore numpy PIL"),
        ("kandinsky_backend.families", "mindspore numpy PIL"),
        ("kandinsky_backend.hub", "mindspore"),
        ("kandinsky_backend.utils", "mindspore"),
        ("plugin_client.client", "mindspore numpy PIL"),
        ("plugin_client.cli.__main__", "mindspore"),
        ("plugin_client.regions", "mindspore numpy PIL"),
        ("plugin_client.editor.session", "gi mindspore numpy PIL"),
        ("daemon.__main__", "mindspore numpy PIL"),
    ],
)
def test_what_needs_no_model_does_not_wait_for_the_modules_of_one(module: str, heavy: str) -> None:
    program = f"import sys, {module}; print(*sys.modules.keys() & set({heavy.split()}))"
    run = subprocess.run([sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert run.stdout.split() == []


@pytest.mark.parametrize("path", [p for p in sources(*PACKAGES) if "train" not in p.parts], ids=module_name)
def test_the_product_does_not_import_the_training_scripts(path: Path) -> None:
    found = imports(ast.parse(path.read_text()), module_name(path))
    assert [name for name in found if lies_in(name, TRAINING)] == []


def test_there_are_no_other_top_folders() -> None:
    folders = {path.name for path in PROJECT.iterdir() if path.is_dir() and not path.name.startswith((".", "__"))}
    assert {name for name in folders - BUILD_OUTPUTS if not name.endswith(".egg-info")} == TOP_FOLDERS


@pytest.mark.parametrize("path", sources(*TOP_FOLDERS), ids=module_name)
def test_no_file_is_too_long_to_read(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= MAX_LINES
