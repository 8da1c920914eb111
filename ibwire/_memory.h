/* Whole pages straight from the kernel: what is given back is gone at once. An allocator keeps some of it, and how much
   depends on what else the program allocates. */
#ifndef IBWIRE_MEMORY_H
#define IBWIRE_MEMORY_H
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

#ifndef MAP_ANONYMOUS
#define MAP_ANONYMOUS MAP_ANON
#endif

#define IBW_HUGE ((size_t)2 << 20)

static inline void *ibw_map(size_t bytes) {
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return at == MAP_FAILED ? NULL : at;
}
/* It is written soon: have it fetched. */
static inline void ibw_expect(void *at) { __builtin_prefetch(at, 1); }
static inline void ibw_unmap(void *at, size_t bytes) { munmap(at, bytes); }

/* Zeros that are touched here and there until most of them are used. Where it is much, in huge pages if the kernel has
   them: to clear 512 small ones one by one, as they are touched, takes many times as long as to clear one huge one. */
static inline size_t ibw_much(size_t bytes) {
    return bytes < IBW_HUGE / 2 ? bytes : (bytes + IBW_HUGE - 1) & ~(IBW_HUGE - 1);
}
static inline void *ibw_map_much(size_t bytes) {
    bytes = ibw_much(bytes);
    if (bytes < IBW_HUGE) return ibw_map(bytes);
    char *at = (char *)ibw_map(bytes + IBW_HUGE);
    if (!at) return NULL;
    size_t before = -(uintptr_t)at & (IBW_HUGE - 1);
    if (before) munmap(at, before);
    if (before < IBW_HUGE) munmap(at + before + bytes, IBW_HUGE - before);
    at += before;
#ifdef MADV_HUGEPAGE
    (void)madvise(at, bytes, MADV_HUGEPAGE);
#endif
    return at;
}
/* Have the kernel give the pages now, not when they are needed. Nothing is in them yet. */
static inline void ibw_touch(void *at, size_t bytes) {
    for (size_t n = 0; n < bytes; n += 4096) ((volatile char *)at)[n] = 0;
    if (bytes) ((volatile char *)at)[bytes - 1] = 0;
}
static inline void ibw_unmap_much(void *at, size_t bytes) { munmap(at, ibw_much(bytes)); }

/* Pieces that live as long as the whole and stay where they are: zeros, at cache lines. */
typedef struct ibw_block {
    struct ibw_block *older;
    size_t bytes;
    int is_touched;
} ibw_block;

typedef struct ibw_arena {
    ibw_block *newest;
    ibw_block *ready; /* the one after it, made when there was time */
    size_t used;
} ibw_arena;

#define IBW_LINE ((size_t)64)
#define IBW_FIRST_BLOCK ((size_t)64 << 10)

static inline ibw_block *ibw_next_block(const ibw_arena *arena, size_t bytes) {
    const ibw_block *block = arena->newest;
    size_t want = !block ? IBW_FIRST_BLOCK : block->bytes < IBW_HUGE / 8 ? 2 * block->bytes : IBW_HUGE;
    while (want < bytes + IBW_LINE) want *= 2;
    ibw_block *fresh = (ibw_block *)ibw_map_much(want);
    if (fresh) fresh->bytes = want;
    return fresh;
}
static inline void *ibw_take(ibw_arena *arena, size_t bytes) {
    bytes = (bytes + IBW_LINE - 1) & ~(IBW_LINE - 1);
    ibw_block *block = arena->newest;
    if (!block || block->bytes - arena->used < bytes) {
        ibw_block *fresh = arena->ready;
        if (fresh && fresh->bytes >= bytes + IBW_LINE) arena->ready = NULL;
        else fresh = ibw_next_block(arena, bytes);
        if (!fresh) return NULL;
        fresh->older = block;
        arena->newest = block = fresh;
        arena->used = IBW_LINE;
    }
    void *piece = (char *)block + arena->used;
    arena->used += bytes;
    return piece;
}
/* The rest of this block, and where less than half of it is left, the next one. */
static inline void ibw_prepare(ibw_arena *arena) {
    ibw_block *block = arena->newest;
    if (block && !block->is_touched) {
        ibw_touch((char *)block + arena->used, block->bytes - arena->used);
        block->is_touched = 1;
    }
    if (arena->ready || (block && arena->used < block->bytes / 2)) return;
    block = ibw_next_block(arena, 0);
    if (!block) return;
    ibw_touch(block + 1, block->bytes - sizeof(ibw_block));
    block->is_touched = 1;
    arena->ready = block;
}
static inline void ibw_release(ibw_arena *arena) {
    if (arena->ready) ibw_unmap_much(arena->ready, arena->ready->bytes);
    while (arena->newest) {
        ibw_block *block = arena->newest;
        arena->newest = block->older;
        ibw_unmap_much(block, block->bytes);
    }
}
#endif
