// RUN: tsgu-opt %programs/logdet.mlir --tsgu-differentiate | FileCheck %s --check-prefix=LOGDET
// RUN: tsgu-opt %programs/logdet.mlir --tsgu-differentiate=mode=forward | FileCheck %s --check-prefix=FORWARD
// RUN: tsgu-opt %programs/logdet.mlir --tsgu-complexify --tsgu-differentiate=mode=forward | FileCheck %s --check-prefix=COMPLEX
// RUN: tsgu-opt %programs/logdet.mlir --tsgu-differentiate=wrt=1 --tsgu-differentiate=wrt=1,2 | FileCheck %s --check-prefix=TWICE
// RUN: tsgu-opt %programs/logdet.mlir --tsgu-batch --tsgu-differentiate | FileCheck %s --check-prefix=BATCH
// RUN: tsgu-opt %programs/sign_det.mlir --tsgu-differentiate | FileCheck %s --check-prefix=SIGN
// RUN: tsgu-opt %programs/inverse_on_pattern.mlir --tsgu-differentiate | FileCheck %s --check-prefix=INVERSE
// RUN: tsgu-opt %programs/half_solve.mlir --tsgu-differentiate=wrt=2 | FileCheck %s --check-prefix=HALF
// RUN: not tsgu-opt %programs/half_solve.mlir --tsgu-differentiate=wrt=1 2>&1 | FileCheck %s --check-prefix=NO-HALF
// RUN: not tsgu-opt %programs/logdet.mlir --tsgu-differentiate=wrt=1 --tsgu-differentiate=wrt=1 --tsgu-differentiate=wrt=1 2>&1 \
// RUN:   | FileCheck %s --check-prefix=BEYOND

// g A^-T on the pattern of A.
// LOGDET-LABEL: func.func @logdet_vjp1(
// LOGDET-SAME:    %[[S:[a-z0-9]+]]: !tsgu.solver {{.*}} %[[A:[a-z0-9]+]]: tensor<?x?xf64, #{{[a-z]+}}> {tsgu.name = "A", {{.*}} %[[G:[a-z0-9]+]]: tensor<f64> {tsgu.name = "G"
// LOGDET:         %[[STORED:.*]] = tsgu.selected_inverse %[[S]], %[[A]]
// LOGDET:         linalg.generic {{.*}} ins(%[[STORED]], %[[G]] : {{.*}} attrs = {tsgu.sampled}
// LOGDET:           arith.mulf

// The sum of the entries of A^-T times those of the tangent.
// FORWARD-LABEL: func.func @logdet_jvp1(
// FORWARD:         %[[STORED:.*]] = tsgu.selected_inverse
// FORWARD:         linalg.generic {{.*}} iterator_types = ["reduction", "reduction"]} ins(%{{.*}}, %[[STORED]] :

// COMPLEX-LABEL: func.func @logdet_jvp1(
// COMPLEX:         complex.conj

// By A and by the cotangent.
// TWICE-LABEL: func.func @logdet_vjp1_vjp1(
// TWICE:         %[[D:.*]] = linalg.generic
// TWICE:         %[[P:.*]] = tsgu.selected_product %{{[a-z0-9]+}}, %{{[a-z0-9]+}}, %[[D]]
// TWICE:         arith.negf
// TWICE-LABEL: func.func @logdet_vjp1_vjp2(
// TWICE:         tsgu.selected_inverse

// BATCH-LABEL: func.func @logdet_batch_vjp1(
// BATCH-SAME:    tensor<?xf64> {tsgu.name = "G"
// BATCH:         tsgu.selected_inverse %{{.*}} : tensor<?x?x?xf64,

// SIGN-LABEL: func.func @sign_det_vjp1(
// SIGN-NOT:     tsgu.sign_det
// SIGN:         tsgu.zeros_like

// INVERSE-LABEL: func.func @inverse_on_pattern_vjp1(
// INVERSE:         %[[H:.*]] = tsgu.adjoint
// INVERSE:         tsgu.selected_product %{{[a-z0-9]+}}, %{{[a-z0-9]+}}, %[[H]]

// HALF-LABEL: func.func @half_solve_vjp2(
// HALF:         tsgu.half_solve %{{.*}} mode<T>

// NO-HALF: error: 'tsgu.half_solve' op has no derivative by its matrix
// BEYOND: error: 'tsgu.selected_product' op has no derivative by its matrix
