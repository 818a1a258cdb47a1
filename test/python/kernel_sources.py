"""Kernels as the sparsifier writes them: scalar loops over memrefs, by shape of nest."""


def accesses(name, type, *indices):
    """The text `name[indices] : type` of a load or store."""
    return f"%{name}[{', '.join('%' + i for i in indices)}] : {type}"


class Source:
    """The types of one kernel and the pieces that kernels share."""

    def __init__(self, value="f64", index="i32", width=None):
        self.value, self.index, self.width = value, index, width
        self.positions = f"memref<?x{index}>"
        self.values = f"memref<?x{value}>"
        extent = "?" if width is None else width
        self.dense = f"memref<?x{extent}x{value}, strided<[?, 1]>>"
        self.bound = "%p" if width is None else "%cp"

    def function(self, name, arguments, output, body, identity=None):
        marks = f"tsgu.kernel, llvm.emit_c_interface, tsgu.output = {output} : i64"
        if identity is not None:
            marks += f", tsgu.identity = {identity} : {self.value}"
        arguments = ", ".join(f"%{a}: {t}" for a, t in arguments)
        width = "" if self.width is None else f"%cp = arith.constant {self.width} : index"
        return f"""func.func @{name}({arguments}) attributes {{{marks}}} {{
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %zero = arith.constant 0.0 : {self.value}
  {width}
  {body}
  return
}}
"""

    def to_index(self, name, raw):
        """Casts a loaded index as the sparsifier does."""
        if self.index == "i64":
            return f"%{name} = arith.index_cast %{raw} : i64 to index\n"
        return (
            f"%{name}w = arith.extui %{raw} : i32 to i64\n"
            f"%{name} = arith.index_cast %{name}w : i64 to index\n"
        )

    def load_index(self, name, memref, at):
        load = f"%{name}r = memref.load {accesses(memref, self.positions, at)}\n"
        return load + self.to_index(name, f"{name}r")

    def loop(self, variable, bound, body):
        return f"scf.for %{variable} = %c0 to {bound} step %c1 {{\n{body}}}\n"

    def bounds(self, row="i"):
        """%lo and %hi: the positions of a row's entries."""
        return (
            self.load_index("lo", "pos", row)
            + f"%next = arith.addi %{row}, %c1 : index\n"
            + self.load_index("hi", "pos", "next")
        )

    def rows(self, body):
        return self.loop("i", "%n", self.bounds() + body)

    def entries(self, body):
        return f"scf.for %kk = %lo to %hi step %c1 {{\n{body}}}\n"

    def entry_sum(self, term, start="zero", combine="addf"):
        """%r: the reduction over a row's entries of the %t that `term` computes."""
        v = self.value
        return f"""%r = scf.for %kk = %lo to %hi step %c1 iter_args(%acc = %{start}) -> ({v}) {{
{term}%sum = arith.{combine} %acc, %t fastmath<contract> : {v}
scf.yield %sum : {v}
}}
"""

    def op(self, result, text):
        flags = " fastmath<contract>" if text.startswith("arith.") else ""
        return f"%{result} = {text}{flags} : {self.value}\n"

    def load(self, name, memref, *at):
        kind = self.values if len(at) == 1 else self.dense
        return f"%{name} = memref.load {accesses(memref, kind, *at)}\n"

    def store(self, value, memref, *at):
        kind = self.values if len(at) == 1 else self.dense
        return f"memref.store %{value}, {accesses(memref, kind, *at)}\n"

    def pattern(self):
        return [("pos", self.positions), ("crd", self.positions), ("val", self.values)]

    def sizes(self):
        return [("n", "index")] + ([("p", "index")] if self.width is None else [])


def spmm(name, s, payload="mul", accumulate="addf", identity="0.0"):
    """C[i, :] += A[i, k] * B[k, :] for the stored entries of row i."""
    term = s.op("t", "arith.mulf %a, %b")
    if payload == "exp":
        term = s.op("d", "arith.subf %b, %a") + s.op("t", "math.exp %d")
    elif payload == "add":
        term = s.op("t", "arith.addf %a, %b")
    elif payload == "factor":
        term = s.load("f", "D", "i", "j") + s.op("e", "arith.mulf %a, %f")
        term += s.op("t", "arith.mulf %e, %b")
    dense = s.loop(
        "j",
        s.bound,
        s.load("c", "C", "i", "j")
        + s.load("b", "B", "k", "j")
        + term
        + s.op("u", f"arith.{accumulate} %c, %t")
        + s.store("u", "C", "i", "j"),
    )
    inner = s.load_index("k", "crd", "kk") + s.load("a", "val", "kk") + dense
    factors = [("B", s.dense)] + ([("D", s.dense)] if payload == "factor" else [])
    arguments = s.pattern() + s.sizes() + factors + [("C", s.dense)]
    body = s.rows(s.entries(inner))
    return s.function(name, arguments, len(arguments) - 1, body, identity)


def scatter(name, s):
    """C[i, :] += A[i, k] * B[k, :] by columns k: the output's row is a coordinate."""
    dense = s.loop(
        "j",
        s.bound,
        s.load("c", "C", "k", "j")
        + s.load("b", "B", "i", "j")
        + s.op("t", "arith.mulf %a, %b")
        + s.op("u", "arith.addf %c, %t")
        + s.store("u", "C", "k", "j"),
    )
    inner = s.load_index("k", "crd", "kk") + s.load("a", "val", "kk") + dense
    arguments = s.pattern() + s.sizes() + [("B", s.dense), ("C", s.dense)]
    return s.function(name, arguments, len(arguments) - 1, s.rows(s.entries(inner)), "0.0")


def sddmm(name, s, scaled=False, accumulate=False):
    """S[kk] = sum_j G[i, j] * B[k, j], times A's value if `scaled`."""
    v = s.value
    start = s.load("start", "S", "kk") if accumulate else ""
    result = s.op("q", "arith.mulf %r, %a") if scaled else ""
    inner = s.load_index("k", "crd", "kk") + s.load("a", "val", "kk") + start
    inner += f"""%r = scf.for %j = %c0 to {s.bound} step %c1
  iter_args(%acc = {"%start" if accumulate else "%zero"}) -> ({v}) {{
{s.load("g", "G", "i", "j")}{s.load("b", "B", "k", "j")}{s.op("t", "arith.mulf %g, %b")}
%sum = arith.addf %acc, %t fastmath<contract> : {v}
scf.yield %sum : {v}
}}
"""
    inner += result + s.store("q" if scaled else "r", "S", "kk")
    arguments = s.pattern() + s.sizes() + [("G", s.dense), ("B", s.dense), ("S", s.values)]
    identity = "0.0" if accumulate else None
    return s.function(name, arguments, len(arguments) - 1, s.rows(s.entries(inner)), identity)


def spmv(name, s):
    """y[i] += A[i, k] * x[k], as the sparsifier writes it: y is loaded before the row."""
    term = s.load_index("k", "crd", "kk") + s.load("a", "val", "kk") + s.load("b", "x", "k")
    term += s.op("t", "arith.mulf %a, %b")
    body = s.load("first", "y", "i") + s.entry_sum(term, "first") + s.store("r", "y", "i")
    arguments = s.pattern() + [("n", "index"), ("x", s.values), ("y", s.values)]
    return s.function(name, arguments, len(arguments) - 1, s.rows(body), "0.0")


def row_sum(name, s, term):
    """y[i] = the sum over row i of: val ("sum"), val * w ("dot"), exp(val - m[i]) ("exp"),
    exp(val - x[k]) ("gather"); "max", "maxnum": the largest val."""
    text = s.load("a", "val", "kk")
    start, combine, first = "zero", "addf", ""
    if term == "dot":
        text += s.load("b", "w", "kk") + s.op("t", "arith.mulf %a, %b")
    elif term == "exp":
        text += s.load("m", "x", "i") + s.op("d", "arith.subf %a, %m") + s.op("t", "math.exp %d")
    elif term == "gather":
        text += s.load_index("k", "crd", "kk") + s.load("m", "x", "k")
        text += s.op("d", "arith.subf %a, %m") + s.op("t", "math.exp %d")
    else:
        text += s.op("t", "arith.addf %a, %zero")
    if term.startswith("max"):
        infinity = {"f32": "0xFF800000", "f64": "0xFFF0000000000000"}[s.value]
        first = f"%least = arith.constant {infinity} : {s.value}\n"
        start, combine = "least", "maxnumf" if term == "maxnum" else "maximumf"
    arguments = s.pattern() + [("n", "index"), ("w", s.values), ("x", s.values), ("y", s.values)]
    body = first + s.rows(s.entry_sum(text, start, combine) + s.store("r", "y", "i"))
    return s.function(name, arguments, len(arguments) - 1, body)


def per_entry(name, s, gather=False):
    """S[kk] = exp(val - x[row or column]) * w."""
    at = "k" if gather else "i"
    inner = s.load_index("k", "crd", "kk") if gather else ""
    inner += s.load("a", "val", "kk") + s.load("m", "x", at) + s.load("b", "w", "kk")
    inner += s.op("d", "arith.subf %a, %m") + s.op("e", "math.exp %d")
    inner += s.op("t", "arith.mulf %e, %b") + s.store("t", "S", "kk")
    arguments = s.pattern() + [("n", "index"), ("w", s.values), ("x", s.values), ("S", s.values)]
    return s.function(name, arguments, len(arguments) - 1, s.rows(s.entries(inner)))


def map_1d(name, s, op):
    """y[n] = op(x[n])."""
    body = s.load("a", "x", "i") + s.op("t", f"math.{op} %a") + s.store("t", "y", "i")
    arguments = [("n", "index"), ("x", s.values), ("y", s.values)]
    return s.function(name, arguments, 2, s.loop("i", "%n", body))


def column_sum(name, s):
    """y[j] += x[i, j]."""
    inner = s.load("c", "y", "j") + s.load("a", "x", "i", "j")
    inner += s.op("t", "arith.addf %c, %a") + s.store("t", "y", "j")
    arguments = s.sizes() + [("x", s.dense), ("y", s.values)]
    body = s.loop("i", "%n", s.loop("j", s.bound, inner))
    return s.function(name, arguments, len(arguments) - 1, body, "0.0")


def dense_row_sum(name, s):
    """y[i] += x[i, j], with the load, add and store in the innermost loop."""
    inner = s.load("c", "y", "i") + s.load("a", "x", "i", "j")
    inner += s.op("t", "arith.addf %c, %a") + s.store("t", "y", "i")
    arguments = s.sizes() + [("x", s.dense), ("y", s.values)]
    body = s.loop("i", "%n", s.loop("j", s.bound, inner))
    return s.function(name, arguments, len(arguments) - 1, body, "0.0")


def map_2d(name, s):
    """Y[i, j] = exp(X[i, j]) + X[i, j] * l[i]."""
    inner = s.load("a", "X", "i", "j") + s.load("b", "l", "i") + s.op("e", "math.exp %a")
    inner += s.op("m", "arith.mulf %a, %b") + s.op("t", "arith.addf %e, %m")
    inner += s.store("t", "Y", "i", "j")
    arguments = s.sizes() + [("l", s.values), ("X", s.dense), ("Y", s.dense)]
    body = s.loop("i", "%n", s.loop("j", s.bound, inner))
    return s.function(name, arguments, len(arguments) - 1, body)


def batched_spmm(name, s):
    """C[b, i, :] += A[b, i, k] * B[b, k, :]; positions of (b, i) at b * n + i."""
    dense = s.dense.replace("memref<?", "memref<?x?").replace("[?, 1]", "[?, ?, 1]")
    inner = s.loop(
        "j",
        s.bound,
        f"%c = memref.load {accesses('C', dense, 'q', 'i', 'j')}\n"
        + f"%b = memref.load {accesses('B', dense, 'q', 'k', 'j')}\n"
        + s.op("t", "arith.mulf %a, %b")
        + s.op("u", "arith.addf %c, %t")
        + f"memref.store %u, {accesses('C', dense, 'q', 'i', 'j')}\n",
    )
    inner = s.load_index("k", "crd", "kk") + s.load("a", "val", "kk") + inner
    rows = "%qn = arith.muli %q, %n : index\n%row = arith.addi %qn, %i : index\n"
    body = s.loop("i", "%n", rows + s.bounds("row") + s.entries(inner))
    arguments = s.pattern() + [("items", "index")] + s.sizes() + [("B", dense), ("C", dense)]
    return s.function(name, arguments, len(arguments) - 1, s.loop("q", "%items", body), "0.0")
