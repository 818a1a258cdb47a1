// RUN: tsgu-opt %programs/softmax.mlir --pass-pipeline='builtin.module(func.func(tsgu-expand-log-sum-exp))' | FileCheck %s
// RUN: tsgu-opt %programs/logsumexp.mlir --pass-pipeline='builtin.module(func.func(tsgu-expand-log-sum-exp))' | FileCheck %s --check-prefix=START
// RUN: tsgu-opt %s --pass-pipeline='builtin.module(func.func(tsgu-expand-log-sum-exp))' --split-input-file | FileCheck %s --check-prefix=READER

// Softmax is exp(a - m) / s, with m the greatest stored entry of the row, brought into the range of
// finite numbers, and s the sum of exp(a - m). The log-sum-exp itself is not computed.
// CHECK-LABEL: func.func @softmax(
// CHECK-SAME:    %[[A:[a-z0-9]+]]:
// CHECK-NOT:     tsgu.logaddexp
// CHECK-DAG:     %[[HIGHEST:.*]] = arith.constant 1.7976931348623157E+308 : f64
// CHECK-DAG:     %[[LOWEST:.*]] = arith.constant -1.7976931348623157E+308 : f64
// CHECK-DAG:     %[[NEG_INF:.*]] = arith.constant 0xFFF0000000000000 : f64
// CHECK:         linalg.fill ins(%[[NEG_INF]] : f64)
// CHECK:         %[[MAX:.*]] = linalg.generic {{.*}} iterator_types = ["parallel", "reduction"]}
// CHECK-SAME:      ins(%[[A]] : {{.*}}) attrs = {tsgu.sampled}
// CHECK:           %[[HIGH:.*]] = arith.cmpf ogt, %[[a:.*]], %[[HIGHEST]]
// CHECK-NEXT:      %[[BELOW:.*]] = arith.select %[[HIGH]], %[[HIGHEST]], %[[a]]
// CHECK-NEXT:      %[[LOW:.*]] = arith.cmpf olt, %[[BELOW]], %[[LOWEST]]
// CHECK-NEXT:      %[[FINITE:.*]] = arith.select %[[LOW]], %[[LOWEST]], %[[BELOW]]
// CHECK-NEXT:      arith.maxnumf %{{.*}}, %[[FINITE]]
// CHECK:         %[[SUM:.*]] = linalg.generic {{.*}} iterator_types = ["parallel", "reduction"]}
// CHECK-SAME:      ins(%[[A]], %[[MAX]] : {{.*}}) attrs = {tsgu.sampled}
// CHECK:           arith.subf
// CHECK-NEXT:      math.exp
// CHECK-NEXT:      arith.addf
// CHECK:         linalg.generic {{.*}} ins(%[[A]], %[[MAX]], %[[SUM]] :
// CHECK-NEXT:    ^bb0(%[[a:.*]]: f64, %[[m:.*]]: f64, %[[s:.*]]: f64, %{{.*}}: f64):
// CHECK-NEXT:      %[[SHIFTED:.*]] = arith.subf %[[a]], %[[m]]
// CHECK-NEXT:      %[[EXP:.*]] = math.exp %[[SHIFTED]]
// CHECK-NEXT:      %[[Y:.*]] = arith.divf %[[EXP]], %[[s]]
// CHECK-NEXT:      linalg.yield %[[Y]]
// CHECK-NOT:     linalg.generic
// CHECK-NOT:     math.log

// What it starts from takes part in the maximum, in the sum, and in nothing else.
// START-LABEL: func.func @logsumexp(
// START-SAME:    %[[A:[a-z0-9]+]]: {{.*}}, %[[Z:[a-z0-9]+]]: tensor<?xf64>
// START-DAG:     %[[HIGHEST:.*]] = arith.constant 1.7976931348623157E+308 : f64
// START-DAG:     %[[LOWEST:.*]] = arith.constant -1.7976931348623157E+308 : f64
// START:         %[[STORED:.*]] = linalg.generic {{.*}} ins(%[[A]] : {{.*}}) attrs = {tsgu.sampled}
// START:         %[[MAX:.*]] = linalg.generic {{.*}} ins(%[[STORED]], %[[Z]] :
// START-NEXT:    ^bb0(%[[a:.*]]: f64, %[[z:.*]]: f64, %{{.*}}: f64):
// START-NEXT:      %[[HIGH:.*]] = arith.cmpf ogt, %[[z]], %[[HIGHEST]]
// START-NEXT:      %[[BELOW:.*]] = arith.select %[[HIGH]], %[[HIGHEST]], %[[z]]
// START-NEXT:      %[[LOW:.*]] = arith.cmpf olt, %[[BELOW]], %[[LOWEST]]
// START-NEXT:      %[[FINITE:.*]] = arith.select %[[LOW]], %[[LOWEST]], %[[BELOW]]
// START-NEXT:      arith.maxnumf %[[a]], %[[FINITE]]
// START:         %[[SUM:.*]] = linalg.generic {{.*}} ins(%[[A]], %[[MAX]] : {{.*}}) attrs = {tsgu.sampled}
// START:         %[[L:.*]] = linalg.generic {{.*}} ins(%[[MAX]], %[[SUM]], %[[Z]] :
// START-NEXT:    ^bb0(%[[m:.*]]: f64, %[[s:.*]]: f64, %[[z:.*]]: f64, %{{.*}}: f64):
// START-NEXT:      %[[SHIFTED:.*]] = arith.subf %[[z]], %[[m]]
// START-NEXT:      %[[EXP:.*]] = math.exp %[[SHIFTED]]
// START-NEXT:      %[[TOTAL:.*]] = arith.addf %[[s]], %[[EXP]]
// START-NEXT:      %[[LOG:.*]] = math.log %[[TOTAL]]
// START-NEXT:      arith.addf %[[m]], %[[LOG]]
// START:         return %[[L]]

#entry = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>
#all = affine_map<(i) -> (i)>

// A difference that is read by itself subtracts log s after m. The op over the rows, which would
// round the sum of m and log s, is put into its reader.
// READER-LABEL: func.func @log_softmax(
// READER-SAME:    %[[X:[a-z0-9]+]]:
// READER:         %[[MAX:.*]] = linalg.generic {{.*}}ins(%[[X]] : tensor<4x4xf64>)
// READER:         %[[SUM:.*]] = linalg.generic {{.*}}ins(%[[X]], %[[MAX]] :
// READER:         %[[LOG:.*]] = linalg.generic {{.*}}ins(%[[SUM]] :
// READER:           math.log
// READER:         linalg.generic {{.*}}ins(%[[X]], %[[MAX]], %[[LOG]] :
// READER-NEXT:    ^bb0(%[[x:.*]]: f64, %[[m:.*]]: f64, %[[t:.*]]: f64, %{{.*}}: f64):
// READER-NEXT:      %[[NEG:.*]] = arith.negf %[[m]]
// READER-NEXT:      %[[HIGH:.*]] = arith.addf %[[x]], %[[NEG]]
// READER-NEXT:      %[[Z:.*]] = arith.subf %[[HIGH]], %[[t]]
// READER-NEXT:      linalg.yield %[[Z]]
func.func @log_softmax(%x: tensor<4x4xf64>) -> tensor<4x4xf64> {
  %neg_inf = arith.constant 0xFFF0000000000000 : f64
  %rows = tensor.empty() : tensor<4xf64>
  %init = linalg.fill ins(%neg_inf : f64) outs(%rows : tensor<4xf64>) -> tensor<4xf64>
  %l = linalg.generic {indexing_maps = [#entry, #row], iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<4x4xf64>) outs(%init : tensor<4xf64>) {
  ^bb0(%a: f64, %o: f64):
    %next = tsgu.logaddexp %o, %a : f64
    linalg.yield %next : f64
  } -> tensor<4xf64>
  %n = linalg.generic {indexing_maps = [#all, #all], iterator_types = ["parallel"]}
      ins(%l : tensor<4xf64>) outs(%rows : tensor<4xf64>) {
  ^bb0(%a: f64, %o: f64):
    %neg = arith.negf %a : f64
    linalg.yield %neg : f64
  } -> tensor<4xf64>
  %empty = tensor.empty() : tensor<4x4xf64>
  %z = linalg.generic {indexing_maps = [#entry, #row, #entry], iterator_types = ["parallel", "parallel"]}
      ins(%x, %n : tensor<4x4xf64>, tensor<4xf64>) outs(%empty : tensor<4x4xf64>) {
  ^bb0(%a: f64, %b: f64, %o: f64):
    %sum = arith.addf %a, %b : f64
    linalg.yield %sum : f64
  } -> tensor<4x4xf64>
  return %z : tensor<4x4xf64>
}

// -----

#entry = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>

// Returned, it is m + log s.
// READER-LABEL: func.func @log_sum_exp(
// READER:         %[[MAX:.*]] = linalg.generic
// READER:         %[[SUM:.*]] = linalg.generic
// READER:         %[[L:.*]] = linalg.generic {{.*}}ins(%[[MAX]], %[[SUM]] :
// READER:           math.log
// READER-NEXT:      arith.addf
// READER:         return %[[L]]
func.func @log_sum_exp(%x: tensor<4x4xf64>) -> tensor<4xf64> {
  %neg_inf = arith.constant 0xFFF0000000000000 : f64
  %rows = tensor.empty() : tensor<4xf64>
  %init = linalg.fill ins(%neg_inf : f64) outs(%rows : tensor<4xf64>) -> tensor<4xf64>
  %l = linalg.generic {indexing_maps = [#entry, #row], iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<4x4xf64>) outs(%init : tensor<4xf64>) {
  ^bb0(%a: f64, %o: f64):
    %next = tsgu.logaddexp %o, %a : f64
    linalg.yield %next : f64
  } -> tensor<4xf64>
  return %l : tensor<4xf64>
}

// -----

#all = affine_map<(i) -> (i)>
#entry = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>

// Sums of sums keep a few logs apart, and then add them up: this program stays short.
// READER-LABEL: func.func @doubled(
// READER-COUNT-3: linalg.generic
// READER-NOT:     linalg.generic
// READER:         return
func.func @doubled(%x: tensor<4x4xf64>) -> tensor<4xf64> {
  %neg_inf = arith.constant 0xFFF0000000000000 : f64
  %rows = tensor.empty() : tensor<4xf64>
  %init = linalg.fill ins(%neg_inf : f64) outs(%rows : tensor<4xf64>) -> tensor<4xf64>
  %l = linalg.generic {indexing_maps = [#entry, #row], iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<4x4xf64>) outs(%init : tensor<4xf64>) {
  ^bb0(%a: f64, %o: f64):
    %next = tsgu.logaddexp %o, %a : f64
    linalg.yield %next : f64
  } -> tensor<4xf64>
  %y = linalg.generic {indexing_maps = [#all, #all], iterator_types = ["parallel"]}
      ins(%l : tensor<4xf64>) outs(%rows : tensor<4xf64>) {
  ^bb0(%a: f64, %o: f64):
    %2 = arith.addf %a, %a : f64
    %4 = arith.addf %2, %2 : f64
    %8 = arith.addf %4, %4 : f64
    %16 = arith.addf %8, %8 : f64
    %32 = arith.addf %16, %16 : f64
    linalg.yield %32 : f64
  } -> tensor<4xf64>
  return %y : tensor<4xf64>
}
