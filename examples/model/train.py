#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Trains the model that the examples serve and writes it beside this script.

What: a plain network, 10 inputs -> 49 hidden layers of 64 with ReLU -> 1 output, fitted to
scikit-learn's diabetes data (442 patients; the target is a measure of the disease one year later).
Writes diabetes.pt (TorchScript) and diabetes.csv (the 442 rows of features).

Why so deep: batching pays where a call has a fixed cost, and fifty layers of small matrices have
much of it. The data itself needs no such depth: least squares, whose score is printed as a
yardstick, predicts it a little better.

What it does not do: search for the best model. The examples need the two files only, no Python.

Needs python3-torch and python3-sklearn; takes some seconds. Run: ./train.py
"""

import copy
import csv
import functools
import io
import zipfile
from pathlib import Path

import numpy
import torch
from sklearn.datasets import load_diabetes
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score
from sklearn.model_selection import train_test_split
from torch import nn

SEED = 7
WIDTH = 64
HIDDEN_LAYERS = 49
EPOCHS = 300
INPUT_NOISE = 0.5  # in standard deviations of a feature
HERE = Path(__file__).resolve().parent


class Dense(nn.Module):
    """nn.Linear with its weights laid out as the product reads them: a quarter faster on a CPU."""

    def __init__(self, linear):
        super().__init__()
        self.weight = nn.Parameter(linear.weight.detach().t().contiguous())
        self.bias = nn.Parameter(linear.bias.detach().clone())

    def forward(self, x):
        return torch.addmm(self.bias, x, self.weight)


class Served(nn.Module):
    """The network as the examples load it: float32 [n, 10] in, [n, 1] out in the target's unit."""

    def __init__(self, network):
        super().__init__()
        *hidden, last = [Dense(layer) for layer in network if isinstance(layer, nn.Linear)]
        self.hidden = nn.ModuleList(hidden)
        self.last = last

    def forward(self, x):
        for layer in self.hidden:
            x = layer(x).relu_()
        return self.last(x)


def make_network(inputs):
    """Starts near the identity, so that the deep network begins as a shallow one.

    ReLU passes what the first layer made positive. With the usual random weights, 49 layers map
    every input to almost the same output, and nothing is learnt.
    """
    layers = [nn.Linear(inputs, WIDTH), nn.ReLU()]
    nn.init.kaiming_normal_(layers[0].weight, nonlinearity="relu")
    nn.init.zeros_(layers[0].bias)
    for _ in range(HIDDEN_LAYERS - 1):
        linear = nn.Linear(WIDTH, WIDTH)
        nn.init.normal_(linear.weight, std=0.1 / WIDTH)
        with torch.no_grad():
            linear.weight += torch.eye(WIDTH)
        nn.init.zeros_(linear.bias)
        layers += [linear, nn.ReLU()]
    last = nn.Linear(WIDTH, 1)
    nn.init.normal_(last.weight, std=0.01)
    nn.init.zeros_(last.bias)
    return nn.Sequential(*layers, last)


def fit(network, train_x, train_y, check_x, check_y):
    """Full batches with noisy inputs, stopped early: the rows would be learnt by heart.

    Keeps the weights that did best on the check rows, which are neither trained on nor held out.
    """
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-4)
    best_loss, best_epoch, best_weights = float("inf"), 0, None
    for epoch in range(1, EPOCHS + 1):
        network.train()
        optimizer.zero_grad()
        noisy = train_x + INPUT_NOISE * torch.randn_like(train_x)
        loss = nn.functional.mse_loss(network(noisy).squeeze(1), train_y)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        with torch.no_grad():
            check_loss = nn.functional.mse_loss(network(check_x).squeeze(1), check_y).item()
        if check_loss < best_loss:
            best_loss, best_epoch = check_loss, epoch
            best_weights = copy.deepcopy(network.state_dict())
        if epoch % 50 == 0:
            print(f"epoch {epoch:3d}: training loss {loss.item():.3f}, check loss {check_loss:.3f}")
    print(f"kept epoch {best_epoch}: check loss {best_loss:.3f}")
    network.load_state_dict(best_weights)


def fold_scales(network, feature_scale, target_mean, target_scale):
    """Folds training's scales into the outer layers: raw features in, the target's unit out."""
    with torch.no_grad():
        network[0].weight /= feature_scale
        network[-1].weight *= target_scale
        network[-1].bias *= target_scale
        network[-1].bias += target_mean


def save_model(model, path):
    """Leaves out the debug tables: they hold this script's path, so the file would vary with it."""
    buffer = io.BytesIO()
    torch.jit.save(model, buffer)
    with zipfile.ZipFile(buffer) as source, zipfile.ZipFile(path, "w") as target:
        for entry in source.infolist():
            if not entry.filename.endswith(".debug_pkl"):
                target.writestr(zipfile.ZipInfo(entry.filename), source.read(entry))


def save_rows(names, features, path):
    with open(path, "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(names)
        for row in features:
            writer.writerow(numpy.format_float_positional(value, trim="-") for value in row)


def main():
    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    data = load_diabetes()
    features = data.data.astype(numpy.float32)
    target = data.target.astype(numpy.float32)
    split = functools.partial(train_test_split, test_size=0.2, random_state=SEED)
    train_x, test_x, train_y, test_y = split(features, target)
    train_x, check_x, train_y, check_y = split(train_x, train_y)
    feature_scale = float(train_x.std())
    target_mean, target_scale = float(train_y.mean()), float(train_y.std())

    network = make_network(features.shape[1])
    fit(
        network,
        torch.tensor(train_x / feature_scale),
        torch.tensor((train_y - target_mean) / target_scale),
        torch.tensor(check_x / feature_scale),
        torch.tensor((check_y - target_mean) / target_scale),
    )
    fold_scales(network, feature_scale, target_mean, target_scale)

    served = torch.jit.script(Served(network).eval())

    line = LinearRegression().fit(train_x, train_y)
    parts = {
        "training": (train_x, train_y),
        "check": (check_x, check_y),
        "held-out": (test_x, test_y),
    }
    with torch.no_grad():
        for name, (x, y) in parts.items():
            score = r2_score(y, served(torch.tensor(x)).squeeze(1))
            yardstick = r2_score(y, line.predict(x))
            print(f"{name}: {len(y)} rows, R^2 {score:.3f} (least squares: {yardstick:.3f})")
    save_model(served, HERE / "diabetes.pt")
    save_rows(data.feature_names, features, HERE / "diabetes.csv")


if __name__ == "__main__":
    main()
