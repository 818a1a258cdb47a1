"""What is known of the native libraries: their loading, C API, callbacks, and errors."""

from . import library as library  # it loads torch's operators
