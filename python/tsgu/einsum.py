"""Sums of products of sparse and dense tensors, by Einstein's convention."""

import functools
import hashlib
import itertools
from typing import Any, overload

import numpy as np
import torch

from ._matrices.kinds import is_hybrid, is_tensor_or_matrix, matrix_of
from ._matrices.matrix import Matrix, unchecked
from ._patterns.coalesced import coalesced, summed
from ._patterns.layouts import as_tensor, is_sparse
from ._patterns.modes import needs_matrix, on_indices, outside_graphs
from ._patterns.tensors import parts
from ._programs import user_programs
from ._programs.meetings import COMMON, PRODUCT, values_by
from ._runtime.dtypes import same_dtype
from ._typing import SparseMatrix, TensorOrArray

__all__ = ["einsum"]


# ===-- What a specification says ----------------------------------------------===#


def _refuse(spec, place, problem):
    """Raises ValueError with a caret under a character of the specification."""
    raise ValueError(f"einsum: {problem}\n  {spec}\n  {' ' * place}^")


def _split(spec):
    """The terms as lists of (letter, place in the specification), and the result's or None."""
    if not isinstance(spec, str):
        raise TypeError(f"einsum takes its specification first, as 'ij,jk->ik', not {spec!r}")
    terms, given = [[]], None
    place = 0
    while place < len(spec):
        letter = spec[place]
        if spec.startswith("->", place):
            if given is not None:
                _refuse(spec, place, "a second arrow")
            given = len(terms)
            terms.append([])
            place += 1
        elif letter == ",":
            if given is not None:
                _refuse(spec, place, "a second result")
            terms.append([])
        elif letter.isascii() and letter.isalpha():
            terms[-1].append((letter, place))
        elif letter == ".":
            _refuse(spec, place, "an ellipsis: write a letter for each dimension")
        elif letter != " ":
            _refuse(spec, place, f"{letter!r} is no letter, comma or arrow")
        place += 1
    return (terms, None) if given is None else (terms[:-1], terms[-1])


def _result_of(spec, terms, result):
    """The letters of the result; without an arrow those that occur once, in their order."""
    letters = [letter for term in terms for letter, _ in term]
    if result is None:
        return "".join(sorted(letter for letter in letters if letters.count(letter) == 1))
    for k, (letter, place) in enumerate(result):
        if letter not in letters:
            _refuse(spec, place, f"index {letter!r} of the result is in no operand")
        if letter in [before for before, _ in result[:k]]:
            _refuse(spec, place, f"index {letter!r} is twice in the result")
    return "".join(letter for letter, _ in result)


def _extents(spec, terms, operands):
    """letter -> extent, checked."""
    if len(terms) != len(operands):
        raise ValueError(
            f"einsum: {spec!r} names {len(terms)} operands, and there are {len(operands)}"
        )
    extents, first = {}, {}
    for k, (term, operand) in enumerate(zip(terms, operands, strict=True)):
        if len(term) != operand.dim():
            place = term[-1][1] if term else 0
            _refuse(spec, place, f"operand {k} has {operand.dim()} dimensions, not {len(term)}")
        for (letter, place), extent in zip(term, operand.shape, strict=True):
            if extents.setdefault(letter, extent) != extent:
                _refuse(
                    spec,
                    place,
                    f"index {letter!r} has {extents[letter]} elements in operand {first[letter]}, "
                    f"and {extent} in operand {k}",
                )
            first.setdefault(letter, k)
    return extents


# ===-- One loop nest ---------------------------------------------------------===#


def _map(loops, term):
    return f"affine_map<({', '.join(loops)}) -> ({', '.join(term)})>"


def _type(rank, is_sparse):
    dims = "?x" * rank
    return f"tensor<{dims}f64, #S>" if is_sparse else f"tensor<{dims}f64>"


@functools.cache
def _text(terms, sparse, result, on_pattern):
    """A program of one loop nest; `sparse` has the numbers of the sparse operands, on one pattern.

    The loops of the sparse operands come first and in the order in which they are stored, then
    those of the others.
    """
    loops = list(dict.fromkeys("".join([terms[k] for k in sparse] + list(terms))))
    levels = [f"{letter} : dense" for letter in terms[sparse[0]]]
    levels[-1] = levels[-1].replace("dense", "compressed")
    encoding = f"({', '.join(terms[sparse[0]])}) -> ({', '.join(levels)})"
    types = [_type(len(term), k in sparse) for k, term in enumerate(terms)]
    arguments = [
        f'%x{k}: {kind} {{tsgu.name = "x{k}"' + (", tsgu.pattern = @P}" if k in sparse else "}")
        for k, kind in enumerate(types)
    ]
    output = _type(len(result), on_pattern)
    returned = f"({output} {{tsgu.pattern = @P}})" if on_pattern else output
    lines = [f"#S = #sparse_tensor.encoding<{{ map = {encoding} }}>"]
    lines += [f"func.func @NAME({', '.join(arguments)}) -> {returned} {{"]
    if on_pattern:
        lines += [f"  %init = tsgu.zeros_like %x{sparse[0]} : {output}"]
    else:
        for d, letter in enumerate(result):
            k = next(k for k, term in enumerate(terms) if letter in term)
            lines += [f"  %c{d} = arith.constant {terms[k].index(letter)} : index"]
            lines += [f"  %n{d} = tensor.dim %x{k}, %c{d} : {types[k]}"]
        extents = ", ".join(f"%n{d}" for d in range(len(result)))
        lines += ["  %zero = arith.constant 0.0 : f64"]
        lines += [f"  %empty = tensor.empty({extents}) : {output}"]
        lines += [f"  %init = linalg.fill ins(%zero : f64) outs(%empty : {output}) -> {output}"]
    iterators = ['"parallel"' if letter in result else '"reduction"' for letter in loops]
    maps = [_map(loops, term) for term in (*terms, result)]
    lines += ["  %y = linalg.generic {indexing_maps = [" + ", ".join(maps) + "],"]
    lines += [f"      iterator_types = [{', '.join(iterators)}]}}"]
    names = ", ".join(f"%x{k}" for k in range(len(terms)))
    sampled = " attrs = {tsgu.sampled}" if on_pattern else ""
    lines += [f"      ins({names} : {', '.join(types)}) outs(%init : {output}){sampled} {{"]
    elements = ", ".join(f"%e{k}: f64" for k in range(len(terms)))
    lines += [f"  ^bb0({elements}, %o: f64):"]
    product = "%e0"
    for k in range(1, len(terms)):
        lines += [f"    %p{k} = arith.mulf {product}, %e{k} : f64"]
        product = f"%p{k}"
    if len(loops) > len(result):
        lines += [f"    %s = arith.addf %o, {product} : f64"]
        product = "%s"
    lines += [f"    linalg.yield {product} : f64", f"  }} -> {output}"]
    lines += [f"  return %y : {output}", "}", ""]
    return "\n".join(lines)


@functools.cache
def _program(terms, sparse, result, on_pattern):
    """The operator of a nest, whatever the letters are."""
    names = dict(
        zip(
            dict.fromkeys("".join(terms)),
            "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
            strict=False,
        )
    )
    rename = str.maketrans(names)
    text = _text(
        tuple(term.translate(rename) for term in terms),
        sparse,
        result.translate(rename),
        on_pattern,
    )
    name = f"einsum_{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    return user_programs.generated(name, text.replace("@NAME", f"@{name}"))


class _Sparse:
    """A sparse operand taken apart."""

    def __init__(self, A):
        self.tensor = A
        self.pattern, self.values = parts(A)
        if self.pattern.may_repeat:
            self.pattern, self.values = coalesced(self.pattern, self.values)

    def by(self, kind, other, turns):
        """The product with another operand, entry by entry or of matrices, either one turned."""
        first, second = (
            x.pattern.transposed() if turned else x.pattern
            for x, turned in zip((self, other), turns, strict=True)
        )
        found = values_by(kind, first, second, self.values, other.values, keeps_layout=False)
        like = other.tensor if type(other.tensor) is Matrix else self.tensor
        return _Sparse(matrix_of(*found, like=like))

    def is_on_pattern_of(self, other):
        first, other = self.pattern, other.pattern
        return first is other or (
            first.form == other.form
            and first.shape == other.shape
            and first.positions.data_ptr() == other.positions.data_ptr()
            and first.coordinates.data_ptr() == other.coordinates.data_ptr()
        )


def _nest(terms, operands, result):
    """One loop nest over all operands, of which some are sparse and on one pattern."""
    sparse = tuple(k for k, operand in enumerate(operands) if isinstance(operand, _Sparse))
    first = operands[sparse[0]]
    stored = terms[sparse[0]]
    on_pattern = sorted(result) == sorted(stored)
    program = _program(tuple(terms), sparse, stored if on_pattern else result, on_pattern)
    given = [x.values if isinstance(x, _Sparse) else x for x in operands]
    found = program.call((first.pattern,), *given)
    if not on_pattern:
        return found
    if result == stored:
        return matrix_of(first.pattern, found, like=first.tensor)
    transposed = unchecked(first.pattern, found).mT
    if type(first.tensor) is Matrix or needs_matrix(found):
        return transposed
    if first.pattern.layout is torch.sparse_coo:
        return matrix_of(*coalesced(transposed.pattern, transposed.values))
    return transposed.to_torch(torch.sparse_csr)


# ===-- Operands ----------------------------------------------------------------===#


def _check(operands):
    for k, operand in enumerate(operands):
        if not is_tensor_or_matrix(operand):
            raise TypeError(f"einsum: operand {k} is a {type(operand).__name__}, not a tensor")
        if is_sparse(operand) and (operand.dim() not in (2, 3) or is_hybrid(operand)):
            raise ValueError(
                f"einsum: operand {k} is sparse, and should be a matrix or a batch of them with "
                f"numbers as entries, not of shape {tuple(operand.shape)}"
            )


def _diagonal_of(operand, k, letters):
    """A sparse matrix whose two indices are one, as the dense vector of its diagonal."""
    pattern, values = parts(operand)
    if len(letters) != 2:
        raise NotImplementedError(
            f"einsum: operand {k} is a batch of sparse matrices with an index twice; take the "
            "diagonal first"
        )
    row, column = on_indices(pattern.entry_indices)
    found = (row == column).nonzero().squeeze(-1)
    return summed(values[found], row[found], operand.shape[0])


def _without_repeats(letters, operand, k):
    """The letters without repetition and the operand's diagonal along those that repeat."""
    for letter in dict.fromkeys(letters):
        while letters.count(letter) > 1:
            if isinstance(operand, Matrix) or is_sparse(operand):
                return letter, _diagonal_of(operand, k, letters)
            one = letters.index(letter)
            two = letters.index(letter, one + 1)
            operand = torch.diagonal(operand, dim1=one, dim2=two)
            letters = letters[:one] + letters[one + 1 : two] + letters[two + 1 :] + letter
    return letters, operand


def _prepared(letters, operands):
    """Letters without repetition, dense operands, and sparse ones taken apart; all of one dtype."""
    leading = next(x for x in operands if is_sparse(x))
    terms, made = [], []
    for k, (term, operand) in enumerate(zip(letters, operands, strict=True)):
        term, operand = _without_repeats(term, operand, k)
        terms.append(term)
        if is_sparse(operand):
            if operand.dtype is not leading.dtype:
                raise TypeError(
                    f"einsum: operand {k} has dtype {operand.dtype}, another sparse one "
                    f"{leading.dtype}"
                )
            made.append(_Sparse(operand))
        else:
            made.append(same_dtype(leading, operand, f"operand {k}"))
    return terms, made


# ===-- Sparse operands on patterns of their own -----------------------------------===#


def _met(spec, terms, operands, result):
    """Terms and operands with all sparse ones on one pattern and indexed alike."""
    terms, operands = [*terms], [*operands]
    numbers = [*range(len(terms))]
    while True:
        sparse = [k for k, operand in enumerate(operands) if isinstance(operand, _Sparse)]
        different = [
            (one, two)
            for one, two in itertools.combinations(sparse, 2)
            if terms[one] != terms[two] or not operands[one].is_on_pattern_of(operands[two])
        ]
        if not different:
            return terms, operands
        for one, two in different:
            others = [term for k, term in enumerate(terms) if k not in (one, two)]
            how = _product_of(terms[one], terms[two], set(result).union(*others))
            if how is not None:
                break
        else:
            one, two = different[0]
            raise NotImplementedError(
                f"einsum: {spec!r} multiplies operands {numbers[one]} and {numbers[two]} on two "
                "patterns, and neither entry by entry nor as matrices: one of them has to be dense"
            )
        kind, terms[one], *turns = how
        operands[one] = operands[one].by(kind, operands[two], turns)
        del operands[two], terms[two], numbers[two]


def _product_of(first, second, needed):
    """How two sparse operands are multiplied: (kind, indices of the product, who is turned).

    None where it takes more than a product of matrices, or entry by entry.
    """
    turned = second[:-2] + second[:-3:-1]
    if first in (second, turned):
        return COMMON, first, False, first != second
    lead, shared = first[:-2], set(first[-2:]) & set(second[-2:])
    if len(shared) != 1 or lead != second[:-2] or shared & needed:
        return None
    inner = shared.pop()
    turns = first[-1] != inner, second[-2] != inner
    return PRODUCT, lead + first[-1 if turns[0] else -2] + second[-2 if turns[1] else -1], *turns


# ===-- Order of contractions ---------------------------------------------------===#


def _steps(terms, result, extents, sparse):
    """The operands that are contracted at a time, as numpy.einsum_path orders them.

    One nest does where at most one index is not the sparse operand's, and where a contraction
    would make a dense tensor with all indices of a sparse one and more.
    """
    beyond = set("".join(terms)) - set(terms[sparse[0]])
    everything = [tuple(range(len(terms)))]
    if len(terms) < 3 or len(beyond) < 2 or len(sparse) > 1:
        return everything
    stand_ins = [np.broadcast_to(0.0, [extents[c] for c in term]) for term in terms]
    path = np.einsum_path(",".join(terms) + "->" + result, *stand_ins, optimize="optimal")[0][1:]
    left = list(terms)
    stored = set(terms[sparse[0]])
    for step in path:
        taken = [left[k] for k in step]
        left = [term for k, term in enumerate(left) if k not in step]
        kept = _needed(taken, left, result)
        if stored < set(kept):
            return everything
        left.append(kept)
    return path


def _needed(taken, left, result):
    """The indices of these terms that others or the result still have."""
    others = set(result).union(*left)
    return "".join(c for c in dict.fromkeys("".join(taken)) if c in others)


def _contract(terms, operands, result):
    if any(isinstance(operand, _Sparse) for operand in operands):
        return _nest(terms, operands, result)
    return torch.einsum(",".join(terms) + "->" + result, *operands)


@overload
def einsum(spec: str, *operands: TensorOrArray) -> torch.Tensor: ...


@overload
def einsum(spec: str, *operands: SparseMatrix) -> Any: ...  # as spec says, a tensor or Matrix


@outside_graphs
def einsum(spec: str, *operands: SparseMatrix) -> Any:
    """The sum of products that `spec` names, as torch.einsum, of which operands may be sparse.

    spec: a letter for each dimension of each operand, and of the result after "->":

        "ij,jk->ik"        a matrix product
        "ij,ik,jk->ij"     products sampled on a pattern, times its values
        "ijk,jr,kr->ir"    a tensor times two factors (MTTKRP)
        "ij,j,i->"         a bilinear form

    Indices that the result does not have are summed; without "->" it has those that occur once, in
    their order. An index that is twice in an operand is its diagonal. What is not stored is zero.
    operands: dense tensors and sparse ones, (n, m) or (b, n, m), COO, CSR, CSC, BSR, BSC, SciPy's
    or tsgu.Matrix. Several sparse ones have one pattern, the same index tensors, and the same
    letters; or they are multiplied two by two before, by `sparse_mul` where they have the same
    letters, by `spgemm` where they share one that nothing else has ("ij,jk->ik", "ij,kj,ik->"), and
    give one sparse operand. Where the result has the indices of the sparse operands alone, it has
    their pattern and layout; with rows and columns exchanged it is COO of COO, CSR of others.
    Otherwise it is dense. All dense operands take the first sparse one's dtype. Differentiable to
    any order; gradients are programs as well. One loop nest over the stored entries computes it, or
    several where three operands or more are cheaper in the order that numpy.einsum_path finds;
    nothing with all indices of a sparse operand and more is made, unless it is the result.

    Raises ValueError with a caret under what is wrong with spec, TypeError for other operands,
    NotImplementedError for sparse operands on two patterns that meet in another way.

    >>> A = torch.tensor([[2.0, 0.0], [1.0, 3.0]]).to_sparse_csr()
    >>> tsgu.einsum("ij,j->i", A, torch.ones(2))
    tensor([2., 4.])
    """
    operands = tuple(map(as_tensor, operands))
    terms, given = _split(spec)
    _check(operands)
    result = _result_of(spec, terms, given)
    extents = _extents(spec, terms, operands)
    letters = ["".join(letter for letter, _ in term) for term in terms]
    if not any(map(is_sparse, operands)):
        return torch.einsum(",".join(letters) + "->" + result, *operands)
    terms, left = _prepared(letters, operands)
    terms, left = _met(spec, terms, left, result)
    sparse = [k for k, operand in enumerate(left) if isinstance(operand, _Sparse)]
    if not sparse:
        return _contract(terms, left, result)
    for step in _steps(terms, result, extents, sparse):
        taken = [terms[k] for k in step], [left[k] for k in step]
        terms = [term for k, term in enumerate(terms) if k not in step]
        left = [operand for k, operand in enumerate(left) if k not in step]
        kept = result if not terms else _needed(taken[0], terms, result)
        found = _contract(*taken, kept)
        terms.append(kept)
        left.append(_Sparse(found) if is_sparse(found) else found)
    return left[0].tensor if isinstance(left[0], _Sparse) else left[0]
