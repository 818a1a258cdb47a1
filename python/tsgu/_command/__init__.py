"""The command `tsgu`: what is installed, what is in a file, programs to objects, and a quick look.

It ends with 0, with 1 after an error that it names, and with 2 where the command line is wrong.
"""

import argparse
import os
import sys
import warnings

from . import bench, compile, doctor, inspect

COMMANDS = {"doctor": doctor, "inspect": inspect, "compile": compile, "bench": bench}


def _parser():
    parser = argparse.ArgumentParser(
        prog="tsgu",
        description="A sparse compiler with gradients.",
        epilog="tsgu COMMAND --help says more.",
    )
    parser.add_argument("--version", action="store_true", help="versions of tsgu, LLVM and torch")
    commands = parser.add_subparsers(metavar="COMMAND")
    for name, module in COMMANDS.items():
        summary = module.__doc__.splitlines()[0]
        command = commands.add_parser(
            name,
            help=summary[0].lower() + summary[1:].rstrip("."),
            description=module.__doc__,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    return parser


def main(arguments=None):
    """Runs the command line and returns its exit status."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    if arguments[:1] == ["compile"]:  # which reads its own
        return compile.main(arguments[1:])
    warnings.filterwarnings("ignore", message="Sparse (CSR tensor support|invariant checks)")
    parser = _parser()
    given = parser.parse_args(arguments)
    try:
        if given.version:
            print(doctor.versions())
        elif hasattr(given, "run"):
            return given.run(given) or 0
        else:
            parser.print_help()
            return 2
        sys.stdout.flush()
    except BrokenPipeError:  # as `tsgu ... | head` ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError, RuntimeError, ImportError) as error:
        print(f"tsgu: error: {error}", file=sys.stderr)
        return 1
    return 0
