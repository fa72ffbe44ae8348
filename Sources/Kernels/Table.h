#ifndef CALLOSUM_TABLE_H
#define CALLOSUM_TABLE_H
// The vector kernels of one instruction set, as pointers.

#include "include/CallosumKernels.h"

struct callosum_table {
#define KERNEL(name, parameters, arguments) void (*name) parameters;
#include "include/KernelList.h"
#undef KERNEL
};

extern const struct callosum_table callosum_table_baseline;
#if defined(__x86_64__)
extern const struct callosum_table callosum_table_avx2, callosum_table_avx512;
#endif

#endif
