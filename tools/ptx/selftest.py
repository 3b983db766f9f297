"""Tests of the emulator itself: what it computes, and that it finds what is wrong. python selftest.py"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from fractions import Fraction

import numpy as np
from emulator import MEMORY, EmulationError, launch, parse
from numba import cuda, types

warnings.simplefilter("ignore")


def put(array: np.ndarray) -> int:
    address = MEMORY.allocate(array.nbytes)
    data, shadow, _ = MEMORY.bytes_of(address)
    data[: array.nbytes], shadow[:] = np.ascontiguousarray(array).reshape(-1).view(np.uint8), 1
    return address


def get(address: int, dtype: object, n: int) -> np.ndarray:
    data, shadow, _ = MEMORY.bytes_of(address)
    if not shadow.all():
        raise EmulationError("undefined memory is read by the host")
    return data.view(dtype)[:n].copy()


def p(address: int) -> bytes:
    return int(address).to_bytes(8, "little")


def compiled(function: object, *arguments: object) -> object:
    text, _ = cuda.compile_ptx(function, types.void(*arguments), cc=(8, 0))
    return parse(text, exact=False)


FLOATS, INTEGERS, LONG = types.CPointer(types.float32), types.CPointer(types.int32), types.int64


def fails(expected: str, call: Callable[[], object]) -> None:
    try:
        call()
    except EmulationError as error:
        found = str(error)
    else:
        found = "no error"
    assert expected in found, f"{expected!r} is not in {found}"


def test_kernels() -> None:
    def reduce(x, out):
        s = cuda.shared.array(8, np.float32)
        i = cuda.threadIdx.x
        v = x[cuda.blockIdx.x * 256 + i]
        for step in (16, 8, 4, 2, 1):
            v += cuda.shfl_down_sync(0xFFFFFFFF, v, step)
        if i % 32 == 0:
            s[i // 32] = v
        cuda.syncthreads()
        if i == 0:
            t = np.float32(0)
            for k in range(8):
                t += s[k]
            out[cuda.blockIdx.x] = t

    x = np.arange(1024, dtype=np.float32)
    out = put(np.zeros(4, np.float32))
    stats, _ = launch(compiled(reduce, FLOATS, FLOATS), 4, 256, [p(put(x)), p(out)])
    assert (get(out, "f4", 4) == x.reshape(4, 256).sum(1)).all()
    assert stats["load_sectors"] == 1024 * 4 // 32

    def transpose(x, out):
        s = cuda.shared.array((32, 33), np.float32)
        r, c = cuda.threadIdx.x // 32, cuda.threadIdx.x % 32
        for k in range(0, 32, 8):
            s[r + k, c] = x[(r + k) * 32 + c]
        cuda.syncthreads()
        for k in range(0, 32, 8):
            out[(r + k) * 32 + c] = s[c, r + k]

    x = np.random.default_rng(0).normal(size=(32, 32)).astype("f4")
    out = put(np.zeros((32, 32), "f4"))
    stats, _ = launch(compiled(transpose, FLOATS, FLOATS), 1, 256, [p(put(x)), p(out)])
    assert (get(out, "f4", 1024).reshape(32, 32) == x.T).all()
    assert stats["bank_conflicts"] == 0

    def count(out, n):
        i = cuda.grid(1)
        if i < n:
            cuda.atomic.add(out, 0, 1)
            cuda.atomic.max(out, 1, np.int32(i))

    text, _ = cuda.compile_ptx(count, types.void(types.Array(types.int32, 1, "C"), LONG), cc=(8, 0))
    program = parse(text, exact=False)
    out = put(np.zeros(2, np.int32))
    arguments = [p(0), p(0), p(2), p(4), p(out), p(2), p(4), p(1000)]
    launch(program, 9, 128, arguments)
    assert get(out, "i4", 2).tolist() == [1000, 999]

    def collatz(x, out):  # lanes leave a loop one after the other, then shuffle
        i = cuda.threadIdx.x
        n, steps = x[i], 0
        while n != 1:
            n = n // 2 if n % 2 == 0 else 3 * n + 1
            steps += 1
        out[i] = cuda.shfl_xor_sync(0xFFFFFFFF, np.int32(steps), 1)

    out, x = put(np.zeros(64, np.int32)), np.arange(1, 65, dtype=np.int32)
    launch(compiled(collatz, INTEGERS, INTEGERS), 1, 64, [p(put(x)), p(out)])

    def length(n: int) -> int:
        return 0 if n == 1 else 1 + length(n // 2 if n % 2 == 0 else 3 * n + 1)

    wanted = np.array([length(int(n)) for n in x])
    assert (get(out, "i4", 64) == wanted.reshape(-1, 2)[:, ::-1].reshape(-1)).all()


def test_finds() -> None:
    def beyond(x, out):
        out[cuda.threadIdx.x] = x[cuda.threadIdx.x + 1]

    x, out = put(np.zeros(64, "f4")), put(np.zeros(64, "f4"))
    fails("load of 4 bytes out of bounds", lambda: launch(compiled(beyond, FLOATS, FLOATS), 1, 64, [p(x), p(out)]))
    fails("misaligned", lambda: launch(compiled(beyond, FLOATS, FLOATS), 1, 32, [p(x + 2), p(out)]))

    def racing(x, out):
        s = cuda.shared.array(64, np.float32)
        i = cuda.threadIdx.x
        s[i] = x[i]
        out[i] = s[63 - i]

    fails("race: ", lambda: launch(compiled(racing, FLOATS, FLOATS), 1, 64, [p(x), p(out)]))

    def overwriting(x, out):
        s = cuda.shared.array(64, np.float32)
        i = cuda.threadIdx.x
        s[i] = x[i]
        cuda.syncthreads()
        out[i] = s[63 - i]
        s[i] = out[i]

    fails("race: ", lambda: launch(compiled(overwriting, FLOATS, FLOATS), 1, 64, [p(x), p(out)]))

    def same_place(x, out):
        out[cuda.threadIdx.x // 2] = x[cuda.threadIdx.x]

    fails("race: writes over", lambda: launch(compiled(same_place, FLOATS, FLOATS), 1, 64, [p(x), p(out)]))

    def unset(x, out):
        s = cuda.shared.array(64, np.float32)
        i = cuda.threadIdx.x
        if i < 32:
            s[i] = x[i]
        cuda.syncthreads()
        out[i] = s[i]

    def run() -> None:
        out = put(np.zeros(64, "f4"))
        launch(compiled(unset, FLOATS, FLOATS), 1, 64, [p(x), p(out)])
        get(out, "f4", 64)

    fails("undefined memory is read by the host", run)

    def partly(x, out):
        i = cuda.threadIdx.x
        if i < 33:
            cuda.syncthreads()
        out[i] = x[i]

    fails("others have ended", lambda: launch(compiled(partly, FLOATS, FLOATS), 1, 64, [p(x), p(out)]))

    def lost(x, out):
        i = cuda.threadIdx.x
        v = x[i]
        if i < 20:
            v = cuda.shfl_xor_sync(0xFFFFFFFF, v, 1)
        out[i] = v

    fails("for lanes that never come", lambda: launch(compiled(lost, FLOATS, FLOATS), 1, 32, [p(x), p(out)]))
    # of a warp of which only 20 lanes exist
    fails("lanes that have ended", lambda: launch(compiled(lost, FLOATS, FLOATS), 1, 20, [p(x), p(out)]))

    def outside(x, out):
        i = cuda.threadIdx.x
        v = x[i]
        if i < 20:
            v = cuda.shfl_xor_sync(0x000FFFFF, v, 16)
        out[i] = v

    fails("which is not active", lambda: launch(compiled(outside, FLOATS, FLOATS), 1, 32, [p(x), p(out)]))

    def undefined_branch(x, out):
        s = cuda.shared.array(64, np.float32)
        i = cuda.threadIdx.x
        if i == 70:
            s[i] = x[i]
        cuda.syncthreads()
        if s[i] > 0:
            out[i] = 1
            out[i + 64] = 1

    fails("undefined", lambda: launch(compiled(undefined_branch, FLOATS, FLOATS), 1, 64, [p(x), p(out)]))


TICKET = """
.version 7.0
.target sm_80
.address_size 64
.visible .entry ticket(.param .u64 data, .param .u64 counter, .param .u64 out, .param .u32 half)
{
 .reg .pred %p<9>; .reg .b32 %r<20>; .reg .b64 %rd<20>;
 ld.param.u64 %rd1, [data]; ld.param.u64 %rd2, [counter]; ld.param.u64 %rd3, [out]; ld.param.u32 %r9, [half];
 mov.u32 %r1, %ctaid.x; mov.u32 %r2, %tid.x;
 shl.b32 %r3, %r1, 5; add.s32 %r3, %r3, %r2;
 setp.ge.u32 %p1, %r1, %r9;
 @%p1 bra $wait;
 mul.wide.u32 %rd4, %r3, 4; add.s64 %rd5, %rd1, %rd4;
 st.global.u32 [%rd5], %r3;
 membar.gl; bar.sync 0;
 setp.ne.s32 %p2, %r2, 0;
 @%p2 bra $end;
 ORDER %r4, [%rd2], 1;
 bra.uni $end;
$wait:
 setp.ne.s32 %p3, %r2, 0;
 @%p3 bra $go;
$spin:
 LOAD %r5, [%rd2];
 setp.lt.u32 %p4, %r5, %r9;
 @%p4 bra $spin;
$go:
 bar.sync 0;
 sub.s32 %r6, %r1, %r9; shl.b32 %r6, %r6, 5; add.s32 %r6, %r6, %r2;
 xor.b32 %r6, %r6, 31;
 mul.wide.u32 %rd6, %r6, 4; add.s64 %rd7, %rd1, %rd6; add.s64 %rd8, %rd3, %rd6;
 ld.global.u32 %r7, [%rd7];
 st.global.u32 [%rd8], %r7;
$end:
 ret;
}
"""


def test_ticket() -> None:
    def run(order: str, load: str, **options: int) -> np.ndarray:
        program = parse(TICKET.replace("ORDER", order).replace("LOAD", load))
        data, out = MEMORY.allocate(512), MEMORY.allocate(512)
        launch(
            program,
            8,
            32,
            [p(data), p(put(np.zeros(1, "i4"))), p(out), (4).to_bytes(4, "little")],
            budget=10**6,
            **options,
        )
        return get(out, "i4", 128)

    good = "atom.add.acq_rel.gpu.global.u32", "ld.acquire.gpu.global.u32"
    for seed in range(20):
        assert (run(*good, resident=8, seed=seed) == np.arange(128)).all()
    fails("race: reads", lambda: run("atom.global.add.u32", good[1], resident=8))
    fails("race: reads", lambda: run(good[0], "ld.volatile.global.u32", resident=8))

    def in_another_order() -> None:  # in which blocks wait for some that have not begun
        for seed in range(1, 9):
            run(*good, resident=1, seed=seed)

    fails("for ever", in_another_order)


def numbers(kind: str, n: int = 4096) -> np.ndarray:
    rng = np.random.default_rng(1)
    size = int(kind[1:]) // 8
    raw = rng.integers(0, 2**64, n, np.uint64) >> rng.integers(0, 64, n).astype(np.uint64)
    raw[: n // 2] = rng.integers(0, 2**64, n // 2, np.uint64)
    values = raw.astype(f"u{size}").view({"f": "f", "u": "u", "s": "i", "b": "u"}[kind[0]] + str(size)).copy()
    if kind[0] == "f":
        values[: n // 4] = rng.normal(0, 3, n // 4)
        values[:12] = [0, -0.0, np.inf, -np.inf, np.nan, 1, -1, 0.5, 1.5, 2.5, 65504, 65519.9]
    else:
        values[:4] = [0, 1, np.iinfo(values.dtype).max, np.iinfo(values.dtype).min]
    return values


def apply(text: str, result: str, *operands: np.ndarray) -> np.ndarray:
    """One instruction, `OP d, a, b, c`, of arrays of numbers."""
    kinds = [{"f": "f", "u": "u", "i": "s"}[a.dtype.kind] + str(8 * a.itemsize) for a in operands]
    bits = [result, *kinds]
    declared = "".join(f".reg .b{max(16, int(k[1:]))} %x{i};" for i, k in enumerate(bits))
    loads = "".join(
        f"mul.wide.u32 %o, %t, {a.itemsize}; add.s64 %o, %o, %q{i + 1}; "
        f"ld.global.{'b16' if k == 'f16' else k} %x{i + 1}, [%o];"
        for i, (a, k) in enumerate(zip(operands, kinds, strict=True))
    )
    params = ", ".join(f".param .u64 p{i}" for i in range(len(bits)))
    pointers = "".join(f"ld.param.u64 %q{i}, [p{i}];" for i in range(len(bits)))
    size = int(result[1:]) // 8
    source = f""".version 7.0
.target sm_80
.address_size 64
.visible .entry one({params})
{{ .reg .b64 %q<9>; .reg .b64 %o; .reg .b32 %t; .reg .b32 %c; {declared} {pointers}
mov.u32 %t, %tid.x; mov.u32 %c, %ctaid.x; shl.b32 %c, %c, 8; add.s32 %t, %t, %c; {loads}
{text} {", ".join(f"%x{i}" for i in range(len(bits)))};
mul.wide.u32 %o, %t, {size}; add.s64 %o, %o, %q0; st.global.{"b16" if result == "f16" else result} [%o], %x0; ret; }}"""
    n = len(operands[0])
    out = MEMORY.allocate(n * size)
    launch(parse(source), n // 256, 256, [p(out), *(p(put(a)) for a in operands)], races=False)
    return get(out, {"f": "f", "u": "u", "s": "i"}[result[0]] + str(size), n)


def same(a: np.ndarray, b: np.ndarray) -> None:
    equal = (a == b) & ((np.signbit(a) == np.signbit(b)) if a.dtype.kind == "f" else True)
    if a.dtype.kind == "f":
        equal |= np.isnan(a) & np.isnan(b)
    assert a.dtype == b.dtype
    assert equal.all(), (a[~equal][:4], b[~equal][:4])


def test_numbers() -> None:
    for kind in ("f32", "f64"):
        x, y, z = numbers(kind), np.roll(numbers(kind)[::-1], 7), np.roll(numbers(kind), 99)
        for op, f in {"add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.divide}.items():
            same(apply(f"{op}.rn.{kind}", kind, x, y), f(x, y))
        same(apply(f"sqrt.rn.{kind}", kind, x), np.sqrt(x))
        same(apply(f"rcp.rn.{kind}", kind, x), 1 / x)
        same(apply(f"neg.{kind}", kind, x), -x)
        same(apply(f"abs.{kind}", kind, x), np.abs(x))
        top, low = apply(f"max.{kind}", kind, x, y), apply(f"min.{kind}", kind, x, y)
        assert (np.isnan(top) == (np.isnan(x) & np.isnan(y))).all()
        assert (top == np.fmax(x, y))[~np.isnan(top)].all()
        assert (low == np.fmin(x, y))[~np.isnan(top)].all()
        got = apply(f"fma.rn.{kind}", kind, x, y, z)
        for a, b, c, r in list(zip(x, y, z, got, strict=True))[:3000]:
            if np.isfinite([a, b, c, r]).all():
                exact, ulp = (
                    Fraction(float(a)) * Fraction(float(b)) + Fraction(float(c)),
                    abs(Fraction(float(np.spacing(r)))),
                )
                assert abs(exact - Fraction(float(r))) * 2 <= ulp, (a, b, c, r)
        tie = np.full(
            256, 1 + 2**-12, kind.replace("f32", "f4").replace("f64", "f8")
        )  # rounds twice where it is not fused
        one = apply(f"fma.rn.{kind}", kind, tie, tie, np.full_like(tie, -1))
        assert float(one[0]) == float((Fraction(1) + Fraction(1, 2**12)) ** 2 - 1)
    f32, f64, f16 = numbers("f32"), numbers("f64"), numbers("u16").view("f2")
    f32[100:400] = (np.arange(300) / 256 + 1 + 2**-11).astype("f4")  # ties
    f64[100:400] = np.arange(300) / 256 + 1 + 2**-11 + 1e-14
    same(apply("cvt.rn.f16.f32", "f16", f32), f32.astype("f2"))
    same(apply("cvt.rn.f16.f64", "f16", f64), f64.astype("f2"))
    same(apply("cvt.f32.f16", "f32", f16), f16.astype("f4"))
    same(apply("cvt.rn.f32.f64", "f32", f64), f64.astype("f4"))
    same(apply("cvt.f64.f32", "f64", f32), f32.astype("f8"))
    for kind in ("u32", "s32", "u64", "s64"):
        x = numbers(kind)
        for to in ("f32", "f64"):
            same(apply(f"cvt.rn.{to}.{kind}", to, x), x.astype(to.replace("32", "4").replace("64", "8")))
        small = np.clip(f64, -1e4, 1e4)
        small[np.isnan(small)] = 0
        if kind[0] == "s":
            same(
                apply(f"cvt.rzi.{kind}.f64", kind, small),
                np.trunc(small).astype(kind.replace("s", "i").replace("32", "4").replace("64", "8")),
            )
            same(
                apply(f"cvt.rni.{kind}.f64", kind, small),
                np.rint(small).astype(kind.replace("s", "i").replace("32", "4").replace("64", "8")),
            )
        y = np.roll(x[::-1], 5)
        y[y == 0] = 3
        if kind[0] == "s":
            y[y == -1] = 5
        shift = (np.arange(len(x)) % 70).astype("u4")
        safe = np.minimum(shift, x.itemsize * 8 - 1).astype(x.dtype)
        same(
            apply(f"div.{kind}", kind, x, y),
            np.array(
                [abs(int(a)) // abs(int(b)) * (-1 if (a < 0) != (b < 0) else 1) for a, b in zip(x, y, strict=True)],
                x.dtype,
            ),
        )
        same(apply(f"rem.{kind}", kind, x, y), np.fmod(x, y))
        same(apply(f"mul.lo.{kind}", kind, x, y), x * y)
        same(
            apply(f"shr.{kind}", kind, x, shift),
            np.where((shift < x.itemsize * 8) | (kind[0] == "s"), x >> safe, 0).astype(x.dtype),
        )
        same(apply(f"min.{kind}", kind, x, y), np.minimum(x, y))


def test_bits() -> None:
    rng = np.random.default_rng(5)
    a, b = rng.integers(0, 2**64, (2, 256), np.uint64)
    at, n = (rng.integers(0, 40, (2, 256))).astype("u4")
    ones = (np.uint64(1) << n.astype("u8")) - np.uint64(1)
    ones = ones << at.astype("u8")
    same(apply("bfi.b64", "u64", a, b, at, n), (b & ~ones) | ((a << at.astype("u8")) & ones))
    x, y, z = a.astype("u4"), b.astype("u4"), at
    both = (y.astype("u8") << np.uint64(32)) | x
    same(apply("shf.l.wrap.b32", "u32", x, y, z), ((both << (z % 32).astype("u8")) >> np.uint64(32)).astype("u4"))
    same(apply("shf.r.wrap.b32", "u32", x, y, z), (both >> (z % 32).astype("u8")).astype("u4"))
    order = rng.integers(0, 8, (256, 4))
    code = (order << np.array([0, 4, 8, 12])).sum(1).astype("u4")
    same(
        apply("prmt.b32", "u32", x, y, code),
        np.take_along_axis(both.view("u1").reshape(256, 8), order, 1).reshape(-1).view("u4"),
    )
    same(apply("popc.b32", "u32", x), np.bitwise_count(x).astype("u4"))
    same(apply("mul.wide.u32", "u64", x, y), x.astype("u8") * y)
    same(apply("mul.wide.s32", "s64", x.view("i4"), y.view("i4")), x.view("i4").astype("i8") * y.view("i4"))
    same(apply("mul.hi.u32", "u32", x, y), (x.astype("u8") * y >> np.uint64(32)).astype("u4"))
    same(
        apply("mad.lo.s32", "s32", x.view("i4"), y.view("i4"), z.view("i4")), x.view("i4") * y.view("i4") + z.view("i4")
    )


if __name__ == "__main__":
    with np.errstate(all="ignore"):
        for name, test in list(globals().items()):
            if name.startswith("test_"):
                test()
                print(name, "passed")
