/* Whole pages straight from the kernel: what is given back is gone at once. An allocator keeps some of it, and how much
   depends on what else the program allocates. */
#ifndef IBWIRE_MEMORY_H
#define IBWIRE_MEMORY_H
#include <stddef.h>
#include <sys/mman.h>

#ifndef MAP_ANONYMOUS
#define MAP_ANONYMOUS MAP_ANON
#endif

static inline void *ibw_map(size_t bytes) {
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return at == MAP_FAILED ? NULL : at;
}
static inline void ibw_unmap(void *at, size_t bytes) { munmap(at, bytes); }
#endif
