"""Compiles the spine for NVIDIA GPUs, assembles it, and says what its kernels need: GPU.md.

No GPU takes part. Fails if a kernel spills.
"""

import argparse
import concurrent.futures
import dataclasses
import functools
import itertools
import pathlib
import re
import subprocess
import sys

import device_code
from report import table

CHECKOUT = pathlib.Path(__file__).resolve().parents[1]
PROGRAMS = CHECKOUT / "lib" / "Programs"
GPUS = (80, 90)
WIDTHS = (1, 2, 4, 8, 16, 32, 64, 100, 128, 256, 0)  # 0: not known to the compiler.
FEW_WIDTHS = (1, 32, 100, 0)
LATENCY = 700e-9  # Seconds that a busy memory takes to answer: assumed, not measured.
SIZES = {"f32": 4, "f64": 8}
GRADIENTS = {"spmm": ("spmm", "spmm/vjp0", "spmm/vjp1"), "softmax": ("softmax", "softmax/vjp0")}
SECOND = {
    "spmm": ("spmm/vjp0/vjp1", "spmm/vjp0/vjp2", "spmm/vjp1/vjp0", "spmm/vjp1/vjp2"),
    "softmax": ("softmax/vjp0/vjp0", "softmax/vjp0/vjp2"),
}


@dataclasses.dataclass(frozen=True)
class Memory:
    """Of a GPU that is asked to use all of its bandwidth."""

    gpu: str
    sms: int
    bandwidth: float  # Bytes per second, by the data sheet.
    tuned: int  # Bytes in flight per SM that NVIDIA's CUB aims at.

    @property
    def least(self):
        """Little's law: what is under way is rate times duration; bytes per SM."""
        return self.bandwidth * LATENCY / self.sms


MEMORY = {
    80: Memory("A100 SXM 80 GB", 108, 2.039e12, 16 << 10),
    90: Memory("H100 SXM", 132, 3.35e12, 32 << 10),
}


@dataclasses.dataclass(frozen=True)
class Case:
    """A program and what it is specialised to."""

    path: str
    value: str
    index: int = 32
    width: int = 0
    alignment: int = 16

    @property
    def label(self):
        width = f", p = {self.width or 'any'}" if self.path.startswith("spmm") else ""
        return f"{self.path}, {self.value}, i{self.index}{width}, {self.alignment} bytes"

    def passes(self, opt):
        fixed = [self.width if free else 0 for free in _free_sizes(opt, self.path)]
        return [
            *_derivations(self.path),
            f"--tsgu-lower-to-kernels=value={self.value} index={self.index} "
            f"derived-index={self.index} widths={','.join(map(str, fixed))}",
            f"--tsgu-to-gpu=alignment={self.alignment}",
        ]


def _source(path):
    return (PROGRAMS / f"{path.split('/')[0]}.mlir").read_text()


def _derivations(path):
    return [
        "--tsgu-batch" if derivation == "batch" else f"--tsgu-differentiate=wrt={derivation[3:]}"
        for derivation in path.split("/")[1:]
    ]


def _run(opt, arguments, text):
    done = subprocess.run([opt, *arguments], input=text, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join([str(opt), *arguments])} failed:\n{done.stderr}")
    return done.stdout


@functools.cache
def _free_sizes(opt, path):
    """For each size of a program whether it is none of a pattern: the widths of dense rows."""
    module = _run(opt, [*_derivations(path), "--tsgu-lower-to-kernels"], _source(path))
    patterns = re.search(r"patterns = \[(.*?)\], program", module)[1]
    shapes = re.findall(r"shape = array<i32: ([\d, ]+)>", patterns)
    taken = {int(symbol) for shape in shapes for symbol in shape.split(",")}
    count = len(re.findall(r'name = "s\d+"', re.search(r"symbols = .*", module)[0]))
    return [symbol not in taken for symbol in range(count)]


@dataclasses.dataclass
class Row:
    """A kernel of a case."""

    label: str
    kernel: device_code.Kernel
    lanes: int = 1  # That share a row of B and read its entry together.

    @property
    def in_flight(self):
        """Bytes per SM that loads of the main loop have asked for, at most at one time."""
        k = self.kernel
        shared = self.lanes if k.gathered else 1
        return k.warps * device_code.WARP * (k.gathered + k.streamed / shared)


def alignments(value, width):
    """To which rows of that width may be aligned: launch finds the largest that holds."""
    size = SIZES[value]
    return [a for a in (16, 8, 4) if a >= size and width * size % a == 0]


def cases():
    """Everything for products and their gradients; beyond that each program in some forms."""
    for path, value, index, width in itertools.product(GRADIENTS["spmm"], SIZES, (32, 64), WIDTHS):
        for alignment in alignments(value, width):
            yield Case(path, value, index, width, alignment)
    for path, value in itertools.product(GRADIENTS["softmax"], SIZES):
        yield Case(path, value)
        yield Case(path, value, 64)
    for name, value in itertools.product(SECOND, SIZES):
        batched = [p.replace(name, f"{name}/batch", 1) for p in GRADIENTS[name] + SECOND[name]]
        for path in [*SECOND[name], *batched]:
            for width in FEW_WIDTHS if name == "spmm" else (0,):
                yield Case(path, value, 32, width, alignments(value, width)[0])


def few_cases():
    """What a quick test assembles: each program once, and the heaviest forms of products."""
    for name in GRADIENTS:
        for path in GRADIENTS[name] + SECOND[name]:
            yield Case(path, "f32", width=32)
        for path in GRADIENTS[name]:
            yield Case(path.replace(name, f"{name}/batch", 1), "f64", width=32)
    for path, width in itertools.product(GRADIENTS["spmm"], (256, 0)):
        yield Case(path, "f64", 64, width)


def _compile(opt, passes, text):
    """The PTX for each GPU, and the module that is left."""
    flags = ["--tsgu-lower-to-nvvm", *(f"--tsgu-print-ptx=sm={gpu}" for gpu in GPUS)]
    printed = _run(opt, [*passes, *flags], text)
    *ptx, last = re.split(r"^(?=//\n// Generated by LLVM)", printed, flags=re.MULTILINE)[1:]
    last, module = re.split(r"^(?=module attributes)", last, maxsplit=1, flags=re.MULTILINE)
    return dict(zip(GPUS, [*ptx, last], strict=True)), module


def assemble(opt, case):
    """The rows of a case, for every GPU."""
    ptx, module = _compile(opt, case.passes(opt), _source(case.path))
    mapped = re.findall(r'dense_lanes = (\d+)[^{}]*}, [^{}]*?name = "(\w+)", partition', module)
    lanes = {name: int(count) for count, name in mapped}
    return [
        Row(case.label, kernel, lanes[kernel.name])
        for gpu in GPUS
        for kernel in device_code.assemble(ptx[gpu], gpu).values()
    ]


def assemble_library(opt, path, own, derived):
    """The rows of a library of device kernels, for every GPU."""
    text = path.read_text().replace("!index = i32\n", f"!index = i{own}\n")
    text = text.replace("!derived = i32\n", f"!derived = i{derived}\n")
    ptx, _ = _compile(opt, [], text)
    return [
        Row(f"device/{path.stem}, i{own}, derived i{derived}", kernel)
        for gpu in GPUS
        for kernel in device_code.assemble(ptx[gpu], gpu).values()
    ]


def assemble_all(opt, jobs):
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        work = [pool.submit(assemble, opt, case) for case in cases()]
        for path in sorted((PROGRAMS / "device").glob("*.mlir")):
            for widths in ((32, 32), (64, 32), (64, 64)):
                work.append(pool.submit(assemble_library, opt, path, *widths))
        return [row for done in work for row in done.result()]


def spilling(rows):
    return [row for row in rows if row.kernel.spills or row.kernel.stack]


def _cells(row):
    k = row.kernel
    kib = row.in_flight / 1024
    return [
        row.label,
        k.name,
        f"sm_{k.gpu}",
        str(k.registers),
        str(k.spills),
        str(k.shared),
        f"{k.blocks} / {k.warps}",
        str(k.instructions),
        f"{k.gathered} + {k.streamed}",
        f"{kib:.0f}",
        f"{1024 * kib / MEMORY[k.gpu].least:.1f}",
    ]


HEADER = [
    "program",
    "kernel",
    "GPU",
    "registers",
    "spills",
    "shared",
    "blocks / warps",
    "loop",
    "bytes a thread",
    "KiB in flight",
    "x Little",
]


def _shown(row):
    """Whether a row is in the summary."""
    k, shown = row.kernel, {Case(p, "f32") for p in GRADIENTS["softmax"]}
    for path, width in itertools.product(GRADIENTS["spmm"], (1, 8, 32, 128, 0)):
        shown.add(Case(path, "f32", width=width, alignment=alignments("f32", width)[0]))
        shown.add(Case(path, "f64", width=width, alignment=alignments("f64", width)[0]))
    main = "_chunks" not in k.name and "_combine" not in k.name
    return k.gpu == 90 and main and row.label in {case.label for case in shown}


def page(rows):
    kernels = [row.kernel for row in rows]
    spills = spilling(rows)
    worst = max(kernels, key=lambda k: k.registers)
    found = f"{len(spills)} of them spill" if spills else "none of them spills"
    needs = [
        [
            f"sm_{gpu}",
            m.gpu,
            f"{m.bandwidth / 1e12:.2f}",
            str(m.sms),
            f"{m.least / 1024:.1f}",
            str(m.tuned >> 10),
        ]
        for gpu, m in MEMORY.items()
    ]
    limits = (
        device_code.SM_BLOCKS,
        device_code.SM_WARPS,
        device_code.SM_REGISTERS,
        device_code.REGISTER_UNIT,
    )
    latency = 1e9 * LATENCY
    return f"""\
# Kernels for NVIDIA GPUs, as the assembler sees them

`make gpu-report`, without a GPU: nothing here was measured. {len(rows)} kernels were assembled for
sm_80 and sm_90: the programs of the spine to second order, single and batched, f32 and f64, 32 and
64-bit indices, {len(WIDTHS)} widths, every alignment, and the libraries of device kernels;
{found}. The most registers are {worst.registers}, of {worst.name}.
The table has, of the programs to first order, the kernels for whole rows, for sm_90, f32 and f64,
32-bit indices. `build/gpu_report.md` has every kernel, and so has the script's output with `--all`.

- *registers, spills, shared*: per thread, bytes per thread, bytes per block, as `ptxas -v` says.
- *blocks / warps*: resident on an SM, which takes {limits[0]} blocks, {limits[1]} warps and
  {limits[2]} registers, given to warps by {limits[3]} (CUDA C++ Programming Guide, "Compute
  Capabilities").
- *loop*: instructions of the main loop in the machine code (`nvdisasm`), the one that loads most of
  the innermost loops. A kernel without a loop that loads is counted as a whole.
- *bytes a thread*: loads of the main loop that were started and not used yet, at most at one time,
  in the order of the machine code. Before the plus: those whose address was loaded (rows of B).
  Behind it: those that follow one another (entries).
- *KiB in flight*: that, times the threads on an SM. Lanes that share a row of B read each entry
  together, which counts once.
- *x Little*: KiB in flight over what Little's law asks of an SM, bandwidth times latency over SMs.

{table(["", "GPU", "TB/s", "SMs", "Little, KiB", "CUB, KiB"], needs)}
Bandwidths are those of NVIDIA's data sheets. The latency is assumed: {latency:.0f} ns, for a busy
memory. Loads are under way for a part of each iteration only, so more is better: the last column
is what NVIDIA's CUB aims at (`arch_to_min_bytes_in_flight` of its `transform`), found by
measurement.

{table(HEADER, [_cells(row) for row in rows if _shown(row)])}"""


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=pathlib.Path, default=CHECKOUT / "build")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--all", action="store_true", help="print the row of every kernel")
    arguments = parser.parse_args()
    device_code.require("ptxas", "nvdisasm")
    rows = assemble_all(arguments.build / "bin" / "tsgu-opt", arguments.jobs)
    whole = table(HEADER, [_cells(row) for row in rows])
    (arguments.build / "gpu_report.md").write_text(whole)
    text = page(rows)
    (CHECKOUT / "benchmarks" / "GPU.md").write_text(text)
    print(whole if arguments.all else text)
    spills = spilling(rows)
    for row in spills:
        print(f"spills: {row.label}: {row.kernel}", file=sys.stderr)
    sys.exit(1 if spills else 0)


if __name__ == "__main__":
    main()
