"""Pipeline: every stage of a core and its registers, each named once; hardware asks for them, the cycle model adds
them up."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from .config import AcceleratorConfig
from .registers import Region

__all__ = ["HOST_READ_CYCLES", "Pipeline", "pipeline", "registers_behind"]

HOST_READ_CYCLES = 10
"""Cycles in which the host's read of any register or memory is there, whatever the core (`Pipeline.host_read`)."""


_NEAR = 1 << 18
"""Bits of a memory whose block RAMs one register can reach."""

_FAR = 1 << 19
"""Bits of a memory whose block RAMs lie all over a chip, with whatever they feed between them."""


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """Registers of the stages of a core; each number is the cycles that its stage takes.

    Parameters
    ----------
    instruction_read : int
        Address of a word of an instruction to the word; likewise ``block_read``, ``tap_read``, ``weight_read``,
        ``param_read`` and ``table_read``: 2 where block RAMs answer through registers of their own.
    decode : int
        Whole instruction to what is known of its legality.
    finish : int
        Last step of an instruction to the stepper's word that it is out, beside the cycle in which that acts.
    release : int
        Last write of an instruction, or its successor's start, to the cycle before that may issue steps.
    block_word : int
        A block's record to a copy of it.
    job : int
        That to the job in the queue.
    jobs : int
        Jobs that may be fetched, waiting or starting at once.
    credit : int
        A job's start to the fetch of another one in its place.
    group : int
        First step of a pixel group to the walker's word that it is taken.
    address : int
        Tap's record to the activation address.
    bank_address : int
        Activation address to those of the banks; ``bank_near`` more to copies near each part of a bank.
    bank_read : int
        Address of a bank to its word; ``bank_word`` more to a copy of it.
    correct : int
        Word of weights or activations to the corrected one, where that takes a register (`spec.protection`).
    rotate : int
        Words of the banks to those of the rows.
    weight_near : int
        Weight's address to copies of it near the parts of the memory; ``weight_word`` from its word to a copy.
    codes : int
        Codes to copies of them near their half of the array.
    recode : int
        Codes to operands.
    operand_near : int
        Operands to copies of them near each of the dot products that take them.
    product : int
        Operands to products.
    tree_levels : int
        Levels of the adder tree between two registers; ``tree`` is the number of these, ``root`` of those behind it.
    accumulate : int
        Dot product to sum.
    capture : int
        Finished sum to the drain.
    add_bias, multiply, shift, clamp, round, pick : int
        Stages of rescaler and encoder, one behind the other.
    compare : int
        Code of a window to the lanes' winner; ``play`` from there to the word that leaves.
    receive : int
        Granule to the writer's counters.
    offsets : int
        From there to the parts of its address; ``write`` from there to address, data and enable.
    checksum : int
        A write to the checksum that counts it.
    to_banks : int
        These to the banks that they belong to; nobody waits for it.
    host_write : int
        The host's write to the memory's port; a cycle less to the registers.
    host_word : int
        Word of a memory to the host's port.
    frame_read : int
        Place of a byte in the frame memory to its word; ``code_read`` from a byte to its codes.
    link_read : int
        Address of a word that came over the serial link to the word; ``link_byte`` from a byte to the frame.
    """

    instruction_read: int
    decode: int
    finish: int
    release: int
    block_read: int
    block_word: int
    job: int
    jobs: int
    credit: int
    group: int
    tap_read: int
    address: int
    bank_near: int
    bank_address: int
    bank_read: int
    bank_word: int
    correct: int
    rotate: int
    weight_near: int
    weight_read: int
    weight_word: int
    codes: int
    recode: int
    operand_near: int
    product: int
    tree_levels: int
    tree: int
    root: int
    accumulate: int
    capture: int
    param_read: int
    add_bias: int
    multiply: int
    shift: int
    clamp: int
    round: int
    table_read: int
    pick: int
    compare: int
    play: int
    receive: int
    offsets: int
    write: int
    checksum: int
    to_banks: int
    host_write: int
    host_word: int
    frame_read: int
    code_read: int
    link_read: int
    link_byte: int

    @property
    def fetch(self) -> int:
        """Cycles from a block's fetch to the first in which its job may start."""
        return self.block_read + self.block_word + self.job

    @property
    def access(self) -> int:
        """Cycles from a step to the address of its words at their banks."""
        return self.tap_read + self.address + self.bank_near + self.bank_address

    @property
    def activation_read(self) -> int:
        """Cycles from an activation address to the words of all rows."""
        return self.bank_near + self.bank_address + self.bank_read + self.bank_word + self.correct + self.rotate

    @property
    def weights(self) -> int:
        """Cycles from a weight address to its word."""
        return self.weight_near + self.weight_read + self.correct + self.weight_word

    @property
    def words(self) -> int:
        """Cycles from a step to its activation words."""
        return self.tap_read + self.address + self.activation_read

    def program_read(self, region: Region) -> int:
        """Cycles from an address in one of the program's memories to its word."""
        return {
            Region.INSTRUCTIONS: self.instruction_read,
            Region.BLOCKS: self.block_read,
            Region.TAPS: self.tap_read,
            Region.PARAMS: self.param_read,
            Region.WEIGHTS: self.weights,
            Region.TABLES: self.table_read,
        }[region]

    @property
    def predecode(self) -> int:
        """Cycles from codes to operands at their dot products."""
        return self.codes + self.recode + self.operand_near

    @property
    def operands(self) -> int:
        """Cycles from a step to its operands."""
        return self.words + self.predecode

    @property
    def dot_product(self) -> int:
        """Cycles from operands to a dot product."""
        return self.product + self.tree + self.root

    @property
    def array(self) -> int:
        """Cycles from the operands of a tile's last step to its finished sums."""
        return self.dot_product + self.accumulate

    @property
    def rescaler(self) -> int:
        """Cycles through a rescaler."""
        return self.add_bias + self.multiply + self.shift + self.clamp

    @property
    def encoder(self) -> int:
        """Cycles through an encoder."""
        return self.round + self.table_read + self.pick

    @property
    def drain(self) -> int:
        """Cycles from finished sums to the first granule."""
        return self.capture + self.param_read + self.rescaler + self.encoder

    @property
    def max_pool(self) -> int:
        """Cycles from the last operands of a window to its first word."""
        return self.compare + self.play

    @property
    def writer(self) -> int:
        """Cycles from a granule or word to the memory's port."""
        return self.receive + self.offsets + self.write

    def results(self, *, is_max: bool) -> int:
        """Cycles from a tile's last step to its first word at the memory's port, in mode MAX or MAC."""
        return self.operands + (self.max_pool if is_max else self.array + self.drain) + self.writer

    @property
    def settle(self) -> int:
        """Cycles after which nothing of a run that was given up is on its way any more."""
        return max(self.drain, self.max_pool) + self.writer + self.checksum + self.to_banks + 3

    @property
    def host_read(self) -> int:
        """Cycles from the address of the host's read to what a port takes."""
        return max(self.activation_read, self.instruction_read) + self.host_word


_SHALLOW = Pipeline(
    instruction_read=1,
    decode=1,
    finish=0,
    release=1,
    block_read=1,
    block_word=0,
    job=1,
    jobs=2,
    credit=2,
    group=0,
    tap_read=1,
    address=1,
    bank_near=0,
    bank_address=1,
    bank_read=1,
    bank_word=0,
    correct=0,
    rotate=1,
    weight_near=0,
    weight_read=1,
    weight_word=0,
    codes=0,
    recode=1,
    operand_near=0,
    product=0,
    tree_levels=1,
    tree=0,
    root=0,
    accumulate=1,
    capture=1,
    param_read=1,
    add_bias=1,
    multiply=1,
    shift=1,
    clamp=1,
    round=1,
    table_read=0,
    pick=1,
    compare=3,
    play=1,
    receive=0,
    offsets=1,
    write=1,
    checksum=1,
    to_banks=0,
    host_write=0,
    host_word=1,
    frame_read=1,
    code_read=1,
    link_read=1,
    link_byte=0,
)
"""For an iCE40: few registers, and a slow clock anyhow."""

_DEEP = dataclasses.replace(
    _SHALLOW,
    instruction_read=2,
    decode=2,
    finish=1,
    block_read=2,
    job=2,
    jobs=8,
    group=1,
    tap_read=2,
    bank_read=2,
    weight_read=2,
    param_read=2,
    shift=2,
    clamp=3,
    round=2,
    play=2,
    receive=1,
    to_banks=1,
    host_write=2,
    host_word=2,
    frame_read=2,
    code_read=2,
    link_read=2,
    link_byte=1,
)
"""For families whose block RAMs answer slowly or through a register of their own."""


def pipeline(config: AcceleratorConfig) -> Pipeline:
    """Stages of a configuration's core."""
    levels = (config.lanes - 1).bit_length()
    parts = {
        "product": config.product_stage,
        "tree_levels": config.tree_stage,
        "tree": (levels - 1) // config.tree_stage,
        "correct": int(config.protection == "secded"),
    }
    plan = _SHALLOW if config.fabric == "ice40" else _DEEP
    if plan is _DEEP:
        parts["multiply"] = config.rescale_bits - 1  # a carry chain each
        parts["table_read"] = 2 * bool(config.tables)
    else:
        parts["table_read"] = int(bool(config.tables))
        if not config.prefetch:  # the smallest form: each place is a job's 90 flip-flops, and as many look-up tables
            parts["jobs"] = 1
    if config.fabric == "ecp5":  # registers are there in plenty, and wires to many loads are slow
        parts |= {"operand_near": 1, "root": 1, "to_banks": 2}
    if config.spread:
        own = int(plan.bank_read == 1)  # a block RAM's register of its own is as good as one behind it
        parts |= {"bank_near": 1, "bank_word": own, "weight_near": 2, "weight_word": own, "codes": 1}
        parts |= {"to_banks": 2, "host_write": 2}
    weight_bits, act_bits = config.weight_words * config.weight_word_bits, config.act_words * config.act_word_bits
    if config.fabric == "ecp5" and config.memories == "dual":  # a single port is no block RAM, and lies in one part
        if weight_bits > _NEAR:
            parts["weight_near"] = 2  # steps do not wait for it: their activations take longer
        if max(weight_bits, act_bits) >= _FAR:
            parts |= {"weight_near": 4, "bank_near": 2, "bank_word": 1, "codes": 1, "operand_near": 2, "block_word": 1}
    return dataclasses.replace(plan, **parts)


def registers_behind(elements: int, registers: int) -> tuple[bool, ...]:
    """Behind which of so many elements in a row a register stands, evenly, the last one always.

    Raises
    ------
    ValueError
        If there are more registers than elements, or none.
    """
    if not 1 <= registers <= elements:
        raise ValueError(f"registers must be 1 to {elements}, not {registers!r}")
    return tuple((place + 1) * registers // elements > place * registers // elements for place in range(elements))
