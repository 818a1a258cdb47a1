"""What is run: the parts in their order, the cases of each, and its share of the time."""

PROBLEMS = ("cfd2s", "p2d", "rnd", "rmat")
WIDTHS = (1, 2, 4, 8, 16, 32, 64, 128)
FEW_WIDTHS = (16, 32, 128)

# About seconds; what a part leaves of its share is shared by those after it. The first one reads
# torch from a cold disk.
SHARES = {
    "roof": 80,
    "checks": 80,
    "host": 30,
    "spmm": 160,
    "sddmm": 50,
    "training": 80,
    "softmax": 40,
    "batched": 30,
}

# How many cases a section has: goals are judged on all of them or not at all.
CASES = {
    "host": 6,
    "spmm": len(PROBLEMS) * len(WIDTHS),
    "sddmm": len(PROBLEMS) * len(FEW_WIDTHS),
    "training": len(PROBLEMS) * len(FEW_WIDTHS),
    "softmax": len(PROBLEMS) * 2,
    "batched": len(FEW_WIDTHS),
}
