# SPDX-License-Identifier: BSD-3-Clause
"""Reads the examples' model out of its TorchScript file and computes it in plain Python.

Why: a second opinion on what the server answers, which shares no code with it and needs no
LibTorch. What it does not do: run TorchScript. It knows that the model is dense layers with ReLU
between them.
"""

import collections
import pickle
import struct
import zipfile


class _Module:
    def __setstate__(self, state):
        self.__dict__.update(state)


class _Reader(pickle.Unpickler):
    """Turns modules into objects and tensors into (storage, shape)."""

    def find_class(self, module, name):
        if module.startswith("__torch__"):
            return _Module
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda storage, offset, shape, *_: (storage, offset, shape)
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if module == "torch":
            return name  # the type of a storage
        raise pickle.UnpicklingError(f"the model holds a {module}.{name}")

    def persistent_load(self, pid):
        kind, element, key, _device, count = pid
        assert (kind, element) == ("storage", "FloatStorage"), pid
        return struct.unpack(f"<{count}f", self.storages[key])


def _layer(module):
    """Returns bias and weights, the latter with one tuple per output."""
    values, offset, (inputs, outputs) = module.weight
    columns = [values[offset + j : offset + inputs * outputs : outputs] for j in range(outputs)]
    bias, offset, (count,) = module.bias
    return bias[offset : offset + count], columns


class Network:
    def __init__(self, path):
        with zipfile.ZipFile(path) as archive:
            root = archive.namelist()[0].split("/")[0]
            with archive.open(f"{root}/data.pkl") as file:
                reader = _Reader(file)
                data = f"{root}/data/"
                reader.storages = {name[len(data):]: archive.read(name)
                                   for name in archive.namelist() if name.startswith(data)}
                model = reader.load()
        hidden = [module for name, module in vars(model.hidden).items() if name.isdigit()]
        self.layers = [_layer(module) for module in [*hidden, model.last]]

    def predict(self, row):
        values = row
        for depth, (bias, columns) in enumerate(self.layers):
            values = [b + sum(x * w for x, w in zip(values, column))
                      for b, column in zip(bias, columns)]
            if depth < len(self.layers) - 1:
                values = [max(0.0, x) for x in values]
        (result,) = values
        return result
