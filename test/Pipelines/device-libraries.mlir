// Every library of device kernels assembles for every GPU and both widths of indices, and spills nothing.
// REQUIRES: ptxas
// RUN: %python %S/assemble.py tsgu-opt %ptxas %programs/device | FileCheck %s

// CHECK-DAG: check: check_coo, check_coordinates, check_positions
// CHECK-DAG: copy: copy_indices
// CHECK-DAG: permute: permute2, permute4, permute8
// CHECK-DAG: rows: flatten_rows, join_items, positions_from_rows, rows_of_entries
// CHECK-DAG: scan: add_before, scan_tiles
// CHECK-DAG: sort: count_digits, gather_rows, make_keys, scatter
// CHECK-DAG: split: count_chunks, fill_chunks, fill_long_rows
