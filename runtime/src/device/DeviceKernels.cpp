#include "DeviceKernels.h"
#include "tsgu/Error.h"
namespace tsgu::runtime {
bool isCanonicalOn(Device &, void *, const DeviceCSR &) { fail(Status::Internal, "todo"); }
bool isCanonicalOn(Device &, void *, const DeviceCOO &) { fail(Status::Internal, "todo"); }
DeviceBlock joinItemsOn(Device &, void *, const DeviceCSR &) { fail(Status::Internal, "todo"); }
DeviceBlock positionsFromRowsOn(Device &, void *, const DeviceCOO &) { fail(Status::Internal, "todo"); }
void permuteOn(Device &, void *, const Layout &, int64_t, ItemValues, ItemValues, int64_t) { fail(Status::Internal, "todo"); }
DeviceLayout transposeOn(Device &, void *, const Layout &, int64_t, int64_t, int64_t) { fail(Status::Internal, "todo"); }
Split splitOn(Device &, void *, const Layout &l) { Split s; s.length = splitLength(l.rows, l.stored); return s; }
}
