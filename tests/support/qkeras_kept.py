"""A QKeras network without QKeras: stand-ins of its layers with what QKeras' own quantisers and network gave for them.

TF_USE_LEGACY_KERAS=1 python tests/support/qkeras_kept.py tests/sw/api/qkeras_net.npz    # writes that anew
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["kept_model"]

_LAYERS: tuple[tuple[str, str, dict[str, Any], tuple[str, ...]], ...] = (
    ("seen", "QActivation", {"quantizer": ("quantized_bits", 8, 0, False)}, ("input",)),
    (
        "first",
        "QConv2D",
        {"strides": (1, 1), "padding": "same", "quantizer": ("quantized_bits", 4, 0, True)},
        ("seen",),
    ),
    ("norm", "QBatchNormalization", {}, ("first",)),
    ("bent", "QActivation", {"quantizer": ("quantized_relu", 4, 1)}, ("norm",)),
    (
        "each",
        "QDepthwiseConv2D",
        {"strides": (2, 2), "padding": "same", "quantizer": ("quantized_bits", 5, 0, True)},
        ("bent",),
    ),
    ("narrow", "QActivation", {"quantizer": ("quantized_bits", 6, 1, True)}, ("each",)),
    (
        "three",
        "QConv2D",
        {"strides": (1, 1), "padding": "valid", "quantizer": ("ternary",), "activation": ("quantized_relu", 4, 2)},
        ("narrow",),
    ),
    ("sum", "Add", {}, ("narrow", "three")),
    ("held", "QActivation", {"quantizer": ("quantized_bits", 7, 2, True)}, ("sum",)),
    ("most", "MaxPooling2D", {"pool_size": (2, 2), "strides": (2, 2), "padding": "valid"}, ("held",)),
    ("flat", "Flatten", {}, ("most",)),
    ("last", "QDense", {"quantizer": ("quantized_bits", 4, 0, True)}, ("flat",)),
    ("scores", "QActivation", {"quantizer": ("quantized_bits", 8, 3, True)}, ("last",)),
)
"""Name, kind, what it has, and what it reads."""


def kept_model(kept: Any) -> Any:
    """The network as the converter walks it: layers with kernels, quantisers and calls, of QKeras' names."""
    tensors = {"input": _tensor(SimpleNamespace(name="input"), (None, 8, 8, 1))}
    calls = []
    for name, kind, has, read in _LAYERS:
        layer = _named(kind, name=name, **_attributes(name, kind, has, kept))
        tensors[name] = _tensor(layer, ())
        given = [tensors[each] for each in read]
        calls.append(SimpleNamespace(layer=layer, keras_inputs=given, outputs=tensors[name]))
    return SimpleNamespace(
        name="kept",
        inputs=[tensors["input"]],
        outputs=[tensors["scores"]],
        output_names=["scores"],
        layers=[call.layer for call in calls],
        _nodes_by_depth={len(calls) - at: [call] for at, call in enumerate(calls)},
    )


def _named(kind: str, **attributes: Any) -> Any:
    """An object of a class that QKeras has."""
    found = type(kind, (), {"__module__": "qkeras.stand_in"})()
    for name, value in attributes.items():
        setattr(found, name, value)
    return found


def _tensor(layer: Any, shape: tuple[int | None, ...]) -> Any:
    return SimpleNamespace(shape=shape, _keras_history=SimpleNamespace(layer=layer, node_index=0, tensor_index=0))


def _attributes(name: str, kind: str, has: dict[str, Any], kept: Any) -> dict[str, Any]:
    found = {key: value for key, value in has.items() if key not in ("quantizer", "activation")}
    if "activation" in has:
        found["activation"] = _quantiser(*has["activation"])
    if kind == "QActivation":
        return found | {"quantizer": _quantiser(*has["quantizer"])}
    if kind == "QBatchNormalization":
        parameters = {part: kept[f"{name}.{part}"] for part in ("gamma", "beta", "moving_mean", "moving_variance")}
        return (
            found
            | parameters
            | {"axis": [3], "input_shape": (None, 8, 8, 6), "scale": True, "center": True, "epsilon": 1e-3}
        )
    if f"{name}.kernel" not in kept:
        return found
    prefix = "depthwise" if "Depthwise" in kind else "kernel"
    quantiser = _quantiser(*has["quantizer"], given=kept[f"{name}.given"], scale=kept[f"{name}.scale"])
    return found | {
        "depthwise_kernel" if prefix == "depthwise" else "kernel": kept[f"{name}.kernel"],
        f"{prefix}_quantizer_internal": quantiser,
        "use_bias": True,
        "bias": kept[f"{name}.bias"],
    }


def _quantiser(
    kind: str, bits: int = 2, integer: int = 0, signed: bool = False, *, given: Any = None, scale: Any = None
) -> Any:
    attributes: dict[str, Any] = {"bits": bits, "integer": integer, "alpha": None, "qnoise_factor": 1.0}
    if kind == "quantized_relu":
        attributes |= {"use_sigmoid": 0, "negative_slope": 0.0, "relu_upper_bound": None, "is_quantized_clip": True}
    else:
        attributes |= {"keep_negative": signed, "symmetric": 0, "scale": scale}
    quantiser = type(kind, (), {"__module__": "qkeras.stand_in", "__call__": lambda self, values: given})()
    for name, value in attributes.items():
        setattr(quantiser, name, value)
    return quantiser


def _write(path: Path) -> None:
    """With QKeras itself: the same layers, made-up weights, and what comes of them."""
    import qkeras  # pyright: ignore[reportMissingImports]
    import tf_keras  # pyright: ignore[reportMissingImports]

    rng = np.random.default_rng(8)
    bits, relu, layers = qkeras.quantized_bits, qkeras.quantized_relu, tf_keras.layers
    auto = {"alpha": "auto"}
    tf_keras.utils.set_random_seed(8)
    image = layers.Input((8, 8, 1))
    seen = qkeras.QActivation(bits(8, 0, keep_negative=False))(image)
    first = qkeras.QConv2D(6, 3, padding="same", kernel_quantizer=bits(4, 0, **auto), name="first")(seen)
    none = {f"{part}_quantizer": None for part in ("gamma", "beta", "mean", "variance")}
    bent = qkeras.QActivation(relu(4, 1))(qkeras.QBatchNormalization(name="norm", **none)(first))
    by_channel = {"strides": 2, "padding": "same", "depthwise_quantizer": bits(5, 0, **auto), "name": "each"}
    narrow = qkeras.QActivation(bits(6, 1))(qkeras.QDepthwiseConv2D(3, **by_channel)(bent))
    ternary = qkeras.ternary(**auto)
    three = qkeras.QConv2D(6, 1, kernel_quantizer=ternary, activation=relu(4, 2), name="three")(narrow)
    held = qkeras.QActivation(bits(7, 2))(layers.Add()([narrow, three]))
    flat = layers.Flatten()(layers.MaxPooling2D()(held))
    last = qkeras.QDense(5, kernel_quantizer=bits(4, 0, **auto), name="last")(flat)
    model = tf_keras.Model(image, qkeras.QActivation(bits(8, 3))(last))
    kept: dict[str, NDArray[Any]] = {}
    for layer in model.layers:
        if layer.name == "norm":
            layer.set_weights([rng.uniform(0.5, 1.5, each.shape) for each in layer.get_weights()])
            for part in ("gamma", "beta", "moving_mean", "moving_variance"):
                kept[f"norm.{part}"] = np.asarray(getattr(layer, part))
        elif layer.name in ("first", "each", "three", "last"):
            kernel, bias = layer.get_weights()
            layer.set_weights([kernel, rng.uniform(-0.3, 0.3, bias.shape)])
            quantiser = layer.get_quantizers()[0]
            given = np.asarray(quantiser(kernel))
            own = {
                "kernel": kernel,
                "bias": layer.get_weights()[1],
                "given": given,
                "scale": np.asarray(quantiser.scale),
            }
            kept |= {f"{layer.name}.{part}": values for part, values in own.items()}
    x = rng.uniform(0, 1, (40, 8, 8, 1)).astype(np.float32)
    np.savez_compressed(path, x=x, y=model.predict(x, verbose=0), **kept)


if __name__ == "__main__":
    _write(Path(sys.argv[1]))
