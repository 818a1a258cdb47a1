"""What the machine code of device kernels needs and how many bytes it keeps in flight."""

import dataclasses
import pathlib
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile

WARP = 32
# Per SM, of compute capability 8.0 and 9.0 alike: CUDA C++ Programming Guide, "Compute
# Capabilities", table "Technical Specifications per Compute Capability".
SM_WARPS, SM_BLOCKS, SM_REGISTERS = 64, 32, 65536
# Registers are given to warps by so many at a time, warps to an SM by one for each of its four
# schedulers: CUDA's occupancy calculator.
REGISTER_UNIT, SCHEDULERS = 256, 4
# Shared memory of an SM, and what the system takes of it for each block.
SM_SHARED, SYSTEM_SHARED = {80: 164 << 10, 90: 228 << 10}, 1 << 10


def find_tool(name):
    """A CUDA toolkit's, or that of NVIDIA's packages; None if there is none."""
    folder = pathlib.Path(sysconfig.get_path("purelib")) / "nvidia"
    packaged = sorted(folder.glob(f"cu*/bin/{name}"))
    return shutil.which(name) or (str(packaged[-1]) if packaged else None)


def require(*names):
    for name in names:
        if not find_tool(name):
            sys.exit(f"{name} is missing: it comes with a CUDA toolkit or with `make setup`")


def run(command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr}")
    return done.stdout + done.stderr


@dataclasses.dataclass
class Kernel:
    """A kernel as the assembler left it; bytes of memory, and of loads in flight per thread."""

    name: str
    gpu: int
    threads: int
    registers: int
    stack: int
    spills: int
    shared: int
    instructions: int = 0  # Of the main loop.
    gathered: int = 0  # Bytes whose address was loaded before, at most at one time.
    streamed: int = 0  # The others, at that time.

    @property
    def blocks(self):
        """Blocks that are resident on an SM."""
        warps = self.threads // WARP
        unit = -(-self.registers * WARP // REGISTER_UNIT) * REGISTER_UNIT
        by_registers = SM_REGISTERS // SCHEDULERS // unit * SCHEDULERS // warps
        by_shared = SM_SHARED[self.gpu] // (self.shared + SYSTEM_SHARED)
        return min(SM_BLOCKS, SM_WARPS // warps, by_registers, by_shared)

    @property
    def warps(self):
        return self.blocks * self.threads // WARP


def assemble(ptx, gpu):
    """The kernels of a PTX module, by name; the machine code is analysed if nvdisasm is there."""
    threads = {
        name: int(count)
        for name, count in re.findall(r"\.entry (\w+)\([^)]*\)\s*\.maxntid (\d+)", ptx)
    }
    with tempfile.TemporaryDirectory() as folder:
        source, binary = f"{folder}/kernels.ptx", f"{folder}/kernels.cubin"
        pathlib.Path(source).write_text(ptx)
        report = run([find_tool("ptxas"), "-v", f"-arch=sm_{gpu}", "-o", binary, source])
        disassembler = find_tool("nvdisasm")
        code = run([disassembler, "-c", binary]) if disassembler else ""
    kernels = {}
    for name, text in re.findall(r"entry function '(\w+)'(.*?)Compile time", report, re.DOTALL):
        memory = re.search(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+)", text)
        stack, stores, loads = map(int, memory.groups())
        shared = re.search(r"(\d+) bytes smem", text)
        registers = int(re.search(r"Used (\d+) registers", text)[1])
        kernels[name] = Kernel(
            name,
            gpu,
            threads[name],
            registers,
            stack,
            stores + loads,
            int(shared[1]) if shared else 0,
        )
    for name, body in re.findall(r"\.text\.(\w+):\n(.*?)(?=\n\t\.section|\Z)", code, re.DOTALL):
        analyse(kernels[name], body)
    return kernels


def _numbers(text):
    found = set()
    for number, wide in re.findall(r"\bR(\d+)(\.64)?", text):
        found |= {int(number), int(number) + 1} if wide else {int(number)}
    return found


@dataclasses.dataclass
class _Instruction:
    text: str  # Without predicate and address.
    load: int = 0  # Bytes of global memory that it loads.
    target: str = ""  # The label that it jumps to.

    @property
    def registers(self):
        """Numbers of the general registers that it names."""
        return _numbers(self.text)

    @property
    def inputs(self):
        return _numbers(self.text.partition(",")[2] if self.written else self.text)

    @property
    def written(self):
        match = re.match(r"([A-Z0-9.]+) R(\d+)", self.text)
        if not match or match[1].startswith(("ST", "RED", "BRA")):
            return set()
        wide = any(word in match[1] for word in (".WIDE", ".64", "CS2R", "DFMA", "DADD", "DMUL"))
        count = max(self.load // 4, 2 if wide else 1)
        return set(range(int(match[2]), int(match[2]) + count))

    @property
    def address(self):
        match = re.search(r"\[R(\d+)", self.text)
        return {int(match[1]), int(match[1]) + 1} if match else set()


def _parse(body):
    """Instructions in order, and where labels stand."""
    instructions, labels = [], {}
    for line in body.splitlines():
        label = re.match(r"(\.L_\w+):", line)
        if label:
            labels[label[1]] = len(instructions)
        code = re.match(r"\s*/\*[0-9a-f]{4,}\*/\s+(?:@!?U?P\d+ +)?([^;]*);", line)
        if not code:
            continue
        text = code[1].strip()
        load = 0
        if text.startswith("LDG"):
            width = re.search(r"\.(128|64|U16|S16|U8|S8)\b", text.split()[0])
            load = {"128": 16, "64": 8, "U16": 2, "S16": 2, "U8": 1, "S8": 1}.get(
                width[1] if width else "", 4
            )
        target = re.search(r"^BRA.*\((\.L_\w+)\)", text)
        instructions.append(_Instruction(text, load, target[1] if target else ""))
    return instructions, labels


def _main_loop(instructions, labels):
    """Of the innermost loops the one that loads most; everything where none loads."""
    loops = [
        (labels[each.target], i + 1)
        for i, each in enumerate(instructions)
        if each.target and labels[each.target] <= i
    ]
    innermost = [
        (begin, end)
        for begin, end in loops
        if not any((b, e) != (begin, end) and begin <= b and e <= end for b, e in loops)
    ]
    bodies = [instructions[begin:end] for begin, end in innermost]
    best = max(bodies, key=lambda body: sum(each.load for each in body), default=[])
    return best if any(each.load for each in best) else instructions


def _propagate(each, loaded):
    """Adds the registers that now hold what was computed from loads, and drops the others."""
    if each.load or each.inputs & loaded:
        loaded |= each.written
    else:
        loaded -= each.written


def analyse(kernel, body):
    loop = _main_loop(*_parse(body))
    kernel.instructions = len(loop)
    loaded = set()
    for each in loop:  # An iteration may use what the one before has loaded.
        _propagate(each, loaded)
    waiting = []  # Loads not used yet: registers, bytes, whether their address was loaded.
    for each in loop:
        waiting = [w for w in waiting if not w[0] & each.registers]
        if each.load:
            waiting.append((each.written, each.load, bool(each.address & loaded)))
        _propagate(each, loaded)
        gathered = sum(size for _, size, depends in waiting if depends)
        streamed = sum(size for _, size, depends in waiting if not depends)
        if (gathered, streamed) > (kernel.gathered, kernel.streamed):
            kernel.gathered, kernel.streamed = gathered, streamed
