"""Modules of Brevitas: the golden model gives the codes that Brevitas gives."""

from __future__ import annotations

import narrows
import numpy as np
import pytest

torch = pytest.importorskip("torch")
qnn = pytest.importorskip("brevitas.nn", reason="pip install 'narrows[brevitas]'")
pytest.importorskip("onnxoptimizer", reason="pip install 'narrows[brevitas]'")

pytestmark = pytest.mark.filterwarnings("default")  # torch's and Brevitas' own


def module(bits: int, bias):
    from brevitas.quant import Int8WeightPerChannelFloat, Uint8ActPerTensorFloat  # pyright: ignore[reportMissingImports]

    weights = {"weight_quant": Int8WeightPerChannelFloat, "weight_bit_width": bits, "bias": True, "bias_quant": bias}
    kept = bias is not None
    return torch.nn.Sequential(
        qnn.QuantIdentity(act_quant=Uint8ActPerTensorFloat, return_quant_tensor=kept),
        qnn.QuantConv2d(1, 6, 3, padding=1, return_quant_tensor=kept, **weights),
        torch.nn.Identity() if kept else torch.nn.BatchNorm2d(6),
        qnn.QuantReLU(bit_width=bits, return_quant_tensor=kept),
        torch.nn.MaxPool2d(2),
        torch.nn.Flatten(),
        qnn.QuantLinear(6 * 9, 5, **weights),
        qnn.QuantIdentity(bit_width=8),
    )


@pytest.mark.parametrize(("bits", "quantised_bias"), [(8, False), (4, True), (3, False)])
def test_codes_are_those_of_brevitas(bits: int, quantised_bias: bool) -> None:
    from brevitas.quant import Int32Bias  # pyright: ignore[reportMissingImports]

    torch.manual_seed(bits)
    net = module(bits, Int32Bias if quantised_bias else None).train()
    x = torch.rand(100, 1, 6, 6)
    for _ in range(3):
        net(x)
    model = narrows.load(net, x)
    assert net.training  # left as it was
    program = model.quantize(x.numpy()).compile(narrows.Config("medium", acc_bits=24, rescale_bits=16))
    (ours,) = program.run(x.numpy()).values()
    theirs = net.eval()(x).detach().numpy()
    step = float(net[-1].act_quant.scale())
    np.testing.assert_array_equal(np.rint(ours / step), np.rint(theirs / step))


def test_what_brevitas_cannot_export_is_one_line() -> None:
    class Odd(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = qnn.QuantIdentity()

        def forward(self, x):
            return self.first(x).numpy().tolist()

    with pytest.raises(narrows.NarrowsError, match=r"^Brevitas cannot export Odd: [^\n]*$"):
        narrows.load(Odd(), torch.zeros(1, 4))
