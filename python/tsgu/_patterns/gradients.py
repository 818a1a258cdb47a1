"""Sparse gradients where torch adds or keeps them: at leaves, and at tensors that retain them.

torch adds batched CSR tensors wrongly, leaks where it adds CSR in place, joins COO without
summing, and cannot clone what a CSR tensor is to retain. So sums are made here, of dense values.
"""

import torch
from torch.autograd import Variable

# Torch 2.14 says that it is there, 2.13 does not.
_AccumulateGrad = vars(torch._C._functions)["AccumulateGrad"]
# A gradient passes through these to a leaf whose layout they turn.
_TURNS = ("TBackward0", "TransposeBackward0", "ConjPhysicalBackward0", "PermuteBackward0")
_WITHOUT_GRADIENT = {torch.sparse_csc, torch.sparse_bsr, torch.sparse_bsc}


def before_gradient(node, of, add, copy):
    """To be called by a backward before it hands `node` the gradient of a sparse tensor.

    `add(A, old, new)` adds gradients of A; `of` is a weak reference to the tensor, unless it is a
    leaf.
    """
    if type(node) is not _AccumulateGrad:
        _before_retaining(of(), node, add, copy)
        while type(node).__name__ in _TURNS:
            node = node.next_functions[0][0]
        if type(node) is not _AccumulateGrad:
            return
    A = node.variable
    if A.grad is None:
        if A.layout in _WITHOUT_GRADIENT and _accumulates(node):
            raise RuntimeError(
                f"torch cannot accumulate the gradient of a {A.layout} leaf: call "
                "torch.autograd.grad(result, A), make A by tsgu.csr or tsgu.coo of values that "
                "require grad, or detach it"
            )
    elif "tsgu" not in node.metadata:
        node.metadata["tsgu"] = True
        node.register_prehook(lambda gradients: _sum(A, gradients, add))


def _accumulates(node):
    """Whether this backward pass writes to the leaf's .grad."""
    try:
        return torch._C._will_engine_execute_node(node)
    except RuntimeError:  # torch.autograd.grad was asked for this leaf
        return False


def _sum(A, gradients, add):
    old, (new,) = A.grad, gradients
    if old is None or new is None or old.layout is not A.layout or new.layout is not A.layout:
        return None
    total = add(A, old, new)
    A.grad = None  # what torch adds to
    return (total,)


def _before_retaining(A, node, add, copy):
    if A is None or not A.retains_grad or A.layout is torch.sparse_coo:
        return
    task = torch._C._current_graph_task_id()
    known, hook = node.metadata.get("tsgu", (None, None))
    if known == task:  # another backward that hands A a gradient was here
        return
    if hook is not None:  # of a pass that failed
        hook.remove()

    def keep(gradient):  # the last hook, so that it sees what the user's made
        handle.remove()
        total = copy(gradient) if A.grad is None else add(A, A.grad, gradient)
        # torch's own hook comes next and adds them, which it can where both are one tensor.
        A.grad = gradient

        def finish():
            A.grad = total

        Variable._execution_engine.queue_callback(finish)

    handle = A.register_hook(keep)
    node.metadata["tsgu"] = task, handle
