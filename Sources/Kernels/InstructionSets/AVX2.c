#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../Table.h"

#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("arch=x86-64-v3"))), apply_to = function)
#define LANES 8
#define TABLE callosum_table_avx2
#include "../vector/Kernels.h"
#pragma clang attribute pop
#endif
