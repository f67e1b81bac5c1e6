"""Operators over their attributes: the lowered graph gives what onnxruntime gives on the file."""

import contextlib

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from narrows.sw.errors import UnsupportedOperator
from narrows.sw.frontend import load_model
from narrows.sw.outputs import given_outputs
from narrows.sw.passes import lower
from narrows.sw.quantize.evaluate import evaluate
from operator_cases import node

RELAXED = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
SEEDS = st.integers(0, 9999)
BEHIND = st.sampled_from(["nothing", "conv", "relu and conv", "dense"])


def pair(low, high):
    return st.tuples(st.integers(low, high), st.integers(low, high))


@contextlib.contextmanager
def or_refused(reason):
    """Takes the one refusal that is right."""
    try:
        yield
    except UnsupportedOperator as error:
        if reason not in str(error):
            raise


def check(onnx_model, run_onnx, nodes, shape, constants, *, opset=18, first=True, seed=0):
    """Compare a model with onnxruntime, its input read by a convolution first or as it is."""
    rng = np.random.default_rng(seed)
    constants = {name: np.asarray(value) for name, value in constants.items()}
    if first:
        kernel = rng.normal(size=(shape[1], shape[1], *(1,) * (len(shape) - 2))).astype(np.float32)
        if len(shape) == 2:
            nodes = [node("Gemm", "x", "k0", output="c0"), *nodes]
        else:
            nodes = [node("Conv", "x", "k0", output="c0"), *nodes]
        nodes[1].input[list(nodes[1].input).index("x")] = "c0"
        constants["k0"] = kernel
    x = rng.normal(size=(2, *shape[1:])).astype(np.float32)
    path = onnx_model(nodes, shape, constants, opset=opset)
    try:
        expected = run_onnx(path, x)
    except Exception:  # not even onnxruntime takes it
        assume(False)
    graph = lower(load_model(path))
    (values,) = given_outputs(graph.outputs, evaluate(graph, x)).values()
    np.testing.assert_allclose(values, expected, rtol=1e-4, atol=1e-4)


def behind(kind, rng, channels, constants, name="y"):
    """Nodes that read the value ``name`` as an image would be read."""
    if kind == "nothing":
        return []
    constants["w9"] = rng.normal(size=(2, channels, 2, 3)).astype(np.float32)
    nodes = [node("Conv", name, "w9", output="z", pads=[1, 0, 1, 2])]
    if kind == "relu and conv":
        nodes = [node("Relu", name, output="r"), node("Conv", "r", "w9", output="z", pads=[1, 0, 1, 2])]
    if kind == "dense":
        nodes = [node("Flatten", "z", output="f"), node("ReduceMean", "f", output="m", axes=[1])]
        nodes = [node("Conv", name, "w9", output="z", pads=[0, 1, 1, 0]), nodes[0]]
    return nodes


@RELAXED
@given(
    kernel=pair(1, 4),
    stride=pair(1, 3),
    dilation=pair(1, 2),
    pads=st.tuples(*[st.integers(0, 2)] * 4),
    size=pair(3, 10),
    ceil=st.booleans(),
    average=st.booleans(),
    counted=st.booleans(),
    seed=SEEDS,
)
def test_pools(kernel, stride, dilation, pads, size, ceil, average, counted, seed, onnx_model, run_onnx):
    window = {"kernel_shape": kernel, "strides": stride, "pads": pads, "ceil_mode": int(ceil)}
    assume(all(pad < k for pad, k in zip(pads, kernel * 2, strict=True)))
    if average:
        nodes = [node("AveragePool", "x", count_include_pad=int(counted), **window)]
        opset = 18
    else:
        nodes, opset = [node("MaxPool", "x", dilations=dilation, **window)], 18
    axes = zip(size, pads[:2], pads[2:], kernel, dilation, strict=True)
    assume(all(length + before + after > d * (k - 1) for length, before, after, k, d in axes))
    with or_refused("lie in padding altogether"):
        check(onnx_model, run_onnx, nodes, (1, 3, *size), {}, opset=opset, seed=seed)


@RELAXED
@given(
    size=pair(1, 7),
    target=pair(1, 12),
    mode=st.sampled_from(["nearest", "linear", "cubic"]),
    coordinates=st.sampled_from(
        ["half_pixel", "asymmetric", "pytorch_half_pixel", "align_corners", "half_pixel_symmetric"]
    ),
    nearest=st.sampled_from(["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"]),
    by_scale=st.booleans(),
    read_by=BEHIND,
    seed=SEEDS,
)
def test_resize(size, target, mode, coordinates, nearest, by_scale, read_by, seed, onnx_model, run_onnx):
    assume((coordinates, nearest) != ("half_pixel_symmetric", "floor") or mode != "nearest")
    rng = np.random.default_rng(seed)
    attributes = {"mode": mode, "coordinate_transformation_mode": coordinates}
    if mode == "nearest":
        attributes["nearest_mode"] = nearest
    constants = {"r": np.array([], np.float32)}
    if by_scale:
        constants["s"] = np.array([1, 1, *(rng.choice([0.5, 1, 1.5, 2, 3], 2))], np.float32)
        assume(min(np.floor(constants["s"][2:] * size)) >= 1)
        operands = ("x", "", "s")
    else:
        constants["n"] = np.array([1, 2, *target])
        operands = ("x", "", "", "n")
    del constants["r"]
    nodes = [node("Resize", *operands, **attributes), *behind(read_by, rng, 2, constants)]
    with or_refused("repeat too rarely"):
        check(onnx_model, run_onnx, nodes, (1, 2, *size), constants, opset=19, seed=seed)


@RELAXED
@given(
    pads=st.tuples(*[st.integers(-1, 3)] * 4),
    mode=st.sampled_from(["constant", "edge", "reflect"]),
    value=st.sampled_from([0.0, -1.5, 2.0]),
    size=pair(4, 7),
    channels=st.booleans(),
    read_by=BEHIND,
    seed=SEEDS,
)
def test_pad(pads, mode, value, size, channels, read_by, seed, onnx_model, run_onnx):
    more = int(channels and mode == "constant")
    amounts = [0, more, *pads[:2], 0, 0, *pads[2:]]
    constants = {"p": np.array(amounts), "v": np.float32(value)}
    rng = np.random.default_rng(seed)
    nodes = [node("Pad", "x", "p", "v", mode=mode), *behind(read_by, rng, 3 + more, constants)]
    check(onnx_model, run_onnx, nodes, (1, 3, *size), constants, seed=seed)


@RELAXED
@given(
    starts=pair(-6, 5),
    ends=pair(-7, 7),
    steps=st.tuples(*[st.sampled_from([-2, -1, 1, 2, 3])] * 2),
    size=pair(4, 8),
    read_by=BEHIND,
    first=st.booleans(),
    seed=SEEDS,
)
def test_slices(starts, ends, steps, size, read_by, first, seed, onnx_model, run_onnx):
    cut = [len(range(*slice(s, e, p).indices(n))) for s, e, p, n in zip(starts, ends, steps, size, strict=True)]
    assume(min(cut) >= 1)
    constants = {"s": np.array(starts), "e": np.array(ends), "a": np.array([2, 3]), "t": np.array(steps)}
    rng = np.random.default_rng(seed)
    nodes = [node("Slice", "x", "s", "e", "a", "t"), *behind(read_by, rng, 3, constants)]
    assume(read_by != "nothing" or first)
    check(onnx_model, run_onnx, nodes, (1, 3, *size), constants, first=first, seed=seed)


@RELAXED
@given(
    axis=st.integers(1, 3),
    lengths=st.lists(st.integers(1, 4), min_size=2, max_size=3),
    kinds=st.lists(st.sampled_from(["conv", "same", "flipped", "constant"]), min_size=3, max_size=3),
    read_by=BEHIND,
    seed=SEEDS,
)
def test_concat(axis, lengths, kinds, read_by, seed, onnx_model, run_onnx):
    rng = np.random.default_rng(seed)
    nodes, constants, names = [], {}, []
    size = [1, 3, 5, 4]
    kinds = ["conv", *kinds[1:]]
    for number, (length, kind) in enumerate(zip(lengths, kinds, strict=False)):
        own = [*size]
        own[axis] = length
        name = f"p{number}"
        if kind == "constant":
            constants[name] = rng.normal(size=own).astype(np.float32)
            names.append(name)
            continue
        if kind == "conv":
            constants[f"w{number}"] = rng.normal(size=(3, 3, 1, 1)).astype(np.float32)
            nodes.append(node("Conv", "x", f"w{number}", output=f"c{number}"))
        backwards = kind == "flipped"
        constants[f"s{number}"] = np.array([length - 1 if backwards else 0])
        constants[f"e{number}"] = np.array([-(1 << 40) if backwards else length])
        constants[f"t{number}"], constants[f"a{number}"] = np.array([-1 if backwards else 1]), np.array([axis])
        source = f"c{number}" if kind == "conv" else "x"
        operands = [f"{letter}{number}" for letter in "seat"]
        nodes.append(node("Slice", source, *operands, output=name))
        names.append(name)
    nodes.append(node("Concat", *names, axis=axis))
    channels = sum(lengths) if axis == 1 else 3
    assume(axis != 1 or max(lengths) <= 3)
    nodes += behind(read_by, rng, channels, constants)
    check(onnx_model, run_onnx, nodes, tuple(size), constants, first=False, seed=seed)


@RELAXED
@given(
    kind=st.sampled_from(["ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin"]),
    axes=st.sets(st.integers(1, 3)),
    keep=st.booleans(),
    noop=st.booleans(),
    nhwc=st.booleans(),
    seed=SEEDS,
)
def test_reductions(kind, axes, keep, noop, nhwc, seed, onnx_model, run_onnx):
    attributes = {"keepdims": int(keep), "noop_with_empty_axes": int(noop)}
    nodes = [node("Transpose", "x", output="t", perm=[0, 2, 3, 1])] if nhwc else []
    operand = "t" if nhwc else "x"
    nodes.append(node(kind, operand, *(["a"] if axes else []), **attributes))
    constants = {"a": np.array(sorted(axes))} if axes else {}
    assume(axes or keep or noop)
    check(onnx_model, run_onnx, nodes, (1, 5, 4, 3), constants, opset=18, seed=seed)


@RELAXED
@given(
    shape=st.lists(st.integers(1, 5), min_size=1, max_size=3),
    outputs=st.integers(1, 5),
    left=st.booleans(),
    batched=st.booleans(),
    first=st.booleans(),
    relu=st.booleans(),
    seed=SEEDS,
)
def test_products_with_constants(shape, outputs, left, batched, first, relu, seed, onnx_model, run_onnx):
    rng = np.random.default_rng(seed)
    assume(not left or len(shape) > 1)
    assume(not first or len(shape) < 3)
    rows = shape[-2] if left else shape[-1]
    matrix = rng.normal(size=(outputs, rows) if left else (rows, outputs)).astype(np.float32)
    if batched and len(shape) == 3:
        matrix = rng.normal(size=(shape[0], *matrix.shape)).astype(np.float32)
    operands = ("m", "x") if left else ("x", "m")
    nodes = [node("MatMul", *operands)]
    if relu:
        nodes = [node("MatMul", *operands, output="n"), node("Add", "n", "b", output="a")]
        last = matrix.shape[-1] if not left else shape[-1]
        constants = {"m": matrix, "b": rng.normal(size=last).astype(np.float32), "n2": rng.normal(size=(last, 2))}
        constants["n2"] = constants["n2"].astype(np.float32)
        nodes += [node("Relu", "a", output="r"), node("MatMul", "r", "n2")]
    else:
        constants = {"m": matrix}
    check(onnx_model, run_onnx, nodes, (1, *shape), constants, first=first, seed=seed)


@RELAXED
@given(
    kind=st.sampled_from(["Add", "Sub", "Mul", "PRelu", "Div"]),
    shape=st.sampled_from([(3, 4, 5), (1, 4, 5), (3, 1, 1), (3, 4, 1), (5,), (1,), (1, 3, 1, 5)]),
    swapped=st.booleans(),
    read_by=BEHIND,
    seed=SEEDS,
)
def test_constants_by_element(kind, shape, swapped, read_by, seed, onnx_model, run_onnx):
    rng = np.random.default_rng(seed)
    constants = {"k": (rng.normal(size=shape) + 3 * (kind == "Div")).astype(np.float32)}
    operands = ("k", "x") if swapped and kind in ("Add", "Sub", "Mul") else ("x", "k")
    assume(kind != "PRelu" or len(shape) <= 3)
    nodes = [node(kind, *operands), *behind(read_by, rng, 3, constants)]
    check(onnx_model, run_onnx, nodes, (1, 3, 4, 5), constants, seed=seed)


@pytest.mark.parametrize("read_by", ["nothing", "conv"])
@pytest.mark.parametrize(
    ("kind", "limits"), [("Max", [-np.inf]), ("Min", [np.inf]), ("Clip", [-np.inf, 0.5]), ("Clip", [-np.inf, np.inf])]
)
def test_infinite_limits_are_none(kind, limits, read_by, onnx_model, run_onnx):
    constants = {f"k{n + 1}": np.float32(limit) for n, limit in enumerate(limits)}
    nodes = [node(kind, "x", *constants), *behind(read_by, np.random.default_rng(3), 3, constants)]
    check(onnx_model, run_onnx, nodes, (1, 3, 4, 5), constants)


@RELAXED
@given(
    kind=st.sampled_from(["Add", "Sub", "Max", "Min", "Mean", "Sum"]),
    axes=st.sets(st.integers(1, 3), max_size=3),
    read_by=BEHIND,
    seed=SEEDS,
)
def test_two_tensors_of_which_one_repeats(kind, axes, read_by, seed, onnx_model, run_onnx):
    rng = np.random.default_rng(seed)
    constants = {"w": rng.normal(size=(3, 3, 1, 1)).astype(np.float32), "a": np.array(sorted(axes), dtype=np.int64)}
    nodes = [node("Conv", "x", "w", output="c")]
    nodes += [node("ReduceMean", "c", "a", output="d")] if axes else [node("Relu", "c", output="d")]
    nodes += [node(kind, "x", "d"), *behind(read_by, rng, 3, constants)]
    if not axes:
        del constants["a"]
    check(onnx_model, run_onnx, nodes, (1, 3, 4, 5), constants, first=False, seed=seed)


@RELAXED
@given(
    shape=st.sampled_from([(3, 4, 5), (1, 4, 5), (3, 1, 1), (5,)]),
    other=st.sampled_from(["tensor", "first", "second"]),
    read_by=BEHIND,
    seed=SEEDS,
)
def test_choices_by_a_constant(shape, other, read_by, seed, onnx_model, run_onnx):
    rng = np.random.default_rng(seed)
    constants = {"c": rng.random(shape) < 0.5, "k": rng.normal(size=(3, 1, 1)).astype(np.float32)}
    nodes = [node("Relu", "x", output="r")] if other == "tensor" else []
    operands = {"tensor": ("x", "r"), "first": ("k", "x"), "second": ("x", "k")}[other]
    nodes += [node("Where", "c", *operands), *behind(read_by, rng, 3, constants)]
    check(onnx_model, run_onnx, nodes, (1, 3, 4, 5), constants, first=other != "tensor", seed=seed)


@RELAXED
@given(
    line=st.booleans(),
    kernel=pair(1, 4),
    stride=pair(1, 3),
    dilation=pair(1, 2),
    pads=st.tuples(*[st.integers(0, 2)] * 4),
    extra=pair(0, 1),
    wanted=st.sampled_from(["pads", "output_shape", "same"]),
    seed=SEEDS,
)
def test_transposed_convolutions(line, kernel, stride, dilation, pads, extra, wanted, seed, onnx_model, run_onnx):
    rng = np.random.default_rng(seed)
    axes = 1 if line else 2
    attributes = {"strides": stride[:axes], "dilations": dilation[:axes]}
    attributes["output_padding"] = [min(e, s - 1) for e, s in zip(extra[:axes], stride, strict=False)]
    if wanted == "pads":
        attributes["pads"] = [*pads[:axes], *pads[2 : 2 + axes]]
    elif wanted == "same":
        attributes["auto_pad"] = "SAME_UPPER"
    else:
        attributes["output_shape"] = [int(n) for n in rng.integers(3, 9, axes)]
    constants = {"w": rng.normal(size=(3, 2, *kernel[:axes])).astype(np.float32)}
    nodes = [node("ConvTranspose", "x", "w", **attributes)]
    with or_refused("no padding gives its output_shape"):
        check(onnx_model, run_onnx, nodes, (1, 3, 5, 4)[: 2 + axes], constants, seed=seed)


@pytest.mark.parametrize("kind", ["GlobalAveragePool", "GlobalMaxPool"])
@pytest.mark.parametrize("moved", ["repeated", "transposed"])
def test_global_pools_of_pixels_in_any_order(kind, moved, onnx_model, run_onnx):
    constants = {"u": np.float32([1, 1, 2, 1]), "b": np.array([0]), "e": np.array([4]), "a": np.array([2])}
    nodes = [node("Transpose", "x", output="v", perm=[0, 1, 3, 2])]
    if moved == "repeated":
        nodes = [node("Resize", "x", "", "u", output="r"), node("Slice", "r", "b", "e", "a", output="v")]
    used = {name: value for name, value in constants.items() if moved == "repeated"}
    check(onnx_model, run_onnx, [*nodes, node(kind, "v")], (1, 3, 4, 5), used)


@RELAXED
@given(size=st.integers(1, 3), kind=st.sampled_from(["SpaceToDepth", "DepthToSpace"]), read_by=BEHIND, seed=SEEDS)
def test_depth_and_space(size, kind, read_by, seed, onnx_model, run_onnx):
    rng, constants = np.random.default_rng(seed), {}
    channels = 2 * size**2 if kind == "DepthToSpace" else 2
    out = 2 if kind == "DepthToSpace" else 2 * size**2
    shape = (1, channels, 3, 4) if kind == "DepthToSpace" else (1, channels, 3 * size, 2 * size)
    nodes = [node(kind, "x", blocksize=size), *behind(read_by, rng, out, constants)]
    first = kind == "DepthToSpace" or read_by == "nothing"
    check(onnx_model, run_onnx, nodes, shape, constants, seed=seed, first=first)


@pytest.mark.parametrize(
    "kind", ["Sqrt", "Log", "Reciprocal", "Sin", "Cos", "Floor", "Ceil", "Round", "Sign", "Exp", "Abs", "Erf"]
)
def test_functions_of_elements(kind, onnx_model, run_onnx):
    constants = {"w": np.random.default_rng(0).normal(size=(2, 3, 2, 2)).astype(np.float32)}
    nodes = [node("Abs", "x", output="a"), node("Add", "a", "one", output="p"), node(kind, "p", output="f")]
    nodes.append(node("Conv", "f", "w"))
    check(onnx_model, run_onnx, nodes, (1, 3, 4, 5), constants | {"one": np.float32(0.1)})


@RELAXED
@given(
    kind=st.sampled_from(["ReduceL1", "ReduceL2", "ReduceSumSquare", "LpPool", "GlobalLpPool"]),
    exponent=st.integers(1, 3),
    keep=st.booleans(),
    kernel=pair(1, 3),
    stride=pair(1, 2),
    pads=st.tuples(*[st.integers(0, 1)] * 4),
    seed=SEEDS,
)
def test_norms(kind, exponent, keep, kernel, stride, pads, seed, onnx_model, run_onnx):
    assume(all(pad < k for pad, k in zip(pads, kernel * 2, strict=True)))
    constants = {}
    if kind == "LpPool":
        nodes = [node(kind, "x", p=exponent, kernel_shape=kernel, strides=stride, pads=pads)]
    elif kind == "GlobalLpPool":
        nodes = [node(kind, "x", p=exponent)]
    else:
        nodes, constants = [node(kind, "x", "a", keepdims=int(keep))], {"a": np.array([2, 3])}
    check(onnx_model, run_onnx, nodes, (1, 3, 4, 5), constants, seed=seed)


@pytest.mark.parametrize("exponent", [0.5, 1.5, -1.0, -2.0, 3.0, 0.0])
def test_powers(exponent, onnx_model, run_onnx):
    constants = {"w": np.random.default_rng(0).normal(size=(2, 3, 2, 2)).astype(np.float32), "e": np.float32(exponent)}
    nodes = [node("Abs", "x", output="a"), node("Pow", "a", "e", output="f"), node("Conv", "f", "w")]
    check(onnx_model, run_onnx, nodes, (1, 3, 4, 5), constants)
