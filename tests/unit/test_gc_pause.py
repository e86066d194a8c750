"""The collector is paused while many values are made, and goes on afterwards whatever happened."""

from __future__ import annotations

import gc

import pytest

from backend.gc_pause import gc_paused


def test_it_goes_on_after_an_error():
    @gc_paused()
    def fail():
        raise ValueError(gc.isenabled())

    with pytest.raises(ValueError, match="False"):
        fail()
    assert gc.isenabled()


def test_who_paused_it_first_lets_it_go_on():
    with gc_paused():
        with gc_paused():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()


def test_what_had_none_gets_none():
    gc.disable()
    try:
        with gc_paused():
            assert not gc.isenabled()
        assert not gc.isenabled()
    finally:
        gc.enable()
