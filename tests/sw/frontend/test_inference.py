"""infer_shapes: models whose shapes would end the process are refused; others keep what ONNX infers."""

from __future__ import annotations

from pathlib import Path

import narrows
import onnx
import pytest
from narrows.sw.errors import ModelError
from narrows.sw.frontend.inference import infer_shapes
from onnx import GraphProto, ModelProto, TensorProto, helper


def sliced(kernel: int, *, inside: bool = False) -> ModelProto:
    """A Slice of a convolution whose kernel may be larger than the image, perhaps within the branches of an If."""
    image = helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 1, 8, 8))
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], kernel_shape=[kernel, 1]),
        helper.make_node("Slice", ["c", "zero", "one", "two"], ["y"]),
    ]
    constants = [
        helper.make_tensor("w", TensorProto.FLOAT, (1, 1, 1, 1), [1.0]),
        *(
            helper.make_tensor(name, TensorProto.INT64, (1,), [value])
            for value, name in enumerate(("zero", "one", "two"))
        ),
    ]
    result = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    if inside:
        branch = GraphProto(name="branch", node=nodes, output=[result], initializer=constants)
        nodes = [helper.make_node("If", ["yes"], ["y"], then_branch=branch, else_branch=branch)]
        constants.append(helper.make_tensor("yes", TensorProto.BOOL, (), [True]))
    return helper.make_model(
        helper.make_graph(nodes, "sliced", [image], [result], constants), opset_imports=[helper.make_opsetid("", 17)]
    )


@pytest.mark.parametrize("inside", [False, True])
def test_a_slice_of_an_axis_without_elements_ends_no_process(inside: bool) -> None:
    with pytest.raises(ModelError, match="a Slice cuts an axis without elements"):
        infer_shapes(sliced(65537, inside=inside))


def test_other_slices_have_the_shape_that_onnx_infers() -> None:
    found = infer_shapes(sliced(1)).graph.output[0].type.tensor_type.shape.dim
    assert [axis.dim_value for axis in found] == [1, 1, 1, 8]


def test_such_a_file_is_refused(tmp_path: Path) -> None:
    onnx.save(sliced(65537), tmp_path / "model.onnx")
    with pytest.raises(ModelError, match="a Slice cuts an axis without elements"):
        narrows.load(tmp_path / "model.onnx")
