"""parcel: what goes to another process and comes back from it."""

import pickle

import pytest
from narrows.sw.errors import CapacityError, InputError
from narrows.sw.tasks.parcel import Parcel, answer, lay_down, opened_answer, pack_job, unpack_job
from task_functions import square


def _refuse():
    raise InputError("too much")


def _refuse_with(value):
    raise ValueError("first", value)


def test_modules_and_what_is_shared_arrive(tmp_path):
    for name in ("bench/inner/a.py", "tests/support/b.py", "tests/support/pins.v", "bench/large.npz"):
        path = tmp_path / "here" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    folders = [tmp_path / "here" / "bench", tmp_path / "here" / "tests" / "support"]
    parcel = Parcel.of({"n": 3}, folders)
    paths = lay_down(parcel.modules, tmp_path / "there")
    assert paths == [tmp_path / "there" / "bench", tmp_path / "there" / "tests" / "support"]
    assert pickle.loads(parcel.shared) == {"n": 3}
    found = {str(path.relative_to(tmp_path / "there")) for path in (tmp_path / "there").rglob("*") if path.is_file()}
    assert found == {"bench/inner/a.py", "tests/support/b.py", "tests/support/pins.v"}
    assert Parcel.of({"n": 3}, folders).tokens == parcel.tokens
    other = Parcel.of({"n": 4}, folders).tokens
    assert (other[0] == parcel.tokens[0], other[1] == parcel.tokens[1]) == (True, False)
    assert Parcel.of({"n": 3}, folders[:1]).tokens[0] != parcel.tokens[0]


def test_a_parcel_without_modules(tmp_path):
    assert lay_down(Parcel.of(7).modules, tmp_path) == []


def test_a_job_names_its_function():
    assert unpack_job(pack_job(square, 5)) == (square, 5)


def test_a_function_of_a_script_is_refused():
    def own():
        """Of a script."""

    own.__module__ = "__main__"
    with pytest.raises(ValueError, match="is of a script, which no other process can import"):
        pack_job(own, 1)


def test_what_a_call_gives_or_raises_comes_back():
    assert opened_answer(answer(lambda: 3)) == 3
    with pytest.raises(InputError, match=r"^too much\n") as caught:
        opened_answer(answer(_refuse))
    assert "in _refuse" in caught.value.__notes__[0]


def test_an_error_with_more_than_a_message_comes_back():
    def lack():
        raise CapacityError("too small", ())

    with pytest.raises(CapacityError, match="too small"):
        opened_answer(answer(lack))


def test_an_error_that_cannot_travel_is_told_of():
    with pytest.raises(RuntimeError, match=r"ValueError: \('first', <function"):
        opened_answer(answer(lambda: _refuse_with(lambda: None)))
    with pytest.raises((AttributeError, pickle.PicklingError), match=r"^Can't pickle local object"):
        opened_answer(answer(lambda: lambda: None))
    assert pickle.loads(answer(lambda: 1)) == (True, 1)
