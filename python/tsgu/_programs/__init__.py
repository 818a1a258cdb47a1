"""Programs, and the one family of autograd Functions that runs them."""
