"""Modules of the package under the names of other libraries, for code that cannot be edited."""

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
from typing import Literal, TypeAlias

__all__ = ["install_as"]

Alias: TypeAlias = Literal["torchsparsegradutils", "sparse_solver", "torch_sparse_solve"]

_MODULES = {
    "torchsparsegradutils": "tsgu",
    "sparse_solver": "tsgu.direct",
    "torch_sparse_solve": "tsgu.direct",
}


def _own_name(alias):
    root, *rest = alias.split(".")
    return ".".join([_MODULES[root], *rest])


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Gives modules that are imported later than `install_as` their second name.

    It has to come first: others would find the same files by the package's path, and make second
    modules of them.
    """

    def __init__(self):
        self.roots = set()

    def find_spec(self, fullname, path=None, target=None):
        if fullname.partition(".")[0] not in self.roots:
            return None
        if importlib.util.find_spec(_own_name(fullname)) is None:
            return None
        return importlib.machinery.ModuleSpec(fullname, self)

    def exec_module(self, module):
        # The import takes what is found here for the new, empty module.
        sys.modules[module.__name__] = importlib.import_module(_own_name(module.__name__))
        _enter_loaded(module.__name__.partition(".")[0])


_finder = _Finder()


def _enter_loaded(root):
    """Enters what is loaded under its second names, too.

    An import by the finder would also set the parent's attribute, which has to stay the function
    where a function and its module share a name.
    """
    own = _MODULES[root]
    for name, module in list(sys.modules.items()):
        if name == own or name.startswith(f"{own}."):
            sys.modules[root + name.removeprefix(own)] = module


def _is_ours(name):
    return getattr(sys.modules[name], "__name__", None) == _MODULES[name]


def install_as(name: Alias) -> None:
    """Has `import name`, and imports of its submodules, give the modules of this package.

    name: "torchsparsegradutils" (this package), "sparse_solver" or "torch_sparse_solve" (both
    `tsgu.direct`). Modules and everything in them are the same objects under both names, for this
    process, whether or not the library of that name is installed. A second call changes nothing.

    Raises ValueError for another name, RuntimeError where the library of that name was imported
    before: code that did so has its functions already.

    >>> tsgu.install_as("torchsparsegradutils")
    >>> from torchsparsegradutils import sparse_mm
    """
    if name not in _MODULES:
        raise ValueError(f"name must be one of {', '.join(map(repr, _MODULES))}, not {name!r}")
    if name in sys.modules and not _is_ours(name):
        where = getattr(sys.modules[name], "__file__", None)
        raise RuntimeError(
            f"{name} was imported before, from {where}: call tsgu.install_as({name!r}) before "
            "anything imports it"
        )
    importlib.import_module(_MODULES[name])
    _enter_loaded(name)
    _finder.roots.add(name)
    if _finder not in sys.meta_path:
        sys.meta_path.insert(0, _finder)
