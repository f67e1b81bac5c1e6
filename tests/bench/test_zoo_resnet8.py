"""The file computes what the network computes; images are cropped and mirrored; a resumed run is the same run."""

from __future__ import annotations

import copy
from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

torch = pytest.importorskip("torch", reason="the train extra is not installed")

from narrows.sw.frontend import load_model  # noqa: E402 - after torch is known to be there
from narrows.sw.passes import lower  # noqa: E402
from narrows.sw.quantize.evaluate import evaluate  # noqa: E402
from resnet8 import PIXEL_MAX, ResNet8, export_onnx, folded  # noqa: E402
from rich.progress import Progress  # noqa: E402
from train_resnet8 import BATCH, CROP, CheckpointMismatch, Trainer, augmented  # noqa: E402

SEED = 5


@pytest.fixture(scope="module")
def network() -> ResNet8:
    """Untrained, but with BatchNorm that does something."""
    torch.manual_seed(SEED)
    network = ResNet8().eval()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            for values in (module.weight, module.running_var):
                torch.nn.init.uniform_(values, 0.5, 2.0)
            for values in (module.bias, module.running_mean):
                torch.nn.init.uniform_(values, -0.5, 0.5)
    return network


@pytest.fixture(scope="module")
def exported(network: ResNet8, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("zoo") / "resnet8.onnx"
    export_onnx(network, path)
    return path


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    return np.random.default_rng(SEED).integers(0, 256, (5, 32, 32, 3)).astype(np.float32)


def scores(network: ResNet8, pixels: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        return network(torch.from_numpy(pixels) / PIXEL_MAX).numpy()


def test_folded_network_has_the_weights_of_the_reference(network: ResNet8) -> None:
    assert sum(parameter.numel() for parameter in folded(network).parameters()) == 77_706


def test_folding_leaves_the_network_as_it_was(network: ResNet8) -> None:
    before = copy.deepcopy(network.state_dict())
    folded(network)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_file_has_pixels_in_scores_out_and_no_pad_or_batchnorm(exported: Path) -> None:
    model = onnx.load(exported)
    onnx.checker.check_model(model, full_check=True)
    shapes = {
        value.name: [axis.dim_param or axis.dim_value for axis in value.type.tensor_type.shape.dim]
        for value in (*model.graph.input, *model.graph.output)
    }
    assert shapes == {"pixels": ["batch", 32, 32, 3], "scores": ["batch", 10]}
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", 17)]
    assert Counter(node.op_type for node in model.graph.node) == {
        "Transpose": 1, "Conv": 9, "Relu": 7, "Add": 3, "AveragePool": 1, "Flatten": 1, "Gemm": 1,
    }  # fmt: skip


def test_file_computes_what_the_network_computes(network: ResNet8, exported: Path, pixels: np.ndarray) -> None:
    session = onnxruntime.InferenceSession(exported, providers=["CPUExecutionProvider"])
    (got,) = session.run(["scores"], {"pixels": pixels})
    np.testing.assert_allclose(np.asarray(got), scores(network, pixels), rtol=1e-4, atol=1e-4)


def test_frontend_reads_the_file_as_the_network(network: ResNet8, exported: Path, pixels: np.ndarray) -> None:
    graph = lower(load_model(exported))
    (name,) = graph.output_tensors
    got = evaluate(graph, pixels)[name].reshape(len(pixels), 10)
    np.testing.assert_allclose(got, scores(network, pixels), rtol=1e-4, atol=1e-4)


def test_augmented_images_are_crops_mirrored_or_not() -> None:
    torch.manual_seed(SEED)
    padded = torch.randint(0, 256, (4, 6 + 2 * CROP, 6 + 2 * CROP, 3), dtype=torch.uint8)
    index = torch.tensor([2, 0, 3, 3, 1] * 8)
    for image, source in zip(augmented(padded, index), index.tolist(), strict=True):
        crops = [
            padded[source, top : top + 6, left : left + 6]
            for top in range(2 * CROP + 1)
            for left in range(2 * CROP + 1)
        ]
        assert any(torch.equal(image, crop) or torch.equal(image, crop.flip(1)) for crop in crops), f"seed {SEED}"


def test_resumed_run_ends_with_the_weights_of_one_that_was_not_stopped(tmp_path: Path) -> None:
    torch.manual_seed(SEED)
    images = 3 * BATCH - 7
    padded = torch.randint(0, 256, (images, 32 + 2 * CROP, 32 + 2 * CROP, 3), dtype=torch.uint8)
    labels = torch.randint(0, 10, (images,))
    through = Trainer(images=images, epochs=2, seed=SEED)
    with Progress(disable=True) as progress:
        through.train_epoch(padded, labels, progress)
        through.save(tmp_path / "half.pt")
        through.averaged()  # looked at after every epoch
        through.train_epoch(padded, labels, progress)
        resumed = Trainer(images=images, epochs=2, seed=SEED)
        resumed.load(tmp_path / "half.pt")
        assert resumed.epoch == 1
        resumed.train_epoch(padded, labels, progress)
    for part in ("model", "average"):
        expected = getattr(through, part).state_dict()
        got = getattr(resumed, part).state_dict()
        assert all(torch.equal(got[name], value) for name, value in expected.items()), part


def test_checkpoint_of_another_run_is_refused(tmp_path: Path) -> None:
    Trainer(images=10, epochs=2, seed=1).save(tmp_path / "other.pt")
    with pytest.raises(CheckpointMismatch, match="resume with the same, or leave --resume out"):
        Trainer(images=10, epochs=2, seed=2).load(tmp_path / "other.pt")
