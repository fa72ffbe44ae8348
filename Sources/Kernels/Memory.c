// Blocks for tensors, kept when freed in bins by size, because a training step asks for the same
// sizes again and again. Small blocks are kept by each thread for itself, which costs a few
// nanoseconds where aligned memory from malloc costs a hundred. Large ones are shared: a page that
// the system hands out fresh costs more (fault, zeroing) than most kernels spend on it. Of those, the ones
// that nobody asked for longest are given up when more is kept than a program with such peaks needs.

#if defined(__linux__)
#include <malloc.h>
#endif
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "include/CallosumKernels.h"

enum { alignment = 64, steps_per_doubling = 8, bins = 48 * steps_per_doubling };
static const size_t smallest_kept = 64 * 1024, huge_page = 2 * 1024 * 1024;

struct kept {
  struct kept *next;
};
// Large blocks are in two lists: that of their bin, newest first, and that of all by age.
struct large {
  struct large *next, *previous;
  struct large *newer, *older;
  size_t size;
  int bin;
};
static struct large *bin_head[bins], *newest, *oldest;
static size_t in_use, most_in_use, kept_bytes;
static ptrdiff_t limit_set = -1;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

// Sizes are rounded up to eighths of a power of two, so at most 12.5 % is unused.
static size_t rounded(size_t bytes, int *bin) {
  int doubling = 63 - __builtin_clzll(bytes);
  size_t step = ((size_t)1 << doubling) / steps_per_doubling;
  size_t count = (bytes + step - 1) / step;  // 8...16
  *bin = (doubling - 16) * steps_per_doubling + (int)count - steps_per_doubling;
  return count * step;
}

// oneDNN takes scratch memory from malloc for each call and gives it back, for which glibc would
// return the pages to the system and fault them in again each time.
__attribute__((constructor)) static void keep_scratch_pages(void) {
#if defined(__GLIBC__)
  mallopt(M_MMAP_THRESHOLD, 64 * 1024 * 1024);
  mallopt(M_TRIM_THRESHOLD, 256 * 1024 * 1024);
#endif
}

// C's aligned_alloc wants sizes that are multiples of the alignment.
static void *aligned(size_t boundary, size_t bytes) {
  void *block;
  return posix_memalign(&block, boundary, bytes) ? NULL : block;
}

// MARK: Small blocks

enum { small_bins = 8 + 7 * steps_per_doubling };
static const size_t most_small_bytes = 4 * 1024 * 1024;  // that a thread keeps unused

static _Thread_local struct {
  struct kept *head[small_bins];
  size_t bytes;
  // Once the thread is ending, blocks go back to malloc.
  enum { unopened, open, closed } state;
} small;

static pthread_key_t ending;
static pthread_once_t ending_once = PTHREAD_ONCE_INIT;

static void empty_small(void) {
  small.bytes = 0;
  for (int bin = 0; bin < small_bins; bin++) {
    while (small.head[bin]) {
      struct kept *block = small.head[bin];
      small.head[bin] = block->next;
      free(block);
    }
  }
}
static void close_small(void *ignored) {
  (void)ignored;
  small.state = closed;
  empty_small();
}
static void make_ending_key(void) { pthread_key_create(&ending, close_small); }

// Multiples of 64 up to 512, then eighths of powers of two.
static size_t small_rounded(size_t bytes, int *bin) {
  if (bytes <= 8 * alignment) {
    size_t count = bytes ? (bytes + alignment - 1) / alignment : 1;
    *bin = (int)count - 1;
    return count * alignment;
  }
  int doubling = 63 - __builtin_clzll(bytes - 1);
  size_t step = ((size_t)1 << doubling) / steps_per_doubling;
  size_t count = (bytes + step - 1) / step;  // 9...16
  *bin = 8 + (doubling - 9) * steps_per_doubling + (int)count - 1 - steps_per_doubling;
  return count * step;
}

static void *allocate_small(size_t bytes) {
  int bin;
  size_t size = small_rounded(bytes, &bin);
  struct kept *block = small.head[bin];
  if (!block) return aligned(alignment, size);
  small.head[bin] = block->next;
  small.bytes -= size;
  return block;
}

static void free_small(void *block, size_t bytes) {
  int bin;
  size_t size = small_rounded(bytes, &bin);
  if (small.state != open) {
    if (small.state == closed) {
      free(block);
      return;
    }
    pthread_once(&ending_once, make_ending_key);
    pthread_setspecific(ending, &small);
    small.state = open;
  }
  if (small.bytes + size > most_small_bytes) {
    free(block);
    return;
  }
  small.bytes += size;
  ((struct kept *)block)->next = small.head[bin];
  small.head[bin] = block;
}

// MARK: Large blocks

static void take_out(struct large *block) {
  *(block->previous ? &block->previous->next : &bin_head[block->bin]) = block->next;
  if (block->next) block->next->previous = block->previous;
  *(block->newer ? &block->newer->older : &newest) = block->older;
  *(block->older ? &block->older->newer : &oldest) = block->newer;
  kept_bytes -= block->size;
}

static void put_in(struct large *block, size_t size, int bin) {
  *block = (struct large){.next = bin_head[bin], .older = newest, .size = size, .bin = bin};
  if (block->next) block->next->previous = block;
  if (newest) newest->newer = block;
  else oldest = block;
  bin_head[bin] = newest = block;
  kept_bytes += size;
}

// A step of training comes back to its peak again and again: what it needs there stays, with a quarter for
// sizes that differ a little. Small programs keep what they like.
static size_t limit(void) {
  if (limit_set >= 0) return (size_t)limit_set;
  size_t most = most_in_use + most_in_use / 4 + 64 * 1024 * 1024;
  return most > in_use ? most - in_use : 0;
}

// The blocks over the limit, oldest first, taken out of all lists and linked by `next`.
static struct large *surplus(size_t most) {
  struct large *found = NULL;
  while (kept_bytes > most) {
    struct large *block = oldest;
    take_out(block);
    block->next = found;
    found = block;
  }
  return found;
}

static void free_all(struct large *blocks) {
  while (blocks) {
    struct large *next = blocks->next;
    free(blocks);
    blocks = next;
  }
}

// MARK: All blocks

void *callosum_allocate(size_t bytes) {
  if (bytes < smallest_kept) return allocate_small(bytes);
  if (bytes >> 47) return NULL;
  int bin;
  size_t size = rounded(bytes, &bin);
  pthread_mutex_lock(&lock);
  struct large *block = bin_head[bin];
  if (block) take_out(block);
  in_use += size;
  size_t most_before = most_in_use;
  if (in_use > most_in_use) most_in_use = in_use;
  pthread_mutex_unlock(&lock);
  if (block) return block;
  void *fresh = aligned(size >= huge_page ? huge_page : 4096, size);
  if (!fresh) {
    callosum_release_cache();
    fresh = aligned(4096, size);
  }
  if (!fresh) {
    pthread_mutex_lock(&lock);
    in_use -= size;
    most_in_use = most_before > in_use ? most_before : in_use;
    pthread_mutex_unlock(&lock);
    return NULL;
  }
  if (size >= huge_page) madvise(fresh, size, MADV_HUGEPAGE);
  return fresh;
}

static _Thread_local size_t freed;

size_t callosum_bytes_freed(void) { return freed; }

void callosum_free(void *block, size_t bytes) {
  if (!block) return;
  freed += bytes;
#if __has_feature(address_sanitizer)
  // A block that is kept would hide that somebody still reads it.
  const bool keeps = false;
#else
  const bool keeps = true;
#endif
  if (bytes < smallest_kept) {
    if (keeps) free_small(block, bytes);
    else free(block);
    return;
  }
  int bin;
  size_t size = rounded(bytes, &bin);
  pthread_mutex_lock(&lock);
  in_use -= size;
  if (keeps) put_in(block, size, bin);
  struct large *blocks = surplus(limit());
  pthread_mutex_unlock(&lock);
  if (!keeps) free(block);
  free_all(blocks);
}

static size_t locked(const size_t *number) {
  pthread_mutex_lock(&lock);
  size_t value = *number;
  pthread_mutex_unlock(&lock);
  return value;
}

size_t callosum_bytes_in_use(void) { return locked(&in_use); }
size_t callosum_most_bytes_in_use(void) { return locked(&most_in_use); }
size_t callosum_bytes_kept(void) { return locked(&kept_bytes); }

void callosum_reset_most_bytes_in_use(void) {
  pthread_mutex_lock(&lock);
  most_in_use = in_use;
  pthread_mutex_unlock(&lock);
}

void callosum_set_cache_limit(ptrdiff_t bytes) {
  pthread_mutex_lock(&lock);
  limit_set = bytes;
  struct large *blocks = surplus(limit());
  pthread_mutex_unlock(&lock);
  free_all(blocks);
}

ptrdiff_t callosum_cache_limit(void) {
  pthread_mutex_lock(&lock);
  ptrdiff_t bytes = limit_set;
  pthread_mutex_unlock(&lock);
  return bytes;
}

void callosum_out_of_memory(const char *purpose, size_t bytes) {
  fprintf(stderr, "out of memory: %s needs %zu bytes; use smaller batches or sizes\n", purpose, bytes);
  abort();
}

void *callosum_allocate_or_stop(size_t bytes, const char *purpose) {
  void *block = callosum_allocate(bytes);
  if (!block) callosum_out_of_memory(purpose, bytes);
  return block;
}

void callosum_release_cache(void) {
  pthread_mutex_lock(&lock);
  struct large *blocks = surplus(0);
  pthread_mutex_unlock(&lock);
  free_all(blocks);
  empty_small();
#if defined(__GLIBC__)
  // What malloc keeps too.
  malloc_trim(0);
#endif
}
