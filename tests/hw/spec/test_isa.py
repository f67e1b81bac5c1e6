"""Records: no overlapping fields, round trips, refusals."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from narrows.hw.spec.isa import (
    BLOCK,
    COMPUTE,
    END,
    INSTRUCTION_WORDS,
    LOAD,
    RECORDS,
    STORE,
    TAP,
    IsaError,
    Opcode,
    decode_instruction,
    decode_param,
    encode_param,
)

ALL = (END, COMPUTE, LOAD, STORE, BLOCK, TAP)


@pytest.mark.parametrize("record", ALL, ids=lambda record: record.name)
def test_fields_lie_in_their_word_and_do_not_overlap(record):
    used = set()
    for field in record.fields:
        assert 0 <= field.word < record.words
        assert field.lsb + field.width <= 32
        bits = {(field.word, field.lsb + bit) for bit in range(field.width)}
        assert not used & bits, field.name
        used |= bits
    assert len(set(record.names)) == len(record.fields)


@pytest.mark.parametrize("record", ALL, ids=lambda record: record.name)
@given(data=st.data())
def test_encode_and_decode_are_inverse(record, data):
    values = {field.name: data.draw(st.integers(field.low, field.high), label=field.name) for field in record.fields}
    words = record.encode(values)
    assert len(words) == record.words
    assert all(0 <= word < 1 << 32 for word in words)
    assert record.decode(words) == values


@pytest.mark.parametrize("record", ALL, ids=lambda record: record.name)
def test_a_value_that_does_not_fit_is_named(record):
    for field in record.fields:
        for value in (field.low - 1, field.high + 1):
            with pytest.raises(
                IsaError, match=rf"^{record.name}\.{field.name} must be {field.low} to {field.high}, not {value}$"
            ):
                record.encode({field.name: value})


def test_signed_and_unsigned_ranges():
    assert (COMPUTE["origin_step"].low, COMPUTE["origin_step"].high) == (-32768, 32767)
    assert (COMPUTE["out_base"].low, COMPUTE["out_base"].high) == (0, 65535)


def test_an_unknown_field_is_refused():
    with pytest.raises(IsaError, match="TAP has no field 'offsets'"):
        TAP.encode({"offsets": 1})
    with pytest.raises(KeyError, match="offsets"):
        TAP["offsets"]


def test_a_wrong_number_of_words_is_refused():
    with pytest.raises(IsaError, match="BLOCK has 4 words, not 3"):
        BLOCK.decode([0, 0, 0])
    with pytest.raises(IsaError, match="an instruction has 16 words, not 4"):
        decode_instruction([0, 0, 0, 0])


@pytest.mark.parametrize("opcode", Opcode)
def test_instructions_are_decoded_by_their_opcode(opcode):
    words = RECORDS[opcode].encode({"opcode": opcode, "post_next": 1})
    decoded, fields = decode_instruction(words)
    assert (decoded, fields["post_next"], fields["wait_prev"]) == (opcode, 1, 0)


@pytest.mark.parametrize("code", [4, 5, 6, 7])
def test_an_unknown_opcode_is_refused(code):
    with pytest.raises(IsaError, match=f"unknown opcode {code}"):
        decode_instruction([code] + [0] * (INSTRUCTION_WORDS - 1))


def test_an_empty_memory_reads_as_end():
    assert decode_instruction([0] * INSTRUCTION_WORDS)[0] is Opcode.END


@given(st.integers(8, 32), st.one_of(st.integers(2, 16), st.just(32)), st.integers(4, 6), st.data())
def test_parameters_round_trip(bias_width, rescale_bits, shift_bits, data):
    half = 1 << (bias_width - 1)
    bias = data.draw(st.integers(-half, half - 1))
    multiplicand = data.draw(st.integers(1 << (rescale_bits - 1), (1 << rescale_bits) - 1))
    shift = data.draw(st.integers(0, (1 << shift_bits) - 1))
    widths = {"bias_width": bias_width, "rescale_bits": rescale_bits, "shift_bits": shift_bits}
    word = encode_param(bias, multiplicand, shift, **widths)
    assert 0 <= word < 1 << (bias_width + rescale_bits - 1 + shift_bits)
    assert decode_param(word, **widths) == (bias, multiplicand, shift)


def test_parameters_lie_from_the_low_end():
    assert encode_param(-1, 0b1010, 3, bias_width=16, rescale_bits=4, shift_bits=5) == 0xFFFF | 0b010 << 16 | 3 << 19


@pytest.mark.parametrize(
    ("bias", "multiplicand", "shift", "message"),
    [
        (128, 8, 0, "bias 128 does not fit 8 bits"),
        (-129, 8, 0, "bias -129 does not fit 8 bits"),
        (0, 7, 0, "multiplicand 7 must have exactly 4 bits"),
        (0, 16, 0, "multiplicand 16 must have exactly 4 bits"),
        (0, 8, 32, "shift 32 does not fit 5 bits"),
        (0, 8, -1, "shift -1 does not fit 5 bits"),
    ],
)
def test_parameters_that_do_not_fit_are_refused(bias, multiplicand, shift, message):
    with pytest.raises(IsaError, match=message):
        encode_param(bias, multiplicand, shift, bias_width=8, rescale_bits=4, shift_bits=5)
