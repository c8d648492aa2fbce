"""load_image from files and a real HTTP server; make_image_grid."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from kandinsky_backend import utils
from kandinsky_backend.errors import PictureError, PictureNotFound, PictureUnsupported
from kandinsky_backend.utils import load_image, make_image_grid
from tests.refusals import refused

ORANGE = (255, 128, 0)


def png(mode: str = "RGB", colour: tuple[int, ...] = ORANGE) -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, (8, 6), colour).save(buffer, "PNG")
    return buffer.getvalue()


class Pictures(BaseHTTPRequestHandler):
    """Serves /good.png, /cut.png (fewer bytes than announced), /page.html; anything else is 404."""

    def do_GET(self) -> None:
        body = {"/good.png": png(), "/cut.png": png()[:40], "/page.html": b"<html>"}.get(self.path)
        if body is None:
            self.send_error(404, "Not Found")
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(png()) if self.path == "/cut.png" else len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Pictures) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_picture_comes_from_a_path_a_url_or_pillow(tmp_path: Path, site: str) -> None:
    path = tmp_path / "good.png"
    path.write_bytes(png())
    for source in (path, str(path), f"{site}/good.png", Image.open(path)):
        image = load_image(source)
        assert (image.mode, image.size, image.getpixel((0, 0))) == ("RGB", (8, 6), ORANGE)


def test_transparency_shows_the_chosen_backdrop() -> None:
    clear = Image.new("RGBA", (2, 2), (*ORANGE, 0))
    assert load_image(clear).getpixel((0, 0)) == (255, 255, 255)
    assert load_image(clear, backdrop="black").getpixel((0, 0)) == (0, 0, 0)


def test_convert_method_gets_the_picture_with_its_transparency() -> None:
    assert load_image(Image.new("RGBA", (2, 2)), lambda image: image.getchannel("A")).mode == "L"


@pytest.mark.parametrize(
    ("path", "error", "code", "name", "data"),
    [
        ("/nowhere.png", PictureError, "refused-by-server", "url", {"status": 404, "reason": "Not Found"}),
        ("/cut.png", PictureError, "cut-download", "url", {"missing": lambda missing: missing > 0}),
        ("/page.html", PictureUnsupported, "unread-format", "name", {"called": "a web page"}),
    ],
)
def test_a_bad_download_is_named(
    site: str, path: str, error: type[PictureError], code: str, name: str, data: dict[str, Any]
) -> None:
    with refused(error, code, **{name: site + path}, **data):
        load_image(site + path)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/a.png", "http://", "http://exa mple/a.png", "http://[/"])
def test_an_unreachable_url_is_named(url: str) -> None:
    with refused(PictureError, "no-download", url=url, reason=bool):
        load_image(url)


def test_other_schemes_are_paths() -> None:
    with refused(PictureNotFound, "no-file", name="file:///etc/hostname"):
        load_image("file:///etc/hostname")


def test_a_download_has_a_limit(site: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(utils, "MAX_DOWNLOAD_BYTES", 20)
    with refused(PictureError, "large-download", url=f"{site}/good.png"):
        load_image(f"{site}/good.png")


def test_a_grid_is_filled_row_by_row() -> None:
    colours = [(10 * i, 0, 0) for i in range(6)]
    grid = make_image_grid([Image.new("RGB", (4, 3), colour) for colour in colours], rows=2, cols=3)
    assert grid.size == (12, 6)
    assert [grid.getpixel((x, y)) for y in (1, 4) for x in (1, 5, 9)] == colours


def test_a_grid_can_resize_its_pictures() -> None:
    assert make_image_grid([Image.new("RGB", (4, 3)), Image.new("RGB", (9, 9))], 1, 2, resize=5).size == (10, 5)


def test_a_grid_that_cannot_be_filled_is_refused() -> None:
    with pytest.raises(ValueError, match="1 pictures do not fill a grid of 2 rows and 3 columns"):
        make_image_grid([Image.new("RGB", (4, 3))], rows=2, cols=3)
    with pytest.raises(ValueError, match="0 pictures"):
        make_image_grid([], rows=0, cols=3)
    with pytest.raises(ValueError, match="picture 1 of the grid"):
        make_image_grid([Image.new("RGB", (4, 3)), Image.new("RGB", (3, 3))], 1, 2)
