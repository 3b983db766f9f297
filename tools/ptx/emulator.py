"""An emulator of PTX, as numba-cuda generates it: text is parsed here, and ptxemu.c executes it.

Threads run in warps of 32 lanes. Of a warp, those lanes that are furthest behind (least program counter) go on
together.
An `EmulationError` is raised for

    an access outside of what was allocated, freed memory too, or not at a multiple of its whole size
    what is computed from undefined registers or memory and decides about a branch, an address or a shuffle's lanes, or
    gets to the host (as MemorySanitizer does it, so that a number that is not used does no harm)
    shuffles and votes that name or read lanes that are not there, and barriers that a part of a block reaches, or that
    warps reach at different places
    races: accesses to one byte of global or shared memory of which one is a write, and nothing orders them: neither the
    thread, nor a barrier, nor a release and an acquire (only acq_rel atomics and acquiring loads count as these)
    blocks that wait for ever, with few of them resident at a time, in any order
"""

from __future__ import annotations

import ctypes
import os
import re
import struct
import subprocess
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

HERE = Path(__file__).parent
#: Where the compiled emulator and the PTX are kept; the folder of this file may be read-only.
KEPT = Path(os.environ.get("PTX_KEPT", Path(tempfile.gettempdir()) / "fastact-ptx"))
KEPT.mkdir(parents=True, exist_ok=True)
NONE = -(2**31)
WINDOW = 36


class EmulationError(Exception):
    """What a real GPU would do wrong, or what this emulator cannot do."""


class Ins(ctypes.Structure):
    _fields_ = [
        *[(name, ctypes.c_int32) for name in ("op", "guard", "negated", "aux", "n", "size", "width", "space")],
        ("target", ctypes.c_int32), ("pad", ctypes.c_int32),
        ("d", ctypes.c_int32 * 4), ("s", ctypes.c_int32 * 6), ("imm", ctypes.c_int64),
    ]  # fmt: skip


class Alloc(ctypes.Structure):
    _fields_ = [
        ("data", ctypes.c_void_p),
        ("shadow", ctypes.c_void_p),
        ("size", ctypes.c_int64),
        ("race", ctypes.c_void_p),
    ]


class Stats(ctypes.Structure):
    _fields_ = [(name, ctypes.c_int64) for name in (
        "warp_instructions", "thread_instructions", "loads", "stores", "load_sectors", "store_sectors", "load_bytes",
        "store_bytes", "shared_accesses", "bank_conflicts", "shuffles", "barriers", "divergent_branches",
        "split_shuffles", "split_barriers", "spins",
    )]  # fmt: skip

    def as_dict(self) -> dict[str, int]:
        return {name: getattr(self, name) for name, _ in self._fields_}


class Kernel(ctypes.Structure):
    _fields_ = [
        ("code", ctypes.POINTER(Ins)), ("n_code", ctypes.c_int32), ("n_regs", ctypes.c_int32),
        ("consts", ctypes.c_void_p), ("params", ctypes.c_void_p), ("n_params_bytes", ctypes.c_int32),
        ("special", ctypes.c_int32 * 8), ("n_shared", ctypes.c_int32), ("shared_sizes", ctypes.c_void_p),
        ("allocs", ctypes.POINTER(Alloc)), ("n_allocs", ctypes.c_int32),
        *[(name, ctypes.c_int32) for name in ["grid", "block", "resident", "seed", "races", "clocks", "first"]],
        ("budget", ctypes.c_int64), ("stats", Stats),
        ("error_pc", ctypes.c_int32), ("error_block", ctypes.c_int32), ("error_thread", ctypes.c_int32),
        ("error", ctypes.c_char * 240), ("hits", ctypes.c_void_p),
    ]  # fmt: skip


def _library() -> Any:
    source, binary = HERE / "ptxemu.c", KEPT / "libptxemu.so"
    if not binary.exists() or binary.stat().st_mtime < source.stat().st_mtime:
        flags = ["-O2", "-ftree-vectorize", "-march=native", "-ffp-contract=off", "-fno-strict-aliasing"]
        new = binary.with_suffix(f".{os.getpid()}")
        subprocess.run(["gcc", *flags, "-shared", "-fPIC", "-o", new, source, "-lm"], check=True)
        new.replace(binary)
    return ctypes.CDLL(str(binary))


LIBRARY = _library()

# --- memory -----------------------------------------------------------------------------------------------------------


class Memory:
    """Allocations of a GPU, each at a multiple of 2**36, and which of their bytes are defined."""

    def __init__(self, most: int = 1 << 16) -> None:
        self.table = (Alloc * most)()
        self.used, self.most = 1, most
        self.data: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    def allocate(self, size: int) -> int:
        if self.used == self.most:
            raise EmulationError("too many allocations")
        data, shadow = np.zeros(max(size, 1), np.uint8), np.zeros(max(size, 1), np.uint8)
        if size < 1 << 28:
            data[:] = 0xA5
        entry = self.table[self.used]
        entry.data, entry.shadow, entry.size = data.ctypes.data, shadow.ctypes.data, size
        self.data[self.used] = data, shadow
        self.used += 1
        return (self.used - 1) << WINDOW

    def free(self, address: int) -> None:
        entry = self.table[address >> WINDOW]
        entry.data = entry.shadow = None
        self.data.pop(address >> WINDOW, None)

    def bytes_of(self, address: int) -> tuple[np.ndarray, np.ndarray, int]:
        """The bytes and what is defined of the allocation, and where in it the address is."""
        data, shadow = self.data[address >> WINDOW]
        return data, shadow, address & ((1 << WINDOW) - 1)


MEMORY = Memory()

# --- PTX --------------------------------------------------------------------------------------------------------------

TYPES = ["u8", "u16", "u32", "u64", "s8", "s16", "s32", "s64", "f16", "f32", "f64", "bf16"]
SIZES = {name: int(re.sub(r"\D", "", name)) // 8 for name in [*TYPES, "b8", "b16", "b32", "b64"]}
SPECIAL = ["%tid.x", "%ctaid.x", "%ntid.x", "%nctaid.x", "%laneid", "%warpid"]
COMPARISONS = {
    "eq": 0,
    "ne": 1,
    "lt": 2,
    "le": 3,
    "gt": 4,
    "ge": 5,
    "lo": 2,
    "ls": 3,
    "hi": 4,
    "hs": 5,
    "num": 6,
    "nan": 7,
}
ROUNDINGS = {"rn": 0, "rz": 1, "rm": 2, "rp": 3, "rni": 4, "rzi": 5, "rmi": 6, "rpi": 7}
SPACES = {"global": 0, "shared": 1, "param": 3}
ATOMICS = ["add", "min", "max", "exch", "cas", "and", "or", "xor"]


class Program(NamedTuple):
    name: str
    code: Any  # an array of Ins
    texts: list[str]
    n_regs: int
    consts: np.ndarray
    params: list[tuple[int, int]]  # offset and size of each
    special: list[int]
    shared: np.ndarray
    block: int | None
    clocks: bool


class _Parser:
    def __init__(self, text: str, exact: bool) -> None:
        self.exact = exact  # whether what the driver may contract is an error
        self.text = re.sub(r"//[^\n]*", "", text)
        self.registers: dict[str, tuple[int, int]] = {}  # slot and width
        self.prefixes: dict[str, int] = {}
        self.scopes: list[dict[str, str]] = []
        self.constants: dict[tuple[int, int], int] = {}
        self.code: list[Ins] = []
        self.texts: list[str] = []
        self.labels: dict[str, int] = {}
        self.jumps: list[tuple[int, str]] = []
        self.symbols: dict[str, int] = {}
        self.shared: list[int] = []
        self.params: dict[str, tuple[int, int]] = {}
        self.clocks = False

    def parse(self) -> Program:
        for name, size in re.findall(r"\.shared\s+\.align\s+\d+\s+\.b8\s+([\w$]+)\[(\d+)\]", self.text):
            self.shared.append(int(size))
            self.symbols[name] = len(self.shared) << 20
        found = re.search(r"\.entry\s+([\w$]+)\s*\((.*?)\)\s*(.*?)\{(.*)\}", self.text, re.S)
        if found is None or ".func" in self.text or ".local" in self.text:
            raise EmulationError("an entry without functions and local memory is wanted")
        name, params, directives, body = found.groups()
        offset = 0
        for kind, param in re.findall(
            r"\.param\s+\.(\w+)(?:\s+\.ptr(?:\s+\.(?:global|shared))?(?:\s+\.align\s+\d+)?)?\s+([\w$]+)", params
        ):
            size = SIZES[kind]
            offset = -(-offset // size) * size
            self.params[param] = offset, size
            offset += size
        for statement in self.statements(body):
            self.statement(statement)
        for at, label in self.jumps:
            self.code[at].target = self.labels[label]
        self.add("ret", text="(end)")
        block = re.search(r"\.maxntid\s+(\d+)", directives)
        consts = np.zeros((len(self.constants) + 1, 256), np.uint8)
        for (value, width), slot in self.constants.items():
            if width:
                consts[~slot] = np.tile(np.frombuffer(struct.pack("<Q", value)[:width], np.uint8), 256 // width)
            else:
                consts[~slot] = 255 if value else 0
        special = [self.registers[each][0] if each in self.registers else NONE for each in SPECIAL]
        return Program(
            name, (Ins * len(self.code))(*self.code), self.texts, len(self.registers) + 1, consts,
            list(self.params.values()), special, np.array(self.shared, np.int64), int(block[1]) if block else None,
            self.clocks,
        )  # fmt: skip

    @staticmethod
    def statements(body: str) -> Any:
        """Statements and labels; braces that open or close a scope on their own."""
        for part in re.split(r";", body):
            part = part.strip()
            while part:
                if part[0] in "{}":
                    yield part[0]
                    part = part[1:].strip()
                elif label := re.match(r"([\w$]+):(?!:)", part):
                    yield label[0]
                    part = part[label.end() :].strip()
                else:
                    yield part
                    break

    # --- operands

    def register(self, name: str) -> tuple[int, int]:
        for scope in reversed(self.scopes):
            if name in scope:
                name = scope[name]
                break
        if name not in self.registers:
            width = 4 if name in SPECIAL else self.prefixes.get(name, self.prefixes.get(re.sub(r"\d+$", "", name)))
            if width is None:
                raise EmulationError(f"no register {name}")
            self.registers[name] = len(self.registers), width
        return self.registers[name]

    def constant(self, value: int, width: int) -> int:
        value &= (1 << 8 * width) - 1 if width else 1
        return self.constants.setdefault((value, width), ~len(self.constants))

    def operand(self, text: str, width: int) -> int:
        """The slot of a register or of a number of this width."""
        if text == "_":
            return NONE
        if text in self.symbols:
            return self.constant(self.symbols[text], width)
        if text[0] == "%" or any(text in scope for scope in self.scopes):
            slot, own = self.register(text)
            if own < width:
                raise EmulationError(f"register {text} is narrower than {width} bytes")
            if own > width and width:
                self.narrowed = True
            return slot
        if found := re.fullmatch(r"0[fFdD]([0-9a-fA-F]+)", text):
            return self.constant(int(found[1], 16), width)
        return self.constant(int(text, 0), width)

    def address(self, text: str) -> tuple[int, int]:
        """The slot of the base and the offset."""
        found = re.fullmatch(r"\[\s*([%\w$.]+)\s*(?:\+\s*(-?\w+))?\s*\]", text)
        if not found:
            raise EmulationError(f"address {text}")
        return self.operand(found[1], 8), int(found[2] or "0", 0)

    # --- instructions

    def add(self, name: str, d: Any = (), s: Any = (), text: str = "", **fields: int) -> Ins:
        op = LIBRARY.operation(name.encode())
        if op < 0:
            raise EmulationError(f"not implemented: {name} of {text}")
        ins = Ins(op=op, guard=NONE, n=1, **fields)
        ins.d[:] = [*d, *[NONE] * (4 - len(d))]
        ins.s[:] = [*s, *[NONE] * (6 - len(s))]
        self.code.append(ins)
        self.texts.append(text)
        return ins

    def statement(self, text: str) -> None:
        if text == "{":
            self.scopes.append({})
        elif text == "}":
            self.scopes.pop()
        elif text.endswith(":"):
            self.labels[text[:-1]] = len(self.code)
        elif found := re.match(r"\.reg\s+\.(\w+)\s+(.*)", text, re.S):
            width = 0 if found[1] == "pred" else SIZES[found[1]]
            for name in re.split(r"\s*,\s*", found[2].strip()):
                if many := re.fullmatch(r"(.*)<(\d+)>", name):
                    self.prefixes[many[1]] = width
                else:
                    unique = f"{name}@{len(self.registers)}" if self.scopes else name
                    self.prefixes[unique] = width
                    if self.scopes:
                        self.scopes[-1][name] = unique
        elif not text.startswith("."):
            self.instruction(" ".join(text.split()))
        elif not text.startswith((".pragma", ".loc")):
            raise EmulationError(f"directive {text}")

    def instruction(self, text: str) -> None:
        whole, guard, negated = text, NONE, 0
        if found := re.match(r"@(!?)(%\w+)\s+", text):
            guard, negated, text = self.register(found[2])[0], bool(found[1]), text[found.end() :]
        mnemonic, _, rest = text.partition(" ")
        operands = (
            [each.strip() for each in re.findall(r"(?:\{[^}]*\}|\[[^\]]*\]|[^,{\[])+", rest)] if rest.strip() else []
        )
        start, self.narrowed = len(self.code), False
        self.translate(mnemonic, mnemonic.split("."), operands, whole)
        for ins in self.code[start:]:
            ins.guard, ins.negated = guard, negated

    def translate(self, mnemonic: str, parts: list[str], operands: list[str], text: str) -> None:
        head, kind = parts[0], parts[-1]
        size = SIZES.get(kind, 0)
        get = self.operand

        def emit(name: str, *widths: int, **fields: int) -> None:
            slots = [get(each, width) for each, width in zip(operands, widths, strict=True)]
            if self.narrowed:
                raise EmulationError(f"a register is wider than its use: {text}")
            self.add(name, slots[:1], slots[1:], text, **fields)

        if head in ("ld", "st", "ldu"):
            return self.access(head, parts, operands, text)
        if head in ("atom", "red"):
            return self.atomic(head, parts, operands, text)
        if head in ("bra", "ret", "exit"):
            self.add("bra" if head == "bra" else "ret", text=text)
            if head == "bra":
                self.jumps.append((len(self.code) - 1, operands[0]))
            return None
        if head in ("membar", "fence"):
            self.add("fence", text=text)
            return None
        if head in ("bar", "barrier"):
            return self.barrier(parts, operands, text)
        if head == "shfl":
            data, p = operands[0].split("|") if "|" in operands[0] else (operands[0], "_")
            s = [get(each, 4) for each in operands[1:]]
            self.add(
                "shfl",
                [get(data, 4), NONE if p == "_" else get(p, 0)],
                s,
                text,
                aux=["up", "down", "bfly", "idx"].index(parts[2]),
            )
            return None
        if head == "vote":
            how = ["all", "any", "ballot"].index(parts[2])
            source = operands[1].lstrip("!")
            s = [get(source, 0), get(operands[2], 4)]
            self.add("vote", [get(operands[0], 4 if how == 2 else 0)], s, text, aux=how | 4 * (operands[1][0] == "!"))
            return None
        if head == "activemask":
            return emit("activemask", 4)
        if head == "cvta":
            name = {"cvta.to.shared": "cvta_to_shared", "cvta.shared": "cvta_shared"}.get(
                mnemonic.rpartition(".")[0], "mov_64"
            )
            return emit(name, 8, 8)
        if head == "mov" and operands[1][0] == "{":
            each = [e.strip() for e in operands[1].strip("{}").split(",")]
            ins = self.add(
                "pack",
                [get(operands[0], size)],
                [get(e, size // len(each)) for e in each],
                text,
                size=size // len(each),
                width=size,
            )
            ins.n = len(each)
            return None
        if head == "mov" and operands[0][0] == "{":
            each = [e.strip() for e in operands[0].strip("{}").split(",")]
            ins = self.add(
                "unpack",
                [get(e, size // len(each)) for e in each],
                [get(operands[1], size)],
                text,
                size=size // len(each),
                width=size,
            )
            ins.n = len(each)
            return None
        if kind == "pred":
            return emit(f"{head}_pred", *[0] * len(operands))
        if head == "mov":
            return emit(f"mov_{8 * size}", size, size)
        if head == "cvt":
            return self.conversion(parts, operands, text)
        if head == "setp":
            comparison = parts[1]
            code = (
                COMPARISONS[comparison] if comparison in COMPARISONS else COMPARISONS[comparison.removesuffix("u")] | 8
            )
            logic = {"and": 1, "or": 2, "xor": 3}.get(parts[2], 0)
            if "|" in operands[0] or (len(operands) > 3 and operands[3][0] == "!"):
                raise EmulationError(text)
            of = {"b16": "u16", "b32": "u32", "b64": "u64"}.get(kind, kind)
            return emit(f"setp_{of}", 0, size, size, *[0] * (len(operands) - 3), aux=code | logic << 4)
        if head == "selp":
            return emit(f"selp_{8 * size}", size, size, size, 0)
        if head in ("shl", "shr"):
            name = f"shl_{8 * size}" if head == "shl" else f"shr_{'s' if kind[0] == 's' else 'u'}{8 * size}"
            return emit(name, size, size, 4)
        if head == "shf":
            return emit(f"shf_{parts[1]}_{parts[2]}", 4, 4, 4, 4)
        if head in ("bfi", "bfe"):
            name = f"bfi_{8 * size}" if head == "bfi" else f"bfe_{kind}"
            return emit(name, size, size, *([size] if head == "bfi" else []), 4, 4)
        if head == "prmt":
            return emit("prmt_32", 4, 4, 4, 4)
        if head in ("popc", "clz"):
            return emit(f"{head}_{8 * size}", 4, size)
        if head in ("mul", "mad") and parts[1] in ("lo", "hi", "wide"):
            wide = 2 * size if parts[1] == "wide" else size
            name = f"{head}_lo_{8 * size}" if parts[1] == "lo" else f"{head}_{parts[1]}_{kind}"
            return emit(name, wide, size, size, *([wide] if head == "mad" else []))
        if kind[0] == "f":
            modifiers = parts[1:-1]
            if parts == ["rcp", "approx", "ftz", "f64"]:
                return emit("rcp_approx_f64", 8, 8)
            if parts == ["ex2", "approx", "f32"]:
                return emit("ex2_approx_f32", 4, 4)
            if set(modifiers) - set(ROUNDINGS):
                raise EmulationError(f"not implemented: {text}")
            mode = ROUNDINGS[modifiers[0]] if modifiers else 0
            if self.exact and head in ("add", "sub", "mul", "div", "fma") and not modifiers:
                raise EmulationError(f"the driver may contract {text}")
            return emit(f"{head}_round_{kind}" if mode else f"{head}_{kind}", *[size] * len(operands), aux=mode)
        signed = head in ("div", "rem", "min", "max", "neg", "abs")
        return emit(f"{head}_{kind}" if signed else f"{head}_{8 * size}", *[size] * len(operands))

    def conversion(self, parts: list[str], operands: list[str], text: str) -> None:
        to, of = parts[-2], parts[-1]
        if set(parts[1:-2]) - set(ROUNDINGS) - {"sat"}:
            raise EmulationError(f"not implemented: {text}")
        modes = [ROUNDINGS[each] for each in parts if each in ROUNDINGS]
        d = self.register(operands[0])
        source = (
            self.register(operands[1])
            if operands[1][0] == "%"
            else (self.operand(operands[1], max(2, SIZES[of])), max(2, SIZES[of]))
        )
        aux = TYPES.index(to) | TYPES.index(of) << 4 | (modes[0] if modes else 0) << 8 | ("sat" in parts) << 12
        self.add("cvt", [d[0]], [source[0]], text, aux=aux, size=source[1], width=d[1])

    def access(self, head: str, parts: list[str], operands: list[str], text: str) -> None:
        kind = parts[-1]
        known = {
            "global",
            "shared",
            "param",
            "const",
            "v2",
            "v4",
            "volatile",
            "relaxed",
            "acquire",
            "release",
            "gpu",
            "sys",
            "cta",
            "weak",
            "nc",
        }
        if set(parts[1:-1]) - known:
            raise EmulationError(f"not implemented: {text}")
        space = next((SPACES[each] for each in parts if each in SPACES), 2)
        data, address = (operands[0], operands[1]) if head != "st" else (operands[1], operands[0])
        names = [each.strip() for each in data.strip("{}").split(",")]
        wanted = {"v2": 2, "v4": 4}.get(next((each for each in parts if each in ("v2", "v4")), ""), 1)
        if len(names) != wanted:
            raise EmulationError(text)
        width = max(2, SIZES[kind])
        if names[0][0] == "%":
            width = self.register(names[0])[1]
        slots = [self.operand(name, width) for name in names]
        fields: dict[str, int] = {"size": SIZES[kind], "width": width, "space": space, "aux": kind[0] == "s"}
        if width < SIZES[kind]:
            raise EmulationError(f"a register is too narrow: {text}")
        if "acquire" in parts:
            fields["aux"] |= 2
            self.clocks = True
        if space == 3:
            name = re.match(r"\[\s*([\w$]+)\s*(?:\+\s*(\d+))?\s*\]", address)
            offset, size = self.params[name[1]]
            if int(name[2] or 0) + wanted * SIZES[kind] > size:
                raise EmulationError(f"outside of the parameter: {text}")
            ins = self.add("ld_param", slots, (), text, imm=offset + int(name[2] or 0), **fields)
        else:
            base, offset = self.address(address)
            ins = self.add(
                head if head != "ldu" else "ld",
                slots if head != "st" else (),
                [base, *(slots if head == "st" else ())],
                text,
                imm=offset,
                **fields,
            )
        ins.n = wanted

    def atomic(self, head: str, parts: list[str], operands: list[str], text: str) -> None:
        kind = parts[-1]
        op = next(ATOMICS.index(each) for each in parts if each in ATOMICS)
        of = TYPES.index({"b32": "u32", "b64": "u64"}.get(kind, kind))
        ordered = "acq_rel" in parts
        self.clocks |= ordered
        size, d = SIZES[kind], []
        if head == "atom":
            d, operands = [self.operand(operands[0], size)], operands[1:]
        base, offset = self.address(operands[0])
        s = [base, *(self.operand(each, size) for each in operands[1:])]
        space = next((SPACES[each] for each in parts if each in SPACES), 2)
        self.add("atom", d, s, text, aux=op | of << 4 | ordered << 8, size=size, width=size, space=space, imm=offset)

    def barrier(self, parts: list[str], operands: list[str], text: str) -> None:
        if parts[:3] == ["bar", "warp", "sync"]:
            self.add("warpsync", (), [self.operand(operands[0], 4)], text)
        elif "red" in parts:
            how = 1 if "or" in parts else 2
            if "popc" in parts or operands[1] != "0" or len(operands) != 3:
                raise EmulationError(f"not implemented: {text}")
            negated = operands[2][0] == "!"
            self.add(
                "bar",
                [self.operand(operands[0], 0)],
                [self.operand(operands[2].lstrip("!"), 0)],
                text,
                aux=how | 4 * negated,
            )
        elif "sync" in parts and operands == ["0"]:
            self.add("bar", text=text)
        else:
            raise EmulationError(f"not implemented: {text}")


def parse(text: str, exact: bool = True) -> Program:
    return _Parser(text, exact).parse()


# --- running ----------------------------------------------------------------------------------------------------------


def launch(
    program: Program, grid: int, block: int, arguments: list[bytes], memory: Memory = MEMORY, *, resident: int = 4,
    seed: int = 0, races: bool = True, budget: int = 2 * 10**9, first: int = 0,
) -> tuple[dict[str, int], np.ndarray]:  # fmt: skip
    """Run a kernel with these parameters; what it did, and how often warps executed each instruction.

    `resident` blocks take turns, which begin in order or, with a seed, in any; without those before the `first`.
    """
    if len(arguments) != len(program.params):
        raise EmulationError(f"{len(arguments)} arguments for {len(program.params)} parameters")
    params = bytearray(sum(program.params[-1]) if program.params else 1)
    for (offset, size), value in zip(program.params, arguments, strict=True):
        if len(value) != size:
            raise EmulationError(f"an argument of {len(value)} bytes for a parameter of {size}")
        params[offset : offset + size] = value
    if program.block is not None and block > program.block:
        raise EmulationError(f"a block of {block} threads, of at most {program.block}")
    if not 1 <= block <= 1024 or not 1 <= grid < 2**31:
        raise EmulationError(f"a grid of {grid} blocks of {block} threads")
    if program.shared.sum() > 48 << 10:
        raise EmulationError(f"{program.shared.sum()} bytes of shared memory")
    buffer, hits = np.frombuffer(params, np.uint8), np.zeros(len(program.code), np.uint64)
    kernel = Kernel(
        code=program.code, n_code=len(program.code), n_regs=program.n_regs, consts=program.consts.ctypes.data,
        params=buffer.ctypes.data, n_params_bytes=len(params),
        special=(ctypes.c_int32 * 8)(*program.special, NONE, NONE),
        n_shared=len(program.shared), shared_sizes=program.shared.ctypes.data, allocs=memory.table,
        n_allocs=memory.used, grid=grid, block=block, resident=resident, seed=seed, races=races,
        clocks=program.clocks, budget=budget, first=first, hits=hits.ctypes.data,
    )  # fmt: skip
    if not LIBRARY.launch(ctypes.byref(kernel)):
        at = kernel.error_pc
        around = "\n".join(
            f"{'>' if i == at else ' '} {program.texts[i]}"
            for i in range(max(0, at - 6), min(len(program.texts), at + 3))
        )
        where = f"block {kernel.error_block}, thread {kernel.error_thread} of {program.name[:80]}"
        raise EmulationError(f"{kernel.error.decode()}: {where}\n{around}")
    return kernel.stats.as_dict(), hits
