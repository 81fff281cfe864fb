"""The compiled forward pass: torch's forecasts to float32's precision, and a window's bits the same wherever it stands.

What needs torch or numba imports it itself: the tests are collected without them.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.models.members.lstm import LINE, LOCATION, LSTM

ROOT = Path(__file__).parents[4]
Arrays = dict[str, np.ndarray]
HORIZONS, QUANTILES = 2, 5


def drawn(features: int, hidden: int, location_hidden: int, networks: int, steps: int, layers: int = 1) -> Arrays:
    """A member of these sizes with weights that say something."""
    random = np.random.Generator(np.random.PCG64(11))

    def uniform(*shape: int) -> np.ndarray:
        return random.uniform(-1.0, 1.0, shape).astype(np.float32) / np.float32(shape[-1] ** 0.5)

    chosen = np.sort(random.permutation(features)[: max(features // 2, 1)]).astype(np.float64)
    arrays: Arrays = {"location.weight": np.zeros((HORIZONS, hidden + features), np.float32)}
    for layer in range(layers):
        seen = features if layer == 0 else hidden
        arrays |= {f"lstm.weight_ih_l{layer}": uniform(4 * hidden, seen)}
        arrays |= {f"lstm.weight_hh_l{layer}": uniform(4 * hidden, hidden)}
        arrays |= {f"lstm.bias_{of}_l{layer}": uniform(4 * hidden) * 3 for of in ("ih", "hh")}
    steps_out = HORIZONS * (QUANTILES - 1)
    arrays |= {"spread.weight": uniform(steps_out, hidden + features), "spread.bias": uniform(steps_out)}
    arrays |= {"naive": np.sort(uniform(HORIZONS, QUANTILES)), "location_trust": np.zeros(HORIZONS, np.float32)}
    arrays["naive"] -= arrays["naive"][:, [QUANTILES // 2]]
    arrays["spread_trust"] = np.array([0.75, 1.0], np.float32)
    for name, size in (("", features), (LINE, features), (LOCATION, len(chosen))):
        arrays |= {f"{name}mean": uniform(size) * 2, f"{name}std": 0.5 + random.uniform(0, 1, size).astype(np.float32)}
    arrays[LINE + "coefficients"] = uniform(features, HORIZONS).astype(np.float64)
    arrays |= {LOCATION + "inputs": chosen, LOCATION + "sessions": np.array([float(steps)])}
    for number in range(networks):
        own = {
            "embed.weight": uniform(location_hidden, len(chosen)),
            "embed.bias": uniform(location_hidden),
            "lstm.weight_ih_l0": uniform(4 * location_hidden, location_hidden),
            "lstm.weight_hh_l0": uniform(4 * location_hidden, location_hidden),
            "lstm.bias_ih_l0": uniform(4 * location_hidden),
            "lstm.bias_hh_l0": uniform(4 * location_hidden),
            "mix.weight": uniform(location_hidden, 2 * location_hidden),
            "mix.bias": uniform(location_hidden),
            "head.weight": uniform(HORIZONS, location_hidden),
        }
        arrays |= {f"{LOCATION}{number}.{name}": value for name, value in own.items()}
    return arrays


def windows_of(count: int, length: int, features: int) -> np.ndarray:
    """Inputs of which some lie beyond the bounds."""
    random = np.random.Generator(np.random.PCG64(12))
    return random.uniform(-6.0, 6.0, (count, length, features)).astype(np.float32)


def networks_of(location: Arrays) -> list[Any]:
    """The location's networks as the modules that are trained."""
    from pipeline.models.members.location_arrays import take_apart
    from pipeline.models.members.location_network import LocationLstm
    from pipeline.models.members.optimiser import load_weights

    networks = []
    for weights in take_apart(location):
        hidden, inputs = weights["embed.weight"].shape
        networks.append(LocationLstm(inputs, hidden, len(weights["head.weight"])).eval())
        load_weights(networks[-1], weights)
    return networks


def by_torch(arrays: Arrays, windows: np.ndarray) -> np.ndarray:
    """The same forecast by the modules that are trained."""
    import torch

    from pipeline.models.members import lstm_network, ridge
    from pipeline.models.scaling import standardise

    own = {name: value for name, value in arrays.items() if not name.startswith((LINE, LOCATION))}
    location, line = (
        {name.removeprefix(prefix): value for name, value in arrays.items() if name.startswith(prefix)}
        for prefix in (LOCATION, LINE)
    )
    inputs, steps = location["inputs"].astype(int), int(location["sessions"][0])
    scaled = torch.from_numpy(standardise(windows[:, -steps:, inputs], location).astype(np.float32))
    with torch.no_grad():
        told = [network(scaled).numpy() for network in networks_of(location)]
    centre = ridge.forecast_location(line, windows[:, -1]) + np.mean(told, axis=0, dtype=np.float64)
    return centre[:, :, None] + lstm_network.forecast(own, windows)


@pytest.mark.parametrize(
    "sizes",
    [(80, 32, 16, 3, 10), (5, 4, 4, 2, 3), (7, 20, 33, 1, 6), (3, 1, 1, 5, 1)],
    ids=["as it is set", "few units", "units that fill no vector", "one unit, one step"],
)
def test_it_forecasts_what_torch_does(sizes: tuple[int, ...]) -> None:
    arrays, windows = drawn(*sizes), windows_of(37, 6 if sizes[4] < 6 else 12, sizes[0])
    found = LSTM.quantiles(arrays, windows)
    assert found == pytest.approx(by_torch(arrays, windows), abs=5e-6)
    assert (np.diff(found, axis=2) >= 0).all()
    assert np.array_equal(LSTM.locate(arrays, windows), found[:, :, QUANTILES // 2])


def test_networks_of_several_layers_are_left_to_torch() -> None:
    arrays, windows = drawn(5, 4, 4, 2, 3, layers=2), windows_of(10, 6, 5)
    assert LSTM.quantiles(arrays, windows) == pytest.approx(by_torch(arrays, windows), abs=5e-6)


def test_a_window_has_the_same_bits_beside_any_others_at_any_place_and_in_any_thread() -> None:
    arrays, windows = drawn(21, 16, 5, 2, 4), windows_of(301, 6, 21)
    together = LSTM.quantiles(arrays, windows)
    order = np.random.default_rng(3).permutation(len(windows))
    assert np.array_equal(LSTM.quantiles(arrays, windows[order]), together[order])
    for first, last in ((0, 1), (130, 131), (77, 84), (299, 301), (0, 129)):
        assert np.array_equal(LSTM.quantiles(arrays, windows[first:last]), together[first:last])
    wild = windows.copy()
    wild[::2] = 1e30
    assert np.array_equal(LSTM.quantiles(arrays, wild)[1::2], together[1::2])
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: LSTM.quantiles(arrays, windows), range(8)))
    assert all(np.array_equal(one, together) for one in found)


def test_windows_that_lie_otherwise_in_memory_give_the_same() -> None:
    arrays, windows = drawn(5, 4, 4, 2, 3), windows_of(9, 6, 5)
    expected = LSTM.quantiles(arrays, windows)
    turned = np.ascontiguousarray(windows.transpose(2, 1, 0)).transpose(2, 1, 0)
    fixed = windows.copy()
    fixed.flags.writeable = False
    assert np.array_equal(LSTM.quantiles(arrays, turned), expected)
    assert np.array_equal(LSTM.quantiles(arrays, fixed), expected)
    assert LSTM.quantiles(arrays, windows[:0]).shape == (0, HORIZONS, QUANTILES)


@pytest.mark.parametrize("curve", ["bend", "swish", "soften"])
def test_curves_are_as_near_as_they_say(curve: str) -> None:
    from pipeline.models.members import recurrent_loops

    x = np.concatenate([np.linspace(-30, 30, 400_001), np.linspace(-1e-3, 1e-3, 1_001), [-1e9, -200, 200, 1e9]])
    found = x.astype(np.float32)
    exact = found.astype(np.float64)
    small = np.exp(-np.abs(exact))
    expected = {
        "bend": np.tanh(exact),
        "swish": np.where(exact > 0, exact / (1 + small), exact * small / (1 + small)),
        "soften": np.maximum(exact, 0) + np.log1p(small),
    }[curve]
    getattr(recurrent_loops, curve)(found)
    missed = np.abs(found - expected) / np.maximum(np.abs(exact), 1)
    assert missed.max() < 2.0**-22, x[missed.argmax()]
