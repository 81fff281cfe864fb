"""What inputs add to a location: what torch says to float32's precision, in all what there is, the same bits wherever.

What needs torch or numba imports it itself: the tests are collected without them.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from pipeline.models.members.lstm import LINE, LOCATION, LSTM
from tests.pipeline.models.members.test_forward_pass import Arrays, drawn, networks_of, windows_of

SIZES = [(80, 32, 16, 3, 10), (5, 4, 4, 2, 3), (7, 20, 33, 1, 6), (3, 1, 1, 5, 1)]
NAMES = ["as it is set", "few units", "units that fill no tile", "one unit, one step"]


def part(arrays: Arrays, prefix: str) -> Arrays:
    return {name.removeprefix(prefix): value for name, value in arrays.items() if name.startswith(prefix)}


def by_torch(location: Arrays, windows: np.ndarray) -> np.ndarray:
    """The same gradients by the modules that are trained, at as many points."""
    import torch

    from pipeline.models.scaling import standardise

    inputs, steps = location["inputs"].astype(int), int(location["sessions"][0])
    scaled = torch.from_numpy(standardise(windows[:, -steps:, inputs], location)).float()
    places, weights = np.polynomial.legendre.leggauss(16)
    told = np.zeros((len(windows), location["0.head.weight"].shape[0], windows.shape[2]))
    networks = networks_of(location)
    for network in networks:
        for place, weight in zip(places, weights, strict=True):
            at = (scaled * float((place + 1) / 2)).requires_grad_()
            located = network(at)
            for horizon in range(located.shape[1]):
                (slope,) = torch.autograd.grad(located[:, horizon].sum(), at, retain_graph=True)
                own = (slope.double() * scaled.double()).sum(dim=1).numpy()
                told[:, horizon, inputs] += own * weight / 2 / len(networks)
    return told


@pytest.mark.parametrize("sizes", SIZES, ids=NAMES)
def test_inputs_add_what_torch_says_and_together_all_there_is(sizes: tuple[int, ...]) -> None:
    from pipeline.models.members import forward_pass, location_paths

    location = part(drawn(*sizes), LOCATION)
    windows = windows_of(11, 6 if sizes[4] < 6 else 12, sizes[0])
    added, level = location_paths.explain(location, windows)
    assert added == pytest.approx(by_torch(location, windows), abs=2e-6)
    whole = forward_pass.locate_beyond_line(location, windows)
    assert added.sum(axis=2) + level == pytest.approx(whole, abs=2e-6)
    assert np.ptp(level, axis=0).max() == 0, "average inputs are alike for all"


def test_the_places_are_those_of_gauss_and_legendre() -> None:
    from pipeline.models.members import location_paths

    places, weights = np.polynomial.legendre.leggauss(16)
    assert pytest.approx(places, abs=1e-15) == location_paths.PLACES
    assert pytest.approx(weights / 2, abs=1e-15) == location_paths.PARTS


def test_a_window_is_told_the_same_beside_any_others_at_any_place_and_in_any_thread() -> None:
    from pipeline.models.members import location_paths

    location, windows = part(drawn(21, 16, 5, 2, 4), LOCATION), windows_of(31, 6, 21)
    together = location_paths.explain(location, windows)[0]
    order = np.random.default_rng(3).permutation(len(windows))
    assert np.array_equal(location_paths.explain(location, windows[order])[0], together[order])
    for first, last in ((0, 1), (13, 14), (6, 13), (29, 31)):
        assert np.array_equal(location_paths.explain(location, windows[first:last])[0], together[first:last])
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: location_paths.explain(location, windows)[0], range(8)))
    assert all(np.array_equal(one, together) for one in found)
    assert location_paths.explain(location, windows[:0])[0].shape == (0, 2, 21)


def test_a_member_tells_its_line_and_its_networks() -> None:
    from pipeline.models.members import location_paths, ridge

    arrays, windows = drawn(21, 16, 5, 2, 4), windows_of(7, 6, 21)
    told = LSTM.explain(arrays, windows)
    added, level = location_paths.explain(part(arrays, LOCATION), windows)
    line = ridge.explain_line(part(arrays, LINE), windows[:, -1])
    assert np.array_equal(told.inputs, line + added)
    assert np.array_equal(told.level, level)
    assert set(np.flatnonzero(told.by_path)) == set(arrays[LOCATION + "inputs"].astype(int))
