# Part of _ring.pyx: the head of a region that other processes map, and what they may know of its owner.

cdef str text_of(const uint8_t *at, int room):
    cdef int n = 0
    while n < room and at[n]:
        n += 1
    return PyBytes_FromStringAndSize(<const char *>at, n).decode("ascii", "replace")


def head_of(memory not None):
    """What the head of a mapped file, or of a region, says, as a dict; None when it is none of ours.

    Nothing of it was checked but that it is ours: whoever maps a file compares layout, records and bytes first.
    """
    cdef RegionHead *head
    if isinstance(memory, Region):
        head = (<Region>memory).head
    else:
        head = <RegionHead *>address_of(memory, PAGE_BYTES, False)
    if memcmp(head.magic, PyBytes_AS_STRING(MAGIC), 8):
        return None
    return {
        "layout": head.layout, "records": head.records, "bytes": head.bytes, "package": text_of(head.package, 32),
        "owner_pid": head.owner_pid, "owner_start": head.owner_start, "owner_space": head.owner_space,
        "created_ns": head.created_ns, "state": ibw_load_acquire(&head.state),
        "market": (head.market_at, head.market_capacity * RECORD),
        "tape": (head.tape_at, head.tape_bytes),
        "quotes": (head.quotes_at, head.quotes_capacity * sizeof(QuoteRow)),
        "orders": (head.orders_at, head.orders_capacity * ORDER_BYTES),
        "server_version_agreed": head.server_version, "client_id": head.client_id, "epoch": head.epoch,
    }


def layout_version():
    """The version of the region's layout that this package makes and reads."""
    return LAYOUT_VERSION


def sign_head(Region region not None, *, uint32_t records, int64_t owner_pid, uint64_t owner_start, uint64_t owner_space,
              int64_t created_ns, str package not None):
    """Say whose region it is, and that it may be looked at. Owner, once, before anybody else can map it."""
    cdef bytes name = package.encode("ascii", "replace")[:31]
    region.head.records, region.head.owner_pid, region.head.owner_start = records, owner_pid, owner_start
    region.head.owner_space, region.head.created_ns = owner_space, created_ns
    memset(region.head.package, 0, 32)
    memcpy(region.head.package, PyBytes_AS_STRING(name), len(name))
    ibw_store_release(&region.head.state, REGION_OPEN)


def set_session(Region region not None, int64_t version, int64_t client_id, int64_t epoch):
    """Note the session that the region is about. Owner only."""
    region.head.server_version, region.head.client_id, region.head.epoch = version, client_id, epoch


def end_region(Region region not None):
    """Say that nothing more comes, and wake who waits. Owner only; any thread. Twice is harmless."""
    ibw_store_release(&region.head.state, REGION_CLOSED)
    with nogil:
        region_ring(region)


def state_of(Region region not None):
    """``building``, ``open`` or ``closed``, as its owner said."""
    cdef uint64_t state = ibw_load_acquire(&region.head.state)
    return "open" if state == REGION_OPEN else "closed" if state == REGION_CLOSED else "building"


def health_of(Region region not None):
    """Counts and times of a region, as a dict. Any process."""
    cdef Counters *counts = region.counts
    return {
        "messages": ibw_load_relaxed(&counts.messages), "bytes": ibw_load_relaxed(&counts.bytes),
        "receives": ibw_load_relaxed(&counts.receives), "bad_frames": ibw_load_relaxed(&counts.bad_frames),
        "unknown": ibw_load_relaxed(&counts.unknown), "extra": ibw_load_relaxed(&counts.extra),
        "wakes": ibw_load_relaxed(&counts.wakes),
        "watermark": ibw_load_acquire(&region.hot.watermark),
        "market_records": ibw_load_acquire(&region.hot.market_head),
        "tape_bytes": ibw_load_acquire(&region.hot.tape_head), "tape_entries": ibw_load_relaxed(&region.hot.tape_count),
        "tape_omitted": ibw_load_relaxed(&counts.tape_omitted),
        "quotes": ibw_load_relaxed(&counts.quotes_used), "quotes_refused": ibw_load_relaxed(&counts.quotes_refused),
        "quotes_skipped": ibw_load_relaxed(&counts.quotes_skipped),
        "orders": ibw_load_relaxed(&counts.orders_used), "orders_refused": ibw_load_relaxed(&counts.orders_refused),
        "orders_unkeyed": ibw_load_relaxed(&counts.orders_unkeyed),
        "orders_undecodable": ibw_load_relaxed(&counts.orders_undecodable),
        "receive_ns": <int64_t>ibw_load_relaxed(&region.hot.receive_ns),
        "wall_offset": <int64_t>ibw_load_relaxed(&region.hot.wall_offset),
    }
