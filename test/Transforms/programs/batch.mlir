// RUN: tsgu-opt %programs/spmm.mlir --tsgu-batch | FileCheck %s
// RUN: tsgu-opt %programs/spmm.mlir --tsgu-batch=operands=1 | FileCheck %s --check-prefix=ONE
// RUN: tsgu-opt %programs/softmax.mlir --tsgu-batch | FileCheck %s --check-prefix=SOFTMAX
// RUN: tsgu-opt %programs/logsumexp.mlir --tsgu-batch=operands=0 | FileCheck %s --check-prefix=START
// RUN: tsgu-opt %programs/spmm.mlir --tsgu-batch --tsgu-differentiate --tsgu-simplify \
// RUN:   | FileCheck %s --check-prefix=GRAD

// Every operand gets a leading index b: a sparse one a dense level, so that each item has a pattern of
// its own. The loop over b leads, and indexes the output.
// CHECK:       affine_map<(d0, d1, d2, d3) -> (d0, d1, d3)>
// CHECK:       affine_map<(d0, d1, d2, d3) -> (d0, d3, d2)>
// CHECK:       affine_map<(d0, d1, d2, d3) -> (d0, d1, d2)>
// CHECK:       #[[$CSR:.*]] = #sparse_tensor.encoding<{ map = (d0, d1, d2) -> (d0 : dense, d1 : dense, d2 : compressed) }>
// CHECK-LABEL: func.func @spmm_batch(
// CHECK-SAME:    %[[A:[a-z0-9]+]]: tensor<?x?x?xf64, #[[$CSR]]> {tsgu.name = "A", tsgu.pattern = @A},
// CHECK-SAME:    %[[B:[a-z0-9]+]]: tensor<?x?x?xf64> {tsgu.name = "B"}) -> tensor<?x?x?xf64>
// CHECK-DAG:     %[[ROWS:.*]] = tensor.dim %[[A]], %c1
// CHECK-DAG:     %[[ITEMS:.*]] = tensor.dim %[[A]], %c0
// CHECK-DAG:     %[[COLUMNS:.*]] = tensor.dim %[[B]], %c2
// CHECK:         tensor.empty(%[[ITEMS]], %[[ROWS]], %[[COLUMNS]]) : tensor<?x?x?xf64>
// CHECK:         linalg.generic {{.*}} iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
// CHECK:         return %{{.*}} : tensor<?x?x?xf64>

// One matrix for a batch of dense operands: A is not indexed by b.
// ONE:       affine_map<(d0, d1, d2, d3) -> (d1, d3)>
// ONE:       affine_map<(d0, d1, d2, d3) -> (d0, d3, d2)>
// ONE:       affine_map<(d0, d1, d2, d3) -> (d0, d1, d2)>
// ONE-LABEL: func.func @spmm_batch(
// ONE-SAME:    tensor<?x?xf64, #{{.*}}> {tsgu.name = "A", tsgu.pattern = @A},
// ONE-SAME:    tensor<?x?x?xf64> {tsgu.name = "B"}) -> tensor<?x?x?xf64>

// What starts from nothing but sizes, and intermediate results, are batched along.
// SOFTMAX-LABEL: func.func @softmax_batch(
// SOFTMAX:         tsgu.logaddexp
// SOFTMAX:         tsgu.zeros_like {{.*}} : tensor<?x?x?xf64, #{{.*}}>
// SOFTMAX:         return %{{.*}} : tensor<?x?x?xf64, #{{.*}}>

// What a log-sum-exp starts from is repeated for the items.
// START-LABEL: func.func @logsumexp_batch(
// START-SAME:    %[[Z:[a-z0-9]+]]: tensor<?xf64> {tsgu.name = "Z"}) -> tensor<?x?xf64>
// START:         %[[EACH:.*]] = linalg.generic {{.*}} iterator_types = ["parallel", "parallel"]} ins(%[[Z]] :
// START:         linalg.generic {{.*}} iterator_types = ["parallel", "parallel", "reduction"]}
// START-SAME:      outs(%[[EACH]] : tensor<?x?xf64>)

// A batch is a program: its gradients follow from the same rules.
// GRAD-LABEL: func.func @spmm_batch_vjp0(
// GRAD:         linalg.generic {{.*}} iterator_types = ["parallel", "parallel", "reduction", "parallel"]}
// GRAD-SAME:      attrs = {tsgu.sampled}
// GRAD-LABEL: func.func @spmm_batch_vjp1(
