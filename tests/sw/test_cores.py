"""Linear algebra with one thread, and work shared out."""

import importlib.util
import threading

import numpy as np
import pytest
from narrows.sw import cores
from narrows.sw.cores import multiplied, on_all_cores, one_thread
from narrows.sw.errors import ToolMissing
from threadpoolctl import threadpool_info


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_bits_of_a_large_product_do_not_depend_on_the_cores(dtype, monkeypatch):
    rng = np.random.default_rng(0)
    first, second = (rng.normal(size=shape).astype(dtype) for shape in ((1200, 300), (300, 410)))
    monkeypatch.setattr(cores, "_LARGE", 1)
    found = []
    with one_thread():
        for count in (1, 2, 3, 8):
            monkeypatch.setattr(cores, "_cores", lambda count=count: count)
            found.append(multiplied(first, second))
    assert found[0].dtype == dtype
    np.testing.assert_allclose(found[0], first @ second, rtol=1e-3, atol=1e-3)
    for each in found[1:]:
        np.testing.assert_array_equal(each, found[0])


def test_there_is_one_thread_inside_and_as_many_as_before_behind():
    def threads():
        return [each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"]

    before = threads()
    with one_thread():
        assert set(threads()) == {1}
    assert threads() == before


def test_without_the_package_only_exact_results_go_on(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with one_thread(exact=True):
        pass
    with pytest.raises(ToolMissing, match="threads of linear algebra"), one_thread():
        pass


def test_calls_are_made_at_once_and_their_results_keep_their_order(monkeypatch):
    monkeypatch.setattr(cores, "_cores", lambda: 3)
    together = threading.Barrier(3, timeout=60)  # nobody goes on before all three are there

    def double(value):
        together.wait()
        return 2 * value

    assert on_all_cores(double, range(3)) == [0, 2, 4]
    assert on_all_cores(abs, []) == []
