#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../Table.h"

#if defined(__x86_64__)
// min_vector_width: clang would otherwise split 512-bit vectors in two for this architecture.
#pragma clang attribute push(__attribute__((target("arch=x86-64-v4"), min_vector_width(512))), apply_to = function)
#define LANES 16
#define TABLE callosum_table_avx512
#include "../vector/Kernels.h"
#pragma clang attribute pop
#endif
