"""The functions of the package as methods of Matrix, of which they take the first argument."""

from . import sparse_logdet, sparse_lstsq, sparse_reductions, sparse_softmax, sparse_solve
from . import sparse_logsumexp as log_sum_exp
from ._matrices.matrix import Matrix
from ._solvers import factorize

Matrix.sum = sparse_reductions.sparse_sum
Matrix.mean = sparse_reductions.sparse_mean
Matrix.amax = sparse_reductions.sparse_amax
Matrix.amin = sparse_reductions.sparse_amin
Matrix.softmax = sparse_softmax.sparse_softmax
Matrix.log_softmax = sparse_softmax.sparse_log_softmax
Matrix.logsumexp = log_sum_exp.sparse_logsumexp
Matrix.solve = sparse_solve.sparse_generic_solve
Matrix.solve_triangular = sparse_solve.sparse_triangular_solve
Matrix.lstsq = sparse_lstsq.sparse_generic_lstsq
Matrix.logdet = sparse_logdet.logdet
Matrix.slogdet = sparse_logdet.slogdet
Matrix.selected_inverse = sparse_logdet.selected_inverse
Matrix.factorize = factorize.factorize
