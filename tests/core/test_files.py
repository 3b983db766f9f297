"""Opening and writing files: all or nothing, and only regular files."""

from __future__ import annotations

import io
import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastact._core.files import npy_header, open_regular, replacing

pytestmark = pytest.mark.skipif(os.name != "posix", reason="links, modes and FIFOs as POSIX has them")


def socket_at(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


IRREGULAR: dict[str, Callable[[Path], object]] = {
    "FIFO": os.mkfifo,
    "folder": Path.mkdir,
    "socket": socket_at,
    "device": lambda path: path.symlink_to("/dev/zero"),
}


@pytest.fixture(params=IRREGULAR)
def irregular(request: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A path to something other than a regular file."""
    monkeypatch.chdir(tmp_path)  # a socket's path is short
    IRREGULAR[request.param](Path("name"))
    return Path("name")


def write(path: Path, text: str = "new", **options: bool) -> None:
    with replacing(path, **options) as temporary:
        temporary.write_text(text)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_what_is_no_regular_file_is_neither_read_nor_replaced(irregular: Path) -> None:
    before = irregular.stat()
    with pytest.raises((OSError, ValueError), match="name") as error:
        open_regular(irregular)
    assert "\n" not in str(error.value)
    with pytest.raises(ValueError, match=r"^name: not a regular file, so it cannot be replaced; name another path$"):
        write(irregular)
    assert os.path.samestat(before, irregular.stat())
    assert os.listdir() == ["name"]


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_a_new_file_has_the_usual_mode_and_an_old_one_keeps_its_own(tmp_path: Path, mask: int) -> None:
    path = tmp_path / "file"
    before = os.umask(mask)
    try:
        write(path)
        assert mode(path) == 0o666 & ~mask
        for kept in (0o640, 0o400, 0o755):
            path.chmod(kept)
            write(path, str(kept))
            assert (mode(path), path.read_text()) == (kept, str(kept))
    finally:
        os.umask(before)


def test_links_are_followed(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    target, link, second = tmp_path / "folder" / "file", tmp_path / "link", tmp_path / "second"
    link.symlink_to("folder/file")
    second.symlink_to(link)
    for text in ("made", "replaced"):  # a link to nothing makes the file
        write(second, text)
        assert link.is_symlink()
        assert second.is_symlink()
        assert target.read_text() == text
    assert os.listdir(target.parent) == ["file"]


def test_links_in_a_circle_are_an_error_of_one_line(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    for use in (write, open_regular):
        with pytest.raises(OSError, match=r"symbolic links.*a'$") as error:
            use(tmp_path / "a")
        assert "\n" not in str(error.value)
    assert sorted(os.listdir(tmp_path)) == ["a", "b"]


def break_off(path: Path, trouble: BaseException) -> None:
    path.write_text("half")
    raise trouble


@pytest.mark.parametrize("trouble", [KeyboardInterrupt(), MemoryError(), OSError(28, "full")], ids=repr)
def test_what_breaks_off_leaves_nothing_behind(tmp_path: Path, trouble: Any) -> None:
    (tmp_path / "old").write_text("precious")
    for name in ("old", "new"):
        with pytest.raises(type(trouble)), replacing(tmp_path / name) as temporary:
            break_off(temporary, trouble)
    assert os.listdir(tmp_path) == ["old"]
    assert (tmp_path / "old").read_text() == "precious"


def test_temporary_names_cannot_be_guessed_and_fit(tmp_path: Path) -> None:
    path = tmp_path / ("n" * os.pathconf(tmp_path, "PC_NAME_MAX"))
    with replacing(path) as first, replacing(path) as second:
        assert first.parent == second.parent == tmp_path
        assert len(first.name.encode()) > 20
        assert first.name != second.name
        assert str(os.getpid()) not in first.name.split(".")
    assert os.listdir(tmp_path) == [path.name]


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"cannot write here .*none/file'$"):
        write(tmp_path / "none" / "file")


# --- headers of .npy files -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
@pytest.mark.parametrize(
    "array",
    [
        np.zeros((3, 4), np.float32), np.zeros((3, 4), ">f8", order="F"), np.array(1.5), np.zeros((0, 7), bool),
        np.zeros(5, np.int8), np.zeros(2, "M8[ns]"), np.zeros(2, "U7"), np.zeros(2, complex), np.ones(1, np.float16),
    ],
    ids=lambda array: f"{array.dtype.str}{array.shape}",
)  # fmt: skip
def test_headers_that_numpy_writes_are_understood(array: np.ndarray, version: tuple[int, int]) -> None:
    file = io.BytesIO()
    np.lib.format.write_array(file, array, version)
    size = file.tell()
    file.seek(0)
    header = npy_header(file)
    assert header[:2] == (array.shape, array.dtype)
    assert header.fortran_order == (array.flags.f_contiguous and not array.flags.c_contiguous)
    assert file.tell() == header.size
    assert header.file_size == size


def with_header(text: str, version: int = 1) -> io.BytesIO:
    """A .npy file with this header and no data."""
    body = text.encode("latin-1")
    length = len(body).to_bytes(2 if version == 1 else 4, "little")
    return io.BytesIO(b"\x93NUMPY" + bytes([version, 0]) + length + body)


HEADER = "{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}"


@pytest.mark.parametrize(
    "text",
    [
        "{'descr':'<f4','fortran_order':False,'shape':(3,4)}",
        '{"descr": "<f4", "fortran_order": False, "shape": (3L, 4L)}  \n',
    ],
)
def test_headers_of_other_programs_are_understood(text: str) -> None:
    assert npy_header(with_header(text))[:2] == ((3, 4), np.float32)


@pytest.mark.parametrize(
    "file",
    [
        io.BytesIO(b""), io.BytesIO(b"\x93NUMPY\x01"), io.BytesIO(b"\x93NUMPY\x01\0\xff"), io.BytesIO(b"PK\3\4" * 9),
        with_header("", 4), with_header(""), with_header("{}"), with_header("(" * 9000), with_header("{[]: 1}"),
        with_header(HEADER.format("<f4", "-1,")), with_header(HEADER.format("<f4", "1 2")),
        with_header(HEADER.format("<f4", "9" * 5000)), with_header(HEADER.format("<f4", f"{10**30}, 0")),
        with_header(HEADER.format("<U0", f"{10**30}")), with_header(HEADER.format("<f3", "3,")),
        with_header(HEADER.format("|O", "3,")), with_header(HEADER.format("f4,f4", "3,")),
        with_header(HEADER.format("<M8[no]", "3,")), with_header(HEADER.format("<f4", "3,") + " " * 10_000, 2),
        with_header("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (3,)}"),
        with_header("{'descr': '<f4', 'fortran_order': 0, 'shape': (3,)}"),
    ],
)  # fmt: skip
def test_headers_that_are_none_are_errors_of_one_line(file: io.BytesIO) -> None:
    with pytest.raises(ValueError, match=r"npy|objects") as error:
        npy_header(file)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 300
