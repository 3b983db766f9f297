"""The register tile of matrix products, written out in LLVM's terms: one C function for a dtype.

A tile is a block of the result that stays in registers while the inner dimension passes: some rows by some vectors, of
which the last may be masked. Each number is begun with what `start` holds, and the products are added to it in order,
whatever the tile's size: so threads may cut the rows anywhere, and no bit changes. native/products.pxi calls the tile.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import llvmlite.binding as llvm
import numba
import numpy as np
from llvmlite import ir

from fastact._kernels.compile import cache
from fastact._kernels.compile.loops import WIDEST

__all__ = ["Tile", "compile_tile"]

#: Rows and vectors of the largest tile, by the bytes of a vector: of 32 registers 24 hold sums, of 16 twelve or eight.
_LARGEST = {64: (8, 3), 32: (4, 3), 16: (4, 2)}

_INT, _SMALL = ir.IntType(64), ir.IntType(32)
_POINTER = ir.PointerType()


class Tile(NamedTuple):
    """A compiled tile, and the largest that it computes."""

    address: int
    rows: int
    vectors: int
    lanes: int


@functools.cache
def compile_tile(dtype: np.dtype[Any]) -> Tile:
    """The tile for a dtype.

    void tile(int64 rows, int64 vectors, int64 steps, T *a, int64 a_row, int64 a_step, T *b, int64 b_row, T *c,
    int64 c_row, T *start, int64 start_row, int64 tail): c[i, j] = start[i, j] + sum over p of a[i, p] * b[p, j], where
    a_row is the distance of the rows of `a`, and so on. `start` may be NULL, for zeros. `rows` is a power of two. The
    last vector has `tail` numbers, which alone are read and written.
    """
    cpu, features, size = _processor()
    rows, vectors = _LARGEST[size]
    lanes = size // dtype.itemsize
    name = cache.key(None, ("tile", cpu, features, size, dtype.str))
    address = cache.load(name)
    if address is None:
        module = _Writer(dtype, rows, vectors, lanes).module
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        machine = llvm.Target.from_default_triple().create_target_machine(cpu, features, opt=3, jit=True)
        address = cache.keep(name, "tile", machine.emit_object(llvm.parse_assembly(str(module))))
    return Tile(address, rows, vectors, lanes)


def _processor() -> tuple[str, str, int]:
    """The processor that Numba compiles for, what LLVM calls its features, and the bytes of its vectors."""
    options = vars(numba.config)
    name, features = options["CPU_NAME"], options["CPU_FEATURES"] or ""
    if name in (None, "host"):
        host = llvm.get_host_cpu_features()
        size = 64 if host.get("avx512f") else 32 if host.get("avx") else 16
        return llvm.get_host_cpu_name(), host.flatten(), size
    return name, features, 16 if name == "generic" and "+avx" not in features else 32


class _Writer:
    """Writes the function: a block of code for each number of rows and vectors."""

    def __init__(self, dtype: np.dtype[Any], most_rows: int, most_vectors: int, lanes: int) -> None:
        self.number = {"f": ir.FloatType(), "d": ir.DoubleType()}[dtype.char]
        self.size, self.lanes = dtype.itemsize, lanes
        self.vector = ir.VectorType(self.number, lanes)
        self.module = ir.Module()
        kinds = [_INT] * 3 + [_POINTER, _INT, _INT] + [_POINTER, _INT] * 3 + [_INT]
        function = ir.Function(self.module, ir.FunctionType(ir.VoidType(), kinds), "tile")
        set.add(function.attributes, WIDEST)
        rows, vectors, self.steps, self.a, self.a_row, self.a_step, self.b, self.b_row, *rest = function.args
        self.c, self.c_row, self.start, self.start_row, tail = rest
        self.builder = builder = ir.IRBuilder(function.append_basic_block("entry"))
        every = ir.Constant(ir.VectorType(_INT, lanes), list(range(lanes)))
        self.mask = builder.icmp_signed("<", every, self.splat(tail))
        end = builder.append_basic_block("end")
        choice = builder.switch(builder.add(builder.mul(rows, _INT(8)), vectors), end)
        for height in (2**k for k in range(most_rows.bit_length())):
            for count in range(1, most_vectors + 1):
                choice.add_case(_INT(8 * height + count), self.block(height, count))
                builder.branch(end)
        builder.position_at_end(end)
        builder.ret_void()

    def block(self, rows: int, count: int) -> Any:
        """The code of a tile of so many rows and vectors, at whose end the builder stands; return its beginning."""
        builder = self.builder
        blocks = [builder.append_basic_block(name) for name in ("size", "given", "begin", "loop", "done")]
        before, given, begin, loop, done = blocks
        cells = [(i, j) for i in range(rows) for j in range(count)]
        last = count - 1

        builder.position_at_end(before)
        a_rows = [builder.mul(self.a_row, _INT(i)) for i in range(rows)]
        places = self.places(self.c, self.c_row, cells)
        builder.cbranch(builder.icmp_unsigned("==", self.start, ir.Constant(_POINTER, None)), begin, given)

        builder.position_at_end(given)
        starts = self.places(self.start, self.start_row, cells)
        given_sums = {(i, j): self.load(starts[i, j], j == last) for i, j in cells}
        builder.branch(begin)

        builder.position_at_end(begin)
        first = {}
        for cell in cells:
            first[cell] = builder.phi(self.vector)
            first[cell].add_incoming(ir.Constant(self.vector, None), before)
            first[cell].add_incoming(given_sums[cell], given)
        builder.cbranch(builder.icmp_signed(">", self.steps, _INT(0)), loop, done)

        builder.position_at_end(loop)
        step, a, b = builder.phi(_INT), builder.phi(_POINTER), builder.phi(_POINTER)
        sums = {cell: builder.phi(self.vector) for cell in cells}
        row = [self.load(self.offset(b, _INT(j * self.lanes)), j == last) for j in range(count)]
        later = {}
        for i in range(rows):
            factor = self.splat(builder.load(self.offset(a, a_rows[i]), typ=self.number, align=self.size))
            for j in range(count):
                later[i, j] = self.call("fmuladd", self.vector, [factor, row[j], sums[i, j]])
        following = builder.add(step, _INT(1))
        pairs = [(step, _INT(0), following), (a, self.a, self.offset(a, self.a_step))]
        pairs += [(b, self.b, self.offset(b, self.b_row)), *((sums[c], first[c], later[c]) for c in cells)]
        for phi, initial, changed in pairs:
            phi.add_incoming(initial, begin)
            phi.add_incoming(changed, loop)
        builder.cbranch(builder.icmp_signed("<", following, self.steps), loop, done)

        builder.position_at_end(done)
        results = {}
        for cell in cells:
            results[cell] = builder.phi(self.vector)
            results[cell].add_incoming(first[cell], begin)
            results[cell].add_incoming(later[cell], loop)
        for (i, j), result in results.items():
            self.store(result, places[i, j], j == last)
        return before

    def offset(self, pointer: Any, index: Any) -> Any:
        return self.builder.gep(pointer, [index], source_etype=self.number)

    def places(self, pointer: Any, row: Any, cells: list[tuple[int, int]]) -> dict[tuple[int, int], Any]:
        """Where the vectors of a matrix are."""
        starts = [self.offset(pointer, self.builder.mul(row, _INT(i))) for i in range(cells[-1][0] + 1)]
        return {(i, j): self.offset(starts[i], _INT(j * self.lanes)) for i, j in cells}

    def splat(self, value: Any) -> Any:
        """A vector of one number."""
        nothing = ir.Constant(ir.VectorType(value.type, self.lanes), ir.Undefined)
        first = self.builder.insert_element(nothing, value, _SMALL(0))
        return self.builder.shuffle_vector(first, nothing, ir.Constant(ir.VectorType(_SMALL, self.lanes), None))

    def load(self, place: Any, masked: bool) -> Any:
        if not masked:
            return self.builder.load(place, typ=self.vector, align=self.size)
        zeros = ir.Constant(self.vector, None)
        return self.call("masked.load", self.vector, [place, _SMALL(self.size), self.mask, zeros], ".p0")

    def store(self, value: Any, place: Any, masked: bool) -> None:
        if masked:
            self.call("masked.store", ir.VoidType(), [value, place, _SMALL(self.size), self.mask], ".p0")
        else:
            self.builder.store(value, place, align=self.size)

    def call(self, name: str, result: Any, arguments: list[Any], suffix: str = "") -> Any:
        """Call an intrinsic of LLVM's on vectors."""
        full = f"llvm.{name}.v{self.lanes}f{8 * self.size}{suffix}"
        function = self.module.globals.get(full)
        if function is None:
            function = ir.Function(self.module, ir.FunctionType(result, [each.type for each in arguments]), full)
        return self.builder.call(function, arguments)
