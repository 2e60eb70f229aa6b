"""Online detectors: one point in, one verdict out, constant time and memory."""
