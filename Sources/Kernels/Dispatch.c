// Chooses the instruction set once, and forwards each public kernel to its table.

#include "Table.h"

#include <stdlib.h>
#include <string.h>

static int best_level(void) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512cd"))
    return 2;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return 1;
#endif
  return 0;
}

static const struct callosum_table *table = &callosum_table_baseline;
static int level = 0, best = 0;

void callosum_set_instruction_set(int wanted) {
  level = wanted < 0 ? 0 : wanted > best ? best : wanted;
#if defined(__x86_64__)
  table = level == 2   ? &callosum_table_avx512
          : level == 1 ? &callosum_table_avx2
                       : &callosum_table_baseline;
#endif
}

// Names of the levels, as CALLOSUM_INSTRUCTION_SET gives them to keep to less than the processor has: to see
// what an older processor computes.
static const char *const names[] = {"baseline", "avx2", "avx512"};

__attribute__((constructor)) static void choose_instruction_set(void) {
  best = best_level();
  const char *wanted = getenv("CALLOSUM_INSTRUCTION_SET");
  for (int i = 0; wanted && i < best; i++)
    if (strcmp(wanted, names[i]) == 0) best = i;
  callosum_set_instruction_set(best);
}

int callosum_instruction_set(void) { return level; }
int callosum_best_instruction_set(void) { return best; }

#define KERNEL(name, parameters, arguments) \
  void callosum_##name parameters { table->name arguments; }
#include "include/KernelList.h"
#undef KERNEL
