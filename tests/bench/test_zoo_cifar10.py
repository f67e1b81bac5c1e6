"""Images come checked, in order, or with a line that says what to do."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path

import cifar10
import numpy as np
import pytest
from PIL import Image

SEED = 6


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, np.ndarray]:
    """An archive of the same form with three images a file, in ``tmp_path``; its images by file."""
    draw = np.random.default_rng(SEED)
    numbers = [f"data_batch_{number}.png" for number in range(1, 6)]
    images = {name: draw.integers(0, 256, (3, 32, 32, 3), dtype=np.uint8) for name in (*numbers, "test_batch.png")}
    members = {"train_lables.json": json.dumps([i % 10 for i in range(15)]).encode(), "test_lables.json": b"[7, 0, 9]"}
    for name, pixels in images.items():
        file = io.BytesIO()
        Image.fromarray(pixels.reshape(3, 1024, 3)).save(file, "png")
        members[name] = file.getvalue()
    with tarfile.open(tmp_path / cifar10.ARCHIVE, "w:gz") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(f"package/{name}")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    monkeypatch.setattr(cifar10, "_IN_A_FILE", 3)
    monkeypatch.setattr(cifar10, "SHA256", hashlib.sha256((tmp_path / cifar10.ARCHIVE).read_bytes()).hexdigest())
    return images


def test_files_are_joined_in_order(small: dict[str, np.ndarray], tmp_path: Path) -> None:
    data = cifar10.load_cifar10(tmp_path)
    np.testing.assert_array_equal(data.x_train, np.concatenate([small[f"data_batch_{n}.png"] for n in range(1, 6)]))
    np.testing.assert_array_equal(data.x_test, small["test_batch.png"])
    assert data.y_train.tolist() == [i % 10 for i in range(15)]
    assert data.y_test.tolist() == [7, 0, 9]


@pytest.mark.usefixtures("small")
def test_damaged_archive_is_refused(tmp_path: Path) -> None:
    with (tmp_path / cifar10.ARCHIVE).open("ab") as file:
        file.write(b"x")
    with pytest.raises(cifar10.DataMissing, match="is damaged: remove it and start again"):
        cifar10.load_cifar10(tmp_path)


def test_without_npm_the_message_says_where_to_put_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(cifar10.DataMissing, match=f"put {cifar10.ARCHIVE} .* into {tmp_path}, or give --data"):
        cifar10.load_cifar10(tmp_path)


def test_npz_needs_all_arrays(tmp_path: Path) -> None:
    np.savez(tmp_path / "part.npz", x_train=np.zeros(1), y_train=np.zeros(1), x_test=np.zeros(1))
    with pytest.raises(
        cifar10.DataMissing, match="must be an npz file with the arrays x_train, y_train, x_test, y_test"
    ):
        cifar10.load_npz(tmp_path / "part.npz")
