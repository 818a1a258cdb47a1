"""`python -m tsgu` is the command `tsgu`."""

import sys

from ._command import main

sys.exit(main())
