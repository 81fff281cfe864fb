"""What the recurrent member's loops are made of: vectors of one width, products that stay in a processor's registers.

Written in the compiler's own instructions, because no loop over arrays keeps its sums out of memory. The loops' machine
code is kept until their own module changes: after a change here, save that too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

LANES = 16
"""Values in a vector. A processor with shorter vectors takes two or four for one, with the same bits."""
ROWS = 4
GATES = 4
PANEL = GATES * LANES
"""Columns that are multiplied at a time: with as many rows as `ROWS`, their sums fill a processor's registers."""
TILE = ROWS * LANES
VECTOR = ir.VectorType(ir.FloatType(), LANES)


def emitted(build: Callable[..., Any]) -> Callable[..., Any]:
    """A function of the compiled loops that is written in the compiler's own instructions."""
    return cast(Callable[..., Any], intrinsic(build))


@emitted
def fma(_: Any, x: Any, y: Any, z: Any) -> Any:
    """x * y + z, rounded once."""

    def emit(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.fma(*arguments)

    return types.float32(x, y, z), emit


@emitted
def exponent_of(_: Any, shifted: Any) -> Any:
    """2**n as a float32, where `shifted` is n + `ROUNDER`: n moved to where a float keeps its exponent."""

    def emit(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        kind = ir.IntType(32)
        biased = builder.add(builder.bitcast(arguments[0], kind), ir.Constant(kind, 127))
        return builder.bitcast(builder.shl(biased, ir.Constant(kind, 23)), ir.FloatType())

    return types.float32(shifted), emit


@emitted
def multiply(
    _: Any,
    rows: Any,
    row: Any,  # noqa: ARG001
    width: Any,  # noqa: ARG001
    weights: Any,
    bias: Any,
    panel: Any,  # noqa: ARG001
    sums: Any,
) -> Any:
    """Sums = bias + rows x weights, for `ROWS` rows and the columns of one panel, in the order of the inputs.

    Arguments: rows of `width` values, and the first of those meant; weights [panels, width, PANEL] and bias [panels,
    PANEL], both flat, and the panel's number; sums [GATES, ROWS, LANES], flat, written.
    """

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        rows, weights, bias, sums = (
            context.make_array(signature.args[number])(context, builder, arguments[number]).data
            for number in (0, 3, 4, 6)
        )
        row, width, panel = (arguments[number] for number in (1, 2, 5))
        starts = [builder.mul(builder.add(row, _whole(number)), width) for number in range(ROWS)]
        column = builder.mul(panel, _whole(PANEL))
        found = _emit_sums(
            builder,
            [builder.gep(rows, [start]) for start in starts],
            builder.gep(weights, [builder.mul(column, width)]),
            _load_panel(builder, builder.gep(bias, [column])),
            width,
        )
        for (number, gate), value in found.items():
            _store_vector(builder, value, sums, _whole(gate * TILE + number * LANES))
        return context.get_dummy_value()

    return types.void(rows, types.intp, types.intp, weights, bias, types.intp, sums), emit


def _emit_sums(builder: Any, rows: Any, weights: Any, bias: Any, width: Any) -> Any:
    """A loop over the inputs whose sums stay in registers: one value of a row times a vector of weights each."""
    before, loop = builder.block, builder.append_basic_block("inputs")
    builder.branch(loop)
    builder.position_at_end(loop)
    place = builder.phi(_whole(0).type)
    cells = [(row, gate) for row in range(ROWS) for gate in range(GATES)]
    held = {cell: builder.phi(VECTOR) for cell in cells}
    fuse = cgutils.get_or_insert_function(  # type: ignore[no-untyped-call]
        builder.module, ir.FunctionType(VECTOR, [VECTOR] * 3), f"llvm.fma.v{LANES}f32"
    )
    factors = _load_panel(builder, builder.gep(weights, [builder.mul(place, _whole(PANEL))]))
    values = [_repeat(builder, builder.load(builder.gep(row, [place]))) for row in rows]
    found = {(row, gate): builder.call(fuse, [values[row], factors[gate], held[row, gate]]) for row, gate in cells}
    following = builder.add(place, _whole(1))
    place.add_incoming(_whole(0), before)
    place.add_incoming(following, loop)
    for cell in cells:
        held[cell].add_incoming(bias[cell[1]], before)
        held[cell].add_incoming(found[cell], loop)
    after = builder.append_basic_block("summed")
    builder.cbranch(builder.icmp_signed("<", following, width), loop, after)
    builder.position_at_end(after)
    return found


@emitted
def move(_: Any, source: Any, start: Any, target: Any, place: Any) -> Any:  # noqa: ARG001
    """A vector of one array, as it lies from `start` on, into another from `place` on: no slice is made."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        read, written = (
            context.make_array(signature.args[number])(context, builder, arguments[number]).data for number in (0, 2)
        )
        _store_vector(builder, _load_vector(builder, read, arguments[1]), written, arguments[3])
        return context.get_dummy_value()

    return types.void(source, types.intp, target, types.intp), emit


def _whole(number: int) -> Any:
    return ir.Constant(ir.IntType(64), number)


def _load_panel(builder: Any, values: Any) -> list[Any]:
    return [_load_vector(builder, values, _whole(gate * LANES)) for gate in range(GATES)]


def _load_vector(builder: Any, values: Any, place: Any) -> Any:
    return builder.load(builder.bitcast(builder.gep(values, [place]), VECTOR.as_pointer()), align=4)


def _store_vector(builder: Any, vector: Any, values: Any, place: Any) -> None:
    builder.store(vector, builder.bitcast(builder.gep(values, [place]), VECTOR.as_pointer()), align=4)


def _repeat(builder: Any, value: Any) -> Any:
    """A vector of one value."""
    nothing, number = ir.Constant(VECTOR, ir.Undefined), ir.IntType(32)
    one = builder.insert_element(nothing, value, ir.Constant(number, 0))
    return builder.shuffle_vector(one, nothing, ir.Constant(ir.VectorType(number, LANES), [0] * LANES))
