#!/usr/bin/env python3
"""Writes docs/Grammar.md: what a program may be made of, as the verifier and the passes say.

usage: write_grammar.py TSGU_OPT [--check]

Each cell of a table is a run of tsgu-opt on a program of a few lines with that op; what is refused
is the verifier's own test. With --check nothing is written, and the exit status says whether the
page is what would be written.
"""

import pathlib
import re
import subprocess
import sys

from written import settle

ROOT = pathlib.Path(__file__).resolve().parents[1]
LLVM = pathlib.Path("/usr/lib/llvm-22")
PAGE = ROOT / "docs" / "Grammar.md"
REFUSALS = ROOT / "test" / "Transforms" / "programs" / "verify-program-invalid.mlir"

FORMS = {
    "absent": ["--tsgu-verify-program"],
    "reverse": ["--tsgu-differentiate=wrt=0"],
    "forward": ["--tsgu-differentiate=mode=forward wrt=0"],
    "complex": ["--tsgu-complexify"],
    "CPU": ["--tsgu-lower-to-cpu=value=f64"],
    "GPU": ["--tsgu-lower-to-kernels=value=f32", "--tsgu-to-gpu", "--tsgu-lower-to-nvvm"],
}
HEAD = """# The grammar of programs

Written by `make docs`: each cell is a run of `tsgu-opt`, each refusal one that the verifier's test
expects. What `--tsgu-verify-program` takes is compiled; what it does not take gets the diagnostic.

A program is one public function of one block. Its operands and results are dense tensors, sparse
ones of two or three dimensions with a `tsgu.pattern`, and solvers. Its body is made of

- `linalg.generic`, and named ops that are one, whose maps index each dimension of an operand by a
  loop of its own. An op combines any number of dense tensors and those on one pattern; it makes a
  dense tensor, or, marked `tsgu.sampled`, one on the pattern. A payload reads elements and
  constants, and ends in what is stored, or in a reduction with the element of the output.
- `tensor.empty`, `tensor.dim`, `linalg.fill` and constants, from which outputs start, and
  `tsgu.zeros_like` for those on a pattern. A reduction starts from its neutral element.
- [ops of the dialect `tsgu`](Ops.md), steps of the runtime, as solves are.
"""
TABLE = """
## Ops of payloads

*absent*: whether the op may stand on a sparse operand without `tsgu.sampled`, because it is known
to be 0 where an entry is absent (of several operands, where all are). Others are computed at stored
entries only. *reverse*, *forward*: whether it has a derivative by its first operand. *complex*:
whether it has a form for complex numbers. Comparisons (`arith.cmpf`), and arithmetic of what
they give, are part of payloads as well, with derivatives of what is chosen by them.

"""
PROGRAM = """
#CSR = #sparse_tensor.encoding<{{ map = (i, j) -> (i : dense, j : compressed) }}>
#entry = affine_map<(i, j) -> (i, j)>
func.func @f({arguments})
    -> (tensor<?x?xf64, #CSR> {{tsgu.pattern = @A}}) {{
  %init = tsgu.zeros_like %x0 : tensor<?x?xf64, #CSR>
  %y = linalg.generic {{indexing_maps = [{maps}], iterator_types = ["parallel", "parallel"],
                        tsgu.sampled}}
      ins({inputs} : {types}) outs(%init : tensor<?x?xf64, #CSR>) {{
  ^bb0({elements}, %out: f64):
    %r = "{op}"({operands}) : ({scalars}) -> f64
    linalg.yield %r : f64
  }} -> tensor<?x?xf64, #CSR>
  return %y : tensor<?x?xf64, #CSR>
}}
"""
# Not sampled: the result is dense.
DENSE = """
#CSR = #sparse_tensor.encoding<{{ map = (i, j) -> (i : dense, j : compressed) }}>
#entry = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>
func.func @f({arguments}) -> tensor<?xf64> {{
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f64
  %n = tensor.dim %x0, %c0 : tensor<?x?xf64, #CSR>
  %empty = tensor.empty(%n) : tensor<?xf64>
  %init = linalg.fill ins(%zero : f64) outs(%empty : tensor<?xf64>) -> tensor<?xf64>
  %y = linalg.generic {{indexing_maps = [{maps}], iterator_types = ["parallel", "reduction"]}}
      ins({inputs} : {types}) outs(%init : tensor<?xf64>) {{
  ^bb0({elements}, %out: f64):
    %r = "{op}"({operands}) : ({scalars}) -> f64
    %next = arith.addf %out, %r : f64
    linalg.yield %next : f64
  }} -> tensor<?xf64>
  return %y : tensor<?xf64>
}}
"""


def float_ops(dialect):
    """(name, number of operands) of a dialect's ops from floats to a float."""
    definitions = f"mlir/Dialect/{dialect}/IR/{dialect}Ops.td"
    command = [LLVM / "bin" / "mlir-tblgen", "--gen-op-doc", "-I", LLVM / "include"]
    command.append(LLVM / "include" / definitions)
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    for body in re.split(r"(?m)^### ", text)[1:]:
        name = re.match(r"`([a-z0-9_.]+)`", body)[1]
        _, _, values = body.partition("#### Operands:")
        operands, _, results = values.partition("#### Results:")
        taken = re.findall(r"(?m)^\| `\w+` \| (.*) \|", operands)
        given = re.findall(r"(?m)^\| `\w+` \| (.*) \|", results)
        if taken and all(kind == "floating-point-like" for kind in taken + given) and given:
            yield name, len(taken)


def written(template, op, count):
    """A program with the op on elements of so many operands on one pattern."""
    sparse = "tensor<?x?xf64, #CSR>"
    numbers = range(count)
    return template.format(
        op=op,
        arguments=", ".join(f"%x{k}: {sparse} {{tsgu.pattern = @A}}" for k in numbers),
        maps=", ".join(["#entry"] * count + ["#entry" if template is PROGRAM else "#row"]),
        inputs=", ".join(f"%x{k}" for k in numbers),
        types=", ".join([sparse] * count),
        elements=", ".join(f"%a{k}: f64" for k in numbers),
        operands=", ".join(f"%a{k}" for k in numbers),
        scalars=", ".join(["f64"] * count),
    )


def runs(tsgu_opt, text, options):
    command = [tsgu_opt, "-", *options, "-o", "/dev/null"]
    return subprocess.run(command, input=text, capture_output=True, text=True).returncode == 0


def ops(tsgu_opt):
    lines = ["| op | operands | " + " | ".join(FORMS) + " |", "|---" * (len(FORMS) + 2) + "|"]
    for op, count in sorted({*float_ops("Arith"), *float_ops("Math")}):
        sampled, dense = (written(template, op, count) for template in (PROGRAM, DENSE))
        if not runs(tsgu_opt, sampled, ["--tsgu-verify-program"]):
            continue
        cells = [
            "yes" if runs(tsgu_opt, dense if form == "absent" else sampled, options) else "no"
            for form, options in FORMS.items()
        ]
        lines.append(f"| `{op}` | {count} | " + " | ".join(cells) + " |")
    return lines


def refusals():
    lines = ["", "## What is refused", ""]
    for case in REFUSALS.read_text().split("// -----\n"):
        said = re.search(r"(?m)^( *)// expected-error @\+1 \{\{(.*)\}\}\n(.*(?:\n\1 +.*)*)", case)
        comments = re.findall(r"(?m)^// (?!expected-error|RUN)(.*)", case)
        comments = [line for line in comments if not line.startswith("What the grammar")]
        code = re.sub(r"(?m)^" + said[1], "", said[3]).rstrip()
        lines += [f"**… {said[2]}**", "", *([" ".join(comments), ""] if comments else [])]
        lines += ["```mlir", *code.split("\n")[:6], "```", ""]
    return lines


def main(tsgu_opt, check):
    text = HEAD + TABLE + "\n".join([*ops(tsgu_opt), *refusals()])
    settle(PAGE, text, check, "what tsgu-opt does")


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[2:] not in ([], ["--check"]):
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2:] == ["--check"])
