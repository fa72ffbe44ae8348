#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../Table.h"

#define LANES 4
#define TABLE callosum_table_baseline
#include "../vector/Kernels.h"
