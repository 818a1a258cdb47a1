"""What `progress=True` shows on stderr: a line renewed by tqdm, or without it one now and then."""

import contextlib
import sys
import threading
import time

from .._runtime.optional import is_installed, load

_QUIET = 1.0  # seconds: what ends before shows nothing
_APART = 10.0  # seconds between lines without tqdm


class _Line:
    """That of one solve or factorisation."""

    def __init__(self, text, whole=False):
        self.text, self.begun, self.printed = text, time.monotonic(), None
        self.bar, self.lock = None, threading.Lock()
        self.whole = whole  # a whole call's, which may have several runs

    def show(self, text=None, last=False):
        """Renews the line where that is due; the last one is left to be read."""
        with self.lock:
            self.text = self.text if text is None else text
            now = time.monotonic()
            if now - self.begun < _QUIET:
                return
            if self.bar is None and self.printed is None and is_installed("tqdm"):
                self.bar = load("tqdm.auto", "progress=True", "tqdm").tqdm(
                    desc=self.text, bar_format="{desc} [{elapsed}]", miniters=1, delay=1e-3
                )
                self.bar.start_t -= now - self.begun
            if self.bar is not None:
                self.bar.set_description_str(self.text, refresh=False)
                self.bar.close() if last else self.bar.update()  # which writes a few times a second
            elif last or self.printed is None or now - self.printed >= _APART:
                self.printed = now
                print(f"tsgu: {self.text}, {now - self.begun:.0f} s", file=sys.stderr, flush=True)


@contextlib.contextmanager
def _renewed(line):
    """The line is shown while this lasts, also where nobody calls."""
    done = threading.Event()

    def renew():
        while not done.wait(min(0.25, _QUIET)):
            line.show()

    thread = threading.Thread(target=renew, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        line.show(last=True)


@contextlib.contextmanager
def factorising(enabled, method, pattern):
    """Around a factorisation: shows that it goes on, and for how long it has."""
    if not enabled:
        yield
        return
    line = _Line(_task(method, pattern))
    with _renewed(line):
        yield
        line.text += ": done"


def _task(method, pattern):
    rows, columns = pattern.shape[-2:]
    items = "" if pattern.items == -1 else f"{pattern.items:,} matrices of "
    return f"{method} of {items}{rows:,} x {columns:,} with {pattern.entries:,} entries"


class Display:
    """What a solver handle shows of its runs, and of those of derivatives; one line a thread."""

    def __init__(self, method):
        self.method, self.lines = method, {}

    @contextlib.contextmanager
    def running(self, pattern):
        """Around a run: one line for all of it, its preparation and every matrix of a batch."""
        line = self.lines[threading.get_ident()] = _Line(_task(self.method, pattern), whole=True)
        try:
            with _renewed(line):
                yield
        finally:
            self.lines.pop(threading.get_ident(), None)

    def step(self, iteration, residuals):
        text = f"{self.method}: {iteration:,} iterations, residual {max(residuals):.2e}"
        line = self.lines.get(threading.get_ident())
        if line is None or (iteration == 0 and not line.whole):
            line = self.lines[threading.get_ident()] = _Line(text)
        line.show(text)

    def end(self, outcome):
        line = self.lines.get(threading.get_ident())
        if line is None or not outcome.reasons:
            return
        how = ", ".join(dict.fromkeys(outcome.reasons))
        iterations, residual = outcome.iterations.max().item(), outcome.residuals.max().item()
        count = f"{iterations:,} iterations, " if iterations else ""
        line.text = f"{self.method}: {how}, {count}residual {residual:.2e}"
        if not line.whole:
            self.lines.pop(threading.get_ident()).show(last=True)


def around(handle, pattern):
    """A context for a run with a solver handle, which shows it where the handle says so."""
    callables = getattr(handle, "_tsgu_callables", None)
    display = None if callables is None else callables.display
    return contextlib.nullcontext() if display is None else display.running(pattern)
