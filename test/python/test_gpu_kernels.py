"""Kernels for GPUs assemble without spills, and the report reads them right."""

import concurrent.futures
import sys

import pytest
from kernel_tools import CHECKOUT, TSGU_OPT

sys.path.insert(0, str(CHECKOUT / "benchmarks"))
import device_code  # noqa: E402
import gpu_report  # noqa: E402


def test_no_kernel_spills():
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        work = [pool.submit(gpu_report.assemble, TSGU_OPT, c) for c in gpu_report.few_cases()]
        rows = [row for done in work for row in done.result()]
    assert len(rows) > 100
    assert gpu_report.spilling(rows) == []


def test_spills_are_found():
    ptx = """
.version 8.0
.target sm_90
.address_size 64
.visible .entry many(.param .u64 x)
.maxntid 1024, 1, 1
.minnctapersm 2
{
\t.reg .b64 %a;
\t.reg .f32 %f<65>;
\tld.param.u64 %a, [x];
"""  # 64 numbers are held, a thread may have 32 registers.
    ptx += "".join(f"\tld.volatile.global.f32 %f{i}, [%a+{4 * i}];\n" for i in range(64))
    ptx += "".join(f"\tst.volatile.global.f32 [%a+{4 * i}], %f{i};\n" for i in reversed(range(64)))
    (kernel,) = device_code.assemble(ptx + "\tret;\n}\n", 90).values()
    assert kernel.threads == 1024 and kernel.registers == 32
    assert kernel.spills > 0
    assert gpu_report.spilling([gpu_report.Row("many", kernel)])


@pytest.mark.parametrize(
    "threads, registers, shared, blocks",
    [  # By the CUDA Toolkit's occupancy calculator, for 9.0.
        (128, 32, 0, 16),
        (128, 56, 0, 9),
        (128, 96, 0, 5),
        (256, 40, 0, 6),
        (1024, 64, 0, 1),
        (32, 16, 0, 32),
        (128, 32, 48 << 10, 4),
    ],
)
def test_occupancy(threads, registers, shared, blocks):
    kernel = device_code.Kernel("kernel", 90, threads, registers, 0, 0, shared)
    assert kernel.blocks == blocks
    assert kernel.warps == blocks * threads // 32


def machine_code(*instructions):
    lines = [
        line if line.endswith(":") else f"        /*{16 * i:04x}*/    {line} ;"
        for i, line in enumerate(instructions)
    ]
    return "\n".join(lines)


def in_flight(*instructions):
    kernel = device_code.Kernel("kernel", 90, 128, 32, 0, 0, 0)
    device_code.analyse(kernel, machine_code(*instructions))
    return kernel.instructions, kernel.gathered, kernel.streamed


def test_loads_that_wait_for_each_other_are_not_in_flight_together():
    one_by_one = in_flight(
        "LDG.E R30, desc[UR4][R32.64]",  # Before the loop: does not count.
        ".L_x_1:",
        "LDG.E.CONSTANT R0, desc[UR4][R2.64]",
        "IMAD.WIDE R4, R0, 0x10, R6",
        "LDG.E.128.CONSTANT R8, desc[UR4][R4.64]",
        "FFMA R20, R8, R21, R20",
        "LDG.E.128.CONSTANT R8, desc[UR4][R4.64+0x40]",
        "FFMA R20, R9, R21, R20",
        "IADD3 R2, R2, 0x4, RZ",
        "@!P0 BRA `(.L_x_1)",
        "EXIT",
    )
    assert one_by_one == (8, 16, 0)


def test_loads_before_their_first_use_are_in_flight_together():
    together = in_flight(
        ".L_x_1:",
        "LDG.E.CONSTANT R0, desc[UR4][R2.64]",
        "IMAD.WIDE R4, R0, 0x10, R6",
        "IADD3 R4, R4, 0x20, RZ",
        "LDG.E.128.CONSTANT R8, desc[UR4][R4.64]",
        "LDG.E.64.CONSTANT R12, desc[UR4][R4.64+0x40]",
        "LDG.E.CONSTANT R22, desc[UR4][R2.64+0x4]",
        "FFMA R20, R11, R21, R20",
        "FFMA R20, R13, R22, R20",
        "@!P0 BRA `(.L_x_1)",
        "EXIT",
    )
    assert together == (9, 24, 4)
