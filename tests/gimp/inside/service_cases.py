"""Daemon Status and Recover Lost Results through the PDB, after a GIMP was killed within a blend.

The first case takes what that GIMP left; the others find nothing, and leave nothing.
"""

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

from gi.repository import Gimp

from plugin_client.editor.connection import connect_to_running
from tests.gimp.inside.blend_cases import place, values
from tests.gimp.inside.images import blend, call, check, pixels, seen
from tests.gimp.inside.killed import FILE, LONG, blend_for_long, image_of_two_layers

NAME = "Kandinsky: 0.3 blue + 0.7 red, seed 7"
PENDING = Path(os.environ["KANDINSKY_BLEND_HOME"], "pending-jobs")
PLUG_IN = Path(os.environ["CASES_FOLDER"], "plug-ins/kandinsky-blend/kandinsky-blend.py")
SUCCESS = Gimp.PDBStatusType.SUCCESS


sys.argv = [str(PLUG_IN)]  # beside which lies what the installer knew


def serve(name, **arguments):
    """What one of our services answers to a script, by name."""
    procedure = Gimp.get_pdb().lookup_procedure(name)
    config = procedure.create_config()
    for key, value in arguments.items():
        config.set_property(key, value)
    result = procedure.run(config)
    status = result.index(0)
    if status != SUCCESS:
        return status, Gimp.get_pdb().get_last_error()
    names = [value.get_name() for value in procedure.get_return_values()]
    return status, {name: result.index(n + 1) for n, name in enumerate(names)}


def recovered(**arguments):
    status, values = serve("kandinsky-blend-recover", **arguments)
    check(status, SUCCESS)
    return [Gimp.Layer.get_by_id(number) for number in json.loads(values["layers"])], list(values["gone"])


def plug_in_processes():
    lines = {path: (path / "cmdline").read_bytes() for path in Path("/proc").glob("[0-9]*")}
    return [int(path.name) for path, line in lines.items() if b"/kandinsky-blend.py\0-gimp\0" in line]


def kill_the_plug_in_once_it_works():
    """What GIMP's own Cancel does."""
    with connect_to_running() as client:
        while not client.ping().running:
            time.sleep(0.01)
    (process,) = plug_in_processes()
    os.kill(process, signal.SIGKILL)


def cut_off(image, make=blend_for_long):
    """What is made when the plug-in process is killed."""
    killer = threading.Thread(target=kill_the_plug_in_once_it_works)
    killer.start()
    status, _, layers = make(image)
    killer.join()
    assert status != SUCCESS, layers
    return list(PENDING.glob("*.json"))


def test_what_a_killed_gimp_left_goes_into_its_image_opened_again():
    image = Gimp.file_load(Gimp.RunMode.NONINTERACTIVE, FILE)
    (layer,), gone = recovered()
    check((gone, layer.get_name(), layer.get_image()), ([], NAME, image))
    check(list(PENDING.iterdir()), [])
    status, message, (expected,) = blend_for_long(image_of_two_layers())
    check((status, message), (SUCCESS, ""))
    check(pixels(layer), pixels(expected))
    parasite = "kandinsky-blend-recipe"
    check(layer.get_parasite(parasite).get_data(), expected.get_parasite(parasite).get_data())


def test_a_finished_blend_leaves_no_pending_job():
    blend(image_of_two_layers(), [{"text": "a cat", "weight": 1.0}])
    check(list(PENDING.iterdir()), [])


def test_what_a_killed_plug_in_left_goes_into_its_image_which_is_still_open():
    other, image = image_of_two_layers(), image_of_two_layers()
    before = seen(image), seen(other)
    check(len(cut_off(image)), 1)
    (layer,), gone = recovered()
    check((gone, layer.get_name(), layer.get_image()), ([], NAME, image))
    check((seen(image)[1][1:], seen(other)), (before[0][1], before[1]))
    check(recovered(), ([], []))


def test_what_was_cut_off_beyond_the_canvas_lets_it_grow_and_has_its_mask():
    image = image_of_two_layers()
    cut_off(image, lambda image: call("kandinsky-blend-extend", image, left=24, **LONG))
    (layer,), gone = recovered()
    check((gone, image.get_width(), image.get_height()), ([], 88, 64))
    check((place(layer), image.get_item_position(layer)), ((0, 0, 88, 64), 0))
    mask = values(layer.get_mask(), 0, 0, 88, 64)
    check((mask[0], mask[-1]), (255, 0))


def test_an_image_that_is_another_one_now_is_left_alone():
    image = image_of_two_layers()
    cut_off(image)
    image.crop(32, 32, 0, 0)
    before = seen(image)
    (layer,), _ = recovered()
    check(seen(image), before)
    assert layer.get_image() != image


def test_a_running_job_is_seen_and_can_be_discarded():
    image = image_of_two_layers()
    cut_off(image)
    status, values = serve("kandinsky-blend-status")
    check((status, values["running"], values["working"]), (SUCCESS, True, 1))
    (job,) = json.loads(values["jobs"])
    check((job["title"], job["state"]), ("0.3 blue + 0.7 red, seed 7", "running"))
    before = seen(image)
    check(recovered(action="discard"), ([], ["0.3 blue + 0.7 red, seed 7"]))
    check(seen(image), before)
    check(recovered(), ([], []))


def test_a_result_that_the_daemon_knows_no_more_is_said_once():
    (PENDING / "00000000-0000-4000-8000-000000000000.json").write_text(
        '{"job": "00000000-0000-4000-8000-000000000000", "title": "1 a cat, seed 3", "destination": null}'
    )
    check(recovered(), ([], ["1 a cat, seed 3"]))
    check(recovered(), ([], []))


def test_a_damaged_file_is_removed():
    for text in ("", "[]", '{"job": 1}', '{"job": "x", "title": "", "destination": {"key": ""}}'):
        (PENDING / "damaged.json").write_text(text)
        check(recovered(), ([], []))
        check(list(PENDING.iterdir()), [])


def test_the_status_tells_version_models_and_hardware():
    status, values = serve("kandinsky-blend-status")
    check((status, values["running"], values["version"]), (SUCCESS, True, "0.1.0"))
    check((values["device"], values["precision"], values["waiting"]), ("CPU", "float32", 0))
    assert values["memory"] > 1e6, values
    assert values["uptime"] > 0, values
    check(list(values["models"]), list(values["loaded"]))
    check(len(values["models"]), 1)


def test_an_unknown_action_is_refused_by_name():
    check(
        serve("kandinsky-blend-recover", action="burn"),
        (Gimp.PDBStatusType.CALLING_ERROR, "action is 'burn': must be one of open, discard"),
    )
